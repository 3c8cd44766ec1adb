# Completions of secretkit for fish 3.0 and newer: secretkit completions fish | source

function __secretkit_offered
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l current (commandline -ct)
    set -l lines (string join0 -- $typed "$current" | command secretkit complete 2>/dev/null)
    set -q lines[1]; or return
    set -l answer (string split \t -- $lines[1])
    set -l before "$answer[2]"
    set -e lines[1]
    set -l rest (string sub -s (math 1 + (string length -- "$before")) -- "$current")
    switch $answer[1]
        case words open
            printf '%s\n' $lines
        case files
            printf '%s\n' $before(__fish_complete_path "$rest")
        case directories
            printf '%s\n' $before(__fish_complete_directories "$rest")
        case commands
            complete -C "$current"
    end
end

complete -c secretkit -f -a '(__secretkit_offered)'

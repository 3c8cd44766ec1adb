#compdef secretkit
# Completions of secretkit for zsh: source <(secretkit completions zsh), after compinit; or as _secretkit in $fpath

_secretkit() {
    local -a typed lines offered
    local line word kind before
    # Quotes go, as they would when the line is run; nothing in it is ever run here.
    typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)${:-$IPREFIX$PREFIX}}")
    lines=("${(@f)$(printf '%s\0' "${typed[@]}" | command secretkit complete 2>/dev/null)}")
    kind=${lines[1]%%$'\t'*}
    before=${lines[1]#*$'\t'}
    case $kind in
    (words|open)
        for line in "${(@)lines[2,-1]}"; do
            # A colon separates a word from what it means.
            word=${${line%%$'\t'*}//:/\\:}
            if [[ $line == *$'\t'* ]]; then
                offered+=("$word:${line#*$'\t'}")
            else
                offered+=("$word")
            fi
        done
        if [[ $kind == open ]]; then
            _describe secretkit offered -S ''
        else
            _describe secretkit offered
        fi
        ;;
    (files)
        [[ -n $before ]] && compset -P "${(b)before}"
        _files
        ;;
    (directories)
        [[ -n $before ]] && compset -P "${(b)before}"
        _files -/
        ;;
    (commands)
        _command_names
        ;;
    (*)
        return 1
        ;;
    esac
}

if [[ $funcstack[1] == _secretkit ]]; then
    _secretkit "$@"
else
    compdef _secretkit secretkit
fi

# Completions of secretkit for bash 3.2 and newer: source <(secretkit completions bash)

_secretkit() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word current index
    # Bash takes words apart at = and :, and tells only by the line which belong together.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if ((index == 0)) || [[ $line == [[:space:]]* ]]; then
            line=${line#"${line%%[![:space:]]*}"}
            words+=('')
        fi
        ((index == COMP_CWORD)) && word=$line
        # Quotes go, as they would when the line is run; nothing in it is ever run here.
        words[${#words[@]} - 1]+=${word//[\"\'\\]/}
        line=${line#"$word"}
    done
    current=${words[${#words[@]} - 1]}
    # Of the last word, only what stands behind the last = or : is replaced.
    local breaks=${COMP_WORDBREAKS//[^=:]/} broken=''
    [[ $breaks ]] && broken=${current%"${current##*[$breaks]}"}

    local kind='' before='' offered
    COMPREPLY=()
    while IFS=$'\t' read -r offered word; do
        if [[ $kind ]]; then
            COMPREPLY+=("${offered#"$broken"}")
        else
            kind=$offered before=$word
        fi
    done < <(printf '%s\0' "${words[@]:1}" | command secretkit complete 2>/dev/null)

    local action=
    case $kind in
    open) compopt -o nospace 2>/dev/null ;;
    files) action=file ;;
    directories) action=directory ;;
    commands) action=command ;;
    esac
    [[ $action ]] || return 0
    if [[ $action == file && $before == "$broken" ]] && compopt -o default 2>/dev/null; then
        return 0
    fi
    [[ $action == command ]] || compopt -o filenames 2>/dev/null
    while IFS= read -r offered; do
        offered=$before$offered
        COMPREPLY+=("${offered#"$broken"}")
    done < <(compgen -A "$action" -- "${current#"$before"}")
}

complete -F _secretkit secretkit

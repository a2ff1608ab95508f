# bash completion of llm-client, made by `make completions`.

_llm_client_completion() {
    local program=llm-client kind= word
    [[ $1 != */* ]] || program=${1/#\~\//$HOME/}
    COMPREPLY=()
    # It is asked about the line itself, because COMP_WORDS is split at `:` and `=` too.
    while IFS= read -r word; do
        if [[ $kind ]]; then
            COMPREPLY+=("$word")
        else
            kind=$word
        fi
    done < <(_LLM_CLIENT_COMPLETE=bash "$program" "${COMP_LINE:0:COMP_POINT}" "$2" 2> /dev/null)
    # Without words readline offers files; before bash 4 always.
    [[ $kind == files ]] || compopt +o default 2> /dev/null
}

complete -o bashdefault -o default -F _llm_client_completion llm-client

_llm_client_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _LLM_CLIENT_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _llm_client_completion llm-client

# fish completion of llm-client, made by `make completions`.

function __llm_client_completion
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    # A quote may be open.
    set -l current (string unescape -- "$typed"
        or string unescape -- "$typed'"
        or string unescape -- "$typed\"")
    set -l program llm-client
    if string match -q -- '*/*' $before[1]
        set program (string replace -r '^~/' "$HOME/" -- $before[1])
    end
    set -l answer (env _LLM_CLIENT_COMPLETE=fish $program $before[2..-1] "$current" 2>/dev/null)
    switch "$answer[1]"
        case words
            printf '%s\n' $answer[2..-1]
        case files
            complete -C "'' $typed" # what fish itself has for an unknown command
    end
end

complete --command llm-client --no-files --arguments '(__llm_client_completion)'

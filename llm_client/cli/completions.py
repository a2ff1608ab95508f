"""The scripts that make shells ask the program at Tab, for `completions/` and `--show-completion`.

Owns their text. They take what `completion_line.answer` prints and never evaluate any of it:
Typer's own scripts do, and a model's name can be chosen by a server. They say which program was
typed where that is a path; else the one on the path answers, for aliases too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

__all__ = ["SCRIPTS", "main", "use_own_scripts"]

_BASH = r"""# bash completion of llm-client, made by `make completions`.

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
"""

_ZSH = r"""#compdef llm-client
# zsh completion of llm-client, made by `make completions`.

_llm_client_completion() {
    local program=llm-client
    local -a answer
    [[ $words[1] != */* ]] || program=${${(Q)words[1]}/#\~\//$HOME/}
    # In quotes PREFIX is what was typed, without the marks around it.
    local typed="$QIPREFIX$PREFIX${compstate[quote]#\$}"
    answer=("${(@f)$(_LLM_CLIENT_COMPLETE=zsh $program \
        "${(@Q)words[2,CURRENT-1]}" "${(Q)typed}" 2> /dev/null)}")
    case $answer[1] in
        words)
            shift answer
            _describe -t values llm-client answer
            ;;
        files)
            compset -P '--[^=]#='
            _files
            ;;
        *)
            return 1
            ;;
    esac
}

# Found along fpath, this file is the body of a function; else it is read once.
if [[ $funcstack[1] == _llm-client ]]; then
    _llm_client_completion "$@"
else
    compdef _llm_client_completion llm-client
fi
"""

_FISH = r"""# fish completion of llm-client, made by `make completions`.

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
"""

_POWERSHELL = r"""# PowerShell completion of llm-client, made by `make completions`.

Register-ArgumentCompleter -Native -CommandName llm-client -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $program = $commandAst.GetCommandName()
    if ($program -notmatch '[\\/]') { $program = 'llm-client' }
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
                $_.Value
            } else {
                $_.Extent.Text
            }
        })
    $words += "$wordToComplete".TrimStart("'", '"')
    $env:_LLM_CLIENT_COMPLETE = 'powershell'
    $env:_LLM_CLIENT_COMPLETE_WORDS = $words -join [char]31
    try {
        $answer = @(& $program 2>$null)
    } finally {
        Remove-Item Env:_LLM_CLIENT_COMPLETE, Env:_LLM_CLIENT_COMPLETE_WORDS
    }
    if ($answer.Count -eq 0) {
        '' # Without any result it would offer files, as it does where they are wanted.
    } elseif ($answer[0] -eq 'words') {
        $answer | Select-Object -Skip 1 | ForEach-Object {
            $word, $shown, $help = $_ -split "`t", 3
            [System.Management.Automation.CompletionResult]::new(
                $word, $shown, 'ParameterValue', $help)
        }
    }
}
"""

SCRIPTS: Final = {
    "llm-client.bash": ("bash", _BASH),
    "_llm-client": ("zsh", _ZSH),
    "llm-client.fish": ("fish", _FISH),
    "llm-client.ps1": ("powershell", _POWERSHELL),
}
"""By the names of their files, which zsh and fish go by: the shell and its script."""


def use_own_scripts() -> None:
    """Let `--show-completion` and `--install-completion`, which are Typer's, know these scripts.

    Typer has no way to say so: its table is private, which a test watches.
    """
    from typer._completion_shared import _completion_scripts as table

    scripts = dict(SCRIPTS.values())
    for shell in table:
        script = scripts["powershell" if shell == "pwsh" else shell]
        table[shell] = script.replace("%", "%%")  # it is filled in with `%`


def main(arguments: list[str]) -> int:
    """Write the scripts into a directory; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m llm_client.cli.completions DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, (_, script) in SCRIPTS.items():
        (directory / name).write_text(script, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

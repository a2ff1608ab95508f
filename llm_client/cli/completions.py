"""The completion scripts under `completions/`: `python -m llm_client.cli.completions DIRECTORY`.

For packagers and for whoever prefers a file to `llm-client --install-completion`. The scripts ask
the program itself at every Tab, so they change only when Typer changes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["completion_scripts", "main"]

_PROGRAM = "llm-client"
_VARIABLE = "_LLM_CLIENT_COMPLETE"
_FILES = {"bash": "llm-client.bash", "zsh": "_llm-client", "fish": "llm-client.fish"}
"""By shell: the name under which that shell looks for completions."""


def completion_scripts() -> dict[str, str]:
    """Return the scripts by the names of their files."""
    # Not marked as exported there, but what `--show-completion` itself calls.
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    return {
        file: get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell) + "\n"
        for shell, file in _FILES.items()
    }


def main(arguments: list[str]) -> int:
    """Write the scripts into a directory; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m llm_client.cli.completions DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, script in completion_scripts().items():
        (directory / name).write_text(script, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

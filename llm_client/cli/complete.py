"""What the program does at Tab: the scripts in `completions/` call it with `_LLM_CLIENT_COMPLETE`.

Owns the way from a shell's line to the words that fit it, in silence: a shell that waits for Tab
has no place for errors. Commands are declared for it, never run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from .completion_line import SHELLS, answer, read_line

__all__ = ["complete"]


def complete(shell: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print what fits; return the exit status, 0 or 1.

    Args:
        shell: whose script asks.
        arguments: as `read_line` wants them.
        environ: the variables of the process.
    """
    try:
        if shell not in SHELLS:
            return 1
        text = _answer(shell, arguments, environ)
        # No shell says in which encoding it reads.
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.flush()
    except Exception:
        return 1
    return 0


def _answer(shell: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    line = read_line(shell, arguments, environ)
    if line.redirects:
        return answer(shell, line, None)
    # Here, because they bring Typer, which the answer above does without.
    from typer.core import TyperGroup
    from typer.main import get_command

    from .app import application
    from .completion_tree import fitting

    program = get_command(application(line.before))
    assert isinstance(program, TyperGroup)
    found = fitting(program, line.before, line.current)
    if found is not None:
        # Names of models and profiles are whatever a server or a file says.
        found = [fit for fit in found if fit.word.isprintable()]
    return answer(shell, line, found)

"""Everything ambient that a command touches: streams, terminals, variables.

One object, so that a test can run a command in-process with streams of its own. Nothing else
under `cli/` reads `sys.stdin`, `sys.stdout`, `sys.stderr` or `os.environ`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, BinaryIO, TextIO

__all__ = ["Environment"]


@dataclass(slots=True)
class Environment:
    """The streams and variables of one run of the program."""

    stdin: BinaryIO | None
    """Bytes of standard input; `None` when it is closed."""
    stdin_is_terminal: bool
    stdout: TextIO
    """Carries the answer and nothing else."""
    stdout_is_terminal: bool
    stdout_is_closed: bool = field(default=False, kw_only=True)
    """Whether the parent closed it: what is written goes nowhere."""
    stderr: TextIO
    """Carries everything else."""
    stderr_is_terminal: bool
    environ: Mapping[str, str]
    color: str = "auto"
    """`auto`, `always` or `never`, as the command line says."""

    @classmethod
    def current(cls) -> Environment:
        """Return the environment of this process."""
        # A stream that the parent closed is `None`.
        stdin: TextIO | None = sys.stdin
        stdout: TextIO | None = sys.stdout
        stderr: TextIO | None = sys.stderr
        if stdin is None or stdout is None or stderr is None:
            _occupy_standard_descriptors()
        return cls(
            stdin=stdin.buffer if stdin is not None else None,
            stdin_is_terminal=_is_terminal(stdin),
            stdout=stdout or _nowhere(),
            stdout_is_terminal=_is_terminal(stdout),
            stdout_is_closed=stdout is None,
            stderr=stderr or _nowhere(),
            stderr_is_terminal=_is_terminal(stderr),
            environ=os.environ,
        )

    @property
    def is_dumb(self) -> bool:
        """Whether the terminal understands no control sequences."""
        return self.environ.get("TERM", "") in {"dumb", "unknown"}

    @property
    def columns(self) -> int:
        """The width of the terminal that stdout is, in cells; 80 where there is none."""
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def colored(self, is_terminal: bool) -> bool:
        """Return whether a stream gets colour: the flag, then NO_COLOR, FORCE_COLOR, the terminal."""
        if self.color != "auto":
            return self.color == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return is_terminal and not self.is_dumb

    def note(self, text: str) -> None:
        """Print a line on stderr; a stderr that is gone does not matter."""
        try:
            self.stderr.write(text + "\n")
            self.stderr.flush()
        except (OSError, ValueError):
            return


def _occupy_standard_descriptors() -> None:
    """Keep the numbers 0 to 2 from becoming a socket, which a stray write would then reach."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False

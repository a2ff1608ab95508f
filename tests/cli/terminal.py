"""The program on a pseudo-terminal: what a user sees, and the raw bytes that made it.

Owns the pseudo-terminal and a screen just capable enough for what the program may emit: text, line
feeds, carriage returns, colours, cursor up, erasing. Anything else fails the test that sees it.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .program import SECONDS, command, environment

_CONTROL = re.compile(r"\x1b\[(?P<number>[0-9;]*)(?P<final>[AJKm])|(?P<char>(?s:.))")


@dataclass
class Terminal:
    """A running program and everything that it has written to its terminal."""

    process: subprocess.Popen[bytes]
    master: int
    raw: bytes = b""
    closed: bool = field(default=False)

    def read_until(self, text: str) -> None:
        """Read until `text` has been written."""
        ends = time.monotonic() + SECONDS
        while text.encode() not in self.raw:
            assert not self.closed, f"it ended without {text!r}: {self.raw!r}"
            assert time.monotonic() < ends, f"{text!r} did not come: {self.raw!r}"
            self._read(1.0)

    def finish(self) -> int:
        """Read to the end; return the exit status."""
        ends = time.monotonic() + SECONDS
        while not self.closed:
            assert time.monotonic() < ends, f"it does not end: {self.raw!r}"
            self._read(1.0)
        return self.process.wait(SECONDS)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def screen(self) -> list[str]:
        """The rows that a user sees, scrollback included, without blanks at their ends."""
        return screen(self.raw.decode())

    def _read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # Linux says so when the last writer is gone
                data = b""
            self.closed = not data
            self.raw += data


def screen(text: str) -> list[str]:
    """Return the rows that a terminal of endless width shows for a text."""
    rows, row, column = [""], 0, 0
    for match in _CONTROL.finditer(text):
        number = int(match["number"] or 0) if match["final"] in ("A", "J", "K") else 0
        match match["final"], match["char"]:
            case "A", _:
                row -= max(1, number)
                assert row >= 0, "the cursor leaves the screen"
            case "J", _:
                del rows[row + 1 :]
                rows[row] = rows[row][:column]
            case "K", _:
                rows[row] = rows[row][:column]
            case "m", _:
                pass
            case _, "\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            case _, "\r":
                column = 0
            case _, char:
                assert char.isprintable(), f"control character {char!r} reaches the terminal"
                rows[row] = rows[row][:column].ljust(column) + char + rows[row][column + 1 :]
                column += 1
    while rows and not rows[-1].strip():
        rows.pop()
    return [line.rstrip() for line in rows]


@contextmanager
def terminal(
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    columns: int = 80,
    rows: int = 24,
) -> Iterator[Terminal]:
    """Run the program with its output on a terminal, except for streams that are given."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    variables: dict[str, Any] = {"TERM": "xterm-256color", **environment()}
    try:
        with subprocess.Popen(
            command(*arguments),
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave if stderr is None else stderr,
            env=variables,
            start_new_session=True,
        ) as process:
            os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                process.kill()
    finally:
        os.close(master)

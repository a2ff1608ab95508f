"""The signals that end a command: they arrive as an exception, so that it can tidy up.

Ctrl-C is Python's own `KeyboardInterrupt`. SIGTERM and a terminal that goes away come as
`Terminated`, which is one too: whoever handles Ctrl-C handles them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["Terminated", "termination_raises"]


class Terminated(KeyboardInterrupt):
    """A signal asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        """The exit status that says so, as a shell computes it."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise `Terminated` for SIGTERM and SIGHUP; what the parent chose to ignore stays ignored."""
    replaced = []
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                replaced.append((number, signal.signal(number, _terminate)))
    try:
        yield
    finally:
        for number, before in replaced:
            signal.signal(number, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated(number)

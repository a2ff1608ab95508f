"""The line from the thread that generates to the one that reads an answer.

Owns the order of what goes over it (the head, pieces of the body, the end or a failure) and the
hanging up, which the generating side notices at its next word or its next look. It exists because
one side is a thread and the other may be an event loop. No I/O, no httpx, no MLX.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, NamedTuple

__all__ = ["END", "Begin", "HungUp", "Item", "Line"]


class Begin(NamedTuple):
    """The head of an answer."""

    status: int
    content_type: str


class End(NamedTuple):
    """After the last piece of a body."""


END: Final = End()

Item = Begin | bytes | End | Exception


class HungUp(Exception):
    """Nobody reads the answer any more."""


class Line:
    """One answer on its way. `send` and `look` are the generating side's, the rest the reader's."""

    def __init__(self, wake: Callable[[], object] | None = None) -> None:
        """Make a line.

        Args:
            wake: called by the generating thread after each item; what it raises is a hang-up.
        """
        self.items: SimpleQueue[Item] = SimpleQueue()
        self.begun = False
        """Whether the head was sent: what fails later has to be told in the body."""
        self._wake = wake
        self._hung_up = False

    def send(self, item: Item) -> None:
        """Send the next item.

        Raises:
            HungUp: nobody reads any more.
        """
        self.look()
        self.begun = self.begun or isinstance(item, Begin)
        self._put(item)
        self.look()

    def cut(self, reason: str) -> None:
        """Hang up from this side: the reader gets an error instead of the rest."""
        if not self._hung_up:
            self._hung_up = True
            self._put(OSError(reason))

    def look(self) -> None:
        """Do nothing while somebody reads.

        Raises:
            HungUp: nobody reads any more.
        """
        if self._hung_up:
            raise HungUp

    def hang_up(self) -> None:
        """Say that nobody reads any more. Idempotent; never waits."""
        self._hung_up = True

    def _put(self, item: Item) -> None:
        self.items.put(item)
        if self._wake is not None:
            try:
                self._wake()
            except RuntimeError:  # the event loop of the reader is closed
                self._hung_up = True

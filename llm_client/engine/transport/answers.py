"""What a session hands to an exchange: an answer at its head, whoever carries it.

Owns the two protocols that plain sockets and httpx's responses have in common. No code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Protocol

__all__ = ["AsyncAnswer", "SyncAnswer"]


class SyncAnswer(Protocol):
    """What a session hands over: an answer at its head, whoever carries it."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name, repeated ones joined with `, `."""

    @property
    def limit(self) -> Callable[[float | None], None] | None:
        """Bounds the next piece by seconds from now; `None` where only the request's waits hold."""

    def __iter__(self) -> Iterator[bytes]:
        """Return the body, piece by piece, as it is on the wire."""

    def close(self) -> None:
        """Hang up, unless the answer was whole. Idempotent."""


class AsyncAnswer(Protocol):
    """`SyncAnswer` for asyncio."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name, repeated ones joined with `, `."""

    @property
    def limit(self) -> Callable[[float | None], None] | None:
        """Bounds the next piece by seconds from now; `None` where only the request's waits hold."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the body, piece by piece, as it is on the wire."""

    async def aclose(self) -> None:
        """Hang up, unless the answer was whole. Idempotent."""

"""What the engine asks of the outside world.

The engine is a generator: it yields an effect, and a driver performs it and sends back what came
of it, or throws in what went wrong. `yield` is typed `Any`, so each effect has a helper with its
real type, to be used with `yield from`.

Effects are named tuples: every start-up makes the classes (a frozen dataclass costs ten times as
much, 0.3 ms each), and every chunk makes an instance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ..types.http import Head, HttpRequest
from ..types.response import StreamChunk

__all__ = [
    "Abandoned",
    "Call",
    "Close",
    "Effect",
    "Emit",
    "Open",
    "Read",
    "Sleep",
    "Steps",
    "call",
    "close",
    "emit",
    "open_",
    "read",
    "sleep",
]

T = TypeVar("T")


class Open(NamedTuple):
    """Send a request and wait for the head of the answer: sends back a `Head`."""

    request: HttpRequest
    verify: bool | str


class Read(NamedTuple):
    """Wait for the next bytes of the body: sends back `bytes`, empty at its end."""

    timeout: float | None = None
    """Seconds left until the deadline of the call; `None` without one."""


class Close(NamedTuple):
    """Give the exchange up; a half-read one is cut at once."""


class Sleep(NamedTuple):
    """Wait."""

    seconds: float


class Emit(NamedTuple):
    """Show chunks to the caller."""

    chunks: list[StreamChunk]


class Call(NamedTuple):
    """Call a function that may block (a store): inline when sync, in a thread when async."""

    function: Callable[[], Any]
    hasty: Callable[[], Any] | None = None
    """Does the same without blocking, or raises `WouldWait`: tried first when async, because a
    thread takes longer than most stores."""


Effect: TypeAlias = Open | Read | Close | Sleep | Emit | Call
Steps: TypeAlias = Generator[Effect, Any, T]
"""A piece of the engine that ends with a `T`."""


class Abandoned(BaseException):
    """The caller stopped listening. Thrown into the engine, which settles its books."""


_READ = Read()
_CLOSE = Close()


def open_(request: HttpRequest, verify: bool | str = True) -> Steps[Head]:
    """Send a request; return the head of the answer."""
    head: Head = yield Open(request, verify)
    return head


def read(timeout: float | None = None) -> Steps[bytes]:
    """Return the next bytes of the body; empty at its end."""
    data: bytes = yield _READ if timeout is None else Read(timeout)
    return data


def close() -> Steps[None]:
    """Give the exchange up."""
    yield _CLOSE


def sleep(seconds: float) -> Steps[None]:
    """Wait."""
    yield Sleep(seconds)


def emit(chunks: list[StreamChunk]) -> Steps[None]:
    """Show chunks to the caller."""
    yield Emit(chunks)


def call(function: Callable[[], T], hasty: Callable[[], T] | None = None) -> Steps[T]:
    """Call a function that may block; return its result."""
    result: T = yield Call(function, hasty)
    return result

"""One request at the server that misbehaves: what is planned for it, and the sending of an answer.

Owns the framing, right and wrong. Which of it is done stands in `behaviours.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..support.fault_server import Received, Wire
from .bodies import Bodies, Reported

__all__ = ["Behaviour", "Exchange", "Headers", "Step", "send", "send_broken"]

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Step:
    """What is planned for one request."""

    behaviour: str
    pieces: tuple[str, ...]
    """The text of the answer."""
    usage: Reported | None
    """What the answer says of its tokens."""
    sent: int
    """Pieces that arrive before a fault in the body."""
    framing: str
    """`chunked`, `length` or `close`: how the end of a body is known."""
    ending: str
    """What becomes of the connection behind a good answer: `keep` it, `announce` that it is closed,
    or `hang up` without a word."""


@dataclass(frozen=True)
class Exchange:
    """One request that has arrived, and what is to be done with it."""

    wire: Wire
    request: Received
    step: Step
    bodies: Bodies
    model: str
    stream: bool
    """Whether a stream was asked for."""
    wait_until_shown: Callable[[int], None]
    """Waits until the caller has seen so many pieces."""

    @property
    def text(self) -> str:
        return "".join(self.step.pieces)

    def events(self) -> list[bytes]:
        """Return the parts of a stream."""
        pieces = [self.bodies.piece(self.model, piece) for piece in self.step.pieces]
        usage = self.step.usage
        before, after = self.bodies.before(self.model, usage), self.bodies.after(self.model, usage)
        return [*before, *pieces, *after]

    def whole(self) -> bytes:
        return self.bodies.whole(self.model, self.text, self.step.usage)

    def parts(self) -> list[bytes]:
        """Return the body in the form that was asked for."""
        return self.events() if self.stream else [self.whole()]

    def first_parts(self) -> list[bytes]:
        """Return what of the body comes before a fault in its middle."""
        if not self.stream:
            body = self.whole()
            return [body[: len(body) // 2]]
        return self.events()[: len(self.bodies.before(self.model, None)) + self.step.sent]

    @property
    def content_type(self) -> str:
        return self.bodies.content_type if self.stream else "application/json"


Behaviour = Callable[[Exchange], bool]
"""Returns whether the connection stays open."""
_MISSING = 10
"""Bytes that were promised and never come."""


def _head(x: Exchange, content_type: str, status: int = 200, headers: Headers = ()) -> None:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in headers]
    x.wire.send("\r\n".join([*lines, "", ""]).encode("latin-1"))


def send(
    x: Exchange,
    parts: list[bytes],
    content_type: str,
    *,
    status: int = 200,
    headers: Headers = (),
    one: Callable[[bytes], None] | None = None,
) -> bool:
    """Send an answer whose framing is right."""
    step, write = x.step, one or x.wire.send
    extra = [*headers]
    chunked = step.framing == "chunked"
    if chunked:
        extra.append(("Transfer-Encoding", "chunked"))
    elif step.framing == "length":
        extra.append(("Content-Length", str(sum(map(len, parts)))))
    if step.ending == "announce" or step.framing == "close" or not hasattr(socket, "TCP_CORK"):
        extra.append(("Connection", "close"))
    # Without a word means: together with the last bytes. A little later, and the next request may
    # have come in between.
    hold = step.ending == "hang up" and hasattr(socket, "TCP_CORK")
    if hold:
        x.wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    _head(x, content_type, status, extra)
    for part in parts:
        if part:
            write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
    if chunked:
        write(b"0\r\n\r\n")
    return step.ending == "keep" and step.framing != "close"


def send_broken(x: Exchange, parts: list[bytes]) -> None:
    """Send an answer that promises more than comes."""
    if x.step.framing == "length":
        size = sum(map(len, parts)) + _MISSING
        _head(x, x.content_type, headers=[("Content-Length", str(size))])
        x.wire.send(b"".join(parts))
    else:
        _head(x, x.content_type, headers=[("Transfer-Encoding", "chunked")])
        x.wire.send(b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part))

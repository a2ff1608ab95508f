"""What both socket transports take from an httpx request, and give back as an httpx response.

Owns the translation between httpx's values and plain bytes and seconds. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llm_client.engine.transport.http1 import FramingError, ResponseHead, request_bytes
from llm_client.engine.transport.httpx_import import httpx

__all__ = ["Origin", "Outgoing", "Waits", "response_of"]

SINGLE_SEND_BYTES = 64 * 1024
"""Up to this size, head and body go out in one piece; a larger body is not copied for that."""


class Origin(NamedTuple):
    """Where a connection goes: connections are shared within an origin."""

    tls: bool
    host: bytes
    """ASCII, IPv6 without brackets."""
    port: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds each wait may last; `None` is no bound."""

    connect: float | None
    write: float | None
    """The longest stall while sending."""
    first_byte: float | None
    """From the request being sent to the first byte of the body, as one deadline."""
    silence: float | None
    """The longest gap between later bytes."""


class Outgoing(NamedTuple):
    """A request as the sockets need it."""

    origin: Origin
    method: str
    pieces: tuple[bytes, ...]
    waits: Waits

    @classmethod
    def of(cls, request: httpx.Request, body: bytes) -> Outgoing:
        """Serialise a request whose body has been read.

        Raises:
            httpx.UnsupportedProtocol: The scheme is neither http nor https.
            httpx.LocalProtocolError: A part of it cannot go into an HTTP message.
        """
        url = request.url
        scheme = url.scheme
        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"unknown scheme {scheme!r}")
        if not url.raw_host:
            raise httpx.UnsupportedProtocol("the URL has no host")
        tls = scheme == "https"
        origin = Origin(tls, url.raw_host, url.port or (443 if tls else 80))
        headers = request.headers.raw
        if "transfer-encoding" in request.headers:
            # The whole body is at hand: a length is plainer than chunks.
            headers = [field for field in headers if field[0].lower() != b"transfer-encoding"]
            headers.append((b"Content-Length", b"%d" % len(body)))
        try:
            head = request_bytes(request.method.encode("ascii"), url.raw_path, headers)
        except (FramingError, UnicodeEncodeError) as error:
            raise httpx.LocalProtocolError(str(error)) from None
        pieces = (head + body,) if len(body) < SINGLE_SEND_BYTES else (head, body)
        return cls(origin, request.method, pieces, _waits(request.extensions.get("timeout", {})))


def _waits(timeout: Mapping[str, float | None]) -> Waits:
    """Read httpx's `timeout` extension, which here may have a `first_byte` as well."""
    silence = timeout.get("read")
    return Waits(
        connect=timeout.get("connect"),
        write=timeout.get("write"),
        first_byte=timeout.get("first_byte", silence),
        silence=silence,
    )


def response_of(
    head: ResponseHead, stream: httpx.SyncByteStream | httpx.AsyncByteStream
) -> httpx.Response:
    """Wrap an answer's head and the stream of its body."""
    return httpx.Response(
        head.status,
        headers=head.headers,
        stream=stream,
        extensions={"http_version": head.http_version, "reason_phrase": head.reason},
    )

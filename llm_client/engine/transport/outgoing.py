"""What both socket transports send: an engine's request, or an httpx one, as bytes and seconds.

Owns the way from a URL to a connection's origin and from a request to its bytes. No I/O. httpx is
imported only for what needs it: an unusual URL, an httpx request, a failure.
"""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from llm_client._version import __version__
from llm_client.engine.transport.http1 import FramingError, ResponseHead, request_bytes
from llm_client.exceptions import ConfigurationError
from llm_client.types.http import HttpRequest, Timeouts

if TYPE_CHECKING:
    import httpx

__all__ = ["Origin", "Outgoing", "Waits", "complete_headers", "header_mapping", "response_of"]

SINGLE_SEND_BYTES = 64 * 1024
"""Up to this size, head and body go out in one piece; a larger body is not copied for that."""
USER_AGENT = f"llm_client/{__version__}"

_SEGMENT = r"[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*"
_PLAIN_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<path>(?:/{_SEGMENT})*/?)"
)
"""A URL that means what it looks like: no credentials, no escapes, no query, no dot segments, a
host in lower-case ASCII. Every other URL is httpx's to take apart."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a connection goes: connections are shared within an origin."""

    tls: bool
    host: bytes
    """ASCII, IPv6 without brackets."""
    port: int


class Waits(NamedTuple):
    """Seconds each wait may last; `None` is no bound."""

    connect: float | None
    write: float | None
    """The longest stall while sending."""
    first_byte: float | None
    """From the request being sent to the first byte of the body, as one deadline."""
    silence: float | None
    """The longest gap between later bytes."""
    ends: float | None = None
    """When the whole call is over, in `time.monotonic` seconds; `None` is no bound."""

    @classmethod
    def of(cls, timeouts: Timeouts, ends: float | None) -> Waits:
        """Return the waits of a request of the engine."""
        silence = timeouts.silence
        return cls(timeouts.connect, silence, timeouts.first_byte, silence, ends)

    @classmethod
    def of_extension(cls, timeout: Mapping[str, float | None]) -> Waits:
        """Read httpx's `timeout` extension, which here may have `first_byte` and `ends` as well."""
        silence = timeout.get("read")
        return cls(
            connect=timeout.get("connect"),
            write=timeout.get("write"),
            first_byte=timeout.get("first_byte", silence),
            silence=silence,
            ends=timeout.get("ends"),
        )

    def within(self, seconds: float | None) -> float | None:
        """Return `seconds`, or what is left of the call when that is less; `None` is no bound.

        Raises:
            TimeoutError: The call is over.
        """
        if self.ends is None:
            return seconds
        left = self.ends - monotonic()
        if left <= 0:
            raise TimeoutError
        return left if seconds is None else min(seconds, left)


class _Address(NamedTuple):
    """A URL as a request needs it."""

    origin: Origin
    target: bytes
    """Path and query, as they go on the request line."""
    host_header: bytes


class Outgoing(NamedTuple):
    """A request as the sockets need it."""

    origin: Origin
    method: str
    pieces: tuple[bytes, ...]
    waits: Waits

    @classmethod
    def plain(cls, request: HttpRequest, ends: float | None = None) -> Outgoing:
        """Serialise a request of the engine.

        Args:
            request: What the engine sends.
            ends: When the call is over; see `Waits.ends`.

        Raises:
            ConfigurationError: A header cannot be sent.
            httpx.InvalidURL: The URL is none.
            httpx.UnsupportedProtocol: The scheme is neither http nor https.
            httpx.LocalProtocolError: A part of it cannot go into an HTTP message.
        """
        address = _address(request.url)
        body = request.body or b""
        given = [
            (name.encode("latin-1", "replace"), value.encode("ascii"))
            for name, value in complete_headers(request)
        ]
        names = {name.lower() for name, _ in given}
        headers = [] if b"host" in names else [(b"Host", address.host_header)]
        has_body = request.body is not None or request.method in ("POST", "PUT", "PATCH")
        if has_body and b"content-length" not in names:
            headers.append((b"Content-Length", b"%d" % len(body)))
        if b"transfer-encoding" in names:  # the body is whole, and has its length
            given = [field for field in given if field[0].lower() != b"transfer-encoding"]
        waits = Waits.of(request.timeouts, ends)
        return cls._framed(address, request.method, headers + given, body, waits)

    @classmethod
    def of(cls, request: httpx.Request, body: bytes) -> Outgoing:
        """Serialise an httpx request whose body has been read.

        Raises:
            httpx.UnsupportedProtocol: The scheme is neither http nor https.
            httpx.LocalProtocolError: A part of it cannot go into an HTTP message.
        """
        headers = request.headers.raw
        if "transfer-encoding" in request.headers:
            # The whole body is at hand: a length is plainer than chunks.
            headers = [field for field in headers if field[0].lower() != b"transfer-encoding"]
            headers.append((b"Content-Length", b"%d" % len(body)))
        waits = Waits.of_extension(request.extensions.get("timeout", {}))
        return cls._framed(_taken_apart(request.url), request.method, headers, body, waits)

    @classmethod
    def _framed(
        cls,
        address: _Address,
        method: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        waits: Waits,
    ) -> Outgoing:
        try:
            head = request_bytes(method.encode("ascii"), address.target, headers)
        except (FramingError, UnicodeEncodeError) as error:
            from llm_client.engine.transport.httpx_import import httpx

            raise httpx.LocalProtocolError(str(error)) from None
        pieces = (head + body,) if len(body) < SINGLE_SEND_BYTES else (head, body)
        return cls(address.origin, method, pieces, waits)


def complete_headers(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the headers of a request with those that every request has.

    Raises:
        ConfigurationError: A header cannot be sent. Its value is not shown.
    """
    headers = list(request.headers)
    names = {name.lower() for name, _ in headers}
    for name, value in headers:
        if not (value.isascii() and value.replace("\t", "").isprintable()):
            raise ConfigurationError(
                f"The header {name!r} has a character that HTTP does not allow.",
                hint="A line break or a letter outside ASCII in a key is the usual reason: "
                "set the key again.",
            )
    if "user-agent" not in names:
        headers.append(("User-Agent", USER_AGENT))
    if "accept-encoding" not in names:
        # Compressed streams arrive in bursts, and unpacking costs more than loopback bytes.
        headers.append(("Accept-Encoding", "identity"))
    if "@" in request.url and "authorization" not in names:
        headers += _basic_authorization(request.url)
    return headers


def header_mapping(head: ResponseHead) -> dict[str, str]:
    """Return an answer's headers by lower-case name, repeated ones joined with `, `."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name = raw_name.decode("ascii").lower()
        try:
            value = raw_value.decode("utf-8")
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


@lru_cache(maxsize=64)
def _address(url: str) -> _Address:
    plain = _PLAIN_URL.fullmatch(url)
    if plain is not None:
        scheme, host, port = plain["scheme"], plain["host"], int(plain["port"] or 0)
        if port <= 65535 and not _is_bad_ip(host):
            default = _DEFAULT_PORTS[scheme]
            shown = host if port in (0, default) else f"{host}:{port}"
            origin = Origin(scheme == "https", host.encode("ascii"), port or default)
            return _Address(origin, (plain["path"] or "/").encode("ascii"), shown.encode("ascii"))
    from llm_client.engine.transport.httpx_import import httpx

    return _taken_apart(httpx.URL(url))


def _is_bad_ip(host: str) -> bool:
    """Tell whether a host ends like an IPv4 address without being one."""
    if not host.rpartition(".")[2].isdigit():
        return False
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return True
    return False


def _taken_apart(url: httpx.URL) -> _Address:
    scheme = url.scheme
    if scheme not in ("http", "https") or not url.raw_host:
        from llm_client.engine.transport.httpx_import import httpx

        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"unknown scheme {scheme!r}")
        raise httpx.UnsupportedProtocol("the URL has no host")
    origin = Origin(scheme == "https", url.raw_host, url.port or _DEFAULT_PORTS[scheme])
    return _Address(origin, url.raw_path, url.netloc)


def _basic_authorization(url: str) -> list[tuple[str, str]]:
    """Return the credentials that a URL carries (`https://user:password@host`), as a header."""
    parts = urlsplit(url)
    if parts.username is None:
        return []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [("Authorization", "Basic " + b64encode(pair.encode()).decode("ascii"))]


def response_of(
    head: ResponseHead, stream: httpx.SyncByteStream | httpx.AsyncByteStream
) -> httpx.Response:
    """Wrap an answer's head and the stream of its body as httpx does."""
    from llm_client.engine.transport.httpx_import import httpx

    return httpx.Response(
        head.status,
        headers=head.headers,
        stream=stream,
        extensions={"http_version": head.http_version, "reason_phrase": head.reason},
    )

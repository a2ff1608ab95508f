"""What goes through httpx itself: proxies, a caller's own client, runtimes, compressed answers.

Owns the httpx form of a request and of an answer. Imported only when one of these is met: plain
sockets do without httpx.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import lru_cache
from typing import TypeVar, cast

from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.outgoing import Waits, complete_headers
from llm_client.engine.transport.tls import build_ssl_context
from llm_client.exceptions import ConfigurationError
from llm_client.types.http import Head, HttpRequest, Timeouts

__all__ = [
    "AsyncHttpxAnswer",
    "HttpxAnswer",
    "async_decoded",
    "async_proxied",
    "decoded",
    "sync_proxied",
    "through_client",
    "to_httpx",
]

_parse_url = lru_cache(maxsize=64)(httpx.URL)

T = TypeVar("T")


class _Answer:
    """What both kinds of answer show of a response."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers.items())
        self.limit: Callable[[float | None], None] | None = getattr(response.stream, "limit", None)
        self._response = response


class HttpxAnswer(_Answer):
    """An httpx response as an answer of the engine, raw."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(cast("httpx.SyncByteStream", self._response.stream))

    def close(self) -> None:
        """Close the response."""
        self._response.close()


class AsyncHttpxAnswer(_Answer):
    """The same for asyncio."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(cast("httpx.AsyncByteStream", self._response.stream))

    async def aclose(self) -> None:
        """Close the response."""
        await self._response.aclose()


class _Body(httpx.SyncByteStream):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._pieces)


def decoded(head: Head, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Return the body of a compressed answer, unpacked as it comes."""
    return _response(head, _Body(pieces)).iter_bytes()


def async_decoded(head: Head, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """`decoded` for asyncio."""
    return _response(head, _AsyncBody(pieces)).aiter_bytes()


def _response(head: Head, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    # httpx wants a request on a response that it decodes: one without headers.
    request = httpx.Request("GET", "http://answer.invalid")
    return httpx.Response(head.status, headers=head.headers, stream=stream, request=request)


def to_httpx(
    request: HttpRequest, ends: float | None = None, *, one_wait: bool = False
) -> httpx.Request:
    """Return the httpx form of a request.

    Args:
        request: What the engine sends.
        ends: When the call is over; see `Waits.ends`.
        one_wait: Whether the transport knows only httpx's read timeout: it then gets the longer of
            `first_byte` and `silence`.

    Raises:
        ConfigurationError: A header cannot be sent. Its value is not shown.
        TimeoutError: The call is over.
    """
    return httpx.Request(
        request.method,
        _parse_url(request.url),
        headers=complete_headers(request),
        content=request.body,
        extensions={"timeout": _timeout(request.timeouts, ends, one_wait=one_wait)},
    )


def through_client(
    client: httpx.Client | httpx.AsyncClient, request: HttpRequest, ends: float | None = None
) -> httpx.Request:
    """Return the request as a caller's own client sends it, with that client's headers beneath."""
    if client.is_closed:
        raise ConfigurationError("The `http_client` that was passed in is closed.")
    prepared = to_httpx(request, ends, one_wait=True)
    return client.build_request(
        prepared.method,
        prepared.url,
        headers=prepared.headers,
        content=request.body,
        extensions=prepared.extensions,
    )


def _timeout(timeouts: Timeouts, ends: float | None, *, one_wait: bool) -> dict[str, float | None]:
    """Return httpx's `timeout` extension with our `first_byte` and `ends` in it."""
    waits = Waits.of(timeouts, ends)
    return {
        "connect": waits.within(waits.connect),
        "read": waits.within(timeouts.longest_read() if one_wait else waits.silence),
        "write": waits.within(waits.write),
        "pool": waits.within(None),
        "first_byte": waits.first_byte,
        "ends": ends,
    }


def sync_proxied(proxy: str, verify: bool | str) -> httpx.HTTPTransport:
    """Make httpx's own transport for a proxy.

    Raises:
        ConfigurationError: The proxy cannot be used.
    """
    return _proxied(httpx.HTTPTransport, proxy, verify)


def async_proxied(proxy: str, verify: bool | str) -> httpx.AsyncHTTPTransport:
    """`sync_proxied` for asyncio."""
    return _proxied(httpx.AsyncHTTPTransport, proxy, verify)


def _proxied(transport: Callable[..., T], proxy: str, verify: bool | str) -> T:
    """Make httpx's own transport for a proxy: the rare path that needs httpcore.

    Raises:
        ConfigurationError: The proxy cannot be used.
    """
    shown = proxy.rpartition("@")[2]
    try:
        return transport(
            verify=build_ssl_context(verify),
            proxy=httpx.Proxy(proxy),
            # The queue is before the pool; this bound only must not be the lower one.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
        )
    except ImportError:
        problem, hint = "SOCKS support is not installed", "Run `pip install 'httpx[socks]'`."
    except (ValueError, httpx.InvalidURL):
        problem, hint = "it is not the URL of a proxy", "Use a URL such as `http://proxy:3128`."
    raise ConfigurationError(f"Cannot use the proxy {shown!r}: {problem}.", hint=hint)

"""The transports behind one `SyncTransport`, and what the asyncio side shares with it.

Owns the choice of a transport for a URL and the httpx form of a request. Imported by the first
request, so it may import httpx.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from llm_client._version import __version__
from llm_client.engine.transport.failures import FAILURES, explain
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.pool import Gate
from llm_client.engine.transport.proxies import Proxies, proxies_apply
from llm_client.engine.transport.sync_sockets import SocketTransport
from llm_client.exceptions import ConfigurationError, LLMError
from llm_client.types.http import Head, HttpRequest, Timeouts

__all__ = [
    "SyncSession",
    "configured_proxies",
    "head_of",
    "is_encoded",
    "proxied",
    "runtime",
    "through_client",
    "to_httpx",
]

RUNTIMES: dict[str, tuple[str, str]] = {
    "gguf": (
        "llm_client.runtimes.gguf:GGUFTransport",
        "llm_client.runtimes.gguf:AsyncGGUFTransport",
    ),
}
"""In-process models by URL scheme: the httpx transport that runs them, sync and async."""

USER_AGENT = f"llm_client/{__version__}"

_parse_url = lru_cache(maxsize=64)(httpx.URL)

T = TypeVar("T")


class SyncSession:
    """The open transports of one process."""

    def __init__(
        self, *, verify: bool | str, max_connections: int, client: httpx.Client | None
    ) -> None:
        self.gate = Gate(max_connections)
        self._verify = verify
        self._client = client
        self._sockets = SocketTransport(verify=verify, max_idle=max_connections)
        self._others: dict[str, httpx.BaseTransport] = {}
        self._proxies = configured_proxies()

    def send(self, request: HttpRequest) -> httpx.Response:
        """Send one request, following nothing, and return its answer at the head.

        Raises:
            LLMError: It failed; the error carries no request.
        """
        failure: LLMError
        proxy: str | None = None
        try:
            scheme = request.url.partition("://")[0]
            if scheme in RUNTIMES:
                transport = self._other(scheme, partial(runtime, scheme, asynchronous=False))
                return transport.handle_request(to_httpx(request))
            if self._client is not None:
                return self._client.send(
                    through_client(self._client, request), stream=True, follow_redirects=False
                )
            if self._proxies is not None:
                proxy = self._proxies.proxy_for(request.url)
            if proxy is None:
                return self._sockets.handle_request(to_httpx(request))
            make = partial(proxied, httpx.HTTPTransport, proxy, self._verify)
            transport = self._other(proxy, make)
            return transport.handle_request(to_httpx(request, one_wait=True))
        except FAILURES as error:
            failure = explain(error, request.url, request.timeouts, answering=False, proxy=proxy)
        raise failure

    def close(self) -> None:
        """Close everything that was opened here; a caller's own client stays as it is."""
        self._sockets.close()
        while self._others:
            self._others.popitem()[1].close()

    def _other(self, key: str, make: Callable[[], httpx.BaseTransport]) -> httpx.BaseTransport:
        transport = self._others.get(key)
        if transport is None:
            transport = self._others.setdefault(key, make())
        return transport


def to_httpx(request: HttpRequest, *, one_wait: bool = False) -> httpx.Request:
    """Return the httpx form of a request.

    Args:
        request: What the engine sends.
        one_wait: Whether the transport knows only httpx's read timeout: it then gets the longer of
            `first_byte` and `silence`, because a slow start is normal and must not be cut.

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
    return httpx.Request(
        request.method,
        _parse_url(request.url),
        headers=headers,
        content=request.body,
        extensions={"timeout": _timeout(request.timeouts, one_wait=one_wait)},
    )


def through_client(client: httpx.Client | httpx.AsyncClient, request: HttpRequest) -> httpx.Request:
    """Return the request as a caller's own client sends it, with that client's headers beneath."""
    if client.is_closed:
        raise ConfigurationError("The `http_client` that was passed in is closed.")
    prepared = to_httpx(request, one_wait=True)
    return client.build_request(
        prepared.method,
        prepared.url,
        headers=prepared.headers,
        content=request.body,
        extensions=prepared.extensions,
    )


def _timeout(timeouts: Timeouts, *, one_wait: bool) -> dict[str, float | None]:
    """Return httpx's `timeout` extension with our `first_byte` in it."""
    first_byte, silence = timeouts.first_byte, timeouts.silence
    read = silence
    if one_wait:
        read = None if first_byte is None or silence is None else max(first_byte, silence)
    return {
        "connect": timeouts.connect,
        "read": read,
        "write": silence,
        "pool": None,
        "first_byte": first_byte,
    }


def _basic_authorization(url: str) -> list[tuple[str, str]]:
    """Return the credentials that a URL carries (`https://user:password@host`), as a header."""
    parts = urlsplit(url)
    if parts.username is None:
        return []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [("Authorization", "Basic " + b64encode(pair.encode()).decode("ascii"))]


def configured_proxies() -> Proxies | None:
    """Return the proxy settings, `None` when there are none to look at."""
    return Proxies() if proxies_apply() else None


def proxied(transport: Callable[..., T], proxy: str, verify: bool | str) -> T:
    """Make httpx's own transport for a proxy: the rare path that needs httpcore.

    Raises:
        ConfigurationError: The proxy cannot be used.
    """
    from llm_client.engine.transport.tls import build_ssl_context

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


def runtime(scheme: str, *, asynchronous: bool) -> Any:
    """Make the transport of an in-process runtime, importing it now."""
    module, _, attribute = RUNTIMES[scheme][asynchronous].partition(":")
    return getattr(import_module(module), attribute)()


def head_of(response: httpx.Response, url: str) -> Head:
    """Return status and headers in the engine's form."""
    return Head(status=response.status_code, headers=dict(response.headers.items()), url=url)


def is_encoded(head: Head) -> bool:
    """Tell whether the body is compressed, although we asked for it plain."""
    return head.headers.get("content-encoding", "identity").lower() != "identity"

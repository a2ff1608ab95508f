"""The transports behind one `SyncTransport`, and what the asyncio side shares with it.

Owns the choice of a transport for a URL. Plain sockets need no httpx, and it takes 40 ms to import:
what goes through it is `httpx_form`'s, imported by the first request that does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from llm_client.engine.transport.outgoing import Outgoing
from llm_client.engine.transport.pool import Gate
from llm_client.engine.transport.proxies import Proxies, proxies_apply
from llm_client.engine.transport.sync_sockets import SocketTransport
from llm_client.types.http import HttpRequest

if TYPE_CHECKING:
    import httpx

    from llm_client.engine.transport.answers import SyncAnswer

__all__ = ["RUNTIMES", "SyncSession", "configured_proxies", "runtime"]

RUNTIMES: dict[str, tuple[str, str]] = {
    "gguf": (
        "llm_client.runtimes.gguf:GGUFTransport",
        "llm_client.runtimes.gguf:AsyncGGUFTransport",
    ),
    "mlx": (
        "llm_client.runtimes.mlx:MLXTransport",
        "llm_client.runtimes.mlx:AsyncMLXTransport",
    ),
}
"""In-process models by URL scheme: the httpx transport that runs them, sync and async."""


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

    def send(self, request: HttpRequest, ends: float | None = None) -> SyncAnswer:
        """Send one request, following nothing, and return its answer at the head.

        Args:
            request: What the engine sends.
            ends: When the call is over; see `Waits.ends`.

        Raises:
            LLMError: It failed; the error carries no request.
        """
        proxy: str | None = None
        try:
            scheme = request.url.partition("://")[0]
            direct = scheme not in RUNTIMES and self._client is None
            if direct and self._proxies is not None:
                proxy = self._proxies.proxy_for(request.url)
            if direct and proxy is None:
                return self._sockets.send(Outgoing.plain(request, ends))
            return self._send_by_httpx(request, scheme, proxy, ends)
        except Exception as error:
            from llm_client.engine.transport.failures import FAILURES, explain

            if not isinstance(error, FAILURES):
                raise
            one_wait = proxy is not None or (self._client is not None and scheme not in RUNTIMES)
            failure = explain(
                error,
                request.url,
                request.timeouts,
                answering=False,
                one_wait=one_wait,
                ends=ends,
                proxy=proxy,
            )
        raise failure

    def _send_by_httpx(
        self, request: HttpRequest, scheme: str, proxy: str | None, ends: float | None
    ) -> SyncAnswer:
        from llm_client.engine.transport import httpx_form

        if scheme in RUNTIMES:
            transport = self._other(scheme, partial(runtime, scheme, asynchronous=False))
            response = transport.handle_request(httpx_form.to_httpx(request, ends))
        elif self._client is not None:
            prepared = httpx_form.through_client(self._client, request, ends)
            response = self._client.send(prepared, stream=True, follow_redirects=False)
        else:
            assert proxy is not None
            make = partial(httpx_form.sync_proxied, proxy, self._verify)
            transport = self._other(proxy, make)
            prepared = httpx_form.to_httpx(request, ends, one_wait=True)
            response = transport.handle_request(prepared)
        return httpx_form.HttpxAnswer(response)

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


def configured_proxies() -> Proxies | None:
    """Return the proxy settings, `None` when there are none to look at."""
    return Proxies() if proxies_apply() else None


def runtime(scheme: str, *, asynchronous: bool) -> Any:
    """Make the transport of an in-process runtime, importing it now."""
    module, _, attribute = RUNTIMES[scheme][asynchronous].partition(":")
    return getattr(import_module(module), attribute)()

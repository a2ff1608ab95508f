"""The transports behind one `AsyncTransport`: the asyncio form of `sessions`.

A session belongs to one event loop. Imported by the first request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from llm_client.engine.transport.async_sockets import AsyncSocketTransport
from llm_client.engine.transport.outgoing import Outgoing
from llm_client.engine.transport.sessions import RUNTIMES, configured_proxies, runtime
from llm_client.types.http import HttpRequest

if TYPE_CHECKING:
    import httpx

    from llm_client.engine.transport.answers import AsyncAnswer

__all__ = ["AsyncGate", "AsyncSession"]


class AsyncGate:
    """Lets at most `limit` tasks of one loop through at a time, in the order of their arrival."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take a place, waiting as long as it takes; whoever takes one must release it."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the place came at the moment of the cancellation: pass it on
            raise

    def release(self) -> None:
        """Give a place back: to the one who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class AsyncSession:
    """The open transports of one event loop."""

    def __init__(
        self, *, verify: bool | str, max_connections: int, client: httpx.AsyncClient | None
    ) -> None:
        self.gate = AsyncGate(max_connections)
        self._verify = verify
        self._client = client
        self._sockets = AsyncSocketTransport(verify=verify, max_idle=max_connections)
        self._others: dict[str, httpx.AsyncBaseTransport] = {}
        self._proxies = configured_proxies()

    async def send(self, request: HttpRequest) -> AsyncAnswer:
        """Send one request, following nothing, and return its answer at the head.

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
                return await self._sockets.send(Outgoing.plain(request))
            return await self._send_by_httpx(request, scheme, proxy)
        except Exception as error:
            from llm_client.engine.transport.failures import FAILURES, explain

            if not isinstance(error, FAILURES):
                raise
            failure = explain(error, request.url, request.timeouts, answering=False, proxy=proxy)
        raise failure

    async def _send_by_httpx(
        self, request: HttpRequest, scheme: str, proxy: str | None
    ) -> AsyncAnswer:
        from llm_client.engine.transport import httpx_form

        if scheme in RUNTIMES:
            transport = self._other(scheme, partial(runtime, scheme, asynchronous=True))
            response = await transport.handle_async_request(httpx_form.to_httpx(request))
        elif self._client is not None:
            prepared = httpx_form.through_client(self._client, request)
            response = await self._client.send(prepared, stream=True, follow_redirects=False)
        else:
            assert proxy is not None
            transport = self._other(proxy, partial(httpx_form.async_proxied, proxy, self._verify))
            prepared = httpx_form.to_httpx(request, one_wait=True)
            response = await transport.handle_async_request(prepared)
        return httpx_form.AsyncHttpxAnswer(response)

    async def close(self) -> None:
        """Close everything that was opened here; a caller's own client stays as it is."""
        self._sockets.close()
        while self._others:
            await self._others.popitem()[1].aclose()

    def abandon(self) -> None:
        """Close what can be closed when the loop is gone: the idle sockets."""
        self._sockets.close()
        self._others.clear()

    def _other(
        self, key: str, make: Callable[[], httpx.AsyncBaseTransport]
    ) -> httpx.AsyncBaseTransport:
        transport = self._others.get(key)
        if transport is None:
            transport = self._others.setdefault(key, make())
        return transport

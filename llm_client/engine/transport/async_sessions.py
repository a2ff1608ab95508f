"""The transports behind one `AsyncTransport`: the asyncio form of `sessions`.

A session belongs to one event loop. Imported by the first request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from llm_client.engine.transport.async_sockets import AsyncSocketTransport
from llm_client.engine.transport.failures import FAILURES, explain
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.sessions import (
    RUNTIMES,
    configured_proxies,
    proxied,
    runtime,
    through_client,
    to_httpx,
)
from llm_client.exceptions import LLMError
from llm_client.types.http import HttpRequest

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

    async def send(self, request: HttpRequest) -> httpx.Response:
        """Send one request, following nothing, and return its answer at the head.

        Raises:
            LLMError: It failed; the error carries no request.
        """
        failure: LLMError
        proxy: str | None = None
        try:
            scheme = request.url.partition("://")[0]
            if scheme in RUNTIMES:
                transport = self._other(scheme, partial(runtime, scheme, asynchronous=True))
                return await transport.handle_async_request(to_httpx(request))
            if self._client is not None:
                return await self._client.send(
                    through_client(self._client, request), stream=True, follow_redirects=False
                )
            if self._proxies is not None:
                proxy = self._proxies.proxy_for(request.url)
            if proxy is None:
                return await self._sockets.handle_async_request(to_httpx(request))
            make = partial(proxied, httpx.AsyncHTTPTransport, proxy, self._verify)
            transport = self._other(proxy, make)
            return await transport.handle_async_request(to_httpx(request, one_wait=True))
        except FAILURES as error:
            failure = explain(error, request.url, request.timeouts, answering=False, proxy=proxy)
        raise failure

    async def close(self) -> None:
        """Close everything that was opened here; a caller's own client stays as it is."""
        self._sockets.close_idle()
        while self._others:
            await self._others.popitem()[1].aclose()

    def abandon(self) -> None:
        """Close what can be closed when the loop is gone: the idle sockets."""
        self._sockets.close_idle()
        self._others.clear()

    def _other(
        self, key: str, make: Callable[[], httpx.AsyncBaseTransport]
    ) -> httpx.AsyncBaseTransport:
        transport = self._others.get(key)
        if transport is None:
            transport = self._others.setdefault(key, make())
        return transport

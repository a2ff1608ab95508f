"""The transports behind one `AsyncTransport`: the asyncio form of `sessions`.

A session belongs to one event loop. Imported by the first request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
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
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def acquire(self, timeout: float | None = None) -> bool:
        """Take a place, or leave the queue after `timeout` seconds; `None` waits for ever.

        Returns:
            Whether there is a place, which then must be released.
        """
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        timer = None if timeout is None else loop.call_later(timeout, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # `release` may have skipped it meanwhile
                    self._waiting.remove(turn)
            elif turn.result():
                self.release()  # the place came at the moment of the cancellation: pass it on
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def release(self) -> None:
        """Give a place back: to the one who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _give_up(self, turn: asyncio.Future[bool]) -> None:
        if not turn.done():
            self._waiting.remove(turn)
            turn.set_result(False)


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

    async def send(self, request: HttpRequest, ends: float | None = None) -> AsyncAnswer:
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
                return await self._sockets.send(Outgoing.plain(request, ends))
            async with asyncio.timeout(None if ends is None else ends - monotonic()):
                return await self._send_by_httpx(request, scheme, proxy, ends)
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

    async def _send_by_httpx(
        self, request: HttpRequest, scheme: str, proxy: str | None, ends: float | None
    ) -> AsyncAnswer:
        from llm_client.engine.transport import httpx_form

        if scheme in RUNTIMES:
            transport = self._other(scheme, partial(runtime, scheme, asynchronous=True))
            response = await transport.handle_async_request(httpx_form.to_httpx(request, ends))
        elif self._client is not None:
            prepared = httpx_form.through_client(self._client, request, ends)
            response = await self._client.send(prepared, stream=True, follow_redirects=False)
        else:
            assert proxy is not None
            transport = self._other(proxy, partial(httpx_form.async_proxied, proxy, self._verify))
            prepared = httpx_form.to_httpx(request, ends, one_wait=True)
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

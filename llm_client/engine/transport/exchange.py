"""What the engine sends requests with: `SyncTransport` and `AsyncTransport`.

Owns one exchange from the engine's request to the end of the answer's body: the queue before the
connections, redirects, and what reading and closing mean. Which transport a URL needs is decided
in `sessions`; failures are worded in `failures`.
It refuses to retry, to keep cookies, and to look into a body. Making a transport imports nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from llm_client.types.http import Head, HttpRequest

if TYPE_CHECKING:
    import asyncio

    import httpx

    from llm_client.engine.transport.answers import AsyncAnswer, SyncAnswer
    from llm_client.engine.transport.async_sessions import AsyncSession
    from llm_client.engine.transport.sessions import SyncSession

__all__ = ["AsyncExchange", "AsyncTransport", "SyncExchange", "SyncTransport"]

DEFAULT_MAX_CONNECTIONS = 100


class SyncExchange:
    """One answer under way: its head, then its body piece by piece. Made by `SyncTransport.open`."""

    def __init__(
        self,
        request: HttpRequest,
        answer: SyncAnswer,
        release: Callable[[], None],
        ends: float | None = None,
    ) -> None:
        self.head: Head = Head(answer.status, answer.headers, request.url)
        """Status and headers; `head.url` is where the answer came from, after redirects."""
        self._request = request
        self._answer = answer
        self._release: Callable[[], None] | None = release
        self._ends = ends
        self._answering = False
        self._complete = False
        self._limit: Callable[[float | None], None] | None = answer.limit
        self._pieces = iter(answer)
        if _is_encoded(self.head):
            from llm_client.engine.transport.httpx_form import decoded

            self._pieces = decoded(self.head, self._pieces)

    def read(self, timeout: float | None = None) -> bytes:
        """Return the next bytes of the body as soon as there are any; `b""` is its complete end.

        Args:
            timeout: Seconds that this read may take even if the request's own waits are longer.
                Behind a proxy or in a caller's own client a read that waits cannot be interrupted:
                it takes as long as the request allows, and what then comes too late is refused.

        Raises:
            ConnectionError: The answer was cut, or is not HTTP, or was closed here.
            TimeoutError: No byte came for longer than the request allows.
        """
        if self._complete:
            return b""
        if self._release is None:
            from llm_client.engine.transport.endings import closed

            raise closed(self._request)
        failure: Exception
        try:
            if self._limit is not None:
                self._limit(timeout)
                piece = self._next_piece()
            else:
                timeout = _shorter(timeout, self._ends)
                started = monotonic()
                piece = self._next_piece()
                # The read could not be interrupted; what comes too late is no success either.
                if timeout is not None and monotonic() - started > timeout:
                    raise TimeoutError
            if piece:
                self._answering = True
                return piece
        except Exception as error:
            from llm_client.engine.transport.endings import explained

            one_wait = self._limit is None
            failure = explained(
                error, self._request, timeout, self._ends, self._answering, one_wait
            )
        else:
            self._complete = True
            self.close()
            return b""
        self.close()
        raise failure

    def _next_piece(self) -> bytes:
        return next(filter(None, self._pieces), b"")

    def close(self) -> None:
        """End the exchange at once; before the end of the body this hangs up. Idempotent."""
        release, self._release = self._release, None
        if release is None:
            return
        try:
            with contextlib.suppress(OSError):
                self._answer.close()
        finally:
            release()


class SyncTransport:
    """Sends requests and returns their answers as they arrive. Safe to share between threads."""

    def __init__(
        self,
        *,
        verify: bool | str = True,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        http_client: httpx.Client | None = None,
    ) -> None:
        """Make a transport; nothing is imported or opened yet.

        Args:
            verify: Whose certificates to trust: `True` (certifi, or `$SSL_CERT_FILE`), `"system"`,
                the path of a CA file or directory, or `False` for anybody's.
            max_connections: How many exchanges may be open at once; more wait in order of arrival.
            http_client: A client of the caller's own that everything but in-process runtimes goes
                through. It is never closed here, and `verify` and proxies are its own.
        """
        self._verify = verify
        self._max_connections = max_connections
        self._client = http_client
        self._sessions: dict[int, SyncSession] = {}

    def open(self, request: HttpRequest) -> SyncExchange:
        """Send a request, follow redirects, and return the answer once its head is here.

        Every exchange that is opened must be closed, or read to its end.

        Raises:
            ConfigurationError: The request cannot be sent as it stands; nothing was.
            ConnectionError: No answer.
            TimeoutError: No answer in time.
        """
        from llm_client.engine.transport.redirects import MAX_REDIRECTS, redirected

        total = request.timeouts.total
        ends = None if total is None else monotonic() + total
        session = self._session()
        if not session.gate.acquire(total):
            from llm_client.engine.transport.endings import no_place

            raise no_place(request, self._max_connections)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                answer = session.send(request, ends)
                try:
                    following = redirected(request, answer.status, answer.headers.get("location"))
                    if following is None:
                        return SyncExchange(request, answer, session.gate.release, ends)
                except BaseException:
                    answer.close()
                    raise
                answer.close()
                request = following
            from llm_client.engine.transport.endings import too_many_redirects

            raise too_many_redirects(request)
        except BaseException:
            session.gate.release()
            raise

    def close(self) -> None:
        """Close the idle connections. Idempotent; the next `open` starts afresh."""
        session = self._sessions.pop(os.getpid(), None)
        if session is not None:
            session.close()

    def _session(self) -> SyncSession:
        """Return this process's session: after a fork the child must not use the parent's."""
        process = os.getpid()
        session = self._sessions.get(process)
        if session is None:
            from llm_client.engine.transport.sessions import SyncSession

            for other in [key for key in self._sessions if key != process]:
                self._sessions.pop(other, None)
            session = self._sessions.setdefault(
                process,
                SyncSession(
                    verify=self._verify,
                    max_connections=self._max_connections,
                    client=self._client,
                ),
            )
        return session


class AsyncExchange:
    """One answer under way, for asyncio. Made by `AsyncTransport.open`."""

    def __init__(
        self,
        request: HttpRequest,
        answer: AsyncAnswer,
        release: Callable[[], None],
        ends: float | None = None,
    ) -> None:
        self.head: Head = Head(answer.status, answer.headers, request.url)
        """Status and headers; `head.url` is where the answer came from, after redirects."""
        self._request = request
        self._answer = answer
        self._release: Callable[[], None] | None = release
        self._ends = ends
        self._answering = False
        self._complete = False
        self._limit: Callable[[float | None], None] | None = answer.limit
        self._pieces = aiter(answer)
        if _is_encoded(self.head):
            from llm_client.engine.transport.httpx_form import async_decoded

            self._pieces = async_decoded(self.head, self._pieces)

    async def read(self, timeout: float | None = None) -> bytes:
        """Return the next bytes of the body as soon as there are any; `b""` is its complete end.

        Args:
            timeout: Seconds that this read may take even if the request's own waits are longer.

        Raises:
            ConnectionError: The answer was cut, or is not HTTP, or was closed here.
            TimeoutError: No byte came for longer than the request allows.
        """
        if self._complete:
            return b""
        if self._release is None:
            from llm_client.engine.transport.endings import closed

            raise closed(self._request)
        failure: Exception
        try:
            if self._limit is not None:
                self._limit(timeout)
                piece = await self._next_piece()
            else:
                import asyncio

                timeout = _shorter(timeout, self._ends)
                async with asyncio.timeout(timeout):
                    piece = await self._next_piece()
            if piece:
                self._answering = True
                return piece
        except Exception as error:
            from llm_client.engine.transport.endings import explained

            one_wait = self._limit is None
            failure = explained(
                error, self._request, timeout, self._ends, self._answering, one_wait
            )
        else:
            self._complete = True
            await self.close()
            return b""
        await self.close()
        raise failure

    async def _next_piece(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    async def close(self) -> None:
        """End the exchange at once; before the end of the body this hangs up. Idempotent."""
        release, self._release = self._release, None
        if release is None:
            return
        try:
            with contextlib.suppress(OSError):
                await self._answer.aclose()
            # A generator left suspended would be finished by the loop, at a time of its choosing.
            finish = getattr(self._pieces, "aclose", None)
            if finish is not None:
                with contextlib.suppress(OSError, RuntimeError):
                    await finish()
        finally:
            release()


class AsyncTransport:
    """`SyncTransport` for asyncio. May be shared between event loops: each has its connections."""

    def __init__(
        self,
        *,
        verify: bool | str = True,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        """Make a transport; nothing is imported or opened yet. Arguments as `SyncTransport`'s.

        `max_connections` counts per event loop.
        """
        self._verify = verify
        self._max_connections = max_connections
        self._client = http_client
        self._sessions: dict[tuple[int, asyncio.AbstractEventLoop], AsyncSession] = {}

    async def open(self, request: HttpRequest) -> AsyncExchange:
        """Send a request, follow redirects, and return the answer once its head is here.

        Every exchange that is opened must be closed, or read to its end.

        Raises:
            ConfigurationError: The request cannot be sent as it stands; nothing was.
            ConnectionError: No answer.
            TimeoutError: No answer in time.
        """
        from llm_client.engine.transport.redirects import MAX_REDIRECTS, redirected

        total = request.timeouts.total
        ends = None if total is None else monotonic() + total
        session = self._session()
        if not await session.gate.acquire(total):
            from llm_client.engine.transport.endings import no_place

            raise no_place(request, self._max_connections)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                answer = await session.send(request, ends)
                try:
                    following = redirected(request, answer.status, answer.headers.get("location"))
                    if following is None:
                        return AsyncExchange(request, answer, session.gate.release, ends)
                except BaseException:
                    await answer.aclose()
                    raise
                await answer.aclose()
                request = following
            from llm_client.engine.transport.endings import too_many_redirects

            raise too_many_redirects(request)
        except BaseException:
            session.gate.release()
            raise

    async def close(self) -> None:
        """Close the idle connections of every loop. Idempotent; the next `open` starts afresh."""
        import asyncio

        own = (os.getpid(), asyncio.get_running_loop())
        while self._sessions:
            key, session = self._sessions.popitem()
            if key == own:
                await session.close()
            else:
                session.abandon()

    def _session(self) -> AsyncSession:
        """Return the session of the running loop; those of closed loops are let go."""
        import asyncio

        own = (os.getpid(), asyncio.get_running_loop())
        session = self._sessions.get(own)
        if session is None:
            from llm_client.engine.transport.async_sessions import AsyncSession

            for key in list(self._sessions):
                if key[0] != own[0] or key[1].is_closed():
                    self._sessions.pop(key).abandon()
            session = self._sessions[own] = AsyncSession(
                verify=self._verify,
                max_connections=self._max_connections,
                client=self._client,
            )
        return session


def _is_encoded(head: Head) -> bool:
    """Tell whether the body is compressed, although we asked for it plain."""
    return head.headers.get("content-encoding", "identity").lower() != "identity"


def _shorter(timeout: float | None, ends: float | None) -> float | None:
    """Return how long a read may take whose transport does not know when the call is over."""
    if ends is None:
        return timeout
    left = max(0.0, ends - monotonic())
    return left if timeout is None else min(timeout, left)

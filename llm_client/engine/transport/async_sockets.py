"""HTTP/1.1 over asyncio: the twin of `sync_sockets`.

It drives non-blocking sockets with `loop.sock_recv` and its siblings and runs TLS in memory, rather
than using asyncio's streams: an idle connection then has no ties to a loop, so it can be closed
from anywhere and at any time, and 2,000 requests at once cost a tenth of what httpcore's pool does.
The connections of one transport belong to one event loop; `exchange` sees to that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Self

from llm_client.engine.transport.addresses import (
    Address,
    LookUpTimeout,
    attempt_seconds,
    closing,
    is_readable,
    known_addresses,
    most_telling,
    new_socket,
    parse_addresses,
)
from llm_client.engine.transport.incoming import (
    HARMLESS,
    Incoming,
    StaleConnection,
    failing_as_httpx,
    is_lost,
)
from llm_client.engine.transport.outgoing import Origin, Outgoing, Waits, header_mapping
from llm_client.engine.transport.pool import IDLE_SECONDS, IdlePool
from llm_client.engine.transport.tls import build_ssl_context

__all__ = ["AsyncSocketTransport"]

RECEIVE_BYTES = 64 * 1024
SEND_BYTES = 256 * 1024
"""What one bound on a stall while sending covers."""
GREEDY_BYTES = 32 * 1024
GREEDY_READS = 16
"""How much one task may receive without waiting before the loop's other tasks get their turn."""


class _Connection:
    """One connected non-blocking socket."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._sock = sock
        self._loop = loop
        self._process = os.getpid()
        self._busy = False
        self._closed = False
        self._greed = 0

    async def send(self, pieces: tuple[bytes, ...], waits: Waits) -> None:
        for piece in pieces:
            if len(piece) <= SEND_BYTES:
                await self._send(piece, waits.within(waits.write))
            else:
                view = memoryview(piece)
                for start in range(0, len(piece), SEND_BYTES):
                    part = view[start : start + SEND_BYTES]
                    await self._send(part, waits.within(waits.write))

    async def receive(self, seconds: float | None) -> bytes:
        """Return the next bytes, `b""` at the peer's end."""
        if self._greed < GREEDY_BYTES:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                pass
            else:
                self._greed += max(len(data), GREEDY_BYTES // GREEDY_READS)
                return data
        else:
            await asyncio.sleep(0)
        self._greed = 0
        with self._in_use():
            async with asyncio.timeout(seconds):
                return await self._loop.sock_recv(self._sock, RECEIVE_BYTES)

    def is_stale(self) -> bool:
        return is_readable(self._sock)

    def close(self) -> None:
        self._closed = True
        if self._process == os.getpid():
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        if not self._busy:  # else the task that waits on it is woken by the shutdown and closes it
            self._sock.close()

    async def _send(self, data: bytes | memoryview, stall_seconds: float | None) -> None:
        with self._in_use():
            async with asyncio.timeout(stall_seconds):
                await self._loop.sock_sendall(self._sock, data)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the socket open while the loop watches it: its number must not be reused."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            if self._closed:
                self._sock.close()


class _SecureConnection(_Connection):
    """The same with TLS, which runs in memory between the socket and the reader."""

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        server_hostname: str,
    ) -> None:
        super().__init__(sock, loop)
        self._from_peer = ssl.MemoryBIO()
        self._to_peer = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._from_peer, self._to_peer, server_hostname=server_hostname
        )

    async def handshake(self) -> None:
        """Agree on keys and check the certificate; the caller bounds the time."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(None)
                await self._fill(None)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush(None)  # tell the peer why
                raise
            else:
                await self._flush(None)
                return

    async def send(self, pieces: tuple[bytes, ...], waits: Waits) -> None:
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(piece), SEND_BYTES):
                self._tls.write(view[start : start + SEND_BYTES])
                await self._flush(waits.within(waits.write))

    async def receive(self, seconds: float | None) -> bytes:
        while True:
            try:
                return self._tls.read(RECEIVE_BYTES)
            except ssl.SSLWantReadError:
                await self._flush(seconds)
                await self._fill(seconds)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # Many servers hang up without TLS's own goodbye; framing tells whether it is a cut.
                return b""

    def is_stale(self) -> bool:
        return bool(self._from_peer.pending or self._tls.pending()) or super().is_stale()

    async def _flush(self, seconds: float | None) -> None:
        if self._to_peer.pending:
            await self._send(self._to_peer.read(), seconds)

    async def _fill(self, seconds: float | None) -> None:
        data = await super().receive(seconds)
        if data:
            self._from_peer.write(data)
        else:
            self._from_peer.write_eof()


class _Answer:
    """An answer under way: sends the request, reads the head, then streams the body."""

    def __init__(
        self, pool: IdlePool[_Connection], outgoing: Outgoing, connection: _Connection
    ) -> None:
        self._pool = pool
        self._outgoing = outgoing
        self._connection: _Connection | None = connection
        self._incoming = Incoming(outgoing.method, outgoing.waits)
        self._first = b""
        self.reader = self._incoming.reader
        self.status = 0
        self.headers: Mapping[str, str] = {}

    async def begin(self) -> Self:
        """Send the request and wait for the head of its answer."""
        connection = self._live()
        with failing_as_httpx(self._close):
            try:
                await connection.send(self._outgoing.pieces, self._outgoing.waits)
            except TimeoutError:
                from llm_client.engine.transport.httpx_import import httpx

                raise httpx.WriteTimeout("the request could not be sent in time") from None
            except ConnectionError:
                pass  # the peer hung up, but may have said why (400, 413) before it did
            self._incoming.request_sent()
            while self.reader.head is None:
                self._first = await self._receive()
            self._release_if_complete()
        self.status = self.reader.head.status
        self.headers = header_mapping(self.reader.head)
        return self

    # Not a generator: one that is left suspended would be closed by the loop, later.
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece, self._first = self._first, b""
        if piece:
            return piece
        with failing_as_httpx(self._close):
            while not self.reader.complete:
                piece = await self._receive()
                self._release_if_complete()
                if piece:
                    return piece
        raise StopAsyncIteration

    def limit(self, seconds: float | None) -> None:
        """Bound the next piece by `seconds` from now; see `exchange`."""
        self._incoming.limit(seconds)

    async def aclose(self) -> None:
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _receive(self) -> bytes:
        return self._incoming.take(await self._live().receive(self._incoming.patience()))

    def _live(self) -> _Connection:
        if self._connection is None:
            from llm_client.engine.transport.httpx_import import httpx

            raise httpx.StreamClosed
        return self._connection

    def _release_if_complete(self) -> None:
        """Give the connection back as soon as the answer is whole, read or not."""
        if not self.reader.complete:
            return
        connection, self._connection = self._connection, None
        if connection is not None and self.reader.reusable:
            self._pool.put(self._outgoing.origin, connection, monotonic())
        elif connection is not None:
            connection.close()


class AsyncSocketTransport:
    """Sends requests over plain sockets, for one event loop."""

    def __init__(
        self,
        *,
        verify: bool | str = True,
        max_idle: int = 100,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Make a transport; nothing is opened yet.

        Args:
            verify: See `tls.build_ssl_context`.
            max_idle: How many idle connections to keep.
            idle_seconds: How long to keep each.
        """
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._pool: IdlePool[_Connection] = IdlePool(max_idle=max_idle, idle_seconds=idle_seconds)

    async def send(self, outgoing: Outgoing) -> _Answer:
        """Send a request and return its answer once the head is here; the body streams."""
        connection = self._pool.take(outgoing.origin, monotonic())
        if connection is not None:
            answer = _Answer(self._pool, outgoing, connection)
            try:
                return await answer.begin()
            except Exception as error:
                # Nothing of an answer came on a reused connection: the server had closed it
                # while it was idle (llama.cpp does after every stream, seen 2026-10).
                if answer.reader.started or not is_lost(error):
                    raise
                self._pool.drop(outgoing.origin)  # the others are as old
                if outgoing.method not in HARMLESS:
                    raise StaleConnection(str(error)) from None
        connection = await self._connect(outgoing.origin, outgoing.waits)
        return await _Answer(self._pool, outgoing, connection).begin()

    def close(self) -> None:
        """Close the idle connections; the transport stays usable. Needs no running loop."""
        self._pool.close()

    async def _connect(self, origin: Origin, waits: Waits) -> _Connection:
        loop = asyncio.get_running_loop()
        # Before the clock starts: loading certificates is this machine's time, not the server's.
        context = self._ssl_context() if origin.tls else None
        try:
            seconds = waits.within(waits.connect)
            deadline = None if seconds is None else loop.time() + seconds
            addresses = await _look_up(loop, origin, deadline)
            async with asyncio.timeout_at(deadline):
                sock = await _connect_first(loop, addresses, deadline)
                with closing(sock):
                    if context is None:
                        return _Connection(sock, loop)
                    secured = _SecureConnection(sock, loop, context, origin.host.decode("ascii"))
                    await secured.handshake()
                    return secured
        except OSError as error:
            from llm_client.engine.transport.httpx_import import httpx

            if isinstance(error, TimeoutError):
                raise httpx.ConnectTimeout("no connection in time") from error
            raise httpx.ConnectError(str(error)) from error

    def _ssl_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = build_ssl_context(self._verify)
        return self._context


async def _look_up(
    loop: asyncio.AbstractEventLoop, origin: Origin, deadline: float | None
) -> list[Address]:
    """Return the addresses of a host; `deadline` is in the loop's time.

    Raises:
        LookUpTimeout: The system did not answer in time.
    """
    known = known_addresses(origin.host, origin.port)
    if known is not None:
        return known
    # Bytes keep Python from importing its IDNA codec: `Outgoing` has encoded the name already.
    try:
        async with asyncio.timeout_at(deadline):
            return parse_addresses(
                await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            )
    except TimeoutError:
        raise LookUpTimeout from None


async def _connect_first(
    loop: asyncio.AbstractEventLoop, addresses: list[Address], deadline: float | None
) -> socket.socket:
    """Connect to the first address that answers; `deadline` is in the loop's time."""
    errors: list[OSError] = []
    for index, address in enumerate(addresses):
        remaining = None if deadline is None else deadline - loop.time()
        try:
            sock = new_socket(address.family)
            with closing(sock):
                sock.setblocking(False)
                async with asyncio.timeout(attempt_seconds(remaining, len(addresses) - index)):
                    await loop.sock_connect(sock, address.sockaddr)
        except OSError as error:
            errors.append(error)
        else:
            return sock
    raise most_telling(errors)

"""HTTP/1.1 over blocking sockets.

It exists because httpcore's connection pool rescans every connection for every request, and
because importing httpx takes 40 ms at start: here only its exceptions are used, as the words for
failures, and they are imported by the first failure. It owns blocking sockets and their reuse; framing is `http1`, trust is `tls`.
It refuses proxies, HTTP/2 and upgrades, and does not bound how many requests run at once:
`exchange` queues them before they come here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Self

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

if TYPE_CHECKING:
    import ssl

__all__ = ["SocketTransport"]

RECEIVE_BYTES = 64 * 1024


class _Connection:
    """One connected socket, with or without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._process = os.getpid()

    def send(self, pieces: tuple[bytes, ...], waits: Waits) -> None:
        for piece in pieces:
            self._sock.settimeout(waits.within(waits.write))
            sent = self._sock.send(piece)
            if sent < len(piece):
                view = memoryview(piece)
                while sent < len(piece):
                    self._sock.settimeout(waits.within(waits.write))
                    sent += self._sock.send(view[sent:])

    def receive(self, seconds: float | None) -> bytes:
        self._sock.settimeout(seconds)
        return self._sock.recv(RECEIVE_BYTES)

    def is_stale(self) -> bool:
        return is_readable(self._sock)

    def close(self) -> None:
        # The shutdown tells the peer even when a forked child holds the socket too, and wakes a
        # thread that is reading; in such a child it would end the parent's connection.
        if self._process == os.getpid():
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


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

    def begin(self) -> Self:
        """Send the request and wait for the head of its answer."""
        connection = self._live()
        with failing_as_httpx(self.close):
            try:
                connection.send(self._outgoing.pieces, self._outgoing.waits)
            except TimeoutError:
                from llm_client.engine.transport.httpx_import import httpx

                raise httpx.WriteTimeout("the request could not be sent in time") from None
            except ConnectionError:
                pass  # the peer hung up, but may have said why (400, 413) before it did
            self._incoming.request_sent()
            while self.reader.head is None:
                self._first = self._receive()
            self._release_if_complete()
        self.status = self.reader.head.status
        self.headers = header_mapping(self.reader.head)
        return self

    def __iter__(self) -> Iterator[bytes]:
        with failing_as_httpx(self.close):
            piece, self._first = self._first, b""
            while not self.reader.complete:
                if piece:
                    yield piece
                piece = self._receive()
                self._release_if_complete()
        if piece:
            yield piece

    def limit(self, seconds: float | None) -> None:
        """Bound the next piece by `seconds` from now; see `exchange`."""
        self._incoming.limit(seconds)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _receive(self) -> bytes:
        return self._incoming.take(self._live().receive(self._incoming.patience()))

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


class SocketTransport:
    """Sends requests over plain sockets. Safe to use from several threads and after a fork."""

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
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._context: ssl.SSLContext | None = None
        self._process = os.getpid()
        self._pool = self._new_pool()

    def send(self, outgoing: Outgoing) -> _Answer:
        """Send a request and return its answer once the head is here; the body streams."""
        pool = self._own_pool()
        connection = pool.take(outgoing.origin, monotonic())
        if connection is not None:
            answer = _Answer(pool, outgoing, connection)
            try:
                return answer.begin()
            except Exception as error:
                # Nothing of an answer came on a reused connection: the server had closed it
                # while it was idle (llama.cpp does after every stream, seen 2026-10).
                if answer.reader.started or not is_lost(error):
                    raise
                pool.drop(outgoing.origin)  # the others are as old
                if outgoing.method not in HARMLESS:
                    raise StaleConnection(str(error)) from None
        connection = self._connect(outgoing.origin, outgoing.waits)
        return _Answer(pool, outgoing, connection).begin()

    def close(self) -> None:
        """Close the idle connections; the transport stays usable."""
        self._own_pool().close()

    def _new_pool(self) -> IdlePool[_Connection]:
        return IdlePool(max_idle=self._max_idle, idle_seconds=self._idle_seconds)

    def _own_pool(self) -> IdlePool[_Connection]:
        """Return this process's pool: connections made before a fork belong to the parent."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._pool = self._new_pool()
        return self._pool

    def _connect(self, origin: Origin, waits: Waits) -> _Connection:
        try:
            seconds = waits.within(waits.connect)
            deadline = None if seconds is None else monotonic() + seconds
            sock = _connect_first(_look_up(origin, seconds), deadline)
            if origin.tls:
                sock = self._secure(sock, origin, deadline)
        except OSError as error:
            from llm_client.engine.transport.httpx_import import httpx

            if isinstance(error, TimeoutError):
                raise httpx.ConnectTimeout("no connection in time") from error
            raise httpx.ConnectError(str(error)) from error
        return _Connection(sock)

    def _secure(self, sock: socket.socket, origin: Origin, deadline: float | None) -> ssl.SSLSocket:
        with closing(sock):
            secured = self._ssl_context().wrap_socket(
                sock,
                server_hostname=origin.host.decode("ascii"),
                do_handshake_on_connect=False,
            )
        with closing(secured):
            secured.settimeout(_remaining(deadline))
            secured.do_handshake()
        return secured

    def _ssl_context(self) -> ssl.SSLContext:
        if self._context is None:
            from llm_client.engine.transport.tls import build_ssl_context

            self._context = build_ssl_context(self._verify)
        return self._context


def _look_up(origin: Origin, seconds: float | None) -> list[Address]:
    """Return the addresses of a host.

    Raises:
        LookUpTimeout: The system did not answer in `seconds`.
    """
    known = known_addresses(origin.host, origin.port)
    if known is not None:
        return known
    if seconds is None:
        return _ask_system(origin)
    outcome: list[list[Address] | Exception] = []

    def ask() -> None:
        try:
            outcome.append(_ask_system(origin))
        except Exception as error:
            outcome.append(error)

    # The system's resolver takes no limit (15 s and more when its servers are silent) and cannot
    # be interrupted: a thread is left behind with it when the time is over.
    thread = threading.Thread(target=ask, name="llm_client-look-up", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python starts no threads while it shuts down
        return _ask_system(origin)
    thread.join(seconds)
    if not outcome:
        raise LookUpTimeout
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _ask_system(origin: Origin) -> list[Address]:
    # Bytes keep Python from importing its IDNA codec: `Outgoing` has encoded the name already.
    return parse_addresses(socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM))


def _connect_first(addresses: list[Address], deadline: float | None) -> socket.socket:
    """Connect to the first address that answers."""
    errors: list[OSError] = []
    for index, address in enumerate(addresses):
        try:
            sock = new_socket(address.family)
            with closing(sock):
                sock.settimeout(attempt_seconds(_remaining(deadline), len(addresses) - index))
                sock.connect(address.sockaddr)
        except OSError as error:
            errors.append(error)
        else:
            return sock
    raise most_telling(errors)


def _remaining(deadline: float | None) -> float | None:
    """Return the seconds left, never quite none: a socket takes 0 for not waiting at all."""
    return None if deadline is None else max(deadline - monotonic(), 0.001)

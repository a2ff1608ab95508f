"""A web server that misbehaves on command, for every test that needs a network fault.

Owns the faults: a script per request says what the server does with it, from a plain answer to a
torn connection. It listens on loopback only, on a port of the system's choosing, and when the
`with` block ends every thread has ended and every socket is closed.

    with fault_server(status(429, retry_after="2"), respond(body=b"{}")) as server:
        ...                      # the first request is told to wait, all later ones get an answer
        assert server.requests[0].path == "/v1/chat/completions"
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

__all__ = [
    "FaultServer",
    "Piece",
    "Received",
    "Script",
    "Wire",
    "close_before_head",
    "cut_body",
    "cut_head",
    "fault_server",
    "garbage",
    "html",
    "raw",
    "refused_url",
    "reset",
    "respond",
    "say_nothing",
    "status",
]

Piece = bytes | tuple[float, bytes]
"""Bytes to send at once, or after a pause of so many seconds."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    """With the query."""
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes
    connection: int
    """Which connection it came on, counted from 0: equal numbers mean that one was reused."""


@dataclass(slots=True)
class Wire:
    """The server's end of one connection, as a script sees it."""

    sock: socket.socket
    stopping: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the server lives."""
        if self.stopping.wait(seconds):
            raise ConnectionAbortedError

    def wait_for_hang_up(self) -> None:
        """Return when the client closes; bytes that it sends meanwhile are thrown away."""
        while self.sock.recv(4096):
            pass


Script = Callable[[Wire, Received], bool]
"""What to do with one request; returns whether the connection stays open."""


def respond(
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    chunked: bool = False,
    pieces: Sequence[Piece] | None = None,
    delay: float = 0.0,
    version: str = "HTTP/1.1",
    close: bool = False,
) -> Script:
    """Answer.

    Args:
        status: The status code.
        headers: Further headers.
        body: The body; ignored when there are `pieces`.
        chunked: Frame each piece as a chunk instead of sending a length.
        pieces: The body in parts, each with the pause before it.
        delay: Seconds before the head.
        version: `HTTP/1.0` sends no length: the body ends with the connection.
        close: Hang up after the answer WITHOUT announcing it, as llama.cpp does after a stream.
    """
    parts = [body] if pieces is None else list(pieces)

    def script(wire: Wire, request: Received) -> bool:
        lines = [f"{version} {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
        until_close = version == "HTTP/1.0"
        bodyless = status in (204, 304)
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif not until_close and not bodyless:
            size = sum(len(part if isinstance(part, bytes) else part[1]) for part in parts)
            lines.append(f"Content-Length: {size}")
        wire.pause(delay)
        wire.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if request.method != "HEAD" and not bodyless:
            for part in parts:
                pause, data = (0.0, part) if isinstance(part, bytes) else part
                wire.pause(pause)
                if data or not chunked:
                    wire.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if chunked:
                wire.send(b"0\r\n\r\n")
        return not (close or until_close)

    return script


def status(code: int, body: bytes = b"{}", *, retry_after: str | None = None) -> Script:
    """Answer with an error status, and a `Retry-After` in any form."""
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", retry_after))
    return respond(code, headers, body)


def html(code: int = 200) -> Script:
    """Answer with a web page: a captive portal, or a proxy's error page."""
    page = b"<!DOCTYPE html><html><body><h1>Welcome to the hotel</h1></body></html>"
    return respond(code, [("Content-Type", "text/html")], page)


def say_nothing() -> Script:
    """Accept the request and keep silent until the client gives up."""

    def script(wire: Wire, request: Received) -> bool:
        wire.wait_for_hang_up()
        return False

    return script


def close_before_head() -> Script:
    """Hang up instead of answering."""
    return raw(b"")


def cut_head() -> Script:
    """Hang up in the middle of the headers."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Ty")


def cut_body(body: bytes, missing: int = 10, *, chunked: bool = False) -> Script:
    """Send `body` but promise more of it, then hang up.

    Args:
        body: What arrives.
        missing: How many bytes were promised beyond it.
        chunked: Promise them as a chunk rather than by the length of the whole.
    """
    promised = len(body) + missing
    if chunked:
        return raw(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b" % (promised, body)
        )
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (promised, body))


def garbage() -> Script:
    """Answer with bytes that are no HTTP."""
    return raw(b"\x00\xffSSH-2.0-OpenSSH_9.9\r\n\r\n")


def raw(data: bytes) -> Script:
    """Send `data` as it is, then hang up."""

    def script(wire: Wire, request: Received) -> bool:
        wire.send(data)
        return False

    return script


def reset() -> Script:
    """Tear the connection down (a TCP reset rather than an orderly end)."""

    def script(wire: Wire, request: Received) -> bool:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return script


@contextlib.contextmanager
def refused_url() -> Iterator[str]:
    """Hold a port on which nothing listens, so that every connection to it is refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@dataclass
class FaultServer:
    """A running server. Made by `fault_server`."""

    url: str
    """Without a final slash."""
    scripts: Sequence[Script]
    """One per request, in the order of arrival; the last one goes for all that follow."""
    _listener: socket.socket = field(repr=False)
    requests: list[Received] = field(default_factory=list)
    """What arrived so far."""
    connections: int = 0
    """How many connections were accepted so far."""
    _context: ssl.SSLContext | None = field(default=None, repr=False)
    _stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _open: set[socket.socket] = field(default_factory=set, repr=False)
    _threads: list[threading.Thread] = field(default_factory=list, repr=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def open_connections(self) -> int:
        """How many connections neither side has closed, as far as the server knows."""
        with self._lock:
            return len(self._open)

    def start(self) -> None:
        self._spawn(self._accept)

    def stop(self) -> None:
        """Cut every connection and wait for every thread."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # Not every system wakes `accept` by a shutdown; a connection always does.
        with contextlib.suppress(OSError), socket.socket(self._listener.family) as waker:
            waker.settimeout(1)
            waker.connect(self._listener.getsockname())
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} did not end"
        self._listener.close()

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._stopping.is_set():
                    sock.close()
                    return
                self._open.add(sock)
                number = self.connections
                self.connections += 1
            self._spawn(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        plain = sock
        try:
            with contextlib.suppress(OSError):
                if self._context is not None:
                    sock = self._context.wrap_socket(sock, server_side=True)
                    with self._lock:
                        self._open.add(sock)
                self._serve_requests(sock, number)
        finally:
            with self._lock:
                self._open -= {plain, sock}
            sock.close()
            plain.close()

    def _serve_requests(self, sock: socket.socket, number: int) -> None:
        wire = Wire(sock, self._stopping)
        with sock.makefile("rb") as stream:
            while (request := _read_request(stream, number)) is not None:
                with self._lock:
                    script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
                    self.requests.append(request)
                if not script(wire, request):
                    return


def _read_request(stream: BinaryIO, number: int) -> Received | None:
    """Read one request, `None` when the client has hung up."""
    start = stream.readline()
    if not start:
        return None
    words = start.decode("latin-1").split(" ", 2)
    if len(words) != 3:
        return Received("", "", {}, start, number)  # not HTTP: a script may answer all the same
    method, path, _ = words
    headers: dict[str, str] = {}
    for line in stream:
        name, separator, value = line.decode("latin-1").partition(":")
        if not separator:
            break
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body, number)


@contextlib.contextmanager
def fault_server(
    *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[FaultServer]:
    """Run a server that does what `scripts` say, one per request; the last one repeats.

    Args:
        scripts: At least one.
        tls: A server-side context makes it an https server.
        host: `127.0.0.1` or `::1`.
    """
    assert scripts, "a server needs at least one script"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=256)
    shown = f"[{host}]" if ":" in host else host
    scheme = "http" if tls is None else "https"
    server = FaultServer(
        f"{scheme}://{shown}:{listener.getsockname()[1]}",
        scripts,
        listener,
        _context=tls,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()

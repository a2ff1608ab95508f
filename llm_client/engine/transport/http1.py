"""HTTP/1.1 without a socket: a request becomes bytes, bytes become an answer.

Owns the framing of RFC 9112 as a client needs it: `request_bytes` for what goes out and
`ResponseReader` for what comes back. It exists so that the blocking and the asyncio transport share
one reader that is tested without a network, and so that a stream of many small chunks costs about
a microsecond a chunk.

It refuses what it cannot frame with certainty (conflicting lengths, unknown transfer codings, a
head without end) by raising `FramingError`; any other exception is a bug. It does not decode
content, follow redirects, or know about time.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple

__all__ = [
    "MAX_HEAD_BYTES",
    "FramingError",
    "ResponseHead",
    "ResponseReader",
    "request_bytes",
]

MAX_HEAD_BYTES = 64 * 1024
"""Bound on an answer's head and on its trailers: more is a broken or hostile server."""
MAX_CHUNK_LINE_BYTES = 4 * 1024
"""Bound on a chunk's size line with its extensions."""

_CRLF = b"\r\n"
_HTTP = b"HTTP/"
_BLANKS = b" \t"
# Sets of bytes for `_consists_of`: patterns would cost every process start their compilation.
_UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789" + _UPPER + _UPPER.lower()
_HEX = b"0123456789ABCDEFabcdef"
_VISIBLE = bytes({*range(0x21, 0x100)} - {0x7F})
_FIELD_VALUE = _VISIBLE + _BLANKS


class _State(Enum):
    """What the reader waits for next."""

    HEAD = auto()
    SIZED = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    UNTIL_CLOSE = auto()
    DONE = auto()


class FramingError(Exception):
    """The peer's bytes are not an HTTP/1.1 answer, or stop before its end."""


class ResponseHead(NamedTuple):
    """Status line and header fields of an answer, as they came."""

    status: int
    reason: bytes
    http_version: bytes
    """`HTTP/1.0` or `HTTP/1.1`."""
    headers: list[tuple[bytes, bytes]]
    """In the order of the wire, repeated fields included; names keep their case."""


def request_bytes(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request, ready to send.

    Args:
        method: The method.
        target: Path and query as they go on the request line.
        headers: Fields in the order to send; the caller has put `Host` and the length in.

    Raises:
        FramingError: A part has a line break or another control character, which would let its
            value become a header or a request of its own. The message never quotes a value.
    """
    if not (_consists_of(method, _UPPER) and _consists_of(target, _VISIBLE)):
        raise FramingError("the method or the URL has a character that HTTP does not allow")
    parts = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in headers:
        if not _consists_of(name, _TOKEN) or value.translate(None, _FIELD_VALUE):
            raise FramingError(f"header {name!r} has a character that HTTP does not allow")
        parts += (name, b": ", value, _CRLF)
    parts.append(_CRLF)
    return b"".join(parts)


class ResponseReader:
    """Reads one answer from the bytes that `feed` is given.

    Feed it whatever arrives; it returns the body's bytes, joined, without framing. `head` is set
    as soon as the head is whole, `complete` as soon as the body is. When the peer closes, call
    `end_of_stream`.
    """

    def __init__(self, *, request_method: str = "GET") -> None:
        self.head: ResponseHead | None = None
        self.complete = False
        self.started = False
        """Whether any byte of an answer came at all."""
        self.trailing = False
        """Whether bytes came after the end: the connection is out of step."""
        self._bodyless = request_method == "HEAD"
        self._state = _State.HEAD
        self._pending = b""
        self._searched = 0
        self._remaining = 0
        self._received = 0
        self._persistent = False
        self._sizes: dict[bytes, int] = {}

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request after this answer."""
        return self.complete and self._persistent and not self.trailing

    def feed(self, data: bytes) -> bytes:
        """Take the bytes of one receive and return the body bytes among them.

        Raises:
            FramingError: The bytes are not HTTP/1.1, or exceed a bound.
        """
        self.started = self.started or bool(data)
        if self._state is _State.UNTIL_CLOSE:
            self._received += len(data)
            return data
        if self._pending:
            data = self._pending + data
            self._pending = b""
        if self._state is _State.HEAD:
            rest = self._read_heads(data)
            if rest is None:
                return b""
            data = rest
        body = self._read_body(data)
        self._received += len(body)
        return body

    def end_of_stream(self) -> None:
        """Take note that the peer closed.

        Raises:
            FramingError: The answer is not complete.
        """
        if self._state is _State.UNTIL_CLOSE:
            self._finish(b"")
        if self.complete:
            return
        if not self.started:
            raise FramingError("the connection was closed before an answer came")
        if self.head is None:
            raise FramingError("the connection was closed in the middle of the headers")
        if self._state is _State.SIZED:
            expected = self._received + self._remaining
            raise FramingError(
                f"the connection was closed after {self._received} of {expected} bytes"
            )
        raise FramingError(
            f"the connection was closed after {self._received} bytes, before the last chunk"
        )

    # -- head -----------------------------------------------------------------------------------

    def _read_heads(self, data: bytes) -> bytes | None:
        """Read heads up to the final one; return what follows it, `None` when more is needed."""
        while True:
            if not data.startswith(_HTTP[: len(data)]):
                data = _skip_empty_lines(data)
                self._searched = 0
            end = _end_of_fields(data, max(self._searched - 3, 0))
            if (end or len(data)) > MAX_HEAD_BYTES:
                raise FramingError(f"the headers are longer than {MAX_HEAD_BYTES} bytes")
            if not end:
                self._pending, self._searched = data, len(data)
                return None
            self._searched = 0
            head = _parse_head(data[:end])
            data = data[end:]
            if head.status >= 200:
                self._begin(head)
                return data
            # 1xx: interim answers say nothing about the final one (101 was never asked for).
            if head.status == 101:
                raise FramingError("the server switched protocols without being asked")

    def _begin(self, head: ResponseHead) -> None:
        """Decide from the head how the body is framed and whether the connection lives on."""
        self.head = head
        lengths: set[bytes] = set()
        codings: list[bytes] = []
        connection: set[bytes] = set()
        for name, value in head.headers:
            match name.lower():
                case b"content-length":
                    lengths.update(part.strip() for part in value.split(b","))
                case b"transfer-encoding":
                    codings += (part.strip().lower() for part in value.split(b","))
                case b"connection":
                    connection.update(part.strip().lower() for part in value.split(b","))
        if head.http_version == b"HTTP/1.1":
            self._persistent = b"close" not in connection
        else:
            self._persistent = b"keep-alive" in connection
        if self._bodyless or head.status in (204, 304):
            self._state = _State.DONE
        elif codings:
            if codings != [b"chunked"]:
                raise FramingError(f"unknown transfer coding {b', '.join(codings)!r}")
            self._state = _State.CHUNK_SIZE
            # Both framings at once are an attack or a fault: trust chunks, then hang up.
            self._persistent = self._persistent and not lengths
        elif lengths:
            self._remaining = _content_length(lengths)
            self._state = _State.SIZED
        else:
            self._persistent = False
            self._state = _State.UNTIL_CLOSE

    # -- body -----------------------------------------------------------------------------------

    def _read_body(self, data: bytes) -> bytes:
        if self._state is _State.SIZED:
            return self._read_sized(data)
        if self._state is _State.UNTIL_CLOSE:
            return data
        if self._state is _State.DONE:
            self._finish(data)
            return b""
        return self._read_chunked(data)

    def _read_sized(self, data: bytes) -> bytes:
        remaining = self._remaining - len(data)
        if remaining > 0:
            self._remaining = remaining
            return data
        body = data[: self._remaining] if remaining else data
        self._finish(data[self._remaining :])
        self._remaining = 0
        return body

    def _read_chunked(self, data: bytes) -> bytes:
        """Read as many chunks as `data` holds: the hot path of every stream."""
        pieces: list[bytes] = []
        position = self._resume_chunk(data, pieces)
        if self._state is _State.CHUNK_SIZE:
            append, find, known = pieces.append, data.find, self._sizes.get
            while (line_end := find(_CRLF, position)) >= 0:
                size = known(data[position:line_end])
                if size is None:
                    size = self._chunk_size(data[position:line_end])
                    if not size:
                        position, self._state = line_end, _State.TRAILERS
                        break
                start = line_end + 2
                position = start + size
                if data[position : position + 2] == _CRLF:
                    append(data[start:position])
                    position += 2
                    continue
                position = self._suspend_chunk(data, start, size, pieces)
                break
            else:
                if len(data) - position > MAX_CHUNK_LINE_BYTES:
                    raise FramingError("the size line of a chunk has no end")
        if self._state is _State.TRAILERS:
            self._read_trailers(data[position:])
        else:
            self._pending = data[position:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _resume_chunk(self, data: bytes, pieces: list[bytes]) -> int:
        """Go on with the chunk that the last receive cut; return how far that went in `data`."""
        position = 0
        if self._state is _State.CHUNK_DATA:
            position = min(self._remaining, len(data))
            pieces.append(data[:position] if position < len(data) else data)
            self._remaining -= position
            if self._remaining:
                return position
            self._state = _State.CHUNK_END
        if self._state is _State.CHUNK_END:
            end = data[position : position + 2]
            if end == _CRLF:
                self._state = _State.CHUNK_SIZE
                return position + 2
            if not _CRLF.startswith(end):
                raise FramingError("a chunk is longer than its size says")
        return position

    def _suspend_chunk(self, data: bytes, start: int, size: int, pieces: list[bytes]) -> int:
        """Hand out the part of a chunk that is here already; return where it stops."""
        stop = min(start + size, len(data))
        if start < stop:
            pieces.append(data[start:stop])
        self._remaining = start + size - stop
        self._state = _State.CHUNK_DATA if self._remaining else _State.CHUNK_END
        if not _CRLF.startswith(data[stop : stop + 2]) and not self._remaining:
            raise FramingError("a chunk is longer than its size says")
        return stop

    def _chunk_size(self, line: bytes) -> int:
        digits = line.partition(b";")[0].rstrip(_BLANKS)
        bounded = len(digits) <= 15 and len(line) <= MAX_CHUNK_LINE_BYTES
        if not (bounded and _consists_of(digits, _HEX)):
            raise FramingError(f"bad chunk size {line[:16]!r}")
        size = int(digits, 16)
        if size and len(line) <= 4:  # at most 65,535 entries; small chunks are the ones that recur
            self._sizes[line] = size
        return size

    def _read_trailers(self, data: bytes) -> None:
        """Skip the trailer fields; `data` begins at the line break of the last size line."""
        end = _end_of_fields(data, 0)
        if (end or len(data)) > MAX_HEAD_BYTES:
            raise FramingError(f"the trailers are longer than {MAX_HEAD_BYTES} bytes")
        if end:
            self._finish(data[end:])
        else:
            self._pending = data

    def _finish(self, rest: bytes) -> None:
        self._state = _State.DONE
        self.complete = True
        self.trailing = self.trailing or bool(rest)


def _skip_empty_lines(data: bytes) -> bytes:
    """Drop empty lines before a status line (RFC 9112, 2.2); refuse what is not one."""
    rest = data.lstrip(_CRLF)
    if rest.startswith(_HTTP[: len(rest)]):
        return rest
    if rest.startswith((b"\x15\x03", b"\x16\x03")):
        raise FramingError("the server speaks TLS on this port: the URL needs https://")
    raise FramingError(f"the server does not speak HTTP: it began with {rest[:16]!r}")


def _content_length(values: set[bytes]) -> int:
    """Return the one length that all `Content-Length` fields agree on."""
    if len(values) > 1:
        raise FramingError(f"conflicting content lengths {b', '.join(sorted(values))!r}")
    (value,) = values
    if not value.isdigit() or len(value) > 18:
        raise FramingError(f"bad content length {value[:24]!r}")
    return int(value)


def _consists_of(value: bytes, allowed: bytes) -> bool:
    """Tell whether `value` is not empty and has no byte that is not in `allowed`."""
    return bool(value) and not value.translate(None, allowed)


def _end_of_fields(data: bytes, start: int) -> int:
    """Return where the first empty line after a line ends, 0 when there is none yet.

    Lines may end with LF alone, as some small servers write them.
    """
    with_cr, without = data.find(b"\n\r\n", start), data.find(b"\n\n", start)
    if with_cr < 0 or 0 <= without < with_cr:
        return without + 2 if without >= 0 else 0
    return with_cr + 3


def _parse_head(block: bytes) -> ResponseHead:
    """Parse status line and header fields, up to and with the empty line that ends them."""
    status_line, *lines = block.replace(_CRLF, b"\n").rstrip(b"\n").split(b"\n")
    version, code, after = status_line[:8], status_line[9:12], status_line[12:13]
    well_formed = version in (b"HTTP/1.1", b"HTTP/1.0") and status_line[8:9] == b" "
    well_formed = well_formed and code.isdigit() and code >= b"100" and after in (b"", b" ")
    if not well_formed or len(code) != 3:
        raise FramingError(f"bad status line {status_line[:32]!r}")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if b"\x00" in line or b"\r" in line:
            raise FramingError(f"bad header line {line[:32]!r}")
        if colon and _consists_of(name, _TOKEN):
            headers.append((name, value.strip(_BLANKS)))
        elif line[:1] in (b" ", b"\t") and headers:
            name, value = headers[-1]  # obsolete line folding
            headers[-1] = (name, value + b" " + line.strip(_BLANKS))
        else:
            raise FramingError(f"bad header line {line[:32]!r}")
    return ResponseHead(int(code), status_line[13:], version, headers)

"""Server-sent events from bytes, as they come.

Owns the framing only: what an event means is the dialect's business. Works on bytes, because a
chunk may end inside a character and because `str.splitlines` also splits at U+2028 and U+0085,
which JSON may contain. Lines end at LF, CR or CRLF and nowhere else (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry")
_FOREIGN_LIMIT = 1 << 18
"""Bytes after which no further line is kept of what is no event stream: enough for an error."""


class ServerSentEvent(NamedTuple):
    """One event. A named tuple, because there is one for every token of an answer."""

    event: str
    """The `event:` field; empty when there was none."""
    data: bytes
    """The `data:` lines, joined with LF."""


class SSEDecoder:
    """Feed it bytes; it returns the events that became complete.

    The events do not depend on how the bytes were cut. No input raises.
    """

    __slots__ = ("_after_cr", "_data", "_event", "_foreign_size", "_pending", "_started", "foreign")

    def __init__(self) -> None:
        self.foreign: list[bytes] = []
        """Lines that belong to no event: what came where a stream was expected (HTML, JSON)."""
        self._foreign_size = 0
        self._pending: list[bytes] = []
        self._data: list[bytes] = []
        self._event = ""
        self._after_cr = False
        self._started = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes; return the events that they complete."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 13
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in data:
            if data:
                self._pending.append(data)
            return []
        if self._pending:
            self._pending.append(data)
            data = b"".join(self._pending)
            self._pending.clear()
        if not self._started:
            self._started = True
            data = data.removeprefix(_BOM)
        lines = data.split(b"\n")
        rest = lines.pop()
        if rest:
            self._pending.append(rest)
        return self._events(lines)

    def end(self) -> list[ServerSentEvent]:
        """Take the end of the stream; return the last event, if it lacked its blank line."""
        rest = b"".join(self._pending)
        if not self._started:
            rest = b"" if _BOM.startswith(rest) else rest.removeprefix(_BOM)
        self._pending.clear()
        return self._events([rest, b""])

    def _events(self, lines: list[bytes]) -> list[ServerSentEvent]:
        events = []
        held = self._data
        for line in lines:
            if line[:5] == b"data:":
                held.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if held:
                    events.append(
                        ServerSentEvent(
                            self._event, held[0] if len(held) == 1 else b"\n".join(held)
                        )
                    )
                    held.clear()
                self._event = ""
            else:
                self._field(line)
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")
        elif name == b"data":
            self._data.append(b"")
        elif self._foreign_size < _FOREIGN_LIMIT and not any(
            # The beginning of a field is what a cut leaves. Comments have an empty name; `id` and
            # `retry` are for reconnecting, which a POST never does.
            field.startswith(name)
            for field in _FIELDS
        ):
            self.foreign.append(line)
            self._foreign_size += len(line)

"""Server-sent events from bytes, as they come.

Owns the framing only: what an event means is the dialect's business. Works on bytes, because a
chunk may end inside a character and because `str.splitlines` also splits at U+2028 and U+0085,
which JSON may contain. Lines end at LF, CR or CRLF and nowhere else (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ServerSentEvent", "SSEDecoder"]

_BOM = b"\xef\xbb\xbf"


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

    __slots__ = ("_after_cr", "_data", "_event", "_pending", "_started")

    def __init__(self) -> None:
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
        lines = [b"".join(self._pending).removeprefix(b"" if self._started else _BOM), b""]
        self._pending.clear()
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[ServerSentEvent]:
        events = []
        held = self._data
        for line in lines:
            if line[:5] == b"data:":
                held.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if held:
                    events.append(
                        ServerSentEvent(self._event, held[0] if len(held) == 1 else b"\n".join(held))
                    )
                    held.clear()
                self._event = ""
            else:
                name, _, value = line.partition(b":")
                # Comments have an empty name; `id` and `retry` are for reconnecting, which a
                # POST never does.
                if name == b"event":
                    self._event = value.removeprefix(b" ").decode("utf-8", "replace")
                elif name == b"data":
                    held.append(b"")
        return events

"""Newline-delimited JSON from bytes: the lines, not their meaning.

A line can be megabytes long (Ollama sends a whole tool call or image in one), so pieces are kept
apart until their line ends. Only LF ends a line: U+2028 and U+0085 are ordinary text in JSON.
"""

from __future__ import annotations

__all__ = ["NDJSONDecoder"]


class NDJSONDecoder:
    """Feed it bytes; it returns the lines that became complete, without blank ones."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that they complete."""
        if b"\n" not in data:
            if data:
                self._pending.append(data)
            return []
        if self._pending:
            self._pending.append(data)
            data = b"".join(self._pending)
            self._pending.clear()
        lines = data.split(b"\n")
        rest = lines.pop()
        if rest:
            self._pending.append(rest)
        return [line for line in map(bytes.strip, lines) if line]

    def end(self) -> list[bytes]:
        """Take the end of the stream; return the last line, if it lacked its LF."""
        rest = b"".join(self._pending).strip()
        self._pending.clear()
        return [rest] if rest else []

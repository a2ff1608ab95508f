"""A text of many megabytes, kept as the UTF-8 that it came as.

Python keeps a text with a single emoji at four bytes a character: 100 MB of input would be 400.
A long input therefore stays bytes, from standard input to the body of the request. Everything
else is an ordinary `str`, and `str(text)` makes one of this too.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["LongText"]


class LongText:
    """Pieces of UTF-8, none of which ends inside a character."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = tuple(pieces)

    def isspace(self) -> bool:
        """Return whether there is nothing but blanks, as `str.isspace`; copies one piece a time."""
        return bool(self) and all(piece.decode().isspace() for piece in self.pieces if piece)

    def __bool__(self) -> bool:
        return any(self.pieces)

    def __str__(self) -> str:
        return b"".join(self.pieces).decode()

    def __repr__(self) -> str:
        return f"LongText({sum(map(len, self.pieces))} bytes)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LongText) and b"".join(self.pieces) == b"".join(other.pieces)

    def __hash__(self) -> int:
        return hash(b"".join(self.pieces))

"""How many cells of a terminal a text takes, for what is aligned without rich (50 ms at start)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["cell_width", "shortened"]

_UNSEEN = frozenset({"Mn", "Me", "Cf"})
"""Kinds of characters that take no cell: accents that stand apart, joiners."""


def cell_width(text: str) -> int:
    """Return how many cells a text takes: two for a wide character, none for an accent."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in _UNSEEN else 1 + (east_asian_width(char) in "WF") for char in text
    )


def shortened(text: str, most: int, gap: str = "…") -> str:
    """Return a text in at most so many cells: of a longer one beginning and end, with a gap."""
    if cell_width(text) <= most:
        return text
    most -= len(gap)
    return f"{_fitting(text, most - most // 2)}{gap}{_fitting(reversed(text), most // 2)[::-1]}"


def _fitting(characters: Iterable[str], most: int) -> str:
    """Return the first characters that take no more than so many cells."""
    kept, width = [], 0
    for char in characters:
        width += cell_width(char)
        if width > most:
            break
        kept.append(char)
    return "".join(kept)

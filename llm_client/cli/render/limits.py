"""The bounds that keep the cost of drawing linear and the memory flat."""

from collections.abc import Iterable
from typing import Final

__all__ = ["LINE_LIMIT", "OPEN_BLOCK_LIMIT", "rows_estimate"]

OPEN_BLOCK_LIMIT: Final = 16 * 1024
"""Characters of one unfinished block that are kept for redrawing. About 200 lines of prose: what
answers are made of stays below and is drawn exactly; the block is split above."""

LINE_LIMIT: Final = 16 * 1024
"""Characters of one line of code that are kept waiting for its end."""


def rows_estimate(lines: Iterable[str], width: int) -> int:
    """Return about how many rows the lines will take. Cheap: it counts characters, not cells."""
    return sum(max(1, -(-len(line) // width)) for line in lines)

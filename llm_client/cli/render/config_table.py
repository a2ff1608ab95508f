"""Settings, their values and sources: in columns on a terminal, with tabs between them on a pipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...policy.setting_schema import join_key
from ...storage.effective import Effective
from .cells import cell_width, shortened
from .sanitize import neutralise

__all__ = ["setting_lines", "setting_table", "value_text"]

_GAP = "  "
_LEAST_VALUE = 16
"""Cells: of a narrower column nothing could be read."""


def setting_lines(rows: Sequence[tuple[Effective, Any]]) -> list[str]:
    """Return one line a setting: key, value and source with tabs between them.

    Args:
        rows: and the value of each, fit to be shown.
    """
    cells = ((row.key, value_text(value), str(row.source)) for row, value in rows)
    return ["\t".join(map(neutralise, texts)) for texts in cells]


def setting_table(
    rows: Sequence[tuple[Effective, Any]], width: int, *, color: bool, whole: bool
) -> list[str]:
    """Return the lines of a table.

    Args:
        rows: and the value of each, fit to be shown.
        width: of the terminal, in cells.
        color: whether to emphasise by escape sequences.
        whole: whether long values are shown to their end.
    """
    if not rows:
        return []
    key_width = max(cell_width(neutralise(row.key)) for row, _ in rows)
    for with_over in (True, False):
        sources = [_source_text(row, with_over=with_over) for row, _ in rows]
        room = width - key_width - max(map(cell_width, sources)) - 2 * len(_GAP)
        # What does not hold is left out where there is no room for it, unless one setting is asked for.
        if whole or room >= _LEAST_VALUE:
            break
    room = max(_LEAST_VALUE, room)
    cells = [
        (neutralise(row.key), neutralise(value_text(value)), source)
        for (row, value), source in zip(rows, sources, strict=True)
    ]
    if not whole:
        cells = [(key, shortened(value, room), source) for key, value, source in cells]
    value_width = min(room, max(cell_width(value) for _, value, _ in cells))
    lines = []
    for key, value, source in cells:
        left = f"{_padded(key, key_width)}{_GAP}{_padded(value, value_width)}"
        lines.append(f"{left}{_GAP}" + (f"\x1b[2m{source}\x1b[0m" if color else source))
    return lines


def value_text(value: Any) -> str:
    """Return a value as it stands in TOML, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            pairs = ", ".join(
                f"{join_key([name])} = {value_text(of)}" for name, of in value.items()
            )
            return f"{{ {pairs} }}" if pairs else "{}"
        case list() | tuple():
            return f"[{', '.join(map(value_text, value))}]"
    return str(value)


def _source_text(row: Effective, *, with_over: bool) -> str:
    over = f" (over {row.over})" if with_over and row.over is not None else ""
    return neutralise(f"{row.source}{over}")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))

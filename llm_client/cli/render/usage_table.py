"""Usage on a terminal: a table with bars, and a line that shows what each day cost.

Owns which columns there are. One that says nothing (no attempt failed) is left out, and so are those
of least interest where the terminal is narrow. It imports rich: import it where a terminal is
certain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from rich.box import Box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ...storage.usage_queries import DayUsage
from ...types.usage import UsageKey, UsageReport, UsageRow
from .rows import RowRenderer
from .usage_figures import bar, compact, decimals, seconds, sparkline, usd
from .usage_text import label

__all__ = ["day_lines", "usage_table"]

_GAP: Final = 2
"""Cells between two columns."""
_LEAST_KEY: Final = 10
_LEAST_BAR: Final = 8
_MOST_BAR: Final = 24
_PERCENT: Final = 5
"""Cells of ` 100%`."""
_LARGE: Final = 1_000_000
"""A number of tokens from which they are written in short."""
_NO_COST: Final = ("unpriced", "local")
_RULED: Final = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
_RULED_ASCII: Final = Box("    \n    \n -- \n    \n    \n -- \n    \n    \n", ascii=True)


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cells: list[str]
    """Of the rows, and of the total."""
    rank: int
    """How soon it is left out on a narrow terminal: the highest first, the same together."""
    style: str = ""
    is_bar: bool = False

    @property
    def width(self) -> int:
        return max(cell_len(text) for text in (self.title, *self.cells))


def usage_table(report: UsageReport, width: int, *, color: bool, ascii: bool) -> list[str]:
    """Return the rows of a terminal that show a report."""
    rows = (*report.rows, report.total)
    title = (report.by or "").capitalize()
    keys = [*(_shown_key(row.key, report.by, ascii=ascii) for row in report.rows), "Total"]
    natural = max(cell_len(text) for text in (title, *keys))
    # A long name is folded rather than that columns are missing.
    key_width = min(natural, max(_LEAST_KEY, width * 2 // 5))
    columns = _fitting(_columns(rows, _bars(rows, _LEAST_BAR, ascii=ascii)), width - key_width)
    spare = width - key_width - sum(column.width + _GAP for column in columns)
    widened = min(natural - key_width, max(0, spare))
    key_width = max(1, key_width + widened)
    bar_width = min(_LEAST_BAR + max(0, spare - widened), _MOST_BAR)
    columns = [
        _bars(rows, bar_width, ascii=ascii) if column.is_bar else column for column in columns
    ]
    table = Table(
        box=_RULED_ASCII if ascii else _RULED,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        show_footer=True,
        border_style="dim",
    )
    table.add_column(title, "Total", width=key_width, overflow="fold")
    for column in columns:
        table.add_column(
            column.title,
            column.cells[-1],
            style=column.style,
            justify="left" if column.is_bar else "right",
            no_wrap=True,
        )
    for i, key in enumerate(keys[:-1]):
        if cell_len(key) > key_width:
            key = key.replace("/", "/\n", 1)
        table.add_row(Text(key), *(Text(column.cells[i]) for column in columns))
    return RowRenderer(color=color).render(table, width)


def day_lines(days: Sequence[DayUsage], width: int, *, ascii: bool) -> list[str]:
    """Return a line that is as high at every day as its cost, or as its tokens without any cost.

    Nothing when there is only one day.
    """
    if len(days) < 2:
        return []
    priced = any(day.cost_nano_usd for day in days)
    by_day = {
        date.fromisoformat(day.day): (day.cost_nano_usd or 0) if priced else day.total_tokens
        for day in days
    }
    first, last = min(by_day), max(by_day)
    form = "%m-%d" if first.year == last.year else "%Y-%m-%d"
    ends = f"{first:{form}}", f"{last:{form}}"
    # Where there are more days than cells, one cell stands for several.
    room = max(1, width - len(" ".join(ends)) - 1)
    step = -(-((last - first).days + 1) // room)
    sums = [0] * ((last - first).days // step + 1)
    for day, amount in by_day.items():
        sums[(day - first).days // step] += amount
    most = max(sums)
    what = f"{'Cost' if priced else 'Tokens'} per {'day' if step == 1 else f'{step} days'}"
    peak = f"at most {usd(most, decimals([most])) if priced else compact(most)}"
    line = f"{ends[0]} {sparkline(sums, ascii=ascii)} {ends[1]}"
    whole = f"{what}  {line}  {peak}"
    return [whole] if len(whole) <= width else [f"{what}, {peak}", line]


def _columns(rows: Sequence[UsageRow], bars: _Column) -> list[_Column]:
    """Return the columns that say something."""
    places = decimals(row.cost_nano_usd for row in rows)
    # All in full or all in short, so that they can be compared.
    write = compact if max(row.total_tokens for row in rows) >= _LARGE else "{:,}".format

    def counts(title: str, rank: int, of: Callable[[UsageRow], int], style: str = "") -> _Column:
        return _Column(title, [f"{n:,}" if (n := of(row)) else "" for row in rows], rank, style)

    def tokens(of: Callable[[UsageRow], int | None]) -> list[str]:
        return [write(n) if (n := of(row)) else "" for row in rows]

    def waits(title: str, rank: int, of: Callable[[UsageRow], float | None]) -> _Column:
        return _Column(title, [seconds(of(row)) for row in rows], rank)

    is_tried_again = any(row.attempts + row.cached != row.calls for row in rows)
    columns = (
        counts("Calls", 0, lambda row: row.calls),
        # Together: beside calls alone, failed attempts would be taken for calls.
        counts("Attempts", 5, lambda row: row.attempts if is_tried_again else 0),
        counts("Failed", 5, lambda row: row.failed, "red"),
        counts("Stopped", 11, lambda row: row.interrupted),
        counts("Lost", 12, lambda row: row.lost),
        counts("Cached", 9, lambda row: row.cached),
        _Column("Prompt", tokens(lambda row: row.prompt_tokens), 7),
        _Column("From cache", tokens(lambda row: row.cached_tokens), 13),
        _Column("Completion", tokens(lambda row: row.completion_tokens), 7),
        _Column("Reasoning", tokens(lambda row: row.reasoning_tokens), 14),
        _Column("Tokens", _marked(tokens(lambda row: row.total_tokens), rows), 2),
        waits("Latency", 6, lambda row: row.latency_ms),
        waits("1st token", 8, lambda row: row.time_to_first_token_ms),
        _Column("Cost", _marked([_cost(row, places) for row in rows], rows), 1),
        _Column("Unpriced", [_unpriced_beside(row) for row in rows], 4),
        bars,
    )
    return [column for column in columns if any(column.cells)]


def _marked(cells: Sequence[str], rows: Sequence[UsageRow]) -> list[str]:
    """Return figures with a mark at those that are a guess in part."""
    return [
        f"~{cell}" if row.estimated and cell[-1:].isalnum() and cell not in _NO_COST else cell
        for cell, row in zip(cells, rows, strict=True)
    ]


def _cost(row: UsageRow, places: int) -> str:
    if row.cost_nano_usd is None:
        return _NO_COST[not row.unpriced]
    return usd(row.cost_nano_usd, places)


def _unpriced_beside(row: UsageRow) -> str:
    """Return how many attempts are missing in the cost of a row that has one."""
    return f"+ {row.unpriced:,}" if row.unpriced and row.cost_nano_usd is not None else ""


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Return the columns that have room beside each other, those of most interest."""
    chosen: list[_Column] = []
    ranked = sorted(columns, key=lambda column: column.rank)
    for _, group in groupby(ranked, key=lambda column: column.rank):
        together = list(group)
        width -= sum(column.width + _GAP for column in together)
        if width < 0:
            break
        chosen += together
    return [column for column in columns if column in chosen]


def _bars(rows: Sequence[UsageRow], width: int, *, ascii: bool) -> _Column:
    """Return the part of each row in the cost of all, or in the tokens where nothing has a cost.

    The longest bar is the largest part.
    """
    amounts: list[int] = [row.cost_nano_usd or 0 for row in rows]
    if not any(amounts):
        amounts = [row.total_tokens for row in rows]
    most, total = max(amounts[:-1], default=0), amounts[-1]
    cells = [
        f"{bar(amount / most, width, ascii=ascii)}{amount / total:{_PERCENT}.0%}" if amount else ""
        for amount in amounts[:-1]
    ]
    return _Column("Share", [*cells, ""], 3, "cyan", is_bar=True)


def _shown_key(key: str | None, by: UsageKey | None, *, ascii: bool) -> str:
    """Return a key as people read it: with the day of the week, and when a week begins."""
    if key is not None and by == "day":
        return f"{key} {date.fromisoformat(key):%a}"
    if key is not None and by == "week":
        monday = date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
        return f"{key}, from {monday:%m-%d}"
    return label(key, ascii=ascii)

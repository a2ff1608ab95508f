"""Usage where nobody looks, or a program does: aligned text, CSV, and the object of `--json`.

Owns their columns, which stay the same whatever they hold. Text is made harmless for a terminal, and
in CSV for a spreadsheet: what begins like a formula (`=`, `+`, `-`, `@`) gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ...types.usage import UsageReport, UsageRow
from .cells import cell_width, shortened
from .sanitize import neutralise
from .usage_figures import exact_usd

if TYPE_CHECKING:
    from ...policy.budget import Standing

__all__ = [
    "NO_LABEL",
    "aligned",
    "budget_object",
    "csv_text",
    "label",
    "report_object",
    "row_object",
]

NO_LABEL: Final = "(none)"
_MOST_CELLS: Final = 60
"""Of a name. One of 10 kB would fill the screen, and pad every other row of a pipe."""
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def row_object(row: UsageRow) -> dict[str, Any]:
    """Return the fields of a row; `cost` is in USD."""
    fields = asdict(row)
    cost_nano_usd = fields.pop("cost_nano_usd")
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        shown[name] = round(value, 3) if isinstance(value, float) else value
        if name == "completion_tokens":
            shown["total_tokens"] = row.total_tokens
        if name == "estimated":
            shown |= {"cost": row.cost, "cost_nano_usd": cost_nano_usd}
    return shown


def report_object(report: UsageReport) -> dict[str, Any]:
    """Return the JSON object that stands for a report."""
    total = row_object(report.total)
    del total["key"]
    return {
        "by": report.by,
        "since": report.since,
        "until": report.until,
        "total": total,
        "rows": [row_object(row) for row in report.rows],
    }


def budget_object(standing: Standing) -> dict[str, Any]:
    """Return the JSON object that stands for a budget."""
    limit = standing.limit
    return {
        "scope": limit.scope or None,
        "name": limit.label or None,
        "period": limit.period,
        "limit_usd": limit.amount / 1e9,
        "spent_usd": standing.spent / 1e9,
        "reserved_usd": standing.reserved / 1e9,
        "left_usd": standing.left / 1e9,
        "renews": limit.renews,
        "on_exceeded": "block" if limit.blocks else "warn",
    }


def csv_text(rows: Iterable[Mapping[str, Any]], names: Sequence[str] = ()) -> str:
    """Return CSV as RFC 4180 has it.

    Args:
        rows: all with the same names.
        names: what the first line says; without them there is none.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    if names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_csv_cell(name, value, row) for name, value in row.items()])
    return text.getvalue()


def _csv_cell(name: str, value: object, row: Mapping[str, Any]) -> object:
    if name == "cost" and value is not None:
        return exact_usd(row["cost_nano_usd"])
    match value:
        case bool():
            return int(value)
        case list():
            return json.dumps(value, ensure_ascii=False)
        case str() if value.startswith(_FORMULAS):
            return f"'{value}"
    return value


def label(key: str | None, *, ascii: bool = False) -> str:
    """Return a key on one line, harmless and not too long."""
    if key is None:
        return NO_LABEL
    text = neutralise(key).replace("\n", " ").replace("\t", " ")
    return shortened(text, _MOST_CELLS, "..." if ascii else "…")


def aligned(report: UsageReport) -> list[str]:
    """Return lines of text in columns, with the total as the last."""
    header = [
        report.by or "",
        *("calls", "attempts", "failed", "interrupted", "lost", "cached"),
        *("prompt", "completion", "total", "estimated"),
        *("cost_usd", "unpriced", "local", "latency_s", "first_token_s"),
    ]
    table = [header]
    table += [_cells(label(row.key), row) for row in report.rows]
    table.append(_cells("total", report.total))
    widths = [max(len(cells[i]) for cells in table) for i in range(1, len(header))]
    first = max(cell_width(cells[0]) for cells in table)
    return [
        "  ".join(
            (
                cells[0] + " " * (first - cell_width(cells[0])),
                *(cell.rjust(width) for cell, width in zip(cells[1:], widths, strict=True)),
            )
        )
        for cells in table
    ]


def _cells(name: str, row: UsageRow) -> list[str]:
    numbers = (
        *(row.calls, row.attempts, row.failed, row.interrupted, row.lost, row.cached),
        *(row.prompt_tokens, row.completion_tokens, row.total_tokens, row.estimated),
    )
    cost = "-" if row.cost_nano_usd is None else f"{row.cost_nano_usd / 1e9:.6f}"
    waits = (row.latency_ms, row.time_to_first_token_ms)
    return [
        name,
        *map(str, numbers),
        *(cost, str(row.unpriced), str(row.local)),
        *("-" if wait is None else f"{wait / 1000:.3f}" for wait in waits),
    ]

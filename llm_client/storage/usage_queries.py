"""What was used, in SQL over the tables of the ledger.

Owns which attempts count and how they are summed up. The database adds up, so that a year of
attempts is a few rows here. Every function takes a connection; opening one is `usage_store`'s.

Days are looked up in the index `attempts_by_day`, moments in `attempts_by_time`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from ..policy.periods import shown_bound
from ..types.usage import UsageKey, UsageQuery, UsageReport, UsageRow
from .ledger import local_day, storable

__all__ = [
    "EXPORTED",
    "DayUsage",
    "attempts_of",
    "count",
    "days_of",
    "delete",
    "forget_spent",
    "is_spent",
    "summarize",
]

_MOST: Final = 10**15
"""Tokens or nano-USD (a million dollars) of one attempt."""


def _sum(column: str) -> str:
    # Providers have been seen to say anything, and a sum beyond 2**63 is an error for ever.
    return f"SUM(MIN({column}, {_MOST}))"


_UNPRICED: Final = "cost IS NULL AND prompt_tokens IS NOT NULL"
_CALLS: Final = "COUNT(DISTINCT call_id)"
_SUMS: Final = {
    "attempts": "COUNT(*)",  # and those from the cache
    "failed": "SUM(outcome = 'error')",
    "interrupted": "SUM(outcome IN ('interrupted', 'abandoned'))",
    "lost": "SUM(outcome = 'lost')",
    "cached": "SUM(outcome = 'cached')",
    "prompt_tokens": _sum("prompt_tokens"),
    "completion_tokens": _sum("completion_tokens"),
    "cached_tokens": _sum("cached_tokens"),
    "cache_write_tokens": _sum("cache_write_tokens"),
    "reasoning_tokens": _sum("reasoning_tokens"),
    "estimated": "SUM(estimated AND prompt_tokens IS NOT NULL)",
    # That an answer from the cache is free says nothing of what the others cost.
    "cost_nano_usd": f"SUM(CASE WHEN outcome <> 'cached' THEN MIN(cost, {_MOST}) END)",
    "unpriced": f"SUM({_UNPRICED})",  # and local ones
    "local": f"SUM(CASE WHEN {_UNPRICED} THEN local END)",
    "latency_ms": "AVG(CASE outcome WHEN 'ok' THEN latency_ms END)",
    "time_to_first_token_ms": "AVG(CASE outcome WHEN 'ok' THEN first_token_ms END)",
}
"""Fields of `UsageRow`. Without FILTER and the like: Python may bring an older SQLite."""
_MAY_BE_UNKNOWN: Final = frozenset(
    {
        "cache_write_tokens",
        "cached_tokens",
        "cost_nano_usd",
        "latency_ms",
        "reasoning_tokens",
        "time_to_first_token_ms",
    }
)
_KEYS: Final[dict[UsageKey, tuple[str, str]]] = {
    "provider": ("provider", "provider"),
    "model": (
        "CASE model WHEN '' THEN provider ELSE provider || '/' || model END",
        "provider, model",
    ),
    "day": ("day", "day"),
    "week": ("date(day, 'weekday 0', '-6 days')", "1"),
    "month": ("substr(day, 1, 7)", "1"),
    "project": ("project", "project"),
    "session": ("session", "session"),
    "profile": ("profile", "profile"),
    "tag": ("tag.value", "tag.value"),
    "outcome": ("outcome", "outcome"),
}
"""By what is grouped: the key as it is shown, and what makes a group."""
_EXPORTED: Final = {
    "started_at": "started_at",
    "day": "day",
    "call_id": "call_id",
    "attempt": "attempt",
    "provider": "provider",
    "model": "model",
    "local": "local",
    "profile": "profile",
    "session": "session",
    "project": "project",
    "tags": "tags",
    "outcome": "outcome",
    "error_type": "error_type",
    "retry": "retry",
    "fallback": "fallback",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "cached_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "estimated": "estimated",
    "cost": "cost",
    "cost_nano_usd": "cost",
    "latency_ms": "latency_ms",
    "time_to_first_token_ms": "first_token_ms",
}
EXPORTED: Final = tuple(_EXPORTED)
"""The fields of an exported attempt: `started_at` in UTC, `day` local, `cost` in USD."""
_IN_ORDER: Final = frozenset({"day", "week", "month"})
_EACH_TAG: Final = (
    " LEFT JOIN json_each(attempts.tags) AS tag"
    # A tag that was given twice counts once.
    " ON tag.key = (SELECT MIN(same.key) FROM json_each(attempts.tags) AS same"
    " WHERE same.value = tag.value)"
)


class DayUsage(NamedTuple):
    """What one local day used."""

    day: str
    cost_nano_usd: int | None
    """`None` when no cost is known."""
    total_tokens: int


def summarize(connection: Connection, query: UsageQuery) -> UsageReport:
    """Return what was used, in total and by group."""
    where, values = _conditions(query)
    columns = ", ".join(_SUMS.values())
    # Apart, because then an index has the calls in order, where there is no condition.
    calls = connection.execute(f"SELECT {_CALLS} FROM attempts{where}", values).fetchone()
    total = connection.execute(f"SELECT {columns} FROM attempts{where}", values).fetchone()
    rows: list[UsageRow] = []
    if query.by is not None:
        key, group = _KEYS[query.by]
        source = "attempts" + (_EACH_TAG if query.by == "tag" else "")
        found = connection.execute(
            f"SELECT {key}, {_CALLS}, {columns} FROM {source}{where} GROUP BY {group} ORDER BY 1",
            values,
        )
        rows = [_row(row, query.by) for row in found]
        if query.by not in _IN_ORDER:
            rows.sort(key=_weight, reverse=True)
    return UsageReport(
        by=query.by,
        since=shown_bound(query.since),
        until=shown_bound(query.until),
        rows=tuple(rows),
        total=_row((None, *calls, *total), None),
    )


def days_of(connection: Connection, query: UsageQuery) -> list[DayUsage]:
    """Return every local day on which something was tried, in order."""
    where, values = _conditions(query)
    rows = connection.execute(
        f"SELECT day, {_sum('cost')}, COALESCE({_sum('prompt_tokens')}, 0) + "
        f"COALESCE({_sum('completion_tokens')}, 0) FROM attempts{where} GROUP BY day ORDER BY day",
        values,
    )
    return [DayUsage(*row) for row in rows]


def count(connection: Connection, query: UsageQuery) -> int:
    """Return how many rows there are."""
    where, values = _conditions(query)
    rows: int = connection.execute(f"SELECT COUNT(*) FROM attempts{where}", values).fetchone()[0]
    return rows


def delete(connection: Connection, query: UsageQuery, most: int) -> int:
    """Delete some rows, and return how many: fewer than `most` when no more are left.

    What was spent stays written down in `spending`, so budgets hold on until it is forgotten too.
    """
    where, values = _conditions(query)
    return connection.execute(
        f"DELETE FROM attempts WHERE id IN (SELECT id FROM attempts{where} LIMIT {most})", values
    ).rowcount


def is_spent(connection: Connection, query: UsageQuery) -> bool:
    """Return whether budgets count anything of a time."""
    where, values = _until_day(query)
    row = connection.execute(f"SELECT 1 FROM spending{where} LIMIT 1", values).fetchone()
    return row is not None


def forget_spent(connection: Connection, query: UsageQuery) -> None:
    """Let budgets forget what was spent in the whole days of a time."""
    where, values = _until_day(query)
    connection.execute(f"DELETE FROM spending{where}", values)


def _until_day(query: UsageQuery) -> tuple[str, tuple[str, ...]]:
    """Return the WHERE clause for days that are over when a query ends, and its values."""
    if query.until is None:
        return "", ()
    if isinstance(query.until, str):
        return " WHERE day <= ?", (query.until,)
    return " WHERE day < ?", (local_day(query.until),)


def attempts_of(
    connection: Connection, query: UsageQuery, *, after: int, most: int
) -> list[tuple[int, dict[str, Any]]]:
    """Return the next attempts behind a row's number, each with its own; see `EXPORTED`."""
    where, values = _conditions(query)
    where = f"{where} AND id > ?" if where else " WHERE id > ?"
    # By its number: with another index every page would look at all rows that fit.
    rows = connection.execute(
        f"SELECT id, {', '.join(_EXPORTED.values())} FROM attempts NOT INDEXED{where} "
        f"ORDER BY id LIMIT {most}",
        (*values, after),
    )
    return [(number, _exported(values)) for number, *values in rows]


def _exported(values: list[Any]) -> dict[str, Any]:
    attempt = dict(zip(_EXPORTED, values, strict=True))
    started = datetime.fromtimestamp(attempt["started_at"], UTC)
    first = attempt["time_to_first_token_ms"]
    return attempt | {
        "started_at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "tags": json.loads(attempt["tags"] or "[]"),
        "local": bool(attempt["local"]),
        "estimated": bool(attempt["estimated"]),
        "cost": None if attempt["cost"] is None else attempt["cost"] / 1e9,
        "latency_ms": round(attempt["latency_ms"], 3),
        "time_to_first_token_ms": None if first is None else round(first, 3),
    }


def _row(values: tuple[Any, ...], by: UsageKey | None) -> UsageRow:
    key, calls, *sums = values
    row = dict(zip(_SUMS, sums, strict=True))
    for name in row.keys() - _MAY_BE_UNKNOWN:
        row[name] = row[name] or 0
    row["attempts"] -= row["cached"]
    row["unpriced"] -= row["local"]
    if row["cost_nano_usd"] is None and not row["unpriced"] and not row["local"]:
        row["cost_nano_usd"] = 0  # nothing that costs anything was used
    if by == "week" and key is not None:
        year, week, _ = date.fromisoformat(key).isocalendar()
        key = f"{year:04}-W{week:02}"
    return UsageRow(key=key, calls=calls, **row)


def _weight(row: UsageRow) -> tuple[int, int, int]:
    return row.cost_nano_usd or 0, row.total_tokens, row.calls


def _conditions(query: UsageQuery) -> tuple[str, list[object]]:
    """Return the WHERE clause of a query, and its values."""
    found = list(_wanted(query))
    clause = " AND ".join(condition for condition, _ in found)
    values = [value for _, several in found for value in several]
    return (f" WHERE {clause}" if clause else ""), values


def _wanted(query: UsageQuery) -> Iterator[tuple[str, tuple[object, ...]]]:
    if query.since is not None:
        yield "day >= ?" if isinstance(query.since, str) else "started_at >= ?", (query.since,)
    if query.until is not None:
        yield "day <= ?" if isinstance(query.until, str) else "started_at < ?", (query.until,)
    for name in ("project", "session", "profile", "outcome"):
        text = getattr(query, name)
        if text == "":
            yield f"{name} IS NULL", ()
        elif text is not None:
            yield _like(name, text)
    if query.provider is not None:
        yield _like("provider", query.provider.lower())
    if query.model is not None:
        alone, value = _like("model", query.model)
        whole, _ = _like("provider || '/' || model", query.model)
        yield f"({alone} OR {whole})", value * 2
    if query.tag == "":
        yield "NOT EXISTS (SELECT 1 FROM json_each(attempts.tags))", ()
    elif query.tag is not None:
        found, value = _like("wanted.value", query.tag)
        yield f"EXISTS (SELECT 1 FROM json_each(attempts.tags) AS wanted WHERE {found})", value


def _like(column: str, text: str) -> tuple[str, tuple[str]]:
    """Return the condition that a column is a text, in which `*` stands for anything."""
    text = storable(text)  # as it was written down
    if "*" not in text:
        return f"{column} = ?", (text,)
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return f"{column} LIKE ? ESCAPE '\\'", (text.replace("*", "%"),)

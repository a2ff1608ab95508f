"""The rows of the ledger, read with nothing but SQLite."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields

from llm_client.storage.ledger import ledger_file

__all__ = ["Row", "integrity", "ledger_exists", "rows_by_session", "total"]


@dataclass(frozen=True)
class Row:
    """One attempt as the ledger has it; see `storage/schema.py`."""

    call_id: str
    attempt: int
    started_at: float
    provider: str
    model: str
    session: str | None
    project: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    estimated: int
    cost: int | None
    latency_ms: float
    first_token_ms: float | None
    retry: int
    fallback: int
    outcome: str
    error_type: str | None


_COLUMNS = ", ".join(field.name for field in fields(Row))


def ledger_exists() -> bool:
    """Return whether anything was ever written down."""
    return ledger_file(os.environ).exists()


def rows_by_session() -> dict[str | None, list[Row]]:
    """Return all rows, by session, in the order of the attempts."""
    found: dict[str | None, list[Row]] = {}
    with closing(sqlite3.connect(ledger_file(os.environ))) as connection:
        order = "SELECT " + _COLUMNS + " FROM attempts ORDER BY session, call_id, attempt"
        for values in connection.execute(order):
            row = Row(*values)
            found.setdefault(row.session, []).append(row)
    return found


def total(query: str) -> int:
    """Return the one number that a query of the ledger brings."""
    with closing(sqlite3.connect(ledger_file(os.environ))) as connection:
        number: int = connection.execute(query).fetchone()[0]
        return number


def integrity() -> str:
    """Return what SQLite says of the ledger: `ok`."""
    with closing(sqlite3.connect(ledger_file(os.environ))) as connection:
        verdict: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return verdict

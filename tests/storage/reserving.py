"""A ledger in memory, claims of attempts and their ends: what tests of reservations share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from llm_client.policy.budget import Limit, Period, Scope
from llm_client.storage.reservations import Claim, Settled, settle
from llm_client.storage.schema import MIGRATIONS
from llm_client.types.events import Labels

NOON = 4_000_000_000.0
"""The time in these tests. Not before they run: a reservation from then would be a namesake's."""
TODAY = "2026-11-20"
CENT = 10_000_000
"""Nano-USD."""

CLAIM = Claim(
    call_id="call",
    attempt=1,
    day=TODAY,
    provider="acme",
    model="m-1",
    labels=Labels(),
    prompt_tokens=100,
    completion_tokens=400,
    cost=CENT,
    key="acme https://acme.test/v1",
)


@contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """Open an empty ledger in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in (statement for version in MIGRATIONS for statement in version):
            connection.execute(statement)
        yield connection


def claim(call_id: str = "call", attempt: int = 1, **values: Any) -> Claim:
    """Return a claim of one cent."""
    return CLAIM._replace(call_id=call_id, attempt=attempt, **values)


def limit(
    amount: int, period: Period = "day", scope: Scope = "", label: str = "", blocks: bool = True
) -> Limit:
    """Return a limit that holds from today on."""
    since = "" if period in {"call", "total"} else TODAY
    return Limit(amount, period, "`somewhere`", since, scope, label, blocks)


def end(
    connection: sqlite3.Connection,
    call_id: str = "call",
    attempt: int = 1,
    cost: int | None = CENT,
    tokens: int | None = 500,
    **values: Any,
) -> None:
    """Settle an attempt as the ledger does: first its money, then its row."""
    settled = Settled(call_id, attempt, TODAY, "acme", None, None, cost, tokens)._replace(**values)
    settle(connection, settled)
    connection.execute(
        "INSERT INTO attempts (call_id, attempt, started_at, day, provider, model, local,"
        " profile, project, estimated, cost, latency_ms, retry, fallback, outcome)"
        " VALUES (?, ?, ?, ?, ?, 'm-1', 0, ?, ?, 0, ?, 5.0, 0, 0, 'ok')"
        " ON CONFLICT (call_id, attempt) DO UPDATE SET day = excluded.day, cost = excluded.cost,"
        " provider = excluded.provider, profile = excluded.profile, project = excluded.project,"
        " outcome = excluded.outcome",
        (
            call_id,
            attempt,
            NOON,
            settled.day,
            settled.provider,
            settled.profile,
            settled.project,
            settled.cost,
        ),
    )


def rows(connection: sqlite3.Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return connection.execute(query, values).fetchall()


def dead_pid() -> int:
    """Return the number of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid

"""Attempts in a ledger, written as the program writes them, and what is read of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from llm_client.storage.ledger import Ledger
from llm_client.storage.usage_store import UsageStore
from llm_client.types.events import AttemptRecord, Labels, Outcome
from llm_client.types.response import Usage
from llm_client.types.usage import UsageKey, UsageQuery, UsageRow

__all__ = ["attempt", "local", "rows", "total", "write"]

_NO_LABELS = Labels()


def local(text: str) -> float:
    """Return a local time as Unix time."""
    return datetime.fromisoformat(text).timestamp()


def attempt(
    call_id: str,
    number: int = 1,
    *,
    at: str = "2026-11-20T12:00",
    spec: str = "openai/gpt-5.2",
    outcome: Outcome = "ok",
    tokens: tuple[int, int] | None = (100, 20),
    cost: float | None = 0.001,
    labels: Labels = _NO_LABELS,
    latency_ms: float = 1000.0,
    first_token_ms: float | None = 200.0,
    error_type: str | None = None,
    is_local: bool = False,
    **usage: Any,
) -> AttemptRecord:
    """Return what is written down about an attempt.

    Args:
        call_id: of the call.
        number: of the attempt.
        at: when it began, local.
        tokens: prompt and answer; `None`: no usage.
        cost: USD.
        usage: further fields of the usage.
    """
    provider, _, model = spec.partition("/")
    used = None
    if tokens is not None:
        used = Usage(*tokens, sum(tokens), estimated_cost=cost, **usage)
    return AttemptRecord(
        call_id=call_id,
        provider=provider,
        model=model,
        started_at=local(at),
        latency_ms=latency_ms,
        time_to_first_token_ms=first_token_ms,
        outcome=outcome,
        error_type=error_type,
        usage=used,
        retry=max(0, number - 1),
        attempt=number,
        labels=labels,
        local=is_local,
    )


def write(path: Path, *attempts: AttemptRecord) -> Path:
    """Write attempts into the ledger at a path, and return it."""
    ledger = Ledger(path)
    for record in attempts:
        ledger.settle(record)
    ledger.close()
    return path


def rows(path: Path, by: UsageKey, **filters: Any) -> dict[str | None, UsageRow]:
    """Return the rows of a report by their key."""
    report = UsageStore(path).summarize(UsageQuery(by=by, **filters))
    return {row.key: row for row in report.rows}


def total(path: Path, **filters: Any) -> UsageRow:
    """Return the total of a report."""
    return UsageStore(path).summarize(UsageQuery(**filters)).total

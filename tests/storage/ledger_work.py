"""What test processes do with the ledger. Run as `python -m tests.storage.ledger_work WHAT …`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from llm_client.policy.budget import Limit
from llm_client.policy.rate import Rate
from llm_client.storage.ledger import Ledger, local_day
from llm_client.storage.reservations import Claim
from llm_client.types.events import AttemptRecord, Labels, Outcome
from llm_client.types.response import Usage

__all__ = ["a_claim", "a_record"]

LABELS = Labels("fast", "tonight", "web", ("a", "b"))


def a_claim(
    call_id: str, attempt: int = 1, *, cost: int | None = 2_000_000, most: int = 10**15
) -> Claim:
    """Return a claim of so many nano-USD, under a budget of so many."""
    return Claim(
        call_id=call_id,
        attempt=attempt,
        day=local_day(time.time()),
        provider="openai",
        model="gpt-4o",
        labels=LABELS,
        prompt_tokens=100,
        completion_tokens=200,
        cost=cost,
        limits=(Limit(most, "total", "`total_usd`"),),
        key="openai",
        rate=Rate(),
    )


def a_record(
    call_id: str, attempt: int = 1, *, outcome: Outcome = "ok", cost: float | None = 0.001
) -> AttemptRecord:
    """Return the record of an attempt that cost so many USD."""
    return AttemptRecord(
        call_id=call_id,
        provider="openai",
        model="gpt-4o",
        started_at=time.time(),
        latency_ms=10.0,
        time_to_first_token_ms=5.0,
        outcome=outcome,
        usage=Usage(10, 20, 30, estimated_cost=cost),
        attempt=attempt,
        labels=LABELS,
    )


def call(path: Path, worker: str, count: int, *, budget: bool) -> None:
    """Make calls of one or two attempts; say each on stdout when it is over."""
    ledger = Ledger(path)
    for number in range(count):
        call_id = f"{worker}-{number}"
        attempts = 2 if number % 10 == 0 else 1
        for attempt in range(1, attempts + 1):
            ledger.reserve(a_claim(call_id, attempt, cost=2_000_000 if budget else None))
            outcome: Outcome = "ok" if attempt == attempts else "error"
            ledger.settle(a_record(call_id, attempt, outcome=outcome))
        os.write(1, f"{call_id} {attempts}\n".encode())
    ledger.close()


def main() -> None:
    what, path, worker, count = sys.argv[1:]
    call(Path(path), worker, int(count), budget=what == "budget")


if __name__ == "__main__":
    main()

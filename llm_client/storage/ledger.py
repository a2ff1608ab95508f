"""The ledger: every attempt written down, and what may be spent and asked reserved before.

Owns the rows of `attempts` and the transactions in which they are written with all that depends on
them. What is in a reservation is the business of `reservations.py`, and the questions that users
ask are that of `usage_queries.py`. Refuses text of prompts and answers, and keys.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..policy.rate import LONGEST_PAUSE
from ..types.events import AttemptRecord
from . import reservations
from .database import Database
from .lost import write_off
from .paths import data_dir
from .reservations import MOST, Claim, Grant, Settled
from .schema import MIGRATIONS
from .slots import pause, paused_until

if TYPE_CHECKING:
    from .database import Connection

__all__ = [
    "Ledger",
    "ledger_file",
    "local_day",
    "nano_cost",
    "open_ledger",
    "storable",
]

_COLUMNS: Final = (
    "call_id",
    "attempt",
    "started_at",
    "day",
    "provider",
    "model",
    "local",
    "profile",
    "session",
    "project",
    "tags",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "estimated",
    "cost",
    "latency_ms",
    "first_token_ms",
    "retry",
    "fallback",
    "outcome",
    "error_type",
)
_WRITE: Final = (
    f"INSERT INTO attempts ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    # Settled again after a Ctrl-C in the middle, or after it was given up as lost.
    " ON CONFLICT (call_id, attempt) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
)


def ledger_file(environ: Mapping[str, str]) -> Path:
    """Return where the user's ledger is, whether it exists or not."""
    return data_dir(environ) / "ledger.db"


def open_ledger(path: Path) -> Database:
    """Return the database of a ledger; it is opened, and made when missing, at its first use."""
    return Database(
        path,
        MIGRATIONS,
        what="ledger",
        remedy="put it elsewhere with LLM_CLIENT_DATA_DIR, or do without with LLM_CLIENT_LEDGER=off",
        loss="Nothing is counted as spent any more: budgets begin anew.",
    )


class Ledger:
    """The user's ledger. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.database = open_ledger(path)
        self._has_written_off = False

    def reserve(self, claim: Claim, *, wait: bool = True) -> Grant:
        """Reserve what an attempt may cost and its place in the rate limit. Idempotent.

        Raises:
            StoreError: the ledger cannot be used, as for the other methods.
            WouldWait: it cannot be used at once, and `wait` is false; nothing is done.
        """
        if claim.holds_nothing:
            return self.database.read(
                lambda connection: _pause_of(connection, claim.key), wait=wait
            )

        def work(connection: Connection) -> Grant:
            now = time.time()
            if not self._has_written_off:
                write_off(connection, now)
            return reservations.reserve(connection, claim, now)

        grant = self.database.write(work, wait=wait)
        self._has_written_off = True
        return grant

    def release(self, call_id: str, attempt: int) -> None:
        """Give back what was reserved for an attempt that was not made. Idempotent."""
        self.database.write(lambda connection: reservations.release(connection, call_id, attempt))

    def settle(
        self,
        record: AttemptRecord,
        key: str = "",
        seconds: float | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """Write an attempt down, in the place of its reservation. Idempotent.

        Args:
            record: the attempt.
            key: whose rate limit and pause it is; as in the claim.
            seconds: for how long its provider wants to be left alone by everybody.
            wait: as for `reserve`.
        """
        day, cost = local_day(record.started_at), nano_cost(record)
        settled, row = _settled(record, day, cost), _row(record, day, cost)

        def work(connection: Connection) -> None:
            reservations.settle(connection, settled)
            connection.execute(_WRITE, row)
            if seconds is not None:
                now = time.time()
                pause(connection, key, now + seconds, now)

        self.database.write(work, wait=wait)

    def close(self) -> None:
        """Close the file. Idempotent; it is opened again when it is used again."""
        self.database.close()


def _pause_of(connection: Connection, key: str) -> Grant:
    now = time.time()
    wait = paused_until(connection, key, now) - now
    return Grant(wait, paused=wait > LONGEST_PAUSE)


def local_day(at: float) -> str:
    """Return the local day of a moment in Unix time: `2026-11-20`."""
    return time.strftime("%Y-%m-%d", time.localtime(at))


def storable(text: str) -> str:
    """Return a text as the database takes it: names of files and arguments may be no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _settled(record: AttemptRecord, day: str, cost: int | None) -> Settled:
    labels, usage = record.labels, record.usage
    return Settled(
        call_id=record.call_id,
        attempt=record.attempt,
        day=day,
        provider=record.provider,
        profile=labels.profile,
        project=labels.project,
        cost=cost,
        tokens=None if usage is None else _whole(usage.total_tokens),
    )


def _row(record: AttemptRecord, day: str, cost: int | None) -> tuple[object, ...]:
    """Return the values of a record, in the order of the columns."""
    labels, usage = record.labels, record.usage
    tokens: tuple[int | None, ...] = (None,) * 5
    if usage is not None:
        tokens = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
        )
    return (
        record.call_id,
        record.attempt,
        record.started_at,
        day,
        record.provider,
        storable(record.model),
        record.local,
        labels.profile,
        labels.session,
        labels.project,
        _tags(labels.tags),
        *map(_whole, tokens),
        usage is not None and usage.estimated,
        cost,
        record.latency_ms,
        record.time_to_first_token_ms,
        record.retry,
        record.fallback,
        record.outcome,
        record.error_type,
    )


def _tags(tags: tuple[str, ...]) -> str | None:
    if not tags:
        return None
    import json

    return json.dumps(tags, ensure_ascii=False)


def _whole(number: int | None) -> int | None:
    if number is None or 0 <= number <= MOST:
        return number
    return 0 if number < 0 else MOST


def nano_cost(record: AttemptRecord) -> int | None:
    """Return what an attempt cost, in nano-USD; `None` when that is not known, or makes no sense."""
    usd = None if record.usage is None else record.usage.estimated_cost
    if usd is None or not 0 <= usd < math.inf:
        return None
    return round(min(usd, MOST / 1e9) * 1e9)

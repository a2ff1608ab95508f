"""What attempts that are under way may cost, and whether one more may be made now.

Owns the tables `reservations` and `spending` of the ledger, and the one decision that needs them
and the rate limit at one moment. Every function takes the connection of the ledger inside the
caller's `BEGIN IMMEDIATE` transaction, so that what it reads is still true when it writes. Refuses
to open, commit or catch anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..policy.rate import LONGEST_PAUSE, MINUTE, Rate, bin_of, seconds_until
from ..types.events import Labels
from .lost import write_off
from .slots import Queued, book_tokens, give_back, paused_until, place, start

if TYPE_CHECKING:
    from sqlite3 import Connection

    from ..policy.budget import Exceeded, Limit

__all__ = ["MOST", "Claim", "Grant", "Settled", "release", "reserve", "settle"]

MOST = 10**15
"""Tokens or nano-USD (a million dollars) of one attempt. Providers have been seen to say anything, and
sums end at 64 bits."""


class Claim(NamedTuple):
    """What an attempt asks for before it is made."""

    call_id: str
    attempt: int
    day: str
    """Today, local: `2026-11-20`."""
    provider: str
    model: str
    labels: Labels
    prompt_tokens: int
    """The most it may use, as the other figures."""
    completion_tokens: int
    cost: int | None
    """Nano-USD; `None`: local, or not known."""
    limits: tuple[Limit, ...] = ()
    """The budgets that hold for it."""
    key: str = ""
    """Whose rate limit and pause it is: `policy.rate.rate_key`."""
    rate: Rate = Rate()
    spent: tuple[tuple[str, int], ...] = ()
    """Provider and nano-USD of the attempts of the call so far. Its own memory, because the rows of a
    call can be deleted before it ends."""
    local: bool = False
    """As `AttemptRecord.local`."""

    @property
    def tokens(self) -> int:
        """The most tokens it may use."""
        return self.prompt_tokens + self.completion_tokens


class Grant(NamedTuple):
    """What became of a claim."""

    wait: float = 0.0
    """Seconds until the attempt may start; then it must be claimed again. 0: it may start now."""
    exceeded: tuple[Exceeded, ...] = ()
    """The budgets that it exceeds; said once. With one that blocks among them nothing is reserved."""
    paused: bool = False
    """Whether the provider wants to be left alone for longer than is waited: nothing is reserved."""
    limited: bool = False
    """Whether the configured limit leaves no place earlier; else the provider said how long."""

    @property
    def refused(self) -> Exceeded | None:
        """The first budget that does not allow the attempt."""
        return next((found for found in self.exceeded if found.limit.blocks), None)


class Settled(NamedTuple):
    """What an attempt came to, for budgets and rate limit."""

    call_id: str
    attempt: int
    day: str
    """When it started, local."""
    provider: str
    profile: str | None
    project: str | None
    cost: int | None
    """Nano-USD; `None`: unknown or local."""
    tokens: int | None
    """All that it used; `None`: nothing, as far as is known."""


def reserve(connection: Connection, claim: Claim, now: float, minute: float = MINUTE) -> Grant:
    """Reserve what an attempt may cost and its place in the rate limit.

    Claimed again after a wait, only pause and place are looked at: the money is reserved.

    Args:
        connection: within a transaction.
        claim: the attempt.
        now: Unix time, read within the transaction.
        minute: seconds of the rate limit's window.
    """
    known = connection.execute(
        "SELECT due, started_at FROM reservations WHERE call_id = ? AND attempt = ?", claim[:2]
    ).fetchone()
    exceeded: tuple[Exceeded, ...] = ()
    if known is None:
        grant = Grant(exceeded=_exceeded(connection, claim))
        if grant.refused and write_off(connection, now):
            grant = Grant(exceeded=_exceeded(connection, claim))
        if grant.refused:
            return grant
        exceeded = grant.exceeded
    elif known[0] is None:
        return Grant()  # it was let through before
    earliest = paused_until(connection, claim.key, now)
    if earliest - now > LONGEST_PAUSE:
        release(connection, claim.call_id, claim.attempt)
        return Grant(earliest - now, paused=True)
    arrived_at = now if known is None else known[1]
    wait, bin, limited = _start(connection, claim, arrived_at, earliest, now, minute)
    due = now + wait if wait else None
    if known is None:
        _insert(connection, claim, now, due, bin)
    else:
        connection.execute(
            "UPDATE reservations SET due = ?, bin = ?, started_at = ?, day = ?"
            " WHERE call_id = ? AND attempt = ?",
            (due, bin, arrived_at if wait else now, claim.day, *claim[:2]),
        )
    return Grant(wait, exceeded, limited=limited)


def _start(
    connection: Connection,
    claim: Claim,
    arrived_at: float,
    earliest: float,
    now: float,
    minute: float,
) -> tuple[float, int | None, bool]:
    """Return how long to wait, or 0 and the bin in which the attempt starts now.

    And whether the limit is why it waits.
    """
    if claim.rate == Rate():
        return earliest - now, None, False
    queued = Queued(claim.key, claim.tokens, arrived_at, claim.call_id, claim.attempt)
    bin = place(connection, queued, claim.rate, now, earliest, minute)
    if bin > bin_of(now, minute) and write_off(connection, now):
        bin = place(connection, queued, claim.rate, now, earliest, minute)
    wait = max(earliest - now, seconds_until(bin, now, minute))
    if wait:
        return wait, None, bin > bin_of(earliest, minute)
    start(connection, queued, bin)
    return 0.0, bin, False


def _insert(
    connection: Connection, claim: Claim, now: float, due: float | None, bin: int | None
) -> None:
    labels = claim.labels
    connection.execute(
        "INSERT INTO reservations (call_id, attempt, started_at, day, provider, model, local,"
        " profile, session, project, tags, prompt_tokens, completion_tokens, cost, pid, key, due,"
        " bin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            claim.call_id,
            claim.attempt,
            now,
            claim.day,
            claim.provider,
            claim.model,
            claim.local,
            labels.profile or "",
            labels.session,
            labels.project or "",
            _json_list(labels.tags),
            claim.prompt_tokens,
            claim.completion_tokens,
            None if claim.cost is None else min(claim.cost, MOST),
            os.getpid(),
            claim.key,
            due,
            bin,
        ),
    )


def _json_list(texts: tuple[str, ...]) -> str | None:
    if not texts:
        return None
    import json

    return json.dumps(texts, ensure_ascii=False)


def _exceeded(connection: Connection, claim: Claim) -> tuple[Exceeded, ...]:
    if not claim.cost or not claim.limits:
        return ()  # what costs nothing exceeds nothing
    from ..policy.budget import Exceeded  # only where there are budgets

    found = []
    under_way: dict[tuple[str, str], int] = {}
    for limit in claim.limits:
        spent, reserved = _of_call(claim, limit), 0
        if limit.period != "call":
            spent = _sum(connection, "spending", limit.since, limit)
            scope = limit.scope, limit.label
            if scope not in under_way:
                # Of whichever day: what is under way will cost it from now on.
                under_way[scope] = _sum(connection, "reservations", "", limit)
            reserved = under_way[scope]
        if spent + reserved + claim.cost > limit.amount:
            found.append(Exceeded(limit, spent, reserved, claim.cost))
    return tuple(found)


_SCOPES = {
    "": "",
    "profile": " AND profile = ?",
    "project": " AND project = ?",
    "provider": " AND provider = ?",
}


def _of_call(claim: Claim, limit: Limit) -> int:
    """Return what a call has cost so far, in the scope of a limit: its other labels stay the same."""
    return sum(
        cost
        for provider, cost in claim.spent
        if limit.scope != "provider" or provider == limit.label
    )


def _sum(connection: Connection, table: str, since: str, limit: Limit) -> int:
    values = [since, limit.label] if limit.scope else [since]
    # `sum` ends with an error beyond 64 bits; this is exact up to nine million dollars.
    query = f"SELECT total(cost) FROM {table} WHERE day >= ?{_SCOPES[limit.scope]}"
    return int(connection.execute(query, values).fetchone()[0])


def release(connection: Connection, call_id: str, attempt: int) -> None:
    """Give back what was reserved for an attempt that was not made. Idempotent."""
    row = _take(connection, call_id, attempt)
    if row is not None and row.bin is not None:
        give_back(connection, row.key, row.bin, row.tokens)


def settle(connection: Connection, settled: Settled) -> None:
    """Put what an attempt cost in the place of its reservation.

    Call it before the attempt's own row is written: of a row that there is already, because it
    was settled before or given up as lost, the cost is taken back. So it counts once.
    """
    before = connection.execute(
        "SELECT day, provider, profile, project, cost FROM attempts"
        " WHERE call_id = ? AND attempt = ?",
        settled[:2],
    ).fetchone()
    if before is not None:
        day, provider, profile, project, cost = before
        _spend(connection, day, provider, profile, project, -(cost or 0))
    _spend(
        connection,
        settled.day,
        settled.provider,
        settled.profile,
        settled.project,
        settled.cost or 0,
    )
    row = _take(connection, settled.call_id, settled.attempt)
    if row is not None and row.bin is not None:
        used = row.prompt_tokens if settled.tokens is None else settled.tokens
        book_tokens(connection, row.key, row.bin, used - row.tokens)


def _spend(
    connection: Connection,
    day: str,
    provider: str,
    profile: str | None,
    project: str | None,
    cost: int,
) -> None:
    if cost:
        connection.execute(
            "INSERT INTO spending (day, provider, profile, project, cost) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (day, provider, profile, project)"
            " DO UPDATE SET cost = cost + excluded.cost",
            (day, provider, profile or "", project or "", cost),
        )


class _Reserved(NamedTuple):
    key: str
    bin: int | None
    prompt_tokens: int
    tokens: int


def _take(connection: Connection, call_id: str, attempt: int) -> _Reserved | None:
    """Remove a reservation and return it."""
    row = connection.execute(
        "SELECT key, bin, prompt_tokens, prompt_tokens + completion_tokens FROM reservations"
        " WHERE call_id = ? AND attempt = ?",
        (call_id, attempt),
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "DELETE FROM reservations WHERE call_id = ? AND attempt = ?", (call_id, attempt)
    )
    return _Reserved(*row)

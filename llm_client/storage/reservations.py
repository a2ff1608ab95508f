"""What attempts that are under way may cost, and whether one more may be made now.

Owns the tables `reservations` and `spending` of the ledger, and the one decision that needs them
and the rate limit at one moment. Every function takes the connection of the ledger inside the
caller's `BEGIN IMMEDIATE` transaction, so that what it reads is still true when it writes. Refuses
to open, commit or catch anything.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..policy.rate import LONGEST_PAUSE, MINUTE, NO_RATE, Rate, bin_of, seconds_until
from ..types.events import Labels
from .lost import write_off
from .slots import Queued, book_tokens, give_back, pause_end, place, start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from ..policy.budget import Exceeded, Limit, Standing

__all__ = [
    "MOST",
    "Claim",
    "Grant",
    "Settled",
    "exceeded_alone",
    "release",
    "reserve",
    "settle",
    "standings",
]

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
    rate: Rate = NO_RATE
    spent: tuple[tuple[str, int], ...] = ()
    """Provider and nano-USD of the attempts of the call so far. Its own memory, because the rows of a
    call can be deleted before it ends."""
    local: bool = False
    """As `AttemptRecord.local`."""

    @property
    def tokens(self) -> int:
        """The most tokens it may use."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def holds_nothing(self) -> bool:
        """Whether there is nothing to reserve: no limit holds, or it costs nothing."""
        return self.rate == NO_RATE and not (self.limits and self.cost)


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
        if not self.exceeded:
            return None
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
    # One statement where two would do: each costs every call of a library 2 µs.
    until, arrived_at, due = connection.execute(
        "SELECT p.until, r.started_at, r.due FROM (SELECT 1) LEFT JOIN pauses AS p ON p.key = ?"
        " LEFT JOIN reservations AS r ON r.call_id = ? AND r.attempt = ?",
        (claim.key, claim.call_id, claim.attempt),
    ).fetchone()
    is_new = arrived_at is None
    exceeded: tuple[Exceeded, ...] = ()
    if is_new:
        arrived_at = now
        grant = Grant(exceeded=_exceeded(connection, claim))
        if grant.refused and write_off(connection, now):
            grant = Grant(exceeded=_exceeded(connection, claim))
        if grant.refused:
            return grant
        exceeded = grant.exceeded
    elif due is None:
        return Grant()  # it was let through before
    earliest = pause_end(until, now)
    if earliest - now > LONGEST_PAUSE:
        release(connection, claim.call_id, claim.attempt)
        return Grant(earliest - now, paused=True)
    wait, bin, limited = _start(connection, claim, arrived_at, earliest, now, minute)
    due = now + wait if wait else None
    if is_new:
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
    if claim.rate == NO_RATE:
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


def exceeded_alone(claim: Claim) -> Exceeded | None:
    """Return the first limit of a single call that does not allow an attempt: it needs no ledger."""
    for limit in claim.limits if claim.cost else ():
        if limit.period == "call" and limit.blocks:
            spent = _of_call(claim, limit)
            if claim.cost and spent + claim.cost > limit.amount:
                from ..policy.budget import Exceeded

                return Exceeded(limit, spent, 0, claim.cost)
    return None


def _exceeded(connection: Connection, claim: Claim) -> tuple[Exceeded, ...]:
    if not claim.cost or not claim.limits:
        return ()  # what costs nothing exceeds nothing
    query, values, places = _sums(claim.limits)
    sums = connection.execute(query, values).fetchone() if query else ()
    found = []
    for limit, (spent_at, reserved_at) in zip(claim.limits, places, strict=True):
        if limit.period == "call":
            spent, reserved = _of_call(claim, limit), 0
        else:
            spent, reserved = int(sums[spent_at]), int(sums[reserved_at])
        if spent + reserved + claim.cost > limit.amount:
            from ..policy.budget import Exceeded

            found.append(Exceeded(limit, spent, reserved, claim.cost))
    return tuple(found)


@lru_cache(maxsize=64)
def _sums(
    limits: tuple[Limit, ...],
) -> tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Return the one statement that adds up what is used of limits, and its values.

    And where in its row is, for each limit, what was spent and what is reserved. It is empty where
    there is nothing to add up: of a single call.
    """
    columns: dict[tuple[str, ...], int] = {}

    def place(table: str, limit: Limit, since: str) -> int:
        return columns.setdefault((table, limit.scope, limit.label, since), len(columns))

    places = tuple(
        (-1, -1)
        if limit.period == "call"
        # Reserved on whichever day: what is under way will cost it from now on.
        else (place("spending", limit, limit.since), place("reservations", limit, ""))
        for limit in limits
    )
    parts = [f"({_SUM.format(table, _SCOPES[scope])})" for table, scope, _, _ in columns]
    values = [[since, label] if scope else [since] for _, scope, label, since in columns]
    query = f"SELECT {', '.join(parts)}" if parts else ""
    return query, tuple(value for each in values for value in each), places


_SUM = "SELECT total(cost) FROM {} WHERE day >= ?{}"
"""`sum` ends with an error beyond 64 bits; this is exact up to nine million dollars."""


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
    query = _SUM.format(table, _SCOPES[limit.scope])
    return int(connection.execute(query, values).fetchone()[0])


def standings(connection: Connection, limits: Sequence[Limit]) -> list[Standing]:
    """Return what is used of limits, none of which is that of a single call."""
    from ..policy.budget import Standing

    return [
        Standing(
            limit,
            _sum(connection, "spending", limit.since, limit),
            _sum(connection, "reservations", "", limit),
        )
        for limit in limits
    ]


_DELETE = "DELETE FROM reservations WHERE call_id = ? AND attempt = ?"


def release(connection: Connection, call_id: str, attempt: int) -> None:
    """Give back what was reserved for an attempt that was not made. Idempotent."""
    row = connection.execute(
        "SELECT key, bin, prompt_tokens + completion_tokens FROM reservations"
        " WHERE call_id = ? AND attempt = ?",
        (call_id, attempt),
    ).fetchone()
    if row is None:
        return
    connection.execute(_DELETE, (call_id, attempt))
    key, bin, tokens = row
    if bin is not None:
        give_back(connection, key, bin, tokens)


def settle(connection: Connection, settled: Settled) -> None:
    """Put what an attempt cost in the place of its reservation.

    Call it before the attempt's own row is written: of a row that there is already, because it
    was settled before or given up as lost, the cost is taken back. So it counts once.
    """
    own = settled[:2]
    day, provider, profile, project, cost, *found = connection.execute(
        "SELECT a.day, a.provider, a.profile, a.project, a.cost,"
        " r.key, r.bin, r.prompt_tokens, r.prompt_tokens + r.completion_tokens FROM (SELECT 1)"
        " LEFT JOIN attempts AS a ON a.call_id = ? AND a.attempt = ?"
        " LEFT JOIN reservations AS r ON r.call_id = ? AND r.attempt = ?",
        own + own,
    ).fetchone()
    if day is not None:
        _spend(connection, day, provider, profile, project, -(cost or 0))
    _spend(
        connection,
        settled.day,
        settled.provider,
        settled.profile,
        settled.project,
        settled.cost or 0,
    )
    key, bin, prompt_tokens, tokens = found
    if key is not None:
        connection.execute(_DELETE, own)
    if bin is not None:
        used = prompt_tokens if settled.tokens is None else settled.tokens
        book_tokens(connection, key, bin, used - tokens)


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

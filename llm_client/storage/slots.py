"""The rate limit and the pauses of a provider, for all processes of the machine.

Owns the tables `slots` and `pauses` of the ledger. Like `reservations.py`, whose part it is, it
works inside the caller's transaction; `now` must be read in there, because a wait for the lock is
a wait too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..policy.rate import MINUTE, SPAN, Rate, Slot, bin_of, first_bin, fits

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = [
    "Queued",
    "book_tokens",
    "forget",
    "give_back",
    "pause",
    "pause_end",
    "paused_until",
    "place",
    "start",
]

LONGEST_NOTED_PAUSE = 600.0
"""Seconds. A provider that asks for more is asked again after that: the user may have paid."""
GRACE = 10.0
"""Seconds by which a waiting attempt may come late and keep its place before the others."""
_CLOCK_STEP = SPAN // 10
"""Bins. What started later than that from now did so before the clock was set back."""

_BEFORE = (
    "FROM reservations WHERE key = ? AND due > ? AND (started_at, call_id, attempt) < (?, ?, ?)"
)
_AT_ONCE = (
    f"SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0), EXISTS (SELECT 1 {_BEFORE})"
    " FROM slots WHERE key = ? AND bin > ? AND bin <= ?"
)


class Queued(NamedTuple):
    """An attempt in the order of the queue."""

    key: str
    tokens: int
    arrived_at: float
    """Unix time in seconds; with call and attempt it is the order of all that wait."""
    call_id: str
    attempt: int


def pause(connection: Connection, key: str, until: float, now: float) -> None:
    """Let nobody ask a provider before a time, or before the time that was noted already."""
    connection.execute("DELETE FROM pauses WHERE until <= ?", (now,))
    connection.execute(
        "INSERT INTO pauses (key, until) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET until = max(until, excluded.until)",
        (key, min(until, now + LONGEST_NOTED_PAUSE)),
    )


def paused_until(connection: Connection, key: str, now: float) -> float:
    """Return until when a provider wants to be left alone; `now` when it does not."""
    row = connection.execute("SELECT until FROM pauses WHERE key = ?", (key,)).fetchone()
    return pause_end(None if row is None else row[0], now)


def pause_end(until: float | None, now: float) -> float:
    """Return when a pause ends that was noted, or `None`; `now` when there is none."""
    # A time further away than any that is noted: the clock was set back.
    return now if until is None or not now < until <= now + LONGEST_NOTED_PAUSE else until


def place(
    connection: Connection,
    queued: Queued,
    rate: Rate,
    now: float,
    earliest: float,
    minute: float = MINUTE,
) -> int:
    """Return the bin in which an attempt may start, behind those that wait already.

    Args:
        connection: within a transaction.
        queued: the attempt.
        rate: its limit.
        now: Unix time, read within the transaction.
        earliest: Unix time before which it does not start.
        minute: seconds of the window.
    """
    first = bin_of(earliest, minute)
    before = (queued.key, now - GRACE, queued.arrived_at, queued.call_id, queued.attempt)
    window = (queued.key, first - SPAN, first + _CLOCK_STEP)
    requests, tokens, is_behind = connection.execute(_AT_ONCE, before + window).fetchone()
    if not is_behind and fits(requests, tokens, queued.tokens, rate):
        return first  # nearly always; to look at every bin would cost ten times as much
    waiting = connection.execute(
        f"SELECT prompt_tokens + completion_tokens {_BEFORE} ORDER BY started_at, call_id, attempt",
        before,
    ).fetchall()
    started = connection.execute(
        "SELECT bin, requests, tokens FROM slots WHERE key = ? AND bin > ? AND bin <= ?"
        " ORDER BY bin",
        window,
    )
    return first_bin(
        map(Slot._make, started), (row[0] for row in waiting), queued.tokens, rate, first
    )


def start(connection: Connection, queued: Queued, bin: int) -> None:
    """Count an attempt that starts now; with the first of a bin, forget what counts no more."""
    if connection.execute(
        "UPDATE slots SET requests = requests + 1, tokens = tokens + ? WHERE key = ? AND bin = ?",
        (queued.tokens, queued.key, bin),
    ).rowcount:
        return
    # One by one, because with OR every bin of the minute is looked at.
    connection.execute("DELETE FROM slots WHERE key = ? AND bin <= ?", (queued.key, bin - SPAN))
    connection.execute(
        "DELETE FROM slots WHERE key = ? AND bin > ?", (queued.key, bin + _CLOCK_STEP)
    )
    connection.execute(
        "INSERT INTO slots (key, bin, requests, tokens) VALUES (?, ?, 1, ?)",
        (queued.key, bin, queued.tokens),
    )


def book_tokens(connection: Connection, key: str, bin: int, more: int) -> None:
    """Correct the tokens of a bin by how many more, or fewer, an attempt used than it might."""
    connection.execute(
        "UPDATE slots SET tokens = max(0, tokens + ?) WHERE key = ? AND bin = ?", (more, key, bin)
    )


def give_back(connection: Connection, key: str, bin: int, tokens: int) -> None:
    """Take back an attempt that was counted and not made."""
    connection.execute(
        "UPDATE slots SET requests = requests - 1, tokens = max(0, tokens - ?)"
        " WHERE key = ? AND bin = ?",
        (tokens, key, bin),
    )
    connection.execute("DELETE FROM slots WHERE key = ? AND bin = ? AND requests <= 0", (key, bin))


def forget(connection: Connection, now: float, minute: float = MINUTE) -> None:
    """Delete what has passed, of every provider."""
    connection.execute("DELETE FROM slots WHERE bin <= ?", (bin_of(now, minute) - SPAN,))
    connection.execute("DELETE FROM pauses WHERE until <= ?", (now,))

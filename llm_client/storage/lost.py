"""Attempts whose process died while they were under way.

Owns how they are told from those that go on, and that they are booked at what they may have cost:
the provider may bill them. Works within the caller's transaction, like `reservations.py`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from .slots import forget

if TYPE_CHECKING:
    from sqlite3 import Connection

__all__ = ["has_lost", "write_off"]

_LONGEST_ATTEMPT = 86_400.0
"""Seconds after which an attempt is given up, also when its process seems to live: its number may
be another's by now."""
_BEGAN = time.time()
"""A reservation under this process's number from before was made by another of that number: in a
container every process has the same."""


def write_off(connection: Connection, now: float) -> int:
    """Book the attempts of dead processes as lost, at what they may have cost; forget what passed.

    To be called once when the ledger is opened; `reserve` does when it would refuse or wait.

    Returns:
        How many reservations went.
    """
    forget(connection, now)
    dead = _dead(connection, now)
    for call_id, attempt, due in dead:
        if due is None:
            _lose(connection, call_id, attempt)
        connection.execute(
            "DELETE FROM reservations WHERE call_id = ? AND attempt = ?", (call_id, attempt)
        )
    return len(dead)


def has_lost(connection: Connection, now: float) -> bool:
    """Return whether there are attempts of dead processes that are not booked yet. Only reads."""
    return any(due is None for _, _, due in _dead(connection, now))


def _dead(connection: Connection, now: float) -> list[tuple[str, int, float | None]]:
    """Return call, attempt and time of waking of the reservations of dead processes."""
    own = os.getpid()
    too_old = now - _LONGEST_ATTEMPT
    rows = connection.execute(
        "SELECT call_id, attempt, pid, started_at, due FROM reservations"
        " WHERE pid <> ? OR started_at < ?",
        (own, max(_BEGAN, too_old)),
    )
    alive = {own: False}
    dead = []
    for call_id, attempt, pid, started_at, due in rows:
        if pid not in alive:
            alive[pid] = _is_alive(pid)
        if not alive[pid] or started_at < too_old:
            dead.append((call_id, attempt, due))
    return dead


def _lose(connection: Connection, call_id: str, attempt: int) -> None:
    """Book an attempt that was let through and never settled: it may have been billed."""
    connection.execute(
        "INSERT INTO spending (day, provider, profile, project, cost)"
        " SELECT day, provider, profile, project, cost FROM reservations"
        " WHERE call_id = ? AND attempt = ? AND cost > 0"
        " ON CONFLICT (day, provider, profile, project)"
        " DO UPDATE SET cost = cost + excluded.cost",
        (call_id, attempt),
    )
    connection.execute(
        "INSERT INTO attempts (call_id, attempt, started_at, day, provider, model, local,"
        " profile, session, project, tags, prompt_tokens, completion_tokens, estimated, cost, latency_ms,"
        " retry, fallback, outcome)"
        " SELECT call_id, attempt, started_at, day, provider, model, local, nullif(profile, ''),"
        " session, nullif(project, ''), tags, prompt_tokens, completion_tokens, 1, cost, 0, 0, 0, 'lost'"
        " FROM reservations WHERE call_id = ? AND attempt = ?",
        (call_id, attempt),
    )


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # os.kill would end it; the age decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        return True
    return True

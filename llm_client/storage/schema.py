"""The tables of the ledger, version by version.

Owns their shape. A version that was released is never changed: what is new comes behind it, as a
further list of statements.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MIGRATIONS"]

_VERSION_1: Final = (
    # One row per attempt. Never text of a prompt or an answer, never a key.
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        call_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,      -- from 1 within the call; 0: from the response cache
        started_at REAL NOT NULL,      -- Unix time, seconds
        day TEXT NOT NULL,             -- of started_at, local: 2026-11-20
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        local INTEGER NOT NULL,        -- 1: on this machine, where no price is none to be told
        profile TEXT,
        session TEXT,
        project TEXT,
        tags TEXT,                     -- a JSON list; NULL: none
        prompt_tokens INTEGER,         -- NULL: nothing was used, as far as is known
        completion_tokens INTEGER,
        cached_tokens INTEGER,
        cache_write_tokens INTEGER,
        reasoning_tokens INTEGER,
        estimated INTEGER NOT NULL,    -- 1: the tokens are a guess
        cost INTEGER,                  -- nano-USD; NULL: unknown or local
        latency_ms REAL NOT NULL,
        first_token_ms REAL,
        retry INTEGER NOT NULL,        -- 0: the first attempt at its target
        fallback INTEGER NOT NULL,     -- position of the target in the route
        outcome TEXT NOT NULL,         -- ok, error, interrupted, abandoned, cached, lost
        error_type TEXT,
        UNIQUE (call_id, attempt)
    )
    """,
    "CREATE INDEX attempts_by_time ON attempts (started_at)",
    "CREATE INDEX attempts_by_day ON attempts (day)",
    # What was spent, so that a budget need not add up attempts. It outlives what is pruned.
    """
    CREATE TABLE spending (
        day TEXT NOT NULL,             -- local
        provider TEXT NOT NULL,
        profile TEXT NOT NULL,         -- empty: none
        project TEXT NOT NULL,         -- empty: none
        cost INTEGER NOT NULL,         -- nano-USD
        PRIMARY KEY (day, provider, profile, project)
    ) WITHOUT ROWID
    """,
    # What attempts that are under way may cost. One whose process died becomes a lost attempt.
    """
    CREATE TABLE reservations (
        call_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_at REAL NOT NULL,
        day TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        local INTEGER NOT NULL,
        profile TEXT NOT NULL,         -- empty: none
        session TEXT,
        project TEXT NOT NULL,         -- empty: none
        tags TEXT,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        cost INTEGER,                  -- nano-USD; NULL: unknown or local
        pid INTEGER NOT NULL,
        key TEXT NOT NULL,             -- of slots and pauses
        due REAL,                      -- it waits, and asks again then; NULL: it was let through
        bin INTEGER,                   -- of slots; NULL: it has no place there
        PRIMARY KEY (call_id, attempt)
    ) WITHOUT ROWID
    """,
    # Requests and tokens by provider, address and key, in bins of time.
    """
    CREATE TABLE slots (
        key TEXT NOT NULL,
        bin INTEGER NOT NULL,          -- of when the requests start
        requests INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        PRIMARY KEY (key, bin)
    ) WITHOUT ROWID
    """,
    # Until when a provider wants to be left alone, as Unix time in seconds.
    "CREATE TABLE pauses (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
)

MIGRATIONS: Final = (_VERSION_1,)
"""The statements that lead to each version, from 1; `PRAGMA user_version` says which one it is."""

"""Answers on disk, kept for a while and given again to the same question, by all processes.

Owns what is kept of an answer and for how long, and what goes when there is no more room: what was
not used for longest. What the same question is, `policy/cache_key.py` says.

A failure costs the cache and one notice, never the answer. The directory is the user's alone, and
one of another user is refused: whoever can write there can put words into a model's mouth.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from ..policy.cache_key import cache_key, is_worth_keeping
from ..types.messages import ToolCall
from ..types.request import LLMRequest
from ..types.response import LLMResponse, Usage
from ..types.target import Target
from .database import Connection, Database, StoreError

__all__ = ["ResponseCache"]

T = TypeVar("T")

_MIGRATIONS: Final = (
    (
        """
        CREATE TABLE responses (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE,
            stored_at REAL NOT NULL,   -- Unix time, seconds
            used_at REAL NOT NULL,     -- to a minute
            digest BLOB NOT NULL,      -- of key and body: SQLite does not see that bits have changed
            body BLOB NOT NULL         -- JSON
        )
        """,
        "CREATE INDEX responses_by_use ON responses (used_at)",
    ),
)
_USE_SECONDS: Final = 60.0
"""How exactly it is known when an answer was used: a hit within this time writes nothing."""
_MOST_REMOVED: Final = 5000
"""Answers that go for a new one, 4 microseconds each; what is still too much goes with the next."""
_ROW_BYTES: Final = 200
"""What an answer takes besides its body."""
_PATIENCE_SECONDS: Final = 5.0
"""The answer is there, and whoever wants it waits no longer than this for it to be kept."""
_REST_SECONDS: Final = 60.0
"""How long a cache that failed is left alone: finding out that a file is locked takes time."""
_NOT_KEPT: Final = frozenset(
    {
        "attempts",
        "fallback_provider",
        "latency_ms",
        "metadata",
        "parsed",  # made again, because it may be an object of any type
        "raw",  # would double the size, and a streamed answer has none
        "retry_count",
        "used_fallback",
    }
)
"""Fields of an answer that are about the call it came from."""


class ResponseCache:
    """The answers of one user. Safe to share between threads."""

    def __init__(
        self,
        directory: Path,
        ttl: float,
        max_bytes: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep answers.

        Args:
            directory: for this cache alone; made when it is missing.
            ttl: seconds after which an answer counts no more; 0 or less keeps none.
            max_bytes: on disk.
            wall_clock: returns Unix time.
        """
        self._directory = directory
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._wall_clock = wall_clock
        self._database = Database(
            directory / "responses.db",
            _MIGRATIONS,
            what="response cache",
            remedy="leave it out with `--no-cache`",
            patience=_PATIENCE_SECONDS,
            keeps=False,  # nobody would ever delete those answers
        )
        self._is_checked = False
        self._rests_until = 0.0
        self._notes_from = 0.0
        self._told = False

    def lookup(self, request: LLMRequest, target: Target) -> LLMResponse | None:
        """Return the answer of a target to a request, if a fresh one is there."""
        return self._tolerantly(lambda: self._lookup(request, target))

    def store(self, request: LLMRequest, target: Target, response: LLMResponse) -> None:
        """Keep the answer of a target, if it is whole and not too long."""
        self._tolerantly(lambda: self._store(request, target, response))

    def close(self) -> None:
        """Close the file. Idempotent; it is opened again when it is used again."""
        self._database.close()

    def _tolerantly(self, work: Callable[[], T]) -> T | None:
        """Return what `work` brings; raise what goes wrong the first time, then do without."""
        if self._ttl <= 0 or time.monotonic() < self._rests_until:
            return None
        try:
            result = work()
        except Exception as error:
            if isinstance(error, StoreError):
                self._rests_until = time.monotonic() + _REST_SECONDS
            if self._told:
                return None
            self._told = True
            raise
        if (notices := self._database.take_notices()) and not self._told:
            self._told = True
            raise StoreError(notices[0])
        return result

    def _lookup(self, request: LLMRequest, target: Target) -> LLMResponse | None:
        body = self._load(cache_key(request, target))
        response = None if body is None else _read(body)
        if response is None or request.schema is None:
            return response
        from ..policy.structured import judge

        judged, problems = judge(response, request)
        return None if problems else judged

    def _load(self, key: bytes) -> bytes | None:
        self._check_directory()
        row = self._database.read(
            lambda connection: connection.execute(
                "SELECT stored_at, used_at, digest, body FROM responses WHERE key = ?", (key,)
            ).fetchone()
        )
        if row is None:
            return None
        stored_at, used_at, digest, body = row
        now = self._wall_clock()
        if not 0 <= now - stored_at < self._ttl or digest != _digest(key, body):
            return None
        if abs(now - used_at) >= _USE_SECONDS:
            self._note_use(key, now)
        return bytes(body)

    def _note_use(self, key: bytes, now: float) -> None:
        if time.monotonic() < self._notes_from:
            return
        try:
            self._database.write(
                lambda connection: connection.execute(
                    "UPDATE responses SET used_at = ? WHERE key = ?", (now, key)
                )
            )
        except StoreError:  # the answer is there, and the next ones need not wait
            self._notes_from = time.monotonic() + _REST_SECONDS

    def _store(self, request: LLMRequest, target: Target, response: LLMResponse) -> None:
        if not is_worth_keeping(request, response):
            return
        body = _written(response)
        if len(body) + _ROW_BYTES > self._max_bytes:
            return
        key = cache_key(request, target)
        row = (key, self._wall_clock(), _digest(key, body), body)
        self._check_directory()
        self._database.write(lambda connection: self._insert(connection, row))

    def _insert(self, connection: Connection, row: tuple[bytes, float, bytes, bytes]) -> None:
        key, now, digest, body = row
        connection.execute("DELETE FROM responses WHERE key = ?", (key,))
        # A clock that was wrong leaves answers that are never found and never the oldest.
        connection.execute(
            "DELETE FROM responses WHERE id IN "
            "(SELECT id FROM responses WHERE used_at < ? OR used_at > ? LIMIT ?)",
            (now - self._ttl, now + _USE_SECONDS, _MOST_REMOVED),
        )
        excess = _used_bytes(connection) + len(body) + _ROW_BYTES - self._max_bytes
        if excess > 0:
            _make_room(connection, excess)
        connection.execute(
            "INSERT INTO responses (key, stored_at, used_at, digest, body) VALUES (?, ?, ?, ?, ?)",
            (key, now, now, digest, body),
        )

    def _check_directory(self) -> None:
        """Make the directory, and see that it is this user's alone.

        Raises:
            StoreError: it is another user's, or cannot be made.
        """
        if self._is_checked:
            return
        try:
            # One by one: of several only the last would get its mode.
            for directory in (*reversed(self._directory.parents), self._directory):
                directory.mkdir(mode=0o700, exist_ok=True)
            found = self._directory.stat()
            if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
                raise StoreError(
                    f"The response cache {str(self._directory)!r} belongs to another user.",
                    hint="Name another directory: `export LLM_CLIENT_CACHE_DIR=…`.",
                )
            if found.st_mode & 0o077:
                self._directory.chmod(0o700)
        except OSError as error:
            is_file = isinstance(error, FileExistsError | NotADirectoryError)
            reason = "a file is in the place of a directory" if is_file else error.strerror
            raise StoreError(
                f"Cannot use the response cache {str(self._directory)!r}: {reason}.",
                hint="Name another directory: `export LLM_CLIENT_CACHE_DIR=…`.",
            ) from error
        self._is_checked = True


def _used_bytes(connection: Connection) -> int:
    """Return how much of the file is in use: what was freed in it is used again."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    used: int = (pages - free) * size
    return used


def _make_room(connection: Connection, excess: float) -> None:
    """Remove what was not used for longest, until so many bytes are free."""
    victims: list[tuple[int]] = []
    oldest = connection.execute(
        "SELECT id, length(body) FROM responses ORDER BY used_at LIMIT ?", (_MOST_REMOVED,)
    )
    for number, size in oldest:
        victims.append((number,))
        excess -= size + _ROW_BYTES
        if excess <= 0:
            break
    oldest.close()
    connection.executemany("DELETE FROM responses WHERE id = ?", victims)


def _digest(key: bytes, body: bytes) -> bytes:
    return hashlib.sha256(key + body).digest()[:16]


def _written(response: LLMResponse) -> bytes:
    """Return what is kept of an answer."""
    kept = {
        field.name: getattr(response, field.name)
        for field in fields(LLMResponse)
        if field.name not in _NOT_KEPT
    }
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=asdict)
    return text.encode("utf-8", "surrogatepass")  # half a character, as some models write it


def _read(body: bytes) -> LLMResponse | None:
    """Return the answer that was kept; `None` when another version of the program kept it."""
    try:
        kept: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
        kept["tool_calls"] = tuple(ToolCall(**call) for call in kept["tool_calls"])
        if kept["usage"] is not None:
            kept["usage"] = Usage(**kept["usage"])
        if kept["provider_state"] is not None:
            from ..types.content import ProviderState

            state = kept["provider_state"]
            kept["provider_state"] = ProviderState(**{**state, "items": tuple(state["items"])})
        return LLMResponse(**kept)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

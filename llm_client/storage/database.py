"""A SQLite file that many processes, threads and forks share, and that may fail at any time.

Owns how it is opened, locked, brought to the newest version and, when damaged, set aside. What is
in it is the business of its users (`ledger.py`, `response_cache.py`).

It never says "database is locked": a transaction that finds the file busy is run again until
`PATIENCE_SECONDS` are over. It refuses to touch a database of a newer version or of another
program, and overwrites or deletes no damaged one that is worth keeping. Every failure is a
`StoreError`.

The file is opened by SQLite only: when a process closes another handle of a file, POSIX takes away
all locks that it has there.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from .forking import close_before_forks
from .haste import StoreError, WouldWait
from .sqlite_files import CHECKPOINTS, DAMAGED, code_of, connected, discard, set_aside

__all__ = ["Connection", "Database", "StoreError"]

T = TypeVar("T")
Connection: TypeAlias = sqlite3.Connection

PATIENCE_SECONDS: Final = 30.0
"""A transaction takes 0.1 ms; a disk that has to catch up, or a process that was stopped in the
middle of one, takes longer."""
_MOST_HASTY: Final = 100
"""How many transactions may pass without a chance to write the log back."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_REASONS: Final = {
    sqlite3.SQLITE_BUSY: "another process has kept it locked for too long",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened or made",
    sqlite3.SQLITE_IOERR: "the disk does not take or give its pages",
}


class Database:
    """One file. Opened when it is first used; safe to share between threads, and across forks."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Sequence[str]],
        *,
        what: str,
        remedy: str,
        patience: float | None = None,
        keeps: bool = True,
        loss: str = "",
    ) -> None:
        """Remember where the file is.

        Args:
            path: of the file; its directory is made when it is missing.
            migrations: the statements that lead to each version, from 1.
            what: what it is called in messages: `ledger`.
            remedy: how to do without it or put it elsewhere, for the hints.
            patience: seconds that a transaction may take to begin, instead of `PATIENCE_SECONDS`.
            keeps: whether a damaged file is kept under another name; else it is deleted.
            loss: what else it means that a new one is begun, for the notice.
        """
        self.path = path
        self._name = str(path)  # a transaction asks which file is there
        self._migrations = migrations
        self._what = what
        self._remedy = remedy
        self._patience = patience
        self._keeps = keeps
        self._loss = loss
        # Reentrant, because a collected stream settles its books wherever this thread is.
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._pid = 0
        self._hasty = 0
        """Transactions in haste since one that was not."""
        self._notices: list[str] = []
        close_before_forks(self)

    def write(self, work: Callable[[Connection], T], *, wait: bool = True) -> T:
        """Run `work` in a transaction of its own that nobody else writes beside; return its result.

        It is run again when the file was busy or has been replaced, so it must not do anything
        else. What it raises undoes the transaction.

        Raises:
            StoreError: the file cannot be used.
            WouldWait: it cannot be used at once, and `wait` is false; nothing is done.
        """
        return self._run(work, "BEGIN IMMEDIATE") if wait else self._try(work, "BEGIN IMMEDIATE")

    def read(self, work: Callable[[Connection], T], *, wait: bool = True) -> T:
        """Run `work` on one unchanging state of the database, beside all writers.

        Raises:
            StoreError: the file cannot be used.
            WouldWait: as in `write`.
        """
        return self._run(work, "BEGIN") if wait else self._try(work, "BEGIN")

    def take_notices(self) -> tuple[str, ...]:
        """Return what the user should know about the file, once."""
        notices, self._notices = tuple(self._notices), []
        return notices

    def close(self) -> None:
        """Close the file. Idempotent; it is opened again when it is used again."""
        with self._lock:
            self._shut()

    def before_fork(self) -> None:
        """Close the file, and let no other thread open it before the fork is done."""
        self._lock.acquire()
        self._shut()

    def after_fork(self, *, child: bool) -> None:
        """Let the file be used again."""
        if child:
            self._lock = threading.RLock()
        else:
            self._lock.release()

    def __del__(self) -> None:
        # Python warns of a connection that nobody closed. There is none when `__init__` failed.
        if getattr(self, "_connection", None) is not None:
            self._shut()

    def _run(self, work: Callable[[Connection], T], begin: str) -> T:
        nested: bool = self._lock._is_owned()  # type: ignore[attr-defined]  # used by Condition
        with self._lock:
            connection = self._connection
            if nested and connection is not None and connection.in_transaction:
                return _within(connection, work)
            self._take_time()
            patience = PATIENCE_SECONDS if self._patience is None else self._patience
            until, repaired = time.monotonic() + patience, False
            while True:
                try:
                    return self._once(work, begin, nested)
                except sqlite3.Error as error:
                    code = code_of(error)
                    if code in _BUSY and time.monotonic() < until:
                        _pause()
                    elif code in DAMAGED and not repaired:
                        repaired = True
                        self._repair(error)
                    else:
                        raise self._failure(error) from error
                except OSError as error:
                    raise self._failure(error) from error

    def _try(self, work: Callable[[Connection], T], begin: str) -> T:
        """Run `work` without waiting for another, and without writing the log back to the disk."""
        if not self._lock.acquire(blocking=False):
            raise WouldWait
        try:
            connection = self._connection
            if (
                connection is None
                or connection.in_transaction
                or self._hasty == _MOST_HASTY
                or self._pid != os.getpid()
                or self._file != _identity(self._name)
            ):
                raise WouldWait
            if not self._hasty:
                connection.execute("PRAGMA wal_autocheckpoint=0")
            self._hasty += 1
            return self._once(work, begin, nested=False)
        except sqlite3.Error:
            raise WouldWait from None  # who waits finds out what it is
        finally:
            self._lock.release()

    def _once(self, work: Callable[[Connection], T], begin: str, nested: bool) -> T:
        connection = self._ready(nested)
        try:
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        return result

    def _take_time(self) -> None:
        """Let the log be written back again, which the hasty left to others."""
        if self._hasty and self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute(CHECKPOINTS)
        self._hasty = 0

    def _ready(self, nested: bool) -> Connection:
        """Return a connection to the file that is at the path now, outside of a transaction."""
        connection = self._connection
        if connection is not None and self._pid != os.getpid():
            # Inherited by a fork that nobody announced: closing it would break the parent's locks.
            _inherited.append(connection)
            self._connection = connection = None
        if connection is not None and self._file == _identity(self._name):
            if not nested:
                _roll_back(connection)  # what a second Ctrl-C has left
            return connection
        self._shut()
        return self._open()

    def _open(self) -> Connection:
        self._file = None  # not ready, until it is known which file this is
        self._connection = connection = self._connect()
        self._pid = os.getpid()
        # First of all, because it is read without the schema, which may be a newer one's.
        version = self._version(connection)
        # In this mode a crash of the machine can cost the last rows, never the database.
        connection.execute("PRAGMA synchronous=NORMAL")
        if version != len(self._migrations):
            _alone_in(self.path.parent, lambda: self._migrate(connection))
        self._file = _identity(self._name)
        return connection

    def _connect(self) -> Connection:
        try:
            return connected(self.path)
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_CANTOPEN:
                raise
        # Its directory may be missing, or another process is just making it.
        from .private_files import make_private_directory

        make_private_directory(self.path.parent)
        return connected(self.path)

    def _version(self, connection: Connection) -> int:
        """Return the version of the database."""
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if 0 <= version <= len(self._migrations):
            return version
        raise StoreError(
            f"The {self._what} {str(self.path)!r} has version {version}, and this program knows "
            f"only version {len(self._migrations)}: it is left as it is.",
            hint=f"Upgrade llm-client, or {self._remedy}.",
        )

    def _migrate(self, connection: Connection) -> None:
        if self._version(connection) == 0:
            if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise StoreError(
                    f"{str(self.path)!r} is no {self._what} but a database of another program: it "
                    "is left as it is.",
                    hint=f"Move it away, or {self._remedy}.",
                )
            # Still empty; the log and its index get the same rights.
            self.path.chmod(0o600)
            connection.execute("PRAGMA journal_mode=WAL")
        try:
            connection.execute("BEGIN IMMEDIATE")
            # Where there are no locks for directories, another process may be here too.
            for statements in self._migrations[self._version(connection) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise

    def _repair(self, error: sqlite3.Error) -> None:
        """Set the file aside, if it is still damaged: another process may have been here first."""
        self._shut()
        try:
            newest = len(self._migrations)
            aside = _alone_in(self.path.parent, lambda: set_aside(self.path, newest))
        except OSError as failure:
            raise self._failure(failure) from failure
        if aside is not None:
            if not self._keeps:
                discard(aside)
            fate = f"kept as {str(aside)!r}" if self._keeps else "deleted"
            notice = f"The {self._what} was damaged ({error}). It is {fate}, and a new one begun."
            self._notices.append(f"{notice} {self._loss}".rstrip())

    def _shut(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _failure(self, error: Exception) -> StoreError:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            if isinstance(error, BlockingIOError):
                reason = _REASONS[sqlite3.SQLITE_BUSY]
            elif isinstance(error, FileExistsError):
                reason = "its directory is a file"
        else:
            code = code_of(error)
            reason = _REASONS.get(sqlite3.SQLITE_BUSY if code in _BUSY else code, str(error))
        return StoreError(
            f"Cannot use the {self._what} {str(self.path)!r}: {reason}.",
            hint=f"Make it writable, or {self._remedy}.",
        )


def _within(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run `work` as a part of the transaction in whose middle this thread is."""
    connection.execute("SAVEPOINT part")
    try:
        result = work(connection)
    except BaseException:
        connection.execute("ROLLBACK TO part")
        raise
    finally:
        connection.execute("RELEASE part")
    return result


def _roll_back(connection: Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _pause() -> None:
    """Wait for a moment, not in step with the others who wait: 0.3 to 3 ms."""
    time.sleep(0.0003 * (1 + (time.perf_counter_ns() >> 6) % 10))


def _identity(path: str) -> tuple[int, int] | None:
    """Return which file is at a path; `None`: there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _alone_in(directory: Path, action: Callable[[], T]) -> T:
    """Do something while no other process or thread makes or moves databases in a directory.

    Where that cannot be had (Windows, some network file systems) there is only SQLite's own lock.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - no Windows in CI
        return action()
    handle = os.open(directory, os.O_RDONLY)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Not for ever: who has the lock may have been stopped.
                if time.monotonic() > until:
                    raise
                _pause()
            except OSError:
                break
        return action()
    finally:
        os.close(handle)


_inherited: list[Connection] = []
"""Connections of a parent process, kept so that nothing closes them."""

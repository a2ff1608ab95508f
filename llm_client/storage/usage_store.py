"""The ledger as whoever asks about it sees it: a file that is read and never made.

Owns how it is opened for reading: beside all writers, without migrating, repairing or creating
anything; only what attempts of dead processes may have cost is booked first. Deleting goes through
the ledger's own `Database`. A connection lives as long as one question, so a store can be asked
from any thread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..exceptions import ConfigurationError
from ..types.usage import UsageQuery, UsageReport
from . import usage_queries
from .database import StoreError
from .ledger import ledger_file, open_ledger
from .lost import has_lost, write_off
from .reservations import standings
from .schema import MIGRATIONS
from .usage_queries import DayUsage

if TYPE_CHECKING:
    from ..policy.budget import Limit, Standing

__all__ = ["UsageStore"]

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 30.0
_WRITE_OFF_SECONDS: Final = 1.0
"""How long a question waits to have the attempts of dead processes booked; else it goes without."""
_PAGE_ROWS: Final = 2_000
"""What is exported at once: reading on for long would keep the log from being written back."""
_DELETED_ROWS: Final = 20_000
"""What is deleted at once: others wait for that time, 0.1 s."""
_SHRINK_SECONDS: Final = 2.0
"""How long to wait for others to let the file be made smaller."""
_REASONS: Final = {
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged, or no ledger",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
}
_NO_ROOM_BESIDE: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
"""What SQLite says where it cannot make the files that it needs beside the ledger."""


class UsageStore:
    """What the ledger at one path has about usage."""

    def __init__(self, path: Path) -> None:
        """Remember where the ledger is; one that is not there has nothing in it."""
        self._path = path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> UsageStore:
        """Return the store of the user's ledger."""
        return cls(ledger_file(environ))

    def summarize(self, query: UsageQuery) -> UsageReport:
        """Return what was used.

        Raises:
            LLMError: the ledger cannot be read, as for the other methods.
        """
        return self._read(lambda connection: usage_queries.summarize(connection, query))

    def days(self, query: UsageQuery) -> list[DayUsage]:
        """Return every local day on which something was tried, in order."""
        return self._read(lambda connection: usage_queries.days_of(connection, query))

    def count(self, query: UsageQuery) -> int:
        """Return how many attempts are written down; answers from the cache are among them."""
        return self._read(lambda connection: usage_queries.count(connection, query))

    def attempts(self, query: UsageQuery) -> Iterator[dict[str, Any]]:
        """Yield attempts as they were written down, page by page; nobody waits meanwhile."""
        last = 0
        while True:
            page = self._read(
                lambda connection, after=last: usage_queries.attempts_of(  # type: ignore[misc]
                    connection, query, after=after, most=_PAGE_ROWS
                )
            )
            yield from (attempt for _, attempt in page)
            if len(page) < _PAGE_ROWS:
                return
            last = page[-1][0]

    def is_spent(self, query: UsageQuery) -> bool:
        """Return whether budgets count anything of the time before a query's end."""
        return self._read(lambda connection: usage_queries.is_spent(connection, query))

    def standings(self, limits: Sequence[Limit]) -> list[Standing]:
        """Return what is used of budgets."""
        return self._read(lambda connection: standings(connection, limits))

    def delete(self, query: UsageQuery, *, budgets: bool = False) -> int:
        """Delete attempts for good; return how many.

        Args:
            query: which; with `budgets` nothing but the time before which they began.
            budgets: whether what budgets count of that time goes too, and is not kept.
        """
        if not (self.count(query) or (budgets and self.is_spent(query))):
            return 0  # above all, no ledger is begun for it

        def work(connection: sqlite3.Connection) -> int:
            some = usage_queries.delete(connection, query, _DELETED_ROWS)
            if budgets and some < _DELETED_ROWS:
                # With the last of them: of a row that is settled again what it cost is taken back.
                usage_queries.forget_spent(connection, query)
            return some

        database = open_ledger(self._path)
        deleted = 0
        with closing(database):
            while True:
                some = database.write(work)
                deleted += some
                if some < _DELETED_ROWS:
                    break
        self._shrink()
        return deleted

    def _shrink(self) -> None:
        """Give the space back, unless others are busy with the file: then it is used again."""
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(self._path, timeout=_SHRINK_SECONDS)) as connection,
        ):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one unchanging state of the ledger."""
        try:
            with closing(self._opened()) as connection:
                if has_lost(connection, time.time()):
                    self._write_off()
                connection.execute("BEGIN")
                return work(connection)
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from error

    def _write_off(self) -> None:
        """Book the attempts of processes that died, as the next call would, if it can be done now."""
        with (
            suppress(sqlite3.Error),
            closing(self._connect("mode=rw", _WRITE_OFF_SECONDS)[0]) as connection,
            connection,  # which commits
        ):
            connection.execute("BEGIN IMMEDIATE")
            write_off(connection, time.time())

    def _opened(self) -> sqlite3.Connection:
        """Return a connection that cannot write; to an empty ledger where there is none."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return _empty()
        try:
            connection, version = self._connect("mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NO_ROOM_BESIDE:
                raise
            connection, version = self._connect_alone()
        if version == len(MIGRATIONS):
            return connection
        connection.close()
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"The ledger {str(self._path)!r} has version {version}, and this program knows "
                f"only version {len(MIGRATIONS)}.",
                hint="Upgrade llm-client.",
            )
        if not version:
            return _empty()
        with closing(open_ledger(self._path)) as database:
            database.read(lambda _: None)  # brings it to the newest version
        return self._opened()

    def _connect(
        self, how: str, patience: float = _PATIENCE_SECONDS
    ) -> tuple[sqlite3.Connection, int]:
        """Return a connection, and the version of the database."""
        address = f"{self._path.absolute().as_uri()}?{how}"
        connection = sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None)
        try:
            return connection, connection.execute("PRAGMA user_version").fetchone()[0]
        except BaseException:
            connection.close()
            raise

    def _connect_alone(self) -> tuple[sqlite3.Connection, int]:
        """Return a connection to a ledger in a directory that is read-only, and its version.

        SQLite then looks past its log, in which the latest attempts may still be: copies are read.
        """
        log = Path(f"{self._path}-wal")
        if not log.is_file():
            return self._connect("immutable=1")
        from shutil import copyfile
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as directory:
            copied = UsageStore(Path(directory) / self._path.name)
            copyfile(self._path, copied._path)
            copyfile(log, f"{copied._path}-wal")
            connection, version = copied._connect("mode=ro")
            with closing(connection):
                in_memory = sqlite3.connect(":memory:", isolation_level=None)
                connection.backup(in_memory)
        return in_memory, version

    def _failure(self, error: sqlite3.Error | OSError) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        reason = error.strerror if isinstance(error, OSError) else _REASONS.get(code, error)
        return StoreError(
            f"Cannot read the ledger {str(self._path)!r}: {reason}.",
            hint="The next call keeps it under another name beside it and begins a new one; "
            "budgets begin anew."
            if damaged
            else None,
        )


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    return connection

"""What test processes do with a database. Run as `python -m tests.storage.database_work WHAT …`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

from llm_client.storage.database import Connection, Database, StoreError

__all__ = ["MIGRATIONS", "ROUND_SECONDS", "database_at", "note"]

ROUND_SECONDS = 0.1
"""Enough for eight processes on two cores to make a database and write into it."""

MIGRATIONS: Final = (
    ("CREATE TABLE notes (id INTEGER PRIMARY KEY, writer TEXT NOT NULL, number INTEGER NOT NULL)",),
    ("ALTER TABLE notes ADD COLUMN extra TEXT", "CREATE INDEX notes_by_writer ON notes (writer)"),
)


def database_at(path: Path, versions: int = len(MIGRATIONS)) -> Database:
    """Return a database that knows so many versions."""
    return Database(path, MIGRATIONS[:versions], what="notebook", remedy="do without")


def note(connection: Connection, writer: str, number: int) -> None:
    connection.execute("INSERT INTO notes (writer, number) VALUES (?, ?)", (writer, number))


def write(path: Path, writer: str, count: int) -> None:
    """Write notes, each in a transaction; say each on stdout after it is committed."""
    database = database_at(path)
    for number in range(count):
        database.write(lambda connection, n=number: note(connection, writer, n))  # type: ignore[misc]
        os.write(1, f"{writer} {number}\n".encode())
    database.close()


def stop_in_the_middle(path: Path) -> None:
    """Write without end and never commit."""

    def work(connection: Connection) -> None:
        for number in range(5000):
            note(connection, "unfinished", number)
        os.write(1, b"writing\n")
        sys.stdin.read()

    database_at(path).write(work)


def begin_together(directory: Path, writer: str, start: float, rounds: int) -> None:
    """Make new databases at the same moments as other processes, and write into each.

    In every other round half of the processes are older programs, which may come too late.
    """
    for number in range(rounds):
        time.sleep(max(0.0, start + number * ROUND_SECONDS - time.monotonic()))
        versions = 1 if number % 2 and writer in "0123" else 2
        database = database_at(directory / str(number) / "deep" / "notes.db", versions)
        try:
            database.write(lambda connection, n=number: note(connection, writer, n))  # type: ignore[misc]
        except StoreError as error:
            if versions == 2 or "has version 2" not in str(error):
                raise
        else:
            os.write(1, f"{number} {writer}\n".encode())
        database.close()


def main() -> None:
    what, path, *rest = sys.argv[1:]
    match what:
        case "write":
            write(Path(path), rest[0], int(rest[1]))
        case "stop":
            stop_in_the_middle(Path(path))
        case "begin":
            begin_together(Path(path), rest[0], float(rest[1]), int(rest[2]))


if __name__ == "__main__":
    main()

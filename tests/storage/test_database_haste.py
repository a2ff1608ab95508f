"""A database that is asked by somebody who must not wait: an event loop."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_client.storage.database import Connection, Database
from llm_client.storage.haste import WouldWait

from .database_work import database_at, note


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "notes.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(database_at(path)) as made:
        yield made


def count(database: Database, *, wait: bool = True) -> int:
    found: int = database.read(
        lambda c: c.execute("SELECT count(*) FROM notes").fetchone()[0], wait=wait
    )
    return found


def add(database: Database, number: int = 0, *, wait: bool = True) -> None:
    database.write(lambda c: note(c, "test", number), wait=wait)


def checkpoint_pages(database: Database) -> int:
    assert database._connection is not None
    [pages] = database._connection.execute("PRAGMA wal_autocheckpoint").fetchone()
    assert isinstance(pages, int)
    return pages


def test_file_that_is_not_open_would_have_to_be_waited_for(database: Database, path: Path) -> None:
    with pytest.raises(WouldWait):
        count(database, wait=False)
    assert not path.parent.exists()


def test_file_that_is_open_is_used_at_once(database: Database) -> None:
    add(database)
    add(database, wait=False)
    assert count(database, wait=False) == 2


def test_file_that_another_has_locked_would_have_to_be_waited_for(
    database: Database, path: Path
) -> None:
    add(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WouldWait):
            add(database, wait=False)
        assert count(database, wait=False) == 1, "reading waits for nobody"
    add(database, wait=False)
    assert count(database) == 2


def test_database_that_another_thread_uses_would_have_to_be_waited_for(database: Database) -> None:
    add(database)
    used, leave = threading.Event(), threading.Event()

    def work(_: Connection) -> None:
        used.set()
        leave.wait(30)

    thread = threading.Thread(target=database.write, args=(work,))
    thread.start()
    used.wait(30)
    with pytest.raises(WouldWait):
        count(database, wait=False)
    leave.set()
    thread.join()
    assert count(database, wait=False) == 1


def test_transaction_of_this_very_thread_is_not_joined_in_haste(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection, "test", 1)
        with pytest.raises(WouldWait):
            add(database, wait=False)

    database.write(work)
    assert count(database) == 1


def test_work_that_fails_leaves_nothing(database: Database) -> None:
    add(database)

    def fail(connection: Connection) -> None:
        note(connection, "test", 1)
        raise ValueError

    with pytest.raises(ValueError):
        database.write(fail, wait=False)
    assert count(database, wait=False) == 1


def test_file_that_was_replaced_would_have_to_be_waited_for(database: Database, path: Path) -> None:
    add(database)
    for file in path.parent.iterdir():
        file.unlink()
    with pytest.raises(WouldWait):
        add(database, wait=False)
    add(database)
    assert count(database) == 1


def test_fork_that_nobody_announced_would_have_to_be_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(WouldWait):
        add(database, wait=False)


def test_log_is_written_back_by_those_who_may_wait(database: Database, path: Path) -> None:
    add(database)
    usual = checkpoint_pages(database)
    waited = 0
    for number in range(2_000):
        try:
            add(database, number, wait=False)
        except WouldWait:
            waited += 1
            add(database, number)
            assert checkpoint_pages(database) == usual
        else:
            assert checkpoint_pages(database) == 0
    assert 0 < waited <= 2_000 // 100
    assert count(database) == 2_001
    # 500 pages, and what is written until the next who may wait.
    assert Path(f"{path}-wal").stat().st_size < 3_000_000

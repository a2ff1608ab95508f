"""One SQLite file that locks, threads, forks and interrupts share."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_client.storage import database as module
from llm_client.storage.database import Connection, Database, StoreError
from llm_client.storage.forking import _Forks

from .database_work import database_at, note


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "notes.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(database_at(path)) as made:
        yield made


def count(database: Database) -> int:
    found: int = database.read(lambda c: c.execute("SELECT count(*) FROM notes").fetchone()[0])
    return found


def add(database: Database, number: int = 0) -> None:
    database.write(lambda c: note(c, "test", number))


def test_wait_for_a_lock_is_not_an_error(database: Database, path: Path) -> None:
    add(database)
    locked = threading.Event()

    def hold() -> None:
        with closing(database_at(path)) as other:

            def work(_: Connection) -> None:
                locked.set()
                time.sleep(0.3)

            other.write(work)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait(30)
    add(database)
    thread.join()
    assert count(database) == 2


def test_wait_for_a_lock_ends(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept it locked") as error:
            add(database)
    assert "database is locked" not in str(error.value)
    assert error.value.hint == "Make it writable, or do without."
    add(database)


def test_wait_for_a_migration_ends(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    path.parent.mkdir()
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process has kept it locked"):
            add(database)
    finally:
        os.close(handle)
    add(database)


def test_migration_goes_on_where_directories_cannot_be_locked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    add(database)
    assert count(database) == 1


def test_threads_share_a_database(database: Database) -> None:
    def work() -> None:
        for number in range(100):
            add(database, number)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert count(database) == 800


def test_collected_stream_writes_within_the_transaction_of_its_thread(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection, "outer", 1)
        add(database, 2)

    database.write(work)
    assert count(database) == 2


def test_collected_stream_whose_writing_fails_leaves_the_transaction_whole(
    database: Database,
) -> None:
    def fail(connection: Connection) -> None:
        note(connection, "inner", 2)
        raise ValueError

    def work(connection: Connection) -> None:
        note(connection, "outer", 1)
        with pytest.raises(ValueError):
            database.write(fail)
        note(connection, "outer", 3)

    database.write(work)
    assert count(database) == 2


def test_collected_stream_before_the_transaction_has_one_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    ready = Database._ready

    def collected(self: Database, nested: bool) -> Connection:
        connection = ready(self, nested)
        if not begun:
            begun.append(1)
            add(database, 1)
        return connection

    monkeypatch.setattr(Database, "_ready", collected)
    add(database, 2)
    assert count(database) == 2


def test_transaction_that_two_interrupts_left_open_is_undone(database: Database) -> None:
    add(database)
    connection = database._connection
    assert connection is not None
    connection.execute("BEGIN IMMEDIATE")
    note(connection, "half", 1)
    add(database)
    assert count(database) == 2


def test_database_that_nobody_closes_is_closed_without_a_warning(path: Path) -> None:
    code = (
        "import sys, gc; from pathlib import Path\n"
        "from tests.storage.database_work import database_at\n"
        "database = database_at(Path(sys.argv[1]))\n"
        "database.read(lambda c: None)\n"
        "del database; gc.collect()\n"
        "other = database_at(Path(sys.argv[1])); other.read(lambda c: None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, check=True
    )
    assert done.stderr == b""


FORK = """
import os, sys, threading
from pathlib import Path
from tests.storage.database_work import database_at, note

path, how = Path(sys.argv[1]), sys.argv[2]
database = database_at(path)
database.write(lambda c: note(c, "parent", 0))
stop = threading.Event()

def busy():
    number = 0
    while not stop.is_set():
        number += 1
        database.write(lambda c: note(c, "busy", number))
    print("busy", number, flush=True)

thread = threading.Thread(target=busy)
if how == "busy":
    thread.start()
children = []
for child in range(10):
    pid = os.fork()
    if not pid:
        for number in range(20):
            database.write(lambda c: note(c, f"child {child}", number))
        database.close()
        os._exit(0)
    children.append(pid)
for number in range(20):
    database.write(lambda c: note(c, "parent", number))
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
if how == "busy":
    thread.join()
count = lambda who: database.read(
    lambda c: c.execute("SELECT count(*) FROM notes WHERE writer LIKE ?", (who,)).fetchone()[0]
)
print("rows", count("parent"), count("child%"), count("busy"), flush=True)
print(database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]))
database.close()
"""


@pytest.mark.parametrize("how", ["idle", "busy"])
def test_forks_write_beside_their_parent(path: Path, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, str(path), how],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert said["rows"] == f"21 200 {said.get('busy', 0)}"
    assert done.stdout.endswith("\nok\n")


def test_fork_that_nobody_announced_gets_a_connection_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database)
    inherited = database._connection
    kept: list[Connection] = []
    monkeypatch.setattr(module, "_inherited", kept)
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: -1)
        add(database)
    assert kept == [inherited]
    assert inherited is not None
    assert inherited.execute("SELECT count(*) FROM notes").fetchone() == (2,)
    inherited.close()


def test_two_threads_fork_at_once(path: Path) -> None:
    code = (
        "import os, sys, threading; from pathlib import Path\n"
        "from tests.storage.database_work import database_at, note\n"
        "database = database_at(Path(sys.argv[1]))\n"
        "def fork():\n"
        "    for _ in range(20):\n"
        "        database.write(lambda c: note(c, 'x', 1))\n"
        "        pid = os.fork()\n"
        "        if not pid:\n"
        "            database.write(lambda c: note(c, 'y', 1)); database.close(); os._exit(0)\n"
        "        assert os.waitpid(pid, 0)[1] == 0\n"
        "threads = [threading.Thread(target=fork) for _ in range(2)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "print(database.read(lambda c: c.execute('SELECT count(*) FROM notes').fetchone()[0]))\n"
        "database.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("80\n", "")


def test_database_that_is_made_during_a_fork_waits_for_its_end(path: Path) -> None:
    """The fork looks at all that there are, and a set must not grow meanwhile."""
    made: list[Database] = []
    thread = threading.Thread(target=lambda: made.append(database_at(path)))
    _Forks.before()
    try:
        thread.start()
        thread.join(0.1)
        assert made == []
    finally:
        _Forks.in_parent()
    thread.join(30)
    assert len(made) == 1

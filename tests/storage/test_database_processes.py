"""One SQLite file under many processes: first runs, kills, stops, full and read-only disks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.unmeasured import unmeasured

from .database_work import ROUND_SECONDS, database_at, note

WORK = (sys.executable, "-m", "tests.storage.database_work")


def start(*arguments: object, killed: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*WORK, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=unmeasured(os.environ) if killed else None,
    )


def writers_of(path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        return connection.execute("SELECT writer, number FROM notes ORDER BY 1, 2").fetchall()


def test_first_runs_at_the_same_moment_migrate_cleanly(tmp_path: Path) -> None:
    rounds = 24
    begin = time.monotonic() + 2.0
    workers = [start("begin", tmp_path, name, begin, rounds) for name in range(8)]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [errors for _, errors in said] == [""] * 8
    lines = [line.split() for output, _ in said for line in output.splitlines()]
    for number in range(rounds):
        wrote = sorted(writer for round_, writer in lines if round_ == str(number))
        found = writers_of(tmp_path / str(number) / "deep" / "notes.db")
        assert found == [(writer, number) for writer in wrote]
        # Every process of the newest program wrote, and in even rounds that is all of them.
        assert len(wrote) >= (4 if number % 2 else 8)
    assert ROUND_SECONDS * rounds < 60


def test_process_that_is_killed_in_a_transaction_leaves_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with closing(database_at(path)) as database:
        database.write(lambda c: note(c, "before", 1))
        worker = start("stop", path, killed=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "writing\n"
        worker.kill()
        worker.communicate(timeout=30)
        database.write(lambda c: note(c, "after", 1))
    assert writers_of(path) == [("after", 1), ("before", 1)]


def test_process_that_is_stopped_for_a_while_lets_others_wait(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with closing(database_at(path)) as database:
        database.write(lambda c: note(c, "before", 1))
        worker = start("stop", path, killed=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "writing\n"
        worker.send_signal(signal.SIGSTOP)
        waiting = start("write", path, "waiting", 1)
        time.sleep(0.5)
        assert waiting.poll() is None
        worker.kill()
        worker.communicate(timeout=30)
        assert waiting.communicate(timeout=60) == ("waiting 0\n", "")


WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from llm_client.storage.database import StoreError
from tests.storage.database_work import database_at, note
from tests.support.rights import give_up_rights

give_up_rights()
path = Path(sys.argv[1])
database = database_at(path)
for action in (
    lambda: database.read(lambda c: c.execute("SELECT count(*) FROM notes").fetchone()[0]),
    lambda: database.write(lambda c: note(c, "x", 1)),
):
    try:
        print(action())
    except StoreError as error:
        print(str(error).rpartition(": ")[2])
database.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="takes root its rights as Linux has them")
@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "said"),
    [
        (0o500, None, "the file cannot be opened or made."),
        (0o700, 0o400, "it is read-only."),
        (0o000, 0o600, "the file cannot be opened or made."),
    ],
    ids=["no new file", "file", "no access"],
)
def test_read_only_disk_is_an_error(
    tmp_path: Path, directory_mode: int, file_mode: int | None, said: str
) -> None:
    path = tmp_path / "data" / "notes.db"
    path.parent.mkdir()
    if file_mode is not None:
        with closing(database_at(path)) as database:
            database.write(lambda c: note(c, "before", 1))
        path.chmod(file_mode)
    path.parent.chmod(directory_mode)
    try:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_RIGHTS, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            env=unmeasured(os.environ),
            check=False,
        )
    finally:
        path.parent.chmod(0o700)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == said


FULL = """
import resource, signal, sys
from pathlib import Path
from llm_client.storage.database import StoreError
from tests.storage.database_work import database_at, note

path = Path(sys.argv[1])
database = database_at(path)
database.write(lambda c: note(c, "before", 0))
size = path.with_name("notes.db-wal").stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50_000, resource.RLIM_INFINITY))
wrote = 0
try:
    while wrote < 1000:
        database.write(lambda c: note(c, "x" * 1000, wrote))
        wrote += 1
except StoreError as error:
    print(str(error).rpartition(": ")[2])
rows = lambda: database.read(lambda c: c.execute("SELECT count(*) FROM notes").fetchone()[0])
print(rows() == wrote + 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.write(lambda c: note(c, "after", 0))
print(rows() == wrote + 2, 0 < wrote < 1000)
database.close()
"""


def test_full_disk_is_an_error_until_it_has_room_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "notes.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=unmeasured(os.environ),
    )
    assert done.stderr == ""
    said, same, more = done.stdout.splitlines()
    assert said in ("the disk is full.", "the disk does not take or give its pages.")
    assert (same, more) == ("True", "True True")

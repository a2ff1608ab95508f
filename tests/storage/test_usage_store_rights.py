"""The ledger where its reader may not write, or not even read."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from .usage_rows import attempt, write

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="takes root its rights as Linux has them"
)

WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from llm_client.storage.database import StoreError
from llm_client.storage.usage_store import UsageStore
from llm_client.types.usage import UsageQuery
from tests.support.rights import give_up_rights

give_up_rights()
store = UsageStore(Path(sys.argv[1]))
try:
    print(store.count(UsageQuery()), len(list(store.attempts(UsageQuery()))))
except StoreError as error:
    print(str(error).rpartition(": ")[2])
"""


@contextmanager
def mode(path: Path, mode: int) -> Iterator[None]:
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(0o700)


def counted(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three attempts, of which two are still in its log."""
    path, used = tmp_path / "data" / "ledger.db", tmp_path / "used" / "ledger.db"
    write(used, attempt("a"))
    with closing(sqlite3.connect(used)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # As long as somebody has it open, Python 3.11 leaves the log too.
        write(used, attempt("b"), attempt("c"))
        copytree(used.parent, path.parent)
    return path


@pytest.mark.parametrize("kept", [("-wal", "-shm"), ("-wal",)], ids=["all", "log"])
def test_nothing_in_the_log_is_missed_where_nothing_can_be_made(
    path: Path, kept: tuple[str, ...]
) -> None:
    for suffix in {"-wal", "-shm"} - set(kept):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    with mode(path.parent, 0o500):
        assert counted(path) == "3 3"
        assert {file.name for file in path.parent.iterdir()} <= {
            "ledger.db",
            *(f"ledger.db{suffix}" for suffix in kept),
        }


def test_ledger_without_a_log_is_read_where_nothing_can_be_made(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    with mode(path.parent, 0o500):
        assert counted(path) == "3 3"


def test_directory_that_may_not_be_read_is_told(path: Path) -> None:
    with mode(path.parent, 0o000):
        assert counted(path) == "Permission denied."


def test_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert counted(tmp_path / "data" / "ledger.db") == "Not a directory."

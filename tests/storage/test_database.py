"""One SQLite file: transactions, versions, damage, failures."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from llm_client.storage.database import Connection, Database, StoreError

from .database_work import MIGRATIONS, database_at, note


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


def files(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


def test_nothing_is_opened_before_it_is_used(database: Database, path: Path) -> None:
    database.close()
    assert not path.parent.exists()


def test_what_was_written_is_there_for_the_next_one(database: Database, path: Path) -> None:
    add(database)
    database.close()
    with closing(database_at(path)) as again:
        assert count(again) == 1


def test_closed_database_opens_again(database: Database) -> None:
    add(database)
    database.close()
    database.close()
    add(database)
    assert count(database) == 2


def test_file_and_directory_are_private_whatever_the_umask(database: Database, path: Path) -> None:
    before = os.umask(0)
    try:
        add(database)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {name: stat.S_IMODE((path.parent / name).stat().st_mode) for name in files(path)}
    assert modes == dict.fromkeys(("notes.db", "notes.db-wal", "notes.db-shm"), 0o600)


def test_rights_of_a_directory_that_was_there_stay(database: Database, path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    add(database)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


def test_work_that_fails_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection, "test", 1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.write(work)
    assert count(database) == 0


def test_read_sees_one_state_while_others_write(database: Database, path: Path) -> None:
    add(database)

    def twice(connection: Connection) -> tuple[int, int]:
        query = "SELECT count(*) FROM notes"
        first: int = connection.execute(query).fetchone()[0]
        with closing(database_at(path)) as other:
            add(other)
        return first, connection.execute(query).fetchone()[0]

    assert database.read(twice) == (1, 1)
    assert count(database) == 2


def test_log_is_kept_short(database: Database, path: Path) -> None:
    for number in range(3000):
        add(database, number)
    assert path.with_name("notes.db-wal").stat().st_size < 1000 * 4096


def test_old_version_is_brought_to_the_new_one(path: Path) -> None:
    with closing(database_at(path, 1)) as old:
        add(old)
    with closing(database_at(path)) as new:
        assert new.read(lambda c: c.execute("SELECT extra FROM notes").fetchall()) == [(None,)]
        assert new.read(lambda c: c.execute("PRAGMA user_version").fetchone()) == (2,)


def test_migration_that_fails_leaves_the_old_version(path: Path) -> None:
    with closing(database_at(path, 1)) as old:
        add(old)
    broken = (MIGRATIONS[0], ("ALTER TABLE notes ADD COLUMN extra TEXT", "CREATE nonsense"))
    with (
        closing(Database(path, broken, what="notebook", remedy="do without")) as new,
        pytest.raises(StoreError, match="syntax error"),
    ):
        count(new)
    with closing(database_at(path)) as right:
        assert count(right) == 1


def test_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(database_at(path)) as new:
        add(new)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    before = path.read_bytes()
    with (
        closing(database_at(path, 1)) as old,
        pytest.raises(
            StoreError, match="has version 2, and this program knows only version 1"
        ) as e,
    ):
        add(old)
    assert path.read_bytes() == before
    assert files(path) == {"notes.db"}
    assert "Upgrade llm-client" in str(e.value.hint)


def test_newer_version_is_left_with_its_log(path: Path) -> None:
    new = database_at(path)
    add(new)
    with (
        closing(database_at(path, 1)) as old,
        pytest.raises(StoreError, match="has version 2"),
    ):
        add(old)
    assert count(new) == 1
    new.close()


def test_newer_version_with_an_unknown_schema_is_not_taken_for_damaged(path: Path) -> None:
    with closing(database_at(path)) as new:
        add(new)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'future', 'future', 0, 'CREATE HYPERTABLE x')"
        )
        connection.commit()
    with (
        closing(database_at(path)) as old,
        pytest.raises(StoreError, match="has version 9"),
    ):
        add(old)
    assert not [name for name in files(path) if "damaged" in name]


def test_database_of_another_program_is_left_as_it_is(database: Database, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="a database of another program"):
        add(database)
    assert path.read_bytes() == before


def test_empty_file_becomes_a_database(database: Database, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    add(database)
    assert count(database) == 1
    assert database.take_notices() == ()


def damage_header(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(b"nonsense" * 16 + data[128:])


def damage_schema(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:4000] = b"\xff" * 3900
    path.write_bytes(data)


def damage_all_but_the_first_page(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096])


@pytest.fixture
def filled(path: Path) -> Path:
    with closing(database_at(path)) as database:
        for number in range(300):
            add(database, number)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.mark.parametrize(
    "damage", [damage_header, damage_schema, damage_all_but_the_first_page, cut]
)
def test_damaged_file_is_set_aside_and_a_new_one_begun(filled: Path, damage: object) -> None:
    assert callable(damage)
    damage(filled)
    damaged = filled.read_bytes()
    with closing(database_at(filled)) as database:
        for number in range(300):
            add(database, number)
        assert count(database) == 300
        (notice,) = database.take_notices()
        assert database.take_notices() == ()
    (aside,) = (name for name in files(filled) if "damaged" in name and name[-1].isdigit())
    assert (filled.parent / aside).read_bytes() == damaged
    assert notice.startswith("The notebook was damaged (")
    assert aside in notice


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="SQLite writes the log back, or away, when it is closed"
)
def test_log_of_a_damaged_file_goes_with_it(filled: Path) -> None:
    damage_header(filled)
    log = filled.with_name("notes.db-wal")
    log.write_bytes(b"log")
    with closing(database_at(filled)) as database:
        add(database)
    (aside,) = (name for name in files(filled) if name.endswith("-wal") and "damaged" in name)
    assert (filled.parent / aside).read_bytes() == b"log"


def test_files_that_were_set_aside_before_stay(filled: Path) -> None:
    for _ in range(3):
        damage_header(filled)
        with closing(database_at(filled)) as database:
            add(database)
            database.read(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert len([name for name in files(filled) if "damaged" in name and name[-1].isdigit()]) == 3


def test_file_that_another_process_has_replaced_is_not_set_aside(filled: Path) -> None:
    with closing(database_at(filled)) as first, closing(database_at(filled)) as second:
        assert count(first) == count(second) == 300
        data = filled.read_bytes()
        filled.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
        first.close()
        assert count(first) == 0
        assert count(second) == 0
        add(second)
        assert count(first) == 1
        assert [len(database.take_notices()) for database in (first, second)] == [1, 0]
    assert len([name for name in files(filled) if "damaged" in name and name[-1].isdigit()]) == 1


def malformed() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def test_damage_that_is_not_there_when_it_is_looked_for_is_tried_again(database: Database) -> None:
    tried: list[int] = []

    def work(connection: Connection) -> None:
        note(connection, "test", 1)
        tried.append(1)
        if len(tried) == 1:
            raise malformed()

    database.write(work)
    assert count(database) == 1
    assert database.take_notices() == ()


def test_damage_that_nobody_finds_is_an_error_and_the_file_stays(
    database: Database, path: Path
) -> None:
    def work(_: Connection) -> None:
        raise malformed()

    add(database)
    with pytest.raises(StoreError, match="malformed"):
        database.write(work)
    assert count(database) == 1
    assert files(path) == {"notes.db", "notes.db-wal", "notes.db-shm"}


def test_newer_version_is_not_looked_at_for_damage(filled: Path) -> None:
    def work(_: Connection) -> None:
        damage_all_but_the_first_page(filled)
        raise malformed()

    with closing(database_at(filled)) as database:
        add(database)
        with closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA user_version = 9")
        with pytest.raises(StoreError, match="has version 9"):
            database.write(work)
    assert not [name for name in files(filled) if "damaged" in name]


def test_damaged_file_that_cannot_be_renamed_is_an_error(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    damage_header(filled)
    damaged = filled.read_bytes()
    monkeypatch.setattr(Path, "rename", refuse)
    with (
        closing(database_at(filled)) as database,
        pytest.raises(StoreError, match="Permission denied"),
    ):
        add(database)
    assert filled.read_bytes() == damaged


def test_file_that_was_deleted_is_made_again(database: Database, path: Path) -> None:
    add(database)
    for name in files(path):
        (path.parent / name).unlink()
    path.parent.rmdir()
    add(database)
    assert count(database) == 1
    assert path.exists()


def test_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        closing(database_at(tmp_path / "file" / "deep" / "notes.db")) as database,
        pytest.raises(StoreError, match=r"Cannot use the notebook .*: Not a directory"),
    ):
        add(database)


def test_database_that_is_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.db").mkdir()
    with (
        closing(database_at(tmp_path / "notes.db")) as database,
        pytest.raises(StoreError, match="the file cannot be opened or made"),
    ):
        add(database)

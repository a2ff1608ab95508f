"""Files of mode 0600 are replaced whole, by one process at a time."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage import private_files
from llm_client.storage.private_files import (
    alone_in,
    make_private_directory,
    replace_whole,
    who_writes,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_new_file_and_directory_are_private_whatever_the_umask(tmp_path: Path) -> None:
    directory = tmp_path / "above" / "own"
    make_private_directory(directory)
    replace_whole(directory / "file", b"new")
    assert (mode(directory), mode(directory / "file")) == (0o700, 0o600)
    assert (directory / "file").read_bytes() == b"new"


def test_file_that_is_replaced_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o666)
    replace_whole(file, b"new")
    assert (mode(file), file.read_bytes()) == (0o600, b"new")


def test_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_remnant_of_a_killed_process_goes(tmp_path: Path) -> None:
    remnant, other = tmp_path / ".file.abc.partial", tmp_path / ".other.abc.partial"
    remnant.write_text("a key")
    other.write_text("of another file")
    replace_whole(tmp_path / "file", b"new")
    assert sorted(os.listdir(tmp_path)) == [".other.abc.partial", "file"]


def test_two_are_not_in_a_directory_at_once(tmp_path: Path) -> None:
    inside, entered = threading.Event(), threading.Event()

    def second() -> None:
        with alone_in(tmp_path):
            entered.set()

    with alone_in(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.2)
        inside.set()
    assert entered.wait(10)
    thread.join()


def test_directory_that_stays_locked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_files, "PATIENCE_SECONDS", 0.05)
    with (
        alone_in(tmp_path),
        pytest.raises(ConfigurationError, match="Another process has been changing"),
        alone_in(tmp_path),
    ):
        pass


def test_file_system_without_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with alone_in(tmp_path):
        (tmp_path / "file").touch()


@pytest.mark.parametrize(
    ("given", "expected"),
    [(0o700, ""), (0o755, ""), (0o775, "others"), (0o777, "others"), (0o1777, "")],
    ids=["0o700", "0o755", "0o775", "0o777", "0o1777"],
)
def test_directory_that_others_can_write_is_found(
    given: int, expected: str, tmp_path: Path
) -> None:
    tmp_path.chmod(given)
    assert who_writes(tmp_path.stat()) == expected


def test_owner_who_is_another_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.stat_result((stat.S_IFDIR | 0o700, 0, 0, 1, 4711, 0, 0, 0, 0, 0))
    assert who_writes(found) == "user 4711, who owns it"
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert who_writes(found) == ""

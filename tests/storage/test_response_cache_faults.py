"""The response cache where something goes wrong, and where many use it: private, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import llm_client
from llm_client.storage import response_cache
from llm_client.storage.database import StoreError
from llm_client.storage.response_cache import ResponseCache

from .answers import ANSWER, REQUEST, TARGET, WallClock, ask, change, rows, say

ROOT = Path(llm_client.__file__).parents[1]


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "responses"


@pytest.fixture
def cache(directory: Path, clock: WallClock) -> Iterator[ResponseCache]:
    cache = ResponseCache(directory, 3600.0, 1 << 20, clock)
    yield cache
    cache.close()


# --- where -----------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_the_users_alone_under_any_umask(tmp_path: Path, umask: int) -> None:
    directory = tmp_path / "home" / ".cache" / "llm_client" / "responses"
    before = os.umask(umask)
    try:
        cache = ResponseCache(directory, 3600.0, 1 << 20)
        cache.store(REQUEST, TARGET, ANSWER)
        modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    finally:
        os.umask(before)
    cache.close()

    assert "responses.db-wal" in modes
    assert set(modes.values()) == {0o600}
    for made in (directory, *directory.parents[:3]):
        assert made.stat().st_mode & 0o777 == 0o700


def test_directory_that_others_could_read_is_closed_to_them(
    cache: ResponseCache, directory: Path
) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    cache.store(REQUEST, TARGET, ANSWER)

    assert directory.stat().st_mode & 0o777 == 0o700


def test_directory_of_another_user_is_refused(
    cache: ResponseCache, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(StoreError, match="belongs to another user"):
        cache.lookup(REQUEST, TARGET)
    assert list(directory.iterdir()) == []


# --- what goes wrong -------------------------------------------------------------------------


def test_directory_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file")
    cache = ResponseCache(tmp_path / "plain" / "responses", 3600.0, 1 << 20)

    with pytest.raises(StoreError, match=r"Cannot use the response cache .*responses"):
        cache.lookup(REQUEST, TARGET)
    for _ in range(3):
        assert cache.lookup(REQUEST, TARGET) is None
        cache.store(REQUEST, TARGET, ANSWER)


def test_cache_that_failed_is_tried_again_after_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_text("a file")
    cache = ResponseCache(tmp_path / "plain" / "responses", 3600.0, 1 << 20)
    now = 1000.0
    monkeypatch.setattr("llm_client.storage.response_cache.time.monotonic", lambda: now)
    with pytest.raises(StoreError):
        cache.lookup(REQUEST, TARGET)
    (tmp_path / "plain").unlink()
    cache.store(REQUEST, TARGET, ANSWER)
    assert not (tmp_path / "plain").exists()
    now += 61
    cache.store(REQUEST, TARGET, ANSWER)
    found = cache.lookup(REQUEST, TARGET)
    cache.close()

    assert found == ANSWER


def test_second_failure_after_a_rest_is_not_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_text("a file")
    cache = ResponseCache(tmp_path / "plain" / "responses", 3600.0, 1 << 20)
    now = 1000.0
    monkeypatch.setattr("llm_client.storage.response_cache.time.monotonic", lambda: now)
    with pytest.raises(StoreError):
        cache.lookup(REQUEST, TARGET)
    now += 61

    assert cache.lookup(REQUEST, TARGET) is None


def test_request_that_has_no_key_is_said_once_and_disturbs_no_other(cache: ResponseCache) -> None:
    strange = replace(REQUEST, extra_body={"a": object()})
    with pytest.raises(TypeError):
        cache.lookup(strange, TARGET)

    assert cache.lookup(strange, TARGET) is None
    cache.store(REQUEST, TARGET, ANSWER)
    assert cache.lookup(REQUEST, TARGET) == ANSWER


def failures(act: Callable[..., object], *arguments: object) -> list[str]:
    """Return what goes wrong."""
    try:
        act(*arguments)
    except StoreError as error:
        return [error.message]
    return []


def test_file_that_stays_locked_costs_little_time_and_no_answer(
    cache: ResponseCache, clock: WallClock, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    cache.close()
    monkeypatch.setattr(response_cache, "_PATIENCE_SECONDS", 0.05)
    other = ResponseCache(directory, 3600.0, 1 << 20, clock)
    clock.now += 61
    with closing(sqlite3.connect(directory / "responses.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        found = [other.lookup(REQUEST, TARGET) for _ in range(1000)]
        seconds = time.monotonic() - began
        notices = failures(other.store, ask("ho"), TARGET, ANSWER)
        notices += failures(other.store, ask("ha"), TARGET, ANSWER)
    other.close()

    assert found == [ANSWER] * 1000
    assert seconds < 20
    assert len(notices) == 1
    assert "another process has kept it locked" in notices[0]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda data: b"this is no database" * 100,
    "zeros": lambda data: bytes(len(data)),
    "cut": lambda data: data[: len(data) // 2],
    "pages": lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_file_costs_its_answers_and_one_notice(
    directory: Path, clock: WallClock, damage: Callable[[bytes], bytes]
) -> None:
    first = ResponseCache(directory, 3600.0, 1 << 20, clock)
    for number in range(20):
        first.store(ask(str(number)), TARGET, say("x" * 5000))
    first.close()
    change(directory, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = directory / "responses.db"
    path.write_bytes(damage(path.read_bytes()))
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)

    cache = ResponseCache(directory, 3600.0, 1 << 20, clock)
    notices: list[str] = []
    for number in range(20):
        question = ask(str(number))
        notices += failures(cache.lookup, question, TARGET)
        notices += failures(cache.store, question, TARGET, ANSWER)
    cache.close()
    later = ResponseCache(directory, 3600.0, 1 << 20, clock)
    later.store(REQUEST, TARGET, ANSWER)
    found = later.lookup(REQUEST, TARGET)
    later.close()

    assert len(notices) <= 1
    assert found == ANSWER
    # Answers beyond TTL and cap must not stay under another name.
    assert {file.name for file in directory.iterdir()} <= {
        "responses.db",
        "responses.db-wal",
        "responses.db-shm",
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{", b"null", b"[]", b"{}", b'"text"', b'{"content": "x"}'],
    ids=repr,
)
def test_row_of_another_version_is_no_answer_and_is_replaced(
    cache: ResponseCache, directory: Path, body: bytes
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    ((key,),) = rows(directory, "SELECT key FROM responses")
    change(
        directory,
        "UPDATE responses SET body = ?, digest = ?",
        body,
        response_cache._digest(key, body),
    )

    assert cache.lookup(REQUEST, TARGET) is None
    cache.store(REQUEST, TARGET, ANSWER)
    assert cache.lookup(REQUEST, TARGET) == ANSWER


def test_row_with_a_field_of_a_later_version_is_no_answer(
    cache: ResponseCache, directory: Path
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    ((key, body),) = rows(directory, "SELECT key, body FROM responses")
    later = body[:-1] + b',"of_a_later_version":1}'
    digest = response_cache._digest(key, later)
    change(directory, "UPDATE responses SET body = ?, digest = ?", later, digest)

    assert cache.lookup(REQUEST, TARGET) is None


def test_answer_whose_bits_have_changed_is_no_answer(cache: ResponseCache, directory: Path) -> None:
    cache.store(REQUEST, TARGET, say("yes"))
    ((body,),) = rows(directory, "SELECT body FROM responses")
    change(directory, "UPDATE responses SET body = ?", body.replace(b"yes", b"yEs"))

    assert cache.lookup(REQUEST, TARGET) is None


def test_answer_is_given_where_nothing_can_be_written(
    cache: ResponseCache, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    clock.now += 61

    def fail(*_: object) -> None:
        raise StoreError("it is read-only")

    monkeypatch.setattr(cache._database, "write", fail)
    assert cache.lookup(REQUEST, TARGET) == ANSWER


def test_use_is_written_down_once_a_minute(
    cache: ResponseCache, clock: WallClock, directory: Path
) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    used = []
    for _ in range(4):
        clock.now += 30
        cache.lookup(REQUEST, TARGET)
        used += rows(directory, "SELECT used_at FROM responses")

    assert [now - clock.now for (now,) in used] == [-120, -60, -60, 0]


def test_closed_cache_opens_again(cache: ResponseCache) -> None:
    cache.store(REQUEST, TARGET, ANSWER)
    cache.close()
    cache.close()

    assert cache.lookup(REQUEST, TARGET) == ANSWER

"""The ledger as whoever asks about it sees it: read beside all writers, never made, never changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.budget import Limit
from llm_client.storage import usage_store
from llm_client.storage.database import StoreError
from llm_client.storage.ledger import Ledger, open_ledger
from llm_client.storage.schema import MIGRATIONS
from llm_client.storage.usage_store import UsageStore
from llm_client.types.usage import UsageQuery, UsageReport

from ..cli.program import ROOT
from ..support.unmeasured import unmeasured
from .ledger_work import a_claim, a_record
from .usage_rows import attempt, write

EVERYTHING = UsageQuery()
NOBODY_SECONDS = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def many(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with more attempts than are read or deleted at once."""
    monkeypatch.setattr(usage_store, "_PAGE_ROWS", 100)
    monkeypatch.setattr(usage_store, "_DELETED_ROWS", 2_000)
    write(path, attempt("first", at="2026-11-01T12:00"))
    database = open_ledger(path)
    database.write(
        lambda connection: connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO attempts (call_id, attempt, started_at, day, provider, model, local, "
            "estimated, latency_ms, retry, fallback, outcome) SELECT 'c' || i, 1, started_at + i, "
            "CASE WHEN i <= 4990 THEN '2026-11-02' ELSE '2026-11-20' END, provider, "
            "model, 0, 0, 1, 0, 0, 'ok' FROM attempts, n"
        )
    )
    database.close()
    return path


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_ledger_that_is_not_there_has_nothing_and_is_not_made(path: Path) -> None:
    store = UsageStore(path)
    assert store.summarize(UsageQuery(by="model")) == UsageReport(by="model")
    assert store.days(EVERYTHING) == []
    assert store.count(EVERYTHING) == store.delete(EVERYTHING) == 0
    assert [*store.attempts(EVERYTHING)] == []
    assert not path.parent.exists()


def test_ledger_that_is_being_made_has_nothing_yet(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert UsageStore(path).count(EVERYTHING) == 0
    assert contents(path.parent) == {path.name: b""}


def test_store_of_the_user_is_the_ledger_of_the_user(clean_environment: Path) -> None:
    write(clean_environment / ".local/share/llm_client/ledger.db", attempt("c"))
    assert UsageStore.of(os.environ).count(EVERYTHING) == 1


def test_newer_ledger_is_refused_and_stays_as_it_is(path: Path) -> None:
    write(path, attempt("c"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with pytest.raises(ConfigurationError, match="version 99, and this program knows") as caught:
        UsageStore(path).summarize(EVERYTHING)
    with pytest.raises(ConfigurationError):
        UsageStore(path).delete(EVERYTHING)

    assert "Upgrade" in (caught.value.hint or "")
    assert path.read_bytes() == before


@pytest.mark.parametrize("is_whole", [False, True], ids=["header", "pages"])
def test_damaged_ledger_is_told_and_left_where_it_is(path: Path, is_whole: bool) -> None:
    write(path, *(attempt(f"c{i}") for i in range(200)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    broken = data[:4096] + b"\x55" * (len(data) - 4096) if is_whole else b"no database" * 500
    path.write_bytes(broken)

    with pytest.raises(StoreError, match=r"Cannot read the ledger .*: it is damaged") as caught:
        UsageStore(path).summarize(EVERYTHING)

    assert "keeps it under another name" in (caught.value.hint or "")
    assert path.read_bytes() == broken
    assert not [*path.parent.glob("*damaged*")]


def test_ledger_that_is_a_directory_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="Cannot read the ledger") as caught:
        UsageStore(path).count(EVERYTHING)
    assert caught.value.hint is None


def test_ledger_whose_log_cannot_be_made_is_read_all_the_same(path: Path) -> None:
    write(path, attempt("c"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
        Path(f"{path}{suffix}").mkdir()  # as good as a disk that is read-only
    assert UsageStore(path).count(EVERYTHING) == 1


def test_older_ledger_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_client.storage import ledger

    write(path, attempt("c"))
    newer = (*MIGRATIONS, ("ALTER TABLE attempts ADD COLUMN colour TEXT",))
    monkeypatch.setattr(ledger, "MIGRATIONS", newer)
    monkeypatch.setattr(usage_store, "MIGRATIONS", newer)

    assert UsageStore(path).count(EVERYTHING) == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)


def test_name_of_the_file_may_be_anything(tmp_path: Path) -> None:
    path = write(tmp_path / "a ?#%20&mode=rwc" / "ledger.db", attempt("c"))
    assert UsageStore(path).count(EVERYTHING) == 1


def test_relative_path_is_taken_from_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, attempt("c"))
    monkeypatch.chdir(path.parent)
    assert UsageStore(Path("ledger.db")).count(EVERYTHING) == 1


def test_reading_waits_for_no_writer_and_holds_none_up(path: Path) -> None:
    write(path, attempt("c"))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE attempts SET outcome = 'error'")
        began = time.monotonic()
        assert UsageStore(path).summarize(EVERYTHING).total.failed == 0
        assert time.monotonic() - began < NOBODY_SECONDS / 2
        exporting = UsageStore(path).attempts(EVERYTHING)
        next(exporting)
        writer.execute("COMMIT")
        # An export that nobody goes on with keeps no log from being written back.
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert UsageStore(path).summarize(EVERYTHING).total.failed == 1


def test_total_and_rows_are_of_one_moment(path: Path) -> None:
    """A writer goes on all the time; the rows of days have to add up to the total."""
    write(path, attempt("first"))
    ledger, store = Ledger(path), UsageStore(path)
    done = False

    def go_on() -> int:
        count = 0
        while not done:
            ledger.settle(attempt(f"c{count}"))
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(go_on)
        seen: list[int] = []
        until = time.monotonic() + NOBODY_SECONDS
        while (len(seen) < 50 or seen[-1] < 3) and time.monotonic() < until:
            report = store.summarize(UsageQuery(by="day"))
            assert sum(row.attempts for row in report.rows) == report.total.attempts
            seen.append(report.total.attempts)
        done = True
        assert writing.result() > 0
    ledger.close()
    assert seen == sorted(seen)
    assert seen[-1] >= 3


def test_reports_come_while_eight_processes_write(path: Path) -> None:
    each = 150
    write(path, attempt("first"))
    command = [sys.executable, "-m", "tests.storage.ledger_work", "free", str(path)]
    workers = [
        subprocess.Popen(
            [*command, f"w{number}", str(each)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(8)
    ]
    store, reports = UsageStore(path), 0
    try:
        while any(worker.poll() is None for worker in workers):
            report = store.summarize(UsageQuery(by="model"))
            assert sum(row.attempts for row in report.rows) == report.total.attempts
            reports += 1
    finally:
        ends = [worker.communicate(timeout=NOBODY_SECONDS) for worker in workers]
    assert [error for _, error in ends] == [b""] * 8
    assert store.summarize(EVERYTHING).total.calls == 8 * each + 1
    assert reports > 0


def test_export_has_every_attempt_once_in_little_memory(many: Path) -> None:
    attempts = UsageStore(many).attempts(EVERYTHING)
    assert next(attempts)["call_id"] == "first"
    tracemalloc.start()
    seen = {"first", *(row["call_id"] for row in islice(attempts, 200))}
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    count = len(seen)
    for _ in attempts:
        count += 1
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert count == 5_001
    assert peak < 500_000


def test_export_of_a_span_skips_what_is_outside(many: Path) -> None:
    found = [*UsageStore(many).attempts(UsageQuery(since="2026-11-20"))]
    assert len(found) == 10
    assert {row["day"] for row in found} == {"2026-11-20"}


def test_deleting_takes_what_is_asked_for_in_parts_and_gives_the_space_back(many: Path) -> None:
    store = UsageStore(many)
    assert _size(many.parent) > 500_000

    assert store.delete(UsageQuery(until="2026-11-19")) == 4_991
    assert store.count(EVERYTHING) == 10
    assert _size(many.parent) < 100_000
    assert store.delete(UsageQuery(until="2026-11-19")) == 0


def test_deleting_beside_a_reader_leaves_the_space_and_no_error(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_store, "_SHRINK_SECONDS", 0.01)
    with closing(sqlite3.connect(many, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM attempts").fetchone()
        assert UsageStore(many).delete(EVERYTHING) == 5_001
    assert UsageStore(many).count(EVERYTHING) == 0


def test_budgets_forget_with_the_last_of_many_attempts(many: Path) -> None:
    store = UsageStore(many)
    assert store.is_spent(EVERYTHING)
    assert store.delete(EVERYTHING, budgets=True) == 5_001
    assert not store.is_spent(EVERYTHING)
    assert store.delete(EVERYTHING, budgets=True) == 0


def test_budgets_go_on_counting_what_is_no_longer_written_down(path: Path) -> None:
    ledger = Ledger(path)
    ledger.reserve(a_claim("c"))
    ledger.settle(a_record("c", cost=0.9))
    assert UsageStore(path).delete(EVERYTHING) == 1

    grant = ledger.reserve(a_claim("d", cost=200_000_000, most=1_000_000_000))

    ledger.close()
    assert [exceeded.spent for exceeded in grant.exceeded] == [900_000_000]
    assert isinstance(grant.exceeded[0].limit, Limit)


def test_attempt_under_way_is_written_down_after_everything_was_deleted(path: Path) -> None:
    ledger = Ledger(path)
    write(path, attempt("old"))
    ledger.reserve(a_claim("c"))
    assert UsageStore(path).delete(EVERYTHING) == 1
    ledger.settle(a_record("c"))
    ledger.close()
    assert [row["call_id"] for row in UsageStore(path).attempts(EVERYTHING)] == ["c"]


def test_store_can_be_asked_from_any_thread(path: Path) -> None:
    write(path, attempt("c"))
    store = UsageStore(path)

    def ask() -> Iterator[int]:
        with ThreadPoolExecutor(8) as pool:
            yield from pool.map(lambda _: store.count(EVERYTHING), range(64))

    assert set(ask()) == {1}


RESERVING = (
    "import os, sys; from pathlib import Path\n"
    "from llm_client.storage.ledger import Ledger\n"
    "from tests.storage.ledger_work import a_claim\n"
    "Ledger(Path(sys.argv[1])).reserve(a_claim('dead'))\n"
    "os.kill(os.getpid(), 9)\n"
)


def killed(path: Path) -> None:
    """Let a process die that has reserved for an attempt."""
    subprocess.run(
        [sys.executable, "-c", RESERVING, str(path)],
        cwd=ROOT,
        env=unmeasured(os.environ),
        check=False,
        timeout=60,
    )


def test_attempt_of_a_process_that_was_killed_is_lost_at_once(path: Path) -> None:
    killed(path)
    store = UsageStore(path)
    total = store.summarize(EVERYTHING).total
    assert (total.lost, total.cost_nano_usd) == (1, 2_000_000)
    assert [(row["call_id"], row["outcome"]) for row in store.attempts(EVERYTHING)] == [
        ("dead", "lost")
    ]


def test_attempt_under_way_is_not_lost(path: Path) -> None:
    with closing(Ledger(path).database) as database:
        Ledger(path).reserve(a_claim("alive"))
        assert UsageStore(path).count(EVERYTHING) == 0
        reserved = "SELECT count(*) FROM reservations"
        assert database.read(lambda connection: connection.execute(reserved).fetchone()) == (1,)


def test_ledger_that_others_write_is_read_without_the_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_store, "_WRITE_OFF_SECONDS", 0.0)
    killed(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert UsageStore(path).count(EVERYTHING) == 0
        other.execute("COMMIT")
    assert UsageStore(path).count(EVERYTHING) == 1

"""Many processes write into one ledger, and some of them are killed."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.unmeasured import unmeasured

WORKERS, CALLS = 8, 1000


def start(what: str, path: Path, worker: str, said: Path) -> subprocess.Popen[bytes]:
    with said.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.storage.ledger_work", what, path, worker, str(CALLS)],
            stdout=out,
            stderr=subprocess.PIPE,
            env=unmeasured(os.environ),
        )


@pytest.mark.parametrize("what", ["plain", "budget"])
def test_calls_of_many_processes_have_one_row_per_attempt(tmp_path: Path, what: str) -> None:
    chance = random.Random(4)
    path = tmp_path / "data" / "ledger.db"
    began = time.monotonic()
    lasting = [start(what, path, f"w{n}", tmp_path / f"w{n}") for n in range(WORKERS)]
    killed = 0
    doomed: list[subprocess.Popen[bytes]] = []
    while any(worker.poll() is None for worker in lasting):
        number = killed + len(doomed)
        doomed.append(start(what, path, f"k{number}", tmp_path / f"k{number}"))
        time.sleep(chance.uniform(0.15, 0.6))
        victim = doomed.pop()
        killed += victim.poll() is None
        victim.kill()
        assert victim.communicate(timeout=60)[1] == b""
    seconds = time.monotonic() - began
    for worker in lasting:
        assert worker.communicate(timeout=60)[1] == b""
        assert worker.returncode == 0

    completed: dict[str, int] = {}
    for said in tmp_path.glob("[wk]*"):
        for line in said.read_text().splitlines():
            call_id, attempts = line.split()
            completed[call_id] = int(attempts)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found: dict[str, list[int]] = {}
        for call_id, attempt in connection.execute(
            "SELECT call_id, attempt FROM attempts WHERE outcome <> 'lost' ORDER BY 1, 2"
        ):
            found.setdefault(call_id, []).append(attempt)
        rows, cost = connection.execute("SELECT count(*), sum(cost) FROM attempts").fetchone()
        spent = connection.execute("SELECT sum(cost) FROM spending").fetchone()[0]
        reserved = connection.execute("SELECT count(*) FROM reservations").fetchone()[0]
    print(f"{what}: {rows} rows in {seconds:.1f} s, {killed} processes killed")

    assert sum(call_id.startswith("w") for call_id in completed) == WORKERS * CALLS
    assert killed >= 2
    missing = {
        call_id
        for call_id, attempts in completed.items()
        if found.get(call_id) != list(range(1, attempts + 1))
    }
    assert missing == set()
    # A process that was killed can have written a call that it did not get to say.
    assert len(found.keys() - completed.keys()) <= killed
    assert spent == cost
    assert reserved <= killed

"""The ledger: what a row has, that it is written once, and what else is written with it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.policy.budget import Exceeded, Limit
from llm_client.storage.database import Connection
from llm_client.storage.ledger import Ledger, ledger_file, local_day, storable
from llm_client.storage.reservations import MOST
from llm_client.types.events import AttemptRecord, Labels
from llm_client.types.response import Usage
from tests.support.unmeasured import unmeasured

from .ledger_work import a_claim, a_record


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "data" / "ledger.db")) as made:
        yield made


def rows(ledger: Ledger, table: str = "attempts") -> list[dict[str, Any]]:
    def work(connection: Connection) -> list[dict[str, Any]]:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    return ledger.database.read(work)


def spent(ledger: Ledger) -> int:
    return sum(row["cost"] for row in rows(ledger, "spending"))


FULL_RECORD = AttemptRecord(
    call_id="c1",
    provider="openai",
    model="gpt-4o",
    started_at=1_795_000_000.25,
    latency_ms=123.5,
    time_to_first_token_ms=7.25,
    outcome="error",
    error_type="RateLimitError",
    usage=Usage(
        100,
        20,
        120,
        cached_tokens=50,
        cache_write_tokens=5,
        reasoning_tokens=7,
        estimated_cost=0.0012345678949,
        estimated=True,
    ),
    retry=2,
    fallback=1,
    attempt=4,
    labels=Labels("fast", "tonight", "web", ("a", "ü")),
    local=True,
)


def test_row_has_everything_of_the_record(ledger: Ledger) -> None:
    ledger.settle(FULL_RECORD)
    (row,) = rows(ledger)
    assert row == {
        "id": 1,
        "call_id": "c1",
        "attempt": 4,
        "started_at": 1_795_000_000.25,
        "day": local_day(1_795_000_000.25),
        "provider": "openai",
        "model": "gpt-4o",
        "local": 1,
        "profile": "fast",
        "session": "tonight",
        "project": "web",
        "tags": '["a", "ü"]',
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 50,
        "cache_write_tokens": 5,
        "reasoning_tokens": 7,
        "estimated": 1,
        "cost": 1_234_568,
        "latency_ms": 123.5,
        "first_token_ms": 7.25,
        "retry": 2,
        "fallback": 1,
        "outcome": "error",
        "error_type": "RateLimitError",
    }


def test_no_field_of_a_record_is_forgotten() -> None:
    """A field that is added to the record must come into the ledger, or be left out on purpose."""
    assert {field.name for field in fields(AttemptRecord)} == {
        "attempt",
        "call_id",
        "error_type",
        "fallback",
        "labels",
        "latency_ms",
        "local",
        "model",
        "outcome",
        "provider",
        "retry",
        "started_at",
        "time_to_first_token_ms",
        "usage",
    }


def test_row_without_usage_has_no_tokens_and_no_cost(ledger: Ledger) -> None:
    ledger.settle(replace(a_record("c"), usage=None, labels=Labels()))
    (row,) = rows(ledger)
    unknown = {name for name, value in row.items() if value is None}
    assert unknown == {
        "cache_write_tokens",
        "cached_tokens",
        "completion_tokens",
        "cost",
        "error_type",
        "profile",
        "project",
        "prompt_tokens",
        "reasoning_tokens",
        "session",
        "tags",
    }
    assert row["estimated"] == 0
    assert rows(ledger, "spending") == []


@pytest.mark.parametrize(
    ("usd", "nano"),
    [
        (0.0, 0),
        (1e-9, 1),
        (4e-10, 0),
        (0.1 + 0.2, 300_000_000),
        (9e9, MOST),
        (1e308, MOST),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (-1.0, None),
    ],
)
def test_cost_is_whole_nano_usd_or_unknown(
    ledger: Ledger, usd: float | None, nano: int | None
) -> None:
    ledger.settle(a_record("c", cost=usd))
    assert rows(ledger)[0]["cost"] == nano
    assert spent(ledger) == (nano or 0)


def test_figures_that_make_no_sense_are_written_as_far_as_they_can_be(ledger: Ledger) -> None:
    usage = Usage(10**30, -5, 10**30)
    ledger.settle(replace(a_record("c"), usage=usage, model="m\ud800"))
    (row,) = rows(ledger)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (MOST, 0)
    assert row["model"] == "m?"


def test_absurd_figures_of_many_attempts_can_be_added_up(ledger: Ledger) -> None:
    usage = Usage(2**63 - 1, 2**63 - 1, 2**64, estimated_cost=9e9)
    for number in range(3):
        ledger.settle(replace(a_record(f"c{number}"), usage=usage))
    query = "SELECT sum(prompt_tokens), sum(cost) FROM attempts"
    sums = ledger.database.read(lambda connection: connection.execute(query).fetchone())
    assert sums == (3 * MOST, 3 * MOST)
    limit = Limit(5 * MOST, "total", "`somewhere`")
    claim = a_claim("d", cost=2 * MOST)._replace(limits=(limit,))
    assert ledger.reserve(claim).refused is None
    # What is reserved is bounded too, so that this sum has an end.
    refused = ledger.reserve(claim._replace(call_id="e")).refused
    assert refused == Exceeded(limit, 3 * MOST, MOST, 2 * MOST)


def test_spending_beyond_64_bits_is_still_beyond_a_budget(ledger: Ledger) -> None:
    def spend(connection: Connection) -> None:
        for day in ("2026-11-19", "2026-11-20"):
            connection.execute(
                "INSERT INTO spending VALUES (?, 'acme', '', '', ?)", (day, 2**63 - 1)
            )

    ledger.database.write(spend)
    limit = Limit(10**18, "total", "`somewhere`")
    refused = ledger.reserve(a_claim("c")._replace(limits=(limit,))).refused
    assert refused is not None
    assert refused.spent >= 2**63


def test_record_that_is_settled_again_is_written_once(ledger: Ledger) -> None:
    ledger.settle(a_record("c", cost=0.001))
    ledger.settle(a_record("c", cost=0.002, outcome="error"))
    (row,) = rows(ledger)
    assert (row["cost"], row["outcome"]) == (2_000_000, "error")
    assert spent(ledger) == 2_000_000


def test_every_attempt_of_a_call_has_a_row(ledger: Ledger) -> None:
    for attempt in (1, 2, 3):
        ledger.settle(a_record("c", attempt))
    ledger.settle(a_record("d", 1))
    assert [(row["call_id"], row["attempt"]) for row in rows(ledger)] == [
        ("c", 1),
        ("c", 2),
        ("c", 3),
        ("d", 1),
    ]
    assert spent(ledger) == 4_000_000


def test_settling_takes_the_place_of_the_reservation(ledger: Ledger) -> None:
    ledger.reserve(a_claim("c"))
    assert [row["cost"] for row in rows(ledger, "reservations")] == [2_000_000]
    ledger.settle(a_record("c"))
    assert rows(ledger, "reservations") == []
    assert spent(ledger) == 1_000_000


def test_released_reservation_leaves_nothing(ledger: Ledger) -> None:
    ledger.reserve(a_claim("c"))
    ledger.release("c", 1)
    ledger.release("c", 1)
    assert [rows(ledger, table) for table in ("reservations", "attempts", "spending")] == [[]] * 3


def test_claim_beyond_its_budget_is_refused_and_reserves_nothing(ledger: Ledger) -> None:
    assert ledger.reserve(a_claim("c", cost=600, most=1000)).refused is None
    grant = ledger.reserve(a_claim("d", cost=600, most=1000))
    assert grant.refused is not None
    assert [row["call_id"] for row in rows(ledger, "reservations")] == ["c"]


@pytest.mark.parametrize("cost", [None, 0])
def test_claim_that_costs_nothing_writes_nothing(ledger: Ledger, cost: int | None) -> None:
    assert ledger.reserve(a_claim("c", cost=cost)).wait == 0
    assert rows(ledger, "reservations") == []


def test_pause_holds_for_everybody_with_the_same_key(ledger: Ledger) -> None:
    ledger.settle(a_record("c"), "openai", 30.0)
    with closing(Ledger(ledger.database.path)) as other:
        for cost in (None, 5):
            grant = other.reserve(a_claim("d", cost=cost))
            assert 25 < grant.wait <= 30
            assert not grant.paused
            assert other.reserve(a_claim("e", cost=cost)._replace(key="groq")).wait == 0


def test_long_pause_is_not_waited_for(ledger: Ledger) -> None:
    ledger.settle(a_record("c"), "openai", 300.0)
    for cost in (None, 5):
        grant = ledger.reserve(a_claim("d", cost=cost))
        assert grant.paused
        assert 290 < grant.wait <= 300


def test_reservation_of_a_dead_process_is_written_off_by_the_next(ledger: Ledger) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from llm_client.storage.ledger import Ledger\n"
        "from tests.storage.ledger_work import a_claim\n"
        "Ledger(Path(sys.argv[1])).reserve(a_claim('dead'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(ledger.database.path)],
        check=False,
        env=unmeasured(os.environ),
        timeout=60,
    )
    assert [row["call_id"] for row in rows(ledger, "reservations")] == ["dead"]
    ledger.reserve(a_claim("alive"))
    assert [row["call_id"] for row in rows(ledger, "reservations")] == ["alive"]
    assert [(row["outcome"], row["cost"]) for row in rows(ledger)] == [("lost", 2_000_000)]
    ledger.settle(a_record("dead"))
    assert [(row["outcome"], row["cost"]) for row in rows(ledger)] == [("ok", 1_000_000)]
    assert spent(ledger) == 1_000_000


def test_day_is_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1_795_132_800.0  # 2026-11-20, midnight in London
    days = []
    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        days.append(local_day(moment))
    monkeypatch.delenv("TZ")
    time.tzset()
    assert days == ["2026-11-20", "2026-11-19", "2026-11-20"]


@pytest.mark.parametrize(
    ("text", "stored"), [("abc", "abc"), ("größe", "größe"), ("\udce4x", "?x"), ("", "")]
)
def test_text_is_made_storable(text: str, stored: str) -> None:
    assert storable(text) == stored


def test_ledger_is_in_the_data_directory(tmp_path: Path) -> None:
    environ = {"LLM_CLIENT_DATA_DIR": str(tmp_path)}
    assert ledger_file(environ) == tmp_path / "ledger.db"


@pytest.mark.parametrize("what", ["settle", "release", "reserve", "begin"])
def test_interrupt_at_any_line_leaves_the_books_exact(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.interrupts", what],
        capture_output=True,
        text=True,
        timeout=300,
        env=unmeasured(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20

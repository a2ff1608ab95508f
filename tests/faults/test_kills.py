"""Killed for real: whatever moment SIGKILL strikes at, the ledger opens and the next call works."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random
from typing import Final

import pytest

from .ledger_rows import Row, integrity, rows_by_session, total
from .processes import CHUNKS, Arena, Victim, arena, moment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

SEED: Final = 20261120
_ROUNDS: Final = 5
_AT_ONCE: Final = 10
_TEXT: Final = "".join(f"{number} " for number in range(1, CHUNKS + 1))


def _kill_some(place: Arena, random: Random, round_: int) -> list[Victim]:
    """Start processes at once, kill each at its moment, and wait for their ends."""
    victims = [
        place.start(f"victim-{round_}-{number}", moment(random), library=number % 2 == 1)
        for number in range(_AT_ONCE)
    ]
    for victim in victims:
        status, text = victim.finish()
        assert status in (0, -signal.SIGKILL), (victim.moment, status)
        assert _TEXT.startswith(text.rstrip("\n")), victim.moment
    return victims


def _next_call(place: Arena, round_: int) -> None:
    after = place.start(f"after-{round_}", library=round_ % 2 == 1)
    status, text = after.finish()
    assert (status, text.rstrip("\n")) == (0, _TEXT.rstrip() + " ")
    (row,) = rows_by_session()[after.session]
    assert row.outcome == "ok"


def _check(victim: Victim, rows: list[Row], *, budget: bool) -> None:
    """Compare what the ledger has of a killed process with what the server saw of it."""
    status = victim.process.returncode
    shown = (victim.moment, victim.arrived, status, rows)
    outcomes = [row.outcome for row in rows]
    if status == 0:
        assert outcomes == ["ok"], shown
    elif budget and victim.arrived:
        assert outcomes in (["ok"], ["lost"]), shown
    else:
        assert outcomes in ([], ["ok"], ["lost"] if budget else []), shown
    if "ok" in outcomes:
        assert victim.sent == CHUNKS, shown
    if "lost" in outcomes:
        (row,) = rows
        assert (row.estimated, row.error_type) == (1, None), shown
        assert row.cost is not None, shown
        assert row.cost > 0, shown


@pytest.mark.parametrize("budget", [True, False], ids=["with-a-budget", "without"])
def test_ledger_survives_every_kill_and_the_next_call_works(budget: bool, tmp_path: Path) -> None:
    random = Random(f"{SEED}/{budget}")
    settings = ["[budget]", "daily_usd = 1000"] if budget else []
    victims: list[Victim] = []
    with arena(tmp_path, signal.SIGKILL, *settings) as place:
        for round_ in range(_ROUNDS):
            victims += _kill_some(place, random, round_)
            _next_call(place, round_)
            assert integrity() == "ok"
    rows = rows_by_session()
    for victim in victims:
        _check(victim, rows.get(victim.session, []), budget=budget)
    killed = [victim for victim in victims if victim.process.returncode]
    assert len(killed) > len(victims) / 2
    lost = [row for found in rows.values() for row in found if row.outcome == "lost"]
    assert bool(lost) is budget
    assert total("SELECT count(*) FROM reservations") == 0
    spent = total("SELECT coalesce(sum(cost), 0) FROM spending")
    assert spent == total("SELECT coalesce(sum(cost), 0) FROM attempts")

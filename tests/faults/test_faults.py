"""2,000 calls with random faults, through both clients: right answer or right error, and true books."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from .behaviours import BEHAVIOURS
from .ledger_rows import rows_by_session
from .oracle import FATES, foretell
from .scenarios import COUNT, Scenario, scenario
from .stage import Seen, Stage, play, play_async, stage
from .verdict import complaints

_BATCH: Final = 500
_THREADS: Final = 24
_FIRSTS = range(0, COUNT, _BATCH)


def _batch(first: int) -> list[Scenario]:
    return [scenario(number) for number in range(first, first + _BATCH)]


def _open_files() -> int | None:
    """Return how many descriptors this process has, where the system tells."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


@contextmanager
def _nothing_left_behind() -> Iterator[None]:
    """Check that a block leaves no thread and no descriptor behind."""
    gc.collect()
    threads, files = set(threading.enumerate()), _open_files()
    yield
    gc.collect()
    assert set(threading.enumerate()) <= threads
    assert _open_files() == files


def _judge(batch: list[Scenario], names: list[str], seen: list[Seen], where: Stage) -> None:
    rows = rows_by_session()
    wrong: list[str] = []
    for planned, name, told in zip(batch, names, seen, strict=True):
        found = complaints(planned, where.plans[name], told, rows.get(name, []))
        if found:
            wrong.append("\n  ".join([str(planned), *found]))
    assert not wrong, f"{len(wrong)} scenarios went wrong:\n\n" + "\n\n".join(wrong)
    assert set(rows) == set(names), "rows that nobody wrote"


@pytest.mark.parametrize("first", _FIRSTS, ids=lambda first: f"from-{first}")
def test_call_with_faults_comes_out_right_and_is_in_the_books(first: int, tmp_path: Path) -> None:
    batch = _batch(first)
    names = [f"sync-{planned.number}" for planned in batch]
    with _nothing_left_behind(), stage(tmp_path) as where:
        with ThreadPoolExecutor(_THREADS) as threads:
            seen = list(threads.map(lambda one, name: play(one, name, where), batch, names))
        where.wait_until_hung_up()
        _judge(batch, names, seen, where)


@pytest.mark.parametrize("first", _FIRSTS, ids=lambda first: f"from-{first}")
def test_call_with_faults_comes_out_right_on_asyncio_too(first: int, tmp_path: Path) -> None:
    batch = _batch(first)
    names = [f"async-{planned.number}" for planned in batch]

    async def main(where: Stage) -> list[Seen]:
        gate = asyncio.Semaphore(64)

        async def one(planned: Scenario, name: str) -> Seen:
            async with gate:
                return await play_async(planned, name, where)

        seen = await asyncio.gather(*map(one, batch, names))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return seen

    with _nothing_left_behind(), stage(tmp_path) as where:
        seen = asyncio.run(main(where))
        where.wait_until_hung_up()
        _judge(batch, names, seen, where)


def test_every_behaviour_has_a_fate_and_is_met_in_both_forms() -> None:
    assert set(FATES) == set(BEHAVIOURS)
    met: Counter[tuple[str, bool]] = Counter()
    for number in range(COUNT):
        planned = scenario(number)
        for attempt in foretell(planned).attempts:
            if attempt.step is not None:
                met[attempt.step.behaviour, planned.stream] += 1
    rare = [
        pair for pair in ((name, form) for name in FATES for form in (True, False)) if met[pair] < 3
    ]
    assert rare == []


def test_fates_are_of_all_kinds() -> None:
    fates = [foretell(scenario(number)) for number in range(COUNT)]
    assert sum(not fate.error for fate in fates) > COUNT / 4
    assert sum(bool(fate.error) for fate in fates) > COUNT / 4
    assert sum(fate.last.position > 0 for fate in fates) > COUNT / 10
    assert sum(bool(fate.error and fate.text) for fate in fates) > COUNT / 20

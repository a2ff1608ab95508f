"""Processes that race for the same budget or rate limit. Run as `python -m tests.storage.racers WHAT …`.

Each way prints what its processes saw as JSON, one line each; what stands in the ledger afterwards
is for the test to look at.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from llm_client import LLMClient
from llm_client.exceptions import BudgetExceededError
from llm_client.policy.rate import Rate
from llm_client.storage import ledger as ledger_module
from llm_client.storage import reservations
from llm_client.storage.ledger import Ledger
from llm_client.types.events import AttemptRecord
from llm_client.types.response import Usage

from .reserving import TODAY, claim, limit

_TRIES = 40


def spend(path: Path, number: int, budget: int) -> None:
    """Claim amounts of any size; settle them for as much or less."""
    ledger, chance = Ledger(path), random.Random(number)
    granted = refused = 0
    for attempt in range(1, _TRIES + 1):
        cost = chance.randint(1, budget // 20)
        asked = claim(f"{number}", attempt, cost=cost, limits=(limit(budget, "total"),))
        if ledger.reserve(asked).refused is not None:
            refused += 1
            continue
        granted += 1
        if ledger.database.read(_committed) > budget:
            raise AssertionError("more is spent and reserved than there is")
        time.sleep(chance.random() * 0.02)
        if chance.random() < 0.2:
            ledger.release(asked.call_id, attempt)
        else:
            ledger.settle(_record(asked.call_id, attempt, chance.choice([cost, cost // 3])))
    ledger.close()
    _say({"granted": granted, "refused": refused})


def _committed(connection: Any) -> int:
    total: int = connection.execute(
        "SELECT (SELECT coalesce(sum(cost), 0) FROM spending)"
        " + (SELECT coalesce(sum(cost), 0) FROM reservations)"
    ).fetchone()[0]
    return total


def _record(call_id: str, attempt: int, cost: int) -> AttemptRecord:
    usage = Usage(100, 20, 120, estimated_cost=cost / 1e9)
    return AttemptRecord(
        call_id, "acme", "m-1", time.time(), 5.0, 1.0, "ok", usage=usage, attempt=attempt
    )


def ask(path: Path, number: int, url: str, requests: int, per_minute: int, minute: float) -> None:
    """Send requests as fast as a limit allows, in which a minute is shorter than others."""
    reserve = partial(reservations.reserve, minute=minute)
    hasty = SimpleNamespace(**{**vars(reservations), "reserve": reserve})
    vars(ledger_module)["reservations"] = hasty
    ledger = Ledger(path)
    for attempt in range(1, requests + 1):
        asked = claim(f"{number}", attempt, rate=Rate(requests=per_minute))
        while wait := ledger.reserve(asked).wait:
            time.sleep(min(wait, minute))
        let_through = ledger.database.read(partial(_started, call_id=asked.call_id))
        connection = HTTPConnection(url)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        ledger.settle(_record(asked.call_id, attempt, 0))
        _say({"let_through": let_through})
    ledger.close()


def _started(connection: Any, call_id: str) -> float:
    query = "SELECT started_at FROM reservations WHERE call_id = ?"
    [[started]] = connection.execute(query, (call_id,))
    return float(started)


def call(config: Path, number: int) -> None:
    """Make calls; where the budget refuses one, try again when others have been settled."""
    answered = 0
    with LLMClient(config_path=config) as client:
        for _ in range(_TRIES):
            try:
                client.generate("Hi", max_tokens=10)
            except BudgetExceededError:
                time.sleep(0.02)
            else:
                answered += 1
    _say({"answered": answered})


def die(path: Path, cost: int) -> None:
    """Reserve, and be killed before anything can be settled."""
    Ledger(path).reserve(claim("dead", cost=cost, limits=(limit(10 * cost, "total"),)))
    os.kill(os.getpid(), signal.SIGKILL)


def _say(value: dict[str, Any]) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


def _race(count: int, work: Callable[[int], None]) -> int:
    """Run so many processes at once; return how many failed."""
    children = []
    start = time.monotonic() + 0.005 * count  # all are there by then
    for number in range(count):
        if not (pid := os.fork()):
            code = 1
            try:
                time.sleep(max(0.0, start - time.monotonic()))
                work(number)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(pid)
    return sum(os.waitpid(pid, 0)[1] != 0 for pid in children)


def main(what: str, path: Path, arguments: Iterable[str]) -> int:
    """Do what is asked; return the exit code."""
    values = list(arguments)
    match what:
        case "spend":
            budget = int(values[1])
            return _race(int(values[0]), lambda number: spend(path, number, budget))
        case "ask":
            url, requests, per_minute = values[1], int(values[2]), int(values[3])
            minute = float(values[4])
            return _race(
                int(values[0]),
                lambda number: ask(path, number, url, requests, per_minute, minute),
            )
        case "call":
            import httpx  # noqa: F401  # once, and not in every process

            return _race(int(values[0]), lambda number: call(path, number))
        case "die":
            die(path, int(values[0]))
    raise AssertionError(f"{what!r} is no race on {TODAY}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))

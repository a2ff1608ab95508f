"""Many requests at once on asyncio: rate, the slowest percent, CPU per request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .measure import Lab, interleave, median
from .table import Check, Section

__all__ = ["crowds"]

_REQUESTS = 2_000
_AT_ONCE = 100
_DELAY_MS = 100

Report = dict[str, Any]


def crowds(lab: Lab) -> list[Section]:
    """Measure the crowd against a slow server, then against an instant one."""
    requests, at_once = lab.size(_REQUESTS, 60), lab.size(_AT_ONCE, 20)
    slow, instant = lab.url("delay", _DELAY_MS), lab.url("delay", 0)
    ideal = at_once / (_DELAY_MS / 1000)
    runs = interleave(
        {
            **_contenders(lab, slow, requests, at_once),
            "AsyncLLMClient, all at once": _contender(lab, "ours", "crowd_ours", slow, requests, 0),
        },
        lab.repeats,
    )
    waiting = Section(
        f"{requests:,} requests, {at_once} at once, a server that takes {_DELAY_MS} ms",
        ("req/s", "of ideal", "p50 ms", "p99 ms", "CPU µs/req"),
    )
    for name, found in runs.items():
        waiting.rows.append((name, _waiting_figures(found, ideal)))
    ours = _waiting_figures(runs["AsyncLLMClient"], ideal)
    eager = _waiting_figures(runs["AsyncLLMClient, all at once"], ideal)
    waiting.checks = [
        Check(f"rate, of the ideal {ideal:,.0f} req/s", ours[1], 0.85, at_least=True),
        Check("p99, ms", ours[3], 160),
        Check("rate of all tasks started at once, of the ideal", eager[1], 0.80, at_least=True),
    ]
    waiting.notes = ["all at once: latencies include the client's own queue"]
    quick = interleave(_contenders(lab, instant, requests, at_once), lab.repeats)
    busy = Section(
        f"{requests:,} requests, {at_once} at once, an instant server", ("req/s", "CPU µs/req")
    )
    for name, found in quick.items():
        busy.rows.append((name, (_median(found, "rate"), _median(found, "cpu_us"))))
    cost = _median(quick["AsyncLLMClient"], "cpu_us")
    busy.checks = [Check("µs of CPU a request", cost, 450)]
    return [waiting, busy]


def _contenders(lab: Lab, url: str, requests: int, at_once: int) -> dict[str, Callable[[], Report]]:
    scripts = {
        "AsyncLLMClient": ("ours", "crowd_ours"),
        "httpx.AsyncClient": ("httpx", "crowd_httpx"),
        "aiohttp": ("aiohttp", "crowd_aiohttp"),
        "openai": ("openai", "crowd_openai"),
    }
    return {
        name: _contender(lab, home, script, url, requests, at_once)
        for name, (home, script) in scripts.items()
        if home in lab.environments
    }


def _contender(
    lab: Lab, home: str, script: str, url: str, requests: int, at_once: int
) -> Callable[[], Report]:
    environment = lab.environments[home]
    command = environment.module(script, url, str(requests), str(at_once))
    return partial(lab.report, environment, command)


def _waiting_figures(runs: list[Report], ideal: float) -> list[float]:
    rate = _median(runs, "rate")
    return [
        rate,
        rate / ideal,
        _median(runs, "p50_ms"),
        _median(runs, "p99_ms"),
        _median(runs, "cpu_us"),
    ]


def _median(runs: list[Report], figure: str) -> float:
    return median(run[figure] for run in runs)

"""One long stream of small events: CPU per chunk and memory, blocking and on asyncio."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .measure import Lab, interleave, median
from .table import Check, Section

__all__ = ["streams"]

_EVENTS = 100_000
_PEER_EVENTS = 20_000
"""The openai SDK costs the same for each chunk; a fifth of them keeps the run short."""
_FLAT_MIB = 4.0
"""What memory may grow by over 90,000 chunks; the text itself, which is kept, takes 2 MiB."""


def streams(lab: Lab) -> Section:
    """Measure the stream."""
    events = lab.size(_EVENTS, 2_000)
    scripts = {
        "httpx iter_raw + json": ("httpx", "stream_httpx", events),
        "LLMClient.stream": ("ours", "stream_ours", events),
        "AsyncLLMClient.stream": ("ours", "stream_ours_async", events),
        "openai": ("openai", "stream_openai", lab.size(_PEER_EVENTS, 2_000)),
        "openai, async": ("openai", "stream_openai_async", lab.size(_PEER_EVENTS, 2_000)),
    }
    contenders: dict[str, Callable[[], dict[str, Any]]] = {}
    for name, (home, script, count) in scripts.items():
        if (environment := lab.environments.get(home)) is None:
            continue
        command = environment.module(
            script, lab.url("events", 20), lab.url("events", count), str(count)
        )
        contenders[name] = partial(lab.report, environment, command)
    runs = interleave(contenders, lab.repeats)
    section = Section(
        f"A stream of {events:,} small events", ("µs/chunk", "× httpx", "growth MiB", "RSS MiB")
    )
    base = median(run["us_per_chunk"] for run in runs["httpx iter_raw + json"])
    figures: dict[str, list[float]] = {}
    for name, found in runs.items():
        cost = median(run["us_per_chunk"] for run in found)
        growth = median(run["growth_mib"] for run in found)
        figures[name] = [cost, cost / base, growth, median(run["rss_mib"] for run in found)]
        section.rows.append((name, figures[name]))
    section.checks = _checks(figures)
    return section


def _checks(figures: dict[str, list[float]]) -> list[Check]:
    ours, ours_async = figures["LLMClient.stream"], figures["AsyncLLMClient.stream"]
    checks = [
        Check("µs of CPU a chunk", ours[0], 20, stretch=12),
        Check("× raw httpx", ours[1], 2.1),
        Check("µs of CPU a chunk, async", ours_async[0], 25),
        Check("memory growth after the first tenth, MiB", ours[2], _FLAT_MIB),
        Check("memory growth after the first tenth, async, MiB", ours_async[2], _FLAT_MIB),
    ]
    for peer, own in (("openai", ours), ("openai, async", ours_async)):
        if peer in figures:
            checks.append(Check(f"times faster than {peer}", figures[peer][0] / own[0], 4, True))
    return checks

"""What the books cost: the same calls with and without ledger, budget and rate limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .measure import Lab, ProcessRun, interleave, median
from .table import Check, Section

__all__ = ["books"]

_CHUNKS = 20
_CALLS = 2_000
_ONE_SHOT_MS = 8
_CALL_US = 300
_PROVIDER = '[providers.bench]\ndialect = "openai-chat"\nbase_url = "{url}"\n'
_LIMITS = "requests_per_minute = 1_000_000\ntokens_per_minute = 1_000_000_000_000\n"
_OFF = "[ledger]\nenabled = false\n"
_BUDGET = (
    '[pricing."bench/*"]\ninput = 0.4\noutput = 1.6\n'
    "[budget]\ndaily_usd = 1e6\nmonthly_usd = 1e6\nper_call_usd = 10.0\n"
)
_SETTINGS = {
    "without": _PROVIDER + _OFF,
    "ledger": _PROVIDER,
    "ledger, budget, limits": _PROVIDER + _LIMITS + _BUDGET,
}
"""The first is what the others are compared with."""


def books(lab: Lab) -> list[Section]:
    """Measure one command, then calls of a library that stays."""
    return [_one_shot(lab), _calls(lab)]


def _one_shot(lab: Lab) -> Section:
    ours = lab.environments["ours"]
    url = lab.url("events", _CHUNKS)
    contenders: dict[str, Callable[[], ProcessRun]] = {}
    for name in _SETTINGS:
        generate = ("generate", "hello", "-m", "bench/bench", "--config", _config(lab, name, url))
        command = ours.command("llm-client", "llm_client", *generate)
        contenders[name] = partial(lab.run, ours, command)
    # The difference is small beside what a start varies by.
    runs = interleave(contenders, lab.repeats * 4)
    section = Section(
        f"The books of one shot: {_CHUNKS} chunks streamed to a pipe",
        ("wall ms", "added ms", "CPU ms", "added ms", "peak MiB"),
    )
    for name, found in runs.items():
        wall, cpu = _added(runs, name, "wall_ms"), _added(runs, name, "cpu_ms")
        row = (
            median(run.wall_ms for run in found),
            wall,
            median(run.cpu_ms for run in found),
            cpu,
            median(run.peak_mib for run in found),
        )
        section.rows.append((name, row))
    added = section.rows[-1][1][1]
    assert added is not None
    section.checks = [Check("added by ledger, budget and limits, ms", added, _ONE_SHOT_MS)]
    return section


def _added(runs: dict[str, list[ProcessRun]], name: str, figure: str) -> float | None:
    """Return what one setting adds to the first: the median of neighbours, which share a minute."""
    base, *_ = runs
    if name == base:
        return None
    pairs = zip(runs[name], runs[base], strict=True)
    return median(getattr(run, figure) - getattr(bare, figure) for run, bare in pairs)


def _calls(lab: Lab) -> Section:
    ours, calls = lab.environments["ours"], lab.size(_CALLS, 60)
    files = [_config(lab, name, lab.url("delay", 0)) for name in _SETTINGS]
    contenders: dict[str, Callable[[], dict[str, Any]]] = {}
    for form in ("sync", "async"):
        command = ours.module("books_ours", form, str(calls), *files)
        contenders[form] = partial(lab.report, ours, command)
    runs = interleave(contenders, lab.repeats)
    section = Section(
        f"The books of a call: {calls:,} of each, one after the other, an instant server",
        ("µs/call", "added µs", "× without", "CPU µs"),
    )
    for form, found in runs.items():
        base = median(run["wall_us"][0] for run in found)
        for index, name in enumerate(_SETTINGS):
            wall = median(run["wall_us"][index] for run in found)
            added = median(run["wall_us"][index] - run["wall_us"][0] for run in found)
            cpu = median(run["cpu_us"][index] for run in found)
            row = (wall, added if index else None, wall / base, cpu)
            section.rows.append((f"{form}, {name}", row))
        section.checks.append(Check(f"added to a call, {form}, µs", added, _CALL_US))
    return section


def _config(lab: Lab, name: str, url: str) -> str:
    """Write the configuration file of a setting; return its path."""
    file: Path = lab.home / f"{name.replace(', ', '-')}-{url.split('/')[3]}.toml"
    file.write_text(_SETTINGS[name].format(url=url))
    return str(file)

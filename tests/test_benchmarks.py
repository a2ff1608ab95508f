"""The benchmarks run to their end and print their table. No figure is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.decoding import DIALECTS as MEASURED
from benchmarks.run import SCENARIOS
from benchmarks.table import Check, Section, render
from llm_client.dialects import DIALECTS

REPOSITORY = Path(__file__).parent.parent
TITLES = {
    "one-shot": ["One shot:"],
    "start-up": ["Start-up"],
    "streams": ["A stream of 2,000 small events"],
    "decoding": ["Decoding 1,000 small events, and one of 1 MB", "openai-responses"],
    "crowds": ["a server that takes 100 ms", "an instant server"],
    "books": ["The books of one shot:", "The books of a call: 60"],
    "terminal": ["200 lines of Markdown on a terminal"],
    "large-input": ["1 MB on standard input"],
}


def run_benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=300,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks need a pseudo-terminal")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_quick_run_prints_the_table_of_its_scenario(scenario: str) -> None:
    done = run_benchmarks("--quick", scenario)
    assert done.returncode == 0, done.stderr
    for title in TITLES[scenario]:
        assert title in done.stdout
    assert "  → " in done.stdout
    assert "peers are left out" in done.stdout
    assert "the figures mean nothing" in done.stdout


def test_decoding_of_every_dialect_is_measured() -> None:
    assert set(MEASURED) == set(DIALECTS)


def test_unknown_scenario_is_refused_with_the_known_ones() -> None:
    done = run_benchmarks("--quick", "speed")
    assert done.returncode == 2
    assert "'speed'" in done.stderr
    assert "one-shot" in done.stderr


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (Check("wall", 0.90, 0.90), "wall: 0.90; ≤ 0.90: ok"),
        (Check("wall", 0.91, 0.90, stretch=0.70), "wall: 0.91; ≤ 0.90 (stretch 0.70): MISSED"),
        (Check("rate", 0.85, 0.85, at_least=True), "rate: 0.85; ≥ 0.85: ok"),
        (Check("rate", 0.84, 0.85, at_least=True), "rate: 0.84; ≥ 0.85: MISSED"),
        (Check("CPU", 1234.0, 450), "CPU: 1,234; ≤ 450: MISSED"),
    ],
    ids=["at-most", "over", "at-least", "under", "large"],
)
def test_check_says_whether_its_bound_is_kept(check: Check, verdict: str) -> None:
    assert check.line() == verdict


def test_table_lines_up_figures_and_marks_those_without_meaning() -> None:
    section = Section("Title", ("wall ms", "× base"), [("a", (12.34, None)), ("long", (1.0, 2.0))])
    section.notes = ["a note"]
    lines = render([section]).splitlines()
    assert lines[0] == "Title"
    assert [line.split() for line in lines[3:5]] == [["a", "12.3", "–"], ["long", "1.00", "2.00"]]
    assert len(lines[3]) == len(lines[4])
    assert lines[5] == "  · a note"

"""The table of usage: which columns there are, and that it fits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from llm_client.cli.render.usage_table import day_lines, usage_table
from llm_client.storage.usage_queries import DayUsage
from llm_client.types.usage import UsageKey, UsageReport, UsageRow

PAID = UsageRow(
    key="openai/gpt-5.2",
    calls=3,
    attempts=3,
    prompt_tokens=1000,
    completion_tokens=200,
    cost_nano_usd=750_000_000,
    latency_ms=1234.0,
    time_to_first_token_ms=321.0,
)
BUSY = UsageRow(
    key="anthropic/claude-sonnet-5",
    calls=40,
    attempts=55,
    failed=12,
    interrupted=3,
    lost=1,
    cached=2,
    prompt_tokens=9_000_000,
    completion_tokens=1_000_000,
    cached_tokens=5_000_000,
    reasoning_tokens=400_000,
    estimated=4,
    cost_nano_usd=250_000_000,
    unpriced=7,
    latency_ms=20_000.0,
)


def report(*rows: UsageRow, by: UsageKey = "model", total: UsageRow | None = None) -> UsageReport:
    return UsageReport(by=by, rows=rows, total=replace(total or rows[0], key=None))


def drawn(shown: UsageReport, width: int = 200, *, ascii: bool = False) -> list[str]:
    return usage_table(shown, width, color=False, ascii=ascii)


def titles(lines: list[str]) -> list[str]:
    return [title.strip() for title in lines[0].split("  ") if title.strip()]


def test_column_that_says_nothing_is_left_out() -> None:
    lines = drawn(report(PAID))
    assert titles(lines) == [
        *("Model", "Calls", "Prompt", "Completion", "Tokens", "Latency", "1st token"),
        *("Cost", "Share"),
    ]
    assert lines[2].split() == [
        *("openai/gpt-5.2", "3", "1,000", "200", "1,200", "1.23", "s", "0.32", "s", "$0.75"),
        *("█" * 24, "100%"),
    ]


def test_column_that_says_something_is_there() -> None:
    lines = drawn(report(BUSY, total=BUSY), 250)
    assert titles(lines) == [
        *("Model", "Calls", "Attempts", "Failed", "Stopped", "Lost", "Cached", "Prompt"),
        *("From cache", "Completion", "Reasoning", "Tokens", "Latency", "Cost", "Unpriced"),
        "Share",
    ]
    cells = lines[2].split()
    assert "~10.0M" in cells  # a guess in part, and in short
    assert "~$0.25" in cells
    assert "9.00M" in cells
    assert cells[-3:-2] == ["7"]


@pytest.mark.parametrize(
    ("row", "cost"),
    [
        (replace(PAID, cost_nano_usd=None, unpriced=3), "unpriced"),
        (replace(PAID, cost_nano_usd=None, local=3), "local"),
        (replace(PAID, cost_nano_usd=None, local=3, unpriced=1), "unpriced"),
        (replace(PAID, cost_nano_usd=None, local=3, estimated=1), "local"),
        (replace(PAID, cost_nano_usd=0), "$0.00"),
        (replace(PAID, cost_nano_usd=1), "<$0.0001"),
        (replace(PAID, cost_nano_usd=1, estimated=1), "~<$0.0001"),
        (replace(PAID, unpriced=2), "+ 2"),
    ],
    ids=str,
)
def test_cost_says_what_is_known_of_it(row: UsageRow, cost: str) -> None:
    assert f" {cost}" in drawn(report(row))[2]


def test_without_any_cost_bars_are_of_tokens() -> None:
    free = replace(PAID, cost_nano_usd=None, local=3)
    less = replace(free, key="ollama/small", prompt_tokens=100, completion_tokens=200)
    whole = replace(free, prompt_tokens=1100, completion_tokens=400)
    lines = drawn(report(free, less, total=whole), 100)
    assert [line.split()[-1] for line in lines[2:4]] == ["80%", "20%"]


@pytest.mark.parametrize("width", [*range(24, 60), 80, 100, 132, 250])
@pytest.mark.parametrize("ascii", [False, True], ids=["unicode", "ascii"])
def test_table_is_never_wider_than_the_terminal(width: int, ascii: bool) -> None:
    unnamed, long = (
        replace(PAID, key=None),
        replace(PAID, key="日本語のとても長いプロジェクト名" * 3),
    )
    lines = drawn(report(BUSY, unnamed, long, total=BUSY), width, ascii=ascii)
    assert max(map(cell_len, lines)) <= width
    if ascii:
        assert not {"█", "─", "…"} & set("".join(lines))
    assert "Total" in lines[-1]
    assert any("(none)" in line for line in lines)


def test_narrow_table_keeps_calls_and_cost_and_breaks_names_at_the_slash() -> None:
    lines = drawn(report(BUSY, PAID, total=BUSY), 40)
    assert titles(lines)[:2] == ["Model", "Calls"]
    assert "Cost" in titles(lines)
    assert lines[2].startswith("anthropic/ ")
    assert lines[3] == "claude-sonnet-5"


def test_failed_attempts_never_stand_beside_calls_alone() -> None:
    tried_again = UsageRow(key="openai/gpt-5.2", calls=3, attempts=7, failed=4)
    seen = {tuple(titles(drawn(report(tried_again), width))[1:]) for width in range(20, 100)}
    assert ("Calls", "Attempts", "Failed", "Cost") in seen
    assert ("Calls",) in seen
    assert all(("Failed" in shown) == ("Attempts" in shown) for shown in seen)
    # Where every call is one attempt, there is nothing to be mistaken for.
    assert titles(drawn(report(replace(tried_again, calls=7))))[1:3] == ["Calls", "Failed"]


def test_prompt_and_completion_come_and_go_together() -> None:
    for width in range(30, 140):
        head = titles(drawn(report(BUSY, total=BUSY), width))
        assert ("Prompt" in head) == ("Completion" in head)


@pytest.mark.parametrize(
    ("by", "key", "shown"),
    [
        ("day", "2026-11-20", "2026-11-20 Fri"),
        ("week", "2026-W47", "2026-W47, from 11-16"),
        ("month", "2026-11", "2026-11"),
        ("project", None, "(none)"),
        ("project", "\x1b[2J\n\tx", "␛[2J  x"),
        ("tag", "[bold]x[/bold] :smile:", "[bold]x[/bold] :smile:"),
    ],
    ids=str,
)
def test_key_is_shown_as_people_read_it(by: UsageKey, key: str | None, shown: str) -> None:
    lines = drawn(report(replace(PAID, key=key), by=by))
    assert titles(lines)[0] == by.capitalize()
    assert lines[2].startswith(f"{shown}  ")


def test_colour_is_only_there_when_wanted() -> None:
    shown = report(BUSY, total=BUSY)
    assert "\x1b[" in "".join(usage_table(shown, 100, color=True, ascii=False))
    assert "\x1b" not in "".join(usage_table(shown, 100, color=False, ascii=False))


DAYS = [DayUsage("2026-11-14", 1_000_000_000, 10), DayUsage("2026-11-20", 250_000_000, 30)]


def test_line_has_a_cell_for_every_day_with_its_cost() -> None:
    assert day_lines(DAYS, 80, ascii=False) == ["Cost per day  11-14 █     ▂ 11-20  at most $1.00"]
    assert day_lines(DAYS, 80, ascii=True) == ["Cost per day  11-14 @     : 11-20  at most $1.00"]


def test_line_without_costs_is_about_tokens() -> None:
    days = [day._replace(cost_nano_usd=None) for day in DAYS]
    assert day_lines(days, 80, ascii=False) == ["Tokens per day  11-14 ▃     █ 11-20  at most 30"]


@pytest.mark.parametrize("days", [[], DAYS[:1]], ids=["none", "one"])
def test_line_of_a_single_day_is_left_out(days: list[DayUsage]) -> None:
    assert day_lines(days, 80, ascii=False) == []


@pytest.mark.parametrize("width", [20, 30, 40, 80, 200])
def test_long_time_is_told_in_steps_that_fit(width: int) -> None:
    days = [
        DayUsage(f"{year}-{month:02}-01", 10**9, 5)
        for year in (2024, 2025, 2026)
        for month in range(1, 13)
    ]
    what, line = day_lines(days, width, ascii=False)
    assert len(line) <= max(width, 24)
    assert line.startswith("2024-01-01 ")
    assert line.endswith(" 2026-12-01")
    assert re.search(r" per \d+ days", what)


def test_steps_add_up_their_days() -> None:
    days = [DayUsage(f"2026-11-{day:02}", 10**9, 5) for day in range(1, 31)]
    what, line = day_lines(days, 27, ascii=False)
    assert what == "Cost per 2 days, at most $2.00"
    assert line == f"11-01 {'█' * 15} 11-30"

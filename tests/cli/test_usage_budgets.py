"""`llm-client usage` and budgets: what is left of them, and how they begin anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from llm_client import AsyncLLMClient, LLMClient
from llm_client.storage.ledger import Ledger
from llm_client.storage.reservations import Claim
from llm_client.storage.usage_store import UsageStore
from llm_client.types.events import Labels
from llm_client.types.usage import UsageQuery

from ..storage.reserving import limit
from ..storage.usage_rows import attempt, write
from .program import run
from .terminal import Terminal, terminal

on_terminals = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

CONFIG = """
[budget]
per_call_usd = 1.0
daily_usd = 5.0
total_usd = 500.0

[budget.projects."my\\u001b[31m web"]
weekly_usd = 2.0
on_exceeded = "warn"

[budget.providers.openai]
monthly_usd = 1.0
"""
WEB = "my\x1b[31m web"
TODAY = date.today()
TOMORROW = str(TODAY + timedelta(days=1))
MONDAY = str(TODAY + timedelta(days=7 - TODAY.weekday()))
FIRST = str((TODAY.replace(day=1) + timedelta(days=31)).replace(day=1))


@pytest.fixture
def ledger(clean_environment: Path) -> Path:
    return clean_environment / ".local/share/llm_client/ledger.db"


@pytest.fixture
def config(clean_environment: Path) -> Path:
    path = clean_environment / ".config/llm_client/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIG)
    return path


@pytest.fixture
def filled(ledger: Path, config: Path) -> Iterator[Path]:
    """Money that was spent today and long ago, and some that is reserved meanwhile."""
    write(
        ledger,
        attempt("a", at=f"{TODAY}T00:00", cost=0.75, labels=Labels(project=WEB)),
        attempt("b", at=f"{TODAY}T00:01", spec="gemini/g", cost=2.0, labels=Labels(project=WEB)),
        attempt("old", at="2020-01-15T12:00", cost=9.0),
    )
    claim = Claim("c", 1, str(TODAY), "openai", "m", Labels(), 1, 1, 10**9, (limit(10**10),))
    with closing(Ledger(ledger)) as writer:
        writer.reserve(claim)
        yield ledger


def shown(*arguments: str, columns: int = 100) -> Terminal:
    with terminal("usage", *arguments, columns=columns) as seen:
        assert seen.finish() == 0
        return seen


def left(ledger: Path) -> list[str]:
    return [row["call_id"] for row in UsageStore(ledger).attempts(UsageQuery())]


def spent() -> dict[tuple[str, str | None], float]:
    budgets = run("usage", "--json").json["budgets"]
    return {(budget["period"], budget["name"]): budget["spent_usd"] for budget in budgets}


def test_object_has_every_budget_that_adds_up(filled: Path) -> None:
    budgets = run("usage", "--json").json["budgets"]
    common = {"scope": None, "name": None, "on_exceeded": "block"}
    assert budgets == [
        {
            **common,
            "period": "day",
            "limit_usd": 5.0,
            "spent_usd": 2.75,
            "reserved_usd": 1.0,
            "left_usd": 1.25,
            "renews": TOMORROW,
        },
        {
            **common,
            "period": "total",
            "limit_usd": 500.0,
            "spent_usd": 11.75,
            "reserved_usd": 1.0,
            "left_usd": 487.25,
            "renews": None,
        },
        {
            "scope": "project",
            "name": WEB,
            "on_exceeded": "warn",
            "period": "week",
            "limit_usd": 2.0,
            "spent_usd": 2.75,
            "reserved_usd": 0.0,
            "left_usd": 0.0,
            "renews": MONDAY,
        },
        {
            **common,
            "scope": "provider",
            "name": "openai",
            "period": "month",
            "limit_usd": 1.0,
            "spent_usd": 0.75,
            "reserved_usd": 1.0,
            "left_usd": 0.0,
            "renews": FIRST,
        },
    ]


def test_without_a_budget_or_a_ledger_there_is_none(ledger: Path) -> None:
    assert run("usage", "--json").json["budgets"] == []
    assert not ledger.exists()


def test_budget_without_a_ledger_is_whole_and_makes_none(config: Path, ledger: Path) -> None:
    day, *_ = run("usage", "--json").json["budgets"]
    assert (day["spent_usd"], day["left_usd"]) == (0.0, 5.0)
    assert not ledger.exists()


def test_pipe_has_rows_and_nothing_else(filled: Path, config: Path) -> None:
    result = run("usage", "--since", "all")
    config.unlink()
    assert result.text == run("usage", "--since", "all").text
    assert result.stderr == ""


@on_terminals
def test_terminal_shows_a_line_for_each_budget(filled: Path) -> None:
    text = " ".join(shown().screen)
    assert (
        f"Daily budget of $5.00: $2.75 spent, $1.00 reserved, $1.25 left; it renews on {TOMORROW}."
    ) in text
    assert "Total budget of $500.00: $11.75 spent, $1.00 reserved, $487.25 left." in text
    assert f"it renews on {MONDAY}; it only warns." in text
    assert "Monthly budget of $1.00 for the provider 'openai': $0.75 spent" in text


@on_terminals
@pytest.mark.parametrize("columns", [30, 80])
def test_lines_about_budgets_fit(config: Path, columns: int) -> None:
    # Also where nothing was used yet.
    _, *lines = shown(columns=columns).screen
    assert max(map(len, lines)) <= columns
    assert "Daily budget of $5.00: $0.00 spent, $5.00 left" in " ".join(lines)


# --- beginning anew --------------------------------------------------------------------------


def test_prune_keeps_what_budgets_count(filled: Path) -> None:
    assert run("usage", "prune", "--older-than", "0d", "--yes").text == "3 attempts deleted.\n"
    assert left(filled) == []
    assert spent()["total", None] == 11.75


@pytest.mark.parametrize(
    ("older_than", "total", "kept"),
    [("0d", 0.0, []), ("1d", 2.75, ["a", "b"]), ("2020-01-15T12:00:30", 11.75, ["a", "b"])],
    ids=["everything", "all-but-today", "not-the-whole-day"],
)
def test_budgets_forget_whole_days_when_told_to(
    filled: Path, older_than: str, total: float, kept: list[str]
) -> None:
    result = run("usage", "prune", "--older-than", older_than, "--budgets", "--yes")
    assert (result.status, result.stderr) == (0, "")
    assert ("Budgets have forgotten" in result.text) == (total != 11.75)
    assert left(filled) == kept
    assert spent()["total", None] == total
    assert spent()["day", None] == (0.0 if not kept else 2.75)


def test_budgets_begin_anew_also_where_no_attempt_is_left(filled: Path) -> None:
    run("usage", "prune", "--older-than", "0d", "--yes")
    again = run("usage", "prune", "--older-than", "0d", "--budgets", "--yes")
    assert again.text == "0 attempts deleted. Budgets have forgotten what was spent then.\n"
    assert set(spent().values()) == {0.0}
    once_more = run("usage", "prune", "--older-than", "0d", "--budgets", "--yes")
    assert once_more.text.startswith("No attempts up to ")


@on_terminals
@pytest.mark.parametrize(
    ("flags", "rest"),
    [
        ([], "What budgets count is kept. [y/N]"),
        (["--budgets"], "Budgets forget what was spent then. [y/N]"),
    ],
    ids=["kept", "forgotten"],
)
def test_question_says_what_becomes_of_budgets(filled: Path, flags: list[str], rest: str) -> None:
    with terminal("usage", "prune", "--older-than", "0d", *flags) as seen:
        seen.read_until("[y/N] ")
        os.write(seen.master, b"n\n")
        assert seen.finish() == 1
    assert rest in " ".join(seen.screen)
    assert spent()["total", None] == 11.75


def reset() -> int:
    with LLMClient("embedded/demo") as client:
        return client.reset_usage()


def reset_async() -> int:
    async def main() -> int:
        async with AsyncLLMClient("embedded/demo") as client:
            return await client.reset_usage()

    return asyncio.run(main())


@pytest.mark.parametrize("reset", [reset, reset_async], ids=["sync", "async"])
def test_reset_lets_budgets_begin_anew(filled: Path, reset: Callable[[], int]) -> None:
    assert reset() == 3
    assert left(filled) == []
    assert set(spent().values()) == {0.0}


def test_broken_configuration_is_told_only_where_budgets_are_shown(
    filled: Path, config: Path
) -> None:
    config.write_text("[budgets]\ndaily_usd = 5\n")
    assert run("usage").status == run("usage", "--csv").status == 0
    result = run("usage", "--json")
    assert result.status == 3
    assert "Did you mean 'budget'?" in result.stderr
    assert run("usage", "--csv", "--config", str(config)).status == 3

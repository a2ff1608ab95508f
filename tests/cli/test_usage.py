"""`llm-client usage` as a user runs it: what is shown in a pipe and on a terminal, and what is refused."""

from __future__ import annotations

import csv
import io
import os
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_client.types.events import Labels

from ..storage.usage_rows import attempt, write
from .program import Result, run
from .terminal import Terminal, terminal

on_terminals = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

TODAY = date.today()


def day(ago: int) -> str:
    return str(TODAY - timedelta(days=ago))


@pytest.fixture
def ledger(clean_environment: Path) -> Path:
    return clean_environment / ".local/share/llm_client/ledger.db"


@pytest.fixture
def filled(ledger: Path) -> Path:
    """Two paid models and a local one, over some days; one attempt has no known price."""
    web = Labels("fast", "s", "web", ("x", "y"))
    return write(
        ledger,
        attempt("a", at=f"{day(1)}T12:00", cost=0.75, labels=web, latency_ms=2000.0),
        attempt("b", 1, at=f"{day(1)}T13:00", outcome="error", tokens=None, error_type="X"),
        attempt("b", 2, at=f"{day(1)}T13:01", spec="gemini/gemini-3", cost=0.25),
        attempt("c", at=f"{day(3)}T12:00", spec="gemini/gemini-3", cost=None, estimated=True),
        attempt(
            "d", at=f"{day(4)}T12:00", spec="ollama/llama3.2", cost=None, labels=web, is_local=True
        ),
        attempt("old", at=f"{day(60)}T12:00", spec="openai/gpt-4", cost=9.0),
    )


def keys(result: Result) -> list[Any]:
    assert (result.status, result.stderr) == (0, "")
    return [row["key"] for row in result.json["rows"]]


# --- in a pipe -------------------------------------------------------------------------------


def test_default_is_thirty_days_by_model(filled: Path) -> None:
    result = run("usage", "--json")
    assert keys(result) == ["openai/gpt-5.2", "gemini/gemini-3", "ollama/llama3.2"]
    assert (result.json["by"], result.json["since"], result.json["until"]) == (
        "model",
        day(29),
        None,
    )


def test_text_is_aligned_and_without_colour(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = run("usage")
    assert (result.status, result.stderr) == (0, "")
    head, *rows, total = [line.split() for line in result.text.splitlines()]
    assert [len(cells) for cells in (*rows, total)] == [len(head)] * 4
    assert len({len(line) for line in result.text.splitlines()}) == 1
    shown = {cells[0]: dict(zip(head, cells, strict=True)) for cells in (*rows, total)}
    assert shown["openai/gpt-5.2"]["cost_usd"] == "0.750000"
    assert shown["openai/gpt-5.2"]["failed"] == "1"
    assert shown["gemini/gemini-3"]["unpriced"] == "1"
    assert shown["gemini/gemini-3"]["estimated"] == "1"
    assert shown["ollama/llama3.2"]["cost_usd"] == "-"
    assert shown["ollama/llama3.2"]["local"] == "1"
    assert shown["total"]["calls"] == "4"
    assert shown["total"]["attempts"] == "5"
    assert shown["total"]["cost_usd"] == "1.000000"
    assert "\x1b" not in result.text


def test_object_has_every_figure(filled: Path) -> None:
    result = run("usage", "--json", "--by", "project", "--since", "7d")
    assert result.json["schema_version"] == 1
    assert result.json["total"] == {
        "calls": 4,
        "attempts": 5,
        "failed": 1,
        "interrupted": 0,
        "lost": 0,
        "cached": 0,
        "prompt_tokens": 400,
        "completion_tokens": 80,
        "total_tokens": 480,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "estimated": 1,
        "cost": 1.0,
        "cost_nano_usd": 1_000_000_000,
        "unpriced": 1,
        "local": 1,
        "latency_ms": 1250.0,
        "time_to_first_token_ms": 200.0,
    }
    assert keys(result) == ["web", None]
    assert result.json["rows"][0].keys() == {"key", *result.json["total"]}


@pytest.mark.parametrize(
    ("flags", "calls"),
    [
        (["--since", "all"], 5),
        (["--until", "today"], 5),
        (["--until", "30d"], 1),
        (["--since", "3d"], 2),
        (["--since", "yesterday", "--until", "yesterday"], 2),
        (["-p", "gemini"], 2),
        (["-m", "gpt-5.2"], 2),
        (["-m", "openai/*"], 2),
        (["--project", "web"], 2),
        (["--project", ""], 2),
        (["--session", "s"], 2),
        (["--profile", "fast"], 2),
        (["--tag", "x"], 2),
        (["--outcome", "error"], 1),
    ],
    ids=str,
)
def test_filters_narrow_the_total(filled: Path, flags: list[str], calls: int) -> None:
    result = run("usage", "--json", *flags)
    assert result.json["total"]["calls"] == calls
    said = {flag.removeprefix("--") for flag in flags if flag.startswith("--")}
    assert said - {"since", "until"} <= result.json["filters"].keys()
    assert not {"since", "until"} & result.json["filters"].keys()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("provider", ["openai", "gemini", "ollama"]),
        ("day", [day(4), day(3), day(1)]),
        ("session", ["s", None]),
        ("profile", ["fast", None]),
        ("tag", ["x", "y", None]),
        ("outcome", ["ok", "error"]),
    ],
)
def test_usage_is_grouped(filled: Path, by: str, expected: list[Any]) -> None:
    assert keys(run("usage", "--json", "--by", by)) == expected


def test_csv_has_a_header_and_exact_figures(filled: Path) -> None:
    result = run("usage", "--csv", "--by", "project")
    assert result.stdout.count(b"\r\n") == 3
    rows = [*csv.DictReader(io.StringIO(result.text, newline=""))]
    assert [row["project"] for row in rows] == ["web", ""]
    assert [row["cost"] for row in rows] == ["0.75", "0.25"]
    assert [row["cost_nano_usd"] for row in rows] == ["750000000", "250000000"]
    assert rows[0]["cached_tokens"] == ""


def test_text_and_csv_are_harmless(ledger: Path) -> None:
    evil = "=cmd|' /C calc'!A0\x1b]0;owned\x07\nline"
    write(ledger, attempt("a", at=f"{day(0)}T00:00", labels=Labels(project=evil)))
    rows = [*csv.reader(io.StringIO(run("usage", "--csv", "--by", "project").text, newline=""))]
    assert rows[1][0] == f"'{evil}"
    shown = run("usage", "--by", "project").text
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3
    assert keys(run("usage", "--json", "--by", "project")) == [evil]


def test_wide_letters_are_aligned(ledger: Path) -> None:
    write(
        ledger,
        attempt("a", at=f"{day(0)}T00:00", labels=Labels(project="日本語")),
        attempt("b", at=f"{day(0)}T00:00", labels=Labels(project="cafe\u0301")),
    )
    lines = run("usage", "--by", "project").text.splitlines()
    assert [line.rstrip() for line in lines[1:3]] == lines[1:3]
    found = {line.split()[0]: len(line) for line in lines[1:]}
    assert found["cafe\u0301"] == found["total"] + 1
    assert found["日本語"] == found["total"] - 3


# --- nothing to be shown ---------------------------------------------------------------------


def test_without_a_ledger_a_line_says_so_and_nothing_is_made(clean_environment: Path) -> None:
    result = run("usage")
    assert result.status == 0
    assert result.stderr == "Nothing is recorded yet. The first call begins the ledger.\n"
    assert [line.split()[:2] for line in result.text.splitlines()] == [
        ["model", "calls"],
        ["total", "0"],
    ]
    empty = run("usage", "--json").json
    assert (empty["rows"], empty["total"]["calls"], empty["total"]["cost"]) == ([], 0, 0.0)
    assert run("usage", "--csv").text.startswith("model,calls,")
    assert not (clean_environment / ".local/share").exists()


def test_ledger_that_is_off_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    off = tmp_path / "off.toml"
    off.write_text("[ledger]\nenabled = false\n")
    assert run("usage", "--config", str(off)).stderr == "Nothing is recorded: the ledger is off.\n"
    monkeypatch.setenv("LLM_CLIENT_LEDGER", "off")
    assert run("usage").stderr == "Nothing is recorded: the ledger is off.\n"


def test_filter_that_fits_nothing_is_told(filled: Path) -> None:
    result = run("usage", "--project", "nope")
    assert result.status == 0
    assert result.text.splitlines()[1].split()[:2] == ["total", "0"]
    assert "Nothing of what is recorded fits" in result.stderr
    assert "--since all" in result.stderr


@on_terminals
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_terminal_shows_no_table_of_nothing(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    assert shown().screen == ["Nothing is recorded yet. The first call begins the ledger."]


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--since", "foo"], "since 'foo' is no time.\n  For example 2026-11-20"),
        (["--until", "yesterday", "--since", "today"], "The span ends before it begins"),
        (["--by", "modl"], "Did you mean 'model'?"),
        (["--outcome", "fine"], "outcome 'fine' is none of"),
        (["--json", "--csv"], "--json and --csv are two forms"),
        (["--color", "red"], "--color 'red'"),
        (["--since", "7d", "export"], "--since in front of 'export' would not count"),
        (["--json", "-p", "x", "prune"], "--provider, --json in front of 'prune' would not"),
        (["report"], "No such command 'report'"),
        (["export", "--format", "xml"], "--format 'xml' is neither jsonl nor csv"),
        (["export", "--since", "foo"], "since 'foo' is no time"),
        (["prune"], "--older-than is missing"),
        (["prune", "--older-than", "soon", "--yes"], "--older-than 'soon' is no time"),
        (["prune", "--older-than", "all", "--yes"], "'all' is no age"),
        (["prune", "--older-than", "90d"], "there is no terminal to ask on.\n  Say `--yes`"),
    ],
    ids=str,
)
def test_wrong_command_line_is_refused(filled: Path, flags: list[str], message: str) -> None:
    result = run("usage", *flags)
    assert result.status == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert run("usage", "--since", "all", "--json").json["total"]["calls"] == 5


def test_bad_configuration_is_told(filled: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[legder]\n")
    result = run("usage", "--config", str(bad))
    assert result.status == 3
    assert "legder" in result.stderr


def test_newer_ledger_is_refused_and_stays_as_it_is(ledger: Path) -> None:
    import sqlite3
    from contextlib import closing

    write(ledger, attempt("a"))
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = ledger.read_bytes()
    for arguments in (["usage"], ["usage", "export"], ["usage", "prune", "--older-than=0d", "-y"]):
        result = run(*arguments)
        assert result.status == 3
        assert "has version 99" in result.stderr
    assert ledger.read_bytes() == before


def test_damaged_ledger_is_told_and_left_alone(ledger: Path) -> None:
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"no database" * 500)
    result = run("usage", "--json")
    assert result.status == 1
    assert "it is damaged" in result.stderr
    assert result.json["error"]["type"] == "StoreError"
    assert [file.name for file in ledger.parent.iterdir()] == ["ledger.db"]


# --- on a terminal ---------------------------------------------------------------------------


def shown(*flags: str, columns: int = 80) -> Terminal:
    with terminal("usage", *flags, columns=columns) as seen:
        assert seen.finish() == 0
    return seen


@on_terminals
@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120, 200])
def test_table_fits_every_terminal(filled: Path, columns: int) -> None:
    seen = shown(columns=columns)
    assert max(map(len, seen.screen)) <= columns
    whole = "\n".join(seen.screen)
    assert "$0.75" in whole
    assert re.search(r"Total .*\$1\.00", whole)
    assert "local" in whole
    assert "1 attempt unpriced" in re.sub(r"\s+", " ", whole)
    assert "~ partly a guess" in re.sub(r"\s+", " ", whole)
    # A name that has no room is broken where it has a slash.
    assert "gpt-5.2" in whole
    assert ("Share" in whole) == (columns >= 60)


@on_terminals
def test_line_of_days_is_below_the_table_but_not_below_days(filled: Path) -> None:
    seen = shown(columns=100)
    assert any(row.startswith("Cost per day") and "at most $1.00" in row for row in seen.screen)
    assert not any("per day" in row for row in shown("--by", "day", columns=100).screen)


@on_terminals
def test_title_says_span_and_filters(filled: Path) -> None:
    assert shown().screen[0] == f"Usage since {day(29)}"
    assert shown("--since", "all", "-p", "openai").screen[0] == "Usage of all time, provider openai"
    assert shown("--until", "today", "--project", "").screen[0] == (
        f"Usage until {day(0)}, project (none)"
    )
    assert shown("--since", "yesterday", "--until", "yesterday").screen[0] == f"Usage on {day(1)}"
    assert shown("--since", "7d", "--until", "today").screen[0] == f"Usage {day(6)} to {day(0)}"


@on_terminals
def test_several_tags_are_explained(filled: Path) -> None:
    assert "A call with several tags" in " ".join(shown("--by", "tag").screen)
    plain = " ".join(shown("--by", "project", "-p", "openai").screen)
    assert "A call with several tags" not in plain
    assert "unpriced" not in plain


@on_terminals
def test_colour_can_be_turned_off(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"\x1b[1m" in shown().raw
    assert b"\x1b" not in shown("--color", "never").raw
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b" not in shown().raw


@on_terminals
def test_dumb_terminal_gets_a_table_that_fits(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    seen = shown(columns=60)
    assert b"\x1b" not in seen.raw
    assert seen.screen[2].split()[:2] == ["Model", "Calls"]


@on_terminals
def test_terminal_without_unicode_gets_ascii(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    seen = shown(columns=120)
    assert seen.raw.isascii()
    assert b"?" not in seen.raw
    assert b"####" in seen.raw


@on_terminals
@pytest.mark.parametrize("flags", [[], ["--csv"], ["--json"]], ids=["table", "csv", "json"])
def test_names_drive_no_terminal(ledger: Path, flags: list[str]) -> None:
    evil = "\x1b]52;c;cm0gLXJm\x07\x9b31m\r\x1b[2J"
    write(ledger, attempt("a", at=f"{day(0)}T00:00", labels=Labels(project=evil)))
    seen = shown("--by", "project", "--project", evil, *flags, columns=200)
    # `screen` fails for a control character that is not the program's own.
    assert any("52;c;cm0gLXJm" in row for row in seen.screen)

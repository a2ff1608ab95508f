"""`usage prune` and `usage export`: what asks before it deletes, and what streams."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_client.storage.usage_queries import EXPORTED
from llm_client.storage.usage_store import UsageStore
from llm_client.types.events import Labels
from llm_client.types.usage import UsageQuery

from ..storage.usage_rows import attempt, write
from .program import run, shell
from .terminal import Terminal, terminal

on_terminals = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

EVIL = '=1+1\x1b]0;owned\x07, "quoted"\nline'


def day(ago: int) -> str:
    return str(date.today() - timedelta(days=ago))


@pytest.fixture
def ledger(clean_environment: Path) -> Path:
    return clean_environment / ".local/share/llm_client/ledger.db"


@pytest.fixture
def filled(ledger: Path) -> Path:
    return write(
        ledger,
        attempt("new", at=f"{day(0)}T00:00", labels=Labels(project=EVIL, tags=("x", "ü"))),
        attempt("edge", at=f"{day(89)}T00:00", cost=None),
        attempt("old", at=f"{day(90)}T23:59"),
        attempt("older", at=f"{day(400)}T12:00", spec="ollama/m"),
    )


def left(ledger: Path) -> list[str]:
    return [row["call_id"] for row in UsageStore(ledger).attempts(UsageQuery())]


# --- prune -----------------------------------------------------------------------------------


def test_prune_keeps_the_last_days_that_since_shows(filled: Path) -> None:
    result = run("usage", "prune", "--older-than", "90d", "--yes")
    assert (result.status, result.text, result.stderr) == (0, "2 attempts deleted.\n", "")
    assert left(filled) == ["new", "edge"]
    assert run("usage", "--json", "--since", "90d").json["total"]["calls"] == 2


@pytest.mark.parametrize(
    ("older_than", "kept"),
    [("0d", []), ("1d", ["new"]), (day(0), ["new"]), (day(89), ["new", "edge"]), ("24h", ["new"])],
    ids=["everything", "all-but-today", "today", "a-day", "hours"],
)
def test_age_may_be_said_in_any_way(filled: Path, older_than: str, kept: list[str]) -> None:
    assert run("usage", "prune", "--older-than", older_than, "-y").status == 0
    assert left(filled) == kept


def test_nothing_to_prune_is_told_and_nothing_is_made(
    filled: Path, clean_environment: Path
) -> None:
    result = run("usage", "prune", "--older-than", "3650d", "--yes")
    assert (result.status, result.stderr) == (0, "")
    assert result.text.startswith("No attempts up to 20")
    assert len(left(filled)) == 4


def test_prune_without_a_ledger_makes_none(clean_environment: Path) -> None:
    assert run("usage", "prune", "--older-than", "0d", "--yes").status == 0
    assert not (clean_environment / ".local/share").exists()


def pruned(answer: bytes) -> tuple[Terminal, int]:
    with terminal("usage", "prune", "--older-than", "90d") as seen:
        seen.read_until("[y/N] ")
        os.write(seen.master, answer)
        return seen, seen.finish()


@on_terminals
@pytest.mark.parametrize("answer", [b"y\n", b"YES\n"], ids=str)
def test_prune_asks_with_the_number_and_deletes_on_yes(filled: Path, answer: bytes) -> None:
    seen, status = pruned(answer)
    assert status == 0
    assert f"Delete 2 attempts up to {day(90)}?" in " ".join(seen.screen)
    assert "2 attempts deleted." in seen.screen
    assert len(left(filled)) == 2


@on_terminals
@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yep\n", b"\x04"], ids=str)
def test_anything_but_yes_deletes_nothing(filled: Path, answer: bytes) -> None:
    seen, status = pruned(answer)
    assert status == 1
    assert "Nothing was deleted." in " ".join(seen.screen)
    assert len(left(filled)) == 4


@on_terminals
def test_interrupt_at_the_question_deletes_nothing(filled: Path) -> None:
    with terminal("usage", "prune", "--older-than", "90d") as seen:
        seen.read_until("[y/N] ")
        seen.process.send_signal(2)
        assert seen.finish() == 130
    assert len(left(filled)) == 4


@on_terminals
def test_prune_does_not_ask_a_pipe(filled: Path) -> None:
    with terminal("usage", "prune", "--older-than", "90d", stderr=subprocess.DEVNULL) as seen:
        assert seen.finish() == 2
    assert len(left(filled)) == 4


# --- export ----------------------------------------------------------------------------------


def test_export_prints_every_attempt_as_a_json_line(filled: Path) -> None:
    result = run("usage", "export")
    assert (result.status, result.stderr) == (0, "")
    assert [tuple(line) for line in result.lines] == [EXPORTED] * 4
    assert [line["call_id"] for line in result.lines] == ["new", "edge", "old", "older"]
    assert result.lines[0]["project"] == EVIL
    assert result.lines[0]["tags"] == ["x", "ü"]
    assert (result.lines[1]["cost"], result.lines[1]["cost_nano_usd"]) == (None, None)
    assert b"\x1b" not in result.stdout


def test_export_as_csv_can_be_read_back(filled: Path) -> None:
    result = run("usage", "export", "--format", "csv")
    rows: list[dict[str, Any]] = [*csv.DictReader(io.StringIO(result.text, newline=""))]
    assert [row["call_id"] for row in rows] == ["new", "edge", "old", "older"]
    assert tuple(rows[0]) == EXPORTED
    assert rows[0]["project"] == f"'{EVIL}"
    assert json.loads(rows[0]["tags"]) == ["x", "ü"]
    assert (rows[0]["cost"], rows[0]["estimated"]) == ("0.001", "0")
    assert (rows[1]["cost"], rows[1]["project"]) == ("", "")


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--since", "7d"], 1),
        (["--until", "90d"], 2),
        (["-p", "ollama"], 1),
        (["-m", "gpt*"], 3),
        (["--tag", "x"], 1),
        (["--outcome", "error"], 0),
    ],
    ids=str,
)
def test_export_is_filtered(filled: Path, flags: list[str], count: int) -> None:
    result = run("usage", "export", *flags)
    assert (result.status, len(result.lines)) == (0, count)


@pytest.mark.parametrize(
    ("name", "flags", "first"),
    [
        ("usage.csv", [], b"started_at,day,"),
        ("usage.CSV", [], b"started_at,day,"),
        ("usage.jsonl", [], b'{"started_at":'),
        ("usage", [], b'{"started_at":'),
        ("usage.csv", ["--format", "jsonl"], b'{"started_at":'),
        ("usage.txt", ["--format", "csv"], b"started_at,day,"),
    ],
    ids=str,
)
def test_form_follows_the_name_of_the_file(
    filled: Path, tmp_path: Path, name: str, flags: list[str], first: bytes
) -> None:
    file = tmp_path / name
    result = run("usage", "export", "-o", str(file), *flags)
    assert (result.status, result.stdout, result.stderr) == (0, b"", "")
    assert file.read_bytes().startswith(first)


def test_export_of_nothing_is_empty_but_for_the_header(clean_environment: Path) -> None:
    assert run("usage", "export").stdout == b""
    assert run("usage", "export", "--format", "csv").text == ",".join(EXPORTED) + "\r\n"
    assert not (clean_environment / ".local/share").exists()


def test_export_that_fails_leaves_the_file_that_was_there(ledger: Path, tmp_path: Path) -> None:
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"no database" * 500)
    file = tmp_path / "usage.jsonl"
    file.write_text("precious")
    result = run("usage", "export", "-o", str(file))
    assert result.status == 1
    assert file.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["usage.jsonl"]


def test_file_that_cannot_be_written_is_refused(filled: Path, tmp_path: Path) -> None:
    result = run("usage", "export", "-o", str(tmp_path / "no" / "usage.csv"))
    assert result.status == 2
    assert "Cannot write to" in result.stderr
    assert "sent" not in result.stderr


def test_reader_that_leaves_a_long_export_is_not_told(ledger: Path) -> None:
    write(ledger, *(attempt(f"c{i}") for i in range(3_000)))
    result = shell('{ "$@" usage export; echo "$?" >&2; } | head -n 1')
    assert result.stderr == "141\n"


@on_terminals
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_exported_names_drive_no_terminal(filled: Path, form: str) -> None:
    with terminal("usage", "export", "--format", form, columns=500) as seen:
        assert seen.finish() == 0
    # `screen` fails for a control character that is not the program's own.
    assert any("owned" in row for row in seen.screen)

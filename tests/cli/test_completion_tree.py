"""Which words can stand where: along the program as it is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.core import TyperGroup

from llm_client.cli.app import application
from llm_client.cli.completion_tree import fitting


def words(*line: str) -> list[str]:
    """Return what fits as the last word of a line."""
    found = fitting(_program(line[:-1]), line[:-1], line[-1])
    assert found is not None, "files"
    return [suggestion.word for suggestion in found]


def _program(before: tuple[str, ...]) -> TyperGroup:
    program = typer.main.get_command(application(before))
    assert isinstance(program, TyperGroup)
    return program


def files(*line: str) -> bool:
    return fitting(_program(line[:-1]), line[:-1], line[-1]) is None


def test_commands_come_with_what_they_do() -> None:
    found = fitting(_program(()), [], "gen")
    assert found == [("generate", "Answer one prompt: from arguments, files and standard input.")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(["--ver"], ["--version"], id="option-of-the-program"),
        pytest.param(["usage", ""], ["prune", "export"], id="subcommands"),
        pytest.param(["usage", "--by", "w"], ["week"], id="option-before-a-subcommand"),
        pytest.param(["usage", "--by", "week", "p"], ["prune"], id="subcommand-behind-an-option"),
        pytest.param(["usage", "export", "--format", ""], ["jsonl", "csv"], id="of-a-subcommand"),
        pytest.param(["usage", "--by=m"], ["--by=model", "--by=month"], id="equals"),
        pytest.param(["usage", "--outcome=", "--outc"], [], id="empty-value-passed"),
        pytest.param(["nothing", ""], [], id="no-such-command"),
        pytest.param(["usage", "nothing", "p"], [], id="no-such-subcommand"),
        pytest.param(["usage", "nothing", "--by", "w"], ["week"], id="but-its-options"),
        pytest.param(["generate", "--dry"], ["--dry-run"], id="flag"),
        pytest.param(["generate", "--dry-run", "--dry"], [], id="only-once"),
        pytest.param(["generate", "-p", "x", "--prov"], [], id="only-once-by-another-name"),
        pytest.param(["generate", "--tag", "x", "--tag"], ["--tag"], id="again"),
        pytest.param(["generate", "--no-st"], ["--no-stream", "--no-stdin"], id="negative-flags"),
        pytest.param(["generate", "--", "--dry"], [], id="two-dashes"),
        pytest.param(["generate", "--json=", "--dry"], ["--dry-run"], id="flag-with-a-value"),
        pytest.param(["generate", "--nonsense", "--dry"], ["--dry-run"], id="no-such-option"),
        pytest.param(["generate", "--nonsense="], [], id="value-of-no-option"),
        pytest.param(["generate", "-Z", "--dry"], ["--dry-run"], id="no-such-short-option"),
        pytest.param(["generate", "-", "--dry"], ["--dry-run"], id="dash-alone"),
        pytest.param(["generate", "-p", "--dry"], [], id="value-like-a-flag"),
        pytest.param(["generate", "--task", "pl"], ["planning"], id="value"),
        pytest.param(["generate", "-vp", "anthr"], ["anthropic"], id="value-behind-a-cluster"),
        pytest.param(["generate", "-vpanthr"], ["-vpanthropic"], id="value-in-a-cluster"),
        pytest.param(["generate", "-vpx", "--dry"], ["--dry-run"], id="value-was-in-a-cluster"),
        pytest.param(["generate", "-v"], ["-v"], id="short-option-itself"),
        pytest.param(["generate", "-vx"], [], id="cluster-of-flags"),
        pytest.param(["generate", "--temperature", ""], [], id="number"),
        pytest.param(["generate", "-t", "hot", "-p", "anthr"], ["anthropic"], id="bad-number"),
        pytest.param(["generate", "some", "words", ""], [], id="prompt"),
    ],
)
def test_words_fit_their_place(line: list[str], expected: list[str]) -> None:
    assert words(*line) == expected


def test_words_behind_an_equals_sign_and_nothing_are_whole() -> None:
    assert words("usage", "--by=")[:2] == ["--by=provider", "--by=model"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(["-f", "x"], id="file"),
        pytest.param(["--file="], id="file-equals"),
        pytest.param(["-fx"], id="file-attached"),
        pytest.param(["-a", ""], id="attachment"),
        pytest.param(["-o", ""], id="output"),
        pytest.param(["--config", ""], id="config"),
        pytest.param(["--schema", ""], id="schema"),
        pytest.param(["-m", "./x"], id="path-for-a-model"),
        pytest.param(["~/x"], id="path-in-a-prompt"),
    ],
)
def test_files_are_wanted(line: list[str]) -> None:
    assert files("generate", *line)


def test_arguments_are_filled_in_their_order_and_hidden_things_stay_hidden() -> None:
    app = typer.Typer()

    @app.command()
    def move(
        what: Annotated[str, typer.Argument(autocompletion=lambda: ["this", "that"])],
        where: Annotated[Path, typer.Argument()],
        force: Annotated[bool, typer.Option("--force", hidden=True)] = False,
    ) -> None: ...

    @app.command(hidden=True)
    def secret() -> None: ...

    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    assert [word for word, _ in fitting(program, [], "") or []] == ["move"]
    assert [word for word, _ in fitting(program, ["move"], "th") or []] == ["this", "that"]
    assert fitting(program, ["move", "this"], "") is None
    assert fitting(program, ["move", "this", "there"], "") == []
    assert fitting(program, ["move"], "--fo") == []

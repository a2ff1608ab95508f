"""`python -m llm_client`: the quickest way in, and leaving with the right status."""

from __future__ import annotations

import atexit
import io
import os
import sys
from collections.abc import Callable

import pytest

import llm_client.__main__ as program
from llm_client import __version__

from .cli.program import run, shell


class Left(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect exit statuses instead of leaving."""
    collected: list[int] = []

    def leave(status: int) -> None:
        collected.append(status)
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: None)
    return collected


class BrokenStream(io.StringIO):
    """Fails as it is flushed."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


def leaving(run_: Callable[[], None] = program.main) -> None:
    with pytest.raises(Left):
        run_()


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version_is_one_line(flag: str) -> None:
    result = run(flag)
    assert (result.status, result.text, result.stderr) == (0, f"llm-client {__version__}\n", "")


def test_version_among_other_arguments_is_the_same() -> None:
    assert run("--version", "generate").text == f"llm-client {__version__}\n"


def test_version_prints_and_leaves(
    statuses: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["llm-client", "--version"])
    leaving()
    assert (statuses, capsys.readouterr().out) == ([0], f"llm-client {__version__}\n")


def test_command_leaves_with_its_status(
    statuses: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["llm-client", "generate", "--no-stdin"])
    leaving()
    assert statuses == [2]
    assert "The prompt is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(KeyboardInterrupt(), 130, id="ctrl-c"),
        pytest.param(BrokenPipeError(), 141, id="nobody-reads"),
    ],
)
def test_what_leaves_a_command_has_a_status(
    error: BaseException, status: int, statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise error

    monkeypatch.setattr(program, "_run", fail)
    leaving()
    assert statuses == [status]


@pytest.mark.parametrize(
    ("error", "before", "status"),
    [
        pytest.param(BrokenPipeError(), 0, 141, id="nobody-reads"),
        pytest.param(BrokenPipeError(), 4, 4, id="nobody-reads-a-failure"),
        pytest.param(OSError(28, "full"), 0, 1, id="disk-full"),
        pytest.param(ValueError("closed"), 3, 3, id="closed"),
        pytest.param(KeyboardInterrupt(), 0, 130, id="ctrl-c"),
    ],
)
def test_flushing_that_fails_changes_only_a_good_status(
    error: BaseException,
    before: int,
    status: int,
    statuses: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", BrokenStream(error))
    leaving(lambda: program._leave(before))
    assert statuses == [status]


def test_missing_streams_do_not_matter(
    statuses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    leaving(lambda: program._leave(0))
    assert statuses == [0]


def test_help_is_printed_without_a_command_and_is_usage() -> None:
    result = run()
    assert result.status == 2
    assert "generate" in result.stderr + result.text


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_fits_a_terminal_that_knows_only_ascii(
    flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    result = run("generate", flag)
    assert (result.status, result.stderr) == (0, "")
    assert "--dry-run" in result.text


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_closed_stdout_is_no_failure(flag: str) -> None:
    result = shell('"$@" >&-', flag)
    assert (result.status, result.stderr) == (0, "")

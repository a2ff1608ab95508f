"""`--cache` and `--no-cache`: an answer that was given before is printed again, and nothing is sent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ..support.fault_server import FaultServer, fault_server
from .program import (
    SECONDS,
    Result,
    answer,
    ask,
    command,
    ending,
    environment,
    event,
    shell,
    stream,
    text,
    whole,
)

THOUGHTFUL = stream(event({"reasoning_content": "Hm."}), *text("Grü", "ße \U0001f980\n"), *ending())


def directory_of(home: Path) -> Path:
    return home / ".cache" / "llm_client" / "responses"


def configured(home: Path, text: str) -> None:
    path = home / ".config" / "llm_client" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def twice(server: FaultServer, *flags: str) -> tuple[Result, Result]:
    first, second = (ask(server.url, *flags, "hi") for _ in range(2))
    return first, second


@pytest.mark.parametrize("flags", [[], ["-q"], ["--color", "always"]], ids=str)
def test_second_run_prints_the_same_bytes_and_sends_nothing(flags: list[str]) -> None:
    with fault_server(THOUGHTFUL) as server:
        first, second = twice(server, "--cache", *flags)

    assert len(server.requests) == 1
    assert first == second
    assert (first.status, first.stdout) == (0, "Grüße \U0001f980\n".encode())


def test_object_says_whether_it_is_from_the_cache() -> None:
    with fault_server(whole("Yes.")) as server:
        first, second = twice(server, "--cache", "--no-stream", "--json")

    assert len(server.requests) == 1
    assert (first.json["cached"], second.json["cached"]) == (False, True)
    assert (second.json["cost"], second.json["attempts"]) == (0.0, 0)
    changed = {"cached", "cost", "attempts", "timing", "usage"}
    for name in first.json.keys() - changed:
        assert first.json[name] == second.json[name], name
    assert second.json["usage"] == {**first.json["usage"], "estimated_cost": 0.0}


def test_events_are_those_of_an_answer() -> None:
    with fault_server(THOUGHTFUL) as server:
        first, second = twice(server, "--cache", "--stream", "--json")

    assert len(server.requests) == 1
    assert [line["type"] for line in second.lines] == ["reasoning", "text", "done"]
    assert second.lines[1]["text"] == "".join(
        line["text"] for line in first.lines if line["type"] == "text"
    )
    assert second.lines[-1]["cached"] is True
    assert first.lines[-1]["cached"] is False


def test_verbose_says_where_the_answer_came_from() -> None:
    with fault_server(answer("Yes.")) as server:
        first, second = twice(server, "--cache", "-v")

    assert "from the cache" not in first.stderr
    (line,) = (line for line in second.stderr.splitlines() if "some-model" in line)
    assert "openai-compatible/some-model · from the cache · 0.0" in line
    assert "tokens" not in line


@pytest.mark.parametrize(
    ("is_configured", "flag", "requests"),
    [
        (False, None, 2),
        (False, "--cache", 1),
        (True, None, 1),
        (True, "--no-cache", 2),
        (True, "--cache", 1),
    ],
)
def test_flag_beats_the_configuration(
    clean_environment: Path, is_configured: bool, flag: str | None, requests: int
) -> None:
    configured(clean_environment, f"[cache]\nresponses = {str(is_configured).lower()}\n")
    with fault_server(answer("Yes.")) as server:
        results = twice(server, *([flag] if flag else []))

    assert len(server.requests) == requests
    assert {result.stdout for result in results} == {b"Yes.\n"}
    assert directory_of(clean_environment).exists() is (requests == 1)


def test_incomplete_answer_is_asked_for_again() -> None:
    with fault_server(answer("Yes", finish="length")) as server:
        first, second = twice(server, "--cache")

    assert len(server.requests) == 2
    assert (first.status, second.status) == (7, 7)


def test_answers_are_private_under_any_umask(clean_environment: Path) -> None:
    with fault_server(answer("Yes.")) as server:
        arguments = ("generate", "-u", server.url, "-m", "m", "--cache", "hi")
        result = shell('umask 000; exec "$@"', *arguments)
    directory = directory_of(clean_environment)

    assert (result.status, result.text) == (0, "Yes.\n")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_cache_that_cannot_be_used_costs_one_line(clean_environment: Path) -> None:
    (clean_environment / ".cache").mkdir()
    (clean_environment / ".cache" / "llm_client").write_text("a file")
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "--cache", "hi")

    assert (result.status, result.stdout) == (0, b"Yes.\n")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Cannot use the response cache '")
    assert line.endswith(
        "': a file is in the place of a directory. "
        "Name another directory: `export LLM_CLIENT_CACHE_DIR=…`."
    )


def test_sixteen_runs_at_once_share_one_cache(clean_environment: Path) -> None:
    with fault_server(answer("Yes.")) as server:
        arguments = ("generate", "-u", server.url, "-m", "m", "--cache", "--no-stdin", "hi")
        runs = [
            subprocess.Popen(
                command(*arguments),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
            )
            for _ in range(16)
        ]
        outputs = [process.communicate(timeout=SECONDS) for process in runs]
        asked = len(server.requests)
        later = ask(server.url, "-m", "m", "--cache", "hi")

        assert len(server.requests) == asked
    assert outputs == [(b"Yes.\n", b"")] * 16
    assert [process.returncode for process in runs] == [0] * 16
    assert (later.status, later.stdout, later.stderr) == (0, b"Yes.\n", "")

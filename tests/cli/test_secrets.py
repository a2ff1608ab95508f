"""A key shows nowhere: not in an answer's error, not in a traceback, not in an object."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_client.cli.masking import masked

from ..support.fault_server import FaultServer, fault_server
from .program import Result, ending, error, event, run, stream, text

KEYS = {
    "OPENAI_API_KEY": "sk-proj-Zm9vYmFyYmF6cXV4Zm9vYmFy",
    "LLM_CLIENT_OPENAI_API_KEY": "unusual/key=of.another:shape",
}


@pytest.fixture(params=sorted(KEYS))
def key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setenv(name, KEYS[name])
    return KEYS[name]


def ask_openai(server: FaultServer, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Result:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    return run("generate", "-m", "openai/m", "--retries", "1", *flags, "-v", "hi")


FLAGS = pytest.mark.parametrize(
    "flags", [[], ["--debug"], ["--json"], ["--json", "--stream", "--debug"]], ids=" ".join
)


@FLAGS
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_key_echoed_by_the_server_is_masked(
    key: str, status: int, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = f"Incorrect API key provided: {key}. Authorization: Bearer {key}"
    with fault_server(error(status, echo, param=key, type=f"bad {key}")) as server:
        result = ask_openai(server, monkeypatch, *flags)
        assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert result.status != 0
    assert "Incorrect API key provided: ***" in result.stderr
    assert key not in result.stderr + result.text
    assert ("Traceback" in result.stderr) == ("--debug" in flags)


@FLAGS
def test_key_in_an_error_inside_the_stream_is_masked(
    key: str, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = b'data: {"error": {"message": "no such key: %b"}}\n\n' % key.encode()
    with fault_server(stream(*text("par"), failure)) as server:
        result = ask_openai(server, monkeypatch, *flags)
    assert result.status == 1
    assert key not in result.stderr + result.text


def test_key_that_http_cannot_carry_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-abc\ndefghijkl")
    with fault_server(stream(event(finish="stop"), *ending())) as server:
        result = ask_openai(server, monkeypatch, "--debug")
        assert server.connections == 0
    assert result.status == 3
    assert "defghijkl" not in result.stderr


@pytest.mark.parametrize("flags", [["--debug"], ["--json"], ["--dry-run", "-v"]], ids=" ".join)
def test_password_in_the_address_is_not_shown(flags: list[str], closed_url: str) -> None:
    url = closed_url.replace("http://", "http://user:hunter2secret@")
    result = run("generate", "-u", url, "-m", "x", "--retries", "0", *flags, "hi")
    assert result.status == (0 if "--dry-run" in flags else 4)
    assert "hunter2secret" not in result.stderr + result.text


def test_password_in_the_address_is_not_in_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_API_KEY", KEYS["OPENAI_API_KEY"])
    url = "http://user:hunter2secret@llm.example.com"
    result = run("generate", "-u", url, "-m", "x", "--dry-run", "hi")
    assert result.stderr.startswith("Warning: The key for")
    assert "hunter2secret" not in result.stderr + result.text


def test_files_of_a_run_do_not_hold_the_key(
    key: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(error(401, f"bad key {key}")) as server:
        ask_openai(server, monkeypatch)
    for folder, _, files in os.walk(clean_environment):
        for file in files:
            assert key.encode() not in (Path(folder) / file).read_bytes()


@pytest.mark.parametrize(
    "flag", [(), ("--json",), ("-v", "--debug")], ids=["plain", "json", "debug"]
)
def test_value_in_the_query_of_an_address_is_shown_nowhere(flag: tuple[str, ...]) -> None:
    result = run("generate", *flag, "-u", "http://127.0.0.1:9/v1?key=hidden-value&x=other", "hi")
    assert result.status == 3
    assert "?key=***&x=***" in result.text + result.stderr
    assert "hidden-value" not in result.text + result.stderr


def test_query_of_an_address_in_a_message_is_masked() -> None:
    text = "asked https://u:p@h/v1?key=hidden&a=b#c, then 'http://x/?t=1'"
    assert masked(text, []) == "asked https://***@h/v1?key=***&a=***#c, then 'http://x/?t=***'"

"""`llm-client models` as a program: what it lists, what it says of failures, how it ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from llm_client.cli.exit_status import ExitStatus

from ..conftest import LLAMA_KEY
from ..support.fault_server import (
    Received,
    Wire,
    fault_server,
    garbage,
    html,
    respond,
    say_nothing,
    status,
)
from .model_servers import JSON, KEY, configure, grow_old, listed, ollama, providers
from .program import Result, run, started

BUILT_IN = "embedded/demo"


def specs(result: Result) -> list[str]:
    """Return the names that were listed, without the built-in one."""
    names = [line.partition("\t")[0] for line in result.text.splitlines()]
    return [name for name in names if name != BUILT_IN]


def test_all_configured_providers_are_listed_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(
        monkeypatch, xai=listed("grok-9", "Alpha"), ollama=ollama("m:1b"), groq=listed("x/y")
    ) as servers:
        result = run("models")

        assert specs(result) == ["groq/x/y", "ollama/m:1b", "xai/Alpha", "xai/grok-9"]
        assert (result.status, result.stderr) == (0, "")
        assert servers["xai"].requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_real_server_is_listed_under_its_address_and_asked_by_what_is_listed(
    llama_server_with_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_LLAMACPP_BASE_URL", llama_server_with_key)
    refused = run("models", "-p", "llamacpp")
    assert refused.status == ExitStatus.CONFIGURATION
    assert "key" in refused.stderr

    monkeypatch.setenv("LLAMACPP_API_KEY", LLAMA_KEY)
    everything, named = run("models"), run("models", "-p", "llamacpp")
    by_address = run("models", "-u", f"{llama_server_with_key}/v1")

    assert specs(everything) == specs(named) == ["llamacpp/demo"]
    assert named.text.split("\t")[2:4] == ["local", "local"]
    assert int(named.text.split("\t")[1]) > 0
    assert by_address.status == ExitStatus.CONFIGURATION  # another provider has that key
    answer = run("generate", "-m", specs(named)[0], "--max-tokens", "4", "Hello")
    assert answer.status == 0, answer.stderr


def test_address_lists_bare_names_for_it(llama_server: str) -> None:
    result = run("models", "-u", llama_server)

    assert specs(result) == ["demo"]
    assert result.text.endswith("\t-u\n")
    assert run("models", "-p", "vllm", "-u", llama_server).text.startswith("demo\t")


def test_failing_ones_are_a_line_each_and_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(
        monkeypatch,
        openai=listed("gpt-5"),
        groq=status(401, b'{"error": {"message": "Invalid API Key sk-live-0123456789"}}'),
        mistral=say_nothing(),
        xai=garbage(),
        cerebras=html(),
        deepseek=respond(200, JSON, b"[1"),
        together=status(429),
    ):
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", "http://localhost:1/?x=y")
        result = run("models", "--timeout", "1")

    assert (result.status, specs(result)) == (0, ["openai/gpt-5"])
    lines = result.stderr.splitlines()
    assert {line.split()[1] for line in lines} == {
        "groq:",
        "mistral:",
        "xai:",
        "cerebras:",
        "deepseek:",
        "together:",
        "vllm:",
    }
    assert all(line.startswith("error: ") for line in lines)
    assert "sk-live" not in result.stderr
    (groq,) = (line for line in lines if line.startswith("error: groq:"))
    assert groq.endswith("or run `llm-client creds set groq`.")
    (mistral,) = (line for line in lines if line.startswith("error: mistral:"))
    assert "for 1 s" in mistral


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        pytest.param({"xai": garbage(), "groq": status(401)}, 3, id="key first"),
        pytest.param({"xai": garbage(), "groq": status(429)}, 5, id="then limits"),
        pytest.param({"xai": garbage(), "groq": status(500)}, 4, id="then the network"),
        pytest.param({"groq": status(500)}, 1, id="then the server"),
    ],
)
def test_none_that_answers_is_the_most_telling_failure(
    monkeypatch: pytest.MonkeyPatch, scripts: dict[str, object], expected: int
) -> None:
    with providers(monkeypatch, **scripts):  # type: ignore[arg-type]
        result = run("models")
        as_json = run("models", "--json")

    assert result.status == as_json.status == expected
    assert specs(result) == []  # the built-in model does not count
    assert len(result.stderr.splitlines()) == len(scripts)
    assert len(as_json.json["errors"]) == len(scripts)
    assert as_json.json["error"]["type"]


def test_nothing_configured_says_what_to_do() -> None:
    result = run("models")

    assert result.status == ExitStatus.CONFIGURATION
    assert result.stderr.startswith("error: No provider is configured")
    assert "`export OPENAI_API_KEY=…`, then `llm-client models`" in result.stderr
    assert "ollama: Cannot connect" in result.stderr  # somebody has set its address


def test_slow_one_comes_after_the_quick_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slow(wire: Wire, request: Received) -> bool:
        assert go_on.wait(60)
        return listed("slow")(wire, request)

    with (
        providers(monkeypatch, groq=slow, xai=listed("quick")),
        started("models", "--timeout", "60") as process,
    ):
        lines = [process.stdout.readline(), process.stdout.readline()]
        go_on.set()

        assert b"xai/quick" in b"".join(lines)
        assert process.stdout.read().split(b"\t")[0] == b"groq/slow"
        assert process.wait(30) == 0


def test_fresh_list_is_not_asked_for_again_unless_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with providers(monkeypatch, xai=(listed("one"), listed("two"))) as servers:
        assert specs(run("models")) == specs(run("models", "-p", "xai")) == ["xai/one"]
        assert len(servers["xai"].requests) == 1
        assert specs(run("models", "--refresh")) == ["xai/two"]
        assert specs(run("models")) == ["xai/two"]


@pytest.mark.parametrize("flags", [["--refresh"], []], ids=["refresh", "stale"])
def test_old_list_is_shown_with_a_line_where_no_new_one_comes(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    with providers(monkeypatch, xai=(listed("one"), status(401))):
        run("models")
        grow_old(clean_environment)
        result = run("models", *flags)
        one = run("models", "-p", "xai", *flags, "--json")

    assert (result.status, specs(result)) == (0, ["xai/one"])
    (line,) = result.stderr.splitlines()
    assert line.startswith("xai: ")
    assert "401" in line
    assert "Its model list is from 2 hours ago." in line
    assert one.status == 0
    (provider,) = one.json["providers"]
    assert provider["is_stale"]
    assert 7200 <= provider["age_seconds"] < 7300


def test_models_for_other_work_and_retired_ones_are_listed_when_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows: list[str | dict[str, Any]] = [
        "gpt-5",
        "text-embedding-3-small",
        {"id": "old", "expiration_date": "2020-01-01"},
        {"id": "new", "expiration_date": "2999-01-01"},
    ]
    with providers(monkeypatch, xai=listed(*rows)):
        assert specs(run("models")) == ["xai/gpt-5", "xai/new"]
        everything = run("models", "--all")
        assert len(specs(everything)) == 4
        found = run("models", "-p", "xai", "-q", "embedding")

    assert (found.status, found.text) == (0, "")
    assert "No model matches 'embedding'." in found.stderr
    assert "1 not shown: not for text, or retired. See `--all`." in found.stderr


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("LLAMA", ["xai/llama-big", "xai/llama-small"]),
        ("small llama", ["xai/llama-small"]),
        ("tiny", ["xai/llama-small"]),
        ("xai/ other", ["xai/other"]),
        ("", ["xai/llama-big", "xai/llama-small", "xai/other"]),
        ("nothing", []),
    ],
)
def test_words_are_looked_for_in_name_and_description(
    monkeypatch: pytest.MonkeyPatch, query: str, expected: list[str]
) -> None:
    rows: list[str | dict[str, Any]] = [
        "llama-big",
        {"id": "llama-small", "description": "A Tiny one."},
        "other",
    ]
    with providers(monkeypatch, xai=listed(*rows)):
        assert specs(run("models", "-p", "xai", "-q", query)) == expected


CONFIGURATION = """
default_profile = "fast"
[profiles]
smart = "big"
[profiles.fast]
model = "ollama/llama3.2"
[profiles.big]
model = "openai/gpt-4o"
[profiles.any]
model = "openai/"
[pricing."openai/*"]
input = 0.5
output = 2.0
[providers.work]
base_url = "http://127.0.0.1:1/v1"
"""


def test_marks_and_prices_come_from_the_configuration(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(clean_environment, CONFIGURATION)
    with providers(
        monkeypatch,
        ollama=ollama("llama3.2:latest", "llama3.2:1b"),
        openai=listed("gpt-4o", "gpt-5.6-luna"),
    ):
        result = run("models")
        profile = run("models", "--profile", "smart", "--json")

    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in result.text.splitlines()}
    assert rows["ollama/llama3.2:latest"][-1] == "default,@fast"
    assert rows["ollama/llama3.2:1b"][-1] == ""
    assert rows["openai/gpt-4o"] == ["128000", "0.5", "2", "", "@big,@smart"]
    assert rows["openai/gpt-5.6-luna"][-1] == "-p:openai,@any"
    assert result.stderr.startswith("error: work: Cannot connect")  # it is written down
    by_id = {model["id"]: model for model in profile.json["models"]}
    assert by_id["gpt-4o"]["aliases"] == ["big", "smart"]
    assert by_id["gpt-4o"]["price"]["source"] == "configuration"
    assert not by_id["gpt-4o"]["is_default"]
    assert by_id["gpt-5.6-luna"]["is_provider_default"]


@pytest.mark.parametrize(
    ("scripts", "default"),
    [
        pytest.param({"ollama": ollama("b", "a"), "lmstudio": listed("c")}, "ollama/b", id="first"),
        pytest.param({"ollama": ollama(), "lmstudio": listed("c")}, "lmstudio/c", id="with models"),
        pytest.param({"xai": listed("c", "grok-4.7")}, "xai/grok-4.7", id="key"),
    ],
)
def test_default_is_what_a_bare_call_would_ask(
    monkeypatch: pytest.MonkeyPatch, scripts: dict[str, object], default: str
) -> None:
    with providers(monkeypatch, **scripts):  # type: ignore[arg-type]
        result = run("models")
        asked = run("generate", "--dry-run", "-v", "hi")

    (marked,) = (line for line in result.text.splitlines() if line.endswith("\tdefault"))
    assert marked.split("\t")[0] == default
    assert f"Using {default}:" in asked.stderr


def test_json_is_one_object_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"id": "gpt-4o", "owned_by": "x", "created": 1, "description": "D\x9b"}
    with providers(monkeypatch, openai=listed(row, "unknown"), groq=status(500)) as servers:
        result = run("models", "--json")
        url = servers["openai"].url

    assert result.status == 0
    assert "\x9b" not in result.text
    found = result.json
    assert found["schema_version"] == 1
    assert "error" not in found
    (provider,) = (one for one in found["providers"] if one["name"] == "openai")
    assert provider.pop("age_seconds") == 0
    assert provider == {
        "name": "openai",
        "base_url": f"{url}/v1",
        "dialect": "openai-responses",
        "models": 2,
        "is_stale": False,
    }
    known, unknown = (one for one in found["models"] if one["provider"] == "openai")
    assert known == {
        "spec": "openai/gpt-4o",
        "id": "gpt-4o",
        "provider": "openai",
        "created": 1,
        "owned_by": "x",
        "context_length": 128000,
        "description": "D\x9b",
        "max_output_tokens": None,
        "capabilities": None,
        "retires_at": None,
        "is_local": False,
        "price": {
            "input": 2.5,
            "output": 10,
            "rates": {"input": 2.5, "cache_read": 1.25, "output": 10},
            "source": "price list",
        },
        "is_default": False,
        "is_provider_default": False,
        "aliases": [],
    }
    assert unknown["price"] is None
    (error,) = found["errors"]
    assert error["provider"] == "groq"
    assert error["status"] == 500


@pytest.mark.parametrize("named", [True, False], ids=["one", "all"])
def test_json_has_the_hint_that_stderr_has(monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    with providers(monkeypatch, groq=status(429)):
        result = run("models", "--json", *(["-p", "groq"] if named else []))

    assert result.status == ExitStatus.RATE_LIMITED
    (error,) = result.json["errors"]
    assert error["hint"] == result.json["error"]["hint"]
    assert error["hint"].startswith("Try again later")
    assert error["hint"] in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments", [["-p", "wrk"], ["--profile", "fast"]], ids=["provider", "profile"]
)
def test_provider_that_there_is_not_names_the_configured_one_that_is_near(
    clean_environment: Path, arguments: list[str]
) -> None:
    profile = '[profiles.fast]\nmodel = "wrk/m"\n' if "fast" in arguments else ""
    configure(clean_environment, f'[providers.work]\nbase_url = "http://127.0.0.1:9/v1"\n{profile}')
    result = run("models", *arguments)
    assert result.status == ExitStatus.CONFIGURATION
    assert "here is no provider 'wrk'." in result.stderr
    assert "Did you mean 'work'?" in result.stderr
    assert result.stderr.count("\n") == 2


def test_list_without_a_model_is_told() -> None:
    with fault_server(listed()) as server:
        result = run("models", "-u", server.url)

    assert (result.status, result.text, result.stderr) == (0, "", "The list is empty.\n")


def test_list_that_trickles_in_is_given_up_after_the_seconds_that_were_said() -> None:
    with fault_server(respond(200, JSON, pieces=[(0.1, b" ")] * 1000)) as server:
        result = run("models", "-u", server.url, "--timeout", "0.5")

    assert result.status == 4
    assert f"{server.url}/v1 did not send its whole list in time." in result.stderr
    assert "`--timeout SECONDS`" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected", "words"),
    [
        pytest.param(["-p", "nosuch"], 3, "There is no provider 'nosuch'", id="provider"),
        pytest.param(["-p", "openai"], 3, "No key for 'openai'", id="key"),
        pytest.param(["--profile", "x"], 3, "There is no profile 'x'", id="profile"),
        pytest.param(["-u", "ftp://x"], 3, "no address", id="address"),
        pytest.param(["-u", "http://127.0.0.1:1"], 4, "connection refused", id="refused"),
        pytest.param(["--timeout", "0"], 2, "--timeout 0", id="timeout"),
        pytest.param(["--color", "red"], 2, "--color 'red'", id="color"),
        pytest.param(["--nosuch"], 2, "--nosuch", id="flag"),
        pytest.param(["nosuch"], 2, "nosuch", id="command"),
        pytest.param(["--config", "/nosuch.toml"], 3, "There is no configuration", id="config"),
        pytest.param(["--all", "show", "x/y"], 2, "--all in front of 'show'", id="place"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(
    arguments: list[str], expected: int, words: str
) -> None:
    result, as_json = run("models", *arguments), run("models", "--json", *arguments)

    assert (result.status, result.stdout) == (expected, b"")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert as_json.status == expected
    assert words in as_json.json["error"]["message"] or "show" in arguments


def test_bad_time_to_live_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_CACHE_TTL", "5m")
    result = run("models")

    assert result.status == ExitStatus.CONFIGURATION
    assert "LLM_CLIENT_CACHE_TTL must be a number of seconds" in result.stderr
    assert "unset LLM_CLIENT_CACHE_TTL" in result.stderr


def test_profile_without_a_provider_is_told(clean_environment: Path) -> None:
    configure(clean_environment, "[profiles.x]\nmodel = 'gpt-5'\n")
    result = run("models", "--profile", "x")

    assert result.status == ExitStatus.CONFIGURATION
    assert "The profile 'x' names no provider" in result.stderr


def test_verbose_says_who_was_asked_and_debug_where_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with providers(monkeypatch, xai=listed("one"), groq=status(500)):
        said = run("models", "-v").stderr
        failed = run("models", "-p", "groq", "--debug")

    assert "xai: 1 model from http://127.0.0.1" in said
    assert "listed just now" in said
    assert "ollama: Cannot connect" in said
    assert "Traceback" in failed.stderr
    assert "LLMServiceError" in failed.stderr


def test_help_tells_what_the_lines_mean() -> None:
    text = " ".join(run("models", "--help").text.split())

    assert "separated by tabs" in text
    assert "show Show everything that is known of one model" in text

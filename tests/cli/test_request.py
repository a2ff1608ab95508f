"""What the flags put into the request, and what `--dry-run` shows of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import Received, Wire, fault_server, respond
from .program import answer, ask, body_of, error, run, whole

KEY = "sk-proj-0123456789abcdefghij"


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        pytest.param(["-t", "0.5"], {"temperature": 0.5}, id="temperature"),
        pytest.param(["--top-p", "0.9"], {"top_p": 0.9}, id="top-p"),
        pytest.param(["--max-tokens", "7"], {"max_tokens": 7}, id="max-tokens"),
        pytest.param(["--seed", "42"], {"seed": 42}, id="seed"),
        pytest.param(["--stop", "a", "--stop", "\n"], {"stop": ["a", "\n"]}, id="stop"),
        pytest.param(["--option", "top_k=40"], {"top_k": 40}, id="option-integer"),
        pytest.param(["--option", "min_p=0.05"], {"min_p": 0.05}, id="option-float"),
        pytest.param(["--option", "cache=true"], {"cache": True}, id="option-boolean"),
        pytest.param(["--option", "user=null"], {"user": None}, id="option-null"),
        pytest.param(["--option", "user=me"], {"user": "me"}, id="option-text"),
        pytest.param(["--option", 'user="7"'], {"user": "7"}, id="option-quoted"),
        pytest.param(["--option", "q=a=b"], {"q": "a=b"}, id="option-with-equals"),
        pytest.param(["--option", "user="], {"user": ""}, id="option-empty"),
        pytest.param(["--option", 'x={"y":[1]}'], {"x": {"y": [1]}}, id="option-object"),
        pytest.param([], {"stream": True}, id="streamed"),
    ],
)
def test_flag_is_sent_typed(arguments: list[str], fields: dict[str, Any]) -> None:
    with fault_server(answer("Yes.")) as server:
        assert ask(server.url, *arguments, "hi").status == 0
    body = body_of(server.requests[0])
    assert {name: body[name] for name in fields} == fields
    assert all(type(body[name]) is type(value) for name, value in fields.items())


def test_no_flag_sends_no_setting() -> None:
    with fault_server(answer("Yes.")) as server:
        ask(server.url, "hi")
    assert body_of(server.requests[0]).keys() <= {
        "model",
        "messages",
        "stream",
        "stream_options",
    }


def test_system_prompt_comes_first() -> None:
    with fault_server(answer("Yes.")) as server:
        ask(server.url, "-s", "Be brief.", "hi")
    assert body_of(server.requests[0])["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_no_stream_asks_for_the_whole_and_prints_it() -> None:
    with fault_server(whole("All at once.")) as server:
        result = ask(server.url, "--no-stream", "hi")
    assert (result.status, result.stdout) == (0, b"All at once.\n")
    assert not body_of(server.requests[0]).get("stream")


def test_provider_and_model_apart_mean_the_same_as_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(answer("Yes.")) as server:
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", server.url)
        assert run("generate", "-p", "vllm", "-m", "a/b", "hi").status == 0
        assert run("generate", "-m", "vllm/a/b", "hi").status == 0
    assert [body_of(request)["model"] for request in server.requests] == ["a/b", "a/b"]


def test_config_names_model_provider_and_system(tmp_path: Path) -> None:
    with fault_server(answer("Yes.")) as server:
        config = tmp_path / "c.toml"
        config.write_text(
            '[profiles.default]\nmodel = "work/m1"\nsystem = "Short."\ntemperature = 0.1\n'
            f'[providers.work]\nbase_url = "{server.url}"\n'
        )
        assert run("generate", "--config", str(config), "-t", "0.2", "hi").status == 0
    body = body_of(server.requests[0])
    assert (body["model"], body["temperature"]) == ("m1", 0.2)
    assert body["messages"][0] == {"role": "system", "content": "Short."}


def test_dry_run_shows_the_request_masks_the_key_and_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_API_KEY", KEY)
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "--dry-run", "-t", "0.5", "why", "so")
        shown = result.json
        assert (result.status, result.stderr) == (0, "")
        assert server.connections == 0
        assert shown["method"] == "POST"
        assert shown["url"] == f"{server.url}/v1/chat/completions"
        assert shown["headers"]["authorization"] == "***"
        assert KEY not in result.text
        monkeypatch.setenv("LLM_CLIENT_API_KEY", "")
        ask(server.url, "-t", "0.5", "why", "so")
        assert shown["body"] == body_of(server.requests[0])


def test_dry_run_without_streaming_shows_what_would_be_sent_then() -> None:
    result = run(
        "generate", "-u", "http://127.0.0.1:9", "-m", "x", "--no-stream", "--dry-run", "hi"
    )
    assert "stream" not in json.loads(result.stdout)["body"]


def test_dry_run_without_a_model_says_how_one_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "-m", "", "--dry-run", "hi")
    assert result.status == 0
    assert "the first of the server's list" in result.stderr


def test_dry_run_warns_of_a_key_that_travels_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_API_KEY", KEY)
    result = run("generate", "-u", "http://llm.example.com", "-m", "x", "--dry-run", "hi")
    assert result.status == 0
    assert result.stderr.startswith("Warning: The key for openai-compatible goes unencrypted")
    assert len(result.stderr.splitlines()) == 1


def test_retries_are_told_one_line_each_and_end_with_the_answer() -> None:
    with fault_server(error(503, "busy"), error(429, "easy"), answer("Yes.")) as server:
        result = run("generate", "-u", server.url, "-m", "x", "--retries", "2", "hi")
    lines = result.stderr.splitlines()
    assert (result.status, result.stdout) == (0, b"Yes.\n")
    assert len(lines) == 2
    assert "failed (503): busy. Trying again in" in lines[0]
    assert lines[0].endswith("(1 of 2).")
    assert "slow down (429): easy. Trying again in" in lines[1]
    assert lines[1].endswith("(2 of 2).")


@pytest.mark.parametrize("quiet", [False, True], ids=["said", "quiet"])
def test_fallback_is_told_and_named_in_the_object(tmp_path: Path, quiet: bool) -> None:
    with (
        fault_server(error(401, "no")) as first,
        fault_server(answer("Yes.")) as second,
    ):
        config = tmp_path / "c.toml"
        config.write_text(
            '[profiles.default]\nmodel = "one/m"\nfallback = ["two/m"]\n'
            f'[providers.one]\nbase_url = "{first.url}"\n'
            f'[providers.two]\nbase_url = "{second.url}"\n'
        )
        flags = ["-q"] if quiet else []
        result = run("generate", "--config", str(config), *flags, "--json", "hi")
    assert result.status == 0
    assert (result.json["text"], result.json["fallback_provider"]) == ("Yes.", "two")
    if quiet:
        assert result.stderr == ""
    else:
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("one/m: ")
        assert result.stderr.endswith("Going on with two/m.\n")


def test_verbose_says_what_was_chosen_and_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    models = json.dumps({"data": [{"id": "m1", "owned_by": "vllm"}]}).encode()

    def script(wire: Wire, request: Received) -> bool:
        # The server is asked twice what it has: as vLLM, and as what it may be besides.
        is_list = request.path.endswith("/models")
        return (respond(body=models) if is_list else answer("Yes."))(wire, request)

    with fault_server(script) as server:
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", server.url)
        result = run("generate", "-v", "hi")
    assert (result.status, result.stdout) == (0, b"Yes.\n")
    lines = result.stderr.splitlines()
    assert lines[0] == f"Using vllm/m1: vllm answers at {server.url}/v1."
    assert lines[1].startswith("vllm/some-model · ")
    assert "first token after" in lines[1]
    assert len(lines) == 2


def test_verbose_says_how_each_attempt_failed() -> None:
    with fault_server(error(503, "busy"), answer("Yes.")) as server:
        result = run("generate", "-u", server.url, "-m", "x", "--retries", "1", "-v", "hi")
    assert result.stdout == b"Yes.\n"
    assert result.stderr.startswith("openai-compatible/x: error after ")


def test_profile_is_chosen_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[profiles.quick]\nmodel = "ollama/tiny"\nsystem = "Be brief."\n')
    result = run("generate", "--config", str(file), "--profile", "quick", "--dry-run", "-v", "hi")
    body = json.loads(result.stdout)["body"]
    assert body["model"] == "tiny"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    result = run("generate", "--config", str(file), "--profile", "slow", "hi")
    assert result.status == 3
    assert "There is no profile 'slow'" in result.stderr


def test_default_profile_is_named_when_verbose(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[profiles.default]\nmodel = "ollama/tiny"\n')
    result = run("generate", "--config", str(file), "--dry-run", "-v", "hi")
    assert f"Using ollama/tiny: it is the profile 'default' of {file}." in result.stderr


def test_address_for_the_embedded_model_is_a_contradiction() -> None:
    result = run("generate", "-p", "embedded", "-u", "http://127.0.0.1:9", "hi")
    assert result.status == 3
    assert "runs in this process and has no address" in result.stderr

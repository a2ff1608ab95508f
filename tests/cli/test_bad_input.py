"""What goes wrong, one by one: what the user is told, what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from ..support.fault_server import (
    Script,
    close_before_head,
    fault_server,
    garbage,
    html,
    raw,
    refused_url,
    reset,
    respond,
    say_nothing,
)
from .program import (
    EVENT_STREAM,
    SECONDS,
    answer,
    ask,
    command,
    environment,
    error,
    event,
    run,
    stream,
    text,
)

CUT_CHARACTER = b'data: {"choices":[{"delta":{"content":"\xc3'
"""The first byte of a character of two, and then nothing more."""


@pytest.mark.parametrize(
    ("script", "status", "stdout", "message"),
    [
        pytest.param(
            stream(*text("caf"), CUT_CHARACTER), 7, b"caf\n", "in the middle", id="cut-character"
        ),
        pytest.param(
            raw(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\nfff\r\n"
                + event({"content": "caf"})
                + CUT_CHARACTER
            ),
            7,
            b"caf\n",
            "was cut off",
            id="cut-connection",
        ),
        pytest.param(stream(*text("a", "b")), 7, b"ab\n", "in the middle", id="no-end"),
        pytest.param(html(), 1, b"", "sent an HTML page", id="html"),
        pytest.param(html(502), 1, b"", "failed (502)", id="html-502"),
        pytest.param(respond(headers=EVENT_STREAM), 1, b"", "sent nothing", id="empty-stream"),
        pytest.param(respond(), 1, b"", "sent nothing", id="empty-body"),
        pytest.param(answer(), 7, b"", "answered with nothing", id="empty-answer"),
        pytest.param(
            answer("a", finish="length"), 7, b"a\n", "its own limit of tokens", id="length"
        ),
        pytest.param(answer("a", finish="content_filter"), 7, b"a\n", "withheld", id="filter"),
        pytest.param(garbage(), 4, b"", "does not speak HTTP", id="no-http"),
        pytest.param(close_before_head(), 4, b"", "before an answer", id="hangs-up"),
        pytest.param(reset(), 4, b"", "reset", id="reset"),
        pytest.param(error(401, "who are you"), 3, b"", "key (401)", id="401"),
        pytest.param(error(429, "easy"), 5, b"", "slow down (429)", id="429"),
        pytest.param(error(429, "pay", code="insufficient_quota"), 5, b"", "quota", id="quota"),
        pytest.param(error(400, "bad field"), 1, b"", "bad field", id="400"),
        pytest.param(error(500, "boom"), 1, b"", "failed (500): boom", id="500"),
        pytest.param(
            stream(*text("par"), b'data: {"error":{"message":"overloaded","code":503}}\n\n'),
            1,
            b"par\n",
            "overloaded",
            id="error-in-stream",
        ),
    ],
)
def test_server_that_fails_has_its_status_and_one_clear_message(
    script: Script, status: int, stdout: bytes, message: str
) -> None:
    with fault_server(script) as server:
        result = ask(server.url, "hi")
    assert result.status == status
    assert result.stdout == stdout
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2


def test_no_server_is_unreachable_and_says_where(closed_url: str) -> None:
    result = ask(closed_url, "hi")
    assert (result.status, result.stdout) == (4, b"")
    assert f"Cannot connect to {closed_url}: connection refused" in result.stderr
    assert "Is the server running, and on this port?" in result.stderr


def test_wrong_port_of_a_local_server_says_how_to_start_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with refused_url() as url:
        monkeypatch.setenv("LLM_CLIENT_OLLAMA_BASE_URL", url)
        result = run("generate", "-m", "ollama/llama3.2", "--retries", "0", "hi")
    assert result.status == 4
    assert url in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_server_that_says_nothing_times_out_and_names_the_wait() -> None:
    with fault_server(say_nothing()) as server:
        result = ask(server.url, "--timeout", "0.3", "hi")
    assert (result.status, result.stdout) == (4, b"")
    assert f"{server.url} accepted the request but sent no byte of an answer for 0.3 s" in (
        result.stderr
    )
    assert "`--timeout SECONDS`" in result.stderr


def test_stream_that_falls_silent_keeps_what_came() -> None:
    with fault_server(stream(*text("Once"), (30.0, b""))) as server:
        result = ask(server.url, "--timeout", "0.5", "hi")
    assert (result.status, result.stdout) == (4, b"Once\n")
    assert "0.5 s" in result.stderr


def test_deadline_bounds_everything_and_says_so() -> None:
    with fault_server(say_nothing()) as server:
        result = ask(server.url, "--deadline", "0.4", "hi")
    assert result.status == 4
    assert "The deadline of 0.4 s ran out after 1 attempt." in result.stderr


def test_unknown_model_names_the_nearest() -> None:
    models = {"data": [{"id": name} for name in ("llama3.2", "llama3.1:8b", "qwen3", "phi4")]}
    with fault_server(
        error(404, "no such model", code="model_not_found"),
        respond(headers=[("Content-Type", "application/json")], body=json.dumps(models).encode()),
    ) as server:
        result = run("generate", "-u", server.url, "-m", "lama3.2", "hi")
    assert result.status == 6
    assert "no model 'lama3.2'" in result.stderr
    assert "Did you mean 'llama3.2' or 'llama3.1:8b'?" in result.stderr
    assert [request.path for request in server.requests] == ["/v1/chat/completions", "/v1/models"]


def test_unknown_model_that_is_listed_is_not_what_was_meant() -> None:
    """MLX lists the model that `MLX_MODEL_PATH` names, whether it is there or not."""
    models = {"data": [{"id": "x-mine"}, {"id": "x-mines"}]}
    with fault_server(
        error(404, "no such model", code="model_not_found"),
        respond(headers=[("Content-Type", "application/json")], body=json.dumps(models).encode()),
    ) as server:
        result = run("generate", "-u", server.url, "-m", "x-mine", "hi")
    assert "Did you mean 'x-mines'?" in result.stderr


def test_unknown_model_without_a_near_one_lists_what_there_is() -> None:
    models = {"data": [{"id": f"model-{number}"} for number in range(12)]}
    with fault_server(
        error(404, "no such model", code="model_not_found"),
        respond(headers=[("Content-Type", "application/json")], body=json.dumps(models).encode()),
    ) as server:
        result = run("generate", "-u", server.url, "-m", "ZZZ", "hi")
    assert result.status == 6
    assert "It has: model-0, model-1," in result.stderr
    assert "model-9…" in result.stderr


def test_unknown_model_of_a_server_without_a_list_is_still_told() -> None:
    with fault_server(error(404, "no such model", code="model_not_found"), html(500)) as server:
        result = ask(server.url, "hi")
    assert result.status == 6
    assert "no model 'some-model'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(["-p", "olama"], 3, "Did you mean 'ollama', ", id="provider"),
        pytest.param(["-m", "olama/x"], 3, "Did you mean 'ollama', ", id="provider-in-model"),
        pytest.param(["-p", "openai-compatible", "-m", "x"], 3, "--base-url", id="no-address"),
        pytest.param(["-u", "ftp://x", "-m", "x"], 3, "no address of a server", id="bad-address"),
        pytest.param(["-m", "openai/gpt-5-mini"], 3, "export OPENAI_API_KEY=", id="no-key"),
        pytest.param(["--config", "missing.toml"], 3, "'missing.toml'", id="no-configuration"),
        pytest.param(["-t", "9"], 2, "temperature 9.0 is out of range: 0 to 2", id="temperature"),
        pytest.param(["-t", "warm"], 2, "'warm' is not a valid float", id="no-number"),
        pytest.param(["--top-p", "1.1"], 2, "top_p 1.1 is out of range", id="top-p"),
        pytest.param(["--max-tokens", "0"], 2, "max_tokens 0 must be", id="max-tokens"),
        pytest.param(["--timeout", "0"], 2, "--timeout 0 is out of range", id="timeout-0"),
        pytest.param(["--timeout", "inf"], 2, "--timeout inf is out of", id="timeout-inf"),
        pytest.param(["--deadline", "-1"], 2, "--deadline -1 is out of range", id="deadline"),
        pytest.param(["--retries", "-1"], 2, "-1 is not in the range", id="retries"),
        pytest.param(["--option", "num_ctx"], 2, "'num_ctx' is not KEY=VALUE", id="option"),
        pytest.param(["--option", "x=NaN"], 2, "cannot be written as JSON", id="option-nan"),
        pytest.param(["--fallback", " "], 2, "--fallback ' ' is empty", id="fallback"),
        pytest.param(["--color", "blue"], 2, "--color 'blue' is not auto", id="color"),
        pytest.param(["--frobnicate"], 2, "No such option: --frobnicate", id="unknown-flag"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_wrong_argument_is_told_with_its_value_and_sends_nothing(
    arguments: list[str], status: int, message: str, as_json: bool, closed_url: str
) -> None:
    target = ["-u", closed_url, "-m", "x"] if status == 2 else []
    flags = ["--json"] if as_json else []
    result = run("generate", "--retries", "1", *target, *arguments, *flags, "hi")
    assert result.status == status
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert "Trying again" not in result.stderr
    if not as_json:
        assert result.stdout == b""
        return
    told = result.json["error"]
    assert message in f"{told['message']} {told['hint']}"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["usage", "--by"], "llm-client usage"),
        (["usage", "export", "-o"], "llm-client usage export"),
        (["generate", "hi", "--fallback"], "llm-client generate"),
        (["models", "show", "--timeout"], "llm-client models show"),
        (["--help-me"], "llm-client"),
    ],
    ids=["usage", "usage-export", "generate", "models-show", "none"],
)
def test_misunderstood_flag_points_to_the_help_of_its_command(
    arguments: list[str], command: str
) -> None:
    result = run(*arguments)
    assert result.status == 2
    assert f"`{command} --help`" in result.stderr.replace("python -m llm_client", "llm-client")


def test_unknown_command_names_the_nearest() -> None:
    result = run("generat", "hi")
    assert result.status == 2
    assert "Did you mean 'generate'?" in result.stderr


def test_nothing_configured_and_nothing_found_gives_three_commands() -> None:
    result = run("generate", "hi")
    assert result.status == 3
    for way_on in ("-p embedded", "ollama serve", "OPENAI_API_KEY"):
        assert way_on in result.stderr


def test_read_only_home_does_not_cost_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing can be made below a device, not even by root.
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/dev/null/nowhere")
    monkeypatch.delenv("LLM_CLIENT_CACHE_DIR")
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "hi")
    assert (result.status, result.stdout) == (0, b"Yes.\n")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Cannot use the ledger ")


def test_read_only_home_does_not_cost_the_answer_of_the_demo_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("xllamacpp")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LLM_CLIENT_CACHE_DIR"):
        monkeypatch.setenv(name, "/dev/null/nowhere")
    result = run("generate", "-p", "embedded", "--max-tokens", "4", "hi")
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout.strip()


@pytest.mark.parametrize("home", [None, "/nonexistent", ""], ids=["unset", "missing", "empty"])
def test_home_that_is_not_there_does_not_cost_the_answer(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LLM_CLIENT_CACHE_DIR", "HOME"):
        monkeypatch.delenv(name)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"Yes.\n", "")


@pytest.mark.skipif(not Path("/dev/urandom").exists(), reason="needs /dev/urandom")
def test_endless_device_as_a_file_is_refused(closed_url: str) -> None:
    result = ask(closed_url, "-f", "/dev/urandom", "hi")
    assert result.status == 2
    assert "'/dev/urandom' is binary data, not text: nothing was sent." in result.stderr


def test_config_that_is_a_directory_is_told(tmp_path: Path) -> None:
    result = run("generate", "--config", str(tmp_path), "hi")
    assert result.status == 3
    assert str(tmp_path) in result.stderr


def test_closed_stdout_is_an_error_and_nothing_is_sent() -> None:
    with fault_server(answer("Yes.")) as server:
        line = " ".join(map(shlex.quote, map(os.fsdecode, command("generate", "-u", server.url))))
        done = subprocess.run(
            ["sh", "-c", f"{line} -m x hi >&-"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=SECONDS,
            check=False,
        )
        assert server.requests == []
    assert done.returncode == 1
    assert b"Standard output is closed" in done.stderr


def test_output_from_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with fault_server(answer("Yes.")) as server:
        line = " ".join(map(shlex.quote, map(os.fsdecode, command("generate", "-u", server.url))))
        done = subprocess.run(
            ["sh", "-c", f"rmdir {shlex.quote(str(gone))}; exec {line} -m x -o answer.txt hi"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=gone,
            env=environment(),
            timeout=SECONDS,
            check=False,
        )
        assert server.requests == []
    assert done.returncode == 2
    assert b"'answer.txt'" in done.stderr


@pytest.mark.parametrize(("counted", "exit_status"), [(3, 7), (49, 0), (50, 0)])
def test_answer_shorter_than_the_limit_that_was_asked_for_is_incomplete(
    counted: int, exit_status: int
) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": counted, "total_tokens": 5 + counted}
    script = stream(*text("a"), event(finish="length", usage=usage), b"data: [DONE]\n\n")
    with fault_server(script) as server:
        assert ask(server.url, "--max-tokens", "50", "hi").status == exit_status

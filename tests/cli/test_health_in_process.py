"""Parts of `llm-client health` that no server on loopback can show."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.cli import health as module
from llm_client.cli import health_entries
from llm_client.cli.environment import Environment
from llm_client.cli.guard import guarded
from llm_client.cli.health import HealthCommand, show_health
from llm_client.cli.health_entries import Entry, all_entries, examine_entry, unanswered
from llm_client.cli.progress import Progress
from llm_client.configured import Configured
from llm_client.exceptions import LLMError, TimeoutError
from llm_client.health import Examined, examine
from llm_client.policy.route import resolve_target
from llm_client.storage.config import load_settings
from llm_client.types.config import LLMConfig, Settings

from ..support.fault_server import fault_server, say_nothing, status
from ..support.health_servers import OLLAMA, by_path, listed


def make_environment() -> Environment:
    return Environment(
        stdin=None,
        stdin_is_terminal=False,
        stdout=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        stdout_is_terminal=False,
        stderr=io.StringIO(),
        stderr_is_terminal=False,
        environ=os.environ,
    )


def run_health(command: HealthCommand, environment: Environment) -> int:
    progress = Progress(environment, quiet=command.quiet, verbose=True)
    return guarded(
        lambda: show_health(command, environment, progress),
        environment,
        progress,
        json=command.json,
        debug=False,
    )


def said(environment: Environment) -> str:
    assert isinstance(environment.stderr, io.StringIO)
    return environment.stderr.getvalue()


def printed(environment: Environment) -> str:
    assert isinstance(environment.stdout, io.TextIOWrapper)
    buffer = environment.stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def usual(url: str, name: str = "llamacpp") -> Entry:
    target = resolve_target(LLMConfig(provider=name), Settings(), {})
    configured = Configured(name, (replace(target, base_url=url),), origin="usual")
    return Entry(configured, (), LLMConfig(provider=name))


@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
def test_nobody_is_configured_is_told_with_first_steps(
    json: bool, monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    monkeypatch.setattr(module, "all_entries", lambda *_: [usual(closed_url)])
    environment = make_environment()

    assert run_health(HealthCommand(json=json), environment) == 3
    assert "error: No provider is configured" in said(environment)
    assert "`export OPENAI_API_KEY=…`, then `llm-client health`" in said(environment)
    assert "llamacpp: Cannot connect to" in said(environment)
    assert ('"ConfigurationError"' in printed(environment)) is json


def test_server_on_its_usual_port_is_checked_by_its_name() -> None:
    settings = load_settings(None, {})
    with fault_server(by_path(OLLAMA)) as server:
        examined = examine_entry(
            usual(server.url, "ollama"), settings, {}, None, seconds=5.0, deep=False
        )

    assert examined.report.provider == "ollama"
    assert examined.report.version == "0.33.0-rc2"


def test_another_server_on_a_usual_port_is_checked_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(listed("theirs", owned_by="somebody")) as server:
        entry = usual(f"{server.url}/v1")
        monkeypatch.setattr(module, "all_entries", lambda *_: [entry])
        environment = make_environment()

        assert run_health(HealthCommand(), environment) == 0
        assert printed(environment).startswith("openai-compatible\thealthy\t")


def test_what_listens_on_a_usual_port_and_wants_a_key_is_nobody_s_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(status(401)) as locked, fault_server(by_path(OLLAMA)) as server:
        entries = [usual(locked.url), usual(server.url, "ollama")]
        monkeypatch.setattr(module, "all_entries", lambda *_: entries)
        environment = make_environment()

        assert run_health(HealthCommand(), environment) == 0
        assert printed(environment).count("\n") == 1
        assert "llamacpp: llamacpp wants a key (401)" in said(environment)


def test_server_on_a_usual_port_that_wants_a_key_is_told_when_there_is_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(status(401)) as locked:
        monkeypatch.setattr(module, "all_entries", lambda *_: [usual(locked.url)])
        environment = make_environment()

        assert run_health(HealthCommand(), environment) == 3
        assert "error: llamacpp wants a key (401)" in said(environment)
        assert "No provider is configured" not in said(environment)


def test_what_is_silent_on_a_usual_port_is_nobody_s_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(say_nothing()) as silent, fault_server(by_path(OLLAMA)) as server:
        target = resolve_target(LLMConfig(base_url=server.url), Settings(), {})
        entries = [usual(silent.url), Entry(Configured("o", (target,)), (), LLMConfig())]
        monkeypatch.setattr(module, "all_entries", lambda *_: entries)
        environment = make_environment()

        run_health(HealthCommand(seconds=0.2), environment)
        assert "llamacpp" not in printed(environment)
        assert printed(environment).count("\n") == 1


def test_usual_port_whose_answer_never_comes_is_nobody_s_failure() -> None:
    entry = usual("http://127.0.0.1:9")

    assert isinstance(unanswered(entry, 1.0), TimeoutError)


def test_one_that_never_comes_back_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def stuck(*_: object, **__: object) -> Examined:
        never.wait(60)
        raise LLMError("too late")

    target = resolve_target(LLMConfig(provider="ollama"), Settings(), {})
    entries = [
        Entry(Configured("ollama", (target,)), ("m",), LLMConfig()),
        Entry(Configured("odd"), (), LLMConfig()),
    ]
    monkeypatch.setattr(module, "all_entries", lambda *_: entries)
    monkeypatch.setattr(module, "examine_entry", stuck)
    environment = make_environment()
    try:
        assert run_health(HealthCommand(seconds=0.1), environment) == 4
    finally:
        never.set()
    assert "error: ollama: No answer within 0.1 s. If it is only slow" in said(environment)
    assert f"{target.base_url}\tNo answer within 0.1 s." in printed(environment)


def test_bug_while_asking_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Examined:
        raise ZeroDivisionError("oops")

    entry = Entry(Configured("xai"), (), LLMConfig())
    monkeypatch.setattr(module, "all_entries", lambda *_: [entry])
    monkeypatch.setattr(module, "examine_entry", broken)
    environment = make_environment()

    assert run_health(HealthCommand(), environment) == 1
    assert "Something unforeseen went wrong: ZeroDivisionError: oops" in said(environment)


def test_model_in_this_process_is_asked_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLX_MODEL_PATH", str(tmp_path))
    monkeypatch.delenv("LLM_CLIENT_MLX_BASE_URL")

    entries = all_entries(load_settings(None, os.environ), os.environ)

    (mlx,) = [entry for entry in entries if entry.name == "mlx"]
    assert mlx.base_url.startswith("mlx:")
    assert mlx.config.model == str(tmp_path)
    assert mlx.named == (str(tmp_path),)
    assert "embedded" not in {entry.name for entry in entries}


def test_time_that_finding_out_took_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[float] = []
    real = examine

    def noted(target: object, *, named: object, seconds: float) -> object:
        allowed.append(seconds)
        return real(target, seconds=seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(health_entries, "examine", noted)
    with fault_server(by_path(OLLAMA)) as server:
        settings = load_settings(None, {})
        examine_entry(usual(server.url, "ollama"), settings, {}, None, seconds=0.05, deep=False)
        examine_entry(usual(server.url, "ollama"), settings, {}, None, seconds=3.0, deep=False)

    assert allowed[0] == 0.1
    assert 0.1 < allowed[1] < 3.0

"""The check of a provider: real servers, servers that tell how they are, and those without a list."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_client import LLMConfig
from llm_client.policy.route import resolve_target
from llm_client.types.config import Settings
from llm_client.types.health import LoadedModel

from .conftest import LLAMA_KEY
from .support.fault_server import (
    Script,
    cut_body,
    fault_server,
    garbage,
    html,
    respond,
    say_nothing,
    status,
)
from .support.health_checks import KEY, asked, check, target_of
from .support.health_servers import (
    LLAMA_LOADING,
    LMSTUDIO,
    LMSTUDIO_V0,
    OLLAMA,
    REFUSES,
    VLLM,
    by_path,
    keyed,
    listed,
    said,
)

# --- real servers -------------------------------------------------------------------------------


def test_llama_server_tells_all_of_itself(llama_server: str) -> None:
    report = check(target_of(llama_server, "llamacpp"), "demo")

    assert report
    assert (report.reachable, report.model_present, report.problem) == (True, True, None)
    assert report.models == ("demo",)
    assert report.loaded == (LoadedModel("demo", 2048),)
    assert report.version
    assert report.latency_ms is not None
    assert (report.has_key, report.key_accepted) == (False, None)


def test_llama_server_is_recognised_where_only_its_address_is_known(llama_server: str) -> None:
    report = check(target_of(llama_server))

    assert report.provider == "openai-compatible"
    assert report.loaded == (LoadedModel("demo", 2048),)


def test_right_key_is_proven(llama_server_with_key: str) -> None:
    report = check(target_of(llama_server_with_key, "llamacpp", LLAMA_KEY))

    assert report
    assert (report.has_key, report.key_accepted) == (True, True)


@pytest.mark.parametrize("key", [KEY, None], ids=["wrong", "none"])
def test_refused_key_is_told_with_the_way_out(llama_server_with_key: str, key: str | None) -> None:
    report = check(target_of(llama_server_with_key, "llamacpp", key), "demo")

    assert not report
    assert (report.problem, report.reachable, report.key_accepted) == ("key", True, False)
    what = "its key" if key is None else "a valid one"
    assert report.hint == (
        f"Put in {what}: `llm-client creds set llamacpp`, or set LLAMACPP_API_KEY."
    )
    assert report.named_models == ("demo",)
    assert report.model_present is None
    assert KEY not in repr(report)


def test_key_that_nobody_asks_for_is_not_called_accepted(llama_server: str) -> None:
    report = check(target_of(llama_server, "llamacpp", KEY))

    assert report
    assert (report.has_key, report.key_accepted) == (True, None)


def test_missing_model_is_told(llama_server: str) -> None:
    report = check(target_of(llama_server, "llamacpp"), "demo", "dema")

    assert not report
    assert (report.problem, report.model_present) == ("model", False)
    assert report.missing_models == ("dema",)
    assert report.hint
    assert report.hint.startswith("Did you mean 'demo'?")
    assert report.reachable


# --- servers that tell how they are -------------------------------------------------------------


def test_ollama_tells_version_and_allocated_context() -> None:
    with fault_server(by_path(OLLAMA)) as server:
        report = check(target_of(server.url, "ollama"), "tiny")

    assert report
    assert report.version == "0.33.0-rc2"
    assert report.loaded == (LoadedModel("tiny:latest", 4096),)
    assert report.model_present is True
    assert asked(server) == ["GET /api/tags", "GET /api/version", "GET /api/ps"]


def test_missing_model_of_ollama_is_fetched_by_a_command() -> None:
    with fault_server(by_path(OLLAMA)) as server:
        report = check(target_of(server.url, "ollama"), "llama3.2")

    assert report.hint == "Fetch it: `ollama pull llama3.2`."
    assert report.problem == "model"


@pytest.mark.parametrize(
    ("answers", "loaded"),
    [
        (LMSTUDIO, (("qwen/qwen3-4b", 8192), ("qwen/qwen3-4b:2", 4096))),
        (LMSTUDIO_V0, (("qwen/qwen3-4b", 4096),)),
    ],
    ids=["v1", "v0"],
)
def test_lmstudio_tells_what_is_loaded(
    answers: Mapping[str, Script], loaded: tuple[tuple[str, int], ...]
) -> None:
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "lmstudio"), "qwen/qwen3-4b")

    assert report
    assert report.loaded == loaded


@pytest.mark.parametrize("provider", ["vllm", "openai-compatible"])
def test_vllm_tells_version_and_its_model(provider: str) -> None:
    with fault_server(by_path(VLLM)) as server:
        report = check(target_of(server.url, provider))

    assert report
    assert report.version == "0.19.1"
    assert report.loaded == (LoadedModel("Qwen/Qwen3-8B", 32768),)


def test_vllm_whose_engine_is_dead_is_not_healthy() -> None:
    with fault_server(by_path({**VLLM, "/health": respond(503)})) as server:
        report = check(target_of(server.url, "vllm"))

    assert (report.healthy, report.problem, report.reachable) == (False, "failing", True)


@pytest.mark.parametrize("provider", ["llamacpp", "openai-compatible"])
def test_llama_server_that_is_loading_says_so(provider: str) -> None:
    with fault_server(by_path(LLAMA_LOADING)) as server:
        report = check(target_of(server.url, provider), "other")

    assert (report.healthy, report.problem, report.reachable) == (False, "loading", True)
    assert report.error == f"{provider} is loading the model."
    assert report.hint
    assert "`llm-client health" in report.hint


def test_loading_is_recognised_where_no_list_comes_either() -> None:
    with fault_server(LLAMA_LOADING["/health"]) as server:
        report = check(target_of(server.url))

    assert (report.problem, report.reachable) == ("loading", True)


def test_mlx_may_have_an_empty_list() -> None:
    with fault_server(by_path({"/v1/models": respond(200), "/health": said({})})) as server:
        report = check(target_of(server.url, "mlx"), "org/model")

    assert report
    assert (report.models, report.model_present) == ((), None)


def test_server_without_a_list_is_known_by_its_health() -> None:
    answers = {"/health": respond(200), "/info": said({"version": "3.3", "model_id": "org/m"})}
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "tgi"), "tgi")

    assert report
    assert (report.version, report.loaded) == ("3.3", (LoadedModel("org/m"),))
    assert report.model_present is None
    assert report.latency_ms is not None


@pytest.mark.parametrize(
    "aside",
    [say_nothing(), garbage(), status(500), html(), cut_body(b"{")],
    ids=["silent", "garbage", "500", "html", "cut"],
)
def test_what_is_asked_aside_is_no_reason_to_be_ill(aside: Script) -> None:
    answers = {"/v1/models": listed("m"), "/health": aside, "/props": aside}
    started = time.monotonic()
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url, "llamacpp"), "m", seconds=0.5)

    assert report
    assert time.monotonic() - started < 10
    assert (report.version, report.loaded) == (None, ())


# --- servers without a list ---------------------------------------------------------------------


@pytest.mark.parametrize("code", [404, 405, 501])
def test_server_without_a_list_answers_all_the_same(code: int) -> None:
    answers = {"GET /v1/models": status(code), "POST /v1/chat/completions": REFUSES}
    with fault_server(by_path(answers)) as server:
        report = check(target_of(server.url), "m")

    assert report
    assert (report.reachable, report.model_present, report.models) == (True, None, ())


def test_server_of_anthropic_s_dialect_without_a_list_proves_the_key() -> None:
    answers = {"POST /v1/messages": keyed(KEY, REFUSES, "x-api-key")}
    with fault_server(by_path(answers)) as server:
        config = LLMConfig(
            provider="openai-compatible", dialect="anthropic", base_url=server.url, api_key=KEY
        )
        target = resolve_target(config, Settings(), {})
        report = check(target)

    assert (report.healthy, report.key_accepted) == (True, True)


@pytest.mark.parametrize("provider", ["openai-compatible", "gemini"])
def test_address_at_which_nothing_is_known_is_wrong(provider: str) -> None:
    with fault_server(status(404)) as server:
        report = check(target_of(server.url, provider, KEY))

    assert (report.healthy, report.problem, report.reachable) == (False, "failing", True)
    assert report.hint
    assert "base URL" in report.hint


def test_server_that_knows_no_health_is_known_by_an_empty_call() -> None:
    with fault_server(by_path({"POST /v1/chat/completions": REFUSES})) as server:
        report = check(target_of(server.url, "tgi"))

    assert (report.healthy, report.reachable) == (True, True)


@pytest.mark.parametrize("provider", ["perplexity", "nvidia"])
def test_dialect_without_a_free_call_leaves_open_what_it_would_prove(provider: str) -> None:
    rows = said({"models": [{"name": "models/m"}]})
    with fault_server(by_path({"/v1beta/models": rows})) as server:
        config = LLMConfig(provider=provider, dialect="gemini", base_url=server.url, api_key=KEY)
        report = check(resolve_target(config, Settings(), {}))

    assert report.key_accepted is None
    # Whose list is not asked for, of that nothing is known.
    assert report.problem == ("configuration" if provider == "perplexity" else None)


# --- models in this process ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "path", "present"),
    [
        ("mlx", "model", True),
        ("mlx", "empty", False),
        ("mlx", "nowhere", False),
        ("embedded", "model.gguf", True),
        ("embedded", "nowhere.gguf", False),
    ],
)
def test_model_in_this_process_is_looked_for_on_the_disk(
    provider: str, path: str, present: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("llm_client.runtimes.mlx.check_installed", lambda: None)
    name = str(tmp_path / path)
    config = LLMConfig(provider=provider, model=name)
    report = check(resolve_target(config, Settings(), {}), name)

    assert report.model_present is present
    if not present:
        assert report.error == f"There is no model {name!r} on this machine."
        assert "`ls -d " in str(report.hint)


def test_runtime_that_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlx_lm", None)
    target = resolve_target(LLMConfig(provider="mlx", model=str(tmp_path)), Settings(), {})

    report = check(target)

    assert (report.healthy, report.problem) == (False, "configuration")
    assert "mlx-lm" in str(report.error)
    assert "`pip install " in str(report.hint)

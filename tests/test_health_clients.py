"""The health check of clients, and of many that are dead."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig
from llm_client.engine.drivers import SyncDriver
from llm_client.exceptions import ConnectionError, ValidationError
from llm_client.health import examine
from llm_client.types.health import HealthReport, LoadedModel

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
from .support.health_checks import check, dead_servers, target_of
from .support.health_servers import (
    OLLAMA,
    by_path,
    listed,
    said,
)

# --- dead ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "problem", "reachable"),
    [
        pytest.param(say_nothing(), "unreachable", False, id="silent"),
        pytest.param(garbage(), "unreachable", False, id="garbage"),
        pytest.param(cut_body(b'{"data": ['), "unreachable", False, id="cut"),
        pytest.param(respond(pieces=[(0.05, b" ")] * 500), "unreachable", False, id="drip"),
        pytest.param(html(), "failing", True, id="html"),
        pytest.param(status(500), "failing", True, id="500"),
        pytest.param(said({"error": "busy"}), "failing", True, id="error-with-200"),
        pytest.param(status(429), "limited", True, id="429"),
    ],
)
def test_dead_server_is_a_report(script: Script, problem: str, reachable: bool) -> None:
    started = time.monotonic()
    with fault_server(script) as server:
        report = check(target_of(server.url), "m", seconds=0.5)

    assert not report
    assert (report.problem, report.reachable) == (problem, reachable)
    assert report.error
    assert (report.latency_ms is not None) is reachable
    assert report.named_models == ("m",)
    assert time.monotonic() - started < 10


def test_slow_body_says_how_long_was_waited() -> None:
    with fault_server(respond(pieces=[(0.05, b" ")] * 500)) as server:
        report = check(target_of(server.url), seconds=0.5)

    assert report.error == f"{server.url}/v1 did not send its whole answer within 0.5 s."
    assert report.hint
    assert "--timeout" in report.hint


def test_refused_server_says_how_it_is_started(closed_url: str) -> None:
    report = check(target_of(closed_url, "ollama"))

    assert report.problem == "unreachable"
    assert report.hint
    assert "`ollama serve`" in report.hint


def test_unknown_name_is_unreachable() -> None:
    report = check(target_of("http://name.invalid/v1"), seconds=5.0)

    assert (report.problem, report.reachable) == ("unreachable", False)
    assert "name" in str(report.error)


def test_error_behind_a_report_is_there_for_who_wants_it(closed_url: str) -> None:
    driver = SyncDriver()
    examined = driver.run(examine(target_of(closed_url)))

    assert isinstance(examined.error, ConnectionError)
    assert examined.error.refused
    driver.close()


# --- clients ------------------------------------------------------------------------------------


def test_client_looks_for_its_own_model(llama_server: str) -> None:
    for model, healthy in (("demo", True), ("other", False)):
        with LLMClient(LLMConfig(base_url=llama_server, model=model)) as client:
            report = client.health_check()
            assert bool(report) is healthy
            assert report.named_models == (model,)
    with LLMClient(LLMConfig(base_url=llama_server)) as client:
        assert client.health_check().named_models == ()


def test_client_looks_for_what_the_configuration_names_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[profiles]\nlocal = { model = "ollama/tiny" }\nbig = { model = "ollama/x" }\n')
    with fault_server(by_path(OLLAMA)) as server, LLMClient("jan/m", config_path=file) as client:
        monkeypatch.setenv("LLM_CLIENT_OLLAMA_BASE_URL", server.url)
        report = client.health_check("ollama")

    assert report.named_models == ("tiny", "x")
    assert report.missing_models == ("x",)


def test_client_waits_as_long_as_it_is_told() -> None:
    started = time.monotonic()
    with fault_server(say_nothing()) as server, LLMClient(LLMConfig(base_url=server.url)) as client:
        assert not client.health_check(timeout=0.2)

    assert time.monotonic() - started < 4


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True], ids=repr)
def test_client_refuses_what_is_no_length_of_time(closed_url: str, timeout: Any) -> None:
    with LLMClient(LLMConfig(base_url=closed_url)) as client, pytest.raises(ValidationError):
        client.health_check(timeout=timeout)


def test_async_client_checks_the_same(llama_server_with_key: str) -> None:
    async def work() -> HealthReport:
        config = LLMConfig(provider="llamacpp", base_url=llama_server_with_key, api_key=LLAMA_KEY)
        async with AsyncLLMClient(config) as client:
            return await client.health_check(timeout=10)

    report = asyncio.run(work())

    assert report
    assert report.key_accepted is True
    assert report.loaded == (LoadedModel("demo", 2048),)


def test_twenty_checks_at_once_of_an_async_client_take_no_longer_than_one(closed_url: str) -> None:
    async def one(url: str) -> HealthReport:
        async with AsyncLLMClient(LLMConfig(base_url=url)) as client:
            return await client.health_check(timeout=2.0)

    async def all_of(urls: list[str]) -> list[HealthReport]:
        return await asyncio.gather(*map(one, urls))

    with dead_servers(closed_url) as dead, fault_server(listed("m")) as server:
        started = time.monotonic()
        reports = asyncio.run(all_of([*dead, *[server.url] * 10]))
        elapsed = time.monotonic() - started

    assert [bool(report) for report in reports] == [False] * 10 + [True] * 10
    assert elapsed < 8
    assert threading.active_count() < 60

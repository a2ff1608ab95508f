"""`get_usage` and `reset_usage` of both clients, after calls to servers on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    LLMClient,
    LLMConfig,
    LLMError,
    LLMServiceError,
    UsageReport,
    ValidationError,
)

from .storage.usage_rows import attempt, write
from .support.fault_server import FaultServer, fault_server, respond

JSON = [("Content-Type", "application/json")]
ANSWER = json.dumps(
    {
        "model": "m-2026",
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15,
            "cost": 0.25,
        },
    }
).encode()

UNPRICED = ANSWER.replace(b', "cost": 0.25', b"")

Usage = Callable[..., UsageReport]


def usage(**asked: Any) -> UsageReport:
    with LLMClient("embedded/demo") as client:
        return client.get_usage(**asked)


def usage_async(**asked: Any) -> UsageReport:
    async def ask() -> UsageReport:
        async with AsyncLLMClient("embedded/demo") as client:
            return await client.get_usage(**asked)

    return asyncio.run(ask())


both = pytest.mark.parametrize("usage_of", [usage, usage_async], ids=["sync", "async"])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(respond(500), respond(200, JSON, ANSWER)) as server:
        yield server


def config(server: FaultServer) -> LLMConfig:
    return LLMConfig(base_url=server.url, model="m", retry_delay=0.001, max_retries=1)


@both
def test_call_with_a_retry_is_in_the_report(server: FaultServer, usage_of: Usage) -> None:
    with LLMClient(config(server), project="web", tags=["x"]) as client:
        client.generate("hi", session="tonight")
        report = client.get_usage("model", project="web")

    assert report == usage_of(by="model", project="web")
    assert len(server.requests) == 2
    assert (report.total.calls, report.total.attempts, report.total.failed) == (1, 2, 1)
    assert {row.key: row.calls for row in report.rows} == {
        "openai-compatible/m": 1,
        "openai-compatible/m-2026": 1,
    }
    assert report.total.total_tokens == 15
    assert report.total.latency_ms is not None
    assert [row.key for row in usage_of(by="tag").rows] == ["x"]
    assert [row.key for row in usage_of(by="session").rows] == ["tonight"]
    assert usage_of(project="other").total.calls == 0
    assert usage_of(outcome="error").total.attempts == 1


@pytest.mark.parametrize(("provider", "is_local"), [("work", True), ("litellm", False)])
def test_what_is_local_depends_on_the_address_and_not_on_the_name(
    clean_environment: Path, provider: str, is_local: bool
) -> None:
    with fault_server(respond(200, JSON, UNPRICED)) as server:
        settings = clean_environment / "config.toml"
        settings.write_text(
            f'[providers.{provider}]\nbase_url = "{server.url}"\ndialect = "openai-chat"\n'
        )
        with LLMClient(f"{provider}/m", config_path=settings) as client:
            client.generate("hi")
            total = client.get_usage().total

    # A gateway on this machine sells on what is elsewhere.
    assert (total.local, total.unpriced, total.cost) == (is_local, not is_local, None)


@both
def test_failed_call_is_in_the_report(usage_of: Usage) -> None:
    with (
        fault_server(respond(500)) as server,
        LLMClient(config(server), max_retries=0) as client,
        pytest.raises(LLMServiceError),
    ):
        client.generate("hi")

    total = usage_of().total
    assert (total.calls, total.failed, total.cost, total.latency_ms) == (1, 1, 0.0, None)


@both
def test_span_and_key_are_understood(clean_environment: Path, usage_of: Usage) -> None:
    yesterday = date.today() - timedelta(days=1)
    path = clean_environment / ".local/share/llm_client/ledger.db"
    write(path, attempt("a", at=f"{yesterday}T12:00"), attempt("b", at=f"{date.today()}T00:00"))

    report = usage_of(by="day", since=yesterday, until="today")
    assert (report.since, report.until) == (str(yesterday), str(date.today()))
    assert [row.key for row in report.rows] == [str(yesterday), str(date.today())]
    assert usage_of(since="today").total.calls == 1
    assert usage_of(since=timedelta(days=3)).total.calls == 2
    assert usage_of(until="yesterday").total.calls == 1
    assert usage_of().rows == ()


@both
def test_without_a_ledger_everything_is_nothing(clean_environment: Path, usage_of: Usage) -> None:
    assert usage_of(by="model") == UsageReport(by="model")
    assert not (clean_environment / ".local/share").exists()


@both
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"by": "colour"}, "by 'colour' is none of"),
        ({"since": "soon"}, "since 'soon' is no time"),
        ({"modell": "m"}, "no filter 'modell'"),
    ],
    ids=["key", "time", "filter"],
)
def test_wrong_question_is_refused(usage_of: Usage, asked: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        usage_of(**asked)


@both
def test_damaged_ledger_is_an_error(clean_environment: Path, usage_of: Usage) -> None:
    path = clean_environment / ".local/share/llm_client/ledger.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 500)
    with pytest.raises(LLMError, match="it is damaged"):
        usage_of()


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_reset_forgets_the_attempts_of_everybody(
    clean_environment: Path, asynchronous: bool
) -> None:
    path = clean_environment / ".local/share/llm_client/ledger.db"
    write(path, attempt("a"), attempt("b", 1), attempt("b", 2))

    async def reset() -> int:
        async with AsyncLLMClient("embedded/demo") as client:
            return await client.reset_usage()

    if asynchronous:
        assert asyncio.run(reset()) == 3
    else:
        with LLMClient("embedded/demo") as client:
            assert client.reset_usage() == 3
            assert client.reset_usage() == 0
    assert usage() == UsageReport()


def test_reset_makes_no_ledger(clean_environment: Path) -> None:
    with LLMClient("embedded/demo") as client:
        assert client.reset_usage() == 0
    assert not (clean_environment / ".local/share").exists()


def test_client_goes_on_writing_after_a_reset(server: FaultServer) -> None:
    with LLMClient(config(server)) as client:
        client.generate("hi")
        assert client.reset_usage() == 2
        client.generate("hi")
        assert client.get_usage().total.calls == 1

"""The books of a client: labels, what is written, budgets, limits, many processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    LLMClient,
    LLMConfig,
    LLMError,
    RateLimitError,
)
from llm_client.books import Books, new_call_id
from llm_client.exceptions import BudgetExceededError
from llm_client.storage.ledger import Ledger
from llm_client.types.budget import Budget
from llm_client.types.config import Settings
from llm_client.types.events import Labels

from .support.fault_server import FaultServer, Piece, fault_server, respond, say_nothing, status
from .support.ledgers import ANSWER, PRICES, Notices, client_of, reservations, rows
from .support.unmeasured import unmeasured

SAID: dict[str, Any] = dict.fromkeys(("cache", "max_cost", "project", "session", "tags"))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(ANSWER) as running:
        yield running


# --- labels -----------------------------------------------------------------------------------


def books(environ: dict[str, str] | None = None, **settings: Any) -> Books:
    return Books(Settings(**settings), LLMConfig(), environ or {})


def test_labels_are_what_the_call_says() -> None:
    said = {**SAID, "project": "web", "session": "tonight", "tags": ["a", "b"]}
    environ = {"LLM_CLIENT_PROJECT": "other", "LLM_CLIENT_SESSION": "other"}
    assert books(environ).labels("fast", said) == Labels("fast", "tonight", "web", ("a", "b"))


def test_labels_are_else_those_of_the_environment() -> None:
    environ = {"LLM_CLIENT_PROJECT": "web", "LLM_CLIENT_SESSION": "tonight"}
    assert books(environ).labels(None, SAID) == Labels(None, "tonight", "web")


def test_project_is_else_the_git_repository_that_the_process_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("website", "shop"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / ".git" / "HEAD").touch()
    asked = books({"LLM_CLIENT_PROJECT": " ", "LLM_CLIENT_SESSION": ""})
    found = []
    for name in ("website", "shop", "."):
        monkeypatch.chdir(tmp_path / name)
        found.append(asked.labels(None, SAID).project)
    assert found == ["website", "shop", None]


def test_directory_that_was_deleted_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert books().labels(None, SAID) == Labels()


def test_long_labels_of_the_surroundings_are_shortened() -> None:
    environ = {"LLM_CLIENT_SESSION": "s" * 9_000, "LLM_CLIENT_PROJECT": "\udcff" * 9_000}
    labels = books(environ).labels(None, SAID)
    assert labels == Labels(None, "s" * 200, "?" * 200, ())


def test_labels_are_made_storable() -> None:
    said = {**SAID, "project": "b\udce4r", "session": "größe", "tags": ["x\udce4"]}
    assert books().labels("\udce4", said) == Labels("?", "größe", "b?r", ("x?",))


def test_labels_are_in_the_row(server: FaultServer, tmp_path: Path, data: Path) -> None:
    with client_of(server, tmp_path, PRICES) as client:
        client.generate("hi", project="web", session="tonight", tags=("a", "b"))
    (row,) = rows(data)
    labels = ("profile", "project", "session", "tags")
    assert [row[name] for name in labels] == [None, "web", "tonight", '["a", "b"]']
    assert row["cost"] == 2_000_000  # 1,000 tokens at $1 and 500 at $2 per million
    assert (row["prompt_tokens"], row["completion_tokens"], row["outcome"]) == (1000, 500, "ok")


# --- what is written --------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_attempt(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    with client_of(server, tmp_path):
        pass
    assert not data.exists()


def test_every_attempt_has_a_row(server: FaultServer, tmp_path: Path, data: Path) -> None:
    with (
        fault_server(status(503), status(503), ANSWER) as busy,
        LLMClient(LLMConfig(base_url=busy.url, model="m", retry_delay=0.01)) as client,
    ):
        response = client.generate("hi")
    assert response.attempts == 3
    found = rows(data)
    assert [(row["attempt"], row["retry"], row["outcome"]) for row in found] == [
        (1, 0, "error"),
        (2, 1, "error"),
        (3, 2, "ok"),
    ]
    assert {row["call_id"] for row in found} == {response.metadata["call_id"]}
    assert [row["error_type"] for row in found] == ["LLMServiceError", "LLMServiceError", None]


def sse(*texts: str) -> list[bytes]:
    return [
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"
        for text in texts
    ]


def test_stream_that_is_left_is_written_with_an_estimate(tmp_path: Path, data: Path) -> None:
    pieces: list[Piece] = [*sse("Hel", "lo"), (30.0, b"")]
    script = respond(headers=[("Content-Type", "text/event-stream")], chunked=True, pieces=pieces)
    with (
        fault_server(script) as server,
        client_of(server, tmp_path) as client,
        client.stream("hi") as stream,
    ):
        next(stream)
    (row,) = rows(data)
    assert (row["outcome"], row["estimated"]) == ("abandoned", 1)
    assert row["prompt_tokens"] > 0


def test_call_that_is_cancelled_is_written(tmp_path: Path, data: Path) -> None:
    async def main(url: str) -> None:
        async with AsyncLLMClient(LLMConfig(base_url=url, model="m")) as client:
            task = asyncio.create_task(client.generate("hi"))
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with fault_server(say_nothing()) as server:
        asyncio.run(main(server.url))
    (row,) = rows(data)
    assert (row["outcome"], row["error_type"]) == ("interrupted", "CancelledError")


INTERRUPTED = """
import sys
from llm_client import LLMClient, LLMConfig
try:
    with LLMClient(LLMConfig(base_url=sys.argv[1], model="m")) as client:
        client.generate("hi")
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_call_that_ctrl_c_ends_is_written(data: Path) -> None:
    with fault_server(say_nothing()) as server:
        program = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, server.url],
            env=unmeasured(os.environ),
            stderr=subprocess.PIPE,
        )
        until = time.monotonic() + 30
        while not server.requests and time.monotonic() < until:
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        assert program.communicate(timeout=30)[1] == b""
    assert program.returncode == 130
    (row,) = rows(data)
    assert (row["outcome"], row["error_type"]) == ("interrupted", "KeyboardInterrupt")


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
def test_ctrl_c_in_the_middle_of_settling_does_not_undo_it(
    server: FaultServer,
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: bool,
) -> None:
    real, calls = Ledger.settle, []

    def settle(self: Ledger, *arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) > 1 or written:
            real(self, *arguments, **options)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "settle", settle)
    with client_of(server, tmp_path) as client, pytest.raises(KeyboardInterrupt):
        client.generate("hi")
    assert len(calls) == 2
    (row,) = rows(data)
    assert row["outcome"] == "ok"


def test_client_that_was_closed_writes_again(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    client = client_of(server, tmp_path)
    for _ in range(2):
        client.generate("hi")
        client.close()
        client.close()
    assert len(rows(data)) == 2


def test_threads_share_the_books_of_a_client(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    with client_of(server, tmp_path) as client:
        threads = [threading.Thread(target=client.generate, args=("hi",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len({row["call_id"] for row in rows(data)}) == 8


# --- budgets, limits, pauses ------------------------------------------------------------------


def test_call_beyond_its_budget_is_not_sent(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    config = f"{PRICES}[budget]\ndaily_usd = 0.0001"
    with client_of(server, tmp_path, config) as client, pytest.raises(BudgetExceededError) as error:
        client.generate("hi")
    assert "daily budget of $0.0001" in str(error.value)
    assert server.requests == []
    assert rows(data) == []
    assert reservations(data) == 0


def test_budget_counts_what_calls_really_cost(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    config = f"{PRICES}[budget]\ndaily_usd = 0.005"
    with client_of(server, tmp_path, config) as client:
        # $0.002 each; 100 tokens of answer may cost $0.0002 before.
        for _ in range(2):
            client.generate("hi", max_tokens=100)
        with pytest.raises(BudgetExceededError, match=r"\$0\.004 is spent"):
            client.generate("hi", max_tokens=1000)
    assert len(rows(data)) == len(server.requests) == 2


def test_budget_that_only_warns_lets_the_call_through(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    notices = Notices()
    config = f'{PRICES}[budget]\ndaily_usd = 0.0001\non_exceeded = "warn"'
    with client_of(server, tmp_path, config, notices) as client:
        assert client.generate("hi").content == "Hello"
    (notice,) = notices
    assert "daily budget of $0.0001 is exceeded" in notice
    assert reservations(data) == 0


def test_most_that_a_call_may_cost_is_held(server: FaultServer, tmp_path: Path, data: Path) -> None:
    with client_of(server, tmp_path, PRICES) as client:
        with pytest.raises(BudgetExceededError, match=r"\$0\.0001"):
            client.generate("hi", max_cost=0.0001)
        assert client.generate("hi", max_cost=0.1).content == "Hello"
    assert len(server.requests) == 1


def test_budget_of_the_code_stands_over_that_of_the_configuration(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[providers.work]\nbase_url = "{server.url}"\n{PRICES}[budget]\ndaily_usd = 0')
    config = LLMConfig(model="work/m", budget=Budget(daily_usd=1.0))
    with LLMClient(config, config_path=file) as client:
        assert client.generate("hi").content == "Hello"


def test_budget_says_once_that_it_cannot_hold_without_a_price(
    server: FaultServer, data: Path
) -> None:
    notices = Notices()
    config = LLMConfig(
        provider="openai",
        base_url=server.url,
        api_key="sk-test",
        model="nobodys",
        budget=Budget(daily_usd=0.0001),
    )
    with LLMClient(config, observe=notices) as client:
        for _ in range(2):
            assert client.generate("hi").content == "Hello"
    (notice,) = notices
    assert '[pricing."openai/nobodys"]' in notice


def test_request_that_cannot_be_sent_gives_its_reservation_back(
    server: FaultServer, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise LLMError("cannot be encoded")

    monkeypatch.setattr("llm_client.dialects.openai_chat.OpenAIChat.encode", refuse)
    config = f"{PRICES}[budget]\ndaily_usd = 1.0"
    with client_of(server, tmp_path, config) as client, pytest.raises(LLMError, match="encoded"):
        client.generate("hi")
    assert reservations(data) == 0
    assert rows(data) == []


def test_long_retry_after_holds_for_every_client(tmp_path: Path, data: Path) -> None:
    with fault_server(status(429, retry_after="300")) as server:
        with client_of(server, tmp_path) as client, pytest.raises(RateLimitError):
            client.generate("hi")
        with client_of(server, tmp_path) as client, pytest.raises(RateLimitError) as error:
            client.generate("hi")
    assert len(server.requests) == 1
    assert error.value.retry_after is not None
    assert 250 < error.value.retry_after <= 300


def test_limit_of_requests_holds_for_every_client(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    with client_of(server, tmp_path, "requests_per_minute = 1") as client:
        client.generate("hi")
    with (
        client_of(server, tmp_path, "requests_per_minute = 1") as client,
        pytest.raises(RateLimitError, match="the deadline is earlier"),
    ):
        client.generate("hi", deadline=5.0)
    assert len(server.requests) == 1
    assert reservations(data) == 0


# --- processes --------------------------------------------------------------------------------

CALLING = """
import os, sys
from llm_client import LLMClient, LLMConfig
with LLMClient(LLMConfig(base_url=sys.argv[1], model="m")) as client:
    for _ in range(int(sys.argv[2])):
        response = client.generate("hi")
        os.write(1, (response.metadata["call_id"] + "\\n").encode())
"""


def test_clients_of_many_processes_write_every_call_though_some_are_killed(
    server: FaultServer, data: Path
) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", CALLING, server.url, "30"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=unmeasured(os.environ),
        )
        for _ in range(6)
    ]
    completed: list[str] = []
    for victim in programs[:2]:
        assert victim.stdout is not None
        completed += [victim.stdout.readline().strip() for _ in range(5)]
        victim.kill()
    for program in programs:
        output, errors = program.communicate(timeout=120)
        assert errors == ""
        completed += output.split()
    found = [row["call_id"] for row in rows(data)]
    assert len(found) == len(set(found))
    assert set(completed) <= set(found)
    assert len(found) - len(completed) <= 2
    assert len(completed) >= 4 * 30 + 10


def test_budget_of_a_profile_holds_under_every_alias(
    server: FaultServer, data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[providers.work]\nbase_url = "{server.url}"\n{PRICES}[profiles]\ndefault = "fast"\n'
        '[profiles.fast]\nmodel = "work/m"\n[budget.profiles.fast]\ndaily_usd = 0\n'
    )
    for profile in (None, "default", "fast"):
        with (
            LLMClient(profile=profile, config_path=file) as client,
            pytest.raises(BudgetExceededError),
        ):
            client.generate("Hi")
    assert server.requests == []


def test_names_of_calls_are_distinct_and_in_the_order_of_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [1_763_000_000_000_000_000 + step * 1_000_000 for step in range(50)]
    clock = iter([*moments, *moments])
    monkeypatch.setattr("llm_client.books.time", SimpleNamespace(time_ns=lambda: next(clock)))
    names = [new_call_id() for _ in range(100)]
    assert len(set(names)) == 100
    assert {len(name) for name in names} == {32}
    assert names[:50] == sorted(names[:50])

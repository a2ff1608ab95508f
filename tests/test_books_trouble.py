"""A client without a ledger: it was turned off, or cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    ConfigurationError,
    LLMConfig,
)
from llm_client import books as module
from llm_client.books import Books
from llm_client.exceptions import BudgetExceededError
from llm_client.storage.database import StoreError
from llm_client.storage.ledger import Ledger
from llm_client.types.budget import Budget
from llm_client.types.config import Settings

from .support.fault_server import FaultServer, fault_server
from .support.ledgers import ANSWER, PRICES, Notices, client_of, rows

SAID: dict[str, Any] = dict.fromkeys(("cache", "max_cost", "project", "session", "tags"))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(ANSWER) as running:
        yield running


def books(environ: dict[str, str] | None = None, **settings: Any) -> Books:
    return Books(Settings(**settings), LLMConfig(), environ or {})


# --- no ledger --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "variable", "is_on"),
    [
        ("", "off", False),
        ("", "0", False),
        ("", "False", False),
        ("[ledger]\nenabled = false", "", False),
        ("[ledger]\nenabled = false", "on", True),
        ("[ledger]\nenabled = true", " NO ", False),
        ("", "", True),
    ],
)
def test_ledger_can_be_turned_off(
    server: FaultServer,
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    variable: str,
    is_on: bool,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_LEDGER", variable)
    with client_of(server, tmp_path, config) as client:
        assert client.generate("hi").content == "Hello"
    assert data.exists() is is_on


@pytest.mark.parametrize(
    ("settings", "config", "said"),
    [
        (Settings(ledger=False, budget=Budget(daily_usd=1.0)), LLMConfig(), "a budget"),
        (Settings(ledger=False), LLMConfig(budget=Budget(per_call_usd=0.0)), "a budget"),
        (Settings(ledger=False), LLMConfig(tokens_per_minute=9), "tokens_per_minute"),
        (Settings(ledger=False), LLMConfig(requests_per_minute=9), "requests_per_minute"),
    ],
    ids=["budget", "budget in code", "tokens in code", "requests in code"],
)
def test_limit_of_every_call_without_a_ledger_is_an_error_at_once(
    settings: Settings, config: LLMConfig, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"without it {said} cannot hold") as error:
        Books(settings, config, {})
    assert "unset LLM_CLIENT_LEDGER" in str(error.value.hint)


@pytest.mark.parametrize(
    ("limit", "options", "said"),
    [
        ("requests_per_minute = 9", {}, "requests_per_minute"),
        ("tokens_per_minute = 9", {}, "tokens_per_minute"),
        ("", {"max_cost": 1.0}, "max_cost"),
        ("[budget.providers.work]\nweekly_usd = 1", {}, "a budget"),
        ("[budget.projects.web]\ntotal_usd = 1", {"project": "web"}, "a budget"),
    ],
    ids=["requests", "tokens", "max_cost", "provider", "project"],
)
def test_limit_of_a_call_without_a_ledger_is_an_error_before_it_is_sent(
    server: FaultServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    options: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_LEDGER", "off")
    with (
        client_of(server, tmp_path, limit) as client,
        pytest.raises(ConfigurationError, match=f"without it {said} cannot hold") as error,
    ):
        client.generate("hi", **options)
    assert "unset LLM_CLIENT_LEDGER" in str(error.value.hint)
    assert server.requests == []


def test_limit_of_a_fallback_without_a_ledger_is_an_error_before_anybody_is_asked(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_LEDGER", "off")
    limited = f'[providers.other]\nbase_url = "{server.url}"\nrequests_per_minute = 9'
    with client_of(server, tmp_path, limited) as client:
        client.set_fallback_chain(["other/m"])
        with pytest.raises(ConfigurationError, match="without it requests_per_minute"):
            client.generate("hi")
    assert server.requests == []


@pytest.mark.parametrize(
    "limit",
    [
        '[providers.other]\nbase_url = "http://127.0.0.1:1"\nrequests_per_minute = 9',
        "[budget]",
        "[budget.providers.openai]\nweekly_usd = 1",
        "[budget.projects.web]\ntotal_usd = 1",
        "[profiles.fast]\n[budget.profiles.fast]\ndaily_usd = 1",
    ],
    ids=["rate of another", "empty", "another provider", "another project", "another profile"],
)
def test_limit_that_does_not_hold_for_a_call_needs_no_ledger(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("LLM_CLIENT_LEDGER", "off")
    with client_of(server, tmp_path, limit) as client:
        assert client.generate("hi", project="docs").content == "Hello"


def test_python_without_sqlite_answers_and_says_so_once(
    server: FaultServer, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database", "ledger"):
        monkeypatch.delitem(sys.modules, f"llm_client.storage.{name}", raising=False)
    monkeypatch.delattr("llm_client.storage.ledger", raising=False)
    monkeypatch.delattr("llm_client.storage.database", raising=False)
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    notices = Notices()
    with client_of(server, tmp_path, observe=notices) as client:
        for _ in range(3):
            assert client.generate("hi").content == "Hello"
    assert len(notices) == 1
    assert "Cannot use the ledger: " in notices[0]


# --- a ledger that cannot be used -------------------------------------------------------------


def no_directory(data: Path) -> None:
    data.write_text("a file")


def newer(data: Path) -> None:
    data.mkdir()
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")


def foreign(data: Path) -> None:
    data.mkdir()
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")


@pytest.mark.parametrize(
    ("ruin", "said"),
    [
        (no_directory, "its directory is a file"),
        (newer, "has version 99"),
        (foreign, "another program"),
    ],
)
@pytest.mark.parametrize("config", ["", f"{PRICES}[budget]\ndaily_usd = 1.0"], ids=["", "budget"])
def test_ledger_that_cannot_be_used_costs_one_notice_per_client(
    server: FaultServer, tmp_path: Path, data: Path, ruin: Any, said: str, config: str
) -> None:
    ruin(data)
    file = data if data.is_file() else data / "ledger.db"
    before = file.read_bytes()
    for _ in range(2):
        notices = Notices()
        with client_of(server, tmp_path, config, notices) as client:
            for _ in range(3):
                assert client.generate("hi").content == "Hello"
        assert len(notices) == 1
        assert said in notices[0]
        assert "Calls go on without it: nothing is recorded, and no budget or limit" in notices[0]
        assert "LLM_CLIENT_LEDGER=off" in notices[0]
    assert file.read_bytes() == before


def test_ledger_that_cannot_be_used_costs_one_notice_when_async(
    server: FaultServer, data: Path
) -> None:
    no_directory(data)
    notices = Notices()

    async def main() -> None:
        config = LLMConfig(base_url=server.url, model="m")
        async with AsyncLLMClient(config, observe=notices) as client:
            answers = await asyncio.gather(*(client.generate("hi") for _ in range(5)))
            assert [answer.content for answer in answers] == ["Hello"] * 5

    asyncio.run(main())
    assert len(notices) == 1


def test_ledger_that_fails_while_settling_costs_one_notice_and_is_tried_again_later(
    server: FaultServer, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = Notices()
    real = Ledger.settle
    tried = []

    def fail(self: Ledger, *arguments: Any, **options: Any) -> None:
        tried.append(arguments)
        raise StoreError("Cannot use the ledger 'x': the disk is full.", hint="Make room.")

    with client_of(server, tmp_path, observe=notices) as client:
        monkeypatch.setattr(Ledger, "settle", fail)
        client.generate("hi")
        client.generate("hi")
        assert len(tried) == 1
        monkeypatch.setattr(module, "_REST_SECONDS", 0.0)
        client._calls._books.failed()  # the rest is over
        client.generate("hi")
        assert len(tried) == 2
        monkeypatch.setattr(Ledger, "settle", real)
        client.generate("hi")
    assert len(notices) == 1
    assert "the disk is full. Calls go on without it" in notices[0]
    assert len(rows(data)) == 1


def test_damaged_ledger_is_kept_and_a_new_one_begun(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    data.mkdir()
    (data / "ledger.db").write_bytes(b"nonsense" * 1000)
    notices = Notices()
    with client_of(server, tmp_path, observe=notices) as client:
        for _ in range(2):
            assert client.generate("hi").content == "Hello"
    assert len(rows(data)) == 2
    (notice,) = notices
    assert notice.startswith("The ledger was damaged (file is not a database).")
    assert notice.endswith(" budgets begin anew.")
    (aside,) = data.glob("*damaged*")
    assert aside.read_bytes() == b"nonsense" * 1000


def test_damage_that_is_found_while_settling_is_said(
    server: FaultServer, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = Notices()
    real = Ledger.settle

    def settle(self: Ledger, *arguments: Any, **options: Any) -> None:
        self.database._notices.append("The ledger was damaged.")
        real(self, *arguments, **options)

    monkeypatch.setattr(Ledger, "settle", settle)
    with client_of(server, tmp_path, observe=notices) as client:
        client.generate("hi")
    assert notices == ["The ledger was damaged."]
    assert len(rows(data)) == 1


def test_limit_of_a_call_holds_without_a_ledger(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_DATA_DIR", "/dev/null/nowhere")
    with client_of(server, tmp_path, PRICES) as client:
        for _ in range(2):  # the second time it is left alone for a while
            with pytest.raises(BudgetExceededError):
                client.generate("Hi", max_cost=0.00001)
        assert server.requests == []
        client.generate("Hi", max_cost=1.0)

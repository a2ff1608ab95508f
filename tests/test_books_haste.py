"""Async calls and their ledger: asked on the loop where that waits for nobody, else in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMConfig
from llm_client.engine.drivers import AsyncDriver, SyncDriver
from llm_client.engine.effects import Steps, call
from llm_client.storage.database import Database
from llm_client.storage.haste import WouldWait
from llm_client.types.budget import Budget

from .support.fault_server import FaultServer, fault_server
from .support.ledgers import ANSWER, PRICES, Notices, reservations, rows


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(ANSWER) as running:
        yield running


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the transactions of the ledger run, as they begin."""
    real, seen = Database._once, []

    def once(self: Database, *arguments: Any, **options: Any) -> Any:
        is_main = threading.current_thread() is threading.main_thread()
        seen.append("loop" if is_main else "thread")
        return real(self, *arguments, **options)

    monkeypatch.setattr(Database, "_once", once)
    return seen


def client_of(server: FaultServer, tmp_path: Path, config: str = "") -> AsyncLLMClient:
    file = tmp_path / "config.toml"
    file.write_text(f'[providers.work]\nbase_url = "{server.url}"\n{config}')
    return AsyncLLMClient("work/m", config_path=file)


def test_driver_tries_the_hasty_first_only_when_async() -> None:
    def steps(hasty: Callable[[], str]) -> Steps[str]:
        return (yield from call(lambda: "patient", hasty))

    def fail() -> str:
        raise WouldWait

    assert asyncio.run(AsyncDriver().run(steps(lambda: "hasty"))) == "hasty"
    assert asyncio.run(AsyncDriver().run(steps(fail))) == "patient"
    assert SyncDriver().run(steps(fail)) == "patient"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_what_the_hasty_raises_arrives_in_the_engine(error: BaseException) -> None:
    def fail() -> str:
        raise error

    def steps() -> Steps[str]:
        try:
            return (yield from call(lambda: "patient", fail))
        except (ValueError, KeyboardInterrupt) as arrived:
            return f"handled {arrived!r}"

    assert asyncio.run(AsyncDriver().run(steps())) == f"handled {error!r}"


@pytest.mark.parametrize(
    "limits", ["", f"requests_per_minute = 99\n{PRICES}[budget]\ndaily_usd = 1"], ids=["", "limits"]
)
def test_ledger_is_opened_in_a_thread_and_then_used_on_the_loop(
    server: FaultServer, tmp_path: Path, data: Path, transactions: list[str], limits: str
) -> None:
    async def main() -> None:
        async with client_of(server, tmp_path, limits) as client:
            for _ in range(3):
                await client.generate("hi")

    asyncio.run(main())
    # A reservation and a record for each.
    assert transactions == ["thread", *["loop"] * 5]
    assert len(rows(data)) == 3
    assert reservations(data) == 0


def test_ledger_that_others_have_locked_is_waited_for_in_a_thread(
    server: FaultServer, tmp_path: Path, data: Path, transactions: list[str]
) -> None:
    async def main() -> None:
        async with client_of(server, tmp_path) as client:
            await client.generate("hi")
            with closing(sqlite3.connect(data / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                task = asyncio.create_task(client.generate("hi"))
                while transactions[-1] != "thread" or len(transactions) < 4:
                    await asyncio.sleep(0.001)  # which a loop that is held up would never do
                assert not task.done()
                other.execute("ROLLBACK")
            await task

    asyncio.run(asyncio.wait_for(main(), 60))
    assert len(rows(data)) == 2


def test_notice_is_said_though_the_first_try_was_in_vain(server: FaultServer, data: Path) -> None:
    notices = Notices()
    config = LLMConfig(
        provider="openai",
        base_url=server.url,
        api_key="sk-test",
        model="nobodys",
        budget=Budget(daily_usd=0.0001),
    )

    async def main() -> None:
        async with AsyncLLMClient(config, observe=notices) as client:
            client._calls._books.ledger()
            for _ in range(2):
                await client.generate("hi")

    asyncio.run(main())
    (notice,) = notices
    assert '[pricing."openai/nobodys"]' in notice

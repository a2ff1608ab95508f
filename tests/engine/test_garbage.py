"""Calls that nobody closed and that the garbage collector finds, perhaps before their driver.

A stream in a cycle, such as an exception and the frame that keeps it, is taken apart in any order:
its engine may be closed while nobody is left who could perform an effect. The books are kept all
the same.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from llm_client import LLMClient, LLMConfig
from llm_client.engine import session
from llm_client.engine.context import Asked, Granted, Hooks
from llm_client.engine.drivers import Held
from llm_client.engine.effects import Call, Open, Read, Sleep
from llm_client.exceptions import LLMError
from llm_client.types.events import AttemptRecord, Notice
from llm_client.types.response import LLMResponse, StreamChunk
from llm_client.types.target import Target

from ..support.chain import EVENTS, event, ledger
from ..support.fault_server import FaultServer, Received, Wire, fault_server, respond
from .scenarios import Expected, Scenario, sse
from .scripted import Stage, async_driver, sync_driver

STREAMED = Scenario("", (sse("Hello", "there"),), Expected(()), stream=True)


class Ring:
    """Keeps itself, and what it is given, until the garbage collector comes by."""

    def __init__(self, *kept: object) -> None:
        self.kept = (self, *kept)


class Books:
    """Hooks that note what they are told."""

    def __init__(self, wait: float = 0.0, failure: Exception | None = None) -> None:
        self.wait = wait
        self.failure = failure
        self.settled: list[tuple[str, float | None]] = []
        self.released: list[int] = []

    def reserve(self, request: Asked, target: Target, number: int) -> Granted:
        return Granted(self.wait)

    def settle(self, record: AttemptRecord, target: Target, pause: float | None) -> None:
        self.settled.append((record.outcome, pause))
        if self.failure is not None:
            raise self.failure

    @property
    def hooks(self) -> Hooks:
        return Hooks(reserve=self.reserve, release=self.released.append, settle=self.settle)


@pytest.fixture(autouse=True)
def _nothing_is_collected_by_chance() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def test_stream_in_a_cycle_is_settled_and_closed() -> None:
    stage, books = Stage(STREAMED), Books()
    chunks: Any = sync_driver(stage).iterate(stage.steps(books.hooks))
    next(chunks)
    Ring(chunks)
    del chunks
    assert books.settled == []
    gc.collect()

    (record,) = stage.played.records
    assert (record.outcome, record.error_type) == ("abandoned", "Abandoned")
    assert record.usage is not None
    assert record.usage.estimated
    assert books.settled == [("abandoned", None)]
    assert books.released == []
    assert stage.played.closed == 1


def test_async_stream_in_a_cycle_is_settled_and_closed() -> None:
    stage, books = Stage(STREAMED), Books()

    async def main() -> None:
        chunks: Any = async_driver(stage).iterate(stage.steps(books.hooks), Held())
        await anext(chunks)
        Ring(chunks)
        del chunks
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert books.settled == [("abandoned", None)]
    assert stage.played.closed == 1


def test_async_stream_whose_loop_is_gone_is_settled() -> None:
    stage, books = Stage(STREAMED), Books()
    loop = asyncio.new_event_loop()

    async def begin() -> Any:
        chunks = async_driver(stage).iterate(stage.steps(books.hooks), Held())
        await anext(chunks)
        return chunks

    chunks: Any = loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    del chunks
    gc.collect()

    assert books.settled == [("abandoned", None)]


def advance(steps: Generator[Any, Any, LLMResponse], stage: Stage, until: type) -> None:
    """Perform effects until one of a kind is asked for."""
    value: Any = None
    while not isinstance(effect := steps.send(value), until):
        match effect:
            case Call():
                value = effect.function()
            case Open():
                exchange = stage.open(effect.request)
                value = exchange.head  # type: ignore[union-attr]
            case Read():
                value = exchange.read(effect.timeout)  # type: ignore[union-attr]
            case _:
                value = None


def test_engine_that_is_closed_while_it_waits_gives_its_place_back() -> None:
    stage, books = Stage(STREAMED), Books(wait=30.0)
    steps = stage.steps(books.hooks)
    advance(steps, stage, Sleep)
    steps.close()

    assert books.released == [1]
    assert books.settled == []


def test_engine_that_is_closed_while_it_settles_settles_all_the_same() -> None:
    stage, books = Stage(STREAMED), Books()
    steps = stage.steps(Hooks(settle=books.settle))
    advance(steps, stage, Call)
    steps.close()

    assert books.settled == [("ok", None)]


@pytest.mark.parametrize(
    ("failure", "notice"),
    [
        pytest.param(OSError("disk full"), "The ledger failed: disk full", id="unforeseen"),
        pytest.param(OSError(), "The ledger failed: OSError", id="wordless"),
        pytest.param(LLMError("Cannot use it."), "Cannot use it.", id="told"),
        pytest.param(LLMError("Cannot.", hint="Do."), "Cannot. Do.", id="with-a-hint"),
    ],
)
def test_ledger_that_fails_for_garbage_costs_a_notice(failure: Exception, notice: str) -> None:
    stage, books = Stage(STREAMED), Books(failure=failure)
    chunks: Any = sync_driver(stage).iterate(stage.steps(books.hooks))
    next(chunks)
    Ring(chunks)
    del chunks
    gc.collect()

    failure.__traceback__ = failure.__context__ = (
        None  # it lives as long as the tests, and so would all these frames
    )
    notices = [event.text for event in stage.played.events if isinstance(event, Notice)]
    assert notices == [notice]
    assert books.settled == [("abandoned", None)]


def unending(wire: Wire, request: Received) -> bool:
    begun = event({"choices": [{"index": 0, "delta": {"content": "Hel"}}]})
    return respond(headers=EVENTS, pieces=[begun, (60.0, b"x")], chunked=True)(wire, request)


def drop_in_a_cycle(client: LLMClient) -> StreamChunk:
    stream = client.stream("hi")
    chunk = next(stream)
    Ring(stream)
    return chunk


def client_of(server: FaultServer) -> LLMClient:
    return LLMClient(LLMConfig(base_url=f"{server.url}/v1", model="m"))


def finishes(work: Any) -> bool:
    """Return whether a function comes to its end: one that waits for its own lock does not."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def test_garbage_is_booked_while_the_same_thread_reads_the_totals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = session.Stats

    def collect(**fields: Any) -> session.Stats:
        gc.collect()
        return made(**fields)

    with fault_server(unending) as server, client_of(server) as client:
        assert drop_in_a_cycle(client).delta == "Hel"
        monkeypatch.setattr(session, "Stats", collect)
        assert finishes(client.get_stats)
        assert client.get_stats().request_count == 1
        assert ledger() == [(1, 0, 0, "abandoned")]


def test_garbage_is_booked_while_the_same_thread_holds_the_books() -> None:
    with fault_server(unending) as server, client_of(server) as client:
        drop_in_a_cycle(client)

        def collect() -> None:
            with client._calls._books._lock:
                gc.collect()

        assert finishes(collect)
        assert ledger() == [(1, 0, 0, "abandoned")]

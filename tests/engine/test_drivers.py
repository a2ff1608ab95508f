"""What a driver owes the engine when it is interrupted anywhere, left, or used from many threads."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, cast

import pytest

from llm_client.engine.drivers import AsyncDriver, Held, SyncDriver
from llm_client.engine.effects import Steps, call, emit, open_, sleep
from llm_client.engine.pipeline import CallContext, Hooks, run_call
from llm_client.engine.transport.exchange import AsyncTransport, SyncTransport
from llm_client.exceptions import LLMError
from llm_client.types.http import HttpRequest
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, StreamChunk

from .scenarios import Answer, Expected, Refused, Scenario, sse
from .scripted import Stage, async_driver, sync_driver, target

STREAMED = Scenario("", (sse("Hel", "lo"),), Expected(()))


@pytest.mark.parametrize("what", ["driver", "engine"])
def test_ctrl_c_before_any_line_leaves_nothing_open(what: str) -> None:
    """See `interrupts.py`; in a process of its own because coverage traces this one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.interrupts", what],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    assert int(done.stdout) > 100


def test_second_ctrl_c_while_unwinding_still_closes() -> None:
    stage = Stage(STREAMED)

    def steps() -> Steps[None]:
        yield from open_(HttpRequest("GET", "http://p0.test"))
        try:
            yield from call(_interrupt)
        finally:
            yield from call(_interrupt)

    with pytest.raises(KeyboardInterrupt):
        sync_driver(stage).run(steps())
    assert stage.played.opened == stage.played.closed == 1


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_engine_that_forgets_to_close_leaves_nothing_open() -> None:
    def steps() -> Steps[str]:
        yield from open_(HttpRequest("GET", "http://p0.test"))
        return "done"

    stage, other = Stage(STREAMED), Stage(STREAMED)

    assert sync_driver(stage).run(steps()) == "done"
    assert asyncio.run(_run(other, steps())) == "done"
    assert stage.played.closed == other.played.closed == 1


async def _run(stage: Stage, steps: Steps[str]) -> str:
    return await async_driver(stage).run(steps)


def test_stream_that_is_dropped_is_settled_and_closed() -> None:
    stage = Stage(STREAMED)
    chunks: Any = sync_driver(stage).iterate(stage.steps())
    next(chunks)
    del chunks
    gc.collect()

    assert [record.outcome for record in stage.played.records] == ["abandoned"]
    assert stage.played.closed == 1


def test_async_stream_that_is_dropped_is_settled_and_closed() -> None:
    stage = Stage(STREAMED)

    async def main() -> None:
        chunks: Any = async_driver(stage).iterate(stage.steps(), Held())
        await anext(chunks)
        del chunks
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert [record.outcome for record in stage.played.records] == ["abandoned"]
    assert stage.played.closed == 1


def test_async_stream_left_at_the_end_of_the_loop_is_settled_and_closed() -> None:
    stage = Stage(STREAMED)
    kept: list[AsyncGenerator[StreamChunk, None]] = []

    async def main() -> None:
        chunks = async_driver(stage).iterate(stage.steps(), Held())
        await anext(chunks)
        kept.append(chunks)

    asyncio.run(main())
    assert [record.outcome for record in stage.played.records] == ["abandoned"]
    assert stage.played.closed == 1


def test_async_stream_whose_loop_is_gone_is_dropped_in_silence() -> None:
    stage = Stage(STREAMED)
    loop = asyncio.new_event_loop()

    async def first(chunks: AsyncGenerator[StreamChunk, None]) -> StreamChunk:
        return await anext(chunks)

    async def make() -> AsyncGenerator[StreamChunk, None]:
        hooks = Hooks(settle=lambda record, target, pause: None)
        return async_driver(stage).iterate(stage.steps(hooks), Held())

    chunks: Any = loop.run_until_complete(make())
    loop.run_until_complete(first(chunks))
    loop.close()
    del chunks
    gc.collect()  # "generator ignored GeneratorExit" would fail this test as a warning

    assert stage.played.response is None


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_error_that_nobody_keeps_is_freed_at_once(kind: str) -> None:
    """Its traceback knows the frames that it passed, so these must not keep it."""
    stage = Stage(Scenario("", (Refused(),), Expected(())))
    steps = run_call(LLMRequest((Message("user", "hi"),)), CallContext("call", [target()]))

    def fail() -> weakref.ref[LLMError]:
        try:
            sync_driver(stage).run(steps)
        except LLMError as error:
            return weakref.ref(error)
        raise AssertionError("it did not fail")

    async def fail_async() -> weakref.ref[LLMError]:
        try:
            await async_driver(stage).run(steps)
        except LLMError as error:
            return weakref.ref(error)
        raise AssertionError("it did not fail")

    gc.collect()
    gc.disable()
    try:
        error = fail() if kind == "sync" else asyncio.run(fail_async())
        assert error() is None
    finally:
        gc.enable()


def test_stream_that_was_never_read_sends_nothing() -> None:
    stage = Stage(STREAMED)
    sync_driver(stage).iterate(stage.steps()).close()

    assert stage.played.requests == []


def test_exception_thrown_into_a_stream_ends_the_call() -> None:
    stage = Stage(STREAMED)
    chunks = sync_driver(stage).iterate(stage.steps())
    next(chunks)

    with pytest.raises(ZeroDivisionError):
        chunks.throw(ZeroDivisionError())
    assert [record.outcome for record in stage.played.records] == ["error"]
    assert stage.played.closed == 1


def test_timeout_around_an_async_call_cancels_it() -> None:
    async def steps_forever(driver: AsyncDriver) -> None:
        def steps() -> Steps[None]:
            yield from sleep(60)

        async with asyncio.timeout(0.01):
            await driver.run(steps())

    with pytest.raises(TimeoutError):
        asyncio.run(steps_forever(AsyncDriver()))


def test_sync_driver_sleeps_by_the_real_clock_unless_told_otherwise() -> None:
    def steps() -> Steps[str]:
        yield from sleep(0.001)
        yield from emit([])
        return "done"

    assert SyncDriver().run(steps()) == "done"


def test_blocking_calls_run_inline_when_sync_and_in_a_thread_when_async() -> None:
    def steps() -> Steps[threading.Thread]:
        return (yield from call(threading.current_thread))

    main = threading.current_thread()

    assert SyncDriver().run(steps()) is main
    assert asyncio.run(AsyncDriver().run(steps())) is not main


def test_run_passes_over_what_is_emitted() -> None:
    def steps() -> Steps[str]:
        yield from emit([StreamChunk("a"), StreamChunk("b")])
        return "done"

    assert SyncDriver().run(steps()) == "done"
    assert asyncio.run(AsyncDriver().run(steps())) == "done"


@pytest.mark.parametrize("error", [LLMError("no"), StopIteration(1), KeyboardInterrupt()])
def test_what_a_call_raises_arrives_in_the_engine(error: BaseException) -> None:
    seen: list[BaseException] = []

    def fail() -> None:
        raise error

    def steps() -> Steps[str]:
        try:
            yield from call(fail)
        except (LLMError, RuntimeError, KeyboardInterrupt) as arrived:
            seen.append(arrived)
        return "handled"

    assert SyncDriver().run(steps()) == "handled"
    assert type(seen[0]) is (RuntimeError if isinstance(error, StopIteration) else type(error))


class _Transport:
    """Counts how often it is made and closed; holds up whoever opens."""

    def __init__(self, log: list[str]) -> None:
        self._log = log
        log.append("made")

    def open(self, request: HttpRequest) -> Any:
        self._log.append(f"opened {id(self)}")
        raise LLMError("enough")

    def close(self) -> None:
        self._log.append("closed")


def test_threads_share_one_transport_for_each_kind_of_trust() -> None:
    log: list[str] = []
    barrier = threading.Barrier(8)

    def make(verify: bool | str) -> SyncTransport:
        barrier.wait(10)  # all threads find that there is none yet
        return cast(SyncTransport, _Transport(log))

    driver = SyncDriver(make)

    def steps() -> Steps[None]:
        yield from open_(HttpRequest("GET", "http://p0.test"))

    def work() -> None:
        with pytest.raises(LLMError):
            driver.run(steps())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    driver.close()

    assert len({entry for entry in log if entry.startswith("opened")}) == 1
    assert log.count("closed") == 1


def test_async_driver_closes_what_it_opened() -> None:
    log: list[str] = []

    class Transport(_Transport):
        async def open(self, request: HttpRequest) -> Any:
            raise LLMError("enough")

        async def close(self) -> None:  # type: ignore[override]
            self._log.append("closed")

    async def main() -> None:
        def steps() -> Steps[None]:
            yield from open_(HttpRequest("GET", "http://p0.test"))

        driver = AsyncDriver(lambda verify: cast(AsyncTransport, Transport(log)))
        for _ in range(2):
            with pytest.raises(LLMError):
                await driver.run(steps())
        await driver.close()

    asyncio.run(main())
    assert log == ["made", "closed"]


def test_memory_of_a_long_stream_does_not_grow_with_the_number_of_chunks() -> None:
    """Only the text is kept: 20,000 chunks of one letter cost little more than 20,000 letters."""
    letters = 20_000
    piece = sse("x").pieces[1]
    one, *_, finish, usage, done = sse("x").pieces
    stage = Stage(
        Scenario("", (Answer((one, *[piece] * letters, finish, usage, done)),), Expected(()))
    )
    # The fake's trace would keep every effect: run the engine itself.
    steps = run_call(
        LLMRequest((Message("user", "hi"),), stream=True), CallContext("call", [target()])
    )
    chunks: Generator[StreamChunk, None, LLMResponse] = sync_driver(stage).iterate(steps)
    tracemalloc.start()
    try:
        seen = sum(len(chunk.delta) for chunk in chunks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert seen == letters
    assert peak < letters * 20


@pytest.mark.parametrize("run", ["sync", "async"])
def test_unknown_effect_is_a_bug_that_shows(run: str) -> None:
    def steps() -> Generator[Any, Any, None]:
        yield "what is this"

    runners: dict[str, Callable[[], None]] = {
        "sync": lambda: SyncDriver().run(steps()),
        "async": lambda: asyncio.run(AsyncDriver().run(steps())),
    }
    with pytest.raises(AssertionError, match="what is this"):
        runners[run]()


def test_cancellation_waits_for_a_store_that_is_being_written() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        go_on.wait(10)
        done.set()

    def steps() -> Steps[None]:
        yield from call(write)

    async def main() -> None:
        task = asyncio.create_task(AsyncDriver().run(steps()))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()  # a second time, while it waits
        await asyncio.sleep(0.01)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done.is_set()

    asyncio.run(main())


def test_store_that_fails_while_cancelled_leaves_the_cancellation() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        go_on.wait(10)
        raise OSError("disk full")

    def steps() -> Steps[None]:
        yield from call(fail)

    async def main() -> None:
        task = asyncio.create_task(AsyncDriver().run(steps()))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

"""Plays a scenario through either driver, without a network and on a fake clock.

Owns the fakes (transports, clock, pauses) and the trace: a generator around the engine that notes
every effect and everything that is thrown in. An interrupt is a real one: Ctrl-C is raised where
the sync driver waits, and the async driver's task is really cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, cast

from llm_client.engine.drivers import AsyncDriver, Held, SyncDriver
from llm_client.engine.effects import Call, Emit, Open, Read, Sleep, Steps
from llm_client.engine.pipeline import CallContext, Hooks, run_call
from llm_client.engine.transport.exchange import AsyncTransport, SyncTransport
from llm_client.exceptions import ConnectionError, LLMError, TimeoutError
from llm_client.types.events import AttemptRecord, Event
from llm_client.types.http import Head, HttpRequest
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, StreamChunk
from llm_client.types.target import ProviderSpec, Target

from .scenarios import Answer, Cut, Interrupt, Refused, Scenario, Wait

__all__ = ["Played", "Stage", "play_async", "play_sync", "target"]


def target(position: int = 0, model: str = "m") -> Target:
    provider = ProviderSpec(f"p{position}", f"http://p{position}.test/v1", "openai-chat")
    return Target(provider, model, provider.base_url)


@dataclass
class Clock:
    """Stands still unless somebody waits."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Played:
    """Everything there is to see of one call."""

    response: LLMResponse | None = None
    error: BaseException | None = None
    chunks: list[StreamChunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    closings: int = 0
    """With those of what was closed already, which an exchange allows and the engine avoids."""
    requests: list[HttpRequest] = field(default_factory=list)

    @property
    def records(self) -> list[AttemptRecord]:
        return [event for event in self.events if isinstance(event, AttemptRecord)]

    @property
    def deltas(self) -> tuple[str, ...]:
        return tuple(chunk.delta for chunk in self.chunks if chunk.delta)


class _Exchange:
    """An answer that is read piece by piece; also what both fake transports share."""

    def __init__(self, answer: Answer, stage: Stage) -> None:
        self.head = Head(answer.status, dict(answer.headers))
        self._pieces = iter(answer.pieces)
        self._stage = stage
        self._is_open = True
        stage.played.opened += 1

    def read(self, timeout: float | None) -> bytes | Interrupt:
        assert self._is_open, "read after close"
        for piece in self._pieces:
            match piece:
                case bytes():
                    return piece
                case Cut():
                    raise ConnectionError("it broke off")
                case Interrupt():
                    return piece
                case Wait(seconds):
                    clock = self._stage.clock
                    if timeout is not None and timeout < seconds:
                        clock.now += timeout
                        raise TimeoutError("it went silent")
                    clock.now += seconds
        return b""

    def close(self) -> None:
        self._stage.played.closings += 1
        self._stage.played.closed += self._is_open
        self._is_open = False


class Stage:
    """The script and its props."""

    def __init__(self, scenario: Scenario, now: float = 100.0) -> None:
        self.scenario = scenario
        self.clock = Clock(now)
        self.played = Played()
        self._openings = iter(scenario.openings)
        self._sleeps = 0

    def open(self, request: HttpRequest) -> _Exchange | Interrupt:
        self.played.requests.append(request)
        match next(self._openings):
            case Answer() as answer:
                return _Exchange(answer, self)
            case Refused():
                raise ConnectionError("refused", refused=True, retryable=False)
            case Interrupt() as interrupt:
                return interrupt

    def sleep(self, seconds: float) -> bool:
        """Let the time pass; return whether the pause is interrupted."""
        self._sleeps += 1
        if self.scenario.interrupt_sleep and self._sleeps == 1:
            return True
        self.clock.now += seconds
        return False

    def steps(self, hooks: Hooks | None = None, **fields: Any) -> Steps[LLMResponse]:
        """Return the engine's steps; `fields` are those of the context that differ."""
        scenario = self.scenario
        request = LLMRequest((Message("user", "hi"),), stream=scenario.stream)
        context = CallContext(
            call_id="call",
            route=[target(position) for position in range(scenario.targets)],
            retry=scenario.retry,
            deadline=scenario.deadline,
            observe=self.played.events.append,
            hooks=hooks or Hooks(),
            clock=self.clock,
            wall_clock=lambda: 1000.0,
            chance=lambda: 0.5,
        )
        return traced(run_call(request, replace(context, **fields)), self.played.trace)


def traced(steps: Steps[LLMResponse], trace: list[str]) -> Steps[LLMResponse]:
    """Pass effects on, and what comes back, noting all of it."""
    value: Any = None
    failure: BaseException | None = None
    while True:
        try:
            effect = steps.send(value) if failure is None else steps.throw(failure)
        except StopIteration as end:
            trace.append("returned")
            response: LLMResponse = end.value
            return response
        except BaseException as error:
            trace.append(f"raised {name(error)}")
            raise
        trace.append(_shown(effect))
        value = failure = None
        try:
            value = yield effect
        except BaseException as error:
            trace.append(f"thrown {name(error)}")
            failure = error


def name(error: BaseException) -> str:
    """Return the type of an error; Ctrl-C and cancellation are the same thing here."""
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return "interrupt"
    return type(error).__name__


def _shown(effect: object) -> str:
    match effect:
        case Open(request, verify):
            return f"Open({request.method} {request.url} {request.timeouts} {verify})"
        case Read(timeout):
            return f"Read({timeout})"
        case Sleep(seconds):
            return f"Sleep({seconds})"
        case Emit(chunks):
            return f"Emit({chunks})"
        case Call():
            return "Call"
        case _:
            return "Close"


class _SyncFake:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def open(self, request: HttpRequest) -> _SyncFakeExchange:
        answer = self._stage.open(request)
        if isinstance(answer, Interrupt):
            raise KeyboardInterrupt
        return _SyncFakeExchange(answer)


class _SyncFakeExchange:
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self.head = exchange.head

    def read(self, timeout: float | None = None) -> bytes:
        data = self._exchange.read(timeout)
        if isinstance(data, Interrupt):
            raise KeyboardInterrupt
        return data

    def close(self) -> None:
        self._exchange.close()


class _AsyncFake:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def open(self, request: HttpRequest) -> _AsyncFakeExchange:
        await asyncio.sleep(0)
        answer = self._stage.open(request)
        if isinstance(answer, Interrupt):
            await cancelled()
        return _AsyncFakeExchange(answer)


class _AsyncFakeExchange:
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self.head = exchange.head

    async def read(self, timeout: float | None = None) -> bytes:
        await asyncio.sleep(0)
        data = self._exchange.read(timeout)
        if isinstance(data, Interrupt):
            await cancelled()
        return data

    async def close(self) -> None:
        await asyncio.sleep(0)
        self._exchange.close()


async def cancelled() -> NoReturn:
    """Have the running task cancelled, as by somebody else."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    raise AssertionError("the cancellation did not arrive")


def sync_driver(stage: Stage) -> SyncDriver:
    def sleep(seconds: float) -> None:
        if stage.sleep(seconds):
            raise KeyboardInterrupt

    return SyncDriver(lambda verify: cast(SyncTransport, _SyncFake(stage)), sleep)


def async_driver(stage: Stage) -> AsyncDriver:
    async def sleep(seconds: float) -> None:
        if stage.sleep(seconds):
            await cancelled()

    return AsyncDriver(lambda verify: cast(AsyncTransport, _AsyncFake(stage)), sleep)


def play_sync(
    scenario: Scenario, hooks: Hooks | None = None, *, now: float = 100.0, **fields: Any
) -> Played:
    """Run a scenario through the sync driver, beginning at a time of the engine's clock."""
    stage = Stage(scenario, now)
    driver, steps, played = sync_driver(stage), stage.steps(hooks, **fields), stage.played
    try:
        if scenario.stream:
            _listen(driver.iterate(steps), scenario, played)
        else:
            played.response = driver.run(steps)
    except (LLMError, KeyboardInterrupt) as error:
        played.error = error
    return played


def _listen(chunks: Any, scenario: Scenario, played: Played) -> None:
    iterator: Iterator[StreamChunk] = chunks
    while True:
        try:
            played.chunks.append(next(iterator))
        except StopIteration as end:
            played.response = end.value
            return
        if len(played.deltas) == scenario.break_after:
            chunks.close()
            return


def play_async(
    scenario: Scenario, hooks: Hooks | None = None, *, now: float = 100.0, **fields: Any
) -> Played:
    """Run a scenario through the async driver."""
    stage = Stage(scenario, now)
    played = stage.played

    async def main() -> None:
        driver, steps = async_driver(stage), stage.steps(hooks, **fields)
        if not scenario.stream:
            played.response = await driver.run(steps)
            return
        held: Held[LLMResponse] = Held()
        chunks = driver.iterate(steps, held)
        async for chunk in chunks:
            played.chunks.append(chunk)
            if len(played.deltas) == scenario.break_after:
                await chunks.aclose()
                return
        played.response = held.value

    try:
        asyncio.run(main())
    except (LLMError, asyncio.CancelledError) as error:
        played.error = error
    return played

"""Stopped at any moment (Ctrl-C, SIGTERM, cancellation, a reader who leaves): one row an attempt."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig
from llm_client.types.budget import Budget

from ..cli.program import ending, event
from ..support.fault_server import FaultServer, Received, Wire, fault_server, status
from .ledger_rows import Row, integrity, ledger_exists, rows_by_session, total
from .processes import CHUNKS, Victim, arena, moment

SEED: Final = 20261120
_PROCESSES: Final = 16
_CALLS: Final = 120
_THREADS: Final = 8
_AT_ONCE: Final = 24


# Processes that are sent a signal.


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")],
    ids=["ctrl-c", "sigterm"],
)
def test_signal_at_any_moment_leaves_one_row_for_the_attempt(
    number: int, error: str, tmp_path: Path
) -> None:
    random = Random(f"{SEED}/{number}")
    budget = ["[budget]", "daily_usd = 1000"]
    # A library has no say in what SIGTERM does.
    both = number == signal.SIGINT
    victims: list[Victim] = []
    with arena(tmp_path, number, *budget) as place:
        for start in range(0, _PROCESSES, _PROCESSES // 2):
            some = [
                place.start(f"stopped-{which}", moment(random), library=both and which % 2 == 1)
                for which in range(start, start + _PROCESSES // 2)
            ]
            for victim in some:
                victim.finish()
            victims += some
    rows = rows_by_session()
    for victim in victims:
        _check_victim(victim, rows.get(victim.session, []), error)
    assert any(row.outcome == "interrupted" for found in rows.values() for row in found)
    _check_the_rest()


def _check_victim(victim: Victim, rows: list[Row], error: str) -> None:
    shown = (victim.moment, victim.arrived, victim.process.returncode, rows)
    if victim.arrived and victim.moment is not None and victim.moment.name != "starting":
        assert len(rows) == 1, shown
    assert len(rows) <= 1, shown
    for row in rows:
        assert row.outcome in {"ok", "interrupted"}, shown
        if victim.process.returncode == 0:
            assert row.outcome == "ok", shown
        if row.outcome == "interrupted":
            assert row.error_type == error, shown
            _check_partial(row, row.first_token_ms is not None)


def _check_partial(row: Row, has_output: bool) -> None:
    """Check the tokens of an attempt that was stopped: an estimate of what it was billed."""
    if has_output:
        assert row.estimated == 1, row
        assert row.completion_tokens, row
    if row.estimated:
        assert row.prompt_tokens, row
        assert row.cost, row
    else:
        assert (row.prompt_tokens, row.cost) == (None, None), row


def _check_the_rest() -> None:
    assert integrity() == "ok"
    assert total("SELECT count(*) FROM reservations") == 0
    spent = total("SELECT coalesce(sum(cost), 0) FROM spending")
    assert spent == total("SELECT coalesce(sum(cost), 0) FROM attempts")


# Calls that are stopped within a process.


@dataclass
class _Stopped:
    """One call that was stopped, and what its caller had seen."""

    session: str
    deltas: list[str] = field(default_factory=list)
    complete: bool = False


class _Source:
    """A server that fails the first request of some sessions, and streams slowly to all."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()

    def __call__(self, wire: Wire, request: Received) -> bool:
        session = request.path.split("/")[1]
        self.arrived[session] += 1
        if session.startswith("retried") and self.arrived[session] == 1:
            return status(503)(wire, request)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(CHUNKS):
            wire.pause(0.001)
            wire.send(event({"content": f"{number} "}))
        for piece in ending():
            assert isinstance(piece, bytes)
            wire.send(piece)
        return False


@contextmanager
def _source(folder: Path) -> Iterator[tuple[_Source, FaultServer, Path]]:
    config = folder / "config.toml"
    config.write_text(
        '[providers.alpha]\ndialect = "openai-chat"\n'
        '[pricing."alpha/*"]\ninput = 2.0\noutput = 10.0\n'
    )
    source = _Source()
    with fault_server(source) as server:
        yield source, server, config


def _config(server: FaultServer, session: str) -> LLMConfig:
    return LLMConfig(
        provider="alpha",
        base_url=f"{server.url}/{session}/v1",
        model="m",
        api_key="sk-test-interrupts-01234",
        retry_delay=0.002,
        max_retries=1,
        budget=Budget(daily_usd=1000.0),
    )


def _check_calls(calls: list[_Stopped], source: _Source, outcome: str) -> None:
    rows = rows_by_session()
    outcomes = Counter(row.outcome for found in rows.values() for row in found)
    for call in calls:
        found, arrived = rows.get(call.session, []), source.arrived[call.session]
        shown = (call, arrived, found)
        # One that was stopped while it connected never arrived.
        assert arrived <= len(found) <= arrived + 1, shown
        assert [row.attempt for row in found] == list(range(1, len(found) + 1)), shown
        if call.complete:
            assert found[-1].outcome == "ok", shown
        elif call.deltas:
            # Stopped behind the last piece, its answer may have been whole.
            whole = found[-1].outcome == "ok" and len(call.deltas) == CHUNKS
            assert found[-1].outcome == outcome or whole, shown
            _check_partial(found[-1], True)
        for row in found[:-1]:
            assert (row.outcome, row.error_type) == ("error", "LLMServiceError"), shown
    assert outcomes[outcome] > len(calls) / 10, outcomes
    assert outcomes["error"] > 0, outcomes
    _check_the_rest()


def test_cancellation_at_any_moment_leaves_one_row_an_attempt(tmp_path: Path) -> None:
    random = Random(f"{SEED}/cancel")

    async def stop(call: _Stopped, server: FaultServer, config: Path) -> None:
        where = _config(server, call.session)
        async with AsyncLLMClient(where, config_path=config) as client:

            async def read() -> None:
                async with client.stream("Tell me more.", session=call.session) as stream:
                    async for chunk in stream:
                        call.deltas += [chunk.delta] if chunk.delta else []
                call.complete = True

            task = asyncio.ensure_future(read())
            await asyncio.wait([task], timeout=random.uniform(0.0, 0.12))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def main(calls: list[_Stopped], server: FaultServer, config: Path) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(call: _Stopped) -> None:
            async with gate:
                await stop(call, server, config)

        await asyncio.gather(*map(one, calls))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    calls = _calls()
    with _source(tmp_path) as (source, server, config):
        asyncio.run(main(calls, server, config))
    _check_calls(calls, source, "interrupted")


def _calls() -> list[_Stopped]:
    return [
        _Stopped(f"{'retried' if number % 3 == 0 else 'direct'}-{number}")
        for number in range(_CALLS)
    ]


class _Whim(BaseException):
    """Something that no program expects, such as Ctrl-C."""


_BETWEEN = pytest.mark.parametrize(
    ("strike", "outcome"),
    [
        pytest.param(KeyboardInterrupt(), "interrupted", id="ctrl-c"),
        pytest.param(asyncio.CancelledError(), "interrupted", id="cancellation"),
        pytest.param(_Whim(), "interrupted", id="anything"),
        pytest.param(ValueError("a bug of the caller"), "abandoned", id="error"),
        pytest.param(GeneratorExit(), "abandoned", id="generator"),
    ],
)


@_BETWEEN
@pytest.mark.parametrize("chunks", [0, 1, CHUNKS])
def test_what_strikes_between_two_chunks_is_what_the_row_says(
    strike: BaseException, outcome: str, chunks: int, tmp_path: Path
) -> None:
    def read(client: LLMClient) -> None:
        with client.stream("Tell me more.", session="direct") as stream:
            for _ in range(chunks):
                next(stream)
            raise strike

    with (
        _source(tmp_path) as (_, server, config),
        LLMClient(_config(server, "direct"), config_path=config) as client,
    ):
        with pytest.raises(type(strike)) as caught:
            read(client)
        assert caught.value is strike
    _check_struck(strike, outcome, chunks)


@_BETWEEN
@pytest.mark.parametrize("chunks", [0, 1, CHUNKS])
def test_what_strikes_between_two_chunks_on_asyncio_is_what_the_row_says(
    strike: BaseException, outcome: str, chunks: int, tmp_path: Path
) -> None:
    async def read(client: AsyncLLMClient) -> None:
        async with client.stream("Tell me more.", session="direct") as stream:
            for _ in range(chunks):
                await anext(stream)
            raise strike

    async def main(server: FaultServer, config: Path) -> None:
        async with AsyncLLMClient(_config(server, "direct"), config_path=config) as client:
            with pytest.raises(type(strike)) as caught:
                await read(client)
            assert caught.value is strike

    with _source(tmp_path) as (_, server, config):
        asyncio.run(main(server, config))
    _check_struck(strike, outcome, chunks)


def _check_struck(strike: BaseException, outcome: str, chunks: int) -> None:
    if not chunks:
        assert not ledger_exists()  # nothing was sent
        return
    (row,) = rows_by_session()["direct"]
    error = "Abandoned" if outcome == "abandoned" else type(strike).__name__
    assert (row.outcome, row.error_type) == (outcome, error)
    _check_partial(row, True)


def test_reader_who_leaves_at_any_chunk_leaves_one_row_an_attempt(tmp_path: Path) -> None:
    random = Random(f"{SEED}/leave")
    calls = _calls()
    most = {call.session: random.randrange(0, CHUNKS + 6) for call in calls}

    def read(call: _Stopped, server: FaultServer, config: Path) -> None:
        with LLMClient(_config(server, call.session), config_path=config) as client:
            stream = client.stream("Tell me more.", session=call.session)
            for _, chunk in zip(range(most[call.session]), stream, strict=False):
                call.deltas += [chunk.delta] if chunk.delta else []
            call.complete = hasattr(stream._held, "value")
            if random.random() < 0.5:
                stream.close()
            del stream  # as good as closed

    with _source(tmp_path) as (source, server, config), ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(lambda call: read(call, server, config), calls))
    _check_calls(calls, source, "abandoned")
    for call in calls:
        assert call.complete or source.arrived[call.session] or not most[call.session]


def test_reader_who_leaves_on_asyncio_leaves_one_row_an_attempt(tmp_path: Path) -> None:
    random = Random(f"{SEED}/leave on asyncio")
    calls = _calls()

    async def read(call: _Stopped, server: FaultServer, config: Path) -> None:
        left = random.randrange(0, CHUNKS + 6)
        async with (
            AsyncLLMClient(_config(server, call.session), config_path=config) as client,
            client.stream("Tell me more.", session=call.session) as stream,
        ):
            while left:
                left -= 1
                try:
                    chunk = await anext(stream)
                except StopAsyncIteration:
                    call.complete = True
                    break
                call.deltas += [chunk.delta] if chunk.delta else []

    async def main(server: FaultServer, config: Path) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(call: _Stopped) -> None:
            async with gate:
                await read(call, server, config)

        await asyncio.gather(*map(one, calls))

    with _source(tmp_path) as (source, server, config):
        asyncio.run(main(server, config))
    _check_calls(calls, source, "abandoned")

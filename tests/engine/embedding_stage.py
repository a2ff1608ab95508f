"""A server of embeddings without a network, and the ways to run a call against it.

It is a function from the texts of a request to its answer, with faults in between.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from llm_client.engine.drivers import AsyncDriver, SyncDriver
from llm_client.engine.pipeline import CallContext
from llm_client.engine.transport.exchange import AsyncTransport, SyncTransport
from llm_client.exceptions import LLMError, TimeoutError
from llm_client.types.embedding import EmbeddingRequest, EmbeddingResponse
from llm_client.types.events import AttemptRecord, Event
from llm_client.types.http import Head, HttpRequest
from llm_client.types.target import ProviderSpec, Quirks, Target

SMALL = Quirks(embed_batch=2)
Fault: TypeAlias = "tuple[int, dict[str, str], object] | LLMError | BaseException | float"
"""An answer with status, headers and JSON; an error; or seconds to be late by."""


def number(text: str) -> float:
    return float(text.removeprefix("text "))


def vectors(texts: list[str]) -> dict[str, Any]:
    return {
        "model": "served",
        "data": [{"index": i, "embedding": [number(t), 1.0]} for i, t in enumerate(texts)],
        "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
    }


@dataclass
class Server:
    """Answers in order what `faults` say, then properly."""

    faults: list[Fault | None] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[list[str]], object] = vectors
    now: float = 100.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    open_exchanges: int = 0

    def open(self, request: HttpRequest) -> _Exchange:
        if request.method == "GET":
            return _Exchange(self, 200, {}, {"models": self.models})
        body = json.loads(request.body or b"")
        self.asked.append(body)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException):
            # A new one: that of the table outlives the test, and its traceback with it.
            raise type(fault)(*fault.args)
        if isinstance(fault, tuple):
            return _Exchange(self, *fault)
        return _Exchange(self, 200, {}, self.answer(body["input"]), late=fault or 0.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class _Exchange:
    def __init__(
        self,
        server: Server,
        status: int,
        headers: dict[str, str],
        content: object,
        late: float = 0.0,
    ) -> None:
        self.head = Head(status, {"content-type": "application/json", **headers})
        data = json.dumps(content).encode()
        self._pieces: Iterator[bytes] = iter([data[:9], data[9:]])
        self._server, self._late = server, late
        server.open_exchanges += 1

    def read(self, timeout: float | None = None) -> bytes:
        if self._late and timeout is not None and timeout <= self._late:
            self._server.now += timeout
            raise TimeoutError("it went silent")
        self._server.now += self._late
        self._late = 0.0
        return next(self._pieces, b"")

    def close(self) -> None:
        self._server.open_exchanges -= 1


class _AsyncTransport:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def open(self, request: HttpRequest) -> _AsyncExchange:
        await asyncio.sleep(0)
        return _AsyncExchange(self._server.open(request))


class _AsyncExchange:
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange, self.head = exchange, exchange.head

    async def read(self, timeout: float | None = None) -> bytes:
        await asyncio.sleep(0)
        return self._exchange.read(timeout)

    async def close(self) -> None:
        self._exchange.close()


def run_sync(server: Server, steps: Any) -> EmbeddingResponse:
    driver = SyncDriver(lambda verify: cast(SyncTransport, server), server.sleep)
    response: EmbeddingResponse = driver.run(steps)
    return response


def run_async(server: Server, steps: Any) -> EmbeddingResponse:
    async def sleep(seconds: float) -> None:
        server.sleep(seconds)

    async def main() -> EmbeddingResponse:
        transport = cast(AsyncTransport, _AsyncTransport(server))
        response: EmbeddingResponse = await AsyncDriver(lambda verify: transport, sleep).run(steps)
        return response

    return asyncio.run(main())


Run: TypeAlias = Callable[..., EmbeddingResponse]


def target(quirks: Quirks = SMALL, dialect: str = "openai-chat", model: str = "m") -> Target:
    provider = ProviderSpec("p", "http://p.test/v1", dialect, quirks=quirks)
    return Target(provider, model, provider.base_url)


def context(server: Server, events: list[Event], **fields: Any) -> CallContext:
    fields = {"route": [target()], **fields}
    return CallContext(
        call_id="call",
        observe=events.append,
        clock=lambda: server.now,
        wall_clock=lambda: 1000.0,
        chance=lambda: 0.0,
        **fields,
    )


def request(count: int, **fields: Any) -> EmbeddingRequest:
    return EmbeddingRequest(tuple(f"text {i}" for i in range(count)), **fields)


def records(events: list[Event]) -> list[AttemptRecord]:
    return [event for event in events if isinstance(event, AttemptRecord)]

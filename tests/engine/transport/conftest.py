"""Both transports behind one face, so that a test is written once and runs for each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from llm_client.engine.transport.exchange import (
    AsyncExchange,
    AsyncTransport,
    SyncExchange,
    SyncTransport,
)
from llm_client.types.http import Head, HttpRequest

CERTIFICATES = Path(__file__).parent / "certificates"


class Exchange(Protocol):
    """An exchange, driven from a plain test function."""

    @property
    def head(self) -> Head: ...

    def read(self, timeout: float | None = None) -> bytes: ...

    def close(self) -> None: ...


class Side(Protocol):
    """A transport, driven from a plain test function."""

    name: str

    def open(self, request: HttpRequest) -> Exchange: ...

    def close(self) -> None: ...


@dataclass
class Answer:
    head: Head
    body: bytes


def fetch(side: Side, request: HttpRequest) -> Answer:
    """Send and read to the end."""
    exchange = side.open(request)
    try:
        body = b""
        while piece := exchange.read():
            body += piece
        return Answer(exchange.head, body)
    finally:
        exchange.close()


class SyncSide:
    name = "sync"

    def __init__(self, **options: Any) -> None:
        self.transport = SyncTransport(**options)

    def open(self, request: HttpRequest) -> SyncExchange:
        return self.transport.open(request)

    def close(self) -> None:
        self.transport.close()


class AsyncSide:
    name = "async"

    def __init__(self, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.transport = AsyncTransport(**options)

    def open(self, request: HttpRequest) -> DrivenExchange:
        return DrivenExchange(self.runner, self.runner.run(self.transport.open(request)))

    def close(self) -> None:
        self.runner.run(self.transport.close())


@dataclass
class DrivenExchange:
    runner: asyncio.Runner
    exchange: AsyncExchange
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        self.head = self.exchange.head

    def read(self, timeout: float | None = None) -> bytes:
        return self.runner.run(self.exchange.read(timeout))

    def close(self) -> None:
        self.runner.run(self.exchange.close())


MakeSide = Callable[..., Side]


@contextmanager
def sides(kind: str) -> Iterator[MakeSide]:
    """Make transports of one kind; all are closed at the end."""
    made: list[SyncSide | AsyncSide] = []

    def make(**options: Any) -> Side:
        side = SyncSide(**options) if kind == "sync" else AsyncSide(**options)
        made.append(side)
        return side

    yield make
    for side in made:
        side.close()
        if isinstance(side, AsyncSide):
            side.runner.close()


@pytest.fixture(params=["sync", "async"])
def make_side(request: pytest.FixtureRequest) -> Iterator[MakeSide]:
    with sides(request.param) as make:
        yield make


@pytest.fixture
def side(make_side: MakeSide) -> Side:
    return make_side()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    return context

"""How long an answer of an embedded model may take: the engine's transports over `gguf://`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.engine.transport import sessions
from llm_client.engine.transport.exchange import AsyncTransport, SyncTransport
from llm_client.runtimes import gguf
from llm_client.runtimes.gguf_models import load_model
from llm_client.types.http import HttpRequest, Timeouts
from tests.runtimes.conftest import (
    CHAT,
    PATIENT_TOKENS,
    chat_body,
    loaded_model,
    wait_until_busy,
)

BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
FIRST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


def reads(kind: str, request: HttpRequest, limits: list[float | None]) -> list[bytes]:
    """Open, and read once for each limit."""
    if kind == "sync":
        transport = SyncTransport()
        exchange = transport.open(request)
        try:
            return [exchange.read(limit) for limit in limits]
        finally:
            exchange.close()
            transport.close()

    async def scenario() -> list[bytes]:
        transport = AsyncTransport()
        exchange = await transport.open(request)
        try:
            return [await exchange.read(limit) for limit in limits]
        finally:
            await exchange.close()
            await transport.close()

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def _models_of_the_tests(
    demo_directory: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Let `gguf://` use the demo model of the tests, and the patient one's whole context."""
    context = PATIENT_TOKENS if "patient_model" in request.fixturenames else 8192

    def runtime(scheme: str, *, asynchronous: bool) -> Any:
        made = gguf.AsyncGGUFTransport if asynchronous else gguf.GGUFTransport
        return made(n_ctx=context, demo_directory=demo_directory)

    monkeypatch.setattr(sessions, "runtime", runtime)
    monkeypatch.setattr("llm_client.engine.transport.async_sessions.runtime", runtime)


def chat(text: str, timeouts: Timeouts | None = None, **fields: Any) -> HttpRequest:
    body = json.dumps(chat_body(text, **fields)).encode()
    return HttpRequest("POST", CHAT, (), body, timeouts=timeouts or Timeouts())


@BOTH
def test_stream_within_its_limits_is_read(kind: str) -> None:
    first, second = reads(kind, chat("/long", stream=True), [30, None])
    assert first.startswith(b"data: ")
    assert second


@pytest.fixture
def silent_model(demo_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a server in the model's place that begins a stream and falls silent."""
    address = f"\0llm_client-test-{os.urandom(8).hex()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(1)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(FIRST)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        load_model("demo", n_ctx=8192, demo_directory=demo_directory)
        monkeypatch.setattr(loaded_model(), "_connect_to", address)
        yield
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="needs abstract Unix sockets")
@pytest.mark.usefixtures("silent_model")
@pytest.mark.parametrize(
    ("timeouts", "limit", "message"),
    [
        pytest.param(Timeouts(), 0.05, r"went silent for 0\.05 s", id="limit-of-the-read"),
        pytest.param(Timeouts(), 0.0, "went silent for 0 s", id="limit-used-up"),
        pytest.param(Timeouts(silence=0.1), 30, r"went silent for 0\.1 s", id="silence"),
        pytest.param(Timeouts(total=0.3), None, r"within the 0\.3 s left", id="end-of-the-call"),
        pytest.param(Timeouts(total=0.3), 30, r"within the 0\.3 s left", id="end-before-limit"),
    ],
)
@BOTH
def test_wait_for_a_silent_model_ends_in_time(
    kind: str, timeouts: Timeouts, limit: float | None, message: str
) -> None:
    started = time.monotonic()
    with pytest.raises(exceptions.TimeoutError, match=message) as caught:
        reads(kind, chat("hi", timeouts, stream=True), [None, limit])
    assert caught.value.__context__ is None
    assert time.monotonic() - started < 10


@BOTH
def test_whole_answer_ends_with_the_call_and_frees_the_slot(kind: str, patient_model: str) -> None:
    load_model(patient_model, n_ctx=PATIENT_TOKENS, demo_directory=None)
    with pytest.raises(exceptions.TimeoutError, match=r"within the 0\.4 s left"):
        reads(kind, chat("/long", Timeouts(total=0.4), model=patient_model), [])
    wait_until_busy(loaded_model(patient_model, PATIENT_TOKENS), 0, seconds=20, interval=2)


def test_loading_is_not_waited_for_after_the_end_of_the_call(
    monkeypatch: pytest.MonkeyPatch, demo_directory: Path
) -> None:
    loading = threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:
        loading.wait(30)
        return load_model(*arguments, **options)

    async def scenario() -> None:
        transport = AsyncTransport()
        try:
            with pytest.raises(exceptions.TimeoutError, match=r"within the 0\.1 s left"):
                await transport.open(chat("hi", Timeouts(total=0.1)))
        finally:
            loading.set()
            await transport.close()

    monkeypatch.setattr(gguf, "find_loaded", lambda *_, **__: None)
    monkeypatch.setattr(gguf, "load_model", slow)
    asyncio.run(scenario())

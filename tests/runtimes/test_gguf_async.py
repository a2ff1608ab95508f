"""GGUF files through `AsyncGGUFTransport`, with the real llama.cpp."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.demo_model import DEFAULT, SCRIPTS
from llm_client.runtimes.gguf import AsyncGGUFTransport, GGUFTransport
from llm_client.runtimes.gguf_models import loaded_models, unload_models
from tests.runtimes.conftest import (
    CHAT,
    PATIENT_TOKENS,
    chat_body,
    loaded_model,
    wait_until_busy,
)


@pytest.fixture
def connect(demo_directory: Path) -> Callable[[], Any]:
    @asynccontextmanager
    async def client() -> AsyncIterator[httpx.AsyncClient]:
        transport = AsyncGGUFTransport(demo_directory=demo_directory)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            yield client

    return client


def test_whole_answer_has_text_and_usage(connect: Callable[[], Any]) -> None:
    async def scenario() -> dict[str, Any]:
        async with connect() as client:
            response = await client.post(CHAT, json=chat_body("hi"))
            answer = response.json()
            assert isinstance(answer, dict)
            return answer

    answer = asyncio.run(scenario())
    assert answer["choices"][0]["message"]["content"] == SCRIPTS[DEFAULT].text
    assert answer["usage"]["completion_tokens"] > 20


def test_stream_is_what_the_sync_transport_gives(
    connect: Callable[[], Any], demo_directory: Path
) -> None:
    body = chat_body("/markdown", stream=True)

    async def scenario() -> bytes:
        async with connect() as client, client.stream("POST", CHAT, json=body) as response:
            return bytes(await response.aread())

    with httpx.Client(transport=GGUFTransport(demo_directory=demo_directory)) as client:
        sync = client.post(CHAT, json=body).content
    assert texts(asyncio.run(scenario())) == texts(sync)
    assert "".join(texts(sync)) == SCRIPTS["markdown"].text


def texts(data: bytes) -> list[str]:
    *parts, done, _ = data.split(b"\n\n")
    assert done == b"data: [DONE]"
    chunks = [json.loads(part.removeprefix(b"data: ")) for part in parts]
    return [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]


def test_loop_runs_on_while_the_model_talks(connect: Callable[[], Any]) -> None:
    async def scenario() -> int:
        turns = 0
        async with connect() as client:
            answer = asyncio.ensure_future(client.post(CHAT, json=chat_body("/long")))
            while not answer.done():
                await asyncio.sleep(0.001)
                turns += 1
            assert answer.result().status_code == 200
        return turns

    assert asyncio.run(scenario()) > 20


def test_more_requests_than_slots_and_queue_are_all_answered(connect: Callable[[], Any]) -> None:
    async def scenario() -> list[httpx.Response]:
        async with connect() as client:
            return list(
                await asyncio.gather(
                    *(client.post(CHAT, json=chat_body("/json")) for _ in range(200))
                )
            )

    unload_models()
    responses = asyncio.run(scenario())
    assert {response.json()["choices"][0]["message"]["content"] for response in responses} == {
        '{"ok": true}'
    }
    assert len(loaded_models()) == 1


@pytest.mark.parametrize("how", ["aclose", "cancel", "exception"])
def test_abandoned_stream_frees_the_slot(connect: Callable[[], Any], how: str) -> None:
    async def read(reading: asyncio.Event) -> None:
        body = chat_body("/long", stream=True)
        async with connect() as client, client.stream("POST", CHAT, json=body) as response:
            async for _ in response.aiter_raw():
                reading.set()
                if how == "aclose":
                    break
                if how == "exception":
                    raise LookupError

    async def scenario() -> None:
        reading = asyncio.Event()
        task = asyncio.ensure_future(read(reading))
        await reading.wait()
        if how == "cancel":
            task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        expected = {"aclose": type(None), "exception": LookupError}
        assert type(outcome) is expected.get(how, asyncio.CancelledError)
        wait_until_busy(loaded_model(), 0)

    asyncio.run(scenario())


def test_cancelled_wait_for_a_whole_answer_frees_the_slot(patient_model: str) -> None:
    async def scenario() -> None:
        transport = AsyncGGUFTransport(n_ctx=PATIENT_TOKENS)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.post(CHAT, json=chat_body("/long", model=patient_model))

    asyncio.run(scenario())
    model = loaded_model(patient_model, PATIENT_TOKENS)
    wait_until_busy(model, 0, seconds=20, interval=2)


def test_timed_out_wait_is_told_as_httpx_does(patient_model: str) -> None:
    async def scenario() -> None:
        transport = AsyncGGUFTransport(n_ctx=PATIENT_TOKENS)
        async with httpx.AsyncClient(transport=transport, timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(CHAT, json=chat_body("/long", model=patient_model))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(chat_body("x", model="no such.gguf"), 404, "model_not_found", id="missing"),
        pytest.param({"messages": []}, 400, "missing_model", id="no-model"),
        pytest.param(chat_body("x" * 20000), 400, 400, id="too-long"),
    ],
)
def test_refusal_is_an_answer(
    connect: Callable[[], Any], body: dict[str, Any], status: int, code: str | int
) -> None:
    async def scenario() -> httpx.Response:
        async with connect() as client:
            response = await client.post(CHAT, json=body)
            assert isinstance(response, httpx.Response)
            return response

    response = asyncio.run(scenario())
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


@pytest.mark.skipif(sys.platform != "linux", reason="needs abstract Unix sockets")
def test_full_queue_of_connections_is_waited_for(
    connect: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"\0llm_client-test-{os.urandom(8).hex()}"

    async def scenario(listener: socket.socket) -> str:
        async with connect() as client:
            await client.post(CHAT, json=chat_body("/json"))
            monkeypatch.setattr(loaded_model(), "_connect_to", address)
            request = asyncio.ensure_future(client.post(CHAT, json=chat_body("/json")))
            await asyncio.sleep(0.05)
            assert not request.done()
            listener.accept()[0].close()
            server, _ = await asyncio.to_thread(listener.accept)
            with server:
                await asyncio.to_thread(server.recv, 65536)
                server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nokay")
                return str((await request).text)

    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as filler:
        listener.bind(address)
        listener.listen(0)
        filler.connect(address)
        assert asyncio.run(scenario(listener)) == "okay"


def test_model_survives_its_event_loop(connect: Callable[[], Any]) -> None:
    async def scenario() -> int:
        async with connect() as client:
            response = await client.post(CHAT, json=chat_body("/json"))
            return int(response.status_code)

    assert asyncio.run(scenario()) == 200
    model = loaded_model()
    assert asyncio.run(scenario()) == 200
    assert loaded_model() is model


def test_unloading_ends_a_running_stream(connect: Callable[[], Any]) -> None:
    async def scenario() -> None:
        body = chat_body("/long", stream=True)
        async with connect() as client, client.stream("POST", CHAT, json=body) as response:
            pieces = response.aiter_raw()
            await anext(pieces)
            unload_models()
            with pytest.raises(httpx.TransportError):
                async for _ in pieces:
                    pass

    asyncio.run(scenario())

"""MLX models through `AsyncMLXTransport`, with the real mlx-lm."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.exceptions import ConfigurationError
from llm_client.runtimes.mlx import AsyncMLXTransport, MLXTransport
from llm_client.runtimes.mlx_models import unload_model
from tests.runtimes.mlx.conftest import CHAT, chat_body


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=AsyncMLXTransport(), timeout=60)


def assert_free(model: str) -> None:
    """The next answer could not come before the endless one's end otherwise."""
    with httpx.Client(transport=MLXTransport(), timeout=10) as client:
        response = client.post(CHAT, json=chat_body("/json", model))
    assert response.json()["choices"][0]["message"]["content"] == '{"ok": true}'


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answer_is_that_of_the_sync_transport(tiny_model: str, stream: bool) -> None:
    body = chat_body("/think", tiny_model, stream=stream)

    async def ask() -> bytes:
        async with client() as asynchronous:
            return (await asynchronous.post(CHAT, json=body)).content

    with httpx.Client(transport=MLXTransport(), timeout=60) as sync:
        expected = sync.post(CHAT, json=body).content
    got = run(ask())

    def without_identity(data: bytes) -> list[bytes]:
        return [part.partition(b'"choices"')[2] for part in data.split(b"\n\n")]

    assert without_identity(got) == without_identity(expected)


def test_stream_arrives_while_the_answer_goes_on(tiny_model: str) -> None:
    async def read() -> int:
        body = chat_body("/long", tiny_model, stream=True)
        async with client() as asynchronous, asynchronous.stream("POST", CHAT, json=body) as answer:
            pieces = answer.aiter_raw()
            got = [await anext(pieces) for _ in range(50)]
            return sum(b"data: " in piece for piece in got)

    assert run(read()) == 50
    assert_free(tiny_model)


def test_loop_goes_on_while_a_model_loads(tiny_model: str) -> None:
    unload_model()

    async def count() -> int:
        ticks = 0
        async with client() as asynchronous:
            task = asyncio.create_task(asynchronous.post(CHAT, json=chat_body("hi", tiny_model)))
            while not task.done():
                ticks += 1
                await asyncio.sleep(0.001)
            assert task.result().status_code == 200
        return ticks

    assert run(count()) > 3


@pytest.mark.parametrize("text", ["/long", "x" * 100_000], ids=["answer", "prompt"])
def test_cancelled_task_frees_the_model(tiny_model: str, text: str) -> None:
    async def cancel() -> None:
        async with client() as asynchronous:
            task = asyncio.create_task(asynchronous.post(CHAT, json=chat_body(text, tiny_model)))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(cancel())
    assert_free(tiny_model)


def test_closed_response_frees_the_model(tiny_model: str) -> None:
    async def close() -> None:
        request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
        response = await AsyncMLXTransport().handle_async_request(request)
        await response.aclose()
        await response.aclose()

    run(close())
    assert_free(tiny_model)


def test_event_loop_that_was_closed_hangs_up(tiny_model: str) -> None:
    async def leave() -> object:
        request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
        return await AsyncMLXTransport().handle_async_request(request)

    response = run(leave())
    assert_free(tiny_model)
    del response


def test_silence_is_a_timeout(tiny_model: str) -> None:
    async def ask() -> None:
        async with client() as asynchronous:
            await asynchronous.post(CHAT, json=chat_body("/long", tiny_model), timeout=0.2)

    with pytest.raises(httpx.ReadTimeout):
        run(ask())
    assert_free(tiny_model)


def test_limit_bounds_the_next_piece(tiny_model: str) -> None:
    async def read() -> None:
        request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
        stream: Any = (await AsyncMLXTransport().handle_async_request(request)).stream
        stream.limit(0.0)
        await anext(aiter(stream))

    with pytest.raises(httpx.ReadTimeout):
        run(read())
    assert_free(tiny_model)


def test_refusals_and_lists_need_no_model() -> None:
    async def ask() -> list[int]:
        async with client() as asynchronous:
            return [
                (await asynchronous.get("mlx://local/v1/models")).status_code,
                (await asynchronous.post(CHAT, json={"model": 5})).status_code,
            ]

    assert run(ask()) == [200, 400]


def test_missing_mlx_lm_says_what_to_install(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    unload_model()
    monkeypatch.setitem(sys.modules, "mlx_lm", None)

    async def ask() -> None:
        async with client() as asynchronous:
            await asynchronous.post(CHAT, json=chat_body("hi", tiny_model))

    with pytest.raises(ConfigurationError, match="need the package 'mlx-lm'"):
        run(ask())

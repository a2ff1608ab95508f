"""An answer that nobody reads any more ends at once, in each way of leaving it."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.mlx import MLXTransport
from llm_client.runtimes.mlx_models import loaded_path, unload_model
from tests.runtimes.mlx.conftest import CHAT, answer, assert_free, chat_body


def test_closed_stream_frees_the_model(client: httpx.Client, tiny_model: str) -> None:
    body = chat_body("/long", tiny_model, stream=True)
    with client.stream("POST", CHAT, json=body) as response:
        assert b"one" in next(response.iter_raw())
    assert_free(client, tiny_model)


def test_exception_while_reading_frees_the_model(client: httpx.Client, tiny_model: str) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
    stream = MLXTransport().handle_request(request).stream
    assert isinstance(stream, httpx.SyncByteStream)
    pieces = iter(stream)
    next(pieces)
    with pytest.raises(KeyboardInterrupt):
        pieces.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert_free(client, tiny_model)


def test_dropped_answer_frees_the_model(client: httpx.Client, tiny_model: str) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
    response = MLXTransport().handle_request(request)
    del response
    gc.collect()
    assert_free(client, tiny_model)


@pytest.mark.parametrize(
    ("text", "timeout"),
    [
        pytest.param("/long", {"read": 0.2}, id="silence"),
        pytest.param("/long", {"first_byte": 0.2, "read": 60}, id="first-byte"),
        pytest.param("x" * 100_000, {"read": 0.2}, id="prompt"),
    ],
)
def test_timed_out_answer_is_cancelled(
    client: httpx.Client, tiny_model: str, text: str, timeout: dict[str, float]
) -> None:
    assert_free(client, tiny_model)
    body = chat_body(text, tiny_model)
    request = httpx.Request("POST", CHAT, json=body, extensions={"timeout": timeout})
    with pytest.raises(httpx.ReadTimeout):
        MLXTransport().handle_request(request)
    assert_free(client, tiny_model)


def test_request_that_was_given_up_in_the_queue_is_not_begun(
    client: httpx.Client, tiny_model: str
) -> None:
    body = chat_body("/long", tiny_model, stream=True)
    with client.stream("POST", CHAT, json=body) as response:
        next(response.iter_raw())
        with pytest.raises(httpx.ReadTimeout):
            client.post(CHAT, json=chat_body("/long", tiny_model), timeout=0.1)
    assert_free(client, tiny_model)


def test_limit_bounds_the_next_piece(tiny_model: str) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", tiny_model, stream=True))
    stream: Any = MLXTransport().handle_request(request).stream
    stream.limit(0.0)
    with pytest.raises(httpx.ReadTimeout):
        next(iter(stream))
    stream.limit(None)


def test_threads_share_the_model_one_after_the_other(client: httpx.Client, tiny_model: str) -> None:
    texts = ["hi", "/json", "/utf8", "/think"] * 4

    def ask(text: str) -> str:
        return str(answer(client, text, tiny_model)["message"]["content"])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, texts))
    assert answers == [ask(text) for text in texts[:4]] * 4


def test_unloading_ends_an_answer_under_way(client: httpx.Client, tiny_model: str) -> None:
    body = chat_body("/long", tiny_model, stream=True)
    with client.stream("POST", CHAT, json=body, timeout=2) as response:
        pieces = response.iter_raw()
        next(pieces)
        unload_model()
        assert loaded_path() is None
        with pytest.raises(httpx.ReadError, match="unloaded"):
            for _ in pieces:
                pass
    assert_free(client, tiny_model)

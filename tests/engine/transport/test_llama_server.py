"""The habits of a real server: llama.cpp's own, which hangs up after every stream unannounced."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from llm_client.exceptions import ConnectionError
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import Answer, Side, fetch
from tests.support.llama_server import running_llama_server


@pytest.fixture(scope="module")
def llama_url() -> Iterator[str]:
    with running_llama_server(parallel=1) as url:
        yield url


def chat(url: str, prompt: str, *, stream: bool) -> HttpRequest:
    body = {"messages": [{"role": "user", "content": prompt}], "stream": stream}
    headers = (("Content-Type", "application/json"),)
    return HttpRequest("POST", f"{url}/v1/chat/completions", headers, json.dumps(body).encode())


def fetch_as_the_engine(side: Side, request: HttpRequest) -> Answer:
    """Ask once more where the server had closed a connection that was kept, as the engine does.

    llama.cpp does that behind every stream, without saying so: on a busy machine the request is
    sometimes sent before it is noticed.
    """
    try:
        return fetch(side, request)
    except ConnectionError as error:
        if not error.stale:
            raise
    return fetch(side, request)


def test_streams_and_answers_in_turn_all_arrive_whole(side: Side, llama_url: str) -> None:
    for stream in (True, True, False, False, True, False):
        answer = fetch_as_the_engine(side, chat(llama_url, "Hello", stream=stream))
        assert answer.head.status == 200
        if stream:
            assert answer.body.endswith(b"data: [DONE]\n\n")
        else:
            assert json.loads(answer.body)["choices"][0]["finish_reason"] == "stop"


def test_hanging_up_frees_the_only_slot(side: Side, llama_url: str) -> None:
    endless = side.open(chat(llama_url, "/long", stream=True))
    assert endless.read()
    endless.close()
    started = time.monotonic()
    assert fetch(side, chat(llama_url, "Hello", stream=False)).head.status == 200
    assert time.monotonic() - started < 20

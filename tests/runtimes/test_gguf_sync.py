"""GGUF files through `GGUFTransport`, with the real llama.cpp."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.exceptions import ConfigurationError
from llm_client.runtimes.demo_model import DEFAULT, SCRIPTS, build_demo_model
from llm_client.runtimes.gguf import GGUFTransport
from llm_client.runtimes.gguf_models import find_loaded, loaded_models, unload_models
from tests.runtimes.conftest import (
    CHAT,
    PATIENT_TOKENS,
    WEATHER,
    busy_slots,
    chat_body,
    loaded_model,
    wait_until_busy,
)


@pytest.fixture
def transport(demo_directory: Path) -> GGUFTransport:
    return GGUFTransport(demo_directory=demo_directory)


@pytest.fixture
def client(transport: GGUFTransport) -> Iterator[httpx.Client]:
    with httpx.Client(transport=transport, timeout=60) as client:
        yield client


def events(data: bytes) -> list[Any]:
    """Parse an event stream that must be nothing but `data:` events up to `[DONE]`."""
    *parts, done, rest = data.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert all(part.startswith(b"data: ") for part in parts)
    return [json.loads(part.removeprefix(b"data: ")) for part in parts]


def test_whole_answer_has_text_usage_and_name(client: httpx.Client) -> None:
    response = client.post(CHAT, json=chat_body("hi"))
    answer = response.json()
    assert response.status_code == 200
    assert answer["model"] == "demo"
    assert answer["choices"][0]["message"]["content"] == SCRIPTS[DEFAULT].text
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > 20


def test_stream_has_deltas_usage_and_done(client: httpx.Client) -> None:
    body = chat_body("hi", stream=True, stream_options={"include_usage": True})
    with client.stream("POST", CHAT, json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        chunks = events(response.read())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == SCRIPTS[DEFAULT].text
    assert chunks[-1]["usage"]["completion_tokens"] > 20
    assert len(deltas) > 20


def test_stream_arrives_while_the_answer_goes_on(client: httpx.Client) -> None:
    with client.stream("POST", CHAT, json=chat_body("/long", stream=True)) as response:
        pieces = response.iter_raw()
        for _ in range(5):
            assert b"data: " in next(pieces)
        assert busy_slots(loaded_model()) == 1


def test_characters_split_over_tokens_arrive_whole(client: httpx.Client) -> None:
    with client.stream("POST", CHAT, json=chat_body("/utf8", stream=True)) as response:
        chunks = events(response.read())
    deltas = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(deltas) == SCRIPTS["utf8"].text


def test_tool_call_is_streamed_as_llama_cpp_gives_it(client: httpx.Client) -> None:
    body = chat_body("weather?", tools=[WEATHER], stream=True)
    with client.stream("POST", CHAT, json=body) as response:
        choices = [chunk["choices"][0] for chunk in events(response.read())]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "get_weather"
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"city": "Paris"}
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_closed_stream_frees_the_slot(client: httpx.Client) -> None:
    with client.stream("POST", CHAT, json=chat_body("/long", stream=True)) as response:
        next(response.iter_raw())
    wait_until_busy(loaded_model(), 0)


def test_exception_while_reading_frees_the_slot(transport: GGUFTransport) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", stream=True))
    stream = transport.handle_request(request).stream
    assert isinstance(stream, httpx.SyncByteStream)
    pieces = iter(stream)
    next(pieces)
    with pytest.raises(KeyboardInterrupt):
        pieces.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    wait_until_busy(loaded_model(), 0)


def test_dropped_iterator_frees_the_slot(transport: GGUFTransport) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", stream=True))
    response = transport.handle_request(request)
    for _ in response.iter_raw():
        break
    response.close()
    response.close()
    wait_until_busy(loaded_model(), 0)


@pytest.mark.parametrize(
    "timeout",
    [
        pytest.param({"read": 0.2}, id="silence"),
        pytest.param({"first_byte": 0.2, "read": 60}, id="first-byte"),
    ],
)
def test_timed_out_whole_answer_is_cancelled(patient_model: str, timeout: dict[str, float]) -> None:
    transport = GGUFTransport(n_ctx=PATIENT_TOKENS)
    body = chat_body("/long", model=patient_model)
    request = httpx.Request("POST", CHAT, json=body, extensions={"timeout": timeout})
    with pytest.raises(httpx.ReadTimeout):
        transport.handle_request(request)
    wait_until_busy(loaded_model(patient_model, PATIENT_TOKENS), 0, seconds=20, interval=2)


@pytest.mark.parametrize(
    ("fields", "status", "type", "words"),
    [
        pytest.param({"temperature": "hot"}, 400, "invalid_request_error", "number", id="type"),
        pytest.param({"messages": "x"}, 400, "invalid_request_error", "messages", id="messages"),
        pytest.param(
            {"messages": [{"role": "user", "content": "x" * 20000}]},
            400,
            "exceed_context_size_error",
            "exceeds the available context size",
            id="too-long",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_refused_request_is_told_in_llama_cpps_words(
    client: httpx.Client,
    fields: dict[str, Any],
    status: int,
    type: str,
    words: str,
    stream: bool,
) -> None:
    response = client.post(CHAT, json={**chat_body("x"), **fields, "stream": stream})
    assert response.status_code == status
    error = response.json()["error"]
    assert error["type"] == type
    assert words in error["message"]


def test_path_with_home_and_link_is_one_model(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.gguf").write_bytes(build_demo_model(SCRIPTS))
    (tmp_path / "link.gguf").symlink_to("own.gguf")
    monkeypatch.setenv("HOME", str(tmp_path))
    unload_models()
    for name in ["~/own.gguf", str(tmp_path / "own.gguf"), str(tmp_path / "link.gguf")]:
        answer = client.post(CHAT, json=chat_body("/json", model=name)).json()
        assert answer["choices"][0]["message"]["content"] == '{"ok": true}'
    assert [model.name for model in loaded_models()] == ["~/own.gguf"]


@pytest.mark.parametrize(
    ("content", "status", "code", "words"),
    [
        pytest.param(None, 404, "model_not_found", "There is no model file", id="missing"),
        pytest.param("directory", 400, "unreadable_model", "Cannot read", id="directory"),
        pytest.param(b"", 400, "not_gguf", "is not a GGUF file", id="empty"),
        pytest.param(b"PK\x03\x04", 400, "not_gguf", "is not a GGUF file", id="zip"),
        pytest.param(b"GGUF" + b"x" * 99, 400, "model_not_loadable", "damaged", id="damaged"),
        pytest.param(
            build_demo_model(SCRIPTS)[:100_000],
            400,
            "model_not_loadable",
            "incomplete",
            id="incomplete",
        ),
    ],
)
def test_unusable_file_is_told_like_http(
    client: httpx.Client,
    tmp_path: Path,
    content: bytes | str | None,
    status: int,
    code: str,
    words: str,
) -> None:
    path = tmp_path / "some.gguf"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    response = client.post(CHAT, json=chat_body("hi", model=str(path)))
    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert words in error["message"]
    assert str(path) in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        pytest.param("POST", "/v1/chat/completions", b"{", 400, "invalid_json", id="no-json"),
        pytest.param("POST", "/v1/chat/completions", b"[]", 400, "missing_model", id="list"),
        pytest.param("POST", "/v1/chat/completions", b"{}", 400, "missing_model", id="no-model"),
        pytest.param("POST", "/v1/nothing", b'{"model": "demo"}', 404, 404, id="unknown-path"),
        pytest.param("GET", "/v1/nothing", b"", 404, "not_found", id="unknown-get"),
        pytest.param("DELETE", "/v1/models", b"", 404, "not_found", id="delete"),
    ],
)
def test_bad_request_is_refused(
    client: httpx.Client, method: str, path: str, content: bytes, status: int, code: str | int
) -> None:
    response = client.request(method, f"gguf://embedded{path}", content=content)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_other_paths_of_llama_cpp_work_too(client: httpx.Client) -> None:
    body = {"model": "demo", "prompt": "Once", "max_tokens": 3}
    response = client.post("gguf://embedded/v1/completions", json=body)
    assert response.json()["choices"][0]["text"] == "Hello! I am"


def test_health_and_list_need_no_model(client: httpx.Client) -> None:
    unload_models()
    assert client.get("gguf://embedded/health").json() == {"status": "ok"}
    listed = client.get("gguf://embedded/v1/models").json()
    assert [entry["id"] for entry in listed["data"]] == ["demo"]
    assert loaded_models() == []


def test_loaded_file_is_listed(client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(build_demo_model(SCRIPTS))
    client.post(CHAT, json=chat_body("/empty", model=str(path)))
    listed = client.get("gguf://embedded/v1/models").json()
    assert str(path) in [entry["id"] for entry in listed["data"]]


def test_context_is_what_was_asked_for(demo_directory: Path) -> None:
    with httpx.Client(transport=GGUFTransport(n_ctx=512, demo_directory=demo_directory)) as client:
        answer = client.post(CHAT, json=chat_body("/long")).json()
    assert answer["usage"]["total_tokens"] == 512
    assert find_loaded("demo", n_ctx=512) is not None


def test_many_threads_share_one_model(client: httpx.Client) -> None:
    unload_models()
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: client.post(CHAT, json=chat_body("/json")).json(), range(48))
        )
    assert {answer["choices"][0]["message"]["content"] for answer in answers} == {'{"ok": true}'}
    assert len(loaded_models()) == 1


def test_unload_ends_a_running_stream_and_wakes_its_reader(transport: GGUFTransport) -> None:
    request = httpx.Request("POST", CHAT, json=chat_body("/long", stream=True))
    response = transport.handle_request(request)
    pieces = response.iter_raw()
    next(pieces)
    failures: list[Exception] = []

    def read_on() -> None:
        try:
            for _ in pieces:
                pass
        except httpx.TransportError as error:
            failures.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    unload_models()
    reader.join(10)
    response.close()
    assert not reader.is_alive()
    assert len(failures) == 1
    assert loaded_models() == []


def test_model_is_loaded_again_after_unloading(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.post(CHAT, json=chat_body("/json")).status_code == 200
        unload_models()


def test_without_the_extra_the_install_command_is_named(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigurationError, match="xllamacpp") as caught:
        client.post(CHAT, json=chat_body("hi"))
    assert caught.value.hint is not None
    assert "`pip install 'xllamacpp>=2026.10'`" in caught.value.hint

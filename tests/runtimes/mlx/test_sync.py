"""MLX models through `MLXTransport`, with the real mlx-lm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_client.engine.transport.httpx_import import httpx
from llm_client.runtimes.mlx_models import loaded_path, unload_model
from tests.runtimes.mlx.conftest import CHAT, HELLO, WEATHER, answer, chat_body, error
from tests.support.tiny_mlx import EFFORT, SCRIPTS, write_tiny_mlx


def events(data: bytes) -> list[Any]:
    """Parse an event stream that must be nothing but `data:` events up to `[DONE]`."""
    *parts, done, rest = data.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(part.removeprefix(b"data: ")) for part in parts]


def test_whole_answer_has_text_usage_and_name(client: httpx.Client, tiny_model: str) -> None:
    response = client.post(CHAT, json=chat_body("hi", tiny_model))
    body = response.json()
    assert (response.status_code, body["model"]) == (200, tiny_model)
    assert response.headers["content-type"] == "application/json"
    assert body["choices"][0] == {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": HELLO},
    }
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    # Seven pieces of text and the end; the prompt is one token a character.
    assert usage["completion_tokens"] == 8
    assert usage["prompt_tokens"] > len("hi")


def test_stream_has_role_deltas_finish_usage_and_done(
    client: httpx.Client, tiny_model: str
) -> None:
    body = chat_body("hi", tiny_model, stream=True, stream_options={"include_usage": True})
    with client.stream("POST", CHAT, json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        *chunks, last, usage = events(response.read())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "Hello!"}
    assert "".join(delta["content"] for delta in deltas) == HELLO
    assert last["choices"][0] == {"index": 0, "finish_reason": "stop", "delta": {}}
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 8


def test_stream_without_the_option_has_no_usage(client: httpx.Client, tiny_model: str) -> None:
    body = chat_body("hi", tiny_model, stream=True)
    assert all("usage" not in chunk for chunk in events(client.post(CHAT, json=body).content))


def test_characters_split_over_tokens_arrive_whole(client: httpx.Client, tiny_model: str) -> None:
    body = chat_body("/utf8", tiny_model, stream=True)
    chunks = events(client.post(CHAT, json=body).content)
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(deltas) == SCRIPTS["utf8"].text


def test_reasoning_is_apart(client: httpx.Client, tiny_model: str) -> None:
    assert answer(client, "/think", tiny_model)["message"] == {
        "role": "assistant",
        "content": "The answer is 42.",
        "reasoning": "Let me think about it…",
    }


def test_reasoning_that_the_template_opens_is_apart(client: httpx.Client, tmp_path: Path) -> None:
    template = "{{ messages[0].content }}<|say_think|><think>\n"
    model = str(write_tiny_mlx(tmp_path, template=template))
    message = answer(client, "hi", model, max_tokens=3)["message"]
    # Where the tag's token leads: the script goes on after it.
    assert message["content"] is None
    assert message["reasoning"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tool_call_is_parsed(client: httpx.Client, tiny_model: str, stream: bool) -> None:
    body = chat_body("weather?", tiny_model, tools=[WEATHER], stream=stream)
    response = client.post(CHAT, json=body)
    if stream:
        first, last = events(response.content)
        choice = {**first["choices"][0], "finish_reason": last["choices"][0]["finish_reason"]}
        message = choice["delta"]
    else:
        choice = response.json()["choices"][0]
        message = choice["message"]
    [call] = message["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert (call["index"], call["type"], bool(call["id"])) == (0, "function", True)
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Paris"}'}


def test_several_tool_calls_are_numbered_beside_the_text(
    client: httpx.Client, tiny_model: str
) -> None:
    message = answer(client, "/twice", tiny_model, tools=[WEATHER])["message"]
    calls = message["tool_calls"]
    cities = [json.loads(call["function"]["arguments"])["city"] for call in calls]
    assert (message["content"], cities) == ("Both: \n", ["Rome", "Oslo"])
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2


def test_call_that_cannot_be_parsed_is_text(client: httpx.Client, tiny_model: str) -> None:
    choice = answer(client, "/broken", tiny_model, tools=[WEATHER])
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": SCRIPTS["broken"].text}


def test_tool_results_go_into_the_prompt(client: httpx.Client, tiny_model: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]
    choice = answer(client, "", tiny_model, messages=messages, tools=[WEATHER])
    assert choice["message"]["content"] == HELLO


@pytest.mark.parametrize(
    ("text", "fields", "content", "reason"),
    [
        pytest.param("/long", {"max_tokens": 3}, "one two three", "length", id="max-tokens"),
        pytest.param("/long", {"stop": ["four"]}, "one two three ", "stop", id="stop"),
        pytest.param(
            "/long", {"stop": ["ee f", "x"]}, "one two thr", "stop", id="stop-over-tokens"
        ),
        pytest.param("/empty", {}, None, "stop", id="nothing"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answer_ends_where_it_should(
    client: httpx.Client,
    tiny_model: str,
    text: str,
    fields: dict[str, Any],
    content: str | None,
    reason: str,
    stream: bool,
) -> None:
    body = chat_body(text, tiny_model, stream=stream, **fields)
    response = client.post(CHAT, json=body)
    if stream:
        choices = [chunk["choices"][0] for chunk in events(response.content)]
        got = "".join(choice["delta"].get("content", "") for choice in choices)
        assert (got, choices[-1]["finish_reason"]) == (content or "", reason)
    else:
        choice = response.json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)


def test_seed_repeats_what_temperature_varies(client: httpx.Client, tiny_model: str) -> None:
    def sampled(seed: int, **fields: Any) -> str:
        fields = {"temperature": 100.0, "max_tokens": 20, "seed": seed, **fields}
        return str(answer(client, "/long", tiny_model, **fields)["message"])

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(4)}) == 4
    assert len({sampled(seed, top_p=0.5) for seed in range(4)}) == 1


def test_penalty_changes_the_answer(client: httpx.Client, tiny_model: str) -> None:
    plain = answer(client, "/long", tiny_model, max_tokens=12)
    penalised = answer(client, "/long", tiny_model, max_tokens=12, presence_penalty=1000.0)
    assert plain["message"]["content"].endswith(" ten one two")
    assert penalised["message"] != plain["message"]


def test_context_bounds_the_answer(client: httpx.Client, tmp_path: Path) -> None:
    model = str(write_tiny_mlx(tmp_path, context_tokens=60))
    response = client.post(CHAT, json=chat_body("/long", model, max_tokens=100)).json()
    assert response["usage"]["total_tokens"] == 60
    assert response["choices"][0]["finish_reason"] == "length"
    status, details = error(client, "x" * 60, model)
    assert (status, details["code"]) == (400, "context_length_exceeded")
    assert "exceeds the available context size (60 tokens)" in details["message"]


@pytest.mark.parametrize("part", ["text_config", "nowhere"])
def test_context_is_found_in_the_text_part_or_unbounded(
    client: httpx.Client, tmp_path: Path, part: str
) -> None:
    path = write_tiny_mlx(tmp_path, context_tokens=60) / "config.json"
    config = json.loads(path.read_bytes())
    config[part] = {"max_position_embeddings": config.pop("max_position_embeddings")}
    path.write_text(json.dumps(config))
    usage = client.post(CHAT, json=chat_body("/long", str(tmp_path), max_tokens=99)).json()["usage"]
    if part == "text_config":
        assert usage["total_tokens"] == 60
    else:
        assert usage["completion_tokens"] == 99


def test_effort_switches_thinking_where_the_template_can(
    client: httpx.Client, tiny_model: str, tmp_path: Path
) -> None:
    status, details = error(client, "hi", tiny_model, reasoning_effort="low")
    assert (status, details["param"]) == (400, "reasoning_effort")
    shown = "{{ messages[0].content ~ enable_thinking ~ reasoning_effort ~ '<|say_default|>' }}"
    model = str(write_tiny_mlx(tmp_path, template=shown + EFFORT))
    prompts = [
        client.post(CHAT, json=chat_body("hi", model, **fields)).json()["usage"]["prompt_tokens"]
        for fields in ({"reasoning_effort": "none"}, {"reasoning_effort": "low"})
    ]
    opener = 1
    assert prompts == [len("hiFalse") + opener, len("hiTruelow") + opener]


def test_template_variables_reach_the_template(client: httpx.Client, tmp_path: Path) -> None:
    template = "{{ messages[0].content }}<|say_{{ script }}|>"
    model = str(write_tiny_mlx(tmp_path, template=template))
    kwargs = {"chat_template_kwargs": {"script": "json"}}
    assert answer(client, "hi", model, **kwargs)["message"]["content"] == '{"ok": true}'


def test_one_model_is_in_memory(client: httpx.Client, tiny_model: str, tmp_path: Path) -> None:
    other = str(write_tiny_mlx(tmp_path / "other"))
    for model in (tiny_model, other, tiny_model):
        assert answer(client, "hi", model)["message"]["content"] == HELLO
        assert loaded_path() == model


def test_path_with_home_and_link_is_one_model(
    client: httpx.Client, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tiny_model)
    monkeypatch.setenv("HOME", str(tmp_path))
    response = client.post(CHAT, json=chat_body("hi", "~/link")).json()
    assert (response["model"], loaded_path()) == ("~/link", tiny_model)


def test_model_list_is_what_is_loaded_and_what_the_variable_names(
    client: httpx.Client, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLX_MODEL_PATH", raising=False)
    unload_model()
    models = "mlx://local/v1/models"
    assert client.get(models).json() == {"object": "list", "data": []}
    answer(client, "hi", tiny_model)
    monkeypatch.setenv("MLX_MODEL_PATH", "/models/mine")
    listed = [row["id"] for row in client.get(models).json()["data"]]
    assert listed == [tiny_model, "/models/mine"]


def test_health_is_ok_and_other_paths_are_nothing(client: httpx.Client) -> None:
    assert client.get("mlx://local/health").json() == {"status": "ok"}
    response = client.post("mlx://local/v1/embeddings", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")

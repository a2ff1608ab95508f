"""What goes to OpenAI Responses: golden bodies, checked against OpenAI's own types, and refusals."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.openai_responses import OpenAIResponses
from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.response import fold
from llm_client.types.target import Target

from .answers import target

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden_openai_responses.json").read_bytes()
)
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-1.7"
PLAIN = target("openai", model="gpt-4.1", key="sk-test-0123456789")
THINKER = replace(PLAIN, model="gpt-5.5")
STRICT = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"name": {"type": "string"}}}
WEATHER = Tool("weather", "The weather of a city.", {**STRICT, "title": "Args"})
TIME = Tool("time", parameters=LOOSE)
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Which city?"}],
    "encrypted_content": "gAAAAA",
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"name":"Oslo"}',
    "status": "completed",
}
OTHER_CALL = {**CALL, "id": "fc_2", "call_id": "call_2", "arguments": '{"name":"Rome"}'}
ANSWER = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "Looking.", "annotations": []}],
}
CALLS = (
    ToolCall("call_1", "weather", '{"name":"Oslo"}'),
    ToolCall("call_2", "weather", '{"name":"Rome"}'),
)


def thought(*items: dict[str, Any], **changes: Any) -> Message:
    """Return an answer with state, as it comes back from a user who stored it as JSON."""
    state = ProviderState("openai", "openai-responses", items)
    message = Message("assistant", "Looking.", tool_calls=CALLS, provider_state=state)
    stored = json.loads(json.dumps(replace(message, **changes).to_dict()))
    return Message.parse(stored)


STATE = (REASONING, ANSWER, CALL, OTHER_CALL)
RESULTS = [
    Message("tool", "rain", tool_call_id="call_1", name="weather"),
    Message("tool", "sun", tool_call_id="call_2"),
]
ASK = Message("user", "Weather?")
CASES: dict[str, tuple[Any, dict[str, Any], Target]] = {
    "text": ("Hi", {}, PLAIN),
    "stream": ("Hi", {"stream": True}, PLAIN),
    "system": ("Hi", {"system": "Be brief."}, PLAIN),
    "cached system": ("Hi", {"system": Message("system", "Be brief.", cache=True)}, PLAIN),
    "later and developer prompts": (
        [
            Message("developer", "Be brief."),
            Message("user", "Hi", name="ann"),
            Message("system", "In French."),
        ],
        {},
        PLAIN,
    ),
    "system prompt of parts": (
        [Message("system", (Text("Look:"), Image(PNG))), Message("user", "Hi")],
        {},
        PLAIN,
    ),
    "turns": (
        [Message("user", "Hi"), Message("assistant", "Hello."), Message("user", "Bye")],
        {},
        PLAIN,
    ),
    "answer of parts": (
        [ASK, Message("assistant", (Text("Hel"), Text("lo."))), Message("user", "Bye")],
        {},
        PLAIN,
    ),
    "images": (
        Message("user", (Text("Which?"), Image(PNG, detail="low"), Image(url="https://x/a.jpg"))),
        {},
        PLAIN,
    ),
    "documents": (
        Message(
            "user",
            (
                Document(PDF),
                Document(PDF, name="plan.pdf"),
                Document(b"a,b", media_type="text/csv"),
                Document(url="https://x/a.pdf", name="a.pdf"),
            ),
        ),
        {},
        PLAIN,
    ),
    "tools": ("Hi", {"tools": [WEATHER, TIME]}, PLAIN),
    "tool_choice auto": ("Hi", {"tools": [TIME], "tool_choice": "auto"}, PLAIN),
    "tool_choice none": ("Hi", {"tools": [TIME], "tool_choice": "none"}, PLAIN),
    "tool_choice required": ("Hi", {"tools": [TIME], "tool_choice": "required"}, PLAIN),
    "tool_choice named": ("Hi", {"tools": [TIME], "tool_choice": "time"}, PLAIN),
    "tool turn": (
        [ASK, Message("assistant", "", tool_calls=CALLS, reasoning="Hm."), *RESULTS],
        {"tools": [WEATHER]},
        PLAIN,
    ),
    "tool result of parts": (
        [
            ASK,
            Message("assistant", "", tool_calls=CALLS[:1]),
            Message("tool", (Text("See:"), Image(PNG)), tool_call_id="call_1"),
        ],
        {},
        PLAIN,
    ),
    "strict schema": ("Hi", {"schema": STRICT}, PLAIN),
    "loose schema": ("Hi", {"schema": LOOSE}, PLAIN),
    "effort": ("Hi", {"reasoning_effort": "high"}, THINKER),
    "effort none": ("Hi", {"reasoning_effort": "none"}, THINKER),
    "effort of an unknown model": (
        "Hi",
        {"reasoning_effort": "max"},
        replace(PLAIN, model="gpt-oss:20b"),
    ),
    "sampling": ("Hi", {"temperature": 0.2, "top_p": 0.5, "max_tokens": 99}, PLAIN),
    "extra_body": (
        "Hi",
        {
            "schema": STRICT,
            "extra_body": {"text": {"verbosity": "low"}, "store": True, "truncation": "auto"},
        },
        PLAIN,
    ),
    "state": ([ASK, thought(*STATE), *RESULTS], {}, THINKER),
    "state of changed text": ([ASK, thought(*STATE, content="Hm."), *RESULTS], {}, THINKER),
    "state of changed calls": (
        [ASK, thought(*STATE, tool_calls=CALLS[:1]), *RESULTS[:1]],
        {},
        THINKER,
    ),
    "state of another provider": (
        [ASK, thought(*STATE), *RESULTS],
        {},
        replace(target("openai-compatible"), model="gpt-5.5"),
    ),
    "state that only names its reasoning": (
        [ASK, thought({**REASONING, "encrypted_content": None}, *STATE[1:]), *RESULTS],
        {},
        THINKER,
    ),
    "state that only names its reasoning, stored": (
        [ASK, thought({**REASONING, "encrypted_content": None}, *STATE[1:]), *RESULTS],
        {"extra_body": {"store": True}},
        THINKER,
    ),
}


def request(prompt: Any, options: dict[str, Any]) -> LLMRequest:
    return LLMRequest.build(prompt, **{"stream": False, **options})


def sent(prompt: Any, options: dict[str, Any], where: Target = PLAIN) -> dict[str, Any]:
    body = OpenAIResponses().encode(request(prompt, options), where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_golden_body(name: str) -> None:
    assert sent(*CASES[name]) == GOLDEN[name]


def test_golden_bodies_all_have_a_case() -> None:
    assert CASES.keys() == GOLDEN.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_is_valid_for_the_openai_package(name: str) -> None:
    from .openai_types import check_responses_body

    check_responses_body(GOLDEN[name])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"stop": ["x"]}, id="key"),
        pytest.param({"input": 3}, id="type"),
        pytest.param({"input": [{"role": "robot", "content": "Hi"}]}, id="role"),
        pytest.param({"input": [{"role": "user", "content": [{"type": "audio"}]}]}, id="part"),
        pytest.param({"input": [{"type": "message", "role": "assistant"}]}, id="answer"),
        pytest.param({"tools": [{"type": "function", "name": "x", "parameters": {}}]}, id="tool"),
        pytest.param({"tool_choice": {"type": "function"}}, id="choice"),
        pytest.param({"reasoning": {"effort": "huge"}}, id="effort"),
    ],
)
def test_body_that_is_wrong_is_refused_by_the_openai_package(wrong: dict[str, Any]) -> None:
    from pydantic import ValidationError as Invalid

    from .openai_types import check_responses_body

    with pytest.raises(Invalid):
        check_responses_body({**GOLDEN["text"], **wrong})


def test_request_goes_to_its_path_with_the_key() -> None:
    encoded = OpenAIResponses().encode(request("Hi", {"stream": True}), PLAIN)
    assert (encoded.method, encoded.url) == ("POST", f"{PLAIN.base_url}/responses")
    assert dict(encoded.headers)["authorization"] == "Bearer sk-test-0123456789"
    assert dict(encoded.headers)["accept"] == "text/event-stream"


def test_long_text_is_sent_as_it_is() -> None:
    long = LongText(["Größe".encode(), b"!"])
    assert sent(Message("user", long), {})["input"][0]["content"] == "Größe!"
    parts = (Text(long), Image(url="https://x/a.png"))
    assert sent(Message("user", parts), {})["input"][0]["content"][0]["text"] == "Größe!"
    for content in (long, (Text(long),)):
        answer = sent([ASK, Message("assistant", content), ASK], {})["input"][1]
        assert answer["content"][0]["text"] == "Größe!"


def test_configuration_lies_under_the_request() -> None:
    options = {
        "input": "?",
        "model": "other",
        "store": True,
        "temperature": 0.1,
        "text": {"verbosity": "low"},
        "instructions": "Be long.",
    }
    where = replace(PLAIN, options=options)
    assert sent("Hi", {}, where) == {
        **GOLDEN["text"],
        **{name: options[name] for name in ("store", "temperature", "text", "instructions")},
    }
    body = sent("Hi", {"temperature": 0.9, "schema": LOOSE, "system": "Be brief."}, where)
    assert (body["temperature"], body["text"]["verbosity"]) == (0.9, "low")
    assert body["text"]["format"]["type"] == "json_schema"
    assert body["instructions"] == "Be brief."


def test_input_given_raw_replaces_the_messages() -> None:
    assert sent("Hi", {"extra_body": {"input": "raw"}})["input"] == "raw"


@pytest.mark.parametrize(
    ("field", "gone"),
    [
        pytest.param("store", ("store",), id="store"),
        pytest.param("include", ("include",), id="include"),
        pytest.param("reasoning.summary", ("reasoning", "summary"), id="summary"),
    ],
)
def test_field_that_a_provider_refuses_is_left_out(field: str, gone: tuple[str, ...]) -> None:
    quirks = replace(THINKER.provider.quirks, omits=(field,))
    where = replace(THINKER, provider=replace(THINKER.provider, quirks=quirks))
    expected = json.loads(json.dumps(GOLDEN["effort"]))
    holder = expected
    for name in gone[:-1]:
        holder = holder[name]
    del holder[gone[-1]]
    assert sent("Hi", {"reasoning_effort": "high"}, where) == expected


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "stop": ("Hi", {"stop": "x"}, "stop"),
    "seed": ("Hi", {"seed": 0}, "seed"),
    "suffix": ("Hi", {"suffix": "}"}, "suffix"),
    "tool_choice": ("Hi", {"tool_choice": "time"}, "tool_choice"),
    "audio": (Message("user", (Audio(b"RIFF0000WAVE"),)), {}, "content"),
    "image of an assistant": ([ASK, Message("assistant", (Image(PNG),)), ASK], {}, "content"),
    "result of no call": ([ASK, Message("tool", "rain")], {}, "tool_call_id"),
    "result of an empty id": ([ASK, Message("tool", "x", tool_call_id="")], {}, "tool_call_id"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_field_that_cannot_be_said_is_refused_by_name(name: str) -> None:
    prompt, options, param = REFUSED[name]
    with pytest.raises(ValidationError) as caught:
        sent(prompt, options)
    assert caught.value.param == param
    assert caught.value.hint


@pytest.mark.parametrize("choice", ["required", "time"])
def test_forced_tool_where_the_provider_knows_none_is_refused(choice: str) -> None:
    quirks = replace(PLAIN.provider.quirks, required_tool_choice=False)
    where = replace(PLAIN, provider=replace(PLAIN.provider, quirks=quirks))
    with pytest.raises(ValidationError, match="tool_choice"):
        sent("Hi", {"tools": [TIME], "tool_choice": choice}, where)
    assert sent("Hi", {"tools": [TIME], "tool_choice": "auto"}, where)["tool_choice"] == "auto"


def test_every_field_of_a_request_is_said_or_refused() -> None:
    said = {
        "messages": "input",
        "temperature": "temperature",
        "top_p": "top_p",
        "max_tokens": "max_output_tokens",
        "tools": "tools",
        "tool_choice": "tool_choice",
        "schema": "text",
        "schema_type": None,  # what the parsed answer becomes, nothing on the wire
        "idempotency_key": None,  # a header, which the engine adds
        "reasoning_effort": "reasoning",
        "extra_body": "truncation",
        "stream": "stream",
    }
    assert {field.name for field in fields(LLMRequest)} == {*said, "stop", "seed", "suffix"}
    every = {name for body in GOLDEN.values() for name in body}
    assert {name for name in said.values() if name is not None} <= every


@pytest.mark.parametrize("model", ["gpt-4.1", "chatgpt-4o-latest", "gpt-5-chat-latest"])
def test_state_is_left_out_for_a_model_that_takes_no_reasoning(model: str) -> None:
    body = sent([ASK, thought(*STATE), *RESULTS], {}, replace(PLAIN, model=model))
    assert body["input"] == GOLDEN["state of another provider"]["input"]


def test_state_beside_what_is_no_answer_is_left_out() -> None:
    stray = replace(ASK, provider_state=ProviderState("openai", "openai-responses", (REASONING,)))
    stray = replace(stray, content="")
    assert sent([stray, ASK], {}, THINKER)["input"][0] == {
        "type": "message",
        "role": "user",
        "content": "",
    }


@pytest.mark.parametrize("content", [["Looking."], 3], ids=str)
def test_state_that_was_tampered_with_is_left_out(content: Any) -> None:
    answer = thought(REASONING, {**ANSWER, "content": content}, CALL, OTHER_CALL)
    items = sent([ASK, answer, *RESULTS], {}, THINKER)["input"]
    assert items == GOLDEN["state of another provider"]["input"]


def test_answer_with_state_comes_back_in_the_next_request() -> None:
    body = {"id": "r", "model": "gpt-5.5", "status": "completed", "output": [*STATE]}
    chunks = OpenAIResponses().decode(json.dumps(body).encode(), THINKER)
    answer = fold(chunks).message
    stored = Message.parse(json.loads(json.dumps(answer.to_dict())))
    assert sent([ASK, stored, *RESULTS], {}, THINKER)["input"][1:5] == [*STATE]


def test_model_list_is_asked_for_and_read() -> None:
    asked = OpenAIResponses().encode_models(PLAIN)
    assert (asked.method, asked.url) == ("GET", f"{PLAIN.base_url}/models")
    listed = OpenAIResponses().decode_models(b'{"data": [{"id": "gpt-5.5"}]}', PLAIN)
    assert [model.id for model in listed.models] == ["gpt-5.5"]

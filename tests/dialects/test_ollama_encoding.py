"""What goes to Ollama: golden bodies, checked against its own package, and refusals."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llm_client.dialects.ollama import Ollama
from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, Part, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest

from .answers import target

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_ollama.json").read_bytes())
PNG = b"\x89PNG\r\n\x1a\n"
USER = Message("user", "hi")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "Tells it.", PARAMETERS)
NOW = Tool("now")
CALLS = (ToolCall("c1", "weather", '{"city": "Köln"}'), ToolCall("c2", "now", ""))


class Case(NamedTuple):
    request: LLMRequest
    model: str = "llama3.2"
    options: dict[str, object] | None = None


def says(*parts: Part) -> LLMRequest:
    return LLMRequest((Message("user", parts),))


def thinks(effort: Any, model: str = "llama3.2") -> Case:
    return Case(LLMRequest((USER,), reasoning_effort=effort), model)


CASES = {
    "text": Case(LLMRequest((USER,))),
    "text in parts": Case(says(Text("one, "), Text(LongText([b"two", b", "])), Text("drei 🌍"))),
    "system": Case(
        LLMRequest((Message("system", "be brief"), Message("developer", "be kind"), USER))
    ),
    "turns": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "Hello!", reasoning="A greeting."),
                Message("user", "and?"),
            )
        )
    ),
    "images": Case(
        says(
            Text("what "),
            Image(PNG),
            Text("is it?"),
            Image(url="data:image/gif;base64,R0lGOA=="),
        )
    ),
    "tools": Case(LLMRequest((USER,), tools=(WEATHER, NOW))),
    "tool choice auto": Case(LLMRequest((USER,), tools=(NOW,), tool_choice="auto")),
    "tool choice none": Case(LLMRequest((USER,), tools=(NOW,), tool_choice="none")),
    "tool turn": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "I look.", tool_calls=CALLS),
                Message("tool", "sunny", name="weather", tool_call_id="c1"),
                Message("tool", "12:00", tool_call_id="c2"),
                Message("assistant", "", tool_calls=(ToolCall("c3", "now", "{}"),)),
                Message("tool", (Text("a clock"), Image(PNG)), tool_call_id="c3"),
            )
        )
    ),
    "schema": Case(
        LLMRequest((USER,), schema={"type": "object", "properties": {"city": {"type": "string"}}})
    ),
    "effort as a switch": thinks("low"),
    "no effort": thinks("none"),
    "effort as a level": thinks("medium", "gpt-oss:20b"),
    "sampling": Case(
        LLMRequest((USER,), temperature=0.5, top_p=0.9, max_tokens=7, stop=("END", "\n\n"), seed=3)
    ),
    "zeros": Case(LLMRequest((USER,), temperature=0.0, top_p=0.0, seed=0)),
    "stream": Case(LLMRequest((USER,), stream=True)),
    "hints": Case(
        LLMRequest(
            (
                Message("system", "be brief", cache=True),
                Message("user", (Text("hi"), Image(PNG, detail="low")), name="ada", cache=True),
                Message(
                    "assistant",
                    "Hello!",
                    provider_state=ProviderState("gemini", "gemini", ({"text": "Hello!"},)),
                ),
                Message("user", "and?"),
            )
        )
    ),
    "extra fields": Case(
        LLMRequest(
            (USER,),
            temperature=0.5,
            reasoning_effort="high",
            extra_body={
                "think": "low",
                "num_ctx": 4096,
                "truncate": True,
                "options": {"top_k": 2},
            },
        ),
        options={
            "num_ctx": 8192,
            "keep_alive": "5m",
            "temperature": 0.1,
            "options": {"mirostat": 1},
        },
    ),
}


def sent(
    request: LLMRequest, model: str = "llama3.2", options: dict[str, object] | None = None
) -> dict[str, Any]:
    where = target("ollama", model=model, options=options or {})
    body = Ollama().encode(request, where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_golden_body(name: str) -> None:
    assert sent(*CASES[name]) == GOLDEN[name]


def test_golden_bodies_and_cases_are_the_same_and_say_every_field() -> None:
    assert CASES.keys() == GOLDEN.keys()
    assert {field.name for field in fields(LLMRequest)} == {
        "messages", "temperature", "top_p", "max_tokens", "stop", "seed", "tools", "tool_choice",
        "schema", "schema_type", "reasoning_effort", "suffix", "extra_body", "stream",
        "idempotency_key",  # a header, which the engine adds
    }  # fmt: skip
    assert {field.name for field in fields(Message)} == {
        "role", "content", "name", "tool_call_id", "tool_calls", "reasoning", "cache",
        "provider_state",
    }  # fmt: skip


def known_to_the_package(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what the server knows and its Python package (0.6.3) does not yet."""
    known = {name: value for name, value in body.items() if name != "truncate"}
    known["messages"] = [
        {name: value for name, value in message.items() if name != "tool_call_id"}
        for message in body["messages"]
    ]
    for message in known["messages"]:
        if "tool_calls" in message:
            calls = message["tool_calls"]
            message["tool_calls"] = [{"function": call["function"]} for call in calls]
    return known


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_fits_the_types_of_ollamas_package(name: str) -> None:
    types = pytest.importorskip("ollama._types")
    body = known_to_the_package(GOLDEN[name])
    messages = [
        # Its images are objects that write themselves as base64.
        types.Message.model_validate(
            message | {"images": [{"value": image} for image in message["images"]]}
            if "images" in message
            else message
        )
        for message in body["messages"]
    ]
    request = types.ChatRequest.model_validate(body | {"messages": messages})
    # It drops what it does not know, so nothing may be missing from what it writes.
    assert request.model_dump(exclude_unset=True) == body
    assert types.Options.model_validate(body.get("options", {})).model_dump(
        exclude_unset=True
    ) == body.get("options", {})


@pytest.mark.parametrize(
    ("effort", "level"),
    [
        ("minimal", "low"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "high"),
        ("max", "high"),
    ],
)
@pytest.mark.parametrize("model", ["gpt-oss", "gpt-oss:120b-cloud", "someone/GPT-OSS:20b"])
def test_effort_is_the_nearest_level_that_the_model_knows(
    effort: str, level: str, model: str
) -> None:
    assert sent(*thinks(effort, model))["think"] == level


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_any_effort_turns_thinking_on_where_there_are_no_levels(effort: str) -> None:
    assert sent(*thinks(effort, "qwen3"))["think"] is True


@pytest.mark.parametrize(
    ("case", "message", "param"),
    [
        (
            Case(LLMRequest((USER,), suffix="end")),
            "Ollama cannot be told suffix",
            "suffix",
        ),
        (
            thinks("none", "gpt-oss"),
            "gpt-oss cannot be told reasoning_effort 'none'",
            "reasoning_effort",
        ),
        (
            Case(LLMRequest((USER,), tools=(NOW,), tool_choice="required")),
            "Ollama cannot be told tool_choice 'required'",
            "tool_choice",
        ),
        (
            Case(LLMRequest((USER,), tools=(NOW,), tool_choice="now")),
            "Ollama cannot be told tool_choice 'now'",
            "tool_choice",
        ),
        (
            Case(LLMRequest((USER,), tools=(NOW,), tool_choice="later")),
            "'later' is neither a mode nor the name",
            "tool_choice",
        ),
        (Case(says(Image(url="https://example.com/a.png"))), "fetches no image", "content"),
        (Case(says(Document(b"%PDF-"))), "takes text and images, no document", "content"),
        (Case(says(Audio(b"ID3"))), "takes text and images, no audio", "content"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_said_is_refused_by_name(case: Case, message: str, param: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        sent(*case)
    assert caught.value.param == param
    assert caught.value.hint


@pytest.mark.parametrize("arguments", ["{", "[1]", "3", "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    message = Message("assistant", tool_calls=(ToolCall("c", "f", arguments),))
    with pytest.raises(ValidationError, match="no JSON object") as caught:
        sent(LLMRequest((USER, message)))
    assert caught.value.param == "tool_calls"
    assert len(str(caught.value)) < 500


def test_plain_and_long_text_stay_as_they_are() -> None:
    long = LongText([b"a" * 10, "ü".encode()])
    body = sent(LLMRequest((Message("user", long),)))
    assert body["messages"] == [{"role": "user", "content": "a" * 10 + "ü"}]


def test_result_names_the_tool_of_the_call_before_it_also_where_ids_come_again() -> None:
    turns = [
        message
        for name in ("weather", "now")
        for message in (
            Message("assistant", tool_calls=(ToolCall("call_0", name, "{}"),)),
            Message("tool", "done", tool_call_id="call_0"),
        )
    ]
    results = sent(LLMRequest((USER, *turns)))["messages"][2::2]

    assert [result["tool_name"] for result in results] == ["weather", "now"]


def test_result_without_a_call_has_no_name_of_a_tool() -> None:
    request = LLMRequest((USER, Message("tool", "done", tool_call_id="c9")))

    assert "tool_name" not in sent(request)["messages"][1]

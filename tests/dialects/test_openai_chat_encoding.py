"""What goes to OpenAI Chat: golden bodies, checked against OpenAI's own types, and refusals."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.types.content import Audio, Document, Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.target import Target

from .answers import target

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden_openai_chat.json").read_bytes()
)
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-"
USER = Message("user", "hi")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "Tells it.", PARAMETERS)
NOW = Tool("now")
CALLS = (ToolCall("c1", "weather", '{"city": "Köln"}'), ToolCall("c2", "now", "{}"))
RESULTS = (
    Message("tool", "sunny", name="weather", tool_call_id="c1"),
    Message("tool", "12:00", tool_call_id="c2"),
)
LOOSE = {"type": "object", "properties": {"city": {"type": "string"}}}
STRICT = {"title": "City", **LOOSE, "required": ["city"], "additionalProperties": False}


class Case(NamedTuple):
    request: LLMRequest
    model: str = "gpt-4.1"
    options: dict[str, object] | None = None


def says(*parts: Any, **message: Any) -> LLMRequest:
    return LLMRequest((Message("user", parts, **message),))


def choosing(choice: str) -> Case:
    return Case(LLMRequest((USER,), tools=(NOW,), tool_choice=choice))


CASES = {
    "text": Case(LLMRequest((USER,))),
    "text in one part": Case(says(Text("hi"))),
    "text in parts": Case(says(Text("one, "), Text(LongText([b"two", b", "])), Text("drei 🌍"))),
    "system": Case(
        LLMRequest(
            (
                Message("system", "be brief"),
                Message("developer", "be kind"),
                Message("user", "hi", name="ada"),
            )
        )
    ),
    "turns": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "Hello!", reasoning="A greeting."),
                Message("user", "and?"),
                Message("assistant", ""),
                Message("user", "well?"),
            )
        )
    ),
    "images": Case(
        says(
            Text("what?"),
            Image(PNG),
            Image(url="https://example.com/cat.jpg", detail="low"),
            Image(url="data:image/gif;base64,R0lGOA=="),
        )
    ),
    "documents": Case(says(Document(PDF, name="a.pdf"), Document(PDF), Text("sum up"))),
    "audio": Case(
        says(
            Audio(b"ID3"),
            Audio(b"RIFF\0\0\0\0WAVE"),
            Audio(b"\0\0\0", media_type="audio/x-wav"),
        ),
        "gpt-audio",
    ),
    "tools": Case(LLMRequest((USER,), tools=(WEATHER, NOW))),
    "tool choice auto": choosing("auto"),
    "tool choice none": choosing("none"),
    "tool choice required": choosing("required"),
    "tool choice by name": choosing("now"),
    "tool turn": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "I look.", tool_calls=CALLS, reasoning="Two questions."),
                *RESULTS,
                Message("assistant", "", tool_calls=(ToolCall("c3", "now", "{}"),)),
                Message("tool", (Text("12:"), Text("01")), tool_call_id="c3"),
            )
        )
    ),
    "schema": Case(LLMRequest((USER,), schema=LOOSE)),
    "strict schema": Case(LLMRequest((USER,), schema=STRICT)),
    "effort": Case(LLMRequest((USER,), reasoning_effort="high"), "gpt-5.1"),
    "sampling": Case(
        LLMRequest((USER,), temperature=0.5, top_p=0.9, max_tokens=7, stop=("END", "\n\n"), seed=3)
    ),
    "zeros": Case(LLMRequest((USER,), temperature=0.0, top_p=0.0, seed=0)),
    "stream": Case(LLMRequest((USER,), stream=True)),
    "hints": Case(
        LLMRequest(
            (
                Message("system", "be brief", cache=True),
                Message("user", "hi", name="ada", cache=True),
                Message(
                    "assistant",
                    "Hello!",
                    provider_state=ProviderState(
                        "anthropic", "anthropic", ({"type": "redacted_thinking"},)
                    ),
                ),
                Message("user", "and?"),
            )
        )
    ),
    "extra fields": Case(
        LLMRequest(
            (USER,),
            temperature=0.5,
            stream=True,
            extra_body={
                "stream_options": {"include_obfuscation": False},
                "service_tier": "flex",
                "metadata": {"b": "2"},
            },
        ),
        options={
            "model": "other",
            "stream": False,
            "temperature": 0.1,
            "verbosity": "low",
            "metadata": {"a": "1", "b": "1"},
        },
    ),
}


def sent(request: LLMRequest, where: Target) -> dict[str, Any]:
    body = OpenAIChat().encode(request, where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_golden_body(name: str) -> None:
    request, model, options = CASES[name]
    assert sent(request, target("openai", model=model, options=options or {})) == GOLDEN[name]


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


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_fits_openais_own_types(name: str) -> None:
    pytest.importorskip("openai")
    from .openai_types import check_chat_body

    check_chat_body(GOLDEN[name])


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [{"type": "function", "name": "flat"}]},
        {"max_output_tokens": 7},
        {"messages": [{"role": "tool", "content": [], "tool_call_id": "c", "name": "now"}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]},
    ],
    ids=["flat tool", "unknown field", "name of a tool message", "unknown part"],
)
def test_openais_own_types_refuse_what_it_would_not_know(change: dict[str, Any]) -> None:
    pytest.importorskip("openai")
    from .openai_types import check_chat_body

    with pytest.raises(ValueError, match="validation error"):
        check_chat_body(GOLDEN["text"] | change)

"""Requests for the Gemini dialect, whose bodies stand in `golden_gemini.json`."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from llm_client.dialects.gemini import Gemini
from llm_client.types.content import Audio, Document, Image, ProviderState, Text
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest

from .answers import target

PNG = b"\x89PNG\r\n\x1a\n"
USER = Message("user", "hi")
NOW = Tool("now")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "Tells it.", PARAMETERS)
ASK_WEATHER = ToolCall("c1", "weather", '{"city": "Köln"}')
ASK_NOW = ToolCall("c2", "now", "")
SCHEMA = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/City"}},
    "$defs": {"City": {"type": "string"}},
    "additionalProperties": False,
}
STATE = ProviderState(
    "gemini",
    "gemini",
    (
        {"text": "Two questions.", "thought": True},
        {"text": "I look."},
        {"functionCall": {"name": "now", "args": {}}, "thoughtSignature": "c2lnbmVk"},
        {"functionCall": {"name": "now", "args": {"zone": "UTC"}}},
    ),
)
ANSWER = Message(
    "assistant",
    "I look.",
    tool_calls=(ToolCall("call_R_0", "now", "{}"), ToolCall("call_R_1", "now", '{"zone":"UTC"}')),
    reasoning="Two questions.",
    provider_state=STATE,
)


class Case(NamedTuple):
    request: LLMRequest
    model: str = "gemini-2.5-flash"
    options: dict[str, object] | None = None


def choosing(choice: str) -> Case:
    return Case(LLMRequest((USER,), tools=(NOW,), tool_choice=choice))


def result(id: str | None, text: str, name: str | None = None) -> Message:
    return Message("tool", text, tool_call_id=id, name=name)


CASES = {
    "text": Case(LLMRequest((USER,))),
    "system": Case(
        LLMRequest((Message("system", "be brief"), USER, Message("developer", "be kind")))
    ),
    "system only": Case(LLMRequest((Message("developer", "tell a joke"),))),
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
        LLMRequest(
            (
                Message(
                    "user",
                    (
                        Text("what?"),
                        Image(PNG),
                        Image(url="https://example.com/cat.JPG?size=2#top"),
                        Image(url="https://example.com/cat", media_type="image/webp"),
                        Image(url="data:image/gif;base64,R0lGOA=="),
                    ),
                ),
            )
        )
    ),
    "documents": Case(
        LLMRequest(
            (
                Message(
                    "user",
                    (
                        Document(b"%PDF-", name="a.pdf"),
                        Document(url="https://example.com/v1beta/files/abc123"),
                        Text("sum up"),
                    ),
                ),
            )
        )
    ),
    "audio": Case(
        LLMRequest((Message("user", (Audio(b"ID3"), Audio(url="https://example.com/a.wav"))),))
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
                Message(
                    "assistant",
                    "I look.",
                    tool_calls=(ASK_WEATHER, ASK_NOW, ToolCall("", "now", "{}")),
                ),
                result("c9", "{broken", "other"),
                result("c2", "12:00"),
                result("c1", '{"sky": "blue", "degrees": 20}'),
                result(None, "[12, 0]", "clock"),
                Message("user", "thanks"),
                # The same id again: it means the call that came last.
                Message("assistant", "", tool_calls=(ToolCall("c1", "now", "{}"),)),
                result("c1", ""),
            )
        )
    ),
    "tool turn of another provider": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "", tool_calls=(ToolCall("c0", "now", "{}"),)),
                result("c0", "11:59"),
                Message("user", "again"),
                Message("assistant", "I look.", tool_calls=(ASK_WEATHER, ASK_NOW)),
                result("c1", "sunny"),
                result("c2", "12:00"),
                Message("assistant", "", tool_calls=(ToolCall("c3", "now", "{}"),)),
                result("c3", "12:01"),
            )
        ),
        "gemini-3-flash-preview",
    ),
    "tool result with an image": Case(
        LLMRequest(
            (
                USER,
                Message("assistant", "", tool_calls=(ASK_NOW,)),
                Message("tool", (Text("a clock"), Image(PNG)), tool_call_id="c2"),
            )
        ),
        "gemini-3-flash-preview",
    ),
    "schema": Case(LLMRequest((USER,), schema=SCHEMA)),
    "sampling": Case(
        LLMRequest((USER,), temperature=0.5, top_p=0.9, max_tokens=7, stop=("END", "\n\n"), seed=3)
    ),
    "zeros": Case(LLMRequest((USER,), temperature=0.0, top_p=0.0, seed=0)),
    "effort in tokens": Case(LLMRequest((USER,), reasoning_effort="medium")),
    "effort as a level": Case(LLMRequest((USER,), reasoning_effort="low"), "gemini-3.8-flash"),
    "no effort": Case(LLMRequest((USER,), reasoning_effort="none")),
    "hints": Case(
        LLMRequest(
            (
                Message("system", "be brief", cache=True),
                Message("user", (Text("hi"), Image(PNG, detail="low")), name="ada", cache=True),
            )
        )
    ),
    "own state": Case(
        LLMRequest((USER, ANSWER, result("call_R_1", "12:00"), result("call_R_0", "13:00"))),
        "gemini-3-flash-preview",
    ),
    "extra fields": Case(
        LLMRequest(
            (USER,),
            temperature=0.5,
            extra_body={"serviceTier": "flex", "generationConfig": {"candidateCount": 1}},
        ),
        options={
            "contents": [],
            "generationConfig": {"topK": 40, "temperature": 1.0},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        },
    ),
}


def sent(
    request: LLMRequest, model: str = "gemini-2.5-flash", options: dict[str, object] | None = None
) -> dict[str, Any]:
    where = target("gemini", model=model, options=options or {})
    body = Gemini().encode(request, where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value

"""What Cohere is sent, against written bodies and the vendor's own types."""

from __future__ import annotations

import inspect
import json
import typing
from dataclasses import replace
from pathlib import Path
from types import GenericAlias
from typing import Any

import pytest

from llm_client.dialects.cohere import Cohere
from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest

from ..support.recordings import needs_recordings
from .answers import recording, target

GOLDEN = json.loads((Path(__file__).parent / "golden_cohere.json").read_bytes())
MODEL = "command-a-plus-05-2026"
WHERE = target("cohere", model=MODEL)
HELLO = Message("user", "Hello")
WEATHER = Tool("weather")
PNG = b"\x89PNG\r\n\x1a\n"
CALL = ToolCall("weather_1", "weather", '{"city":"Oslo"}')
STATE = ProviderState(
    "cohere",
    "cohere",
    (
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "I need the tool. 🌧"}],
            "tool_calls": [
                {
                    "id": CALL.id,
                    "type": "function",
                    "function": {"name": CALL.name, "arguments": CALL.arguments},
                }
            ],
        },
    ),
)


def ask(*messages: Message, **fields: Any) -> LLMRequest:
    return LLMRequest(messages or (HELLO,), **fields)


def through_json(message: Message) -> Message:
    return Message.parse(json.loads(json.dumps(message.to_dict())))


TWO_CALLS = (
    ToolCall("weather_1", "weather", '{"city": "Oslo"}'),
    ToolCall("weather_2", "weather", '{"city": "Rome"}'),
)
THOUGHTFUL = (HELLO, Message("assistant", "Hi!", reasoning="They greet."), Message("user", "Bye"))
CASES = {
    "text": ask(),
    "stream": ask(stream=True),
    "system": ask(Message("system", "Be brief."), Message("developer", "Be kind."), HELLO),
    "multi-turn": ask(HELLO, Message("assistant", "Hi!"), Message("user", "Who are you?")),
    "image": ask(
        Message(
            "user",
            (
                Text("What is this?"),
                Image(PNG),
                Image(url="https://example.com/a.png", detail="low"),
            ),
        )
    ),
    "tools": ask(
        tools=(
            Tool(
                "weather",
                "The weather.",
                {"type": "object", "properties": {"city": {"type": "string"}}},
            ),
        )
    ),
    "tool turn": ask(
        Message("user", "Weather in Oslo and Rome?"),
        Message("assistant", "One moment.", tool_calls=TWO_CALLS, reasoning="I will ask twice."),
        Message("tool", "rain", tool_call_id="weather_1", name="weather"),
        Message("tool", (Text("sun"),), tool_call_id="weather_2"),
    ),
    "tool turn without words": ask(
        Message("user", "Weather?"),
        Message("assistant", tool_calls=(ToolCall("weather_1", "weather", "{}"),)),
        Message("tool", "rain", tool_call_id="weather_1"),
    ),
    "tool choice auto": ask(tools=(WEATHER,), tool_choice="auto"),
    "tool choice none": ask(tools=(WEATHER,), tool_choice="none"),
    "tool choice required": ask(tools=(WEATHER,), tool_choice="required"),
    "schema": ask(
        Message("user", "A person as JSON."),
        schema={
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
    ),
    "effort none": ask(reasoning_effort="none"),
    "effort low": ask(reasoning_effort="low"),
    "effort max": ask(reasoning_effort="max"),
    "effort none of a model that never thinks": ask(reasoning_effort="none"),
    "cache and name": ask(
        Message("system", "Be brief.", cache=True), Message("user", "Hello", name="Ann")
    ),
    "sampling": ask(temperature=0.5, top_p=0.9, max_tokens=10, stop=("END", "STOP"), seed=7),
    "options under, extra body over": ask(temperature=0.2, extra_body={"temperature": 0.5, "k": 5}),
    "thinking of others": ask(*THOUGHTFUL),
    "thinking for a model that never thinks": ask(*THOUGHTFUL),
    "state": ask(
        Message("user", "Weather in Oslo?"),
        through_json(
            Message(
                "assistant",
                tool_calls=(CALL,),
                reasoning="I need the tool. 🌧",
                provider_state=STATE,
            )
        ),
        Message("tool", "rain", tool_call_id="weather_1"),
    ),
}


def body(request: LLMRequest, model: str = MODEL, **options: object) -> dict[str, Any]:
    where = replace(WHERE, model=model, options=options)
    wire = Cohere().encode(request, where)
    assert (wire.method, wire.url) == ("POST", "http://localhost:1/v2/chat")
    assert wire.body is not None
    value = json.loads(wire.body)
    assert isinstance(value, dict)
    return value


def case_body(name: str) -> dict[str, Any]:
    options: dict[str, object] = {}
    if name.startswith("options"):
        options = {"safety_mode": "STRICT", "temperature": 0.9, "stream": True, "k": 1}
    model = "command-r-08-2024" if name.endswith("never thinks") else MODEL
    return body(CASES[name], model, **options)


def test_golden_bodies_and_cases_are_the_same() -> None:
    assert set(GOLDEN) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_written_body(name: str) -> None:
    assert case_body(name) == GOLDEN[name]


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_fits_the_vendors_own_types(name: str) -> None:
    pydantic = pytest.importorskip("pydantic")
    client = pytest.importorskip("cohere.v2.client")
    types = pytest.importorskip("cohere.types")
    sent = case_body(name)
    del sent["stream"]
    known = inspect.signature(client.V2Client.chat).parameters
    assert sent.keys() <= known.keys()
    kinds = {
        "messages": GenericAlias(list, (types.ChatMessageV2,)),
        "tools": GenericAlias(list, (types.ToolV2,)),
        "response_format": types.ResponseFormatV2,
        "thinking": types.Thinking,
        "tool_choice": typing.Literal["REQUIRED", "NONE"],
        "stop_sequences": list[str],
    }
    for field in sent.keys() & kinds.keys():
        value = pydantic.TypeAdapter(kinds[field]).validate_python(sent[field])
        _refuse_unknown(value, pydantic.BaseModel)


def _refuse_unknown(value: Any, model: type) -> None:
    """Fail for a field that the vendor's types do not know, however deep."""
    if isinstance(value, list):
        for item in value:
            _refuse_unknown(item, model)
    elif isinstance(value, model):
        assert not value.model_extra, value  # type: ignore[attr-defined]  # of pydantic
        for _, item in value:  # type: ignore[attr-defined]
            _refuse_unknown(item, model)


@needs_recordings
def test_recorded_conversation_encoded_is_what_was_recorded() -> None:
    sent = recording("cohere/cohere_model_thinking_part#1").request
    first, answer, last = sent["messages"]
    thinking, text = answer["content"]

    ours = body(
        ask(
            Message("user", first["content"]),
            Message("assistant", text["text"], reasoning=thinking["thinking"]),
            Message("user", last["content"]),
        ),
        sent["model"],
    )

    assert ours == sent


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ask(suffix="x"), "suffix"),
        (ask(tools=(WEATHER,), tool_choice="weather"), "tool_choice"),
        (ask(tools=(WEATHER,), tool_choice="wether"), "tool_choice"),
        (ask(tools=(WEATHER,), schema={}), "schema"),
        (ask(Message("user", (Document(b"%PDF-1"),))), "content"),
        (ask(Message("user", (Audio(b"ID3"),))), "content"),
        (ask(HELLO, Message("assistant", (Image(PNG),))), "content"),
        (ask(HELLO, Message("system", (Image(PNG),))), "content"),
        (ask(HELLO, Message("tool", (Image(PNG),), tool_call_id="1")), "content"),
        (ask(HELLO, Message("tool", "rain")), "tool_call_id"),
    ],
    ids=[
        "suffix",
        "named tool",
        "unknown tool",
        "schema with tools",
        "document",
        "audio",
        "image of the assistant",
        "image in system",
        "image of a tool",
        "tool without call",
    ],
)
def test_request_that_cohere_cannot_be_told_is_refused_by_field(
    request_: LLMRequest, field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Cohere().encode(request_, WHERE)
    assert caught.value.param == field


def test_effort_for_a_model_that_never_thinks_is_refused() -> None:
    where = replace(WHERE, model="command-r7b-12-2024")
    with pytest.raises(ValidationError, match="'command-r7b-12-2024' cannot be told") as caught:
        Cohere().encode(ask(reasoning_effort="high"), where)
    assert caught.value.param == "reasoning_effort"


def test_long_text_stays_in_pieces_until_it_is_written() -> None:
    text = LongText([b"abc ", "héllo".encode()])
    assert body(ask(Message("user", text)))["messages"][0]["content"] == "abc héllo"
    parts = body(ask(Message("user", (Text(text), Image(PNG)))))["messages"][0]["content"]
    assert parts[0] == {"type": "text", "text": "abc héllo"}


NEUTRAL = {
    "role": "assistant",
    "tool_plan": "why",
    "tool_calls": [
        {
            "id": CALL.id,
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        }
    ],
}


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (replace(STATE, provider="other"), ""),
        (replace(STATE, dialect="openai-chat"), ""),
        (STATE, "edited"),
        (replace(STATE, items=()), ""),
        (replace(STATE, items=({"content": "text", "tool_calls": []},)), ""),
        (replace(STATE, items=({"content": [], "tool_calls": []},)), ""),
    ],
    ids=["other provider", "other dialect", "edited", "empty", "not ours", "other calls"],
)
def test_state_that_does_not_fit_is_dropped(state: ProviderState, text: str) -> None:
    message = Message("assistant", text, tool_calls=(CALL,), reasoning="why", provider_state=state)

    sent = body(ask(HELLO, message))["messages"][1]

    assert sent == (NEUTRAL | {"content": text} if text else NEUTRAL)

"""What goes on the wire to Anthropic: golden bodies, checked against the vendor's own types too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.anthropic import Anthropic
from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, Part, ProviderState, Text
from llm_client.types.http import HttpRequest
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest

from .answers import target

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden_anthropic.json").read_bytes()
)
PNG = b"\x89PNG\r\n\x1a\nnot really"
PDF = b"%PDF-1.4 not really"
WEATHER = Tool(
    "get_weather",
    "Tell the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
NOW = Tool("now", parameters={})
SIGNED = ProviderState(
    "anthropic",
    "anthropic",
    (
        {"type": "thinking", "thinking": "Look outside.", "signature": "EqEE"},
        {"type": "redacted_thinking", "data": "AbC="},
        {"type": "text", "text": "I shall look.", "citations": None},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
    ),
)
SCHEMA = {
    "title": "City",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "Its name."},
        "people": {"type": "integer", "minimum": 0},
        "twin": {"anyOf": [{"$ref": "#/$defs/Twin"}, {"type": "null"}]},
        "founded": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "motto": {"type": ["string", "null"], "description": "In Latin."},
    },
    "required": ["name"],
    "$defs": {"Twin": {"type": "object", "properties": {"name": {"enum": ["A", "B"]}}}},
    "$schema": "https://json-schema.org/draft/2020-12/schema",
}


def user(*content: str | Part, **fields: Any) -> Message:
    text = content[0] if len(content) == 1 else None
    parts = tuple(Text(part) if isinstance(part, str) else part for part in content)
    return Message("user", text if isinstance(text, str) else parts, **fields)


def assistant(text: str = "", *calls: ToolCall, **fields: Any) -> Message:
    return Message("assistant", text, tool_calls=calls, **fields)


def result(id: str, *content: str | Part) -> Message:
    return replace(user(*content), role="tool", tool_call_id=id)


PARIS = ToolCall("toolu_1", "get_weather", '{"city": "Paris"}')
ROME = ToolCall("toolu_2", "get_weather", '{"city": "Rome"}')
TOOLS = {"tools": (WEATHER, NOW)}
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-4-5", "claude-haiku-4-5"
HI = user("Hi")

CASES: dict[str, tuple[str, tuple[Message, ...], dict[str, Any]]] = {
    "text": (OPUS, (HI,), {}),
    "system": (OPUS, (Message("system", "Be brief."), HI), {}),
    "two system prompts, one cached": (
        OPUS,
        (Message("system", "Be brief.", cache=True), Message("developer", "In French."), HI),
        {},
    ),
    "multi-turn": (OPUS, (HI, assistant("Hello."), user("How"), user("are you?")), {}),
    "system message behind a turn": (
        OPUS,
        (HI, assistant("Hello."), user("Go on."), Message("system", "In French.")),
        {},
    ),
    "beginning of the answer": (SONNET, (user("List them."), assistant("1.")), {}),
    "image bytes": (OPUS, (user("What is this?", Image(PNG)),), {}),
    "image address": (OPUS, (user(Image(url="https://example.com/a.jpg", detail="low")),), {}),
    "pdf": (OPUS, (user("Sum up.", Document(PDF, name="a.pdf")),), {}),
    "pdf address": (OPUS, (user("Sum up.", Document(url="https://example.com/a.pdf")),), {}),
    "text document": (OPUS, (user(Document(b"# T", media_type="text/markdown")),), {}),
    "tools": (OPUS, (HI,), TOOLS),
    "tool choice auto": (OPUS, (HI,), {**TOOLS, "tool_choice": "auto"}),
    "tool choice none": (OPUS, (HI,), {**TOOLS, "tool_choice": "none"}),
    "tool choice required": (SONNET, (HI,), {**TOOLS, "tool_choice": "required"}),
    "tool choice by name": (SONNET, (HI,), {**TOOLS, "tool_choice": "now"}),
    "tool choice without tools": (SONNET, (HI,), {"tool_choice": "auto"}),
    "tool turn": (
        SONNET,
        (
            user("Where is it warmer?"),
            assistant("I look.", PARIS, ROME),
            result("toolu_1", "20 °C"),
            result("toolu_2", "See:", Image(PNG)),
            user("In Fahrenheit, please."),
        ),
        TOOLS,
    ),
    "tool turn of another provider": (
        SONNET,
        (
            HI,
            assistant("", ToolCall("functions.now:0", "now", "")),
            Message("tool", "", name="now", tool_call_id="functions.now:0"),
            assistant("", ToolCall("2", "now", '{"a":')),
            Message("tool", "no JSON", tool_call_id="2"),
        ),
        TOOLS,
    ),
    "schema": (OPUS, (HI,), {"schema": SCHEMA}),
    "effort": (OPUS, (HI,), {"reasoning_effort": "high"}),
    "effort and schema": (
        "claude-opus-4-6",
        (HI,),
        {"reasoning_effort": "xhigh", "schema": {"type": "object", "properties": {"a": {}}}},
    ),
    "effort as a budget": (HAIKU, (HI,), {"reasoning_effort": "medium"}),
    "effort within a limit": (HAIKU, (HI,), {"reasoning_effort": "max", "max_tokens": 2000}),
    "no effort": ("claude-opus-5", (HI,), {"reasoning_effort": "none"}),
    "no effort on sonnet 5.5": ("claude-sonnet-5-5", (HI,), {"reasoning_effort": "none"}),
    "cache": (
        OPUS,
        (
            Message("system", "Long.", cache=True),
            user("One", cache=True),
            assistant("Two", cache=True),
            user("Three", Image(PNG), cache=True),
            assistant("Four"),
            user("Five", cache=True),
        ),
        {},
    ),
    "state": (
        "claude-sonnet-4-0",
        (
            user("Weather?"),
            assistant("I shall look.", PARIS, reasoning="Look outside.", provider_state=SIGNED),
            result("toolu_1", "Rain."),
        ),
        {**TOOLS, "reasoning_effort": "low"},
    ),
    "sampling": (
        "claude-sonnet-4-0",
        (HI,),
        {"temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "stop": ("END", "STOP")},
    ),
    "sampling at its default": (OPUS, (HI,), {"temperature": 1.0, "top_p": 1.0}),
    "stream": (OPUS, (HI,), {"stream": True}),
    "extra fields": (
        OPUS,
        (HI,),
        {"extra_body": {"service_tier": "auto", "metadata": {"user_id": "u"}, "max_tokens": 5}},
    ),
    "unknown model": ("tiny", (HI,), {}),
    "unknown model that thinks": ("tiny", (HI,), {"reasoning_effort": "minimal"}),
}


def encode(
    model: str, messages: tuple[Message, ...], asked: dict[str, Any], **fields: Any
) -> HttpRequest:
    request = LLMRequest(messages, **asked)
    return Anthropic().encode(request, target("anthropic", "sk-1", model=model, **fields))


def body_of(request: HttpRequest) -> dict[str, Any]:
    body = json.loads(request.body or b"")
    assert isinstance(body, dict)
    return body


def refused(model: str, *messages: Message, **asked: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        encode(model, messages or (HI,), asked)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_request_encoded_is_the_golden_body(case: str) -> None:
    assert body_of(encode(*CASES[case])) == GOLDEN[case]


def test_golden_bodies_are_all_used() -> None:
    assert GOLDEN.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_history_through_json_makes_the_same_request(case: str) -> None:
    model, messages, asked = CASES[case]
    written = json.loads(json.dumps([message.to_dict() for message in messages]))
    again = tuple(Message.parse(message) for message in written)
    assert body_of(encode(model, again, asked)) == GOLDEN[case]


@pytest.fixture(scope="module")
def vendor_types() -> Iterator[Any]:
    """The request types of Anthropic's own package, made to refuse what they do not know."""
    types = pytest.importorskip("anthropic.types")
    pydantic = pytest.importorskip("pydantic")
    from typing_extensions import is_typeddict

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("anthropic.types.") and ".beta" not in name:
                for kind in vars(module).values():
                    if is_typeddict(kind) and "__pydantic_config__" not in vars(kind):
                        patch.setattr(kind, "__pydantic_config__", {"extra": "forbid"}, False)
        streaming = types.message_create_params.MessageCreateParamsStreaming
        whole = types.message_create_params.MessageCreateParamsNonStreaming
        yield {True: pydantic.TypeAdapter(streaming), False: pydantic.TypeAdapter(whole)}


def exhausted(value: object) -> object:
    """Read what pydantic checks only while it is iterated over."""
    if isinstance(value, dict):
        return {name: exhausted(inner) for name, inner in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    # Blocks of answers are taken in requests too, but not as dictionaries.
    assert not hasattr(value, "model_fields_set"), f"{value!r} is no block of a request"
    assert hasattr(value, "__iter__"), value
    return [exhausted(inner) for inner in value]


@pytest.mark.parametrize("case", CASES)
def test_golden_body_is_what_the_vendor_types_take(case: str, vendor_types: Any) -> None:
    # The package speaks the version of the API that has no sampling any more.
    body = {k: v for k, v in GOLDEN[case].items() if k not in {"temperature", "top_p"}}
    assert exhausted(vendor_types["stream" in body].validate_python(body)) == body


def test_vendor_types_refuse_an_unknown_key_deep_inside(vendor_types: Any) -> None:
    block = {"type": "text", "text": "Hi", "nonsense": 1}
    body = {**GOLDEN["text"], "messages": [{"role": "user", "content": [block]}]}
    with pytest.raises(AssertionError, match="is no block of a request"):
        exhausted(vendor_types[False].validate_python(body))


@pytest.mark.parametrize(
    ("model", "message", "asked", "param"),
    [
        (OPUS, HI, {"seed": 1}, "seed"),
        (OPUS, HI, {"suffix": "}"}, "suffix"),
        (OPUS, HI, {"temperature": 0.5}, "temperature"),
        (OPUS, HI, {"top_p": 0.9}, "top_p"),
        (SONNET, HI, {"temperature": 0.5, "top_p": 0.9}, "top_p"),
        (SONNET, HI, {"temperature": 1.5}, "temperature"),
        (SONNET, HI, {"temperature": 0.5, "reasoning_effort": "low"}, "temperature"),
        (SONNET, HI, {"top_p": 0.9, "reasoning_effort": "low"}, "top_p"),
        (SONNET, HI, {"max_tokens": 1024, "reasoning_effort": "low"}, "max_tokens"),
        ("claude-3-5-haiku-latest", HI, {"reasoning_effort": "low"}, "reasoning_effort"),
        (OPUS, HI, {"reasoning_effort": "none"}, "reasoning_effort"),
        (OPUS, HI, {**TOOLS, "tool_choice": "required"}, "tool_choice"),
        (SONNET, HI, {"tool_choice": "required"}, "tool_choice"),
        (SONNET, HI, {**TOOLS, "tool_choice": "nothing"}, "tool_choice"),
        (
            SONNET,
            HI,
            {**TOOLS, "tool_choice": "now", "reasoning_effort": "low"},
            "tool_choice",
        ),
        (OPUS, HI, {"schema": {"type": "object"}}, "schema"),
        (
            OPUS,
            HI,
            {"schema": {"type": "object", "additionalProperties": {"type": "integer"}}},
            "schema",
        ),
        (OPUS, user(Audio(b"ID3")), {}, "content"),
        (OPUS, user(Image(b"BM", media_type="image/bmp")), {}, "content"),
        (OPUS, user(Document(b"PK", media_type="application/zip")), {}, "content"),
        (OPUS, user(Document(url="https://e.com/a", media_type="text/html")), {}, "content"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_field_that_cannot_be_said_is_refused_by_name(
    model: str, message: Message, asked: dict[str, Any], param: str
) -> None:
    error = refused(model, message, **asked)
    assert error.param == param
    assert error.hint or param in {"seed", "suffix"}


@pytest.mark.parametrize(
    ("model", "messages", "param"),
    [
        (OPUS, (Message("system", (Image(PNG),)), HI), "content"),
        (OPUS, (HI, Message("assistant", (Image(PNG),)), HI), "content"),
        (OPUS, (HI, Message("tool", "20")), "tool_call_id"),
        (OPUS, (HI, assistant("1.")), "messages"),
        (SONNET, (HI, assistant("A"), HI, Message("system", "B")), "messages"),
        (OPUS, (HI, assistant("A"), Message("system", "B"), HI), "messages"),
        (OPUS, (HI, Message("system", "B"), HI), "messages"),
        (OPUS, (Message("developer", "B"),), "messages"),
    ],
    ids=[
        "system image",
        "assistant image",
        "no id",
        "begun answer",
        "no turns",
        "place",
        "before",
        "system only",
    ],
)
def test_history_that_cannot_be_said_is_refused_by_name(
    model: str, messages: tuple[Message, ...], param: str
) -> None:
    assert refused(model, *messages).param == param


def test_begun_answer_behind_a_paused_tool_of_the_provider_is_sent() -> None:
    state = ProviderState(
        "anthropic",
        "anthropic",
        (
            {"type": "text", "text": "I search."},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        ),
    )
    body = body_of(encode(OPUS, (HI, assistant("I search.", provider_state=state)), {}))
    assert body["messages"][1]["content"] == list(state.items)


@pytest.mark.parametrize("arguments", ["", "  ", "null", "{}"])
def test_call_without_arguments_has_an_empty_object(arguments: str) -> None:
    body = body_of(encode(OPUS, (HI, assistant("", ToolCall("1", "now", arguments)), HI), {}))
    assert body["messages"][1]["content"][0]["input"] == {}


def test_model_with_a_budget_cannot_think_in_a_begun_answer() -> None:
    error = refused(SONNET, HI, assistant("1."), reasoning_effort="low")
    assert error.param == "reasoning_effort"
    assert "cannot be told reasoning_effort 'low'" in str(error)


@pytest.mark.parametrize("items", [({},), ({"text": ""},), ({"type": ["text"], "text": ""},)])
def test_state_with_blocks_of_no_type_is_left_out(items: Any) -> None:
    message = assistant("", PARIS, provider_state=ProviderState("anthropic", "anthropic", items))
    (block,) = body_of(encode(OPUS, (HI, message, HI), {}))["messages"][1]["content"]
    assert block["type"] == "tool_use"
    silent = assistant("", provider_state=ProviderState("anthropic", "anthropic", items))
    assert body_of(encode(OPUS, (HI, silent, HI), {}))["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    "changed",
    [
        {"content": "I shall not look."},
        {"tool_calls": ()},
        {"tool_calls": (ROME,)},
        {"provider_state": ProviderState("litellm", "anthropic", SIGNED.items)},
        {"provider_state": ProviderState("anthropic", "gemini", SIGNED.items)},
    ],
    ids=["text", "no call", "other call", "other provider", "other dialect"],
)
def test_state_that_does_not_fit_is_left_out(changed: dict[str, Any]) -> None:
    fields = {"content": "I shall look.", "tool_calls": (PARIS,), "provider_state": SIGNED}
    message = Message("assistant", reasoning="Look outside.", **{**fields, **changed})
    sent = json.dumps(body_of(encode(SONNET, (HI, message, HI), {})))
    assert "EqEE" not in sent
    assert "Look outside." not in sent
    assert message.text in sent

"""OpenAI Chat where a provider departs from OpenAI, what goes back to it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.content_parts import AUDIO_FORMS, DOCUMENT_FORMS
from llm_client.dialects.openai_chat import EFFORT_FORMS, OpenAIChat
from llm_client.exceptions import ValidationError
from llm_client.providers.catalog import CATALOG
from llm_client.types.content import Audio, Document, Image, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.target import ProviderSpec, Quirks, Target

COMPATIBLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden_openai_compatible.json").read_bytes()
)
PNG = b"\x89PNG\r\n\x1a\n"
PDF = b"%PDF-"
USER = Message("user", "hi")
NOW = Tool("now")
CALLS = (ToolCall("c1", "weather", '{"city": "Köln"}'), ToolCall("c2", "now", "{}"))
RESULTS = (
    Message("tool", "sunny", name="weather", tool_call_id="c1"),
    Message("tool", "12:00", tool_call_id="c2"),
)


def says(*parts: Any, **message: Any) -> LLMRequest:
    return LLMRequest((Message("user", parts, **message),))


def sent(request: LLMRequest, where: Target) -> dict[str, Any]:
    body = OpenAIChat().encode(request, where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


def router(**quirks: Any) -> Target:
    """Return a provider that departs from OpenAI."""
    row = ProviderSpec("router", "http://localhost:1/v1", "openai-chat", quirks=Quirks(**quirks))
    return Target(row, "m", row.base_url)


def stored(message: Message) -> Message:
    """Return a message as it comes back from a user who kept it as JSON."""
    return Message.parse(json.loads(json.dumps(message.to_dict())))


def answered(*items: dict[str, Any], **changes: Any) -> LLMRequest:
    """Return the request that follows an answer with a state."""
    message = Message(
        "assistant",
        "I look.",
        tool_calls=CALLS,
        reasoning="Two questions.",
        provider_state=ProviderState("router", "openai-chat", items),
    )
    return LLMRequest((USER, stored(replace(message, **changes)), *RESULTS))


IDS = [{"id": "c1"}, {"id": "c2"}]
DETAILS = {
    "reasoning_details": [
        {
            "type": "reasoning.text",
            "text": "Two questions.",
            "signature": "c2lnbmVk",
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 1},
    ],
    "tool_calls": IDS,
}
SIGNED = {
    "extra_content": {"google": {"thought_signature": "bWVzc2FnZQ=="}},
    "tool_calls": [
        {"id": "c1", "extra_content": {"google": {"thought_signature": "c2lnbmVk"}}},
        {"id": "c2"},
    ],
}
THOUGHT = {
    "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Two questions."}], "closed": True},
        {"type": "text", "text": "I look."},
    ],
    "tool_calls": IDS,
}  # fmt: skip
COMPATIBLE_CASES = {
    "older names": (
        LLMRequest((USER,), max_tokens=7, stream=True),
        router(max_tokens_field="max_tokens", stream_options=False),
    ),
    "cache marks": (
        LLMRequest(
            (
                Message("system", "be brief", cache=True),
                Message(
                    "user",
                    (Text("one"), Text("two"), Image(url="https://example.com/a.png")),
                    cache=True,
                ),
                Message("assistant", tool_calls=(ToolCall("c1", "now", "{}"),), cache=True),
                Message("tool", "12:00", tool_call_id="c1", cache=True),
            )
        ),
        router(cache_control=True),
    ),
    "echoed reasoning": (
        LLMRequest(
            (
                Message("user", "hi", reasoning="not mine"),
                Message("assistant", tool_calls=(ToolCall("c1", "now", "{}"),), reasoning="hm"),
                Message("tool", "12:00", tool_call_id="c1"),
                Message("assistant", "Noon."),
            )
        ),
        router(echo_reasoning="reasoning_content"),
    ),
    "mistral's own words": (
        LLMRequest(
            (
                Message("user", "hi", name="ada"),
                Message(
                    "user",
                    (
                        Document(PDF, media_type="application/pdf", name="a.pdf"),
                        Document(url="https://example.com/a.pdf"),
                        Audio(b"RIFF0000WAVE"),
                        Audio(url="https://example.com/a.mp3"),
                    ),
                ),
            ),
            seed=7,
            max_tokens=7,
            tools=(NOW,),
            tool_choice="required",
            reasoning_effort="high",
            stream=True,
        ),
        Target(CATALOG["mistral"], "m", "http://localhost:1/v1"),
    ),
    "document at an address": (
        says(Document(url="https://example.com/a.pdf")),
        Target(CATALOG["openrouter"], "m", "http://localhost:1/v1"),
    ),
    "reasoning details": (answered(DETAILS), router()),
    "thought signature": (answered(SIGNED), router()),
    "thinking in the content": (answered(THOUGHT), router()),
}


@pytest.mark.parametrize("name", COMPATIBLE_CASES)
def test_request_to_a_provider_that_departs_is_the_golden_body(name: str) -> None:
    assert sent(*COMPATIBLE_CASES[name]) == COMPATIBLE[name]


def test_golden_bodies_and_cases_are_the_same() -> None:
    assert COMPATIBLE_CASES.keys() == COMPATIBLE.keys()


@pytest.mark.parametrize(
    ("item", "changes"),
    [
        (DETAILS, {"tool_calls": CALLS[:1]}),
        (DETAILS, {"tool_calls": (CALLS[1], CALLS[0])}),
        (DETAILS | {"tool_calls": "c1"}, {}),
        (THOUGHT, {"content": "I looked."}),
        (THOUGHT | {"content": "I look"}, {}),
        (DETAILS, {"provider_state": ProviderState("other", "openai-chat", (DETAILS,))}),
        (DETAILS, {"provider_state": ProviderState("router", "anthropic", (DETAILS,))}),
        (DETAILS, {"provider_state": ProviderState("router", "openai-chat", ())}),
    ],
    ids=[
        "a call less",
        "calls in another order",
        "odd calls",
        "another text",
        "odd content",
        "of another provider",
        "of another dialect",
        "without items",
    ],
)
def test_state_that_is_not_of_this_message_is_dropped(
    item: dict[str, Any], changes: dict[str, Any]
) -> None:
    request = answered(item, **changes)
    message = sent(request, router())["messages"][1]
    plain = replace(request.messages[1], provider_state=None)
    assert message == sent(LLMRequest((USER, plain)), router())["messages"][1]
    assert message.keys() == {"role", "content", "tool_calls"}


def test_state_of_a_message_that_is_no_answer_is_dropped() -> None:
    state = ProviderState("router", "openai-chat", ({"reasoning_details": [{"type": "x"}]},))
    message = Message("user", "hi", provider_state=state)
    assert sent(LLMRequest((message,)), router())["messages"] == [{"role": "user", "content": "hi"}]


def test_plain_and_long_text_stay_as_they_are() -> None:
    """A server that is compatible may take no parts, and 100 MB must not be copied."""
    long = LongText([b"a" * 10, "ü".encode()])
    request = LLMRequest((Message("user", long),))
    assert sent(request, router())["messages"] == [{"role": "user", "content": "a" * 10 + "ü"}]


def test_long_text_in_a_part_is_sent_as_text() -> None:
    long = LongText([b"a" * 10, "ü".encode()])
    marked = sent(LLMRequest((Message("user", long, cache=True),)), router(cache_control=True))
    assert [part["text"] for part in marked["messages"][0]["content"]] == ["a" * 10 + "ü"]
    beside = sent(says(Text(long), Image(PNG)), router())
    assert beside["messages"][0]["content"][0] == {"type": "text", "text": "a" * 10 + "ü"}


EFFORTS = ("none", "minimal", "low", "high", "max")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("reasoning_effort", [{"reasoning_effort": effort} for effort in EFFORTS]),
        ("openrouter", [{"reasoning": {"effort": effort}} for effort in EFFORTS]),
        (
            "thinking",
            [{"thinking": {"type": kind}} for kind in ("disabled", *["enabled"] * 4)],
        ),
        (
            "thinking_effort",
            [
                {"thinking": {"type": "disabled"}},
                *(
                    {"thinking": {"type": "enabled"}, "reasoning_effort": effort}
                    for effort in EFFORTS[1:]
                ),
            ],
        ),
        (
            "enable_thinking",
            [
                {"enable_thinking": False},
                {"enable_thinking": True, "thinking_budget": 1024},
                {"enable_thinking": True, "thinking_budget": 4096},
                {"enable_thinking": True, "thinking_budget": 16_384},
                {"enable_thinking": True},
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_effort_is_said_in_the_form_of_the_provider(
    form: str, said: list[dict[str, object]]
) -> None:
    bare = sent(LLMRequest((USER,)), router())
    for effort, fields_of_it in zip(EFFORTS, said, strict=True):
        request = LLMRequest((USER,), reasoning_effort=effort)  # type: ignore[arg-type]
        assert sent(request, router(effort=form)) == bare | fields_of_it


def test_every_row_of_the_catalog_has_forms_that_are_known() -> None:
    said = {rule.effort for row in CATALOG.values() for rule in row.model_rules}
    assert said | {row.quirks.effort for row in CATALOG.values()} <= {*EFFORT_FORMS, ""}
    assert {row.quirks.document for row in CATALOG.values()} == DOCUMENT_FORMS.keys()
    assert {row.quirks.audio for row in CATALOG.values()} == AUDIO_FORMS.keys()


def test_effort_and_options_of_the_same_object_are_laid_over_each_other() -> None:
    where = replace(router(effort="openrouter"), options={"reasoning": {"exclude": True}})
    body = sent(LLMRequest((USER,), reasoning_effort="low"), where)
    assert body["reasoning"] == {"exclude": True, "effort": "low"}


AUDIO_URL = Audio(url="https://example.com/a.mp3")
PDF_URL = Document(url="https://example.com/a.pdf")


@pytest.mark.parametrize(
    ("request_", "where", "message", "param"),
    [
        (
            LLMRequest((USER,), suffix="end"),
            router(),
            "OpenAI Chat cannot be told suffix",
            "suffix",
        ),
        (
            LLMRequest((USER,), reasoning_effort="low"),
            router(effort=""),
            "router cannot be told reasoning_effort",
            "reasoning_effort",
        ),
        (
            LLMRequest((USER,), tools=(NOW,), tool_choice="required"),
            router(required_tool_choice=False),
            "router cannot be told tool_choice 'required'",
            "tool_choice",
        ),
        (
            LLMRequest((USER,), tools=(NOW,), tool_choice="now"),
            router(required_tool_choice=False),
            "router cannot be told tool_choice 'now'",
            "tool_choice",
        ),
        (
            LLMRequest((USER,), tools=(NOW,), tool_choice="later"),
            router(),
            "'later' is neither a mode nor the name",
            "tool_choice",
        ),
        (says(PDF_URL), router(), "fetches no document", "content"),
        (says(AUDIO_URL), router(), "fetches no audio", "content"),
        (
            LLMRequest((USER, Message("assistant", (Image(PNG),)))),
            router(),
            "takes no image in a message of role 'assistant'",
            "content",
        ),
        (
            LLMRequest((USER, Message("tool", (Text("a"), Image(PNG)), tool_call_id="c"))),
            router(),
            "takes no image in a message of role 'tool'",
            "content",
        ),
        (
            LLMRequest((Message("system", (Document(PDF),)), USER)),
            router(),
            "takes no document in a message of role 'system'",
            "content",
        ),
        (
            LLMRequest((USER,), temperature=0.5),
            replace(router(), model="gpt-5"),
            "gpt-5 cannot be told temperature 0.5",
            "temperature",
        ),
        (
            LLMRequest((USER,), stop=("x",)),
            replace(router(), model="o4-mini"),
            "o4-mini cannot be told stop",
            "stop",
        ),
        (
            LLMRequest((USER,), reasoning_effort="max"),
            replace(router(), model="gpt-5"),
            "gpt-5 cannot be told reasoning_effort 'max'",
            "reasoning_effort",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_said_is_refused_by_name(
    request_: LLMRequest, where: Target, message: str, param: str
) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        sent(request_, where)
    assert caught.value.param == param
    assert caught.value.hint


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_tool_choice_that_any_provider_knows_is_sent(choice: str) -> None:
    request = LLMRequest((USER,), tools=(NOW,), tool_choice=choice)
    assert sent(request, router(required_tool_choice=False))["tool_choice"] == choice


@pytest.mark.parametrize(
    ("title", "name"),
    [("A_b-1", "A_b-1"), ("größe", "answer"), ("two words", "answer"), (3, "answer")],
    ids=str,
)
def test_schema_has_a_name_that_is_allowed(title: object, name: str) -> None:
    schema = {"title": title, "type": "object"}
    format = sent(LLMRequest((USER,), schema=schema), router())["response_format"]
    assert format["json_schema"] == {"name": name, "schema": schema}

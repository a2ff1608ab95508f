"""A conversation that one provider answered goes on with any other: said whole, or refused by name.

Every answer passes through `Message.to_dict` and JSON, as it would in a session file.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_client.dialects import DIALECTS, find_dialect
from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, Part, Text
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest

from .histories import (
    OPAQUE,
    PARIS,
    PLACES,
    ROME,
    SECRET,
    TEXT,
    THOUGHT,
    TOOLS,
    Place,
    answered,
    named,
)

WEATHER = Tool("weather", parameters={"type": "object", "properties": {"city": {}}})
FIRST, SECOND = ["18 °C", "24 °C"], ["19 °C", "25 °C"]
IDS = {
    "openai:openai-chat": ".{1,40}",
    "mistral:openai-chat": "[A-Za-z0-9]{9}",
    "openai:openai-responses": ".{1,64}",
    "anthropic:anthropic": "[A-Za-z0-9_-]+",
}
"""What these take as the id of a call; the others take any."""


def results(message: Message, texts: list[str]) -> list[Message]:
    return [
        Message("tool", text, name=call.name, tool_call_id=call.id)
        for call, text in zip(message.tool_calls, texts, strict=True)
    ]


def conversation(maker: Place) -> tuple[Message, ...]:
    """Return two answers of a maker in one loop of tools: ids made up here come again."""
    answer = answered(maker)
    assert answer.text == TEXT
    assert [json.loads(call.arguments) for call in answer.tool_calls] == [PARIS, ROME]
    return (
        Message("system", "Be brief.", cache=True),
        Message("developer", "In French."),
        Message("user", "Where is it warmer?", name="ada", cache=True),
        answer,
        *results(answer, FIRST),
        answered(maker),
        *results(answer, SECOND),
    )


def sent(taker: Place, *messages: Message, **asked: Any) -> dict[str, Any]:
    request = LLMRequest(messages, **asked)
    body = json.loads(find_dialect(taker.dialect).encode(request, taker.target).body or b"")
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize("taker", PLACES, ids=named)
@pytest.mark.parametrize("maker", PLACES, ids=named)
def test_loop_of_tools_made_anywhere_is_said_everywhere(maker: Place, taker: Place) -> None:
    body = sent(taker, *conversation(maker), tools=(WEATHER,))
    written = json.dumps(body, ensure_ascii=False)
    for text in ("Be brief.", "In French.", "Where is it warmer?"):
        assert written.count(text) == 1
    assert written.count(TEXT) == 2
    said = TOOLS[taker.dialect](body)
    assert [arguments for _, arguments in said.calls] == [PARIS, ROME] * 2
    assert [text for _, text in said.results] == FIRST + SECOND
    ids = [id for id, _ in said.calls]
    assert [id for id, _ in said.results] == ids
    if named(taker) in IDS:
        assert all(re.fullmatch(IDS[named(taker)], id) for id in ids)
        state = answered(maker).provider_state
        is_own = state is not None and state.fits(taker.provider, taker.dialect)
        # What goes back as it came keeps its ids; that they come twice is this test's doing.
        assert len(set(ids)) == (2 if is_own else 4)


@pytest.mark.parametrize("taker", PLACES, ids=named)
@pytest.mark.parametrize("maker", sorted(OPAQUE), ids=named)
def test_what_only_its_maker_reads_goes_back_to_it_and_to_nobody_else(
    maker: Place, taker: Place
) -> None:
    written = json.dumps(sent(taker, *conversation(maker), tools=(WEATHER,)))
    assert written.count(SECRET) == (2 if taker == maker else 0)
    if taker == maker:
        assert written.count(THOUGHT) == 2


def test_makers_with_something_to_hide_are_those_that_have_a_state() -> None:
    kept = {place for place in PLACES if answered(place).provider_state is not None}
    # Thinking between the parts of Mistral, and beside Cohere's calls, has no other place.
    plain = {place for place in kept - OPAQUE if place.provider in {"mistral", "cohere"}}
    assert kept - plain == OPAQUE
    assert {place.dialect for place in PLACES} == DIALECTS.keys() - {"openai-completions"}


@pytest.mark.parametrize("maker", PLACES, ids=named)
def test_text_completion_refuses_a_conversation_by_name(maker: Place) -> None:
    where = Place("openai", "openai-completions", "gpt-3.5-turbo-instruct")
    with pytest.raises(ValidationError) as caught:
        sent(where, *conversation(maker))
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    ("provider", "model", "role"),
    [
        ("openai", "gpt-5.1", "developer"),
        ("openai", "gpt-4.1", "system"),
        ("deepseek", "deepseek-v4-flash", "system"),
        ("mistral", "mistral-small-latest", "system"),
    ],
)
def test_developer_is_said_only_to_models_that_know_the_role(
    provider: str, model: str, role: str
) -> None:
    body = sent(Place(provider, "openai-chat", model), *conversation(PLACES[0]))
    assert [message["role"] for message in body["messages"]][:3] == ["system", role, "user"]


PNG, PDF, MP3 = b"\x89PNG\r\n\x1a\n123", b"%PDF-1.7 123", b"ID3\x04 123"
ADDRESS = "https://example.com/file"
KINDS: dict[str, tuple[str, Part, str]] = {
    # Who says it, what, and the dialects that take it: c(hat) r(esponses) t(ext completion)
    # a(nthropic) g(emini) o(llama) C(ohere).
    "text": ("user", Text("some words"), "crtagoC"),
    "image": ("user", Image(PNG), "cragoC"),
    "image by address": ("user", Image(url=ADDRESS), "cragC"),
    "document": ("user", Document(PDF, name="a.pdf"), "crag"),
    "document by address": ("user", Document(url=ADDRESS), "rag"),
    "audio": ("user", Audio(MP3), "cg"),
    "audio by address": ("user", Audio(url=ADDRESS), "g"),
    "image in a result": ("tool", Image(PNG), "rago"),
    "document in a result": ("tool", Document(PDF, name="a.pdf"), "rag"),
    "audio in a result": ("tool", Audio(MP3), "g"),
    "image in an answer": ("assistant", Image(PNG), "go"),
}
ASKED = {
    "c": Place("openai", "openai-chat", "gpt-4.1"),
    "r": Place("openai", "openai-responses", "gpt-5.6"),
    "t": Place("openai", "openai-completions", "davinci-002"),
    "a": Place("anthropic", "anthropic", "claude-opus-5-5"),
    "g": Place("gemini", "gemini", "gemini-3-flash-preview"),
    "o": Place("ollama", "ollama", "qwen3-vl"),
    "C": Place("cohere", "cohere", "command-a-vision-07-2025"),
}


def around(role: str, part: Part) -> tuple[Message, ...]:
    """Return a conversation in which a message of a role holds a part; it went through JSON."""
    call = ToolCall("call_1", "weather", "{}")
    if role == "user":
        messages: tuple[Message, ...] = (Message("user", (part,)),)
    elif role == "tool":
        result = Message("tool", (Text("See:"), part), name="weather", tool_call_id="call_1")
        messages = (Message("user", "Go."), Message("assistant", "", tool_calls=(call,)), result)
    else:
        answer = Message("assistant", (Text("See:"), part))
        messages = (Message("user", "Go."), answer, Message("user", "More."))
    return tuple(Message.parse(json.loads(json.dumps(m.to_dict()))) for m in messages)


@pytest.mark.parametrize("letter", ASKED, ids=lambda letter: ASKED[letter].dialect)
@pytest.mark.parametrize("kind", KINDS)
def test_part_of_any_kind_is_said_whole_or_refused_by_name(kind: str, letter: str) -> None:
    role, part, takers = KINDS[kind]
    messages, taker = around(role, part), ASKED[letter]
    if letter in takers:
        content = "some words" if isinstance(part, Text) else part.url or part.base64
        assert content in json.dumps(sent(taker, *messages))
        return
    with pytest.raises(ValidationError) as caught:
        sent(taker, *messages)
    assert caught.value.param == ("messages" if letter == "t" and role != "user" else "content")
    assert caught.value.hint or letter == "t"


@pytest.mark.parametrize("effort", [None, "low"])
@pytest.mark.parametrize("maker", PLACES, ids=named)
def test_claude_with_a_budget_thinks_on_only_in_an_answer_of_its_own(
    maker: Place, effort: Any
) -> None:
    claude = Place("anthropic", "anthropic", "claude-sonnet-4-5")
    loop = conversation(maker)
    if effort is not None and maker != claude:
        with pytest.raises(ValidationError, match="cannot be told reasoning_effort") as caught:
            sent(claude, *loop, tools=(WEATHER,), reasoning_effort=effort)
        assert caught.value.param == "reasoning_effort"
        loop = (*loop, Message("user", "So?"))
    assert sent(claude, *loop, tools=(WEATHER,), reasoning_effort=effort)["messages"]
    newer = Place("anthropic", "anthropic", "claude-opus-5-5")
    assert sent(newer, *loop, tools=(WEATHER,), reasoning_effort=effort)["messages"]

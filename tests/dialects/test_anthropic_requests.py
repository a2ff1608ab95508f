"""Address, headers, key and configuration of requests to Anthropic; what hints may do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_client.dialects.anthropic import Anthropic
from llm_client.exceptions import ValidationError
from llm_client.providers.anthropic_models import anthropic_model
from llm_client.types.content import ProviderState, Text
from llm_client.types.http import HttpRequest
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.target import Target

from .answers import target

HI = Message("user", "Hi")
CLAUDE = target("anthropic", "sk-1", model="claude-sonnet-4-0")


def encode(where: Target, *messages: Message, **asked: Any) -> HttpRequest:
    return Anthropic().encode(LLMRequest(messages or (HI,), **asked), where)


def body_of(where: Target, *messages: Message, **asked: Any) -> dict[str, Any]:
    body = json.loads(encode(where, *messages, **asked).body or b"")
    assert isinstance(body, dict)
    return body


def test_request_has_version_and_key_of_its_own() -> None:
    request = encode(CLAUDE)
    assert request.url == "http://localhost:1/v1/messages"
    assert dict(request.headers) == {
        "accept": "application/json",
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "sk-1",
    }
    assert "x-api-key" in request.secret_headers


def test_streamed_request_asks_for_events() -> None:
    assert dict(encode(CLAUDE, stream=True).headers)["accept"] == "text/event-stream"


def test_address_that_ends_in_the_version_is_not_given_it_twice() -> None:
    where = replace(CLAUDE, base_url="http://localhost:8080/v1")
    assert encode(where).url == "http://localhost:8080/v1/messages"


@pytest.mark.parametrize(
    ("version", "header"),
    [
        ("2026-10-21", "authorization"),
        ("2027-01-01", "authorization"),
        ("2023-06-01", "x-api-key"),
        ("vertex-2023-10-16", "x-api-key"),
    ],
)
def test_version_of_the_configuration_decides_how_the_key_goes(version: str, header: str) -> None:
    headers = dict(encode(replace(CLAUDE, headers=(("Anthropic-Version", version),))).headers)
    assert headers["anthropic-version"] == version
    assert headers[header] == ("Bearer sk-1" if header == "authorization" else "sk-1")
    assert len(headers.keys() & {"authorization", "x-api-key"}) == 1


def test_provider_that_wants_another_key_is_given_it() -> None:
    row = replace(target("vllm").provider, key_header="Authorization")
    headers = dict(encode(replace(CLAUDE, provider=row)).headers)
    assert headers["authorization"] == "Bearer sk-1"
    assert "x-api-key" not in headers


@pytest.mark.parametrize("asked", [{"temperature": 1.0}, {"top_p": 1.0}], ids=str)
def test_sampling_is_refused_by_the_newer_version_even_at_its_default(
    asked: dict[str, Any],
) -> None:
    where = replace(CLAUDE, headers=(("anthropic-version", "2026-10-21"),))
    with pytest.raises(ValidationError, match="2026-10-21"):
        encode(where, **asked)
    assert body_of(CLAUDE, **asked).items() >= asked.items()


def test_configuration_lies_under_what_is_asked_for() -> None:
    options = {"max_tokens": 7, "top_k": 5, "thinking": {"type": "enabled"}, "stream": True}
    where = replace(CLAUDE, options=options)
    assert body_of(where) == {
        "model": "claude-sonnet-4-0",
        "max_tokens": 7,
        "messages": [{"role": "user", "content": "Hi"}],
        "top_k": 5,
        "thinking": {"type": "enabled"},
    }
    assert body_of(where, max_tokens=9, reasoning_effort="none")["max_tokens"] == 9
    assert body_of(where, max_tokens=9, reasoning_effort="none")["thinking"] == {"type": "disabled"}


def test_configured_limit_bounds_the_thinking() -> None:
    where = replace(CLAUDE, options={"max_tokens": 2000})
    body = body_of(where, reasoning_effort="high")
    assert body["max_tokens"] == 2000
    assert body["thinking"]["budget_tokens"] == 1500


def test_more_cache_hints_than_breakpoints_leave_the_first_and_the_last() -> None:
    messages = [Message("system", "S", cache=True)]
    messages += [Message("user" if i % 2 else "assistant", str(i), cache=True) for i in range(1, 6)]
    body = body_of(CLAUDE, *messages)
    marked = [isinstance(message["content"], list) for message in body["messages"]]
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert marked == [False, False, True, True, True]


def test_cache_hint_goes_to_the_last_block_that_can_carry_it() -> None:
    items = (
        {"type": "text", "text": "A"},
        {"type": "thinking", "thinking": "t", "signature": "s"},
    )
    state = ProviderState("anthropic", "anthropic", items)
    message = Message("assistant", "A", provider_state=state, cache=True)
    blocks = body_of(CLAUDE, HI, message, HI)["messages"][1]["content"]
    assert blocks == [{**items[0], "cache_control": {"type": "ephemeral"}}, items[1]]


def test_cache_hint_on_an_empty_message_changes_nothing() -> None:
    body = body_of(CLAUDE, HI, Message("assistant", "", cache=True), HI)
    assert "cache_control" not in json.dumps(body)


def test_texts_without_anything_in_them_are_left_out() -> None:
    items = ({"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": ""})
    state = ProviderState("anthropic", "anthropic", items)
    messages = (
        Message("user", (Text(" "), Text("Hi"))),
        Message("assistant", "", provider_state=state),
        Message("assistant", "\n"),
        Message("user", "Go on"),
    )
    assert body_of(CLAUDE, *messages)["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [items[0]]},
        {"role": "user", "content": "Go on"},
    ]


@pytest.mark.parametrize(
    ("asked", "asking", "kept"),
    [
        ("claude-opus-5-5", "claude-opus-5-5", True),
        ("claude-opus-5-5", "claude-sonnet-5-5", False),
        ("claude-sonnet-5", "claude-haiku-5-5", False),
        ("claude-fable-5-1", "claude-opus-5", False),
        ("claude-sonnet-4-5", "claude-sonnet-4-6", True),
        ("", "claude-opus-5-5", True),
    ],
)
def test_thinking_goes_back_to_another_model_only_where_that_takes_it(
    asked: str, asking: str, kept: bool
) -> None:
    items = (
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "A"},
    )
    state = ProviderState("anthropic", "anthropic", items, asked)
    written = json.dumps(Message("assistant", "A", provider_state=state).to_dict())
    message = Message.parse(json.loads(written))
    body = body_of(replace(CLAUDE, model=asking), HI, message, HI)
    assert body["messages"][1]["content"] == (list(items) if kept else "A")


def test_thinking_goes_back_unsigned_only_where_it_is_wanted() -> None:
    message = Message("assistant", "A", reasoning="Because.")
    assert body_of(CLAUDE, HI, message, HI)["messages"][1]["content"] == "A"
    quirks = replace(CLAUDE.provider.quirks, echo_reasoning="reasoning_content")
    where = replace(CLAUDE, provider=replace(CLAUDE.provider, quirks=quirks))
    assert body_of(where, HI, message, HI)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Because.", "signature": ""},
        {"type": "text", "text": "A"},
    ]


@pytest.mark.parametrize("arguments", ["[1]", "{", '"a"'])
def test_arguments_that_are_no_object_go_back_as_what_they_were(arguments: str) -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("1", "now", arguments),))
    block = body_of(CLAUDE, HI, call, HI)["messages"][1]["content"][0]
    assert block["input"] == {"INVALID_JSON": arguments}


def test_long_text_is_sent_whole() -> None:
    text = LongText([b"caf\xc3\xa9 ", b"au lait"])
    body = body_of(CLAUDE, Message("user", text), Message("user", "now"))
    assert body["messages"][0]["content"][0]["text"] == "café au lait"
    assert body_of(CLAUDE, Message("user", text))["messages"][0]["content"] == "café au lait"


def test_sampling_of_an_unknown_model_is_left_to_its_server() -> None:
    body = body_of(target("llamacpp", model="tiny"), temperature=1.5, top_p=0.5)
    assert (body["temperature"], body["top_p"]) == (1.5, 0.5)


def test_limit_of_an_unknown_model_makes_room_for_its_thinking() -> None:
    body = body_of(target("llamacpp", model="tiny"), reasoning_effort="high")
    assert body["max_tokens"] == 4096 + 16_384
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 15_360}


@pytest.mark.parametrize(
    ("name", "limit", "thinking", "off"),
    [
        ("claude-opus-5-5", 128_000, "adaptive", ""),
        ("claude-sonnet-5-5", 128_000, "adaptive", "between_tools"),
        ("claude-haiku-5-5", 128_000, "adaptive", "disabled"),
        ("claude-fable-5-2", 128_000, "adaptive", ""),
        ("claude-mythos-preview", 128_000, "adaptive", ""),
        ("claude-opus-5", 128_000, "adaptive", "disabled"),
        ("anthropic/claude-opus-4.7", 128_000, "adaptive", "disabled"),
        ("us.anthropic.claude-opus-4-6-v1", 128_000, "adaptive", "disabled"),
        ("claude-haiku-4-5-20251001", 64_000, "budget", "disabled"),
        ("claude-opus-4-1@20250805", 32_000, "budget", "disabled"),
        ("claude-sonnet-4-20250514", 64_000, "budget", "disabled"),
        ("claude-3-7-sonnet-latest", 64_000, "budget", "disabled"),
        ("claude-3-5-haiku-latest", 8_192, "", "disabled"),
        ("claude-3-haiku-20240307", 4_096, "", "disabled"),
        ("claude-2.1", 4_096, "", "disabled"),
        ("claude-nova-9", 32_000, "adaptive", "disabled"),
        ("deepseek-chat", 4_096, "budget", "disabled"),
    ],
)
def test_model_by_any_of_its_names_has_its_facts(
    name: str, limit: int, thinking: str, off: str
) -> None:
    row = anthropic_model(name)
    assert (row.max_tokens, row.thinking, row.off) == (limit, thinking, off)


@pytest.mark.parametrize(
    ("name", "forced"),
    [
        ("claude-fable-5", True),
        ("claude-fable-5-1", False),
        ("claude-mythos-5", True),
        ("claude-mythos-5-2", False),
        ("claude-opus-5", True),
        ("claude-opus-5-5", False),
        ("claude-sonnet-5", True),
        ("claude-sonnet-5-5", False),
        ("claude-haiku-5-5", True),
    ],
)
def test_model_of_the_newest_generation_takes_no_forced_call(name: str, forced: bool) -> None:
    assert anthropic_model(name).forced_tools is forced


def test_state_whose_model_is_no_text_is_refused() -> None:
    state = {"provider": "anthropic", "dialect": "anthropic", "items": [], "model": 5}
    with pytest.raises(ValidationError, match="provider_state"):
        Message.parse({"role": "assistant", "content": "A", "provider_state": state})

"""The exact requests that both dialects send."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from llm_client.dialects.base import Dialect, ListsModels
from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import ValidationError
from llm_client.types.http import Timeouts
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.target import Target

from .answers import target

USER = Message("user", "hi")
ASK = LLMRequest((USER,))
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool("weather", "Tells it.", PARAMETERS)
SCHEMA = {"title": "City", "type": "object"}
CALL = ToolCall("c1", "weather", '{"city": "Köln"}')
CONVERSATION = (
    Message("system", "be brief"),
    Message("developer", "be kind"),
    Message("user", "hi", name="ada"),
    Message("assistant", "", tool_calls=(CALL,), reasoning="hm"),
    Message("tool", "sunny", name="weather", tool_call_id="c1"),
    Message("assistant", "Sunny!"),
)
FULL = LLMRequest(
    (USER,),
    temperature=0.5,
    top_p=0.9,
    max_tokens=7,
    stop=("END", "\n\n"),
    seed=3,
    tools=(TOOL,),
    tool_choice="auto",
    schema=SCHEMA,
    extra_body={"min_p": 0.1},
    stream=True,
)
OPENAI_USER = {"role": "user", "content": "hi"}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": PARAMETERS},
}


def sent(dialect: Dialect, request: LLMRequest, where: Target) -> dict[str, Any]:
    body = dialect.encode(request, where).body
    assert body is not None
    value = json.loads(body)
    assert isinstance(value, dict)
    return value


def openai(request: LLMRequest, provider: str = "openai", **where: Any) -> dict[str, Any]:
    return sent(OpenAIChat(), request, target(provider, **where))


def ollama(request: LLMRequest, **where: Any) -> dict[str, Any]:
    return sent(Ollama(), request, target("ollama", **where))


def test_openai_bare_request_sends_nothing_unasked() -> None:
    assert openai(ASK) == {"model": "some-model", "messages": [OPENAI_USER]}


def test_openai_full_request_sends_every_field() -> None:
    assert {f.name for f in fields(LLMRequest)} == {
        "messages", "temperature", "top_p", "max_tokens", "stop", "seed", "tools", "tool_choice",
        "schema", "extra_body", "stream",
    }  # fmt: skip
    assert openai(FULL) == {
        "model": "some-model",
        "messages": [OPENAI_USER],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 7,
        "stop": ["END", "\n\n"],
        "seed": 3,
        "tools": [OPENAI_TOOL],
        "tool_choice": "auto",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "City", "schema": SCHEMA},
        },
        "min_p": 0.1,
    }


def test_openai_quirks_change_names_and_leave_out() -> None:
    assert openai(FULL, "vllm")["max_tokens"] == 7
    assert "max_completion_tokens" not in openai(FULL, "vllm")
    where = target("vllm")
    quirks = replace(where.provider.quirks, stream_options=False)
    where = replace(where, provider=replace(where.provider, quirks=quirks))
    assert "stream_options" not in sent(OpenAIChat(), FULL, where)


def test_openai_conversation_is_sent_in_its_shape() -> None:
    assert openai(LLMRequest(CONVERSATION))["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": "hi", "name": "ada"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "name": "weather", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Sunny!"},
    ]


@pytest.mark.parametrize(
    ("choice", "encoded"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_openai_tool_choice_is_a_mode_or_a_tool(choice: str | None, encoded: object) -> None:
    body = openai(LLMRequest((USER,), tools=(TOOL,), tool_choice=choice))
    assert body.get("tool_choice") == encoded


def test_openai_tool_choice_of_an_unknown_tool_is_refused() -> None:
    with pytest.raises(ValidationError, match="'wether' is neither a mode nor") as caught:
        openai(LLMRequest((USER,), tools=(TOOL,), tool_choice="wether"))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({"title": "A_b-1"}, "A_b-1"),
        ({"title": "größe"}, "answer"),
        ({"title": "two words"}, "answer"),
        ({"title": "x" * 65}, "answer"),
        ({"title": 3}, "answer"),
        ({}, "answer"),
    ],
    ids=str,
)
def test_openai_schema_has_a_name_that_is_allowed(schema: dict[str, object], name: str) -> None:
    body = openai(LLMRequest((USER,), schema=schema))
    assert body["response_format"]["json_schema"] == {"name": name, "schema": schema}


def test_openai_options_yield_to_the_request_and_extra_body_wins() -> None:
    options = {"temperature": 0.1, "top_k": 1, "min_p": 0.2, "stream": True, "model": "other"}
    request = LLMRequest((USER,), temperature=0.5, extra_body={"min_p": 0.3, "seed": None})
    assert openai(request, options=options) == {
        "model": "some-model",
        "messages": [OPENAI_USER],
        "temperature": 0.5,
        "top_k": 1,
        "min_p": 0.3,
        "seed": None,
    }
    assert openai(LLMRequest((USER,), extra_body={"model": "mine"}))["model"] == "mine"


OLLAMA_BARE = {
    "model": "some-model",
    "messages": [OPENAI_USER],
    "stream": False,
    "truncate": False,
}


def test_ollama_bare_request_says_what_its_defaults_get_wrong() -> None:
    assert ollama(ASK) == OLLAMA_BARE


def test_ollama_full_request_sends_every_field() -> None:
    assert ollama(FULL) == {
        **OLLAMA_BARE,
        "stream": True,
        "tools": [OPENAI_TOOL],
        "format": SCHEMA,
        "options": {
            "temperature": 0.5,
            "top_p": 0.9,
            "num_predict": 7,
            "stop": ["END", "\n\n"],
            "seed": 3,
            "min_p": 0.1,
        },
    }


def test_ollama_conversation_is_sent_in_its_shape() -> None:
    assert ollama(LLMRequest(CONVERSATION))["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [
                {"id": "c1", "function": {"name": "weather", "arguments": {"city": "Köln"}}}
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "c1", "tool_name": "weather"},
        {"role": "assistant", "content": "Sunny!"},
    ]


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_ollama_empty_arguments_are_an_empty_object(arguments: str) -> None:
    message = Message("assistant", tool_calls=(ToolCall("c", "f", arguments),))
    body = ollama(LLMRequest((USER, message)))
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == {}


@pytest.mark.parametrize("arguments", ["{", "[1]", "3"])
def test_ollama_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    message = Message("assistant", tool_calls=(ToolCall("c", "f", arguments),))
    with pytest.raises(ValidationError, match="no JSON object"):
        ollama(LLMRequest((USER, message)))


@pytest.mark.parametrize("choice", ["none", "required", "weather"])
def test_ollama_tool_choice_it_cannot_be_told_is_refused(choice: str) -> None:
    with pytest.raises(ValidationError, match=f"tool_choice {choice!r}: it only knows auto"):
        ollama(LLMRequest((USER,), tools=(TOOL,), tool_choice=choice))


def test_ollama_options_and_top_level_fields_go_where_they_belong() -> None:
    options = {"num_ctx": 8192, "keep_alive": "5m", "temperature": 0.1, "options": {"mirostat": 1}}
    extra = {"think": "low", "num_ctx": 4096, "truncate": True, "options": {"top_k": 2}}
    request = LLMRequest((USER,), temperature=0.5, extra_body=extra)
    assert ollama(request, options=options) == {
        **OLLAMA_BARE,
        "truncate": True,
        "keep_alive": "5m",
        "think": "low",
        "options": {"num_ctx": 4096, "temperature": 0.5, "mirostat": 1, "top_k": 2},
    }


DIALECTS = [(OpenAIChat(), "openai", "/chat/completions"), (Ollama(), "ollama", "/api/chat")]


@pytest.mark.parametrize(("dialect", "provider", "path"), DIALECTS, ids=["openai", "ollama"])
def test_text_that_is_no_utf8_is_sent_with_replacements(
    dialect: Dialect, provider: str, path: str
) -> None:
    body = dialect.encode(
        LLMRequest((Message("user", "a\udcff\ud83cz 🌍"),)), target(provider)
    ).body
    assert body is not None
    assert json.loads(body.decode("utf-8"))["messages"][0]["content"] == "a??z 🌍"


@pytest.mark.parametrize(("dialect", "provider", "path"), DIALECTS, ids=["openai", "ollama"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"], ids=str)
def test_value_that_json_cannot_say_is_refused(
    dialect: Dialect, provider: str, path: str, value: object
) -> None:
    request = LLMRequest((USER,), extra_body={"x": value})
    with pytest.raises(ValidationError, match="cannot be written as JSON"):
        dialect.encode(request, target(provider))


def test_long_text_is_sent_as_the_same_json() -> None:
    """It is encoded in pieces, which saves memory and must not show."""
    long = 'a"\\\n\u2028Grüße 🌍\udcff' * 100_000
    extra = {"list": [long, {"n": None, long[:9]: long}, [1.5, long]], "pair": (long, True), "2": 2}
    request = LLMRequest((Message("user", long), USER), extra_body=extra)
    plain = {"model": "some-model", "messages": [{"role": "user", "content": long}, OPENAI_USER]}
    expected = json.dumps({**plain, **extra}, ensure_ascii=False, separators=(",", ":"))
    body = OpenAIChat().encode(request, target("openai")).body
    assert body == expected.encode("utf-8", "replace")


@pytest.mark.parametrize("value", [float("nan"), {1}, {(1, 2): 3}], ids=str)
def test_value_beside_a_long_text_that_json_cannot_say_is_refused(value: object) -> None:
    request = LLMRequest((Message("user", "x" * 2_000_000),), extra_body={"x": [value, "y"]})
    with pytest.raises(ValidationError, match="cannot be written as JSON"):
        OpenAIChat().encode(request, target("openai"))


@pytest.mark.parametrize(("dialect", "provider", "path"), DIALECTS, ids=["openai", "ollama"])
def test_request_has_address_headers_and_masked_key(
    dialect: Dialect, provider: str, path: str
) -> None:
    where = target(provider, "sk-very-secret", timeouts=Timeouts(1.0, 2.0, 3.0))
    request = dialect.encode(replace(ASK, stream=True), where)
    stream_type = "application/x-ndjson" if provider == "ollama" else "text/event-stream"
    assert (request.method, request.url) == ("POST", where.base_url + path)
    assert dict(request.headers) == {
        "accept": stream_type,
        "content-type": "application/json",
        "authorization": "Bearer sk-very-secret",
    }
    assert request.timeouts == where.timeouts
    assert request.shown_headers()["authorization"] == "***"
    assert "sk-very-secret" not in repr(request)
    whole = dialect.encode(ASK, target(provider))
    assert dict(whole.headers)["accept"] == "application/json"
    assert "authorization" not in dict(whole.headers)


@pytest.mark.parametrize(
    ("dialect", "provider", "path"),
    [(OpenAIChat(), "openai", "/models"), (Ollama(), "ollama", "/api/tags")],
    ids=["openai", "ollama"],
)
@pytest.mark.parametrize(
    ("given", "first_byte"),
    [
        (Timeouts(5.0, 300.0, 30.0), 30.0),
        (Timeouts(5.0, 3.0, 30.0), 3.0),
        (Timeouts(5.0, 300.0, None), 300.0),
        (Timeouts(5.0, None, 30.0), 30.0),
        (Timeouts(5.0, None, None), None),
    ],
    ids=["silence", "first byte", "no silence", "no first byte", "neither"],
)
def test_model_list_is_asked_for_and_waited_for_shortly(
    dialect: ListsModels, provider: str, path: str, given: Timeouts, first_byte: float | None
) -> None:
    where = target(provider, timeouts=given)
    request = dialect.encode_models(where)
    assert (request.method, request.url, request.body) == ("GET", where.base_url + path, None)
    assert "content-type" not in dict(request.headers)
    assert dict(request.headers)["accept"] == "application/json"
    assert request.timeouts == replace(given, first_byte=first_byte)

"""What is part of the key of a cached answer, field by field, and which answers are kept."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import pytest

from llm_client.policy.cache_key import cache_key, is_worth_keeping
from llm_client.providers.catalog import CATALOG
from llm_client.types.content import Audio, Document, Image, Part, ProviderState, Text
from llm_client.types.http import Timeouts
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse
from llm_client.types.secret import Secret
from llm_client.types.target import Target

PNG = b"\x89PNG\r\n\x1a\n"
TARGET = Target(CATALOG["openai"], "gpt", "https://api.test/v1", api_key=Secret("sk-one-account"))
STATE = ProviderState("openai", "openai-responses", ({"id": "rs_1"},), "gpt")
MESSAGE = Message("user", "hi")
REQUEST = LLMRequest((MESSAGE,))


class Shape:
    """Stands for what an answer becomes."""


REQUESTS: dict[str, list[Any]] = {
    "messages": [(Message("user", "ho"),), (MESSAGE, MESSAGE)],
    "temperature": [0.0, 0.5],
    "top_p": [0.0, 0.5],
    "max_tokens": [1, 2],
    "stop": [("a",), ("b",), ("a", "b"), ("ab",)],
    "seed": [0, 1],
    "tools": [(Tool("f"),), (Tool("f", "does f"),), (Tool("f", parameters={"type": "object"}),)],
    "tool_choice": ["auto", "none"],
    "schema": [{}, {"type": "object"}, {"type": "array"}],
    "reasoning_effort": ["low", "high"],
    "suffix": ["", "a"],
    "extra_body": [{"a": 1}, {"a": 2}, {"b": 1}, {"a": None}, {"a": [1]}, {"a": {"b": 1}}],
}
MESSAGES: dict[str, list[Any]] = {
    "role": ["system", "assistant"],
    "content": ["ho", (), (Text("hi"),), (Text("hi"), Text("hi")), (Image(PNG),)],
    "name": ["Ada", "Bob"],
    "tool_call_id": ["1", "2"],
    "tool_calls": [(ToolCall("1", "f", "{}"),), (ToolCall("1", "f", '{"a": 1}'),)],
    "reasoning": ["hm", "well"],
    "provider_state": [STATE, replace(STATE, items=({"id": "rs_2"},))],
}
IMAGES: dict[str, list[Any]] = {
    "data": [PNG + b"1", PNG + b"2"],
    "media_type": ["image/webp", "image/gif"],
    "detail": ["low", "high"],
}
CALLS: dict[str, list[Any]] = {"id": ["2"], "name": ["g"], "arguments": ["{ }", "{  }"]}
STATES: dict[str, list[Any]] = {
    "provider": ["x"],
    "dialect": ["x"],
    "items": [(), ({},)],
    "model": ["x", ""],
}
TOOLS: dict[str, list[Any]] = {"name": ["y"], "description": ["d"], "parameters": [{}, {"a": 1}]}
TARGETS: dict[str, list[Any]] = {
    "provider": [CATALOG["ollama"], replace(CATALOG["openai"], dialect="openai-responses")],
    "model": ["gpt-2", ""],
    "base_url": ["https://proxy.test/v1", "https://api.test"],
    "api_key": [None, Secret("sk-other-account")],
    "basic_auth": [Secret("ada:secret"), Secret("bob:secret")],
    "options": [{"num_ctx": 1}, {"num_ctx": 2}],
    "headers": [(("X-Beta", "1"),), (("X-Beta", "2"),)],
    "query": ["api-version=1", "api-version=2"],
}
NO_PART: dict[type, set[str]] = {
    LLMRequest: {"idempotency_key", "schema_type", "stream"},
    Message: {"cache"},
    Target: {"timeouts", "verify_ssl", "requests_per_minute", "tokens_per_minute"},
}


def of_message(message: Message) -> LLMRequest:
    return LLMRequest((Message("user", "hi"), message))


def variants(value: Any, changes: Mapping[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    for name, others in changes.items():
        for other in others:
            yield f"{name}={other!r}", replace(value, **{name: other})


@pytest.mark.parametrize(
    ("cls", "changes"),
    [
        (LLMRequest, REQUESTS),
        (Message, MESSAGES),
        (Target, TARGETS),
        (Image, {**IMAGES, "url": []}),
        (Document, {"data": [], "media_type": [], "url": [], "name": []}),
        (Audio, {"data": [], "media_type": [], "url": []}),
        (Text, {"text": []}),
        (Tool, TOOLS),
        (ToolCall, CALLS),
        (ProviderState, STATES),
    ],
)
def test_every_field_is_tested_or_no_part_on_purpose(
    cls: type[Any], changes: Mapping[str, list[Any]]
) -> None:
    assert {field.name for field in fields(cls)} == changes.keys() | NO_PART.get(cls, set())


def all_variants() -> dict[str, tuple[LLMRequest, Target]]:
    """Return requests and targets that all differ in one thing."""
    found = {"itself": (REQUEST, TARGET)}
    found |= {name: (request, TARGET) for name, request in variants(REQUEST, REQUESTS)}
    found |= {name: (REQUEST, target) for name, target in variants(TARGET, TARGETS)}
    for name, message in variants(MESSAGE, MESSAGES):
        found[f"message {name}"] = (of_message(message), TARGET)
    for name, image in variants(Image(PNG), IMAGES):
        found[f"image {name}"] = (of_message(Message("user", (image,))), TARGET)
    parts: list[Part] = [
        Image(PNG, media_type="image/png"),
        Image(url="https://a.test/1.png"),
        Image(url="https://a.test/2.png"),
        Document(PNG, media_type="image/png"),
        Document(b"%PDF-1"),
        Document(b"%PDF-1", name="a.pdf"),
        Document(b"%PDF-1", name="b.pdf"),
        Document(url="https://a.test/1.png"),
        Audio(b"fLaC1"),
        Audio(b"fLaC2"),
        Audio(b"fLaC1", media_type="audio/mpeg"),
        Text("a"),
        Text("b"),
    ]
    for part in parts:
        found[f"part {part!r}{part}"] = (of_message(Message("tool", (part,))), TARGET)
    for name, call in variants(ToolCall("1", "f", "{}"), CALLS):
        message = Message("assistant", tool_calls=(call,), name="x")
        found[f"call {name}"] = (of_message(message), TARGET)
    for name, state in variants(STATE, STATES):
        message = Message("assistant", provider_state=state, name="x")
        found[f"state {name}"] = (of_message(message), TARGET)
    for name, tool in variants(Tool("x"), TOOLS):
        found[f"tool {name}"] = (replace(REQUEST, tools=(tool,)), TARGET)
    return found


def test_requests_and_targets_that_differ_have_different_keys() -> None:
    found = all_variants()
    keys = {name: cache_key(*asked) for name, asked in found.items()}

    assert len(found) > 80
    for one, other in combinations(keys, 2):
        assert keys[one] != keys[other], (one, other)


@pytest.mark.parametrize(
    "change",
    [{"idempotency_key": "k"}, {"schema_type": Shape}, {"stream": True}],
    ids=lambda change: next(iter(change)),
)
def test_field_that_is_no_part_of_the_question_does_not_change_the_key(
    change: dict[str, Any],
) -> None:
    assert cache_key(replace(REQUEST, **change), TARGET) == cache_key(REQUEST, TARGET)


def test_hint_about_caching_does_not_change_the_key() -> None:
    hinted = LLMRequest((replace(MESSAGE, cache=True),))

    assert cache_key(hinted, TARGET) == cache_key(REQUEST, TARGET)


@pytest.mark.parametrize(
    "change",
    [
        {"timeouts": Timeouts(silence=1.0)},
        {"verify_ssl": False},
        {"requests_per_minute": 1},
        {"tokens_per_minute": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_how_a_target_is_reached_does_not_change_the_key(change: dict[str, Any]) -> None:
    assert cache_key(REQUEST, replace(TARGET, **change)) == cache_key(REQUEST, TARGET)


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": [1, "x", None]}}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            LLMRequest((MESSAGE,), extra_body={"a": 1, "b": {"c": 2, "d": 3}}),
            LLMRequest((MESSAGE,), extra_body={"b": {"d": 3, "c": 2}, "a": 1}),
        ),
        (LLMRequest((MESSAGE,), temperature=1), LLMRequest((MESSAGE,), temperature=1.0)),
        (LLMRequest((Message("user", LongText([b"h", b"i"])),)), REQUEST),
        (
            LLMRequest((Message("user", LongText(["ä\U0001f600".encode()])),)),
            LLMRequest((Message("user", "ä\U0001f600"),)),
        ),
        (
            LLMRequest((MESSAGE,), extra_body={"a": [1, 2]}),
            LLMRequest((MESSAGE,), extra_body={"a": (1, 2)}),
        ),
        (
            LLMRequest((MESSAGE,), schema=SCHEMA),
            LLMRequest((MESSAGE,), schema=json.loads(json.dumps(SCHEMA, sort_keys=True))),
        ),
        (LLMRequest((MESSAGE,), extra_body={}), LLMRequest((MESSAGE,))),
    ],
    ids=["order", "number", "long text", "long UTF-8", "list or tuple", "schema", "default"],
)
def test_requests_that_ask_the_same_have_the_same_key(one: LLMRequest, other: LLMRequest) -> None:
    assert cache_key(one, TARGET) == cache_key(other, TARGET)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": "1"}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": "b", "c": "d"}, {"a": "bc", "": "d"}),
        ({"a": ["b", "c"]}, {"a": ["bc"]}),
        ({"a": [["b"], "c"]}, {"a": [["b", "c"]]}),
        ({"a": {}}, {"a": []}),
        ({"a": 0.1}, {"a": 0.10000000000000002}),
        ({"a": "\ud800"}, {"a": "?"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": 10**20}, {"a": 10**20 + 1}),
    ],
    ids=str,
)
def test_values_that_look_alike_have_different_keys(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    keys = {cache_key(replace(REQUEST, extra_body=body), TARGET) for body in (one, other)}

    assert len(keys) == 2


def test_key_is_the_same_in_another_process_and_a_later_version() -> None:
    # Were it to change, every answer that is kept would be lost: then let `_FORM` say so.
    assert cache_key(REQUEST, TARGET).hex() == (
        "87818ee89e136ec163b931279e8477a0dee684cd572f3eaf71b83992e2072f22"
    )


def test_value_that_no_request_can_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hold a value of type object"):
        cache_key(replace(REQUEST, extra_body={"a": object()}), TARGET)


def test_key_of_an_account_goes_in_as_a_few_bytes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    class Spy:
        def __init__(self, data: bytes = b"") -> None:
            self._digest = hashlib.new("sha256", data)
            self._is_main = not written
            written.append(data)

        def update(self, data: bytes) -> None:
            if self._is_main:
                written.append(data)
            self._digest.update(data)

        def digest(self) -> bytes:
            return self._digest.digest()

    monkeypatch.setattr("llm_client.policy.cache_key.hashlib.sha256", Spy)
    secret = replace(
        TARGET,
        basic_auth=Secret("ada:open-sesame"),
        headers=(("Authorization", "Bearer hidden"),),
        query="key=hidden-too",
    )
    cache_key(REQUEST, secret)

    text = b"".join(written)
    assert b"https://api.test/v1" in text
    for word in (b"sk-one-account", b"open-sesame", b"hidden"):
        assert word not in text
    assert all(len(data) < 32 for data in written)


def test_long_text_is_hashed_without_a_copy() -> None:
    size = 32 << 20
    request = LLMRequest((Message("user", LongText([b"x" * (1 << 16)] * (size >> 16))),))
    tracemalloc.start()
    try:
        cache_key(request, TARGET)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < size / 8


def answer(content: str = "ok", finish_reason: str | None = "stop", **more: Any) -> LLMResponse:
    return LLMResponse(content, "gpt", "openai", finish_reason, **more)


CALL = (ToolCall("1", "f", "{}"),)
SHORT = replace(REQUEST, max_tokens=5)


@pytest.mark.parametrize(
    ("request_", "response", "kept"),
    [
        (REQUEST, answer(), True),
        (REQUEST, answer("", "tool_calls", tool_calls=CALL), True),
        (REQUEST, answer("", "stop", tool_calls=CALL), True),
        (SHORT, answer("ok", "length"), True),
        (REQUEST, answer("ok", "length"), False),
        (REQUEST, answer(""), False),
        (REQUEST, answer(" \n"), False),
        (REQUEST, answer("", reasoning="hm"), False),
        (SHORT, answer("", "length", reasoning="hm"), False),
        (REQUEST, answer("ok", "content_filter"), False),
        (REQUEST, answer("ok", "refusal"), False),
        (REQUEST, answer("ok", None), False),
        (REQUEST, answer("ok", "error"), False),
        (REQUEST, answer("", "content_filter", tool_calls=CALL), False),
    ],
)
def test_only_whole_answers_that_say_something_are_kept(
    request_: LLMRequest, response: LLMResponse, kept: bool
) -> None:
    assert is_worth_keeping(request_, response) is kept

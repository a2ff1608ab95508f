"""What the requests of OpenAI Chat and Ollama share: address, headers, key, encoding, the list.

The bodies stand in `test_openai_chat_encoding.py` and `test_ollama_encoding.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_client.dialects.base import Dialect, ListsModels
from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import ValidationError
from llm_client.types.http import Timeouts
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest

from .answers import target

USER = Message("user", "hi")
ASK = LLMRequest((USER,))
OPENAI_USER = {"role": "user", "content": "hi"}

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


@pytest.mark.parametrize("dialect", [OpenAIChat(), Ollama()], ids=["openai", "ollama"])
def test_answer_that_comes_whole_is_waited_for_longer(dialect: Dialect) -> None:
    where = target("openai", timeouts=Timeouts(first_byte=120.0, whole=600.0))
    assert dialect.encode(ASK, where).timeouts.first_byte == 600.0
    assert dialect.encode(replace(ASK, stream=True), where).timeouts.first_byte == 120.0

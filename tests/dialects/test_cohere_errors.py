"""What Cohere's error answers mean, and what its model list tells."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_client.dialects.cohere import Cohere
from llm_client.exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    LLMAPIError,
    LLMServiceError,
    ModelNotFoundError,
    RateLimitError,
    ValidationError,
)
from llm_client.types.http import Head
from llm_client.types.models import ModelInfo

from .answers import target

WHERE = target("cohere", model="command-a-plus-05-2026")


def error(status: int, content: object, **headers: str) -> Any:
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Cohere().error(Head(status, headers), sent, WHERE)


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (400, "invalid request: temperature must be", ValidationError, False),
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received "
            "4292. Try using a shorter prompt",
            ContextLengthError,
            False,
        ),
        (400, "too many tokens: size limit exceeded by 11326 tokens.", ContextLengthError, False),
        (
            400,
            "too many tokens: max tokens must be less than or equal to 4096",
            ValidationError,
            False,
        ),
        (401, "invalid api token", AuthenticationError, False),
        (404, "model 'x' not found, make sure the correct model ID", ModelNotFoundError, False),
        (429, "You are using a Trial key, which is limited to 40 API", RateLimitError, True),
        (500, "internal server error, this has been reported", LLMServiceError, True),
        (503, "", LLMServiceError, True),
    ],
    ids=[
        "bad field",
        "prompt too long",
        "inputs too long",
        "max_tokens too high",
        "bad key",
        "no model",
        "rate",
        "broken",
        "no message",
    ],
)
def test_error_answer_is_of_its_class(
    status: int, message: str, kind: type[LLMAPIError], retryable: bool
) -> None:
    # Messages: docs.cohere.com/reference/errors (2026-11).
    failure = error(status, {"id": "abc-1", "message": message})
    assert type(failure) is kind
    assert (failure.status, failure.retryable) == (status, retryable)
    assert failure.request_id == "abc-1"
    assert message in str(failure)


def test_request_id_of_the_head_wins() -> None:
    assert error(500, {"id": "b", "message": "x"}, **{"x-request-id": "a"}).request_id == "a"


@pytest.mark.parametrize("content", [b"<html>", b"[]", {"message": "x"}, {"id": 7, "message": "x"}])
def test_error_answer_without_an_id_has_none(content: object) -> None:
    assert error(502, content).request_id is None


def test_blocked_words_are_a_content_filter_error() -> None:
    failure = error(498, {"id": "abc-1", "message": "blocked"})
    assert type(failure) is ContentFilterError
    assert "blocked" in str(failure)
    assert (failure.provider, failure.model) == ("cohere", WHERE.model)
    assert (failure.status, failure.request_id) == (498, "abc-1")


def test_model_list_is_asked_of_version_1_a_page_at_a_time() -> None:
    where = replace(WHERE, base_url="https://api.cohere.com/v2")
    first, second = (Cohere().encode_models(where, page) for page in (None, "a/b="))
    assert first.method == "GET"
    assert first.url == "https://api.cohere.com/v1/models?page_size=1000"
    assert second.url == f"{first.url}&page_token=a%2Fb%3D"


def test_model_list_of_a_server_without_versions_is_under_its_address() -> None:
    where = replace(WHERE, base_url="http://localhost:1/cohere")
    assert Cohere().encode_models(where).url.startswith("http://localhost:1/cohere/models?")


def test_model_list_tells_window_and_abilities() -> None:
    rows = [
        {
            "name": "command-a-reasoning-08-2025",
            "endpoints": ["chat", "generate"],
            "context_length": 256000.0,
            "features": ["json_mode", "json_schema", "reasoning", "strict_tools", "tools"],
            "is_deprecated": False,
        },
        {"name": "embed-v4.0", "endpoints": ["embed", "classify"], "context_length": 128000},
        {"name": "rerank-v3.5", "endpoints": ["rerank"], "features": None, "context_length": 0},
        {"name": "old", "is_deprecated": True},
        {"name": None},
        "odd",
    ]
    page = Cohere().decode_models(
        json.dumps({"models": rows, "next_page_token": "more"}).encode(), WHERE
    )
    assert page.next == "more"
    assert page.models == [
        ModelInfo(
            "command-a-reasoning-08-2025",
            "cohere",
            context_length=256_000,
            capabilities=("completion", "reasoning", "schema", "tools"),
        ),
        ModelInfo("embed-v4.0", "cohere", context_length=128_000, capabilities=("embedding",)),
        ModelInfo("rerank-v3.5", "cohere", capabilities=()),
        ModelInfo("old", "cohere", description="deprecated"),
    ]


def test_last_page_of_the_model_list_has_no_next() -> None:
    page = Cohere().decode_models(b'{"models":[],"next_page_token":""}', WHERE)
    assert page == ([], None)


@pytest.mark.parametrize("length", [float("inf"), float("nan"), -1, "long", None], ids=str)
def test_window_that_is_no_number_of_tokens_is_not_known(length: object) -> None:
    rows = [{"name": "a", "context_length": length}]
    page = Cohere().decode_models(json.dumps({"models": rows}).encode(), WHERE)
    assert page.models == [ModelInfo("a", "cohere")]


def test_page_token_that_is_no_text_for_an_address_is_still_sent() -> None:
    assert Cohere().encode_models(WHERE, "\ud83c").url.endswith("&page_token=%3F")


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"{}", b'{"models":{}}'])
def test_answer_that_lists_no_models_is_an_error(content: bytes) -> None:
    with pytest.raises(LLMServiceError, match="instead of an answer"):
        Cohere().decode_models(content, WHERE)

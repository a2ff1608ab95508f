"""Gemini's model list, and its errors in the shapes that Google documents or users report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.gemini import Gemini
from llm_client.exceptions import (
    AuthenticationError,
    ContextLengthError,
    LLMAPIError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ValidationError,
)
from llm_client.types.http import Head
from llm_client.types.models import CAPABILITIES, ModelInfo

from .answers import target

GEMINI = target("gemini", key="k-1")
RPC = "type.googleapis.com/google.rpc"
ROWS = [
    {
        "name": "models/gemini-3.8-flash",
        "version": "3.8",
        "displayName": "Gemini 3.8 Flash",
        "description": "Fast.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "createCachedContent"],
        "thinking": True,
        "temperature": 1,
        "maxTemperature": 2,
    },
    {
        "name": "models/gemini-embedding-001",
        "displayName": "Gemini Embedding",
        "inputTokenLimit": 2048,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent", "countTextTokens"],
    },
    {"name": "tunedModels/mine", "inputTokenLimit": "many", "description": 3},
    {"displayName": "without a name"},
    "no row",
]


def listed(payload: object) -> tuple[list[ModelInfo], str | None]:
    page = Gemini().decode_models(json.dumps(payload).encode(), GEMINI)
    return page.models, page.next


def failure(status: int, message: str, word: str, details: list[Any] | None = None) -> LLMAPIError:
    body: dict[str, Any] = {"error": {"code": status, "message": message, "status": word}}
    if details is not None:
        body["error"]["details"] = details
    alone = Gemini().error(Head(status, {}), json.dumps(body).encode(), GEMINI)
    in_list = Gemini().error(Head(status, {}), json.dumps([body]).encode(), GEMINI)
    assert isinstance(alone, LLMAPIError)
    assert (type(alone), alone.message) == (type(in_list), in_list.message)
    assert (alone.status, alone.type) == (status, word)
    return alone


def quota(name: str, *, retry: str | None = None) -> list[Any]:
    violation = {"quotaMetric": "generate_content_free_tier_requests", "quotaId": name}
    details: list[Any] = [
        {"@type": f"{RPC}.Help", "links": [{"description": "Learn more"}]},
        {"@type": f"{RPC}.QuotaFailure", "violations": [violation]},
    ]
    return [*details, {"@type": f"{RPC}.RetryInfo", "retryDelay": retry}] if retry else details


def test_model_list_request_asks_for_the_largest_part_and_the_next() -> None:
    first = Gemini().encode_models(GEMINI)
    assert (first.method, first.body) == ("GET", None)
    assert first.url == "http://localhost:1/v1beta/models?pageSize=1000"
    assert dict(first.headers)["x-goog-api-key"] == "k-1"
    later = Gemini().encode_models(GEMINI, "a+/=&b")
    assert later.url == f"{first.url}&pageToken=a%2B%2F%3D%26b"


def test_model_list_decoded_has_limits_and_capabilities() -> None:
    models, following = listed({"models": ROWS, "nextPageToken": "t2"})
    assert following == "t2"
    assert models == [
        ModelInfo(
            id="gemini-3.8-flash",
            provider="gemini",
            context_length=1_048_576,
            description="Fast.",
            max_output_tokens=65_536,
            capabilities=("completion", "reasoning"),
        ),
        ModelInfo(
            id="gemini-embedding-001",
            provider="gemini",
            context_length=2048,
            description="Gemini Embedding",
            max_output_tokens=1,
            capabilities=("embedding",),
        ),
        ModelInfo(id="tunedModels/mine", provider="gemini"),
    ]
    assert {word for model in models for word in model.capabilities or ()} <= set(CAPABILITIES)


@pytest.mark.parametrize("payload", [{"models": []}, {"models": [], "nextPageToken": ""}])
def test_last_part_of_a_model_list_has_no_next(payload: object) -> None:
    assert listed(payload) == ([], None)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>", "an HTML page"),
        (b"", "nothing"),
        (b"{}", "JSON that lists no models"),
        (b'{"models": {}}', "JSON that lists no models"),
        (b"[]", "JSON that lists no models"),
    ],
)
def test_body_that_is_no_model_list_says_so(body: bytes, what: str) -> None:
    with pytest.raises(LLMServiceError, match=f"sent {what} instead of an answer"):
        Gemini().decode_models(body, GEMINI)


def test_model_list_that_is_an_error_raises_it() -> None:
    error = {"error": {"code": 403, "message": "Not yours.", "status": "PERMISSION_DENIED"}}
    with pytest.raises(AuthenticationError, match="Not yours"):
        listed(error)


@pytest.mark.parametrize(
    ("status", "message", "word", "kind", "retryable"),
    [
        (400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT",
         AuthenticationError, False),
        (400, "API key expired. Please renew the API key.", "INVALID_ARGUMENT",
         AuthenticationError, False),
        (403, "Method doesn't allow unregistered callers.", "PERMISSION_DENIED",
         AuthenticationError, False),
        (400, "The input token count (1200293) exceeds the maximum number of tokens allowed "
         "(1048576).", "INVALID_ARGUMENT", ContextLengthError, False),
        (400, "Function call is missing a thought_signature in functionCall parts.",
         "INVALID_ARGUMENT", ValidationError, False),
        (404, "models/x is not found for API version v1beta.", "NOT_FOUND",
         ModelNotFoundError, False),
        (429, "Resource has been exhausted (e.g. check quota).", "RESOURCE_EXHAUSTED",
         RateLimitError, True),
        (500, "An internal error has occurred.", "INTERNAL", LLMServiceError, True),
        (503, "The model is overloaded.", "UNAVAILABLE", LLMServiceError, True),
        (504, "Deadline expired.", "DEADLINE_EXCEEDED", LLMServiceError, True),
    ],
)  # fmt: skip
def test_error_of_google_is_of_its_class(
    status: int, message: str, word: str, kind: type[LLMAPIError], retryable: bool
) -> None:
    error = failure(status, message, word)
    assert type(error) is kind
    assert error.retryable is retryable
    assert message in error.message


def test_quota_of_a_minute_says_how_long_to_wait() -> None:
    details = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", retry="45.8s")
    error = failure(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", details)
    assert type(error) is RateLimitError
    assert (error.retry_after, error.retryable) == (45.8, True)


def test_quota_of_a_day_is_not_waited_for() -> None:
    details = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", retry="20s")
    error = failure(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", details)
    assert type(error) is QuotaExceededError
    assert error.retryable is False

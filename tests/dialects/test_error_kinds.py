"""What each provider's errors mean: their documented words, numbers, ids and shapes (2026-11)."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from llm_client.dialects.errors import answer_error, stream_error
from llm_client.exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidOutputError,
    LLMAPIError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ValidationError,
)
from llm_client.types.http import Head

from .answers import target


def failure(
    provider: str, status: int, body: object, headers: dict[str, str] | None = None
) -> LLMError:
    where = target(provider, "the-key-of-this-test")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_error(Head(status, headers or {}), raw, where)


def anthropic(type: str, message: str = "why", **more: object) -> dict[str, Any]:
    error = {"type": type, "message": message, **more}
    return {"type": "error", "error": error, "request_id": "req_1"}


def google(code: int, status: str, message: str = "why", **more: object) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, **more}}


def reason(word: str) -> dict[str, Any]:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word}
    return {"details": [{"@type": "type.googleapis.com/google.rpc.Help"}, info, "odd"]}


def openai(code: str | None, type: str | None = None, message: str = "why") -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


SPEND_CAP = {"error_code": "enforced_spend_limit_reached"}
OWN_LIMIT = "You have reached your specified API usage limits. You will regain access on 2026-12-01"
FILTERED = {
    "error": {
        "message": "The response was filtered",
        "type": None,
        "param": "prompt",
        "code": "400",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
    }
}
FLAGGED = {"reasons": ["violence"], "flagged_input": "…", "provider_name": "x"}
NO_ROUTE = "Could not route to /client/v4/accounts/x/ai/v1/chat, perhaps your object is invalid?"


def cloudflare(code: int, message: str) -> dict[str, Any]:
    return {"result": None, "success": False, "errors": [{"code": code, "message": message}]}


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind", "retryable"),
    [
        ("anthropic", 400, anthropic("invalid_request_error"), ValidationError, False),
        (
            "anthropic",
            400,
            anthropic("invalid_request_error", OWN_LIMIT),
            QuotaExceededError,
            False,
        ),
        ("anthropic", 401, anthropic("authentication_error"), AuthenticationError, False),
        ("anthropic", 402, anthropic("billing_error"), QuotaExceededError, False),
        ("anthropic", 403, anthropic("permission_error"), AuthenticationError, False),
        ("anthropic", 404, anthropic("not_found_error", "model: x"), ModelNotFoundError, False),
        ("anthropic", 404, anthropic("not_found_error", "Not Found"), LLMAPIError, False),
        ("anthropic", 409, anthropic("conflict_error"), LLMAPIError, True),
        ("anthropic", 413, anthropic("request_too_large"), ValidationError, False),
        ("anthropic", 429, anthropic("rate_limit_error"), RateLimitError, True),
        (
            "anthropic",
            429,
            anthropic("rate_limit_error", details=SPEND_CAP),
            QuotaExceededError,
            False,
        ),
        ("anthropic", 500, anthropic("api_error"), LLMServiceError, True),
        ("anthropic", 504, anthropic("timeout_error"), LLMServiceError, True),
        ("anthropic", 529, anthropic("overloaded_error"), LLMServiceError, True),
        ("gemini", 400, google(400, "INVALID_ARGUMENT"), ValidationError, False),
        (
            "gemini",
            400,
            google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
            AuthenticationError,
            False,
        ),
        (
            "gemini",
            400,
            google(400, "INVALID_ARGUMENT", "in another language", **reason("API_KEY_INVALID")),
            AuthenticationError,
            False,
        ),
        (
            "gemini",
            400,
            google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number"),
            ContextLengthError,
            False,
        ),
        ("gemini", 400, google(400, "FAILED_PRECONDITION"), ValidationError, False),
        (
            "gemini",
            400,
            google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            AuthenticationError,
            False,
        ),
        ("gemini", 401, google(401, "UNAUTHENTICATED"), AuthenticationError, False),
        ("gemini", 403, google(403, "PERMISSION_DENIED"), AuthenticationError, False),
        ("gemini", 404, [google(404, "NOT_FOUND")], ModelNotFoundError, False),
        ("gemini", 429, [google(429, "RESOURCE_EXHAUSTED")], RateLimitError, True),
        ("gemini", 499, google(499, "CANCELLED"), LLMAPIError, False),
        ("gemini", 500, google(500, "INTERNAL"), LLMServiceError, True),
        ("gemini", 501, google(501, "UNIMPLEMENTED"), LLMServiceError, False),
        ("gemini", 503, google(503, "UNAVAILABLE"), LLMServiceError, True),
        ("gemini", 504, google(504, "DEADLINE_EXCEEDED"), LLMServiceError, True),
        ("cohere", 401, {"message": "invalid api token"}, AuthenticationError, False),
        ("cohere", 404, {"message": "model 'x' not found"}, ModelNotFoundError, False),
        (
            "cohere",
            400,
            {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"},
            ContextLengthError,
            False,
        ),
        ("voyage", 401, {"detail": "Provided API key is invalid."}, AuthenticationError, False),
        (
            "voyage",
            400,
            {"detail": "Model x is not supported. Supported models are ['voyage-4']."},
            ModelNotFoundError,
            False,
        ),
        (
            "openai",
            400,
            openai("model_not_found", "invalid_request_error"),
            ModelNotFoundError,
            False,
        ),
        ("openai", 429, openai("credit_balance_exhausted"), QuotaExceededError, False),
        ("openai", 429, openai("project_spend_limit_exceeded"), QuotaExceededError, False),
        ("openai", 503, openai("slow_down"), RateLimitError, True),
        ("azure", 404, openai("DeploymentNotFound"), ModelNotFoundError, False),
        ("azure", 404, openai("404", message="Resource not found"), LLMAPIError, False),
        ("azure", 429, openai("RateLimitReached"), RateLimitError, True),
        ("azure", 401, openai("PermissionDenied"), AuthenticationError, False),
        ("huggingface", 400, openai("model_not_supported"), ModelNotFoundError, False),
        (
            "huggingface",
            402,
            {"error": "You have exceeded your monthly included credits"},
            QuotaExceededError,
            False,
        ),
        (
            "huggingface",
            422,
            {"error": "`inputs` must have less than 9 tokens.", "error_type": "validation"},
            ContextLengthError,
            False,
        ),
        (
            "huggingface",
            429,
            {"error": "Model is overloaded", "error_type": "overloaded"},
            LLMServiceError,
            True,
        ),
        ("cloudflare", 400, cloudflare(5007, "No such model x"), ModelNotFoundError, False),
        ("cloudflare", 400, cloudflare(5007, "in other words"), ModelNotFoundError, False),
        ("cloudflare", 429, cloudflare(3036, "used up"), QuotaExceededError, False),
        ("cloudflare", 429, cloudflare(3040, "no more data centers"), RateLimitError, True),
        ("cloudflare", 401, cloudflare(10000, "Authentication error"), AuthenticationError, False),
        ("cloudflare", 404, cloudflare(7003, NO_ROUTE), LLMAPIError, False),
        ("openai", 400, cloudflare(5007, "the number of another"), ValidationError, False),
        ("github", 400, openai("unknown_model"), ModelNotFoundError, False),
        ("github", 413, openai("tokens_limit_reached"), ContextLengthError, False),
        ("github", 429, openai("RateLimitReached"), RateLimitError, True),
        (
            "databricks",
            404,
            {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Not found"},
            ModelNotFoundError,
            False,
        ),
        (
            "databricks",
            403,
            {"error_code": "PERMISSION_DENIED", "message": "why"},
            AuthenticationError,
            False,
        ),
        (
            "databricks",
            400,
            {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "why"},
            RateLimitError,
            True,
        ),
        (
            "databricks",
            400,
            {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "why"},
            LLMServiceError,
            True,
        ),
        (
            "snowflake",
            400,
            {"message": "unknown model x", "code": "390000", "request_id": "r"},
            ModelNotFoundError,
            False,
        ),
        ("groq", 400, openai("model_decommissioned"), ModelNotFoundError, False),
        ("groq", 498, openai(None), RateLimitError, True),
        ("fireworks", 412, openai(None), QuotaExceededError, False),
        ("mistral", 422, {"type": "rate_limited", "message": "why"}, RateLimitError, True),
        ("dashscope", 400, openai("Arrearage", "Arrearage"), QuotaExceededError, False),
        ("zai", 429, openai("1113"), QuotaExceededError, False),
        ("zai", 429, openai("1302"), RateLimitError, True),
        ("zhipuai", 400, openai("1211"), ModelNotFoundError, False),
        (
            "xai",
            400,
            {
                "code": "Client specified an invalid argument",
                "error": "Incorrect API key provided: xa***",
            },
            AuthenticationError,
            False,
        ),
        (
            "nvidia",
            404,
            {"status": 404, "title": "Not Found", "detail": "Function 'x': Not found for account"},
            ModelNotFoundError,
            False,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:60],
)
def test_error_of_each_provider_is_of_its_class(
    provider: str, status: int, body: object, kind: type[LLMAPIError], retryable: bool
) -> None:
    error = failure(provider, status, body)
    assert type(error) is kind
    assert isinstance(error, LLMAPIError)
    assert error.retryable is retryable
    assert (error.provider, error.model, error.status) == (provider, "some-model", status)


@pytest.mark.parametrize(
    ("provider", "status", "body", "kind"),
    [
        pytest.param("azure", 400, FILTERED, ContentFilterError, id="azure"),
        pytest.param("azure", 400, openai("content_filter"), ContentFilterError, id="azure-code"),
        pytest.param(
            "openrouter",
            403,
            {"error": {"code": 403, "message": "flagged", "metadata": FLAGGED}},
            ContentFilterError,
            id="openrouter",
        ),
        pytest.param("cohere", 498, {"message": "blocked"}, ContentFilterError, id="cohere"),
        pytest.param(
            "dashscope", 400, openai("DataInspectionFailed"), ContentFilterError, id="ali"
        ),
        pytest.param("zai", 400, openai("1301"), ContentFilterError, id="zai"),
        pytest.param("groq", 400, openai("json_validate_failed"), InvalidOutputError, id="groq"),
    ],
)
def test_failed_generation_carries_what_every_error_carries(
    provider: str, status: int, body: object, kind: type[LLMError]
) -> None:
    error = failure(provider, status, body, {"x-request-id": "r1", "retry-after": "7"})
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert type(one) is kind
        assert (one.provider, one.model, one.status) == (provider, "some-model", status)
        assert (one.request_id, one.retry_after) == ("r1", 7.0)


def test_openrouter_403_without_a_flag_is_about_permission() -> None:
    body = {"error": {"code": 403, "message": "no", "metadata": {"reasons": []}}}
    assert type(failure("openrouter", 403, body)) is AuthenticationError


def test_numbers_of_google_details_that_are_no_words_are_passed_over() -> None:
    body = google(400, "INVALID_ARGUMENT", details=[{"reason": 7}, None])
    assert type(failure("gemini", 400, body)) is ValidationError


@pytest.mark.parametrize(
    ("value", "kind", "retryable", "status"),
    [
        (anthropic("overloaded_error"), LLMServiceError, True, 200),
        (anthropic("api_error"), LLMServiceError, True, 200),
        (anthropic("timeout_error"), LLMServiceError, True, 200),
        (anthropic("rate_limit_error"), RateLimitError, True, 200),
        (anthropic("invalid_request_error"), ValidationError, False, 200),
        (
            anthropic("invalid_request_error", "prompt is too long: 9"),
            ContextLengthError,
            False,
            200,
        ),
        (anthropic("not_found_error"), ModelNotFoundError, False, 200),
        (anthropic("request_too_large"), ValidationError, False, 200),
        (anthropic("conflict_error"), LLMAPIError, True, 200),
        (google(503, "UNAVAILABLE"), LLMServiceError, True, 503),
        (google(400, "INVALID_ARGUMENT"), ValidationError, False, 400),
        ({"error": {"status": "UNIMPLEMENTED", "message": "no"}}, LLMServiceError, False, 200),
        (openai("server_error"), LLMServiceError, True, 200),
        (openai("invalid_image_url"), ValidationError, False, 200),
        (openai("vector_store_timeout"), LLMServiceError, True, 200),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "x"},
            RateLimitError,
            True,
            200,
        ),
        ({"type": "error", "code": None, "message": "x"}, LLMServiceError, True, 200),
        ({"error": {"code": 402, "message": "no credits"}}, QuotaExceededError, False, 402),
        ({"status": 429, "title": "Too Many Requests", "detail": "x"}, RateLimitError, True, 429),
        ({"error": {"message": "x", "status_code": "503"}}, LLMServiceError, True, 503),
    ],
    ids=lambda value: str(value)[:50],
)
def test_error_inside_a_stream_is_classified_by_its_words(
    value: object, kind: type[LLMAPIError], retryable: bool, status: int
) -> None:
    error = stream_error(value, target("openai"))
    assert type(error) is kind
    assert isinstance(error, LLMAPIError)
    assert error.retryable is retryable
    assert error.status == status


def test_flat_event_of_type_error_has_no_type() -> None:
    error = stream_error({"type": "error", "code": "x", "message": "why"}, target("openai"))
    assert isinstance(error, LLMAPIError)
    assert (error.code, error.type, error.message) == ("x", None, "openai failed: why")


@pytest.mark.parametrize(
    ("body", "code", "type"),
    [
        pytest.param(google(404, "NOT_FOUND"), "404", "NOT_FOUND", id="google"),
        pytest.param({"error_code": "X", "message": "why"}, "X", None, id="databricks"),
        pytest.param({"error": "why", "error_type": "validation"}, None, "validation", id="tgi"),
        pytest.param(cloudflare(5007, "why"), "5007", None, id="cloudflare"),
        pytest.param(anthropic("api_error"), None, "api_error", id="anthropic"),
        pytest.param(google(400, "X", type="Y"), "400", "Y", id="status-beside-a-type"),
    ],
)
def test_code_and_type_are_kept_as_the_provider_writes_them(
    body: object, code: str | None, type: str | None
) -> None:
    error = failure("openai", 500, body)
    assert isinstance(error, LLMAPIError)
    assert (error.code, error.type) == (code, type)


@pytest.mark.parametrize("length", [100, 100_000])
def test_code_that_is_a_text_is_no_word(length: int) -> None:
    error = failure("openai", 500, openai("x" * length + "_insufficient_quota"))
    assert type(error) is LLMServiceError


def test_error_inside_an_event_of_a_refused_stream_is_read() -> None:
    """LiteLLM."""
    error = failure("openai", 429, b'data: {"error": {"message": "why", "code": "429"}}\n\n')
    assert type(error) is RateLimitError
    assert error.message == "openai asks to slow down (429): why"

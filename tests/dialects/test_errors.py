"""Which error an error answer means: shapes, classes, retries, keys (WIRE.md §§1, 9, 10, 11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.errors import describe, stream_error
from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
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


def error(
    status: int,
    body: object = b"",
    headers: dict[str, str] | None = None,
    *,
    provider: str = "openai",
    key: str | None = None,
) -> LLMError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OpenAIChat().error(Head(status, headers or {}), raw, target(provider, key))


def api_error(
    status: int, body: object = b"", headers: dict[str, str] | None = None, **more: Any
) -> LLMAPIError:
    value = error(status, body, headers, **more)
    assert isinstance(value, LLMAPIError)
    return value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "why"}}, "why"),
        ({"error": "why"}, "why"),
        ([{"error": {"message": "why"}}], "why"),
        ({"detail": "why"}, "why"),
        ({"message": "why"}, "why"),
        ({"errors": ["why", "else"]}, "why"),
        ({"errors": [{"message": "why"}]}, "why"),
        ({"detail": {"message": "why"}}, "why"),
        ({"detail": {"error": "why"}}, "why"),
        ({"detail": [{"msg": "why", "loc": ["body", "x", 0]}]}, "body.x.0: why"),
        ({"message": {"detail": [{"msg": "why"}]}}, "why"),
        ({"error": "Bad Request", "message": "why", "statusCode": 400}, "why"),
        ({"error": {"msg": "why"}}, "why"),
        ({"error": '{"error": {"message": "why"}}'}, "why"),
        ({"error": {"message": '{"error": {"message": "why"}}'}}, "why"),
        ({"error": "{why"}, "{why"),
        ({"error": {"message": "why", "metadata": {"raw": "because"}}}, "why: because"),
        ({"error": {"message": "why", "metadata": {"raw": ""}}}, "why"),
        ({"error": {"code": 7}}, '{"code": 7}'),
        ({"error": {"message": {"text": "why"}}}, '{"text": "why"}'),
        ({"error": {"message": "", "code": 7}}, '{"message": "", "code": 7}'),
        ({"error": None}, '{"error": null}'),
        ([], "[]"),
        ("why", "why"),
        (b"why not", "why not"),
        (b"\xffwhy", "�why"),
        (b"  ", "no explanation was given."),
        (b"<html>x", "an HTML page, not an error of an LLM server."),
        ({"error": {"message": "a {brace} and {0}"}}, "a {brace} and {0}"),
    ],
    ids=str,
)
def test_body_of_any_shape_gives_its_message(body: object, message: str) -> None:
    assert error(400, body).message == f"openai refused the request (400): {message}"


@pytest.mark.parametrize("depth", [500, 900, 5000, 50_000])
def test_body_nested_without_end_is_still_an_error(depth: int) -> None:
    value = api_error(500, b"[" * depth + b"]" * depth)
    assert type(value) is LLMServiceError


@pytest.mark.parametrize("depth", [500, 5000, 200_000])
def test_error_in_mid_stream_nested_without_end_is_still_an_error(depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    assert type(stream_error({"error": value}, target("openai"))) is LLMServiceError


@pytest.mark.parametrize(
    ("body", "what"),
    [(b" \n", "nothing"), (b"\n<p>", "an HTML page"), (b"text", "something that is not JSON")],
)
def test_body_without_json_is_described(body: bytes, what: str) -> None:
    assert describe(body) == what


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ValidationError, False),
        (401, AuthenticationError, False),
        (402, QuotaExceededError, False),
        (403, AuthenticationError, False),
        (404, ModelNotFoundError, False),
        (405, LLMAPIError, False),
        (408, LLMServiceError, True),
        (409, LLMAPIError, True),
        (413, ValidationError, False),
        (418, LLMAPIError, False),
        (422, ValidationError, False),
        (429, RateLimitError, True),
        (500, LLMServiceError, True),
        (501, LLMServiceError, False),
        (502, LLMServiceError, True),
        (503, LLMServiceError, True),
        (529, LLMServiceError, True),
    ],
    ids=str,
)
def test_status_alone_gives_class_and_retry(
    status: int, kind: type[LLMAPIError], retryable: bool
) -> None:
    value = api_error(status, {"error": {"message": "why"}})
    assert type(value) is kind
    assert value.retryable is retryable
    assert (value.status, value.provider, value.model) == (status, "openai", "some-model")


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (429, "insufficient_quota", QuotaExceededError, False),
        (429, "billing_not_active", QuotaExceededError, False),
        (429, "rate_limit_exceeded", RateLimitError, True),
        (413, "rate_limit_exceeded", RateLimitError, False),
        (400, "RESOURCE_EXHAUSTED", RateLimitError, True),
        (400, "context_length_exceeded", ContextLengthError, False),
        (500, "overloaded_error", LLMServiceError, True),
        (403, "model_not_found", ModelNotFoundError, False),
        (400, "invalid_model", ModelNotFoundError, False),
        (400, "invalid_api_key", AuthenticationError, False),
    ],
)
@pytest.mark.parametrize("field", ["code", "type"])
def test_in_band_word_wins_over_the_status(
    status: int, code: str, kind: type[LLMAPIError], retryable: bool, field: str
) -> None:
    value = api_error(status, {"error": {"message": "why", field: code}})
    assert type(value) is kind
    assert value.retryable is retryable
    assert getattr(value, field) == code


@pytest.mark.parametrize(
    ("code", "kind"),
    [("content_filter", ContentFilterError), ("tool_use_failed", InvalidOutputError)],
)
def test_in_band_word_of_a_failed_generation_is_no_api_error(code: str, kind: type) -> None:
    assert type(error(400, {"error": {"message": "why", "code": code}})) is kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("This model's maximum context length is 4096 tokens", ContextLengthError),
        ("prompt is too long: 9 tokens > 8", ContextLengthError),
        ("input length and `max_tokens` exceed context limit: 5 + 4 > 8", ContextLengthError),
        ("Input is too long for requested model.", ContextLengthError),
        ("the input exceeds the context length of 8", ContextLengthError),
        ("input length exceeds maximum", ContextLengthError),
        ("request (9) exceeds the available context size (8)", ContextLengthError),
        ("litellm.ContextWindowExceededError: no", ContextLengthError),
        ("The model `x` does not exist", ModelNotFoundError),
        ("model 'x'\nnot found", ModelNotFoundError),
        ("Incorrect API key provided: x", AuthenticationError),
        ("API key not valid. Please pass a valid API key.", AuthenticationError),
        ("Your credit balance is too low", QuotaExceededError),
    ],
)
def test_message_decides_on_a_refused_request_only(message: str, kind: type[LLMAPIError]) -> None:
    for status in (400, 413, 422):
        assert type(error(status, {"error": {"message": message}})) is kind
    assert type(error(500, {"error": {"message": message}})) is LLMServiceError
    assert type(error(429, {"error": {"message": message}})) is RateLimitError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"404 page not found\n",
        b"<html>nginx</html>",
        {"detail": "Not Found"},
        {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}},
        {"error": {"message": "Invalid URL (POST /v1/chats)", "type": "invalid_request_error"}},
        {"message": "no Route matched with those values"},
        "a text in quotes",
        b"[" * 5000 + b"]" * 5000,
    ],
    ids=lambda body: str(body)[:40],
)
def test_404_for_the_address_asks_for_the_base_url(body: object) -> None:
    value = api_error(404, body)
    assert type(value) is LLMAPIError
    assert value.hint == (
        "Nothing answers at http://localhost:1/v1: is the base URL right, and does the server "
        "speak openai-chat (`--dialect`)?"
    )


def test_404_for_an_address_without_v1_names_it() -> None:
    where = target("openai", base_url="http://localhost:1")
    value = OpenAIChat().error(Head(404, {}, url="http://localhost:1/chat/completions"), b"", where)
    assert value.hint == (
        "Nothing answers at http://localhost:1/chat/completions: is the base URL right, and does the "
        "server speak openai-chat (`--dialect`)? "
        "OpenAI-compatible servers usually want it to end in `/v1`."
    )


def test_404_where_it_is_no_missing_model_stays_an_api_error() -> None:
    """mlx_lm.server: any exception while it generates is a 404."""
    assert type(error(404, {"error": "index out of range"}, provider="mlx")) is LLMAPIError


@pytest.mark.parametrize(
    ("status", "says", "retryable"),
    [
        (400, "true", True),
        (401, "true", False),
        (405, "true", True),
        (429, "false", False),
        (500, "false", False),
        (500, "perhaps", True),
        (501, "true", False),
    ],
)
def test_should_retry_header_decides_unless_it_is_pointless(
    status: int, says: str, retryable: bool
) -> None:
    assert api_error(status, b"", {"x-should-retry": says}).retryable is retryable


@pytest.mark.parametrize(
    ("headers", "seconds", "request_id"),
    [
        ({"retry-after": "7", "x-request-id": "r1"}, 7.0, "r1"),
        ({"retry-after-ms": "70", "request-id": "r2"}, 0.07, "r2"),
        ({"retry-after": "nan"}, None, None),
    ],
)
def test_headers_give_wait_and_request_id(
    headers: dict[str, str], seconds: float | None, request_id: str | None
) -> None:
    value = api_error(429, b"", headers)
    assert (value.retry_after, value.request_id) == (seconds, request_id)


KEY = "my-own-key-without-a-known-shape/0123"


@pytest.mark.parametrize(
    "echoed",
    [
        {
            "error": {
                "message": f"Incorrect API key: {KEY}.",
                "code": KEY,
                "type": KEY,
                "param": KEY,
            }
        },
        {"error": {"message": "Incorrect API key: sk-proj-ab*****yz9."}},
        f"Bearer {KEY}".encode(),
        ("x" * 3980 + KEY).encode(),
        json.dumps({"unknown": "x" * 570 + KEY}).encode(),
    ],
    ids=["own key", "half-masked key", "text", "at the limit of the body", "at that of the text"],
)
def test_key_echoed_by_the_provider_is_masked(echoed: object) -> None:
    value = api_error(401, echoed, key=KEY)
    shown = f"{value.message} {value.body} {value.code} {value.type} {value.param} {value.args}"
    for start in range(len(KEY) - 12):
        assert KEY[start : start + 12] not in shown
    assert "ab*****yz9" not in shown


def test_long_body_is_cut_in_message_and_body() -> None:
    value = api_error(500, {"error": {"message": "x" * 100_000}})
    assert value.body is not None
    assert (len(value.body), len(value.message)) == (4000, 600 + len("openai failed (500): "))


def test_authentication_hint_names_the_variables() -> None:
    assert error(401, provider="lmstudio").hint == (
        "Put a valid key into LMSTUDIO_API_KEY or LM_API_TOKEN, "
        "or run `llm-client creds set lmstudio`."
    )
    assert error(401, provider="mlx").hint == (
        "Put a valid key into LLM_CLIENT_MLX_API_KEY, or run `llm-client creds set mlx`."
    )


OLLAMA_KEY = "Put a valid key into OLLAMA_API_KEY, or run `llm-client creds set ollama`."


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (
            {"error": "unauthorized", "signin_url": "https://ollama.com/connect?x"},
            "Sign in at https://ollama.com/connect?x, or put a key into OLLAMA_API_KEY.",
        ),
        ({"error": "unauthorized", "signin_url": 7}, OLLAMA_KEY),
        (b"no", OLLAMA_KEY),
        ([1], OLLAMA_KEY),
    ],
    ids=["url", "no text", "no json", "no object"],
)
def test_ollama_sign_in_url_becomes_the_hint(body: object, hint: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    value = Ollama().error(Head(401, {}), raw, target("ollama"))
    assert type(value) is AuthenticationError
    assert value.hint == hint


def test_ollama_403_with_an_explanation_is_about_permission() -> None:
    value = Ollama().error(Head(403, {}), b'{"error": "subscribe first"}', target("ollama"))
    assert value.message == "ollama does not allow this (403): subscribe first"
    assert value.hint == "The key for ollama may not be allowed to do this."


def test_ollama_401_without_a_body_is_about_the_key() -> None:
    value = Ollama().error(Head(401, {}), b"", target("ollama"))
    assert value.message == "ollama wants a key (401): no explanation was given."


GOOGLE = "type.googleapis.com/google.rpc."


@pytest.mark.parametrize(
    ("delay", "headers", "expected"),
    [
        pytest.param("45.8s", {}, 45.8, id="fraction"),
        pytest.param("3s", {}, 3.0, id="whole"),
        pytest.param("45.8s", {"retry-after": "2"}, 2.0, id="header-wins"),
        pytest.param("soon", {}, None, id="no-number"),
        pytest.param("-3s", {}, None, id="negative"),
    ],
)
def test_wait_that_google_asks_for_is_read_from_the_body(
    delay: str, headers: dict[str, str], expected: float | None
) -> None:
    details = [{"@type": f"{GOOGLE}Help"}, {"@type": f"{GOOGLE}RetryInfo", "retryDelay": delay}]
    body = {"error": {"code": 429, "message": "slow", "details": details}}

    failure = api_error(429, body, headers)

    assert failure.retry_after == expected
    assert isinstance(failure, RateLimitError)
    assert failure.retryable
    assert failure.hint == (None if expected is None else f"It asks to wait {expected:g} s.")


@pytest.mark.parametrize(
    ("quota", "kind"),
    [
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", QuotaExceededError),
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", RateLimitError),
    ],
)
def test_quota_of_the_day_is_not_a_matter_of_waiting(quota: str, kind: type[LLMAPIError]) -> None:
    details = [{"@type": f"{GOOGLE}QuotaFailure", "violations": [{"quotaId": quota}]}]

    failure = api_error(429, {"error": {"code": 429, "message": "quota", "details": details}})

    assert type(failure) is kind
    assert failure.retryable is (kind is RateLimitError)


def test_refused_request_is_tried_again_only_when_the_server_says_so() -> None:
    assert not api_error(400, {"error": {"message": "no"}}).retryable
    assert api_error(400, {"error": {"message": "no"}}, {"x-should-retry": "true"}).retryable


def test_request_id_that_is_a_key_is_masked() -> None:
    failure = api_error(500, b"{}", {"x-request-id": "sk-0123456789abcdef"}, key="k" * 20)

    assert failure.request_id == "***"


@pytest.mark.parametrize(("key", "says"), [(None, "wants a key"), ("k" * 20, "did not accept")])
def test_missing_key_is_not_called_a_wrong_one(key: str | None, says: str) -> None:
    assert says in str(api_error(401, {"error": {"message": "no"}}, key=key))

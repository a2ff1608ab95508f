"""What every error carries besides its class: request ids, a lead, and nothing of any key."""

from __future__ import annotations

import json

import pytest

from llm_client.dialects.errors import answer_error, stream_error
from llm_client.exceptions import LLMAPIError, LLMError, ModelNotFoundError, ValidationError
from llm_client.types.http import Head
from llm_client.types.secret import Secret

from .answers import target

ANTHROPIC = {
    "type": "error",
    "error": {"type": "api_error", "message": "why"},
    "request_id": "req_1",
}


def failure(
    provider: str, status: int, body: object, headers: dict[str, str] | None = None
) -> LLMError:
    where = target(provider, "the-key-of-this-test")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_error(Head(status, headers or {}), raw, where)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"x-request-id": "a", "request-id": "b", "cf-ray": "z"}, {}, "a"),
        ({"request-id": "b"}, ANTHROPIC, "b"),
        ({"apim-request-id": "c"}, {}, "c"),
        ({"x-amzn-requestid": "d"}, {}, "d"),
        ({"x-debug-trace-id": "e"}, {}, "e"),
        ({"mistral-correlation-id": "f"}, {}, "f"),
        ({"msh-request-id": "g"}, {}, "g"),
        ({"x-ds-trace-id": "h"}, {}, "h"),
        ({"x-github-request-id": "i"}, {}, "i"),
        ({"cf-ray": "z"}, ANTHROPIC, "req_1"),
        ({"cf-ray": "z", "x-amzn-trace-id": "y"}, {}, "y"),
        ({"cf-ray": "z"}, {}, "z"),
        ({}, {"message": "why", "requestId": "j"}, "j"),
        ({}, {"message": "why", "request_id": 7}, None),
        ({}, {"message": "why", "id": "k"}, "k"),
        ({}, {"error": {"message": "why", "request_id": "l"}}, "l"),
        ({}, {"error": "why", "id": "m"}, "m"),
        ({}, {"error": {"message": "why"}, "id": "chatcmpl-1", "choices": []}, None),
        ({}, [{"error": {"message": "why"}, "request_id": "n"}], "n"),
        ({}, {"detail": "why", "id": "o"}, None),
        ({}, [], None),
        ({}, b"no json", None),
    ],
    ids=str,
)
def test_request_id_is_found_in_headers_and_body(
    headers: dict[str, str], body: object, expected: str | None
) -> None:
    assert failure("openai", 500, body, headers).request_id == expected


def test_request_id_of_a_stream_is_in_its_error() -> None:
    assert stream_error(ANTHROPIC, target("anthropic")).request_id == "req_1"


@pytest.mark.parametrize(
    ("status", "message", "lead", "hint"),
    [
        (
            403,
            "Country not supported",
            "openai does not allow this",
            "The key for openai may",
        ),
        (403, "Invalid API key", "openai did not accept the key", "Put a valid key into"),
        (401, "no", "openai did not accept the key", "Put a valid key into"),
    ],
)
def test_refusal_says_whether_it_is_about_the_key(
    status: int, message: str, lead: str, hint: str
) -> None:
    error = failure("openai", status, {"error": {"message": message}})
    assert error.message.startswith(lead)
    assert (error.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("shape", "rest"),
    [
        ("sk-ant-api03-{}", "sk-ant"),
        ("sk-or-v1-{}", "sk-or"),
        ("sk-proj-{}", "sk-proj"),
        ("AIza{}", "AIza"),
        ("AQ.{}", "AQ."),
        ("gsk_{}", "gsk_"),
        ("xai-{}", "xai-"),
        ("hf_{}", "hf_"),
        ("r8_{}", "r8_"),
        ("pplx-{}", "pplx-"),
        ("nvapi-{}", "nvapi-"),
        ("csk-{}", "csk-"),
        ("fw_{}", "fw_"),
        ("tgp_v1_{}", "tgp_"),
        ("ghp_{}", "ghp_"),
        ("gho_{}", "gho_"),
        ("ghu_{}", "ghu_"),
        ("ghs_{}", "ghs_"),
        ("github_pat_11{}", "github_pat"),
        ("co_{}", "co_"),
        ("jina_{}", "jina_"),
        ("pa-{}", "pa-"),
        ("dapi{}", "dapi"),
        ("cpk_{}", "cpk_"),
        ("vck_{}", "vck_"),
        ("flp_{}", "flp_"),
        ("LLM|123456|{}", "LLM|"),
        ("eyJ{0}.{0}.{0}", "eyJ"),
        ("inf-0123abcd-0123-4567-89ab-0123456789ab", "inf-"),
        ("Bearer {}", "B1"),
    ],
    ids=lambda text: text,
)
def test_key_of_any_provider_in_a_message_is_masked(shape: str, rest: str) -> None:
    key = shape.format("B1c2D3e4F5g6H7i8J9k0L1m2")
    error = failure("together", 401, {"error": {"message": f"Bad key: {key}, sorry", "code": key}})
    assert isinstance(error, LLMAPIError)
    shown = f"{error.message} {error.code} {error.body}"
    assert rest not in shown
    assert "B1c2" not in shown
    assert "sorry" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "Model x is not supported by provider hf-inference",
        "see jina_embeddings and co_authored pa-system",
        "the vendors xai-org, Qwen and zai-org",
        "LLM|x, eyJ and AQ.",
        "claude-sonnet-5-20261001 gpt-5.4-mini inf-1",
    ],
)
def test_ordinary_words_are_not_taken_for_keys(text: str) -> None:
    assert failure("huggingface", 400, {"error": text}).message.endswith(text)


def test_password_of_the_address_is_masked() -> None:
    where = target("openai", basic_auth=Secret("me:very-secret-word"))
    body = json.dumps({"error": {"message": "no: me:very-secret-word"}}).encode()
    error = answer_error(Head(401, {}), body, where)
    assert isinstance(error, LLMAPIError)
    assert "very-secret" not in f"{error.message} {error.body}"


@pytest.mark.parametrize(
    "message",
    [
        "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.",
        "Previous response with id 'resp_1' not found.",
        "No such File object: file-1",
    ],
)
def test_missing_thing_that_the_request_names_is_no_missing_model(message: str) -> None:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": "input"}}
    assert type(failure("openai", 404, body)) is ValidationError
    missing = {"error": {"message": "The model `x` does not exist", "code": None}}
    assert type(failure("openai", 404, missing)) is ModelNotFoundError


def test_endless_message_is_cut_before_it_is_looked_at() -> None:
    error = failure("openai", 400, {"error": {"message": "model " * 2000 + "not found"}})
    assert type(error) is ValidationError
    assert len(str(error)) < 1000

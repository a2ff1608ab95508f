"""Embeddings that come back: what real servers answered, and answers that are wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from struct import pack
from typing import Any

import pytest

from llm_client.dialects.embeddings import find_embedder
from llm_client.exceptions import (
    AuthenticationError,
    LLMAPIError,
    LLMServiceError,
    ModelNotFoundError,
    RateLimitError,
)
from llm_client.types.http import Head
from llm_client.types.response import Usage

from ..support.recordings import needs_recordings
from .answers import details, expected, recording
from .test_embeddings import PATHS, TEXTS, where

RECORDED = expected("embeddings")


@needs_recordings
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    row = RECORDED[name]
    target = where(row["dialect"])
    got = find_embedder(target).decode_embeddings(recording(name).body, target)
    assert len(got.embeddings) == row["count"]
    assert {len(vector) for vector in got.embeddings} == {row["dimensions"]}
    for vector, start, end in zip(got.embeddings, row["starts"], row["ends"], strict=True):
        assert [*vector[:3], vector[-1]] == pytest.approx([*start, end], abs=1e-8)
    assert got.model == row["model"]
    tokens = row["tokens"]
    assert got.usage == (None if tokens is None else Usage(tokens, 0, tokens))
    assert got.raw == json.loads(recording(name).body)


@needs_recordings
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_cut_anywhere_is_an_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looking for keys in 80,000 error bodies would take minutes.
    monkeypatch.setattr("llm_client.dialects.errors.redact", lambda text, secrets: text)
    target = where(RECORDED[name]["dialect"])
    whole = recording(name).body.rstrip()
    for offset in range(len(whole)):
        with pytest.raises(LLMServiceError):
            find_embedder(target).decode_embeddings(whole[:offset], target)


@needs_recordings
@pytest.mark.parametrize(
    ("name", "dialect"),
    [("litellm-mock/embeddings", "openai-chat"), ("ollama-extra/embed-legacy", "ollama")],
    ids=["text for a vector", "older API"],
)
def test_recorded_answer_without_vectors_is_an_error(name: str, dialect: str) -> None:
    target = where(dialect)
    with pytest.raises(LLMServiceError, match="JSON that has no embeddings"):
        find_embedder(target).decode_embeddings(recording(name).body, target)


@needs_recordings
@pytest.mark.parametrize(
    ("name", "dialect", "row", "message"),
    [
        (
            "xllamacpp/embeddings",
            "openai-chat",
            {"error": "LLMServiceError", "status": 501, "code": "501"},
            "Start it with `--embeddings`",
        ),
        (
            "ollama/oll-embed",
            "ollama",
            {"error": "LLMServiceError", "status": 501},
            "Start it with `--embeddings`",
        ),
        (
            "ollama/embeddings",
            "openai-chat",
            {"error": "LLMServiceError", "status": 501, "type": "api_error"},
            "Start it with `--embeddings`",
        ),
        (
            "llama-cpp-python/embeddings",
            "openai-chat",
            {"error": "LLMServiceError", "status": 500, "retryable": True},
            "embedding=True",
        ),
        ("mlx/embeddings", "openai-chat", {"error": "LLMAPIError", "status": 404}, "Not Found"),
        (
            "transformers/embeddings",
            "openai-chat",
            {"error": "LLMAPIError", "status": 404},
            "Not Found",
        ),
    ],
    ids=["llama.cpp", "ollama", "ollama /v1", "llama-cpp-python", "mlx", "transformers"],
)
def test_recorded_error_is_of_its_class(
    name: str, dialect: str, row: dict[str, Any], message: str
) -> None:
    target, source = where(dialect), recording(name)
    error = find_embedder(target).error(source.head, source.body, target)
    assert row.items() <= details(error).items()
    assert message in str(error)


@pytest.mark.parametrize(
    ("dialect", "status", "answer", "kind"),
    [
        ("cohere", 401, {"message": "invalid api token"}, AuthenticationError),
        (
            "gemini",
            404,
            {"error": {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}},
            ModelNotFoundError,
        ),
        ("openai-chat", 429, {"detail": "slow down"}, RateLimitError),
    ],
    ids=["cohere", "gemini", "voyage"],
)
def test_error_answer_is_of_its_class(
    dialect: str, status: int, answer: object, kind: type[LLMAPIError]
) -> None:
    target = where(dialect)
    error = find_embedder(target).error(Head(status, {}), json.dumps(answer).encode(), target)
    assert type(error) is kind


def decoded(dialect: str, answer: object) -> Any:
    target = where(dialect)
    return find_embedder(target).decode_embeddings(json.dumps(answer).encode(), target)


def test_cohere_answer_is_read() -> None:
    # In the form of docs.cohere.com/reference/embed (2026-11).
    answer = {
        "id": "x",
        "embeddings": {"float": [[0.5, 1], [2, 3]]},
        "texts": list(TEXTS),
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2.0}},
        "response_type": "embeddings_by_type",
    }
    got = decoded("cohere", answer)
    assert got.embeddings == [(0.5, 1), (2, 3)]
    assert got.usage == Usage(2, 0, 2)
    assert decoded("cohere", {**answer, "meta": None}).usage is None


def test_gemini_usage_is_read_where_it_is_told() -> None:
    answer = {"embeddings": [{"values": [1.0]}], "usageMetadata": {"promptTokenCount": 4}}
    assert decoded("gemini", answer).usage == Usage(4, 0, 4)


def test_ollama_answer_without_counts_has_no_usage() -> None:
    assert decoded("ollama", {"embeddings": [[1.0]]}).usage is None


def test_base64_is_read_as_little_endian_floats() -> None:
    packed = b64encode(pack("<3f", 0.5, -2.0, 1e10)).decode()
    got = decoded("openai-chat", {"data": [{"embedding": packed}]})
    assert got.embeddings == [(0.5, -2.0, 1e10)]
    assert (got.model, got.usage) == ("", None)


def test_base64_on_a_big_endian_machine_is_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.byteorder", "big")
    packed = b64encode(pack(">2f", 0.5, -2.0)).decode()
    assert decoded("openai-chat", {"data": [{"embedding": packed}]}).embeddings == [(0.5, -2.0)]


@pytest.mark.parametrize("tokens", ["x", -1, float("inf"), [3]], ids=str)
def test_usage_that_is_no_count_costs_no_vectors(tokens: object) -> None:
    answers = {
        "openai-chat": {"data": [{"embedding": [1.0]}], "usage": {"prompt_tokens": tokens}},
        "gemini": {
            "embeddings": [{"values": [1.0]}],
            "usageMetadata": {"promptTokenCount": tokens},
        },
        "cohere": {"embeddings": {"float": [[1.0]]}, "meta": {"tokens": {"input_tokens": tokens}}},
        "ollama": {"embeddings": [[1.0]], "prompt_eval_count": tokens},
    }
    for dialect, value in answers.items():
        vectors = decoded(dialect, value)
        assert (vectors.embeddings, vectors.usage) == ([(1.0,)], None)


def test_vectors_whose_numbers_are_null_keep_their_order() -> None:
    rows = [{"index": None, "embedding": [1.0]}, {"index": None, "embedding": [2.0]}]
    assert decoded("openai-chat", {"data": rows}).embeddings == [(1.0,), (2.0,)]


def test_numbered_vectors_are_put_in_order() -> None:
    rows = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    assert decoded("openai-chat", {"data": rows}).embeddings == [(0.0,), (1.0,)]


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "total_tokens": 3}, 3),
        ({"total_tokens": 4}, 4),
        ({"prompt_tokens": 5, "total_tokens": 0}, 5),
    ],
    ids=["openai", "voyage", "litellm"],
)
def test_usage_counts_the_tokens_of_the_texts(usage: object, tokens: int) -> None:
    answer = {"data": [{"embedding": [1.0]}], "usage": usage}
    assert decoded("openai-chat", answer).usage == Usage(tokens, 0, tokens)


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("openai-chat", {}),
        ("openai-chat", []),
        ("openai-chat", {"data": [{}]}),
        ("openai-chat", {"data": [{"embedding": []}]}),
        ("openai-chat", {"data": [{"embedding": None}]}),
        ("openai-chat", {"data": [{"embedding": ["a"]}]}),
        ("openai-chat", {"data": [{"embedding": [[1.0]]}]}),
        ("openai-chat", {"data": [{"embedding": "AAA="}]}),
        ("openai-chat", {"data": [{"embedding": "%%%"}]}),
        ("openai-chat", {"data": ["x"]}),
        ("cohere", {"embeddings": [[1.0]]}),
        ("cohere", {"message": "no luck"}),
        ("gemini", {"embeddings": [[1.0]]}),
        ("gemini", {"embedding": {"values": [1.0]}}),
        ("ollama", {"embedding": [1.0]}),
        ("ollama", "text"),
    ],
    ids=str,
)
def test_answer_without_vectors_is_an_error(dialect: str, answer: object) -> None:
    with pytest.raises(LLMServiceError, match="no embeddings instead of an answer"):
        decoded(dialect, answer)


@pytest.mark.parametrize("dialect", PATHS)
def test_error_with_status_200_is_read_as_one(dialect: str) -> None:
    with pytest.raises(LLMServiceError, match="overloaded today"):
        decoded(dialect, {"error": {"message": "overloaded today"}})


def test_page_for_an_answer_is_an_error() -> None:
    with pytest.raises(LLMServiceError, match="an HTML page instead of an answer"):
        find_embedder(where()).decode_embeddings(b"<html>", where())

"""What goes wrong on the way never raises: it is an error in its place, or does not matter.

Each dialect's recordings, and lists of models, embeddings and errors, with values replaced by
others of every type. What passes for an answer must be one that can be stored and sent back.
"""

from __future__ import annotations

import json
import pickle
from random import Random
from typing import Any

import pytest

from llm_client.dialects import find_dialect
from llm_client.dialects.base import ListsModels
from llm_client.dialects.embeddings import find_embedder
from llm_client.dialects.errors import stream_error
from llm_client.exceptions import LLMError
from llm_client.types.http import Head
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import StreamChunk, fold
from llm_client.types.target import Target

from ..support.recordings import needs_recordings
from .answers import answer, expected, feed, recording, target
from .mutations import mutated, mutated_answer
from .test_cohere_stream import STREAMS as COHERE_STREAMS

RUNS = 1500
LARGEST = 20_000
"""Bytes of a recording: in a longer one there is more of the same."""


def check_chunk(chunk: StreamChunk) -> None:
    """Assert that everything in a chunk is of the type that it is promised to be."""
    assert type(chunk.delta) is type(chunk.reasoning) is type(chunk.model) is str
    assert isinstance(chunk.finish_reason, str | None)
    assert isinstance(chunk.response_id, str | None)
    if (call := chunk.tool_call) is not None:
        assert type(call.index) is int
        assert type(call.arguments) is str
        assert isinstance(call.id, str | None)
        assert isinstance(call.name, str | None)
    if (usage := chunk.usage) is not None:
        for count in (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens):
            assert type(count) is int
            assert 0 <= count < 1e16
        assert usage.estimated_cost is None or 0 <= usage.estimated_cost < 1e16


def check_way_back(chunks: list[StreamChunk], where: Target) -> None:
    """Assert that what passes for an answer can be stored, and sent on to anyone."""
    stored = json.dumps(fold(chunks).message.to_dict())
    if "NaN" in stored or "Infinity" in stored:
        return  # a state with what is no JSON: the encoders say so
    history = (Message("user", "a"), Message.parse(json.loads(stored)), Message("user", "b"))
    for other in (where, target("openai"), target("anthropic"), target("cohere")):
        find_dialect(other.provider.dialect).encode(LLMRequest(history), other)


@needs_recordings
@pytest.mark.parametrize(
    ("rows", "dialect", "provider"),
    [
        ("openai_responses", "openai-responses", "openai"),
        ("openai_completions", "openai-completions", "openai"),
        ("cohere", "cohere", "cohere"),
    ],
)
def test_answer_with_wrong_values_is_an_answer_or_an_error(
    rows: str, dialect: str, provider: str
) -> None:
    source, speaks, where = Random(7), find_dialect(dialect), target(provider)
    recordings = [recording(name) for name in expected(rows)]
    sources = [(good.body, good.streamed) for good in recordings if len(good.body) < LARGEST]
    if dialect == "cohere":
        sources += [(stream, True) for stream in COHERE_STREAMS.values()]
    answers = 0
    for _ in range(RUNS):
        good, streamed = source.choice(sources)
        body = mutated_answer(good, source, streamed=streamed)
        chunks = feed(speaks, where, [body]) if streamed else speaks.decode(body, where)
        for chunk in chunks:
            check_chunk(chunk)
        if answer(chunks).error is None:
            answers += 1
            check_way_back(chunks, where)
    # Else nothing was tried but the reading of what is no answer at all.
    assert 0.2 * RUNS < answers < RUNS


VECTORS: dict[str, Any] = {
    "openai": {
        "data": [{"index": 0, "embedding": [0.5]}, {"index": 1, "embedding": "AACAPw=="}],
        "model": "m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    "gemini": {"embeddings": [{"values": [0.5]}], "usageMetadata": {"promptTokenCount": 4}},
    "cohere": {"embeddings": {"float": [[0.5]]}, "meta": {"billed_units": {"input_tokens": 3}}},
    "ollama": {"model": "m", "embeddings": [[0.5]], "prompt_eval_count": 3},
}


@pytest.mark.parametrize("provider", VECTORS)
def test_embeddings_with_wrong_values_are_embeddings_or_an_error(provider: str) -> None:
    source, where = Random(7), target(provider)
    embedder = find_embedder(where)
    for _ in range(RUNS):
        value = mutated(mutated(VECTORS[provider], source), source)
        try:
            vectors = embedder.decode_embeddings(json.dumps(value).encode(), where)
        except LLMError:
            continue
        assert all(vectors.embeddings)
        check_chunk(StreamChunk(model=vectors.model, usage=vectors.usage))


MODELS: dict[str, Any] = {
    "cohere": {
        "models": [
            {"name": "a", "endpoints": ["chat"], "features": ["tools"], "context_length": 8.0},
        ],
        "next_page_token": "more",
    },
    "openai": {"data": [{"id": "a", "meta": {"n_ctx": 8}}], "links": {"next": "/models?cursor=2"}},
}


@pytest.mark.parametrize("provider", MODELS)
def test_model_list_with_wrong_values_is_a_list_or_an_error(provider: str) -> None:
    source, where = Random(7), target(provider)
    dialect = find_dialect(where.provider.dialect)
    assert isinstance(dialect, ListsModels)
    for _ in range(RUNS):
        value = mutated(mutated(MODELS[provider], source), source)
        try:
            page = dialect.decode_models(json.dumps(value).encode(), where)
        except LLMError:
            continue
        assert isinstance(page.next, str | None)
        dialect.encode_models(where, page.next)
        for model in page.models:
            assert model.id
            assert model.context_length is None or model.context_length > 0


ERRORS: list[Any] = [
    {
        "error": {
            "code": 429,
            "message": "Slow down.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"retryDelay": "3.5s"},
                {"violations": [{"quotaId": "PerDay"}]},
                {"reason": "RATE_LIMIT_EXCEEDED"},
            ],
        }
    },
    [{"error": {"code": 400, "message": "API key not valid."}}],
    {"detail": [{"msg": "required", "loc": ["body", 1]}]},
    {"errors": [{"code": 3036, "message": "Used up."}], "success": False},
    {
        "error": {
            "message": "Blocked.",
            "type": "invalid_request_error",
            "param": "input",
            "code": "content_filter",
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
            "metadata": {"raw": "more", "reasons": ["a"]},
        }
    },
    {
        "type": "error",
        "error": {"type": "api_error", "message": "m", "details": {"error_code": "x"}},
        "request_id": "r",
    },
    {"message": "no", "code": "1", "status_code": 400, "request_id": "r", "id": "y"},
    {"error": '{"error":{"message":"inside"}}'},
]


@pytest.mark.parametrize("provider", ["openai", "cohere", "cloudflare", "groq"])
def test_error_with_wrong_values_is_still_an_error(provider: str) -> None:
    source, where = Random(7), target(provider, key="sk-0123456789")
    dialect = find_dialect(where.provider.dialect)
    for _ in range(RUNS):
        value = mutated(mutated(source.choice(ERRORS), source), source)
        status = source.choice([400, 404, 429, 498, 500])
        error = dialect.error(Head(status, {}), json.dumps(value).encode(), where)
        assert (error.provider, error.model, error.status) == (provider, "some-model", status)
        assert isinstance(error.request_id, str | None)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
        inside = stream_error(value, where)
        assert inside.retry_after is None or 0 <= inside.retry_after < 1e9

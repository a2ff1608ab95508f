"""`embed` of both clients against llama.cpp's own server, and what it does to the client's books."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig
from llm_client.exceptions import (
    ConfigurationError,
    ConnectionError,
    LLMAPIError,
    ValidationError,
)
from llm_client.types.embedding import EmbeddingResponse
from llm_client.types.events import AttemptRecord, Event

from ..support.llama_server import running_llama_server

TEXTS = ["hello", "the quick brown fox", "wörld 🌊"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The base URL of a server that has embeddings."""
    pytest.importorskip("xllamacpp")
    with running_llama_server(embeddings=True) as url:
        yield f"{url}/v1"


def config(url: str, **fields: Any) -> LLMConfig:
    return LLMConfig(**{"provider": "llamacpp", "base_url": url, "model": "demo", **fields})


def embed_sync(where: LLMConfig, texts: Any, **options: Any) -> EmbeddingResponse:
    with LLMClient(where) as client:
        return client.embed(texts, **options)


def embed_async(where: LLMConfig, texts: Any, **options: Any) -> EmbeddingResponse:
    async def main() -> EmbeddingResponse:
        async with AsyncLLMClient(where) as client:
            return await client.embed(texts, **options)

    return asyncio.run(main())


@pytest.fixture(params=[embed_sync, embed_async], ids=["sync", "async"])
def embed(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_texts_embedded_give_a_vector_each(server: str, embed: Any) -> None:
    response = embed(config(server), TEXTS)
    assert len(response.embeddings) == len(TEXTS)
    assert {len(vector) for vector in response.embeddings} == {response.dimensions}
    for vector in response.embeddings:
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-4)
    assert (response.model, response.provider) == ("demo", "llamacpp")
    assert response.usage.prompt_tokens > len(TEXTS)
    assert response.cost is None
    assert isinstance(response.raw[0]["data"][0]["embedding"], str)  # base64


def test_lists_and_base64_are_the_same_vectors(server: str, embed: Any) -> None:
    packed = embed(config(server), TEXTS)
    listed = embed(config(server), TEXTS, extra_body={"encoding_format": "float"})
    assert isinstance(listed.raw[0]["data"][0]["embedding"], list)
    for one, other in zip(packed.embeddings, listed.embeddings, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_one_text_gives_one_vector(server: str, embed: Any) -> None:
    one, several = embed(config(server), TEXTS[0]), embed(config(server), TEXTS)
    assert one.embeddings[0] == pytest.approx(several.embeddings[0], abs=1e-6)


def test_model_that_is_not_named_is_asked_of_the_server(server: str, embed: Any) -> None:
    assert embed(config(server, model=None), "hello").model == "demo"


def test_text_that_is_too_long_is_an_error_with_the_servers_words(server: str, embed: Any) -> None:
    with pytest.raises(LLMAPIError, match=r"too large|exceed|too long|increase"):
        embed(config(server, max_retries=0), "word " * 5000)


def test_call_is_in_the_books_but_is_no_last_response(server: str) -> None:
    events: list[Event] = []
    with LLMClient(config(server), observe=events.append) as client:
        client.embed(TEXTS)
        stats = client.get_stats()
        assert client.get_last_response() is None
    assert (stats.call_count, stats.request_count, stats.failed_count) == (1, 1, 0)
    assert stats.prompt_tokens == stats.total_tokens > 0
    (record,) = events
    assert isinstance(record, AttemptRecord)
    assert (record.outcome, record.model) == ("ok", "demo")


def test_answer_stays_the_last_response_after_an_embedding(server: str) -> None:
    with LLMClient(config(server)) as client:
        answer = client.generate("hi", max_tokens=4)
        client.embed("hi")
        assert client.get_last_response() is answer
        assert client.get_stats().call_count == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 1}, "no option 'temperature'"),
        ({"timeout": 0}, "timeout"),
        ({"deadline": -1}, "deadline"),
        ({"max_retries": -1}, "max_retries"),
        ({"dimensions": "8"}, "dimensions"),
        ({"input_type": "query"}, "input_type"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_option_that_is_wrong_is_refused(
    embed: Any, closed_url: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        embed(config(closed_url), "hello", **options)


def test_model_of_another_provider_is_asked_there(
    embed: Any, server: str, monkeypatch: Any
) -> None:
    monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", server)
    response = embed(config("http://127.0.0.1:9/v1"), "hello", model="vllm/demo", timeout=60)
    assert response.provider == "vllm"


def test_provider_without_embeddings_is_refused(embed: Any) -> None:
    where = LLMConfig(provider="anthropic", api_key="x", model="claude-sonnet-5")
    with pytest.raises(ConfigurationError, match="'anthropic' has no embeddings"):
        embed(where, "hello")


def test_client_default_of_the_call_holds_for_embeddings_too(closed_url: str) -> None:
    events: list[Event] = []
    with (
        LLMClient(
            config(closed_url), observe=events.append, max_retries=0, temperature=1
        ) as client,
        pytest.raises(ConnectionError),
    ):
        client.embed("hello")
    assert len(events) == 1

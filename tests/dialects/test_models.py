"""Model lists in the shapes that servers give them, and finding a dialect."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_client.dialects import DIALECTS, find_dialect
from llm_client.dialects.base import ListsModels
from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import AuthenticationError, ConfigurationError, LLMServiceError
from llm_client.types.models import ModelInfo, ModelPage

from ..support.recordings import local_answer, needs_recordings
from .answers import target

WHERE = target("vllm")


def page(body: object) -> ModelPage:
    return OpenAIChat().decode_models(json.dumps(body).encode(), WHERE)


def models(body: object) -> list[ModelInfo]:
    return page(body).models


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_of_the_catalog_is_found_once_and_lists_models(name: str) -> None:
    dialect = find_dialect(name)
    assert dialect is find_dialect(name)
    assert isinstance(dialect, ListsModels)


def test_unknown_dialect_is_refused_with_the_known() -> None:
    with pytest.raises(ConfigurationError, match="no dialect 'soap'") as caught:
        find_dialect("soap")
    assert caught.value.hint == f"Known: {', '.join(sorted(DIALECTS))}."


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "a"}, {"id": "b"}]},
        [{"id": "a"}, {"id": "b"}],
        [{"model_id": "a"}, {"model_id": "b"}],
        {"models": [{"key": "a"}, {"key": "b"}]},
        {"data": [{"id": "a"}, {"id": "b"}], "models": [{"name": "c"}]},
    ],
    ids=["openai", "bare list (Together)", "Heroku", "LM Studio", "llama.cpp"],
)
def test_model_list_of_any_shape_gives_its_ids(body: object) -> None:
    assert [model.id for model in models(body)] == ["a", "b"]


def test_rows_without_a_model_are_left_out() -> None:
    listed = models({"data": [{"id": "a"}, {"name": "no id"}, {"id": ""}, "text", None]})
    assert [model.id for model in listed] == ["a"]


@needs_recordings
@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("litellm-auth", "badkey-models"),
        ("xllamacpp-key", "models-badkey"),
        ("xllamacpp-key", "models-nokey"),
        ("llama-cpp-python", "auth-"),
        ("llama-cpp-python", "auth-bad"),
    ],
)
def test_recorded_refusal_of_a_list_is_about_the_key(server: str, name: str) -> None:
    source = local_answer(server, name)
    error = OpenAIChat().error(source.head, source.body, WHERE)
    assert isinstance(error, AuthenticationError)
    assert error.status == 401


def test_list_in_pages_is_asked_for_page_by_page() -> None:
    """OpenRouter: `links.next` is a path with the query of the next part, or null on the last."""
    first = page({"data": [{"id": "a"}], "links": {"next": "/api/v1/models?offset=500&limit=500"}})
    assert first.next == "offset=500&limit=500"
    request = OpenAIChat().encode_models(WHERE, first.next)
    assert request.url == f"{WHERE.base_url}/models?offset=500&limit=500"
    assert page({"data": [], "links": {"next": None}}).next is None
    assert page({"data": []}).next is None
    assert page([]).next is None


def test_next_page_stays_with_the_server_that_was_asked() -> None:
    """The key must not follow an address that an answer names."""
    body = {"data": [], "links": {"next": "https://elsewhere.example/models?offset=1#top"}}
    request = OpenAIChat().encode_models(WHERE, page(body).next)
    assert request.url == f"{WHERE.base_url}/models?offset=1"


@pytest.mark.parametrize(
    "address", ["/models", "/models?", "/models?a b", "/models?a\r\nhost: x", "?" + "x" * 501, 3]
)
def test_next_page_that_is_no_query_is_none(address: object) -> None:
    assert page({"data": [], "links": {"next": address}}).next is None


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/available-models", "http://localhost:1/v1/available-models"),
        ("../catalog/models", "http://localhost:1/catalog/models"),
    ],
    ids=["under the base URL", "beside it"],
)
def test_list_at_a_path_of_its_own_is_asked_for_there(path: str, url: str) -> None:
    row = replace(WHERE.provider, models_path=path)
    where = replace(WHERE, provider=row, query="api-version=1")
    assert OpenAIChat().encode_models(where).url == f"{url}?api-version=1"
    assert OpenAIChat().encode_models(where, "offset=5").url == f"{url}?offset=5&api-version=1"


def test_empty_model_list_answer_lists_none() -> None:
    """mlx_lm.server: 200 with an empty body."""
    assert OpenAIChat().decode_models(b" \n", WHERE).models == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>", "an HTML page"),
        (b"Not Found", "something that is not JSON"),
        (b"{}", "JSON that lists no models"),
        (b"3", "JSON that lists no models"),
        (b'{"data": {}}', "JSON that lists no models"),
    ],
)
def test_200_that_lists_no_models_says_what_came(body: bytes, what: str) -> None:
    with pytest.raises(LLMServiceError, match=what):
        OpenAIChat().decode_models(body, WHERE)


def test_error_with_status_200_for_a_model_list_is_raised() -> None:
    body = b'{"error": {"message": "no", "code": "invalid_api_key"}}'
    with pytest.raises(AuthenticationError):
        OpenAIChat().decode_models(body, WHERE)


def test_ollama_model_is_listed_with_what_it_tells() -> None:
    rows = [
        {"name": "a"},
        {"name": "b", "details": {"quantization_level": "Q4"}, "capabilities": 3},
        {"name": "c", "details": None, "capabilities": ["completion", "tools", "insert"]},
        {"name": "d", "capabilities": ["completion", "vision", "thinking"]},
        {"name": "e", "details": {"context_length": 8}, "capabilities": ["embedding"]},
    ]
    page = Ollama().decode_models(json.dumps({"models": rows}).encode(), target("ollama"))
    assert page == ModelPage(
        [
            ModelInfo("a", "ollama"),
            ModelInfo("b", "ollama", description="Q4"),
            ModelInfo("c", "ollama", capabilities=("completion", "tools")),
            ModelInfo("d", "ollama", capabilities=("completion", "reasoning", "vision")),
            ModelInfo("e", "ollama", context_length=8, capabilities=("embedding",)),
        ]
    )


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"models": [{}]}', b'{"models": [3]}', b"<p>"]
)
def test_ollama_200_that_lists_no_models_says_so(body: bytes) -> None:
    with pytest.raises(LLMServiceError, match="lists no models"):
        Ollama().decode_models(body, target("ollama"))

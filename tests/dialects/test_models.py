"""Model lists in the shapes that servers give them, and finding a dialect."""

from __future__ import annotations

import json

import pytest

from llm_client.dialects import DIALECTS, find_dialect
from llm_client.dialects.base import ListsModels
from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import AuthenticationError, ConfigurationError, LLMServiceError
from llm_client.types.models import ModelInfo

from .answers import target

WHERE = target("vllm")


def models(body: object) -> list[ModelInfo]:
    return OpenAIChat().decode_models(json.dumps(body).encode(), WHERE).models


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_of_the_catalog_is_found_once_and_lists_models(name: str) -> None:
    dialect = find_dialect(name)
    assert dialect is find_dialect(name)
    assert isinstance(dialect, ListsModels)


def test_unknown_dialect_is_refused_with_the_known() -> None:
    with pytest.raises(ConfigurationError, match="no dialect 'soap'") as caught:
        find_dialect("soap")
    assert caught.value.hint == "Known: ollama, openai-chat."


@pytest.mark.parametrize(
    "body",
    [{"data": [{"id": "a"}, {"id": "b"}]}, [{"id": "a"}, {"id": "b"}]],
    ids=["openai", "bare list (Together)"],
)
def test_model_list_of_any_shape_gives_its_ids(body: object) -> None:
    assert [model.id for model in models(body)] == ["a", "b"]


@pytest.mark.parametrize(
    ("row", "window"),
    [
        ({"max_model_len": 8}, 8),
        ({"context_length": 8}, 8),
        ({"max_input_tokens": 8}, 8),
        ({"meta": {"n_ctx": 8, "n_ctx_train": 9}}, 8),
        ({"meta": {"n_ctx_train": 9}}, 9),
        ({"meta": None}, None),
        ({"context_length": "8k"}, None),
    ],
    ids=str,
)
def test_model_window_is_read_from_where_the_server_says_it(
    row: dict[str, object], window: int | None
) -> None:
    assert models([{"id": "a", **row}]) == [ModelInfo("a", "vllm", context_length=window)]


def test_model_row_has_its_details_and_junk_is_left_out() -> None:
    good = {"id": "a", "created": 7, "owned_by": "me", "description": "d"}
    odd = {"id": 5, "created": "x", "owned_by": [], "description": 3}
    assert models({"data": [good, odd, {"name": "no id"}, "text", None]}) == [
        ModelInfo("a", "vllm", created=7, owned_by="me", description="d"),
        ModelInfo("5", "vllm"),
    ]


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
    ],
)
def test_200_that_lists_no_models_says_what_came(body: bytes, what: str) -> None:
    with pytest.raises(LLMServiceError, match=what):
        OpenAIChat().decode_models(body, WHERE)


def test_error_with_status_200_for_a_model_list_is_raised() -> None:
    body = b'{"error": {"message": "no", "code": "invalid_api_key"}}'
    with pytest.raises(AuthenticationError):
        OpenAIChat().decode_models(body, WHERE)


def test_ollama_model_without_details_is_listed() -> None:
    body = b'{"models": [{"name": "a"}, {"name": "b", "details": {"quantization_level": "Q4"}}]}'
    assert Ollama().decode_models(body, target("ollama")).models == [
        ModelInfo("a", "ollama"),
        ModelInfo("b", "ollama", description="Q4"),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"models": [{}]}', b'{"models": [3]}', b"<p>"]
)
def test_ollama_200_that_lists_no_models_says_so(body: bytes) -> None:
    with pytest.raises(LLMServiceError, match="lists no models"):
        Ollama().decode_models(body, target("ollama"))

"""The model list of Anthropic, whole and in parts; schemas as its structured output takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.anthropic import Anthropic
from llm_client.dialects.anthropic_schema import closed_schema
from llm_client.dialects.base import ListsModels
from llm_client.exceptions import AuthenticationError, LLMServiceError, ValidationError
from llm_client.types.models import CAPABILITIES, ModelInfo

from ..support.recordings import local_answer, needs_recordings
from .answers import target

CLAUDE = target("anthropic", "sk-1")
YES, NO = {"supported": True}, {"supported": False}
OPUS = {
    "type": "model",
    "id": "claude-opus-4-6",
    "display_name": "Claude Opus 4.6",
    "created_at": "2026-02-04T00:00:00Z",
    "max_input_tokens": 1_000_000,
    "max_tokens": 128_000,
    "lifecycle": "deprecated",
    "retires_at": "2027-02-05T00:00:00Z",
    "capabilities": {
        "batch": YES,
        "image_input": YES,
        "pdf_input": YES,
        "structured_outputs": NO,
        "thinking": {"supported": True, "types": {"adaptive": YES}},
    },
}


def page(**fields: Any) -> bytes:
    return json.dumps({"data": [OPUS], **fields}).encode()


def test_dialect_lists_models() -> None:
    assert isinstance(Anthropic(), ListsModels)


def test_listed_model_has_every_field() -> None:
    listed = Anthropic().decode_models(page(has_more=False, last_id="x"), CLAUDE)
    assert listed.next is None
    assert listed.models == [
        ModelInfo(
            id="claude-opus-4-6",
            provider="anthropic",
            created=1_770_163_200,
            context_length=1_000_000,
            description="Claude Opus 4.6",
            max_output_tokens=128_000,
            capabilities=("completion", "documents", "reasoning", "tools", "vision"),
            retires_at="2027-02-05T00:00:00Z",
        )
    ]
    assert set(listed.models[0].capabilities or ()) <= set(CAPABILITIES)


@pytest.mark.parametrize("created", ["1970-01-01T00:00:00Z", "yesterday", None])
def test_date_that_says_nothing_is_none(created: str | None) -> None:
    row = {"id": "claude", "created_at": created}
    body = json.dumps({"data": [row]}).encode()
    assert Anthropic().decode_models(body, CLAUDE).models == [ModelInfo("claude", "anthropic")]


def test_part_of_a_list_names_where_the_next_begins() -> None:
    listed = Anthropic().decode_models(page(has_more=True, last_id="claude/opus 4"), CLAUDE)
    assert listed.next == "claude/opus 4"
    first = Anthropic().encode_models(CLAUDE)
    assert first.url == "http://localhost:1/v1/models?limit=1000"
    assert dict(first.headers)["anthropic-version"] == "2023-06-01"
    then = Anthropic().encode_models(CLAUDE, listed.next)
    assert then.url == "http://localhost:1/v1/models?limit=1000&after_id=claude%2Fopus%204"


@needs_recordings
def test_list_of_a_local_server_is_read_too() -> None:
    body = local_answer("xllamacpp", "models").body
    models = Anthropic().decode_models(body, target("llamacpp")).models
    assert [(model.id, model.owned_by, model.provider) for model in models] == [
        ("tiny", "llamacpp", "llamacpp")
    ]
    assert models[0].created is not None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": {}}'], ids=repr)
def test_answer_that_lists_no_models_is_an_error(body: bytes) -> None:
    with pytest.raises(LLMServiceError):
        Anthropic().decode_models(body, CLAUDE)


def test_error_instead_of_a_list_is_of_its_class() -> None:
    error = {"type": "authentication_error", "message": "invalid x-api-key"}
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()
    with pytest.raises(AuthenticationError) as caught:
        Anthropic().decode_models(body, CLAUDE)
    assert caught.value.request_id == "req_1"


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (
            {"type": "object", "properties": {"a": True}, "additionalProperties": True},
            {"type": "object", "properties": {"a": True}, "additionalProperties": False},
        ),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False},
        ),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"const": 1}, {"const": 2}]}),
        (
            {"type": "string", "format": "phone", "pattern": "é"},
            {"type": "string", "description": 'Must follow {"format": "phone", "pattern": "é"}.'},
        ),
        ({"anyOf": 5}, {"description": 'Must follow {"anyOf": 5}.'}),
        ({"type": ["string", "null"], "enum": ["a", None]}, {"enum": ["a", None]}),
        (
            {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "minItems": 2,
                "default": None,
            },
            {
                "default": None,
                "anyOf": [
                    {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": 'Must follow {"minItems": 2}.',
                    },
                    {"type": "null"},
                ],
            },
        ),
    ],
    ids=["open", "empty", "one of", "words", "odd", "enum", "types"],
)
def test_schema_is_written_as_the_api_takes_it(
    schema: dict[str, Any], closed: dict[str, Any]
) -> None:
    before = json.dumps(schema)
    assert closed_schema(schema) == closed
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "inner",
    [{"type": "object"}, {"type": "object", "properties": {"a": {}}, "additionalProperties": {}}],
    ids=["any", "map"],
)
def test_schema_with_any_names_inside_is_refused(inner: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}}
    with pytest.raises(ValidationError) as caught:
        closed_schema(schema)
    assert caught.value.param == "schema"

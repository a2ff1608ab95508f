"""Embeddings on the wire: what each dialect is sent, and which providers have any."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects import DIALECTS
from llm_client.dialects.base import EmbedLimits, Embeds
from llm_client.dialects.embeddings import EMBEDDERS, find_embedder
from llm_client.exceptions import ConfigurationError, ValidationError
from llm_client.types.embedding import EmbeddingRequest
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec, Quirks, Target

from ..support.recordings import needs_recordings
from .answers import recording

GOLDEN = json.loads((Path(__file__).parent / "golden_embeddings.json").read_bytes())
TEXTS = ("hello", "world")
ALL = EmbeddingRequest(TEXTS, dimensions=8)
VOYAGE = Quirks(
    embed_batch=1000,
    embed_batch_bytes=120_000,
    embed_dimensions_field="output_dimension",
    embed_input_type_field="input_type",
    embed_input_types=(("query", "query"), ("document", "document")),
)
JINA = Quirks(
    embed_base64_field="embedding_type",
    embed_input_type_field="task",
    embed_input_types=(("query", "retrieval.query"), ("document", "retrieval.passage")),
)


def where(dialect: str = "openai-chat", quirks: Quirks | None = None, **fields: Any) -> Target:
    provider = ProviderSpec(dialect, "http://localhost:1", dialect, quirks=quirks or Quirks())
    return Target(provider, **{"model": "m", "base_url": "http://localhost:1", **fields})


CASES: dict[str, tuple[Target, EmbeddingRequest]] = {
    "openai": (where(options={"reasoning": {}}), EmbeddingRequest(TEXTS)),
    "openai, all fields": (
        where(),
        replace(ALL, extra_body={"encoding_format": "float", "user": "ann"}),
    ),
    "gemini": (where("gemini"), EmbeddingRequest(TEXTS)),
    "gemini, all fields": (
        where("gemini", model="models/m"),
        replace(ALL, input_type="document", extra_body={"title": "Greetings"}),
    ),
    "cohere": (where("cohere", options={"k": 3}), EmbeddingRequest(TEXTS)),
    "cohere, all fields": (
        where("cohere"),
        replace(ALL, input_type="query", extra_body={"truncate": "END"}),
    ),
    "ollama": (where("ollama", options={"think": True}), EmbeddingRequest(TEXTS)),
    "ollama, all fields": (
        where("ollama", options={"num_ctx": 1, "options": {"num_thread": 2}, "keep_alive": "5m"}),
        replace(ALL, extra_body={"truncate": True, "num_ctx": 4096, "options": {"num_gpu": 1}}),
    ),
    "voyage": (where(quirks=VOYAGE), replace(ALL, input_type="document")),
    "jina": (where(quirks=JINA), replace(ALL, input_type="query")),
    "no base64": (where(quirks=Quirks(embed_base64_field="")), EmbeddingRequest(TEXTS)),
}
PATHS = {
    "cohere": "/embed",
    "gemini": "/models/m:batchEmbedContents",
    "ollama": "/api/embed",
    "openai-chat": "/embeddings",
}


def body(name: str) -> dict[str, Any]:
    target, request = CASES[name]
    wire = find_embedder(target).encode_embeddings(request, target)
    assert wire.method == "POST"
    assert wire.url == f"http://localhost:1{PATHS[target.provider.dialect]}"
    value = json.loads(wire.body or b"")
    assert isinstance(value, dict)
    return value


def test_golden_bodies_and_cases_are_the_same() -> None:
    assert set(GOLDEN) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_written_body(name: str) -> None:
    assert body(name) == GOLDEN[name]


@pytest.mark.parametrize("name", ["openai", "openai, all fields", "no base64"])
def test_openai_request_fits_the_vendors_own_type(name: str) -> None:
    pydantic = pytest.importorskip("pydantic")
    params = pytest.importorskip("openai.types.embedding_create_params").EmbeddingCreateParams
    strict = pydantic.ConfigDict(extra="forbid")
    pydantic.TypeAdapter(pydantic.with_config(strict)(params)).validate_python(body(name))


@pytest.mark.parametrize("name", ["cohere", "cohere, all fields"])
def test_cohere_request_has_only_fields_of_the_vendors_method(name: str) -> None:
    client = pytest.importorskip("cohere.v2.client")
    known = inspect.signature(client.V2Client.embed).parameters
    required = {key for key, field in known.items() if field.default is inspect.Parameter.empty}
    sent = body(name)
    assert required - {"self"} <= sent.keys() <= known.keys()


@pytest.mark.parametrize("name", ["gemini", "gemini, all fields"])
def test_gemini_request_has_only_fields_that_the_vendors_package_sends(name: str) -> None:
    types = pytest.importorskip("google.genai.types")
    known = {field.alias or name for name, field in types.EmbedContentConfig.model_fields.items()}
    for row in body(name)["requests"]:
        assert row.keys() - {"model", "content"} <= known
        types.Content.model_validate(row["content"])


@needs_recordings
def test_recorded_gemini_request_is_what_we_send() -> None:
    sent = recording("gemini/TestGoogle.documents#0").request
    target = where("gemini", model="gemini-embedding-2-preview")
    request = EmbeddingRequest(TEXTS, input_type="document")
    wire = find_embedder(target).encode_embeddings(request, target)
    assert json.loads(wire.body or b"") == sent


@needs_recordings
def test_recorded_openai_request_is_what_we_send() -> None:
    sent = recording("openai_embeddings/TestOpenAI.documents#0").request
    target = where(model="text-embedding-3-small")
    wire = find_embedder(target).encode_embeddings(EmbeddingRequest(TEXTS), target)
    assert json.loads(wire.body or b"") == sent


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/m", "models/m"),
        ("tunedModels/m", "tunedModels/m"),
        ("a/b?c", "models/a%2Fb%3Fc"),
        ("a b", "models/a%20b"),
    ],
)
def test_gemini_model_is_one_part_of_the_address(model: str, path: str) -> None:
    target = where("gemini", model=model)
    wire = find_embedder(target).encode_embeddings(EmbeddingRequest(TEXTS), target)
    assert wire.url == f"http://localhost:1/{path}:batchEmbedContents"


def test_gemini_key_goes_into_its_own_header() -> None:
    target = where("gemini", api_key=Secret("secret"))
    wire = find_embedder(target).encode_embeddings(EmbeddingRequest(TEXTS), target)
    assert dict(wire.headers)["x-goog-api-key"] == "secret"
    assert "secret" not in repr(wire)


@pytest.mark.parametrize(
    ("target", "input_type", "word"),
    [
        (where("gemini"), "query", "RETRIEVAL_QUERY"),
        (where("gemini"), "similarity", "SEMANTIC_SIMILARITY"),
        (where("gemini"), "classification", "CLASSIFICATION"),
        (where("gemini"), "clustering", "CLUSTERING"),
        (where("cohere"), "document", "search_document"),
        (where("cohere"), "classification", "classification"),
        (where("cohere"), "clustering", "clustering"),
    ],
    ids=lambda value: value.provider.name if isinstance(value, Target) else value,
)
def test_input_type_is_said_in_the_providers_word(
    target: Target, input_type: Any, word: str
) -> None:
    request = EmbeddingRequest(TEXTS, input_type=input_type)
    wire = find_embedder(target).encode_embeddings(request, target)
    assert f'"{word}"'.encode() in (wire.body or b"")


@pytest.mark.parametrize(
    ("target", "input_type"),
    [
        (where(), "query"),
        (where("ollama"), "document"),
        (where("cohere"), "similarity"),
        (where(quirks=VOYAGE), "clustering"),
    ],
    ids=["openai", "ollama", "cohere", "voyage"],
)
def test_input_type_without_a_word_is_refused(target: Target, input_type: Any) -> None:
    request = EmbeddingRequest(TEXTS, input_type=input_type)
    with pytest.raises(ValidationError, match=f"input_type '{input_type}'") as caught:
        find_embedder(target).encode_embeddings(request, target)
    assert caught.value.param == "input_type"
    assert caught.value.hint


def test_embedders_are_of_known_dialects_and_all_but_anthropics() -> None:
    assert set(DIALECTS) - set(EMBEDDERS) == {"anthropic"}


@pytest.mark.parametrize("dialect", EMBEDDERS)
def test_embedder_is_found_once_and_has_limits(dialect: str) -> None:
    found: Embeds = find_embedder(where(dialect))
    assert found is find_embedder(where(dialect))
    assert found.limits(where(dialect)).texts > 0


def test_limits_are_the_vendors_unless_the_provider_has_its_own() -> None:
    openai = find_embedder(where())
    assert openai.limits(where()) == EmbedLimits(2048, 300_000)
    assert openai.limits(where(quirks=VOYAGE)) == EmbedLimits(1000, 120_000)


@pytest.mark.parametrize(
    "target",
    [where("anthropic"), where(quirks=Quirks(embeddings=False))],
    ids=["dialect without", "provider without"],
)
def test_provider_without_embeddings_is_a_configuration_error(target: Target) -> None:
    with pytest.raises(ConfigurationError, match="has no embeddings") as caught:
        find_embedder(target)
    assert "model=" in (caught.value.hint or "")

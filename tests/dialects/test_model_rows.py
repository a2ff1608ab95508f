"""What single rows of model lists tell, server by server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.model_rows import _ALSO, _WORDS
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.types.models import CAPABILITIES, ModelInfo

from ..support.recordings import local_answer, needs_recordings, provider_exchange
from .answers import target

WHERE = target("vllm")


def models(body: object) -> list[ModelInfo]:
    return OpenAIChat().decode_models(json.dumps(body).encode(), WHERE).models


@pytest.mark.parametrize(
    ("row", "window"),
    [
        ({"max_model_len": 8}, 8),
        ({"context_length": 8}, 8),
        ({"context_window": 8}, 8),
        ({"context_size": 8}, 8),
        ({"max_context_length": 8}, 8),
        ({"max_context_length": 8, "loaded_context_length": 4}, 4),
        ({"max_input_tokens": 8}, 8),
        ({"limits": {"max_input_tokens": 8}}, 8),
        ({"metadata": {"context_length": 8}}, 8),
        ({"context_length": None, "top_provider": {"context_length": 8}}, 8),
        ({"meta": {"n_ctx": 8, "n_ctx_train": 9}}, 8),
        ({"meta": {"n_ctx_train": 9}}, 9),
        ({"max_context_length": 8, "loaded_instances": []}, 8),
        ({"max_context_length": 8, "loaded_instances": [{"config": {"context_length": 4}}]}, 4),
        ({"providers": [{"context_length": 4}, {"context_length": 8}, {"provider": "x"}]}, 8),
        ({"meta": None}, None),
        ({"context_length": "8k"}, None),
        ({"context_length": 0}, None),
        ({"context_length": True}, None),
        ({"loaded_instances": [3, {"config": None}], "providers": {"a": 1}}, None),
    ],
    ids=str,
)
def test_model_window_is_read_from_where_the_server_says_it(
    row: dict[str, object], window: int | None
) -> None:
    assert models([{"id": "a", **row}]) == [ModelInfo("a", "vllm", context_length=window)]


@pytest.mark.parametrize(
    ("row", "most"),
    [
        ({"max_completion_tokens": 4}, 4),
        ({"max_output_tokens": 4}, 4),
        ({"max_output_length": 4}, 4),
        ({"max_tokens": 4}, 4),
        ({"limits": {"max_output_tokens": 4}}, 4),
        ({"top_provider": {"max_completion_tokens": 4}}, 4),
        ({"top_provider": {"max_completion_tokens": None}}, None),
    ],
    ids=str,
)
def test_longest_answer_is_read_from_where_the_server_says_it(
    row: dict[str, object], most: int | None
) -> None:
    assert models([{"id": "a", **row}]) == [ModelInfo("a", "vllm", max_output_tokens=most)]


ROWS: dict[str, tuple[dict[str, Any], ModelInfo]] = {
    "OpenRouter": (
        {
            "id": "openai/gpt-5",
            "canonical_slug": "openai/gpt-5-2025-08-07",
            "name": "OpenAI: GPT-5",
            "created": 1754587413,
            "description": "d",
            "context_length": 400000,
            "architecture": {
                "modality": "text+image+file->text",
                "input_modalities": ["text", "image", "file"],
                "output_modalities": ["text"],
                "tokenizer": "GPT",
            },
            "top_provider": {"context_length": 300000, "max_completion_tokens": 128000},
            "supported_parameters": ["include_reasoning", "structured_outputs", "tools", "seed"],
            "expiration_date": "2027-01-01",
        },
        ModelInfo(
            "openai/gpt-5",
            "vllm",
            created=1754587413,
            description="d",
            context_length=400000,
            max_output_tokens=128000,
            capabilities=("completion", "documents", "reasoning", "schema", "tools", "vision"),
            retires_at="2027-01-01",
        ),
    ),
    "Mistral": (
        {
            "id": "pixtral-large-2411",
            "object": "model",
            "created": 1764296393,
            "owned_by": "mistralai",
            "capabilities": {
                "completion_chat": True,
                "completion_fim": False,
                "function_calling": True,
                "fine_tuning": False,
                "vision": True,
                "audio": False,
            },
            "description": "d",
            "max_context_length": 131072,
            "deprecation": "2026-12-01T12:00:00Z",
            "type": "base",
        },
        ModelInfo(
            "pixtral-large-2411",
            "vllm",
            created=1764296393,
            owned_by="mistralai",
            description="d",
            context_length=131072,
            capabilities=("completion", "tools", "vision"),
            retires_at="2026-12-01T12:00:00Z",
        ),
    ),
    "Together": (
        {"id": "a", "created": 1, "type": "chat", "organization": "Meta", "context_length": 8},
        ModelInfo(
            "a",
            "vllm",
            created=1,
            owned_by="Meta",
            context_length=8,
            capabilities=("completion",),
        ),
    ),
    "Together, embedding": (
        {"id": "a", "type": "embedding"},
        ModelInfo("a", "vllm", capabilities=("embedding",)),
    ),
    "Groq": (
        {
            "id": "a",
            "owned_by": "Meta",
            "active": True,
            "context_window": 8,
            "max_completion_tokens": 4,
        },
        ModelInfo("a", "vllm", owned_by="Meta", context_length=8, max_output_tokens=4),
    ),
    "LM Studio, its older API": (
        {
            "id": "a",
            "type": "vlm",
            "publisher": "qwen",
            "state": "not-loaded",
            "max_context_length": 8,
            "capabilities": ["tool_use"],
        },
        ModelInfo(
            "a",
            "vllm",
            owned_by="qwen",
            context_length=8,
            capabilities=("completion", "tools", "vision"),
        ),
    ),
    "LM Studio, its own API": (
        {
            "type": "llm",
            "publisher": "google",
            "key": "google/gemma-3-4b",
            "architecture": "gemma3",
            "loaded_instances": [{"id": "x", "config": {"context_length": 4096}}],
            "max_context_length": 131072,
            "capabilities": {"vision": True, "trained_for_tool_use": False},
            "description": None,
        },
        ModelInfo(
            "google/gemma-3-4b",
            "vllm",
            owned_by="google",
            context_length=4096,
            capabilities=("completion", "vision"),
        ),
    ),
    "GitHub": (
        {
            "id": "openai/gpt-4.1",
            "publisher": "OpenAI",
            "summary": "s",
            "tags": ["multipurpose", "multilingual", "multimodal"],
            "capabilities": ["agents", "streaming", "tool-calling"],
            "supported_input_modalities": ["text", "image", "audio"],
            "supported_output_modalities": ["text"],
            "limits": {"max_input_tokens": 8, "max_output_tokens": 4},
        },
        ModelInfo(
            "openai/gpt-4.1",
            "vllm",
            owned_by="OpenAI",
            description="s",
            context_length=8,
            max_output_tokens=4,
            capabilities=("audio", "completion", "tools", "vision"),
        ),
    ),
    "Hugging Face": (
        {
            "id": "a/b",
            "owned_by": "a",
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "providers": [
                {"provider": "x", "context_length": 4, "supports_tools": True},
                {"provider": "y", "supports_tools": False, "supports_structured_output": True},
            ],
        },
        ModelInfo(
            "a/b",
            "vllm",
            owned_by="a",
            context_length=4,
            capabilities=("completion", "schema", "tools"),
        ),
    ),
    "Fireworks": (
        {"id": "a", "supports_chat": True, "supports_image_input": False, "supports_tools": True},
        ModelInfo("a", "vllm", capabilities=("completion", "tools")),
    ),
    "Moonshot": (
        {"id": "a", "context_length": 8, "supports_image_in": True, "supports_reasoning": True},
        ModelInfo("a", "vllm", context_length=8, capabilities=("reasoning", "vision")),
    ),
    "DeepInfra": (
        {"id": "a", "metadata": {"context_length": 8, "max_tokens": 4, "tags": ["vision", "fp8"]}},
        ModelInfo("a", "vllm", context_length=8, max_output_tokens=4, capabilities=("vision",)),
    ),
    "Vercel": (
        {
            "id": "a",
            "type": "language",
            "tags": ["file-input", "reasoning", "tool-use"],
            "context_window": 8,
            "max_tokens": 4,
        },
        ModelInfo(
            "a",
            "vllm",
            context_length=8,
            max_output_tokens=4,
            capabilities=("completion", "documents", "reasoning", "tools"),
        ),
    ),
    "Novita": (
        {
            "id": "a",
            "context_size": 8,
            "max_output_tokens": 4,
            "features": ["function-calling", "structured-outputs"],
            "input_modalities": ["text", "image"],
            "model_type": "chat",
        },
        ModelInfo(
            "a",
            "vllm",
            context_length=8,
            max_output_tokens=4,
            capabilities=("completion", "schema", "tools", "vision"),
        ),
    ),
    "LiteLLM": (
        {"id": "a", "mode": "chat", "max_input_tokens": 8, "max_output_tokens": 4},
        ModelInfo("a", "vllm", context_length=8, max_output_tokens=4, capabilities=("completion",)),
    ),
    "odd types": (
        {
            "id": 5,
            "created": "x",
            "owned_by": [],
            "description": 3,
            "capabilities": 3,
            "tags": [3, None, {"a": 1}],
            "architecture": ["text"],
            "input_modalities": "image",
            "providers": [3],
        },
        ModelInfo("5", "vllm", capabilities=("vision",)),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_row_of_a_server_gives_what_it_tells(name: str) -> None:
    row, model = ROWS[name]
    assert models([row]) == [model]


def test_words_for_capabilities_are_spelled_as_they_are_looked_up() -> None:
    assert all(word == word.lower() and "-" not in word for word in {*_WORDS, *_ALSO})
    assert {*_WORDS.values(), *_ALSO.values()} <= set(CAPABILITIES)


@needs_recordings
def test_recorded_list_of_heroku_has_kinds_and_ends() -> None:
    body = provider_exchange("cerebras", "known_model_names", 1).body
    listed = {model.id: model for model in OpenAIChat().decode_models(body, WHERE).models}
    assert len(listed) == len(json.loads(body))
    assert listed["claude-3-5-haiku"].capabilities == ("completion",)
    assert listed["claude-3-5-haiku"].retires_at == "2026-06-12T00:00:00Z"
    assert listed["amazon-rerank-1-0"].capabilities is None
    assert listed["cohere-embed-multilingual"].capabilities == ("embedding",)


@needs_recordings
@pytest.mark.parametrize(
    ("server", "id", "figures"),
    [
        ("litellm-llama", "mock", (128_000, 16_384, ("completion",))),
        ("litellm-llama", "llama", (None, None, ("embedding",))),
        ("xllamacpp", "tiny", (2048, None, ("completion",))),
        ("xllamacpp-key", "emb", (2048, None, ("completion",))),
        ("ollama", "tiny:latest", (None, None, None)),
    ],
)
def test_recorded_list_has_windows_and_capabilities(
    server: str, id: str, figures: tuple[object, ...]
) -> None:
    name = "models-key" if server == "xllamacpp-key" else "models"
    listed = OpenAIChat().decode_models(local_answer(server, name).body, WHERE).models
    model = next(model for model in listed if model.id == id)
    assert (model.context_length, model.max_output_tokens, model.capabilities) == figures

"""What the rows of model lists tell, by whichever names a server has for it.

Owns the reading of one row of `GET /models` (OpenAI's dialects) and the words for capabilities,
which Ollama's list shares. Refuses to guess: what a row does not say is `None`.

Sources: the recordings of llama.cpp, LiteLLM, Ollama, Cerebras and Heroku (2026-10); the API
references of OpenRouter, Mistral, Together, Groq, Fireworks, DeepInfra, Novita, Moonshot,
SambaNova, GitHub Models, Vercel, LM Studio and the router of Hugging Face (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..types.models import ModelInfo
from ..types.target import Target
from ..wire.jsontext import parse_json
from .errors import describe, not_an_answer, stream_error
from .events import text_or_none, token_count

__all__ = ["first_text", "read_capabilities", "read_model", "read_rows", "window"]

_WORDS = {
    "audio": "audio",
    "audio_input": "audio",
    "input_audio": "audio",
    "chat": "completion",
    "code": "completion",
    "completion": "completion",
    "completion_chat": "completion",
    "language": "completion",
    "llm": "completion",
    "output_text": "completion",
    "supports_chat": "completion",
    "text_to_text": "completion",
    "vlm": "completion",
    "documents": "documents",
    "file_input": "documents",
    "input_file": "documents",
    "input_pdf": "documents",
    "embedding": "embedding",
    "embeddings": "embedding",
    "output_embeddings": "embedding",
    "text_to_embedding": "embedding",
    "include_reasoning": "reasoning",
    "reasoning": "reasoning",
    "supports_reasoning": "reasoning",
    "thinking": "reasoning",
    "structured_output": "schema",
    "structured_outputs": "schema",
    "supports_structured_output": "schema",
    "function_calling": "tools",
    "supports_tools": "tools",
    "tool_call": "tools",
    "tool_calling": "tools",
    "tool_use": "tools",
    "tools": "tools",
    "trained_for_tool_use": "tools",
    "image_input": "vision",
    "input_image": "vision",
    "multimodal": "vision",
    "supports_image_in": "vision",
    "supports_image_input": "vision",
    "vision": "vision",
}
"""Our word for each of theirs, in lower case with underscores."""
_ALSO = {"vlm": "vision"}
"""What a word says besides."""
_LABELS = (
    "capabilities",  # Mistral, LM Studio, GitHub, Ollama
    "features",  # Novita
    "mode",  # LiteLLM
    "model_type",  # Novita
    "supported_features",  # Chutes
    "supported_parameters",  # OpenRouter
    "tags",  # Vercel, DeepInfra
    "type",  # Together, Vercel, LM Studio, Heroku
)
"""Fields with words: a text, a list, or an object of switches."""
_WINDOWS = (
    "loaded_context_length",  # LM Studio: of the model as it is loaded
    "max_model_len",  # vLLM
    "context_length",  # OpenRouter, Together, Fireworks, Moonshot, SambaNova, DeepInfra
    "context_window",  # Groq, Vercel
    "context_size",  # Novita
    "max_context_length",  # Mistral, LM Studio
    "max_input_tokens",  # LiteLLM, GitHub
    "n_ctx",  # llama.cpp: of the model as it is loaded
    "n_ctx_train",
)
_OUTPUTS = (
    "max_completion_tokens",  # Groq, OpenRouter, SambaNova
    "max_output_tokens",  # LiteLLM, GitHub, Novita
    "max_output_length",  # Chutes
    "max_tokens",  # Vercel, DeepInfra
)
_RETIREMENTS = (
    "eol_date",  # Heroku
    "expiration_date",  # OpenRouter
    "deprecation",  # Mistral
)
_INNER = (
    "meta",  # llama.cpp
    "metadata",  # DeepInfra
    "limits",  # GitHub
    "top_provider",  # OpenRouter
)
"""Objects within a row that hold fields like those of the row itself."""


def read_rows(body: bytes, name: str, target: Target) -> tuple[dict[str, Any], list[Any]]:
    """Return the answer to a request for models, and its rows, which stand under a name.

    Raises:
        LLMError: it is an error, or no model list.
    """
    try:
        payload = parse_json(body)
    except ValueError:
        raise not_an_answer(describe(body), target, body) from None
    if isinstance(payload, dict) and payload.get("error"):
        raise stream_error(payload, target)
    rows = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(rows, list):
        raise not_an_answer("JSON that lists no models", target, body)
    return payload, rows


def read_capabilities(words: Iterable[object]) -> tuple[str, ...] | None:
    """Return what the words of a provider mean, sorted; `None` when none of them is known."""
    found = set()
    for word in words:
        key = str(word).lower().replace("-", "_").replace(" ", "_")
        found |= {table[key] for table in (_WORDS, _ALSO) if key in table}
    return tuple(sorted(found)) or None


def read_model(row: Mapping[str, Any], provider: str) -> ModelInfo | None:
    """Return the model that a row describes; `None` when it names none."""
    # Heroku, LM Studio's own API.
    names = (text_or_none(row.get(name)) for name in ("id", "model_id", "key"))
    id = next(filter(None, names), None)
    if id is None:
        return None
    created = row.get("created")
    places = [row, *(inner for name in _INNER if isinstance(inner := row.get(name), dict))]
    windows = [window(place.get(name)) for name in _WINDOWS for place in places]
    within = [window(place.get("context_length")) for place in _within(row)]
    return ModelInfo(
        id=id,
        provider=provider,
        created=created if type(created) is int and created >= 0 else None,
        owned_by=first_text(row, "owned_by", "organization", "publisher"),
        context_length=max(filter(None, within), default=None) or next(filter(None, windows), None),
        description=first_text(row, "description", "summary"),
        max_output_tokens=next(
            filter(None, (window(place.get(name)) for name in _OUTPUTS for place in places)), None
        ),
        capabilities=read_capabilities(_words(row)),
        retires_at=first_text(row, *_RETIREMENTS),
    )


def _within(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what has a window of its own: where a model is loaded (LM Studio) or served (HF)."""
    for instance in _objects(row.get("loaded_instances")):
        if isinstance(config := instance.get("config"), dict):
            yield config
    yield from _objects(row.get("providers"))


def _words(row: Mapping[str, Any]) -> Iterator[object]:
    """Yield every word of a row that may tell a capability."""
    metadata = row.get("metadata")
    for place in (row, metadata if isinstance(metadata, dict) else {}):
        for name in _LABELS:
            yield from _listed(place.get(name))
    architecture = row.get("architecture")
    for place in (row, architecture if isinstance(architecture, dict) else {}):
        for start in ("", "supported_"):
            for way in ("input", "output"):
                for kind in _listed(place.get(f"{start}{way}_modalities")):
                    yield f"{way}_{kind}"
    for place in (row, *_objects(row.get("providers"))):
        yield from (name for name in place if str(name).startswith("supports_") and place[name])


def _listed(value: object) -> Iterator[object]:
    """Yield the words of a text, of a list, or of the switches of an object that are on."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from (name for name, setting in value.items() if setting)


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def first_text(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of some fields that is a text; `None` when none is."""
    texts = (row.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text), None)


def window(value: object) -> int | None:
    """Return a number of tokens that a window or answer may have; `None` where it is none."""
    return None if isinstance(value, bool) else token_count(value) or None

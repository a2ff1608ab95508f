"""What the dialects of embeddings share, and which of them a provider speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from ..exceptions import ConfigurationError
from ..types.embedding import EmbeddingRequest
from ..types.response import Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from .base import Embeds
from .errors import describe, not_an_answer, stream_error
from .events import UNREADABLE, token_count
from .requests import cannot_say

__all__ = [
    "EMBEDDERS",
    "UNREADABLE",
    "embedding_body",
    "find_embedder",
    "input_type_word",
    "prompt_usage",
    "read_answer",
    "vector",
]

_OPENAI = ("embed_openai", "OpenAIEmbeddings")
EMBEDDERS: Final = {
    "cohere": ("embed_cohere", "CohereEmbeddings"),
    "gemini": ("embed_gemini", "GeminiEmbeddings"),
    "ollama": ("embed_ollama", "OllamaEmbeddings"),
    "openai-chat": _OPENAI,
    "openai-completions": _OPENAI,
    "openai-responses": _OPENAI,
}
"""Module and class for each dialect that has embeddings; Anthropic's has none."""


def find_embedder(target: Target) -> Embeds:
    """Return what speaks to a target about embeddings.

    Raises:
        ConfigurationError: it has none.
    """
    name = target.provider.dialect
    if name not in EMBEDDERS or not target.provider.quirks.embeddings:
        raise ConfigurationError(
            f"{target.provider.name!r} has no embeddings.",
            hint="Name a model of another provider, such as `model='openai/…'`, `'gemini/…'`, "
            "`'cohere/…'`, `'voyage/…'` or `'ollama/…'`.",
        )
    return _embedder(*EMBEDDERS[name])


@cache
def _embedder(module: str, attribute: str) -> Embeds:
    embedder: Embeds = getattr(import_module(f".{module}", __package__), attribute)()
    return embedder


def embedding_body(asked: Mapping[str, Any], request: EmbeddingRequest) -> dict[str, Any]:
    """Return the body of a request; `None` is left out, `extra_body` goes over everything.

    The options of the configuration are not in it: they are meant for chats, and a strict server
    refuses what it does not know.
    """
    said = {name: value for name, value in asked.items() if value is not None}
    return said | dict(request.extra_body)


def input_type_word(request: EmbeddingRequest, words: Mapping[str, str], who: str) -> str | None:
    """Return the provider's word for what the texts are for; `None` when it is not said.

    Raises:
        ValidationError: it has none for it.
    """
    if request.input_type is None:
        return None
    if request.input_type in words:
        return words[request.input_type]
    hint = (
        f"It knows {', '.join(words)}."
        if words
        else "Leave it out: there it makes no difference what the texts are for, or it is part of "
        "the text itself."
    )
    raise cannot_say(who, "input_type", request.input_type, hint)


def read_answer(body: bytes, target: Target) -> Any:
    """Return the JSON of an answer.

    Raises:
        LLMError: it is none, or an error.
    """
    try:
        payload = parse_json(body)
    except ValueError:
        raise not_an_answer(describe(body), target, body) from None
    if isinstance(payload, dict) and payload.get("error"):
        raise stream_error(payload, target)
    return payload


def prompt_usage(tokens: object) -> Usage | None:
    """Return the usage of an embedding, which has no answer; `None` when it is no number."""
    count = token_count(tokens)
    return None if count is None else Usage(prompt_tokens=count, total_tokens=count)


def vector(values: Iterable[float]) -> tuple[float, ...]:
    """Return the numbers of one vector.

    Raises:
        ValueError: there are none.
        TypeError: they are no numbers.
    """
    numbers = tuple(values)
    # In C: a loop over every number would cost more than reading the JSON.
    sum(numbers)
    if not numbers:
        raise ValueError
    return numbers

"""Ollama's embeddings, `POST /api/embed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import LLMError
from ..types.embedding import EmbeddingRequest, Vectors
from ..types.http import Head, HttpRequest
from ..types.target import Target
from . import find_dialect
from .base import EmbedLimits
from .embeddings import UNREADABLE, input_type_word, prompt_usage, read_answer, vector
from .errors import not_an_answer
from .http import json_request

__all__ = ["OllamaEmbeddings"]

_LIMITS = EmbedLimits(texts=512)
"""Ollama has no limit. Ours keeps one request of a slow machine within its time."""
_TOP_LEVEL = frozenset({"dimensions", "keep_alive", "truncate"})
"""Fields of the request itself; every other provider-specific field belongs into `options`."""
_CHAT_ONLY = frozenset({"format", "logprobs", "shift", "think", "tools", "top_logprobs"})
"""Options of the configuration that an embedding has no use for."""


class OllamaEmbeddings:
    """The dialect. Stateless."""

    def limits(self, target: Target) -> EmbedLimits:
        """Return how much goes into one request."""
        return _LIMITS

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        The options of the configuration are sent: they say how the model is run (`num_ctx`).
        """
        # Prefixes such as `search_query: ` are part of the text: Ollama adds none.
        input_type_word(request, {}, "Ollama")
        body: dict[str, Any] = {
            "model": target.model,
            "input": list(request.texts),
            # Its default is to cut off the end of a text that is too long, silently.
            "truncate": False,
        }
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        configured = {n: value for n, value in target.options.items() if n not in _CHAT_ONLY}
        options: dict[str, Any] = {}
        for fields in (configured, request.extra_body):
            for name, value in fields.items():
                if name == "options" and isinstance(value, Mapping):
                    options.update(value)
                else:
                    (body if name in _TOP_LEVEL else options)[name] = value
        if options:
            body["options"] = options
        return json_request("POST", "/api/embed", target, body)

    def decode_embeddings(self, body: bytes, target: Target) -> Vectors:
        """Return the vectors of an answer.

        Raises:
            LLMError: the answer is an error, or has none.
        """
        payload = read_answer(body, target)
        try:
            vectors = [vector(row) for row in payload["embeddings"]]
            usage = prompt_usage(payload.get("prompt_eval_count"))
            return Vectors(vectors, str(payload.get("model") or ""), usage, payload)
        except UNREADABLE:
            raise not_an_answer("JSON that has no embeddings", target, body) from None

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means, as in a chat."""
        return find_dialect("ollama").error(head, body, target)

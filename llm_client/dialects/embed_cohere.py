"""Cohere's embeddings, `POST /v2/embed` (source: the `cohere` package 7.3, 2026-11)."""

from __future__ import annotations

from ..exceptions import LLMError
from ..types.embedding import EmbeddingRequest, Vectors
from ..types.http import Head, HttpRequest
from ..types.target import Target
from .base import EmbedLimits
from .cohere_stream import token_counts
from .embeddings import (
    UNREADABLE,
    embedding_body,
    input_type_word,
    prompt_usage,
    read_answer,
    vector,
)
from .errors import answer_error, not_an_answer
from .http import json_request

__all__ = ["CohereEmbeddings"]

_LIMITS = EmbedLimits(texts=96)
"""96 texts a request, of any length."""
_INPUT_TYPES = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}


class CohereEmbeddings:
    """The dialect. Stateless."""

    def limits(self, target: Target) -> EmbedLimits:
        """Return how much goes into one request."""
        return _LIMITS

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        It must say what the texts are for; unless told otherwise they are documents.
        """
        kind = input_type_word(request, _INPUT_TYPES, "Cohere") or _INPUT_TYPES["document"]
        asked = {
            "model": target.model,
            "texts": list(request.texts),
            "input_type": kind,
            "embedding_types": ["float"],
            "output_dimension": request.dimensions,
            # Its default is to cut off the end of a text that is too long, silently.
            "truncate": "NONE",
        }
        return json_request("POST", "/embed", target, embedding_body(asked, request))

    def decode_embeddings(self, body: bytes, target: Target) -> Vectors:
        """Return the vectors of an answer.

        Raises:
            LLMError: the answer has none.
        """
        payload = read_answer(body, target)
        try:
            rows = payload["embeddings"]["float"]
            counts = token_counts(payload.get("meta") or {})
            usage = prompt_usage(counts[0]) if counts else None
            return Vectors([vector(row) for row in rows], usage=usage, raw=payload)
        except UNREADABLE:
            raise not_an_answer("JSON that has no embeddings", target, body) from None

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

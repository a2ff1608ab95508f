"""Gemini's embeddings, `POST /models/{model}:batchEmbedContents`."""

from __future__ import annotations

from ..exceptions import LLMError
from ..types.embedding import EmbeddingRequest, Vectors
from ..types.http import Head, HttpRequest
from ..types.target import Target
from .base import EmbedLimits
from .embeddings import (
    UNREADABLE,
    embedding_body,
    input_type_word,
    prompt_usage,
    read_answer,
    vector,
)
from .errors import answer_error, not_an_answer
from .gemini import resource_path
from .http import json_request

__all__ = ["GeminiEmbeddings"]

_LIMITS = EmbedLimits(texts=100)
"""100 texts a request ("at most 100 requests can be in one batch", as the API says; 2026-11)."""
_INPUT_TYPES = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


class GeminiEmbeddings:
    """The dialect. Stateless."""

    def limits(self, target: Target) -> EmbedLimits:
        """Return how much goes into one request."""
        return _LIMITS

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        Everything is said for each text anew, so `extra_body` goes into each.
        """
        model = resource_path(target.model)
        kind = input_type_word(request, _INPUT_TYPES, "Gemini")
        rows = []
        for text in request.texts:
            asked = {
                "model": model,
                "content": {"parts": [{"text": text}]},
                "taskType": kind,
                "outputDimensionality": request.dimensions,
            }
            rows.append(embedding_body(asked, request))
        return json_request(
            "POST",
            f"/{model}:batchEmbedContents",
            target,
            {"requests": rows},
            key_header="x-goog-api-key",
        )

    def decode_embeddings(self, body: bytes, target: Target) -> Vectors:
        """Return the vectors of an answer.

        Raises:
            LLMError: the answer is an error, or has none.
        """
        payload = read_answer(body, target)
        try:
            vectors = [vector(row["values"]) for row in payload["embeddings"]]
            # The API told it of no model so far (seen with gemini-embedding-2).
            tokens = (payload.get("usageMetadata") or {}).get("promptTokenCount")
            return Vectors(vectors, usage=prompt_usage(tokens), raw=payload)
        except UNREADABLE:
            raise not_an_answer("JSON that has no embeddings", target, body) from None

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

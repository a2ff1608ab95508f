"""OpenAI's embeddings, `POST /embeddings`: also every compatible server's, Voyage's and Jina's.

What differs between the providers is data in `Quirks`. Vectors are asked for in base64, a quarter
of the bytes and a fraction of the time to read; who does not know it sends lists, and both are read.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode
from typing import Any

from ..exceptions import LLMError
from ..types.embedding import EmbeddingRequest, Vectors
from ..types.http import Head, HttpRequest
from ..types.response import Usage
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
from .http import json_request

__all__ = ["OpenAIEmbeddings"]

_LIMITS = EmbedLimits(texts=2048, size=300_000)
"""OpenAI's: 2,048 texts and 300,000 tokens a request (its API reference, 2026-11)."""


class OpenAIEmbeddings:
    """The dialect. Stateless."""

    def limits(self, target: Target) -> EmbedLimits:
        """Return how much goes into one request."""
        quirks = target.provider.quirks
        return EmbedLimits(
            quirks.embed_batch or _LIMITS.texts, quirks.embed_batch_bytes or _LIMITS.size
        )

    def encode_embeddings(self, request: EmbeddingRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        quirks = target.provider.quirks
        asked: dict[str, Any] = {"model": target.model, "input": list(request.texts)}
        if quirks.embed_base64_field:
            asked[quirks.embed_base64_field] = "base64"
        asked[quirks.embed_dimensions_field] = request.dimensions
        if request.input_type is not None:
            words = dict(quirks.embed_input_types) if quirks.embed_input_type_field else {}
            word = input_type_word(request, words, target.provider.name)
            asked[quirks.embed_input_type_field] = word
        return json_request("POST", "/embeddings", target, embedding_body(asked, request))

    def decode_embeddings(self, body: bytes, target: Target) -> Vectors:
        """Return the vectors of an answer.

        Raises:
            LLMError: the answer is an error, or has none.
        """
        payload = read_answer(body, target)
        try:
            rows = payload["data"]
            # Nobody is known to send them out of order, but they are numbered.
            rows = sorted(rows, key=lambda row: row.get("index") or 0)
            vectors = [_vector(row["embedding"]) for row in rows]
            return Vectors(vectors, str(payload.get("model") or ""), _usage(payload), payload)
        except UNREADABLE:
            raise not_an_answer("JSON that has no embeddings", target, body) from None

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)


def _vector(value: Any) -> tuple[float, ...]:
    if not isinstance(value, str):
        return vector(value)
    floats = array("f")
    floats.frombytes(b64decode(value, validate=True))
    if sys.byteorder == "big":
        floats.byteswap()
    return vector(floats)


def _usage(payload: dict[str, Any]) -> Usage | None:
    usage = payload.get("usage")
    if not usage:
        return None
    # Voyage tells only the total; LiteLLM's mock tells a total of 0 (seen 2026-11).
    return prompt_usage(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)

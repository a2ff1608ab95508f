"""One embedding call: a list of texts in as many requests as the provider wants, one after another.

Every request is an attempt like any other: retried, bounded by the deadline of the whole call and
booked. There is no fallback: vectors of two models do not mix, and a search over both finds
nothing. When one request fails for good the call fails; the books have what the others used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..dialects.base import EmbedLimits
from ..dialects.embeddings import find_embedder
from ..exceptions import ConfigurationError, LLMServiceError
from ..types.embedding import EmbeddingRequest, EmbeddingResponse, Vectors, total_usage
from ..types.response import StreamChunk
from ..types.target import Target
from .booking import booked, pause_said
from .effects import Steps
from .exchange import Deadline, ask, choose_model
from .pipeline import CallContext, Progress, in_time, retrying

if TYPE_CHECKING:
    from ..types.models import ModelInfo

__all__ = ["run_embedding"]


def run_embedding(request: EmbeddingRequest, context: CallContext) -> Steps[EmbeddingResponse]:
    """Embed texts with the first target of the route; return one vector for each.

    Raises:
        ConfigurationError: the target has no embeddings.
        LLMError: one of the requests failed.
    """
    embedder = find_embedder(context.route[0])
    target = _for_embeddings(context.route[0])
    started = context.clock()
    progress = Progress(started, Deadline(context.deadline, started, context.clock))
    if not target.model:
        steps = choose_model(target, progress.deadline, _rank)
        target = yield from in_time(steps, progress)
    answers: list[Vectors] = []
    for texts in _batches(request.texts, embedder.limits(target)):
        attempt = partial(_attempt, replace(request, texts=texts), context, progress)
        progress.retries = 0
        answers.append((yield from retrying(attempt, target, context, progress)))
    return EmbeddingResponse(
        embeddings=tuple(vector for answer in answers for vector in answer.embeddings),
        model=answers[-1].model or target.model,
        provider=target.provider.name,
        usage=total_usage(answer.usage for answer in answers),
        latency_ms=(context.clock() - started) * 1000,
        attempts=progress.attempts,
        retry_count=progress.attempts - len(answers),
        raw=tuple(answer.raw for answer in answers),
        metadata={"call_id": context.call_id},
    )


def _for_embeddings(target: Target) -> Target:
    """Return a target with the provider's model for embeddings in the place of the one that answers.

    Raises:
        ConfigurationError: which one that is, is not known.
    """
    provider = target.provider
    if not target.model or target.model != provider.default_model:
        return target
    if not provider.embed_model:
        raise ConfigurationError(
            f"Nothing says which model of {provider.name!r} makes the embeddings.",
            hint="Name it: `client.embed(texts, model=…)`.",
        )
    return replace(target, model=provider.embed_model)


def _batches(texts: Iterable[str], limits: EmbedLimits) -> Iterator[tuple[str, ...]]:
    """Yield the texts in order, as many at a time as go into one request."""
    batch: list[str] = []
    size = 0
    for text in texts:
        length = 0 if limits.size is None else len(text.encode("utf-8", "replace"))
        is_over = limits.size is not None and size + length > limits.size
        if batch and (is_over or len(batch) >= limits.texts):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(text)
        size += length
    yield tuple(batch)


def _attempt(
    request: EmbeddingRequest, context: CallContext, progress: Progress, target: Target
) -> Steps[Vectors]:
    steps = _exchange(request, target, context, progress)
    vectors = yield from booked(steps, request, target, context, progress)
    return vectors._replace(usage=progress.fold.usage)  # with its price


def _exchange(
    request: EmbeddingRequest, target: Target, context: CallContext, progress: Progress
) -> Steps[Vectors]:
    embedder = find_embedder(target)
    wire = embedder.encode_embeddings(request, target)
    progress.note_sent()
    head, body = yield from in_time(ask(wire, target, progress.deadline), progress)
    if head.status >= 400:
        raise embedder.error(head, body, target)
    progress.pause = pause_said(head, context)
    vectors = embedder.decode_embeddings(body, target)
    progress.fold.add(StreamChunk(usage=vectors.usage, model=vectors.model))
    asked, got = len(request.texts), len(vectors.embeddings)
    if asked != got:
        raise LLMServiceError(
            f"{target.provider.name} sent {got} embeddings for {asked} texts.",
            hint="Which belongs to which text cannot be told.",
            status=head.status,
            provider=target.provider.name,
            model=target.model,
        )
    return vectors


def _rank(model: ModelInfo) -> int:
    """Return how far from embeddings a model is: it has them, nothing is known, it has others.

    Even those may do: llama.cpp lists a model of embeddings as one of texts (seen 2026-11).
    """
    if model.capabilities is None:
        return 1
    return 0 if "embedding" in model.capabilities else 2

"""The response cache around a call: an answer that is there is shown again, a new one is kept.

Owns which request and which target an answer is looked for and kept under, and what an answer that
comes again looks like. What is kept, and for how long, is the store's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..exceptions import LLMError
from ..policy.address import is_local
from ..types.events import AttemptRecord
from ..types.request import LLMRequest
from ..types.response import LLMResponse, Usage, chunks_of
from ..types.target import Target
from .booking import consult, settle
from .context import Ask, CallContext, Progress
from .effects import Steps, emit
from .exchange import choose_model

__all__ = ["replayed"]


def replayed(
    request: LLMRequest,
    context: CallContext,
    progress: Progress,
    route: Callable[[LLMRequest, CallContext, Progress], Steps[LLMResponse]],
) -> Steps[LLMResponse]:
    """Return the first choice's answer from the response cache, else a new one, and keep that.

    Args:
        request: what is asked.
        context: of the call; `lookup` and `store` are used as far as they are there.
        progress: of the call.
        route: asks one target after the other.

    Raises:
        LLMError: as `route`.
    """
    watched = _Watched(context)
    context = watched.context()
    hit = yield from _lookup(request, context, progress)
    if hit is not None:
        return (yield from _replay(hit, request, context, progress))
    response = yield from route(request, context, progress)
    store = context.hooks.store
    if store is not None and not watched.is_shortened:
        # The answer of a fallback is its own: whoever asks it first will find it.
        answered = context.route[progress.position]
        asked = context.adapt(progress.position, request)
        yield from consult("response cache", lambda: store(asked, answered, response), context)
    return response


class _Watched:
    """A call, and what must be known of it for its answer to be kept."""

    def __init__(self, context: CallContext) -> None:
        self._context = context
        self._route = list(context.route)
        self.is_shortened = False
        """Whether less was asked than was wanted. What is left out depends on settings, and on what
        was learned of the window meanwhile: the next call may leave out something else."""

    def context(self) -> CallContext:
        """Return the context of the call; its route gets the models that are chosen."""
        fit = None if self._context.fit is None else self._fit
        return replace(self._context, route=self._route, chosen=self._chosen, fit=fit)

    def _chosen(self, position: int, target: Target) -> None:
        self._route[position] = target
        self._context.chosen(position, target)

    def _fit(
        self,
        request: LLMRequest,
        target: Target,
        ask: Ask,
        context: CallContext,
        progress: Progress,
    ) -> Steps[LLMResponse]:
        def ask_and_watch(fitting: LLMRequest) -> Steps[LLMResponse]:
            self.is_shortened = fitting is not request
            return ask(fitting)

        assert self._context.fit is not None
        return self._context.fit(request, target, ask_and_watch, context, progress)


def _lookup(
    request: LLMRequest, context: CallContext, progress: Progress
) -> Steps[LLMResponse | None]:
    """Return the first choice's answer from the response cache; its model is chosen for that."""
    lookup, target = context.hooks.lookup, context.route[0]
    if lookup is None:
        return None
    try:
        asked = context.adapt(0, request)
        if not target.model:
            order, _ = context.cool_downs.order(context.route, context.clock())
            if order[0] != 0:
                return None  # it failed just now: whoever is asked instead must not wait for it
            target = yield from choose_model(target, progress.deadline)
            context.chosen(0, target)
    except LLMError:
        return None  # the route meets it again, and knows what to do
    return (yield from consult("response cache", lambda: lookup(asked, target), context))


def _replay(
    hit: LLMResponse, request: LLMRequest, context: CallContext, progress: Progress
) -> Steps[LLMResponse]:
    """Show an answer of the response cache as if it came now, and book that it cost nothing."""
    target = context.route[0]
    record = AttemptRecord(
        call_id=context.call_id,
        provider=target.provider.name,
        model=hit.model,
        started_at=context.wall_clock(),
        latency_ms=(context.clock() - progress.started) * 1000,
        time_to_first_token_ms=None,
        outcome="cached",
        usage=Usage(estimated_cost=0.0),
        attempt=0,
        labels=context.labels,
        local=is_local(target),
    )
    # Before it is shown: who stops listening in its middle has had it all the same.
    yield from settle(record, target, None, context)
    response = replace(
        hit,
        latency_ms=record.latency_ms,
        usage=replace(hit.tokens, estimated_cost=0.0),
        retry_count=0,
        used_fallback=False,
        fallback_provider=None,
        attempts=0,
        raw=None,
        metadata={"call_id": context.call_id, "time_to_first_token_ms": None, "cached": True},
    )
    if request.stream:
        yield from emit(chunks_of(response))
    return response

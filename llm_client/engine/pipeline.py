"""One call, from the request to the answer: the order of everything that happens to it.

    response cache lookup
    └ for target in route                     fallback
       └ for attempt in retries               a deadline is checked before every Sleep
          ├ reserve budget
          ├ reserve rate limit → Sleep
          ├ encode → Open → Read* → decode → Emit*
          └ settle                            also on error, Ctrl-C and abandonment
    response cache store

Written once, as a generator of effects; it never does I/O itself. After the first `Emit` of
output nothing is retried or replaced: the user has seen it, and the error carries it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from ..exceptions import (
    ConnectionError,
    ContentFilterError,
    LLMError,
    StreamInterruptedError,
    TimeoutError,
)
from ..policy.retry import (
    cool_down_seconds,
    may_fall_back,
    retry_delay,
    without_refused_field,
)
from ..types.events import FallingBack, Notice, Retrying
from ..types.http import Head
from ..types.request import LLMRequest
from ..types.response import LLMResponse, StreamChunk, Usage
from ..types.target import Target
from .booking import booked, pause_said, priced, says_something, tell
from .context import Asked, CallContext, Granted, Hooks, Progress
from .effects import Steps, sleep
from .exchange import Deadline, choose_model, exchange

if TYPE_CHECKING:
    from .structured import Reader

__all__ = [
    "Asked",
    "CallContext",
    "Granted",
    "Hooks",
    "Progress",
    "in_time",
    "retrying",
    "run_call",
]

T = TypeVar("T")


def run_call(request: LLMRequest, context: CallContext) -> Steps[LLMResponse]:
    """Run one call; return its answer.

    Raises:
        LLMError: no target of the route answered; the error is the last one's.
    """
    started = context.clock()
    progress = Progress(started, Deadline(context.deadline, started, context.clock))
    if context.hooks.lookup is None and context.hooks.store is None:
        return (yield from _route(request, context, progress))
    from .replay import replayed

    return (yield from replayed(request, context, progress, _route))


def _route(request: LLMRequest, context: CallContext, progress: Progress) -> Steps[LLMResponse]:
    """Ask the targets of the route until one answers, those whose provider failed lately last."""
    order, remembered = context.cool_downs.order(context.route, context.clock())
    if remembered is not None:
        first, second = context.route[0], context.route[order[0]]
        tell(context, FallingBack(first.spec, second.spec, remembered))
    following = dict(pairwise(order))
    for position in order:
        progress.position, progress.retries, progress.failure = position, 0, None
        target = context.route[position]
        try:
            asked = context.adapt(position, request)
            response = yield from _ask(asked, target, context, progress)
        except LLMError as error:
            if progress.emitted:
                raise
            _note_failure(target, error, context, progress)
            if progress.deadline.passed():
                raise
            after = following.get(position)
            if after is None or not may_fall_back(error):
                raise
            tell(context, FallingBack(target.spec, context.route[after].spec, error))
        else:
            context.cool_downs.succeeded(target)
            return response
    raise AssertionError("a route has at least one target")


def _note_failure(
    target: Target, error: LLMError, context: CallContext, progress: Progress
) -> None:
    """Remember a provider's failure for later calls; where there is no choice it would be idle."""
    blamed: LLMError | None = error
    if isinstance(error, TimeoutError) and progress.deadline.passed():
        blamed = progress.failure  # a deadline blames nobody, what failed before it does
    if blamed is None or len(context.route) < 2:
        return
    seconds = cool_down_seconds(blamed)
    if seconds is not None:
        context.cool_downs.failed(target, blamed, context.clock() + seconds)


def _ask(
    request: LLMRequest, target: Target, context: CallContext, progress: Progress
) -> Steps[LLMResponse]:
    """Ask one target, with a prompt that fits into its window."""

    def ask(fitting: LLMRequest) -> Steps[LLMResponse]:
        return retrying(_attempts(fitting, context, progress), target, context, progress)

    if context.fit is None:
        return ask(request)
    return context.fit(request, target, ask, context, progress)


def _attempts(
    request: LLMRequest, context: CallContext, progress: Progress
) -> Callable[[Target], Steps[LLMResponse]]:
    """Return what makes the attempts at one target."""
    attempt = partial(_attempt, context=context, progress=progress)
    if request.schema is None:
        return partial(attempt, request)
    from .structured import SchemaAttempts

    def say(text: str) -> None:
        tell(context, Notice(text))

    if request.idempotency_key is not None:
        attempt = partial(_numbered, attempt, [])
    return SchemaAttempts(request, progress, context.schema_retries, attempt, say)


def _numbered(
    attempt: Callable[..., Steps[T]],
    known: list[LLMRequest],
    request: LLMRequest,
    *arguments: object,
) -> Steps[T]:
    """Make an attempt; another question of the same call gets an idempotency key of its own.

    Under the same key it would be answered with what was answered before.
    """
    if request not in known:
        known.append(request)
    number = known.index(request)
    key = request.idempotency_key if number == 0 else f"{request.idempotency_key}-{number + 1}"
    return attempt(replace(request, idempotency_key=key), *arguments)


def retrying(
    attempt: Callable[[Target], Steps[T]], target: Target, context: CallContext, progress: Progress
) -> Steps[T]:
    """Make attempts at one target until one succeeds; return what it brought.

    Args:
        attempt: makes one; given the target, whose model is chosen by then.
        target: who is asked.
        context: of the call.
        progress: of the call; told of every attempt and retry.

    Raises:
        LLMError: the last attempt's, or the deadline's.
    """
    retries = 0
    was_stale = False
    while True:
        if progress.deadline.passed():
            raise progress.deadline.error(progress.attempts)
        try:
            if not target.model:
                target = yield from in_time(choose_model(target, progress.deadline), progress)
                context.chosen(progress.position, target)
            return (yield from attempt(target))
        except LLMError as error:
            relaxed = without_refused_field(error, target)
            again = not (progress.emitted or progress.deadline.passed())
            if relaxed is not None and again:
                target = relaxed
                progress.retries += 1
                continue
            if again and not was_stale and isinstance(error, ConnectionError) and error.stale:
                was_stale = True
                progress.retries += 1
                continue
            delay = retry_delay(error, retries, context.retry, context.chance())
            if delay is None or not again:
                raise
            if progress.deadline.within(delay):
                raise progress.deadline.error(progress.attempts, error) from error
            retries += 1
            progress.retries += 1
            tell(
                context,
                Retrying(target.spec, error, retries, context.retry.max_retries, delay),
            )
            progress.failure = error.with_traceback(None)  # which knows this frame: a cycle
        yield from sleep(delay)


def in_time(steps: Steps[T], progress: Progress) -> Steps[T]:
    """Run steps; a wait that was cut short by the deadline of the call says so."""
    try:
        return (yield from steps)
    except TimeoutError as error:
        if not progress.deadline.passed():
            raise
        late = progress.deadline.error(progress.attempts)
        late.accepted = error.accepted
        raise late from None


def _attempt(
    request: LLMRequest,
    target: Target,
    read: Reader | None = None,
    judge: Callable[[LLMResponse], LLMResponse] = lambda response: response,
    *,
    context: CallContext,
    progress: Progress,
) -> Steps[LLMResponse]:
    """Make one attempt.

    Args:
        request: as this target is asked.
        target: who is asked.
        read: makes the chunks that are shown of those that were decoded.
        judge: has the last word about an answer that came whole.
        context: of the call.
        progress: of the call.
    """

    def steps() -> Steps[LLMResponse]:
        yield from _exchange(request, target, context, progress, read)
        return judge(_answer(target, context, progress))

    return (yield from booked(steps(), request, target, context, progress))


def _exchange(
    request: LLMRequest,
    target: Target,
    context: CallContext,
    progress: Progress,
    read: Reader | None,
) -> Steps[None]:
    fold = progress.fold

    def shown(chunks: list[StreamChunk]) -> list[StreamChunk]:
        chunks = chunks if read is None else read(chunks)
        if chunks and (last := chunks[-1]).is_done:
            usage = _untold(request, chunks, progress) or last.usage
            usage = priced(usage, last.model or fold.model, target, context)
            chunks[-1] = replace(last, usage=usage)
        return chunks

    watch = _Watch(request.stream, context, progress)
    steps = exchange(request, target, fold, progress.deadline, watch, shown)
    try:
        yield from in_time(steps, progress)
    except ConnectionError as error:
        if isinstance(error, TimeoutError) or not fold.has_output:
            raise
        raise StreamInterruptedError(
            f"The answer of {target.provider.name} was cut off: {error}", hint=error.hint
        ) from None


class _Watch:
    """Notes how far an exchange has come."""

    def __init__(self, streamed: bool, context: CallContext, progress: Progress) -> None:
        self._streamed = streamed
        self._context = context
        self._progress = progress

    def sent(self) -> None:
        self._progress.note_sent()

    def answered(self, head: Head) -> None:
        if head.status < 400:
            self._progress.answered = True
            self._progress.pause = pause_said(head, self._context)

    def output(self) -> None:
        if self._progress.first_token is None:
            self._progress.first_token = self._context.clock()
        if self._streamed:
            self._progress.emitted = True


def _untold(request: LLMRequest, chunks: list[StreamChunk], progress: Progress) -> Usage | None:
    """Return an estimate of what an answer used, whose last chunks these are, if nobody said it."""
    fold = progress.fold
    if any(says_something(usage) for usage in (fold.usage, *(chunk.usage for chunk in chunks))):
        return None
    from ..policy.estimate import usage_of

    text = fold.text + "".join(chunk.delta for chunk in chunks)
    reasoning = fold.reasoning + "".join(chunk.reasoning for chunk in chunks)
    return usage_of(request, text, reasoning, fold.tool_calls)


def _answer(target: Target, context: CallContext, progress: Progress) -> LLMResponse:
    fold = progress.fold
    fold.usage = priced(fold.usage, fold.model, target, context)
    ended = context.clock()
    response = fold.response(
        provider=target.provider.name,
        model=target.model,
        latency_ms=(ended - progress.started) * 1000,
        retry_count=progress.attempts - 1,
        used_fallback=progress.position > 0,
        fallback_provider=target.provider.name if progress.position > 0 else None,
        attempts=progress.attempts,
        metadata={
            "call_id": context.call_id,
            "time_to_first_token_ms": (progress.first_token - progress.started) * 1000
            if progress.first_token is not None
            else None,
        },
    )
    if response.finish_reason == "content_filter":
        raise ContentFilterError(f"{target.provider.name} withheld the rest of the answer.")
    return response

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

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..exceptions import (
    ConnectionError,
    ContentFilterError,
    LLMError,
    RateLimitError,
    StreamInterruptedError,
    TimeoutError,
)
from ..policy.retry import may_fall_back, retry_delay, without_refused_field
from ..types.events import (
    AttemptRecord,
    Event,
    FallingBack,
    Notice,
    Outcome,
    Retrying,
)
from ..types.request import LLMRequest
from ..types.response import Fold, LLMResponse, StreamChunk, Usage
from ..types.target import Target
from .context import Asked, CallContext, Hooks, Progress
from .effects import Abandoned, Steps, call, sleep
from .exchange import Deadline, choose_model, exchange

if TYPE_CHECKING:
    from .structured import Reader

__all__ = [
    "Asked",
    "CallContext",
    "Hooks",
    "Progress",
    "booked",
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
    hooks = context.hooks
    started = context.clock()
    if hooks.lookup is not None:
        lookup = hooks.lookup
        hit = yield from _consult("response cache", lambda: lookup(request), context)
        if hit is not None:
            return hit
    progress = Progress(started, Deadline(context.deadline, started, context.clock))
    response = yield from _route(request, context, progress)
    if hooks.store is not None:
        store = hooks.store
        yield from _consult("response cache", lambda: store(request, response), context)
    return response


def _consult(what: str, function: Callable[[], T], context: CallContext) -> Steps[T | None]:
    """Call a store whose failure costs what it keeps, never the answer."""
    try:
        return (yield from call(function))
    except Exception as error:
        _tell(context, Notice(f"The {what} failed: {error}"))
        return None


def _tell(context: CallContext, event: Event) -> None:
    """Tell the observer, whose failure changes neither the answer nor the books."""
    try:
        context.observe(event)
    except Exception as error:
        warnings.warn(f"An observer of llm_client failed: {error!r}", RuntimeWarning, stacklevel=2)


def _route(request: LLMRequest, context: CallContext, progress: Progress) -> Steps[LLMResponse]:
    last = len(context.route) - 1
    for position, target in enumerate(context.route):
        progress.position = position
        try:
            attempt = _attempts(request, context, progress)
            return (yield from retrying(attempt, target, context, progress))
        except LLMError as error:
            if (
                position == last
                or progress.emitted
                or progress.deadline.passed()
                or not may_fall_back(error)
            ):
                raise
            _tell(context, FallingBack(target.spec, context.route[position + 1].spec, error))
    raise AssertionError("a route has at least one target")


def _attempts(
    request: LLMRequest, context: CallContext, progress: Progress
) -> Callable[[Target], Steps[LLMResponse]]:
    """Return what makes the attempts at one target."""
    attempt = partial(_attempt, context=context, progress=progress)
    if request.schema is None:
        return partial(attempt, request)
    from .structured import SchemaAttempts

    def say(text: str) -> None:
        _tell(context, Notice(text))

    return SchemaAttempts(request, progress, context.schema_retries, attempt, say)


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
    retries = progress.retries = 0
    while True:
        if progress.deadline.passed():
            raise progress.deadline.error(progress.attempts)
        try:
            if not target.model:
                target = yield from in_time(choose_model(target, progress.deadline), progress)
                context.chosen(progress.position, target)
            progress.attempts += 1
            return (yield from attempt(target))
        except LLMError as error:
            relaxed = without_refused_field(error, target)
            again = not (progress.emitted or progress.deadline.passed())
            if relaxed is not None and again:
                target = relaxed
                continue
            delay = retry_delay(error, retries, context.retry, context.chance())
            if delay is None or not again:
                raise
            if progress.deadline.within(delay):
                raise progress.deadline.error(progress.attempts, error) from error
            retries += 1
            progress.retries += 1
            _tell(
                context,
                Retrying(target.spec, error, retries, context.retry.max_retries, delay),
            )
        yield from sleep(delay)


def in_time(steps: Steps[T], progress: Progress) -> Steps[T]:
    """Run steps; a wait that was cut short by the deadline of the call says so."""
    try:
        return (yield from steps)
    except TimeoutError:
        if progress.deadline.passed():
            raise progress.deadline.error(progress.attempts) from None
        raise


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


def booked(
    steps: Steps[T], request: Asked, target: Target, context: CallContext, progress: Progress
) -> Steps[T]:
    """Make one attempt, after its reservations, and book it, whatever comes of it."""
    began, wall = context.clock(), context.wall_clock()
    progress.fold = fold = Fold()
    progress.first_token = None
    failure: BaseException | None = None
    try:
        yield from _reserve(request, target, context.hooks, progress.deadline)
        return (yield from steps)
    except BaseException as error:
        failure = error
        if isinstance(error, LLMError):
            _complete(error, target, fold)
        raise
    finally:
        if not isinstance(failure, GeneratorExit):
            record = _record(target, context, progress, began, wall, failure)
            failure = None  # its traceback knows this frame: a cycle
            yield from _settle(record, context)


def _complete(error: LLMError, target: Target, fold: Fold) -> None:
    """Say in an error who was asked and what had arrived."""
    error.provider = error.provider or target.provider.name
    error.model = error.model or fold.model or target.model
    if fold.has_output:
        error.partial = fold.text


def _record(
    target: Target,
    context: CallContext,
    progress: Progress,
    began: float,
    wall: float,
    failure: BaseException | None,
) -> AttemptRecord:
    first, fold = progress.first_token, progress.fold
    fold.usage = _priced(fold.usage, fold.model, target, context)
    return AttemptRecord(
        call_id=context.call_id,
        provider=target.provider.name,
        model=fold.model or target.model,
        started_at=wall,
        latency_ms=(context.clock() - began) * 1000,
        time_to_first_token_ms=None if first is None else (first - began) * 1000,
        outcome=_outcome(failure),
        error_type=None if failure is None else type(failure).__name__,
        usage=fold.usage,
        retry=progress.retries,
        fallback=progress.position,
    )


def _reserve(request: Asked, target: Target, hooks: Hooks, deadline: Deadline) -> Steps[None]:
    if hooks.reserve_budget is not None:
        reserve_budget = hooks.reserve_budget
        yield from call(lambda: reserve_budget(request, target))
    if hooks.reserve_rate is not None:
        reserve_rate = hooks.reserve_rate
        seconds = yield from call(lambda: reserve_rate(request, target))
        if seconds > 0 and deadline.within(seconds):
            raise RateLimitError(
                f"The rate limit of {target.provider.name} leaves no place for {seconds:g} s, "
                "and the deadline is earlier.",
                hint="Allow more with `--deadline SECONDS`.",
                retry_after=seconds,
                provider=target.provider.name,
                model=target.model,
            )
        if seconds > 0:
            yield from sleep(seconds)


def _exchange(
    request: LLMRequest,
    target: Target,
    context: CallContext,
    progress: Progress,
    read: Reader | None,
) -> Steps[None]:
    fold = progress.fold

    def note_output() -> None:
        if progress.first_token is None:
            progress.first_token = context.clock()
        if request.stream:
            progress.emitted = True

    def shown(chunks: list[StreamChunk]) -> list[StreamChunk]:
        chunks = chunks if read is None else read(chunks)
        if chunks and (last := chunks[-1]).is_done:
            usage = _priced(last.usage, last.model or fold.model, target, context)
            chunks[-1] = replace(last, usage=usage)
        return chunks

    steps = exchange(request, target, fold, progress.deadline, note_output, shown)
    try:
        yield from in_time(steps, progress)
    except ConnectionError as error:
        if isinstance(error, TimeoutError) or not fold.has_output:
            raise
        raise StreamInterruptedError(
            f"The answer of {target.provider.name} was cut off: {error}", hint=error.hint
        ) from None


def _priced(usage: Usage | None, model: str, target: Target, context: CallContext) -> Usage | None:
    """Return usage with what it cost, where that is known and the provider did not say it."""
    if usage is None or usage.estimated_cost is not None or context.price is None:
        return usage
    try:
        cost = context.price(target, model or target.model, usage)
    except Exception as error:
        # Whatever is wrong with a price, the answer is there.
        _tell(context, Notice(f"The price is not known: {error}"))
        return usage
    return usage if cost is None else replace(usage, estimated_cost=cost)


def _answer(target: Target, context: CallContext, progress: Progress) -> LLMResponse:
    fold = progress.fold
    fold.usage = _priced(fold.usage, fold.model, target, context)
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


def _settle(record: AttemptRecord, context: CallContext) -> Steps[None]:
    context.settle(record)
    _tell(context, record)
    if context.hooks.settle is not None:
        settle = context.hooks.settle
        yield from _consult("ledger", lambda: settle(record), context)


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return "ok"
    if isinstance(error, Exception):
        return "error"
    return "abandoned" if isinstance(error, Abandoned) else "interrupted"

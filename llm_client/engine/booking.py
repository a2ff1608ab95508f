"""The books of one attempt: its reservations before, its record after, whatever comes of it.

Owns when something is reserved, released, priced and settled. An attempt is one HTTP exchange: what
is refused before anything was sent is none, and leaves no record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from ..exceptions import LLMAPIError, LLMError, RateLimitError, TimeoutError
from ..policy.address import is_local
from ..policy.retry import pause_seconds
from ..types.events import AttemptRecord, Event, Notice, Observer, Outcome, Waiting
from ..types.http import Head
from ..types.response import Fold, Usage
from ..types.target import Target
from ..wire.headers import may_be_used_up
from .context import Asked, CallContext, Progress
from .effects import Abandoned, Call, Steps, call, sleep

__all__ = ["booked", "consult", "pause_said", "priced", "says_something", "settle", "tell"]

T = TypeVar("T")

_LOOK_SECONDS = 5.0
"""How long an attempt sleeps at least before it looks whether its place comes earlier."""
_NEWS_SECONDS = 0.1
"""By how much longer a wait must be than was said to be said again."""


def consult(
    what: str,
    function: Callable[[], T],
    context: CallContext,
    hasty: Callable[[], T] | None = None,
) -> Steps[T | None]:
    """Call a store whose failure costs what it keeps, never the answer."""
    try:
        return (yield from call(function, hasty))
    except LLMError as error:  # it says what failed
        tell(context, Notice(f"{error} {error.hint}" if error.hint else str(error)))
    except Exception as error:
        tell(context, Notice(f"The {what} failed: {str(error) or type(error).__name__}"))
    return None


def tell(context: CallContext, event: Event) -> None:
    """Tell the observer of a call, whose failure changes neither the answer nor the books."""
    inform(context.observe, event)


def inform(observe: Observer, event: Event) -> None:
    """Tell an observer; what it raises becomes a warning."""
    try:
        observe(event)
    except Exception as error:
        warnings.warn(f"An observer of llm_client failed: {error!r}", RuntimeWarning, stacklevel=2)


def booked(
    steps: Steps[T], request: Asked, target: Target, context: CallContext, progress: Progress
) -> Steps[T]:
    """Make one attempt, after its reservations, and book it, whatever comes of it."""
    progress.begin()
    yield from _reserve(request, target, context, progress)
    began, wall = context.clock(), context.wall_clock()
    fold = progress.fold
    failure: BaseException | None = None
    try:
        return (yield from steps)
    except BaseException as error:
        failure = error
        if isinstance(error, LLMError):
            _complete(error, target, fold)
        raise
    finally:
        is_garbage = isinstance(failure, GeneratorExit)
        if progress.sent:
            failure = Abandoned() if is_garbage else failure
            _estimate(request, target, progress, failure)
            record = _record(target, context, progress, began, wall, failure)
            books = settle(record, target, pause_seconds(failure, progress.pause), context)
        else:
            books = _release(progress.attempts + 1, context)
        failure = None  # its traceback knows this frame: a cycle
        if is_garbage:
            _at_once(books)
        else:
            yield from books


def _at_once(steps: Steps[None]) -> None:
    """Consult stores right here: the call is garbage, and no driver is left to perform effects.

    That is a stream which nobody closed, in a cycle such as an exception and the frame that keeps
    it: the garbage collector may come to the engine before it comes to the driver.
    """
    value: Any = None
    failure: BaseException | None = None
    with suppress(StopIteration):
        while True:
            effect = steps.send(value) if failure is None else steps.throw(failure)
            assert isinstance(effect, Call)
            value = failure = None
            try:
                value = effect.function()
            except BaseException as error:
                failure = error


def _complete(error: LLMError, target: Target, fold: Fold) -> None:
    """Say in an error who was asked and what had arrived."""
    error.provider = error.provider or target.provider.name
    error.model = error.model or fold.model or target.model
    if fold.has_output:
        error.partial = fold.text


def says_something(usage: Usage | None) -> bool:
    """Return whether a provider reports anything; some send zeros or nulls beside a real answer."""
    return usage is not None and bool(
        usage.prompt_tokens or usage.completion_tokens or usage.estimated_cost
    )


def _estimate(
    request: Asked, target: Target, progress: Progress, failure: BaseException | None
) -> None:
    """Estimate what an attempt used that may be billed without a report: it was cut, or is untold.

    An error that the provider tells is not billed, nor is a request that did not reach it. Where we
    gave up waiting for an answer that comes whole, it may well have been made: all that it could
    have is counted, as for a process that was killed.
    """
    fold = progress.fold
    if failure is not None and not (fold.has_output or _may_go_on(progress, failure)):
        return
    if failure is None and says_something(fold.usage):
        return
    from ..policy.estimate import most_completion_tokens, usage_of

    guess = usage_of(request, fold.text, fold.reasoning, fold.tool_calls)
    if not fold.has_output and not progress.answered and not getattr(request, "stream", False):
        guess = replace(guess, completion_tokens=most_completion_tokens(request, target))
    reported = fold.usage
    if reported is not None and says_something(reported):
        # Of a stream that was cut: Anthropic begins with the prompt's tokens and one of the answer.
        if reported.completion_tokens * 2 >= guess.completion_tokens:
            return
        guess = replace(reported, completion_tokens=guess.completion_tokens, estimated=True)
    fold.usage = replace(guess, total_tokens=guess.prompt_tokens + guess.completion_tokens)


def _may_go_on(progress: Progress, failure: BaseException) -> bool:
    """Return whether the provider may go on with an attempt that we gave up, and bill it."""
    if isinstance(failure, LLMAPIError):
        return False
    if progress.answered or not isinstance(failure, LLMError):
        return True
    return isinstance(failure, TimeoutError) and failure.accepted


def _record(
    target: Target,
    context: CallContext,
    progress: Progress,
    began: float,
    wall: float,
    failure: BaseException | None,
) -> AttemptRecord:
    first, fold = progress.first_token, progress.fold
    fold.usage = priced(fold.usage, fold.model, target, context)
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
        attempt=progress.attempts,
        labels=context.labels,
        local=is_local(target),
    )


def pause_said(head: Head, context: CallContext) -> float | None:
    """Return the seconds until a limit renews that an answer says is used up; `None`: none is.

    A `Retry-After` on an answer that is no error says nothing (WIRE.md §0.7).
    """
    if not may_be_used_up(head.headers):
        return None
    from ..wire.rate_headers import renewal_seconds

    return renewal_seconds(head.headers, context.wall_clock())


def _reserve(
    request: Asked, target: Target, context: CallContext, progress: Progress
) -> Steps[None]:
    """Wait until an attempt may be made.

    Raises:
        BudgetExceededError: it may cost more than is left.
        RateLimitError: it would have to wait for longer than the deadline.
    """
    reserve = context.hooks.reserve
    if reserve is None:
        return
    number = progress.attempts + 1
    hasty = _hasty(context, "reserve", request, target, number)
    said_until = context.clock()
    try:
        while True:
            granted = yield from call(lambda: reserve(request, target, number), hasty)
            for notice in granted.notices:
                tell(context, Notice(notice))
            if granted.wait <= 0:
                return
            if progress.deadline.within(granted.wait):
                raise RateLimitError(
                    f"The rate limit of {target.provider.name} leaves no place for "
                    f"{granted.wait:.3g} s, and the deadline is earlier.",
                    hint="Allow more with `--deadline SECONDS`.",
                    retry_after=granted.wait,
                    provider=target.provider.name,
                    model=target.model,
                )
            until = context.clock() + granted.wait
            if until > said_until + _NEWS_SECONDS:
                said_until = until
                tell(context, Waiting(target.spec, granted.wait, granted.limited))
            # The place may come earlier: others use less than they reserved, or give up.
            yield from sleep(min(granted.wait, max(_LOOK_SECONDS, granted.wait / 4)))
    except GeneratorExit:
        _at_once(_release(number, context))
        raise
    except BaseException:
        yield from _release(number, context)
        raise


def _release(number: int, context: CallContext) -> Steps[None]:
    release = context.hooks.release
    if release is not None:
        yield from _insist("ledger", lambda: release(number), context)


def priced(usage: Usage | None, model: str, target: Target, context: CallContext) -> Usage | None:
    """Return usage with what it cost, where that is known and the provider did not say it."""
    if usage is None or usage.estimated_cost is not None or context.price is None:
        return usage
    try:
        cost = context.price(target, model or target.model, usage)
    except Exception as error:
        # Whatever is wrong with a price, the answer is there.
        tell(context, Notice(f"The price is not known: {error}"))
        return usage
    return usage if cost is None else replace(usage, estimated_cost=cost)


def settle(
    record: AttemptRecord, target: Target, pause: float | None, context: CallContext
) -> Steps[None]:
    """Write a record into the books: in memory, for the observer, in the ledger."""
    context.settle(record)
    tell(context, record)
    hook = context.hooks.settle
    if hook is not None:
        hasty = _hasty(context, "settle", record, target, pause)
        yield from _insist("ledger", lambda: hook(record, target, pause), context, hasty)


def _hasty(context: CallContext, name: str, *arguments: object) -> Callable[[], Any] | None:
    """Return what consults a store without waiting for it, where it can be asked so."""
    hasty = context.hooks.hasty
    return None if hasty is None else partial(getattr(hasty, name), *arguments)


def _insist(
    what: str,
    function: Callable[[], None],
    context: CallContext,
    hasty: Callable[[], None] | None = None,
) -> Steps[None]:
    """Call a store that can be called twice; a Ctrl-C in its middle does not undo it."""
    try:
        yield from consult(what, function, context, hasty)
    except GeneratorExit:
        _at_once(consult(what, function, context))
        raise
    except BaseException:
        yield from consult(what, function, context)
        raise


def _outcome(error: BaseException | None) -> Outcome:
    if error is None:
        return "ok"
    if isinstance(error, Exception):
        return "error"
    return "abandoned" if isinstance(error, Abandoned) else "interrupted"

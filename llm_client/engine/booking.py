"""The books of one attempt: its reservations before, its record after, whatever comes of it.

Owns when something is reserved, released, priced and settled. An attempt is one HTTP exchange: what
is refused before anything was sent is none, and leaves no record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ..exceptions import LLMError, RateLimitError
from ..policy.retry import pause_seconds
from ..types.events import AttemptRecord, Event, Notice, Observer, Outcome, Waiting
from ..types.http import Head
from ..types.response import Fold, Usage
from ..types.target import Target
from ..wire.headers import may_be_used_up
from .context import Asked, CallContext, Progress
from .effects import Abandoned, Steps, call, sleep

__all__ = ["booked", "consult", "pause_said", "priced", "settle", "tell"]

T = TypeVar("T")

_LOOK_SECONDS = 5.0
"""How long an attempt sleeps at least before it looks whether its place comes earlier."""
_NEWS_SECONDS = 0.1
"""By how much longer a wait must be than was said to be said again."""


def consult(what: str, function: Callable[[], T], context: CallContext) -> Steps[T | None]:
    """Call a store whose failure costs what it keeps, never the answer."""
    try:
        return (yield from call(function))
    except Exception as error:
        tell(context, Notice(f"The {what} failed: {error}"))
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
        if isinstance(failure, GeneratorExit):
            pass  # no driver is left to perform an effect
        elif progress.sent:
            _estimate(request, progress, failure)
            record = _record(target, context, progress, began, wall, failure)
            pause = pause_seconds(failure, progress.pause)
            failure = None  # its traceback knows this frame: a cycle
            yield from settle(record, target, pause, context)
        else:
            failure = None
            yield from _release(progress.attempts + 1, context)


def _complete(error: LLMError, target: Target, fold: Fold) -> None:
    """Say in an error who was asked and what had arrived."""
    error.provider = error.provider or target.provider.name
    error.model = error.model or fold.model or target.model
    if fold.has_output:
        error.partial = fold.text


def _estimate(request: Asked, progress: Progress, failure: BaseException | None) -> None:
    """Estimate what an attempt used that was billed without a report: it was cut, or is not told."""
    fold = progress.fold
    stopped = failure is not None and not isinstance(failure, LLMError)
    if fold.usage is None and (
        failure is None or fold.has_output or (stopped and progress.answered)
    ):
        from ..policy.estimate import usage_of

        fold.usage = usage_of(request, fold.text, fold.reasoning, fold.tool_calls)


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
    said_until = context.clock()
    try:
        while True:
            granted = yield from call(lambda: reserve(request, target, number))
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
                tell(context, Waiting(target.spec, granted.wait))
            # The place may come earlier: others use less than they reserved, or give up.
            yield from sleep(min(granted.wait, max(_LOOK_SECONDS, granted.wait / 4)))
    except GeneratorExit:
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
        yield from _insist("ledger", lambda: hook(record, target, pause), context)


def _insist(what: str, function: Callable[[], None], context: CallContext) -> Steps[None]:
    """Call a store that can be called twice; a Ctrl-C in its middle does not undo it."""
    try:
        yield from consult(what, function, context)
    except GeneratorExit:
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

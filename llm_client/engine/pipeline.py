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

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..exceptions import (
    ConnectionError,
    ContentFilterError,
    InvalidOutputError,
    LLMError,
    RateLimitError,
    StreamInterruptedError,
    TimeoutError,
)
from ..policy.retry import may_fall_back, retry_delay, without_refused_field
from ..types.config import RetrySettings
from ..types.events import (
    AttemptRecord,
    Event,
    FallingBack,
    Notice,
    Observer,
    Outcome,
    Retrying,
)
from ..types.request import LLMRequest
from ..types.response import Fold, LLMResponse
from ..types.target import Target
from .effects import Abandoned, Steps, call, sleep
from .exchange import Deadline, choose_model, exchange

__all__ = ["CallContext", "Hooks", "run_call"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hooks:
    """The steps of the pipeline that consult a store. A step that is `None` does not happen.

    `lookup`, `settle` and `store` keep records: one of them that fails costs its record and a
    notice to the observer, never the answer. The reservations decide: their errors end the attempt.
    """

    lookup: Callable[[LLMRequest], LLMResponse | None] | None = None
    """Look for the answer in the response cache."""
    reserve_budget: Callable[[LLMRequest, Target], None] | None = None
    """Reserve what an attempt may cost, or raise `BudgetExceededError`."""
    reserve_rate: Callable[[LLMRequest, Target], float] | None = None
    """Take a place in the rate limit; return the seconds to wait for it."""
    settle: Callable[[AttemptRecord], None] | None = None
    """Write an attempt into the ledger."""
    store: Callable[[LLMRequest, LLMResponse], None] | None = None
    """Keep the answer in the response cache."""


def _nothing(_: object) -> None:
    return None


def _chance() -> float:
    import random  # only where something failed

    return random.random()


def _nothing_chosen(position: int, target: Target) -> None:
    return None


@dataclass(frozen=True, slots=True)
class CallContext:
    """Everything a call needs besides its request."""

    call_id: str
    route: Sequence[Target]
    """Where to go, in order; at least one. One without a model is asked for its first."""
    retry: RetrySettings = RetrySettings()
    deadline: float | None = None
    """Seconds for the whole call."""
    observe: Observer = _nothing
    """Told of everything; what it raises becomes a warning and changes nothing."""
    settle: Callable[[AttemptRecord], None] = _nothing
    """Books an attempt in memory; unlike the hook it must not block."""
    chosen: Callable[[int, Target], None] = _nothing_chosen
    """Told which model was chosen for the target at a position that named none."""
    hooks: Hooks = Hooks()
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    chance: Callable[[], float] = _chance


@dataclass(slots=True)
class _Progress:
    """What has happened to a call so far."""

    started: float
    deadline: Deadline
    attempts: int = 0
    emitted: bool = False
    position: int = 0
    first_token: float | None = None
    fold: Fold = field(default_factory=Fold)


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
    progress = _Progress(started, Deadline(context.deadline, started, context.clock))
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


def _route(request: LLMRequest, context: CallContext, progress: _Progress) -> Steps[LLMResponse]:
    last = len(context.route) - 1
    for position, target in enumerate(context.route):
        progress.position = position
        try:
            return (yield from _retry(request, target, context, progress))
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


def _retry(
    request: LLMRequest, target: Target, context: CallContext, progress: _Progress
) -> Steps[LLMResponse]:
    retries = 0
    while True:
        if progress.deadline.passed():
            raise progress.deadline.error(progress.attempts)
        try:
            if not target.model:
                target = yield from _in_time(choose_model(target, progress.deadline), progress)
                context.chosen(progress.position, target)
            progress.attempts += 1
            return (yield from _attempt(request, target, context, progress, retries))
        except LLMError as error:
            relaxed = without_refused_field(error, target)
            if relaxed is not None and not progress.deadline.passed():
                target = relaxed
                continue
            delay = retry_delay(error, retries, context.retry, context.chance())
            if progress.emitted or delay is None or progress.deadline.passed():
                raise
            if progress.deadline.within(delay):
                raise progress.deadline.error(progress.attempts, error) from error
            retries += 1
            _tell(
                context,
                Retrying(target.spec, error, retries, context.retry.max_retries, delay),
            )
        yield from sleep(delay)


def _in_time(steps: Steps[T], progress: _Progress) -> Steps[T]:
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
    context: CallContext,
    progress: _Progress,
    retries: int,
) -> Steps[LLMResponse]:
    """Make one attempt and book it, whatever comes of it."""
    began, wall = context.clock(), context.wall_clock()
    progress.fold = fold = Fold()
    progress.first_token = None
    failure: BaseException | None = None
    try:
        yield from _reserve(request, target, context.hooks, progress.deadline)
        yield from _exchange(request, target, context, progress)
        return _answer(request, target, context, progress)
    except BaseException as error:
        failure = error
        if isinstance(error, LLMError) and fold.has_output:
            error.partial = fold.text
        raise
    finally:
        if not isinstance(failure, GeneratorExit):
            record = _record(target, context, progress, began, wall, failure, retries)
            failure = None  # its traceback knows this frame: a cycle
            yield from _settle(record, context)


def _record(
    target: Target,
    context: CallContext,
    progress: _Progress,
    began: float,
    wall: float,
    failure: BaseException | None,
    retries: int,
) -> AttemptRecord:
    first, fold = progress.first_token, progress.fold
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
        retry=retries,
        fallback=progress.position,
    )


def _reserve(request: LLMRequest, target: Target, hooks: Hooks, deadline: Deadline) -> Steps[None]:
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
    request: LLMRequest, target: Target, context: CallContext, progress: _Progress
) -> Steps[None]:
    fold = progress.fold

    def note_output() -> None:
        if progress.first_token is None:
            progress.first_token = context.clock()
        if request.stream:
            progress.emitted = True

    steps = exchange(request, target, fold, progress.deadline, note_output)
    try:
        yield from _in_time(steps, progress)
    except ConnectionError as error:
        if isinstance(error, TimeoutError) or not fold.has_output:
            raise
        raise StreamInterruptedError(
            f"The answer of {target.provider.name} was cut off: {error}", hint=error.hint
        ) from None


def _answer(
    request: LLMRequest, target: Target, context: CallContext, progress: _Progress
) -> LLMResponse:
    fold = progress.fold
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
    if request.schema is not None and not response.tool_calls:
        response = replace(response, parsed=_parse(response))
    return response


def _parse(response: LLMResponse) -> object:
    import json

    try:
        return json.loads(response.content)
    except ValueError as error:
        reason = (
            "it was cut off at the token limit"
            if response.finish_reason == "length"
            else str(error)
        )
        raise InvalidOutputError(
            f"The answer should follow a JSON schema but is no JSON: {reason}."
        ) from None


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

"""Compares what should have come of a scenario with what everybody saw of it.

Owns the comparisons: with the caller, with the server, with the ledger. Each returns what is wrong,
in words; nothing when all is well.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm_client.types.events import AttemptRecord, FallingBack, Retrying

from .bodies import Reported
from .ledger_rows import Row
from .oracle import Attempted, Foretold, foretell
from .scenarios import Scenario
from .stage import PRICES, Plan, Seen

__all__ = ["complaints"]

_EARLY_SECONDS = 0.002
"""By which clocks may differ that measure the same wait."""


def complaints(
    scenario: Scenario, plan: Plan, seen: Seen, rows: list[Row] | None = None
) -> list[str]:
    """Return everything that is wrong with a scenario as it was played.

    Args:
        scenario: what was planned.
        plan: what the server saw.
        seen: what the caller saw.
        rows: what the ledger has; `None` leaves it out.
    """
    fate = foretell(scenario, _reused(plan))
    found = [*_of_the_caller(scenario, fate, seen), *_of_the_server(scenario, fate, plan)]
    found += _of_the_observer(fate, seen)
    if rows is not None:
        found += _of_the_ledger(scenario, fate, rows)
    return found


def _reused(plan: Plan) -> set[int]:
    """Return which requests came on the connection of an earlier one."""
    connections = [arrival.connection for arrival in plan.arrivals]
    return {number for number, it in enumerate(connections) if it in connections[:number]}


def _differs(what: str, is_: object, expected: object) -> Iterator[str]:
    if is_ != expected:
        yield f"{what} is {is_!r}, not {expected!r}"


def _of_the_caller(scenario: Scenario, fate: Foretold, seen: Seen) -> Iterator[str]:
    if scenario.stream:
        yield from _differs("the text that was shown", "".join(seen.deltas), fate.text)
    if fate.error:
        error = seen.error
        yield from _differs("the error", type(error).__name__, fate.error)
        if error is not None:
            yield from _differs("the partial text", error.partial, fate.text)
            if fate.retry_after is None or error.retry_after is None:
                yield from _differs("retry_after", error.retry_after, fate.retry_after)
            elif abs(error.retry_after - fate.retry_after) > 1e-6:
                yield f"retry_after is {error.retry_after!r}, not {fate.retry_after!r}"
        return
    response = seen.response
    if response is None:
        yield f"there is no answer but {seen.error!r}"
        return
    last = fate.last
    goal = scenario.goals[last.position]
    fell_back = last.position > 0
    yield from _differs("the answer", response.content, fate.text)
    yield from _differs("the provider", response.provider, goal.provider)
    yield from _differs("attempts", response.attempts, len(fate.attempts))
    yield from _differs("retry_count", response.retry_count, len(fate.attempts) - 1)
    yield from _differs("used_fallback", response.used_fallback, fell_back)
    fallback = goal.provider if fell_back else None
    yield from _differs("fallback_provider", response.fallback_provider, fallback)
    yield from _differs("finish_reason", response.finish_reason, "stop")
    assert last.step is not None
    usage, said = response.tokens, last.step.usage
    yield from _differs("estimated", usage.estimated, said is None)
    if said is not None:
        counted = Reported(usage.prompt_tokens, usage.completion_tokens)
        yield from _differs("the usage", counted, said)


def _of_the_server(scenario: Scenario, fate: Foretold, plan: Plan) -> Iterator[str]:
    asked = [attempt.position for attempt in fate.attempts if attempt.step is not None]
    came = [arrival.position for arrival in plan.arrivals]
    yield from _differs("the order in which targets were asked", came, asked)
    yield from _differs("the number of unplanned requests", plan.unplanned, 0)
    if came != asked:
        return
    sent = [attempt for attempt in fate.attempts if attempt.step is not None]
    for before, after, attempt in zip(plan.arrivals, plan.arrivals[1:], sent, strict=False):
        wait = attempt.fate.retry_after or 0.0
        if before.position == after.position and after.at - before.at < wait - _EARLY_SECONDS:
            yield f"attempt came {after.at - before.at:.4f} s behind one that asked for {wait} s"


def _of_the_observer(fate: Foretold, seen: Seen) -> Iterator[str]:
    told = [event for event in seen.events if isinstance(event, AttemptRecord)]
    numbers = [record.attempt for record in told]
    yield from _differs("attempts told", numbers, list(range(1, len(fate.attempts) + 1)))
    retries = sum(isinstance(event, Retrying) for event in seen.events)
    yield from _differs("retries told", retries, fate.retries)
    switches = sum(isinstance(event, FallingBack) for event in seen.events)
    yield from _differs("switches told", switches, fate.last.position)


def _of_the_ledger(scenario: Scenario, fate: Foretold, rows: list[Row]) -> Iterator[str]:
    numbers = [row.attempt for row in rows]
    yield from _differs("attempts in the ledger", numbers, list(range(1, len(fate.attempts) + 1)))
    yield from _differs("calls in the ledger", len({row.call_id for row in rows}), 1)
    if sorted(rows, key=lambda row: row.started_at) != rows:
        yield "the rows are not in the order of time"
    if len(rows) != len(fate.attempts):
        return
    for row, attempt in zip(rows, fate.attempts, strict=True):
        for text in _of_a_row(scenario, attempt, row):
            yield f"row {row.attempt}: {text}"


def _of_a_row(scenario: Scenario, attempt: Attempted, row: Row) -> Iterator[str]:
    error = attempt.fate.error or None
    yield from _differs("outcome", row.outcome, "error" if error else "ok")
    yield from _differs("error_type", row.error_type, error)
    yield from _differs("provider", row.provider, scenario.goals[attempt.position].provider)
    yield from _differs("model", row.model, f"model-{attempt.position}")
    yield from _differs("fallback", row.fallback, attempt.position)
    yield from _differs("retry", row.retry, attempt.retry)
    has_output = not error or attempt.fate.shown > 0
    yield from _differs("has a first token", row.first_token_ms is not None, has_output)
    yield from _of_tokens(attempt, row, has_output)


def _of_tokens(attempt: Attempted, row: Row, has_output: bool) -> Iterator[str]:
    tokens = (row.prompt_tokens, row.completion_tokens)
    if tokens == (None, None):
        if has_output:
            yield "there are no tokens, and there was output"
        yield from _differs("cost", row.cost, None)
        yield from _differs("estimated", row.estimated, 0)
        return
    prompt, completion = row.prompt_tokens or 0, row.completion_tokens or 0
    cost = round(prompt * PRICES[0] * 1000 + completion * PRICES[1] * 1000)
    yield from _differs("cost", row.cost, cost)
    assert attempt.step is not None
    said = attempt.step.usage
    if not row.estimated:
        yield from _differs("prompt_tokens", prompt, said.prompt if said else None)
    if row.estimated and not (prompt > 0 and (completion > 0 or not has_output)):
        yield f"the estimate {tokens} is nothing"
    if not attempt.fate.error:
        yield from _differs("estimated", row.estimated, 0 if said else 1)
        if said is not None:
            yield from _differs("completion_tokens", completion, said.completion)

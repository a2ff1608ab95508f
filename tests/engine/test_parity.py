"""Both drivers do the same: each scenario is played through both, and the traces must be equal."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.pipeline import Granted, Hooks
from llm_client.exceptions import LLMError
from llm_client.types.config import RetrySettings

from .scenarios import SCENARIOS, Answer, Refused, Scenario, sse
from .scripted import Played, name, play_async, play_sync

PLAYERS = [pytest.param(play_sync, id="sync"), pytest.param(play_async, id="async")]
by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@by_name
def test_scenario_through_both_drivers_leaves_equal_traces(scenario: Scenario) -> None:
    one, other = play_sync(scenario), play_async(scenario)

    assert one.trace == other.trace
    assert one.chunks == other.chunks
    assert one.response == other.response
    assert one.records == [
        replace(record, error_type=_without_driver(record.error_type)) for record in other.records
    ]
    assert [type(event) for event in one.events] == [type(event) for event in other.events]
    assert str(one.error) == str(other.error)
    assert one.requests == other.requests
    gc.collect()


def _without_driver(error_type: str | None) -> str | None:
    return "KeyboardInterrupt" if error_type == "CancelledError" else error_type


@pytest.mark.parametrize("play", PLAYERS)
@by_name
def test_scenario_ends_as_expected(scenario: Scenario, play: Callable[..., Played]) -> None:
    played, expected = play(scenario), scenario.expected

    outcomes = [
        record.outcome if record.error_type is None else f"{record.outcome}:{record.error_type}"
        for record in played.records
    ]
    interrupt = "KeyboardInterrupt" if play is play_sync else "CancelledError"
    assert outcomes == [
        outcome.replace(":interrupt", f":{interrupt}") for outcome in expected.outcomes
    ]
    assert played.deltas == expected.deltas
    assert (name(played.error) if played.error else None) == expected.error
    if isinstance(played.error, LLMError):
        assert played.error.partial == expected.partial
    assert [type(event).__name__ for event in played.events if event not in played.records] == list(
        expected.events
    )
    if expected.content is None:
        assert played.response is None
        return
    response = played.response
    assert response is not None
    assert response.content == expected.content
    assert response.retry_count == expected.retry_count
    assert response.attempts == len(expected.outcomes)
    assert response.used_fallback == (expected.fallback_provider is not None)
    assert response.fallback_provider == expected.fallback_provider


@pytest.mark.parametrize("play", PLAYERS)
@by_name
def test_every_opened_exchange_is_closed_once_and_nothing_is_shown_while_unwinding(
    scenario: Scenario, play: Callable[..., Played]
) -> None:
    played = play(scenario)

    answers = [opening for opening in scenario.openings if isinstance(opening, Answer)]
    assert played.opened == played.closed == played.closings == len(answers)
    assert len(played.records) == len(scenario.openings)
    unwinding = next(
        (
            i
            for i, step in enumerate(played.trace)
            if step in ("thrown interrupt", "thrown Abandoned")
        ),
        len(played.trace),
    )
    assert {step.partition("(")[0] for step in played.trace[unwinding + 1 : -1]} <= {"Close"}
    assert "thrown GeneratorExit" not in played.trace


@pytest.mark.parametrize("play", PLAYERS)
def test_hooks_run_in_their_order(play: Callable[..., Played]) -> None:
    calls: list[str] = []

    def note(what: str, result: Any = None) -> Callable[..., Any]:
        def hook(*_: object) -> Any:
            calls.append(what)
            return result

        return hook

    waits = iter([0.5, 0.0] * 2)

    def reserve(*_: object) -> Granted:
        calls.append("reserve")
        return Granted(next(waits))

    hooks = Hooks(
        lookup=note("lookup"),
        reserve=reserve,
        release=note("release"),
        settle=note("settle"),
        store=note("store"),
    )
    played = play(Scenario("", (Refused(), sse("a")), SCENARIOS[0].expected, targets=2), hooks)

    assert calls == ["lookup", *["reserve", "reserve", "settle"] * 2, "store"]
    steps = [step.partition("(")[0] for step in played.trace]
    first = ["Call", "Call", "Sleep", "Call", "Open", "thrown ConnectionError", "Call"]
    assert steps[: len(first)] == first
    assert steps[-3:] == ["Call", "Call", "returned"]
    assert steps[-4] == "Close"


@pytest.mark.parametrize("play", PLAYERS)
def test_answer_in_the_cache_sends_nothing(play: Callable[..., Played]) -> None:
    hit = play_sync(SCENARIOS[0]).response
    assert hit is not None

    played = play(SCENARIOS[0], Hooks(lookup=lambda request, target: hit))

    assert played.response is not None
    assert played.response.content == hit.content
    assert [step.partition("(")[0] for step in played.trace] == ["Call", "Emit", "returned"]
    assert "".join(played.deltas) == hit.content
    assert [(record.outcome, record.attempt) for record in played.records] == [("cached", 0)]


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize(
    "scenario",
    [s for s in SCENARIOS if s.expected.error == "interrupt" or s.break_after],
    ids=lambda s: s.name,
)
def test_interrupted_attempt_is_settled_in_the_ledger_too(
    scenario: Scenario, play: Callable[..., Played]
) -> None:
    settled: list[str] = []
    hooks = Hooks(settle=lambda record, target, pause: settled.append(record.outcome))
    played = play(scenario, hooks)

    assert settled == [record.outcome for record in played.records]
    assert played.opened == played.closed


@pytest.mark.parametrize("play", PLAYERS)
def test_no_retries_configured_makes_one_attempt(play: Callable[..., Played]) -> None:
    scenario = next(s for s in SCENARIOS if s.name == "retries-used-up")

    played = play(replace(scenario, retry=RetrySettings(max_retries=0)))

    assert len(played.records) == 1


def test_traces_of_different_scenarios_differ() -> None:
    traces = {tuple(play_sync(scenario).trace) for scenario in SCENARIOS}

    assert len(traces) > len(SCENARIOS) * 0.9

"""What an attempt waits for, what it gives back, and what a store that fails costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llm_client.engine.pipeline import Asked, Granted, Hooks
from llm_client.exceptions import (
    BudgetExceededError,
    ConnectionError,
    LLMError,
    RateLimitError,
    ValidationError,
)
from llm_client.types.events import AttemptRecord, Waiting
from llm_client.types.target import Target

from .calls import PLAYERS, notices, run, scenario
from .scenarios import Answer, whole
from .scripted import Played


@pytest.mark.parametrize("play", PLAYERS)
def test_budget_refused_for_every_target_sends_nothing_and_leaves_no_record(
    play: Callable[..., Played],
) -> None:
    asked: list[str] = []
    released: list[int] = []

    def refuse(request: Asked, target: Target, number: int) -> Granted:
        asked.append(target.spec)
        raise BudgetExceededError("the day's budget is used up")

    played = play(scenario(targets=2), Hooks(reserve=refuse, release=released.append))

    assert isinstance(played.error, BudgetExceededError)
    assert played.requests == []
    assert played.records == []
    assert asked == ["p0/m", "p1/m"]
    assert released == [1, 1]


@pytest.mark.parametrize("play", PLAYERS)
def test_budget_that_is_too_small_for_one_target_lets_a_cheaper_one_answer(
    play: Callable[..., Played],
) -> None:
    def reserve(request: Asked, target: Target, number: int) -> Granted:
        if target.spec == "p0/m":
            raise BudgetExceededError("too dear")
        return Granted()

    played = play(scenario(whole("Hello"), targets=2), Hooks(reserve=reserve))

    assert played.response is not None
    assert played.response.fallback_provider == "p1"
    assert (played.response.attempts, played.response.retry_count) == (1, 0)
    assert [(record.attempt, record.fallback) for record in played.records] == [(1, 1)]


@pytest.mark.parametrize("play", PLAYERS)
def test_rate_limit_beyond_the_deadline_falls_back_at_once(play: Callable[..., Played]) -> None:
    waits = iter([60.0, 0.0])
    released: list[int] = []
    played = play(
        scenario(whole("Hello"), deadline=5.0, targets=2),
        Hooks(reserve=lambda *_: Granted(next(waits)), release=released.append),
    )

    assert played.response is not None
    assert played.response.fallback_provider == "p1"
    assert [record.error_type for record in played.records] == [None]
    assert released == [1]
    assert not any(step.startswith("Sleep") for step in played.trace)


@pytest.mark.parametrize("play", PLAYERS)
def test_attempt_waits_until_it_is_let_through_and_says_so(play: Callable[..., Played]) -> None:
    waits = iter([12.5, 7.5, 40.0, 0.0])
    hooks = Hooks(reserve=lambda *_: Granted(next(waits), ("Mind the budget.",), limited=True))
    played = play(scenario(whole("Hello")), hooks)

    # Its place may come earlier, so it looks now and then; only a longer wait is news.
    assert [step for step in played.trace if step.startswith("Sleep")] == [
        "Sleep(5.0)",
        "Sleep(5.0)",
        "Sleep(10.0)",
    ]
    assert [event for event in played.events if isinstance(event, Waiting)] == [
        Waiting("p0/m", 12.5, limited=True),
        Waiting("p0/m", 40.0, limited=True),
    ]
    assert notices(played.events) == ["Mind the budget."] * 4
    assert [record.latency_ms for record in played.records] == [0.0], "waiting is no latency"


@pytest.mark.parametrize("play", PLAYERS)
def test_wait_that_is_interrupted_gives_the_place_back(play: Callable[..., Played]) -> None:
    released: list[int] = []
    hooks = Hooks(reserve=lambda *_: Granted(30.0), release=released.append)
    played = play(scenario(interrupt_sleep=True), hooks)

    assert played.error is not None
    assert not isinstance(played.error, LLMError)
    assert played.records == []
    assert released == [1]


@pytest.mark.parametrize("play", PLAYERS)
def test_request_that_cannot_be_encoded_gives_its_reservation_back(
    play: Callable[..., Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_client.engine import exchange

    class Fails:
        def encode(self, *_: object) -> None:
            raise ValidationError("no words for it")

    monkeypatch.setattr(exchange, "find_dialect", lambda name: Fails())
    released: list[int] = []
    played = play(scenario(), Hooks(reserve=lambda *_: Granted(), release=released.append))

    assert isinstance(played.error, ValidationError)
    assert (played.requests, played.records) == ([], [])
    assert released == [1]


def test_rate_limit_beyond_the_deadline_says_how_long_it_would_be() -> None:
    with pytest.raises(RateLimitError, match="no place for 60 s") as caught:
        run(deadline=5.0, hooks=Hooks(reserve=lambda *_: Granted(60.0)))

    assert caught.value.retry_after == 60.0


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize(
    ("hook", "text"),
    [
        ("lookup", "The response cache failed: disk full"),
        ("settle", "The ledger failed: disk full"),
        ("store", "The response cache failed: disk full"),
    ],
)
def test_store_that_fails_costs_a_notice_and_not_the_answer(
    play: Callable[..., Played], hook: str, text: str
) -> None:
    def fail(*_: object) -> Any:
        raise OSError("disk full")

    hooks: dict[str, Any] = {hook: fail}
    played = play(scenario(whole("Hello")), Hooks(**hooks))

    assert played.response is not None
    assert played.response.content == "Hello"
    assert notices(played.events) == [text]


@pytest.mark.parametrize("play", PLAYERS)
def test_ledger_that_fails_does_not_replace_the_error_of_the_attempt(
    play: Callable[..., Played],
) -> None:
    def fail(record: AttemptRecord, target: Target, pause: float | None) -> None:
        raise ConnectionError("the ledger is on a network disk")

    played = play(scenario(Answer((b"{}",), 401)), Hooks(settle=fail))

    assert type(played.error).__name__ == "AuthenticationError"
    assert len(played.requests) == 1

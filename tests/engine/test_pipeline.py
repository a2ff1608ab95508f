"""What the pipeline decides besides the scenarios: deadlines, stores, observers, models, schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.exchange import Deadline, fetch_models
from llm_client.engine.pipeline import Asked, CallContext, Granted, Hooks, run_call
from llm_client.exceptions import (
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    RateLimitError,
    TimeoutError,
    ValidationError,
)
from llm_client.types.events import AttemptRecord, Event, Notice, Waiting
from llm_client.types.http import Timeouts
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse
from llm_client.types.target import ProviderSpec, Target

from .scenarios import Answer, Cut, Expected, Opening, Refused, Scenario, Wait, event, sse, whole
from .scripted import Played, Stage, play_async, play_sync, sync_driver, target

PLAYERS = [pytest.param(play_sync, id="sync"), pytest.param(play_async, id="async")]
HELLO = LLMRequest((Message("user", "hi"),))
UNAVAILABLE = Answer((b"{}",), 503)


def scenario(*openings: Opening, **fields: Any) -> Scenario:
    return replace(Scenario("", openings, Expected(())), **{"stream": False, **fields})


def run(
    *openings: Opening, request: LLMRequest = HELLO, **context: Any
) -> tuple[Stage, LLMResponse]:
    """Run a call through the sync driver; return the stage and the answer."""
    stage = Stage(scenario(*openings))
    fields: dict[str, Any] = {
        "route": [target()],
        "observe": stage.played.events.append,
        "clock": stage.clock,
    }
    steps = run_call(request, CallContext("call", **{**fields, **context}))
    return stage, sync_driver(stage).run(steps)


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_deadline_that_is_over_at_the_start_sends_nothing(
    play: Callable[..., Played], seconds: float
) -> None:
    played = play(scenario(whole("late"), deadline=seconds))

    assert isinstance(played.error, TimeoutError)
    assert "before the first attempt" in str(played.error)
    assert played.requests == []


def test_deadline_bounds_every_wait_of_a_request() -> None:
    played = play_sync(scenario(whole("Hello"), deadline=2.0))

    assert played.requests[0].timeouts == Timeouts(2.0, 2.0, 2.0, total=2.0)
    assert [step for step in played.trace if step.startswith("Read")] == ["Read(2.0)"] * 2


def test_no_deadline_leaves_the_waits_of_the_target() -> None:
    played = play_sync(scenario(sse("Hello"), stream=True))

    assert played.requests[0].timeouts == Timeouts()
    assert "Read(None)" in played.trace


def test_deadline_bounds_waits_without_a_bound_of_their_own() -> None:
    deadline = Deadline(4.0, 10.0, lambda: 11.0)

    assert deadline.bound(Timeouts(None, None, 1.0)) == Timeouts(3.0, 3.0, 1.0, total=3.0)


def test_deadline_error_names_why_the_last_attempt_failed() -> None:
    busy = Answer((b'{"error": {"message": "busy"}}',), 503, (("retry-after", "60"),))
    played = play_sync(scenario(busy, deadline=5.0))

    assert isinstance(played.error, TimeoutError)
    assert str(played.error).startswith(
        "The deadline of 5 s leaves no time to try again after 1 attempt; the last one failed:"
    )
    assert "busy" in str(played.error)
    assert isinstance(played.error.__cause__, LLMServiceError)


def test_deadline_error_counts_the_attempts() -> None:
    silent = Answer((Wait(9.0),))
    played = play_sync(scenario(UNAVAILABLE, silent, deadline=1.0))

    assert str(played.error) == "The deadline of 1 s ran out after 2 attempts."


def test_error_that_arrives_as_the_deadline_passes_is_the_one_that_leaves() -> None:
    stage = Stage(scenario(UNAVAILABLE))

    def take_long(record: AttemptRecord) -> None:
        stage.clock.now += 10

    context = CallContext(
        "call", [target(), target(1)], deadline=3.0, clock=stage.clock, settle=take_long
    )
    with pytest.raises(LLMServiceError):
        sync_driver(stage).run(run_call(HELLO, context))


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
    hooks = Hooks(reserve=lambda *_: Granted(next(waits), notices=("Mind the budget.",)))
    played = play(scenario(whole("Hello")), hooks)

    # Its place may come earlier, so it looks now and then; only a longer wait is news.
    assert [step for step in played.trace if step.startswith("Sleep")] == [
        "Sleep(5.0)",
        "Sleep(5.0)",
        "Sleep(10.0)",
    ]
    assert [event for event in played.events if isinstance(event, Waiting)] == [
        Waiting("p0/m", 12.5),
        Waiting("p0/m", 40.0),
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


def test_observer_that_fails_becomes_a_warning() -> None:
    def fail(event: Event) -> None:
        raise ValueError("a bug")

    with pytest.warns(RuntimeWarning, match="observer of llm_client failed: ValueError"):
        stage, response = run(UNAVAILABLE, whole("Hello"), observe=fail)

    assert response.content == "Hello"
    assert stage.played.opened == stage.played.closed == 2


def test_interrupt_in_an_observer_is_not_kept_from_anybody() -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(whole("Hello"), observe=interrupt)


MODELS = Answer((b'{"data": [{"id": "first"}, {"id": "second"}]}',))


@pytest.mark.parametrize("play", [play_sync, play_async], ids=["sync", "async"])
def test_refused_field_after_something_was_shown_is_not_asked_for_again(
    play: Callable[..., Played],
) -> None:
    refusal = {"message": "stream_options: not allowed", "type": "invalid_request_error"}
    refused = Answer((*sse("Hel").pieces[:2], event({"error": refusal})))

    played = play(scenario(refused, sse("Hello"), stream=True))

    assert isinstance(played.error, ValidationError)
    assert played.error.partial == "Hel"
    assert played.deltas == ("Hel",)
    assert len(played.records) == 1


@pytest.mark.parametrize("play", PLAYERS)
def test_error_answer_of_a_megabyte_is_read_no_further(play: Callable[..., Played]) -> None:
    flood = Answer((b"x" * (1 << 20), Wait(1e9)), 400)

    played = play(scenario(flood))

    assert type(played.error).__name__ == "ValidationError"
    assert played.opened == played.closed == 1


def test_target_without_a_model_takes_the_first_that_is_listed() -> None:
    stage, response = run(MODELS, whole("Hello"), route=[target(model="")])

    lookup, call = stage.played.requests
    assert (lookup.method, lookup.url) == ("GET", "http://p0.test/v1/models")
    assert json.loads(call.body or b"")["model"] == "first"
    assert response.attempts == 1


def test_target_without_a_model_is_asked_once_for_all_retries() -> None:
    stage, response = run(MODELS, UNAVAILABLE, whole("Hello"), route=[target(model="")])

    assert [request.method for request in stage.played.requests] == ["GET", "POST", "POST"]
    assert response.retry_count == 1


def test_target_without_a_model_that_is_down_falls_back() -> None:
    stage, response = run(Refused(), whole("Hello"), route=[target(model=""), target(1)])

    assert response.fallback_provider == "p1"
    assert len(stage.played.requests) == 2


def test_fallback_without_a_model_is_asked_for_its_first() -> None:
    _, response = run(Refused(), MODELS, whole("Hello"), route=[target(), target(1, model="")])

    assert response.used_fallback


@pytest.mark.parametrize(
    ("command", "hint"),
    [("ollama pull", "Fetch one with `ollama pull MODEL`."), ("", "Name one with `-m`.")],
)
def test_server_without_models_says_how_to_get_one(command: str, hint: str) -> None:
    goal = target(model="")
    goal = replace(goal, provider=replace(goal.provider, fetch_model_command=command))

    with pytest.raises(ModelNotFoundError, match="has no models") as caught:
        run(Answer((b'{"data": []}',)), route=[goal])

    assert caught.value.hint == hint


def test_deadline_in_the_look_up_of_the_model_says_so() -> None:
    with pytest.raises(TimeoutError, match="deadline of 1 s ran out before the first attempt"):
        run(Answer((Wait(5.0),)), route=[target(model="")], deadline=1.0)


def test_look_up_of_models_that_fails_raises_the_error_of_the_provider() -> None:
    stage = Stage(scenario(Answer((b'{"error": {"code": "invalid_api_key"}}',), 401)))
    steps = fetch_models(target(), Deadline(None, 0.0, stage.clock))

    with pytest.raises(LLMError, match="wants a key"):
        sync_driver(stage).run(steps)
    assert stage.played.opened == stage.played.closed == 1


def test_dialect_without_a_list_of_models_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llm_client.engine.exchange.find_dialect", lambda name: object())

    with pytest.raises(ConfigurationError, match="'p0' has no list of models"):
        next(fetch_models(target(), Deadline(None, 0.0, float)))


def _local(start_command: str) -> Target:
    provider = ProviderSpec("box", "http://box.test", "openai-chat", start_command=start_command)
    return Target(provider, "m", provider.base_url)


@pytest.mark.parametrize(
    ("goal", "hint"),
    [
        pytest.param(
            _local("box serve"),
            "Is box running? Start it with `box serve`, or set its address with `--base-url`.",
            id="local",
        ),
        pytest.param(_local(""), None, id="no-command"),
    ],
)
def test_refused_connection_says_how_to_start_the_server(goal: Target, hint: str | None) -> None:
    with pytest.raises(ConnectionError) as caught:
        run(Refused(), route=[goal])

    assert caught.value.hint == hint


def test_record_has_latency_usage_and_the_first_token() -> None:
    first = event({"choices": [{"delta": {"content": "a"}}]})
    rest = sse("b").pieces
    stage, response = run(Answer((Wait(1.5), first, Wait(0.5), *rest)))

    (record,) = stage.played.records
    assert record.time_to_first_token_ms == pytest.approx(1500)
    assert record.latency_ms == pytest.approx(2000)
    assert record.usage is not None
    assert record.usage.total_tokens == 5
    assert record.model == "m"
    assert response.metadata == {"call_id": "call", "time_to_first_token_ms": pytest.approx(1500)}
    assert response.latency_ms == pytest.approx(2000)


def test_latency_of_an_answer_counts_the_retries_before_it() -> None:
    stage, response = run(UNAVAILABLE, whole("Hello"), chance=lambda: 0.0)

    assert response.latency_ms == pytest.approx(1000)
    assert [round(record.latency_ms) for record in stage.played.records] == [0, 0]


def test_server_that_keeps_the_connection_open_after_the_answer_is_not_waited_for() -> None:
    stage, response = run(Answer((*sse("Hello").pieces, Wait(30.0))))

    assert response.content == "Hello"
    assert stage.clock.now == pytest.approx(100.5)
    assert stage.played.closed == 1


def test_connection_that_breaks_after_the_answer_does_not_matter() -> None:
    _, response = run(Answer((*sse("Hello").pieces, Cut())))

    assert response.content == "Hello"


def test_route_without_a_target_is_a_bug_that_shows() -> None:
    with pytest.raises(AssertionError, match="at least one target"):
        run(route=[])

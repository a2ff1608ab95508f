"""What every attempt says of itself: what it cost, and who was asked."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.effects import Call, Open, Read, Sleep
from llm_client.engine.pipeline import Granted, Hooks
from llm_client.exceptions import (
    AuthenticationError,
    LLMError,
    LLMServiceError,
    StreamInterruptedError,
    TimeoutError,
)
from llm_client.types.config import RetrySettings
from llm_client.types.events import AttemptRecord
from llm_client.types.request import LLMRequest
from llm_client.types.response import StreamChunk, Usage
from llm_client.types.target import Target

from .scenarios import Answer, Cut, Expected, Scenario, event, sse, whole
from .scripted import Stage, play_sync
from .test_structured import USER, notices, play, refusal

PLAIN = LLMRequest((USER,))


def price(target: Target, model: str, usage: Usage) -> float | None:
    return usage.total_tokens / 1000 if model == "m" else None


def test_usage_without_a_cost_is_priced_in_the_answer_and_in_the_books() -> None:
    settled: list[Any] = []
    hooks = Hooks(settle=lambda record, target, pause: settled.append(record))
    played = play(sse("a"), request=PLAIN, price=price, hooks=hooks)

    assert played.response is not None
    assert played.response.cost == played.records[0].usage.estimated_cost == 0.005  # type: ignore[union-attr]
    assert settled == played.records


def test_last_chunk_of_a_stream_has_the_cost() -> None:
    played = play(sse("a"), request=replace(PLAIN, stream=True), price=price)

    costs = [chunk.usage.estimated_cost for chunk in played.chunks if chunk.usage is not None]
    assert costs[-1] == 0.005


def test_usage_of_an_answer_that_was_cut_is_priced_too() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    begun = event({"model": "m", "choices": [{"delta": {"content": "a"}}], "usage": usage})
    played = play(Answer((begun,)), request=replace(PLAIN, stream=True), price=price)

    assert isinstance(played.error, StreamInterruptedError)
    assert played.records[0].usage is not None
    assert played.records[0].usage.estimated_cost == 0.005


def test_cost_that_the_provider_says_is_kept() -> None:
    body = json.loads(whole("a").pieces[0])  # type: ignore[arg-type]
    body["usage"] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 7.5}
    answer = Answer((json.dumps(body).encode(),), headers=whole("a").headers)

    played = play(answer, request=PLAIN, price=price)

    assert played.response is not None
    assert played.response.cost == 7.5


@pytest.mark.parametrize("known", [None, lambda *_: None], ids=["no prices", "no price"])
def test_cost_that_is_not_known_is_none(known: Any) -> None:
    played = play(sse("a"), request=PLAIN, price=known)

    assert played.response is not None
    assert played.response.tokens.total_tokens == 5
    assert played.response.cost is None


def test_price_that_fails_costs_a_notice_and_not_the_answer() -> None:
    def fail(*_: object) -> float:
        raise OSError("no such file")

    played = play(sse("a"), request=PLAIN, price=fail)

    assert played.response is not None
    assert played.response.cost is None
    assert set(notices(played)) == {"The price is not known: no such file"}


@pytest.mark.parametrize(
    ("opening", "kind"),
    [
        (
            Answer((event({"choices": [{"delta": {"content": "a"}}]}), Cut())),
            StreamInterruptedError,
        ),
        (refusal("no", 401), AuthenticationError),
        (Answer((b"<html>",), 502), LLMServiceError),
    ],
    ids=["cut", "key", "server"],
)
def test_every_error_of_an_attempt_says_who_was_asked(opening: Answer, kind: type) -> None:
    played = play(opening, request=replace(PLAIN, stream=True), retry=RetrySettings(max_retries=0))

    assert type(played.error) is kind
    assert isinstance(played.error, LLMError)
    assert (played.error.provider, played.error.model) == ("p0", "m")


@pytest.mark.parametrize(
    "opening",
    [
        Answer((event({"error": {"message": "busy", "type": "overloaded_error"}}),)),
        Answer((b"no JSON",), headers=(("content-type", "application/json"),)),
        Answer((event({"choices": [{"delta": {"content": "a"}}]}), Cut())),
        refusal("no", 401),
    ],
    ids=["in the stream", "garbage", "cut", "status"],
)
def test_error_is_in_no_cycle_that_would_keep_its_frames(opening: Answer) -> None:
    gc.disable()
    try:
        played = play(
            opening, request=replace(PLAIN, stream=True), retry=RetrySettings(max_retries=0)
        )
        assert played.error is not None
        error = weakref.ref(played.error)
        played.error = None

        assert error() is None
    finally:
        gc.enable()


def test_chunks_that_are_shown_are_those_that_were_decoded() -> None:
    played = play(sse("a", "b"), request=replace(PLAIN, stream=True))

    assert played.deltas == ("a", "b")
    assert isinstance(played.chunks[-1], StreamChunk)
    assert played.chunks[-1].is_done


@pytest.mark.parametrize(
    ("effect", "outcomes"),
    [
        pytest.param(Call, [], id="Call"),
        pytest.param(Sleep, [], id="Sleep"),
        pytest.param(Open, ["abandoned"], id="Open"),
        pytest.param(Read, ["abandoned"], id="Read"),
    ],
)
def test_call_that_nobody_drives_any_more_ends_without_a_further_effect(
    effect: type, outcomes: list[str]
) -> None:
    """Else Python says `generator ignored GeneratorExit`, somewhere and to nobody."""
    waits = iter([0.5, 0.0])
    hooks = Hooks(
        reserve=lambda *_: Granted(next(waits)),
        release=lambda number: None,
        settle=lambda record, where, pause: None,
    )
    stage = Stage(Scenario("", (sse("a"),), Expected(())))
    steps = stage.steps(hooks)
    value: Any = None
    while not isinstance(reached := steps.send(value), effect):
        match reached:
            case Call(function):
                value = function()
            case Open(request):
                value = stage.open(request).head  # type: ignore[union-attr]
            case _:
                value = None
    steps.close()

    assert stage.played.trace[-1] == "raised GeneratorExit"
    assert [record.outcome for record in stage.played.records] == outcomes


def test_interrupt_in_the_middle_of_settling_settles_once_more() -> None:
    settled: list[int] = []

    def settle(record: AttemptRecord, where: Target, pause: float | None) -> None:
        settled.append(record.attempt)
        if len(settled) == 1:
            raise KeyboardInterrupt

    played = play_sync(Scenario("", (sse("a"),), Expected(())), Hooks(settle=settle))

    assert isinstance(played.error, KeyboardInterrupt)
    assert settled == [1, 1]


def test_wait_that_ran_out_before_the_deadline_says_which_it_was() -> None:
    stage = Stage(Scenario("", (), Expected(()), retry=RetrySettings(max_retries=0)))
    steps = stage.steps(deadline=60.0)
    assert isinstance(steps.send(None), Open)

    with pytest.raises(TimeoutError, match="no byte for 3 s"):
        steps.throw(TimeoutError("no byte for 3 s"))
    assert [record.error_type for record in stage.played.records] == ["TimeoutError"]

"""What an answer of the response cache does to a call: who is asked for it, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llm_client.engine.context import CallContext, Hooks
from llm_client.engine.cool_down import CoolDowns
from llm_client.engine.pipeline import run_call
from llm_client.exceptions import LLMServiceError, ValidationError
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, Usage
from llm_client.types.target import Target

from .calls import HELLO, PLAYERS, scenario
from .scenarios import Answer, Opening, whole
from .scripted import Played, Stage, sync_driver, target

BRIEF = replace(HELLO, messages=(Message("system", "Be brief."), *HELLO.messages))
HIT = LLMResponse("Hi.", "m-1", "p0", "stop", usage=Usage(3, 4, 7, estimated_cost=0.5))
MODELS = Answer((json.dumps({"data": [{"id": "chosen"}]}).encode(),), headers=())


class Cache:
    """Notes what it is asked; has one answer, or none."""

    def __init__(self, hit: LLMResponse | None = None) -> None:
        self.hit = hit
        self.looked_up: list[tuple[LLMRequest, Target]] = []
        self.stored: list[tuple[LLMRequest, str, str]] = []

    def lookup(self, request: LLMRequest, target: Target) -> LLMResponse | None:
        self.looked_up.append((request, target))
        return self.hit

    def store(self, request: LLMRequest, target: Target, response: LLMResponse) -> None:
        self.stored.append((request, target.spec, response.content))

    @property
    def hooks(self) -> Hooks:
        return Hooks(lookup=self.lookup, store=self.store)


def run(
    cache: Cache, *openings: Opening, request: LLMRequest = HELLO, **context: Any
) -> tuple[Stage, LLMResponse]:
    stage = Stage(scenario(*openings))
    fields: dict[str, Any] = {"route": [target()], "hooks": cache.hooks, "clock": stage.clock}
    steps = run_call(request, CallContext("call", **{**fields, **context}))
    return stage, sync_driver(stage).run(steps)


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_hit_is_the_answer_and_nothing_is_sent(play: Callable[..., Played], stream: bool) -> None:
    cache = Cache(replace(HIT, retry_count=2, used_fallback=True, fallback_provider="x", raw={}))
    played = play(scenario(stream=stream), cache.hooks)
    response = played.response

    assert response is not None
    assert played.requests == []
    assert response == replace(
        HIT,
        attempts=0,
        usage=Usage(3, 4, 7, estimated_cost=0.0),
        metadata={"call_id": "call", "time_to_first_token_ms": None, "cached": True},
    )
    assert response.raw is None
    assert played.deltas == (("Hi.",) if stream else ())
    assert [(record.outcome, record.attempt) for record in played.records] == [("cached", 0)]
    assert cache.stored == []


def test_hit_without_usage_costs_nothing() -> None:
    _, response = run(Cache(replace(HIT, usage=None)))

    assert response.cost == 0.0


@pytest.mark.parametrize("play", PLAYERS)
def test_replay_that_is_broken_off_is_booked_once(play: Callable[..., Played]) -> None:
    played = play(scenario(stream=True, break_after=1), Cache(HIT).hooks)

    assert played.response is None
    assert [record.outcome for record in played.records] == ["cached"]


def test_request_is_looked_up_and_kept_as_its_target_is_asked() -> None:
    cache = Cache()
    run(cache, whole("Hello"), adapt=lambda position, request: BRIEF)

    assert [request for request, _ in cache.looked_up] == [BRIEF]
    assert cache.stored == [(BRIEF, "p0/m", "Hello")]


def test_request_that_no_target_takes_is_refused_as_without_a_cache() -> None:
    def adapt(position: int, request: LLMRequest) -> LLMRequest:
        raise ValidationError("Not so.")

    cache = Cache(HIT)
    with pytest.raises(ValidationError, match="Not so"):
        run(cache, adapt=adapt)
    assert cache.looked_up == []


def test_answer_is_kept_under_the_model_that_was_chosen() -> None:
    cache = Cache()
    chosen: list[tuple[int, str]] = []
    stage, _ = run(
        cache,
        MODELS,
        whole("Hello"),
        route=[target(model="")],
        chosen=lambda position, target: chosen.append((position, target.model)),
    )

    assert [asked.model for _, asked in cache.looked_up] == ["chosen"]
    assert cache.stored == [(HELLO, "p0/chosen", "Hello")]
    assert chosen == [(0, "chosen")]
    assert len(stage.played.requests) == 2


def test_first_choice_that_failed_just_now_is_not_asked_for_its_models() -> None:
    cache, cool_downs = Cache(), CoolDowns()
    route = [target(0, ""), target(1)]
    cool_downs.failed(route[0], LLMServiceError("down"), 1e9)
    stage, response = run(cache, whole("Hello"), route=route, cool_downs=cool_downs)

    assert response.provider == "p1"
    assert cache.looked_up == []
    assert cache.stored == [(HELLO, "p1/m", "Hello")]
    assert [request.url for request in stage.played.requests] == [
        "http://p1.test/v1/chat/completions"
    ]


def test_first_choice_that_failed_just_now_may_have_answered_before() -> None:
    cache, cool_downs = Cache(HIT), CoolDowns()
    route = [target(0), target(1)]
    cool_downs.failed(route[0], LLMServiceError("down"), 1e9)
    _, response = run(cache, route=route, cool_downs=cool_downs)

    assert response.content == "Hi."


@pytest.mark.parametrize("shortened", [False, True])
def test_answer_to_a_shortened_request_is_not_kept(shortened: bool) -> None:
    def fit(request: LLMRequest, target: Target, ask: Any, *_: object) -> Any:
        return ask(replace(request, messages=request.messages[-1:]) if shortened else request)

    cache = Cache()
    run(cache, whole("Hello"), request=BRIEF, fit=fit)

    assert len(cache.looked_up) == 1
    assert len(cache.stored) == (0 if shortened else 1)


def test_lookup_alone_and_store_alone_are_enough() -> None:
    cache = Cache(HIT)
    run(cache, whole("Hello"), hooks=Hooks(store=cache.store))
    _, response = run(cache, hooks=Hooks(lookup=cache.lookup))

    assert cache.stored == [(HELLO, "p0/m", "Hello")]
    assert response.content == "Hi."

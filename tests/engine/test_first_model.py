"""A target without a model takes the first that its provider lists."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_client.engine.exchange import Deadline, fetch_models
from llm_client.exceptions import ConfigurationError, LLMError, ModelNotFoundError, TimeoutError

from .calls import UNAVAILABLE, run, scenario
from .scenarios import Answer, Refused, Wait, whole
from .scripted import Stage, sync_driver, target

MODELS = Answer((b'{"data": [{"id": "first"}, {"id": "second"}]}',))


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

"""Lists of models in parts: all of them are asked for, and a list without end is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from llm_client.dialects import base
from llm_client.engine import exchange
from llm_client.engine.effects import Close, Open, Read
from llm_client.engine.exchange import Deadline, fetch_models
from llm_client.exceptions import ConfigurationError, LLMError
from llm_client.types.http import Head, HttpRequest
from llm_client.types.models import ModelInfo, ModelPage
from llm_client.types.target import Target

from .scripted import target


class Paged:
    """A dialect whose list has parts: `{"models": [...], "next": ...}`."""

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        return HttpRequest("GET", f"{target.base_url}/models?page={page}")

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        said = json.loads(body)
        return ModelPage([ModelInfo(id, "p") for id in said["models"]], said["next"])

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        return LLMError(f"status {head.status}")


@pytest.fixture(autouse=True)
def paged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(Paged(), base.ListsModels)
    monkeypatch.setattr(exchange, "find_dialect", lambda name: Paged())


def play(answers: Callable[[str], tuple[int, bytes]]) -> tuple[list[ModelInfo], list[str]]:
    """Drive the listing; return the models and the addresses that were asked."""
    steps = fetch_models(target(), Deadline(None, 0.0, lambda: 0.0))
    asked: list[str] = []
    body = b""
    effect = next(steps)
    while True:
        result: object = None
        if isinstance(effect, Open):
            asked.append(effect.request.url.rpartition("=")[2])
            status, body = answers(asked[-1])
            result = Head(status, {})
        elif isinstance(effect, Read):
            result, body = body, b""
        else:
            assert isinstance(effect, Close)
        try:
            effect = steps.send(result)
        except StopIteration as stop:
            return stop.value, asked


def page(models: list[str], next: str | None) -> tuple[int, bytes]:
    return 200, json.dumps({"models": models, "next": next}).encode()


def test_every_part_of_a_list_is_asked_for_in_order() -> None:
    parts = {"None": page(["a", "b"], "2"), "2": page([], "3"), "3": page(["c"], None)}
    models, asked = play(parts.__getitem__)
    assert [model.id for model in models] == ["a", "b", "c"]
    assert asked == ["None", "2", "3"]


def test_part_that_comes_again_ends_the_list() -> None:
    parts = {"None": page(["a"], "2"), "2": page(["b"], "2")}
    models, asked = play(parts.__getitem__)
    assert [model.id for model in models] == ["a", "b"]
    assert asked == ["None", "2"]


def test_list_without_end_is_left_after_a_hundred_parts() -> None:
    models, asked = play(lambda said: page([said], f"{said}x"))
    assert len(models) == len(asked) == 100


def test_error_in_a_later_part_is_raised() -> None:
    parts = {"None": page(["a"], "2"), "2": (500, b"")}
    with pytest.raises(LLMError, match="status 500"):
        play(parts.__getitem__)


def test_provider_without_a_list_says_what_to_do() -> None:
    where = target()
    silent = replace(where, provider=replace(where.provider, lists_models=False))
    with pytest.raises(ConfigurationError, match="'p0' has no list of models") as caught:
        next(fetch_models(silent, Deadline(None, 0.0, lambda: 0.0)))
    assert caught.value.hint == "Name one with `-m`."

"""The cheapest of a chain, through both clients, and when it is asked first."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from llm_client import (
    ContextLengthError,
    LLMClient,
    LLMConfig,
    LLMResponse,
    Message,
)
from llm_client.types.events import FallingBack

from .support.conversations import LONG, MODES
from .support.counting_server import asked_texts, body_of
from .support.fault_server import respond, status
from .support.routed_world import World, ask_once

Ask: TypeAlias = Callable[..., LLMResponse]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest) -> Ask:
    return partial(ask_once, request.param)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


PRICES = """
[pricing."dear/m"]
input = 10
output = 10
[pricing."fair/m"]
input = 2
output = 2
[pricing."cheap/m"]
input = 1
output = 1
"""
CHAIN = '[profiles.default]\nmodel = "dear/m"\nfallback = ["fair/m", "cheap/m"]\n'
CHEAPEST = f'{CHAIN}prefer = "cheapest"\n{PRICES}'


def test_cheapest_of_the_chain_is_asked_first(ask: Ask, world: World) -> None:
    world.serve("dear", "fair", "cheap")
    response = ask("hi", {}, **world.write(CHEAPEST))

    assert response.content == "cheap"
    assert response.used_fallback is False
    assert response.fallback_provider is None
    assert world.asked == ["cheap"]
    assert world.notices == ["Asking cheap/m: it is the cheapest that fits."]


def test_others_stay_behind_in_the_order_of_their_price(ask: Ask, world: World) -> None:
    world.serve("dear", fair=status(401), cheap=status(401))
    response = ask("hi", {}, **world.write(CHEAPEST))

    assert response.content == "dear"
    assert (response.used_fallback, response.attempts) == (True, 3)
    fallen = [event.failed for event in world.events if isinstance(event, FallingBack)]
    assert fallen == ["cheap/m", "fair/m"]


def test_cheapest_whose_window_is_too_small_is_passed_over(ask: Ask, world: World) -> None:
    world.serve("dear", "fair", "cheap")
    made = world.write(CHEAPEST, cheap="options = { num_ctx = 4096 }")

    assert ask(LONG, {}, **made).content == "fair"
    assert ask("hi", {}, **made).content == "cheap"


@pytest.mark.parametrize("limit", ["call", "configuration"])
def test_what_the_call_must_not_cost_is_passed_over(ask: Ask, world: World, limit: str) -> None:
    """One whose price is not known comes before one that is too dear."""
    world.serve("dear", "unknown")
    text = CHAIN.replace('"fair/m", "cheap/m"', '"unknown/m"') + 'prefer = "cheapest"\n' + PRICES
    key = 'api_key_env = "SOME_KEY"'
    if limit == "configuration":
        text += "[budget]\nper_call_usd = 0.001\n"
    made = world.write(text, unknown=key)
    call = {"max_cost": 0.001} if limit == "call" else {}

    assert ask("hi", call, **made).content == "unknown"


def test_free_comes_first_and_unknown_last(
    ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Servers of these tests are on this machine, and free unless a vendor's price is looked up.
    world.serve("fair", "free", mistral=status(401))
    monkeypatch.setenv("MISTRAL_API_KEY", "k-0123456789")
    text = '[profiles.default]\nmodel = "mistral/no-such-model"\nfallback = ["fair/m", "free/m"]\n'
    made = world.write(f'{text}prefer = "cheapest"\n{PRICES}')

    assert ask("hi", {}, **made).content == "free"
    with LLMClient(**made) as client:
        client.set_fallback_chain(["fair/m"])
        assert client.generate("hi").content == "fair"


@pytest.mark.parametrize(
    ("text", "arguments", "options", "call", "who"),
    [
        (CHAIN + PRICES, (), {}, {}, "dear"),
        (CHAIN + PRICES + '[routing]\nprefer = "cheapest"\n', (), {}, {}, "cheap"),
        (CHEAPEST + '[routing]\nprefer = "order"\n', (), {}, {}, "cheap"),
        (
            CHAIN + 'prefer = "order"\n' + PRICES + '[routing]\nprefer = "cheapest"\n',
            (),
            {},
            {},
            "dear",
        ),
        (CHAIN + PRICES, (LLMConfig(prefer="cheapest"),), {}, {}, "cheap"),
        (CHEAPEST, (LLMConfig(prefer="order"),), {}, {}, "dear"),
        (CHEAPEST, (), {"profile": "default"}, {}, "cheap"),
        (CHEAPEST, (), {}, {"model": "dear/m"}, "dear"),
        (CHEAPEST, (), {}, {"model": "fair/m"}, "fair"),
        (CHEAPEST + '[routing]\nplanning = "dear/m"\n', (), {}, {"task": "planning"}, "dear"),
        (
            PRICES + '[routing]\nprefer = "cheapest"\n',
            (LLMConfig(model="dear/m", fallback_configs=[LLMConfig(model="cheap/m")]),),
            {},
            {},
            "dear",
        ),
        (
            PRICES,
            (
                LLMConfig(
                    model="dear/m",
                    prefer="cheapest",
                    fallback_configs=[LLMConfig(model="cheap/m")],
                ),
            ),
            {},
            {},
            "cheap",
        ),
    ],
    ids=[
        "nobody",
        "routing",
        "profile over routing",
        "profile keeps its order",
        "code",
        "code over profile",
        "profile by name",
        "model of the call",
        "another model of the call",
        "task",
        "model in code over routing",
        "code with a model",
    ],
)
def test_who_says_that_the_cheapest_is_preferred(
    ask: Ask, world: World, text: str, arguments: Any, options: Any, call: Any, who: str
) -> None:
    world.serve("dear", "fair", "cheap")

    assert ask("hi", call, *arguments, **world.write(text), **options).content == who


def test_link_of_a_profile_brings_its_options_when_it_is_the_cheapest(
    ask: Ask, world: World
) -> None:
    world.serve("dear", "cheap")
    text = (
        '[profiles.default]\nmodel = "dear/m"\ntemperature = 0.1\nfallback = ["low"]\n'
        'prefer = "cheapest"\n[profiles.low]\nmodel = "cheap/m"\ntemperature = 0.9\n'
    )
    made = world.write(text + PRICES)

    assert ask("hi", {}, **made).content == "cheap"
    assert body_of(world.servers["cheap"].requests[0])["temperature"] == 0.9
    assert world.profiles == ["default"]
    with LLMClient(**made) as client:
        assert json.loads(client.preview("hi").body or b"")["temperature"] == 0.9


def test_link_of_a_profile_is_priced_as_it_is_asked(ask: Ask, world: World) -> None:
    """The one at half the price may answer at ten times the length."""
    world.serve("fair", "cheap")
    text = (
        '[profiles.default]\nmodel = "fair/m"\nmax_tokens = 100\nfallback = ["low"]\n'
        'prefer = "cheapest"\n[profiles.low]\nmodel = "cheap/m"\nmax_tokens = {}\n'
    )

    assert ask("hi", {}, **world.write(text.format(1000) + PRICES)).content == "fair"
    assert ask("hi", {}, **world.write(text.format(100) + PRICES)).content == "cheap"
    dear = world.write(text.format(100_000).replace("= 100\n", "= 1000\n") + PRICES)
    assert ask("hi", {"max_cost": 0.01}, **dear).content == "fair"
    assert ask("hi", {}, **dear).content == "cheap", "most answers are shorter than they may be"


def test_prompt_that_can_be_read_once_is_asked_of_every_profile(ask: Ask, world: World) -> None:
    world.serve("fair", cheap=status(401))
    text = (
        '[profiles.default]\nmodel = "cheap/m"\nfallback = ["other"]\nprefer = "cheapest"\n'
        '[profiles.other]\nmodel = "fair/m"\nsystem = "Be brief."\n'
    )
    once = (message for message in [Message("user", "once"), Message("user", "and again")])

    assert ask(once, {}, **world.write(text + PRICES)).content == "fair"
    sent = asked_texts(world.servers["fair"].requests[0])
    assert sent == ["Be brief.", "once", "and again"]


def test_long_prompt_asks_who_reads_it_only_if_none_of_the_chain_does(
    ask: Ask, world: World
) -> None:
    world.serve("dear", "fair", "cheap", "four")
    text = CHEAPEST + '[routing]\nlong_context = "four/m"\n'
    small = "options = { num_ctx = 4096 }"

    assert ask(LONG, {}, **world.write(text, cheap=small)).content == "fair"
    made = world.write(text, **dict.fromkeys(("dear", "fair", "cheap"), small))
    assert ask(LONG, {}, **made).content == "four"
    assert world.notices[-1] == "Asking four/m: the prompt is too long for cheap/m."


def test_long_prompt_stays_in_the_chain_of_who_named_its_model(ask: Ask, world: World) -> None:
    world.serve("dear", "cheap", "four")
    small = dict.fromkeys(("dear", "cheap"), "options = { num_ctx = 4096 }")
    made = world.write(PRICES + '[routing]\nlong_context = "four/m"\n', **small)
    chain = LLMConfig(
        model="dear/m", prefer="cheapest", fallback_configs=[LLMConfig(model="cheap/m")]
    )

    with pytest.raises(ContextLengthError):
        ask(LONG, {}, chain, **made)
    assert world.asked == []


def test_embeddings_are_those_of_the_first_choice(world: World) -> None:
    vectors = b'{"data": [{"index": 0, "embedding": [1.0]}], "model": "m"}'
    json_type = [("Content-Type", "application/json")]
    world.serve("cheap", "fair", dear=respond(200, json_type, vectors))
    made = world.write(CHEAPEST + '[routing]\nplanning = "cheap/m"\nvision = "fair/m"\n')
    with LLMClient(**made, task="planning") as client:
        assert client.embed("text").embeddings == ((1.0,),)
    assert world.asked == ["dear"]

"""Who is asked first, through both clients: by task, and by what is in the prompt."""

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
    Asking,
    ConfigurationError,
    ContextLengthError,
    Image,
    LLMClient,
    LLMConfig,
    LLMResponse,
    Message,
    Text,
    ValidationError,
)
from llm_client.types.events import FallingBack

from .support.conversations import LONG, MODES
from .support.counting_server import body_of, chat
from .support.fault_server import status
from .support.routed_world import World, ask_once

PNG = b"\x89PNG\r\n\x1a\n0000"
PICTURE = Message("user", (Image(PNG), Text("What is it?")))
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


ROUTING = """
default_profile = "plain"
[profiles.plain]
model = "one/m"
temperature = 0.1
fallback = ["spare/m"]
[profiles.big]
model = "two/m"
temperature = 0.7
system = "Think."
[routing]
planning = "big"
vision = "three/eyes"
long_context = "four/m"
"""


# --- by task ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["call", "client"])
def test_task_asks_the_profile_that_is_named_for_it_with_its_options(
    ask: Ask, world: World, place: str
) -> None:
    world.serve("one", "two", "three", "four", "spare")
    made = world.write(ROUTING)
    task = {"task": "planning"}
    response = ask(
        "hi", task if place == "call" else {}, **made, **({} if place == "call" else task)
    )

    assert response.content == "two"
    assert response.used_fallback is False
    assert world.asked == ["two"]
    body = body_of(world.servers["two"].requests[0])
    assert body["temperature"] == 0.7
    assert body["messages"][0] == {"role": "system", "content": "Think."}
    assert world.profiles == ["big"]
    assert world.notices == []


def test_task_asks_a_model_spec_with_the_options_of_the_default_profile(
    ask: Ask, world: World
) -> None:
    world.serve("one", "two", "three", "four", "spare")
    response = ask("hi", {"task": "vision"}, **world.write(ROUTING))

    assert response.content == "three"
    body = body_of(world.servers["three"].requests[0])
    assert (body["model"], body["temperature"]) == ("eyes", 0.1)
    assert world.profiles == ["plain"]


def test_target_of_a_task_has_its_own_fallbacks_and_the_chain_behind_it(
    ask: Ask, world: World
) -> None:
    world.serve("one", "four", "spare", "own", two=status(401), three=status(401))
    text = ROUTING.replace('system = "Think."', 'fallback = ["three/m", "spare/m"]')
    response = ask("hi", {"task": "planning"}, **world.write(text))

    assert response.content == "spare"
    assert response.used_fallback is True
    assert response.attempts == 3
    assert world.asked == ["spare", "two", "three"]


@pytest.mark.parametrize(
    ("arguments", "options", "call", "who"),
    [
        ((), {}, {"model": "two/m"}, "two"),
        ((), {}, {"model": "other"}, "one"),
        (("two/m",), {}, {}, "two"),
        ((LLMConfig(provider="two", model="m"),), {}, {}, "two"),
        ((), {"profile": "big"}, {}, "two"),
        (("other",), {}, {}, "one"),
    ],
    ids=["call", "bare model of a call", "spec", "config", "profile", "bare model"],
)
def test_what_is_named_wins_over_the_task_and_that_is_said(
    ask: Ask, world: World, arguments: Any, options: Any, call: Any, who: str
) -> None:
    world.serve("one", "two", "three", "four", "spare")
    made = world.write(ROUTING)
    response = ask(PICTURE, {**call, "task": "vision"}, *arguments, **made, **options)

    assert response.content == who
    assert world.notices == ["The task 'vision' is left aside: what to ask is named."]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("task", "message", "hint"),
    [
        ("visoin", "There is no task 'visoin'", "Tasks: long_context, planning, vision."),
        ("planning", "Nothing is configured for the task 'planning'", '`planning = "PROFILE"`'),
    ],
    ids=["unknown", "not configured"],
)
def test_task_that_leads_nowhere_is_refused_before_anything_is_sent(
    world: World, task: str, message: str, hint: str, streamed: bool
) -> None:
    world.serve("one")
    made = world.write('[profiles.default]\nmodel = "one/m"\n')
    with LLMClient(**made) as client, pytest.raises(ConfigurationError, match=message) as caught:
        (client.stream if streamed else client.generate)("hi", task=task)
    assert hint in str(caught.value.hint)
    assert world.asked == []


@pytest.mark.parametrize("name", ["nope", ""])
def test_routing_to_what_is_no_profile_says_where_it_stands(
    ask: Ask, world: World, name: str
) -> None:
    world.serve("one")
    made = world.write(f'[profiles.default]\nmodel = "one/m"\n[routing]\nvision = "{name}"\n')
    with pytest.raises(ConfigurationError, match=rf"line 4: routing.vision has '{name}'") as caught:
        ask(PICTURE, {}, **made)
    assert caught.value.hint == "Profiles in the configuration: default."
    assert world.asked == []


def test_unknown_task_is_refused_also_where_a_model_is_named(ask: Ask, world: World) -> None:
    world.serve("one")
    with pytest.raises(ConfigurationError, match="no task 'plan'"):
        ask("hi", {"task": "plan"}, "one/m", **world.write(""))


# --- by what is in the prompt -----------------------------------------------------------------


def test_images_ask_who_can_see_and_that_is_said(ask: Ask, world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    response = ask(PICTURE, {}, **world.write(ROUTING))

    assert response.content == "three"
    assert response.used_fallback is False
    assert world.notices == ["Asking three/eyes: the prompt has images."]


def test_rest_of_the_chain_stays_behind_who_can_see(ask: Ask, world: World) -> None:
    world.serve("one", "two", "four", "spare", three=status(401))
    response = ask(PICTURE, {}, **world.write(ROUTING))

    assert response.content == "spare"
    assert response.used_fallback is True
    (fallen,) = [event for event in world.events if isinstance(event, FallingBack)]
    assert (fallen.failed, fallen.next) == ("three/eyes", "spare/m")


def test_images_change_nothing_where_the_first_choice_can_see(ask: Ask, world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    text = ROUTING.replace("three/eyes", "one/m")
    response = ask(PICTURE, {}, **world.write(text))

    assert response.content == "one"
    assert world.notices == []


@pytest.mark.parametrize(
    ("arguments", "options", "call", "who"),
    [
        ((), {}, {"model": "two/m"}, "two"),
        (("two/m",), {}, {}, "two"),
        ((), {"profile": "big"}, {}, "two"),
        ((), {"profile": "plain"}, {}, "one"),
    ],
    ids=["call", "spec", "profile", "default profile by name"],
)
def test_images_and_length_change_nothing_where_something_is_named(
    ask: Ask, world: World, arguments: Any, options: Any, call: Any, who: str
) -> None:
    world.serve("one", "two", "three", "four", "spare")
    picture = Message("user", (Image(PNG), Text(LONG)))
    limits = dict.fromkeys(("one", "two"), "options = { num_ctx = 200000 }")
    made = world.write(ROUTING, **limits)

    assert ask(picture, call, *arguments, **made, **options).content == who
    assert world.notices == []


def test_discovered_provider_is_left_for_images(
    ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.serve("three", found=chat("found", listed=100_000))
    monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", world.servers["found"].url)
    made = world.write('[routing]\nvision = "three/eyes"\n')

    assert ask("hi", {}, **made).content == "found"
    assert ask(PICTURE, {}, **made).content == "three"


def test_prompt_over_the_window_asks_who_reads_more_and_that_is_said(
    ask: Ask, world: World
) -> None:
    world.serve("one", "two", "three", "four", "spare")
    made = world.write(ROUTING, one="options = { num_ctx = 4096 }")
    long = ask(LONG, {}, **made)
    short = ask("word " * 1000, {}, **made)

    assert (long.content, short.content) == ("four", "one")
    assert long.used_fallback is False
    assert world.notices == ["Asking four/m: the prompt is too long for one/m."]


def test_prompt_that_nobody_can_read_is_refused_everywhere(ask: Ask, world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    small = dict.fromkeys(("one", "four", "spare"), "options = { num_ctx = 4096 }")

    with pytest.raises(ContextLengthError, match="spare/m reads 4,096"):
        ask(LONG, {}, **world.write(ROUTING, **small))
    assert world.asked == []


def test_longer_window_comes_before_trimming(ask: Ask, world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    text = ROUTING.replace("temperature = 0.1", 'overflow = "trim"')
    response = ask(LONG, {}, **world.write(text, one="options = { num_ctx = 4096 }"))

    assert response.content == "four"
    assert len(world.servers["four"].requests[0].body) > len(LONG)


def test_preview_shows_who_would_be_asked_and_says_why(world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    with LLMClient(**world.write(ROUTING, one="options = { num_ctx = 4096 }")) as client:
        shown = [
            client.preview("hi"),
            client.preview("hi", task="planning"),
            client.preview(PICTURE),
            client.preview(LONG),
        ]
    urls = [world.servers[name].url for name in ("one", "two", "three", "four")]
    assert [request.url for request in shown] == [f"{url}/v1/chat/completions" for url in urls]
    assert json.loads(shown[1].body or b"")["temperature"] == 0.7
    said = [(event.target, event.reason) for event in world.events if isinstance(event, Asking)]
    own, planned, *others = said
    assert own[0] == "one/m"
    assert own[1].startswith("it is the profile 'plain' of ")
    assert planned == ("two/m", "`[routing]` names it for the task 'planning'")
    assert others == [("three/eyes", ""), ("four/m", "")], "a notice says it"
    assert world.notices == [
        "Asking three/eyes: the prompt has images.",
        "Asking four/m: the prompt is too long for one/m.",
    ]
    assert world.asked == []


def test_model_of_a_routed_server_is_asked_for_once(world: World) -> None:
    world.serve("one", "eyes")
    made = world.write(
        '[profiles.default]\nmodel = "one/m"\n[profiles.see]\nmodel = "eyes/"\n'
        '[routing]\nvision = "see"\n'
    )
    with LLMClient(**made) as client:
        answers = [client.generate(PICTURE), client.generate(PICTURE)]

    assert [answer.content for answer in answers] == ["eyes", "eyes"]
    paths = [request.path for request in world.servers["eyes"].requests]
    assert paths == ["/v1/models", "/v1/chat/completions", "/v1/chat/completions"]


def test_task_holds_for_streams_and_text_completions_too(world: World) -> None:
    world.serve("one", "two", "three", "four", "spare")
    with LLMClient(**world.write(ROUTING), task="planning") as client:
        with client.stream("hi") as stream:
            list(stream)
        assert stream.response.content == "two"
        with pytest.raises(ValidationError, match="system"):
            client.completion("hi")  # which the profile has, and a text completion cannot
    assert world.asked == ["two"]

"""Settings out of the environment, as they are asked of real servers by client and program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llm_client import Asking, ConfigurationError, Image, LLMClient, LLMConfig, Message, Text

from .cli.program import run
from .support.conversations import LONG
from .support.counting_server import body_of, chat
from .support.fault_server import fault_server, status
from .support.routed_world import World

PNG = b"\x89PNG\r\n\x1a\n0000"
PICTURE = Message("user", (Image(PNG), Text("What is it?")))
PROFILES = """
default_profile = "own"
[profiles.own]
model = "one/m"
temperature = 0.1
system = "Of the profile."
fallback = ["spare"]
[profiles.spare]
model = "two/m"
temperature = 0.9
[routing]
planning = "three/plan"
vision = "three/eyes"
long_context = "three/long"
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def ask(world: World, prompt: Any = "hi", config: LLMConfig | None = None, **options: Any) -> str:
    with LLMClient(config, **world.write(PROFILES), **options) as client:
        return client.generate(prompt).content or ""


def test_options_hold_for_the_first_choice_and_for_the_profile_of_its_fallback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_TEMPERATURE", "0.5")
    monkeypatch.setenv("LLM_CLIENT_STOP", "a,b")
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "0")
    world.serve("two", "three", one=status(500))

    assert ask(world, max_tokens=7) == "two"

    bodies = [body_of(world.servers[name].requests[0]) for name in ("one", "two")]
    assert [body["temperature"] for body in bodies] == [0.5, 0.5]
    assert [body["stop"] for body in bodies] == [["a", "b"]] * 2
    assert [body["max_tokens"] for body in bodies] == [7, 7]
    assert bodies[0]["messages"][0]["content"] == "Of the profile."
    assert sorted(world.asked) == ["one", "two"]


def test_fallback_that_code_configures_says_more_than_variables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_TEMPERATURE", "0.5")
    monkeypatch.setenv("LLM_CLIENT_SEED", "4")
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "0")
    world.serve("two", "three", one=status(500))
    spare = LLMConfig(provider="two", model="m", temperature=0.2)

    assert ask(world, config=LLMConfig(fallback_configs=[spare])) == "two"

    body = body_of(world.servers["two"].requests[0])
    assert (body["temperature"], body["seed"]) == (0.2, 4)


def test_chain_of_variables_replaces_that_of_the_profile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_FALLBACK", "three/m")
    monkeypatch.setenv("LLM_CLIENT_MAX_RETRIES", "0")
    world.serve("two", "three", one=status(500))

    assert ask(world) == "three"
    assert sorted(world.asked) == ["one", "three"]


def test_model_of_variables_is_asked_and_why_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_MODEL", "two/other")
    world.serve("one", "two", "three")

    assert ask(world) == "two"
    (asking,) = (event for event in world.events if isinstance(event, Asking))
    assert (asking.target, asking.reason) == ("two/other", "LLM_CLIENT_MODEL says so")


@pytest.mark.parametrize("prompt", [PICTURE, LONG], ids=["image", "long"])
def test_prompt_changes_nothing_where_variables_name_the_model(
    world: World, monkeypatch: pytest.MonkeyPatch, prompt: Any
) -> None:
    """They stand over the file, and `[routing]` is of the file."""
    monkeypatch.setenv("LLM_CLIENT_MODEL", "two/other")
    world.serve("one", "two", "three")

    assert ask(world, prompt) == "two"


def test_task_of_the_call_stands_over_the_model_of_variables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_MODEL", "two/other")
    world.serve("one", "two", "three")

    assert ask(world, task="planning") == "three"
    assert world.notices == []


def test_profile_of_variables_is_only_the_default(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_PROFILE", "spare")
    world.serve("one", "two", "three")

    assert ask(world) == "two"
    assert ask(world, profile="own") == "one"
    assert ask(world, config=LLMConfig(model="three/m")) == "three"
    assert world.profiles == ["spare", "own", None]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "LLM_CLIENT_PROFILE",
            "nobody",
            "In LLM_CLIENT_PROFILE: default_profile is 'nobody', and there is no such profile.",
        ),
        ("LLM_CLIENT_FALLBACK", "nobody", "In LLM_CLIENT_FALLBACK: 'nobody' is neither a profile"),
        ("LLM_CLIENT_PROVIDER", "nobody", "In LLM_CLIENT_PROVIDER: there is no provider 'nobody'."),
        ("LLM_CLIENT_TOP_P", "7", "LLM_CLIENT_TOP_P must be a number from 0 to 1, not 7."),
    ],
)
def test_variable_that_is_wrong_is_named_and_nothing_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    world.serve("one", "two", "three")

    with pytest.raises(ConfigurationError) as caught:
        ask(world)
    assert str(caught.value).startswith(message)
    assert world.asked == []


def test_program_goes_where_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(chat("found")) as server:
        monkeypatch.setenv("LLM_CLIENT_BASE_URL", server.url)
        monkeypatch.setenv("LLM_CLIENT_MODEL", "our-model")
        monkeypatch.setenv("LLM_CLIENT_API_KEY", "key-of-ours")
        monkeypatch.setenv("LLM_CLIENT_SYSTEM", "Of the variable.")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        result = run("generate", "hi", "--no-stdin", "-v", "-t", "0.25", "--no-stream")

    assert (result.status, result.text.strip()) == (0, "found")
    assert "LLM_CLIENT_BASE_URL and LLM_CLIENT_MODEL say so" in result.stderr
    (request,) = server.requests
    body = body_of(request)
    assert (body["model"], body["temperature"]) == ("our-model", 0.25)
    assert body["messages"][0]["content"] == "Of the variable."
    assert request.headers["authorization"] == "Bearer key-of-ours"


def test_program_says_which_variable_is_wrong_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_RETRY_DELAY", "soon")
    result = run("generate", "-p", "embedded", "hi", "--no-stdin")

    assert result.status == 3
    assert "LLM_CLIENT_RETRY_DELAY must be a number of seconds" in result.stderr
    assert "`unset LLM_CLIENT_RETRY_DELAY`" in result.stderr

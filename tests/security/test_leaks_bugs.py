"""A bug whose message has a key in it: one line without the key, and a traceback without it."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from llm_client import CredentialsManager
from llm_client.cli import generate, guard

from .command_rows import ROWS, with_everything_said
from .servers import ANSWERS
from .sources import SOURCES, UNSHAPED
from .test_leaks import keyed
from .world import World


def boom(*_: Any, **__: Any) -> NoReturn:
    """Fail after the key was read, with the key in the message and in that of the cause."""
    key = CredentialsManager().get("openai").api_key
    assert key is not None
    try:
        raise KeyError(f"no such entry {key.reveal()!r}")
    except KeyError as error:
        raise RuntimeError(f"cannot look up {key.reveal()}") from error


@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize("path", ROWS, ids=" ".join)
@pytest.mark.parametrize("source", ["own-variable", "credentials-file", "command"])
def test_bug_in_any_command_shows_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, path: tuple[str, ...], place: str
) -> None:
    with keyed(world, monkeypatch, source, UNSHAPED, ANSWERS) as (provider, _):
        arguments = with_everything_said(ROWS[path][0].words, provider)
        if place == "inside":
            monkeypatch.setattr(guard, "termination_raises", boom)
            monkeypatch.setattr(generate, "use_project", boom)
        else:
            monkeypatch.setattr(guard, "run_guarded", boom)
            monkeypatch.setattr(generate, "run_generate", boom)
        ran = world.run(*arguments)
    world.check(UNSHAPED)
    assert ran.status == 1
    assert "Something unforeseen went wrong: RuntimeError: cannot look up ***" in ran.output
    assert "Traceback" in ran.output


@pytest.mark.parametrize("command", ["generate -m openai/m hi", "creds list", "health"])
def test_bug_shows_no_traceback_that_nobody_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with keyed(world, monkeypatch, "credentials-file", UNSHAPED, ANSWERS):
        monkeypatch.setattr(guard, "run_guarded", boom)
        monkeypatch.setattr(generate, "run_generate", boom)
        ran = world.run(command)
    world.check(UNSHAPED)
    assert ran.stderr.decode().splitlines() == [
        "error: Something unforeseen went wrong: RuntimeError: cannot look up ***",
        "  This is a bug of llm-client. `--debug` shows where.",
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_bug_in_the_middle_of_a_call_shows_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise LookupError(f"no {UNSHAPED!r} in {{'authorization': 'Bearer {UNSHAPED}'}}")

    with keyed(world, monkeypatch, source, UNSHAPED, ANSWERS) as (provider, _):
        monkeypatch.setattr(generate, "_answer", fail)
        words = "generate -m {p}/m --no-stdin --json hi"
        ran = world.run(*with_everything_said(words, provider))
    assert ran.status == 1
    assert "LookupError: no '***' in" in ran.output
    world.check(UNSHAPED)

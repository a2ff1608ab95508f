"""What the library raises and returns shows no key either: programs log such things."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from llm_client import CredentialsManager, LLMClient, LLMConfig, LLMError
from llm_client.types.secret import Secret

from ..support.fault_server import respond
from .places import search
from .servers import ANSWERS, SITUATIONS
from .sources import SOURCES, UNSHAPED
from .test_leaks import keyed
from .world import World

CALLS: dict[str, Callable[[LLMClient], object]] = {
    "generate": lambda client: client.generate("hi"),
    "stream": lambda client: streamed(client),
    "embed": lambda client: client.embed(["hi"]),
    "models": lambda client: client.list_models(use_cache=False),
    "health": lambda client: client.health_check(),
}


def streamed(client: LLMClient) -> object:
    with client.stream("hi") as stream:
        return [repr(chunk) for chunk in stream]


def shown(value: object) -> str:
    """Return everything that a program may print or log of a value."""
    parts = [repr(value), str(value)]
    if isinstance(value, BaseException):
        parts += traceback.format_exception(value)
        parts += [repr(vars(value)), repr(value.args), repr(pickle.loads(pickle.dumps(value)))]
        parts.append(pickle.dumps(value).decode("latin-1"))
    return "\n".join(parts)


@pytest.mark.parametrize("situation", [*SITUATIONS, "moved-with-the-key"])
@pytest.mark.parametrize("source", ["named-variable", "command", "password-in-address", "header"])
def test_no_error_or_value_shows_a_key(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, situation: str
) -> None:
    moved = respond(301, [("Location", f"http://127.0.0.1:9/{UNSHAPED}?key={UNSHAPED}")])
    script = SITUATIONS.get(situation, moved)
    with keyed(world, monkeypatch, source, UNSHAPED, script) as (provider, _):
        for name, call in CALLS.items():
            with LLMClient(f"{provider}/m", max_retries=0) as client:
                try:
                    value: object = call(client)
                except LLMError as error:
                    value = error
                text = "\n".join(map(shown, (value, client, client.target, client.get_stats())))
            assert search(text.encode(), UNSHAPED) is None, name


@pytest.mark.parametrize("source", SOURCES)
def test_key_that_is_read_shows_only_where_it_is_revealed(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with keyed(world, monkeypatch, source, UNSHAPED, ANSWERS) as (provider, _):
        manager = CredentialsManager()
        found = manager.get(provider)
        values: list[Any] = [found, manager.list(), vars(manager)["_file"], copy.deepcopy(found)]
        assert search("\n".join(map(shown, values)).encode(), UNSHAPED) is None
        if found.api_key is not None:
            assert found.api_key.reveal() == UNSHAPED
            with pytest.raises(TypeError):
                pickle.dumps(found)


def test_configuration_in_code_does_not_show_its_key() -> None:
    config = LLMConfig(
        provider="openai",
        api_key=UNSHAPED,
        fallback_configs=[
            LLMConfig(provider="groq", api_key=Secret(UNSHAPED), base_url=f"https://u:{UNSHAPED}@h")
        ],
    )
    with LLMClient(config) as client:
        values = [config, client, client.target, vars(client)]
        assert search("\n".join(map(shown, values)).encode(), UNSHAPED) is None

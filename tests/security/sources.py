"""Where a key can come from: each puts one into a world and says for which provider.

Owns the set-up of every source that the program knows. The address is that of a server of the
test's own; the key is whatever the test wants to find nowhere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import quote

import pytest

from .world import World

__all__ = ["SHAPED", "SOURCES", "UNSHAPED", "Source"]

SHAPED: Final = "sk-proj-Zm9vYmFyYmF6cXV4Q29ycmVjdA42"
UNSHAPED: Final = "correct-horse-battery-staple-42"
"""Nothing that a list of shapes could know: only who has read it knows that it is a key."""
USER: Final = "martha"


class Source(NamedTuple):
    """One place where a user can keep a key."""

    provider: str
    put: Callable[[World, pytest.MonkeyPatch, str, str], None]
    """Is given the world, the key and the address of the server."""
    arrives: Callable[[str], tuple[str, str]] = lambda key: ("authorization", f"Bearer {key}")
    """The header in which the server has to find the key."""


def _address(patch: pytest.MonkeyPatch, url: str) -> None:
    patch.setenv("LLM_CLIENT_OPENAI_BASE_URL", f"{url}/v1")


def _own_variable(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    patch.setenv("LLM_CLIENT_OPENAI_API_KEY", key)
    world.has_key_in_variables = True
    _address(patch, url)


def _provider_variable(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    patch.setenv("OPENAI_API_KEY", key)
    world.has_key_in_variables = True
    _address(patch, url)


def _named_variable(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    """A variable whose name does not say that it has a key."""
    patch.setenv("WORK_LOGIN", key)
    world.has_key_in_variables = True
    world.configure(f'[providers.work]\nbase_url = "{url}/v1"\napi_key_env = "WORK_LOGIN"\n')


def _file(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    world.store("openai", key)
    _address(patch, url)


def _command(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    vault = world.work.parent / "vault"
    vault.write_text(f"{key}\n", encoding="utf-8")
    world.configure(f'[providers.openai]\napi_key_command = ["cat", "{vault}"]\n')
    _address(patch, url)


def _password(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    address = url.replace("://", f"://{USER}:{quote(key, safe='')}@")
    world.configure(f'[providers.work]\nbase_url = "{address}/v1"\n')
    world.allowed.add(world.config)


def _password_in_variable(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    address = url.replace("://", f"://{USER}:{quote(key, safe='')}@")
    patch.setenv("LLM_CLIENT_WORK_BASE_URL", f"{address}/v1")
    world.has_key_in_variables = True
    world.configure('[providers.work]\ndialect = "openai-chat"\n')


def _header(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    world.configure(
        f'[providers.work]\nbase_url = "{url}/v1"\nheaders = {{ "X-Gate" = "{key}" }}\n'
    )
    world.allowed.add(world.config)


def _header_in_variable(world: World, patch: pytest.MonkeyPatch, key: str, url: str) -> None:
    patch.setenv("LLM_CLIENT_WORK_HEADERS", json.dumps({"X-Gate": key}))
    world.has_key_in_variables = True
    world.configure(f'[providers.work]\nbase_url = "{url}/v1"\n')


def _basic(key: str) -> tuple[str, str]:
    return "authorization", f"Basic {base64.b64encode(f'{USER}:{key}'.encode()).decode()}"


def _gate(key: str) -> tuple[str, str]:
    return "x-gate", key


SOURCES: Final = {
    "own-variable": Source("openai", _own_variable),
    "provider-variable": Source("openai", _provider_variable),
    "named-variable": Source("work", _named_variable),
    "credentials-file": Source("openai", _file),
    "command": Source("openai", _command),
    "password-in-address": Source("work", _password, _basic),
    "password-in-variable": Source("work", _password_in_variable, _basic),
    "header": Source("work", _header, _gate),
    "header-in-variable": Source("work", _header_in_variable, _gate),
}
"""The keyring is not here: it takes a session bus. See `test_keyring_leaks.py`."""

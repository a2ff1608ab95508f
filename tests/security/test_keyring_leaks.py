"""A key in a real Secret Service, used by the real program against the real llama.cpp server."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import LLAMA_KEY
from ..support.keyring_session import locked, unlocked_keyring
from .command_rows import ROWS, with_everything_said
from .places import search
from .processes import run_watched
from .sources import UNSHAPED
from .world import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a Secret Service")


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The variables of a keyring that is open; its files are in a directory of their own."""
    # Names of sockets have to be short.
    with tempfile.TemporaryDirectory(prefix="bus-", dir="/tmp") as name:
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_DATA_HOME", name)
            with unlocked_keyring(Path(name)) as variables:
                for variable, value in variables.items():
                    monkeypatch.setenv(variable, value)
                patch.undo()
                yield variables


def test_key_in_the_keyring_is_left_nowhere(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    keyring: dict[str, str],
    llama_server_with_key: str,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_OPENAI_BASE_URL", f"{llama_server_with_key}/v1")
    monkeypatch.setenv("EDITOR", "false")
    # With a desktop a keyring is waited for longer: this machine may be busy with other tests.
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setenv("CI", "")
    done = run_watched(world, "creds set openai --store keyring", stdin=LLAMA_KEY.encode())
    assert done.status == 0, done.output
    world.allowed.clear()  # not even the credentials file has it
    for path, rows in ROWS.items():
        if path in (("creds", "set"), ("creds", "move"), ("creds", "remove")):
            continue
        words = rows[-1 if path == ("models",) else 0].words.replace("{p}/m", "openai/demo")
        run_watched(world, *with_everything_said(words, "openai"))
    run_watched(world, "creds test openai --json --debug")
    run_watched(world, "creds remove openai --debug")
    world.check(LLAMA_KEY)
    by_command = {ran.arguments[:2]: ran for ran in world.runs}
    for answered in (("generate", "-m"), ("creds", "test"), ("models", "-p"), ("health", "-p")):
        assert by_command[answered].status == 0, by_command[answered]
    assert b"valid" in next(ran for ran in world.runs if ran.arguments[1] == "test").stdout


def test_key_is_left_nowhere_where_the_keyring_is_locked(
    world: World, keyring: dict[str, str]
) -> None:
    run_watched(world, "creds set openai --store keyring", stdin=UNSHAPED.encode())
    locked(keyring)
    for words in (
        "generate -m openai/m --no-stdin --debug hi",
        "creds list --json --debug",
        "creds move openai --to file --debug",
        "creds set openai --store keyring --debug",
    ):
        run_watched(world, words, stdin=UNSHAPED.encode())
    assert "The keyring is locked" in world.runs[1].output
    world.allowed.clear()
    world.check(UNSHAPED)


def test_key_that_moves_is_only_where_it_is_moved_to(world: World, keyring: dict[str, str]) -> None:
    run_watched(world, "creds set openai --store keyring", stdin=UNSHAPED.encode())
    assert run_watched(world, "creds move openai --to file --debug").status == 0
    assert search(world.credentials.read_bytes(), UNSHAPED) is not None
    world.check(UNSHAPED)
    assert run_watched(world, "creds move openai --to keyring --debug").status == 0
    assert run_watched(world, "creds remove openai --debug").status == 0
    world.allowed.clear()
    world.check(UNSHAPED)

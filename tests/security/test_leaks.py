"""No run of any command leaves a key behind, wherever the key is from and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from ..support.fault_server import FaultServer, Script, fault_server
from .command_rows import ASKING, ROWS, Row, commands, with_everything_said
from .servers import ANSWERS, SITUATIONS
from .sources import SHAPED, SOURCES, UNSHAPED
from .world import World


@contextmanager
def keyed(
    world: World, patch: pytest.MonkeyPatch, source: str, key: str, *scripts: Script
) -> Iterator[tuple[str, FaultServer]]:
    """Put a key into a world, for a server that the block is given with its provider's name."""
    patch.setenv("EDITOR", "false")
    patch.setenv("LLM_CLIENT_RETRY_DELAY", "0")
    with fault_server(*scripts) as server:
        SOURCES[source].put(world, patch, key, server.url)
        yield SOURCES[source].provider, server


def run_all(world: World, rows: Iterable[Row], provider: str, key: str) -> None:
    for row in rows:
        arguments = with_everything_said(row.words, provider)
        world.run(*arguments, stdin=row.stdin.format(key=key).encode())


def arrived(server: FaultServer, source: str, key: str) -> bool:
    """Return whether the server was given the key at all, without which a test shows nothing."""
    name, value = SOURCES[source].arrives(key)
    return any(request.headers.get(name) == value for request in server.requests)


def test_every_command_has_a_row() -> None:
    assert commands().keys() == ROWS.keys()


@pytest.mark.parametrize(
    ("source", "key"),
    [
        *(pytest.param(source, UNSHAPED, id=source) for source in SOURCES),
        *(
            pytest.param(source, SHAPED, id=f"{source}-shaped")
            for source in ("own-variable", "credentials-file", "header")
        ),
    ],
)
def test_no_command_leaves_a_key_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, key: str
) -> None:
    with keyed(world, monkeypatch, source, key, ANSWERS) as (provider, server):
        run_all(world, (row for rows in ROWS.values() for row in rows), provider, key)
        assert arrived(server, source, key)
    world.check(key)
    assert {ran.status for ran in world.runs if ran.arguments[0] == "generate"} >= {0}


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "answered"])
@pytest.mark.parametrize("source", ["named-variable", "command", "password-in-address", "header"])
def test_nothing_that_a_server_does_leaves_a_key_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, situation: str
) -> None:
    script = SITUATIONS[situation]
    with keyed(world, monkeypatch, source, UNSHAPED, script) as (provider, server):
        run_all(world, ASKING, provider, UNSHAPED)
        assert arrived(server, source, UNSHAPED)
    world.check(UNSHAPED)

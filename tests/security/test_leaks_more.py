"""The corners of the leak test: odd keys, addresses with passwords, editors, threads, completion."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from urllib.parse import quote

import pytest

from llm_client.cli import creds_check, health, models

from ..cli.program import environment
from ..support.fault_server import fault_server
from .command_rows import ASKING, with_everything_said
from .places import search
from .servers import ANSWERS, SITUATIONS
from .sources import SOURCES, UNSHAPED, USER
from .test_leaks import arrived, keyed, run_all
from .test_leaks_bugs import boom
from .world import World

ODD = 'pä/ss "wörd"+\\ of=€&?#@more'
SHORT = "Zq7_x"
"""Too short to be masked in other people's words, as `none` is; the program's own have none."""
REFUSED = SITUATIONS["refused-401"]


@pytest.mark.parametrize("script", [ANSWERS, REFUSED], ids=["answered", "refused"])
@pytest.mark.parametrize("source", ["password-in-address", "password-in-variable"])
def test_password_with_odd_characters_is_left_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, script: Any
) -> None:
    with keyed(world, monkeypatch, source, ODD, script) as (provider, server):
        run_all(world, ASKING, provider, ODD)
        world.run("config show --all --json")
        assert arrived(server, source, ODD)
    world.check(ODD)


@pytest.mark.parametrize("source", SOURCES)
def test_short_key_is_not_shown_by_the_program_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with keyed(world, monkeypatch, source, SHORT, ANSWERS) as (provider, server):
        run_all(world, ASKING, provider, SHORT)
        world.run("creds list")
        world.run("config show --all --json")
        assert arrived(server, source, SHORT)
    world.check(SHORT)


@pytest.mark.parametrize("source", ["named-variable", "command", "password-in-address", "header"])
def test_server_that_is_not_there_leaves_no_key_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, closed_url: str
) -> None:
    SOURCES[source].put(world, monkeypatch, UNSHAPED, closed_url)
    run_all(world, ASKING, SOURCES[source].provider, UNSHAPED)
    assert {ran.status for ran in world.runs} <= {1, 4}
    world.check(UNSHAPED)


@pytest.mark.parametrize("script", [ANSWERS, REFUSED], ids=["answered", "refused"])
def test_password_on_the_command_line_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch, script: Any
) -> None:
    with fault_server(script) as server:
        url = server.url.replace("://", f"://{USER}:{quote(UNSHAPED, safe='')}@")
        for words in (
            f"generate -u {url} -m m --retries 0 --no-stdin --cache hi",
            f"generate -u {url} -m m --retries 0 --no-stdin --json --stream hi",
            f"generate -u {url.removeprefix('http://')} -m m --retries 0 --no-stdin hi",
            f"generate -u {url} --dry-run --no-stdin hi",
            f"models -u {url} --refresh",
            f"models show m -u {url} --json",
            f"health -u {url} --deep -m m --json",
            "usage --json --by provider",
            "usage export",
        ):
            ran = world.run(words, "--debug")
            assert script is REFUSED or ran.status == 0, ran.output
    world.check(UNSHAPED)


@pytest.mark.parametrize("script", [ANSWERS, REFUSED], ids=["answered", "refused"])
def test_key_for_an_address_is_left_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch, script: Any
) -> None:
    monkeypatch.setenv("LLM_CLIENT_API_KEY", UNSHAPED)
    world.has_key_in_variables = True
    with fault_server(script) as server:
        for words in ("generate -m m --retries 0 --no-stdin hi", "models --refresh", "health"):
            world.run(words, f"-u {server.url} --debug")
        assert server.requests[0].headers["authorization"] == f"Bearer {UNSHAPED}"
    world.check(UNSHAPED)


def test_key_that_an_editor_adds_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = world.work.parent / "editor.sh"
    editor.write_text(f'printf \'[providers.openai]\\napi_key = "{UNSHAPED}"\\n\' >> "$1"\n')
    monkeypatch.setenv("EDITOR", f"sh {editor}")
    world.configure("[retry]\nmax_retries = 1\n")
    ran = world.run("config edit --debug")
    assert ran.status == 3
    assert "creds set openai" in ran.output
    world.allowed.update(world.directory.glob("config-draft-*"))
    world.check(UNSHAPED)
    assert world.config.read_text() == "[retry]\nmax_retries = 1\n"


THREADS = {
    "creds test openai": (creds_check, "_ask"),
    "health -p openai": (health, "examine_entry"),
    "models -p openai --refresh": (models, "list_models"),
}


@pytest.mark.parametrize("words", THREADS)
def test_bug_in_a_thread_shows_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    module, name = THREADS[words]
    with keyed(world, monkeypatch, "credentials-file", UNSHAPED, ANSWERS):
        monkeypatch.setattr(module, name, boom)
        ran = world.run(*with_everything_said(words, "openai"))
    assert ran.status != 0
    assert "cannot look up ***" in ran.output
    world.check(UNSHAPED)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_offers_no_key(world: World, shell: str) -> None:
    world.store("openai", UNSHAPED)
    world.configure(f'[providers.work]\nheaders = {{ x = "{UNSHAPED}" }}\n')
    world.allowed.add(world.config)
    offered = b""
    for line in ("creds set ", "config show ", "config set ", "generate -m ", "generate -p ", "-"):
        words = line.split(" ")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "llm_client"),
                *([f"llm-client {line}", words[-1]] if shell == "bash" else words),
            ],
            env={**environment(), "_LLM_CLIENT_COMPLETE": shell},
            capture_output=True,
            timeout=60,
        )
        assert done.stderr == b""
        offered += done.stdout
    assert b"openai" in offered, "nothing was completed"
    assert search(offered, UNSHAPED) is None
    world.check(UNSHAPED)

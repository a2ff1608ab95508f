"""What the machine shows of the running program: its process list, terminal, shell, and its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ..cli.program import command, half
from ..cli.terminal import terminal
from ..support.fault_server import fault_server, say_nothing
from .command_rows import with_everything_said
from .places import search
from .processes import logged_environment, look, run_watched, watched
from .servers import ANSWERS
from .sources import SOURCES, UNSHAPED
from .test_leaks import arrived, keyed
from .world import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

GENERATE = "generate -m {p}/m --retries 0 --no-stdin hi"


@pytest.mark.parametrize("source", SOURCES)
def test_process_list_does_not_show_a_key(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with keyed(world, monkeypatch, source, UNSHAPED, ANSWERS) as (provider, server):
        for words in (GENERATE, "health -p {p} --deep -m m", "creds list --json"):
            run_watched(world, *with_everything_said(words, provider))
        assert arrived(server, source, UNSHAPED)
    shown = b"".join(data for name, data in world.processes if name == "cmdline")
    assert b"llm_client" in shown
    assert (world.work / "everything.log").exists()
    world.check(UNSHAPED)


def test_programs_that_are_started_are_not_given_a_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both last long enough to be seen: the program that prints another's key, and the editor.
    slow = json.dumps(["sh", "-c", "sleep 0.2; echo another-key-0123456789"])
    world.configure(f"[providers.groq]\napi_key_command = {slow}\n")
    with keyed(world, monkeypatch, "credentials-file", UNSHAPED, ANSWERS):
        monkeypatch.setenv("EDITOR", "sh -c 'sleep 0.2; exit 1'")
        run_watched(world, "creds", "list", "--run", "--debug")
        run_watched(world, "config", "edit", "--debug")
    shown = b"".join(data for name, data in world.processes if name == "cmdline")
    assert b"echo another-key-0123456789" in shown, "the command was not seen"
    assert b"config-draft-" in shown, "the editor was not seen"
    assert any(name == "environ" for name, _ in world.processes)
    world.check(UNSHAPED)


def test_key_that_is_piped_in_is_in_no_process(world: World) -> None:
    ran = run_watched(
        world, "creds set openai --store file --debug", stdin=f"{UNSHAPED}\n".encode()
    )
    assert ran.status == 0, ran.output
    assert UNSHAPED in world.credentials.read_text()
    world.check(UNSHAPED)


def test_key_that_is_typed_is_neither_shown_nor_in_a_process(world: World) -> None:
    with (
        terminal("creds", "set", "openai", "--store", "file", "--debug") as screen,
        watched(world, screen.process.pid),
    ):
        screen.read_until("openai")
        os.write(screen.master, f"{UNSHAPED}\n".encode())
        assert screen.finish() == 0
    assert UNSHAPED in world.credentials.read_text()
    assert search(screen.raw, UNSHAPED) is None
    world.check(UNSHAPED)


def prompted(world: World) -> Any:
    """Start the program on a terminal that is its own, so that keys send it signals."""
    words = [str(word) for word in command("creds", "set", "openai", "--store", "file", "--debug")]
    child = pexpect.spawn(
        "sh",
        ["-c", 'trap : INT; "$@"; echo "status $?"; stty -a', "sh", *words],
        env=logged_environment(world),
        encoding="utf-8",
        timeout=30,
    )
    child.expect_exact("(it is not shown): ")
    return child


@pytest.mark.parametrize("typed", ["\x03", f"{UNSHAPED}\x03", "\x04"], ids=ascii)
def test_key_that_was_half_typed_is_not_kept_and_the_terminal_echoes_again(
    world: World, typed: str
) -> None:
    child = prompted(world)
    try:
        child.send(typed)
        child.expect("status ([0-9]+)")
        said, status = child.before or "", int(child.match.group(1))
        child.expect("[ -]echo ")
        assert child.after == " echo "
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert status == 130 if "\x03" in typed else status in (2, 3)
    assert search(said.encode(), UNSHAPED) is None
    assert not world.credentials.exists()
    world.check(UNSHAPED)


def test_closed_standard_input_is_told(world: World) -> None:
    line = [*command("creds", "set", "openai", "--store", "file"), "--debug"]
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *line],
        capture_output=True,
        env=logged_environment(world),
        timeout=60,
    )
    assert done.returncode in (2, 3), done.stderr
    assert b"Traceback" not in done.stderr or b"--debug" in b" ".join(map(os.fsencode, line))
    assert b"unforeseen" not in done.stderr
    assert not world.credentials.exists()


def test_shell_history_has_the_command_and_not_the_key(world: World) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    history = world.home / ".bash_history"
    variables = {**logged_environment(world), "HISTFILE": str(history), "PS1": "ready> "}
    line = map(str, command("creds", "set", "openai", "--store", "file"))
    words = " ".join(f"'{word}'" for word in line)
    child = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "-i"], env=variables, encoding="utf-8", timeout=30
    )
    try:
        child.expect_exact("ready> ")
        child.sendline(words)
        child.expect("[Kk]ey")
        child.expect(":")
        child.sendline(UNSHAPED)
        child.expect_exact("ready> ")
        child.sendline("exit")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert "creds" in history.read_text()
    assert UNSHAPED in world.credentials.read_text()
    world.check(UNSHAPED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
@pytest.mark.parametrize("words", [GENERATE, f"{GENERATE} --json", "health -p {p} --deep -m m"])
@pytest.mark.parametrize("source", ["credentials-file", "password-in-address"])
def test_interrupted_program_shows_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, words: str, number: int
) -> None:
    # `health` gets its answers, but not that to `--deep`.
    script = half("Half an ") if words.startswith("generate") else say_nothing()
    with keyed(world, monkeypatch, source, UNSHAPED, script) as (provider, server):
        process = subprocess.Popen(
            command(*with_everything_said(words, provider)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=logged_environment(world),
        )
        with process:
            try:
                while not server.requests:
                    assert process.poll() is None, process.communicate()
                look(world, process.pid)
                if words.startswith("generate") and "--json" not in words:
                    assert process.stdout is not None
                    assert process.stdout.read(4) == b"Half"
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 128 + number, err
        assert arrived(server, source, UNSHAPED)
    assert search(out + err, UNSHAPED) is None
    world.check(UNSHAPED)


def test_command_of_a_key_that_is_interrupted_shows_no_key(world: World) -> None:
    slow = json.dumps(["sh", "-c", f"printf %s {UNSHAPED[:10]} >&2; touch begun; sleep 30"])
    world.configure(f"[providers.openai]\napi_key_command = {slow}\n")
    world.allowed.add(world.config)
    begun = world.work / "begun"
    with subprocess.Popen(
        command(*with_everything_said(GENERATE, "openai")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=logged_environment(world),
    ) as process:
        try:
            while not begun.exists():
                assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert search(out + err, UNSHAPED) is None


def test_proxy_password_is_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-provider-0123456789")
    world.has_key_in_variables = True
    with fault_server(ANSWERS) as proxy:
        for scripted in (proxy.url, "http://127.0.0.1:9"):
            address = scripted.replace("://", f"://martha:{UNSHAPED}@")
            monkeypatch.setenv("HTTP_PROXY", address)
            monkeypatch.setenv("LLM_CLIENT_OPENAI_BASE_URL", "http://llm.example.com/v1")
            for words in (GENERATE, "models -p openai --refresh", "health -p openai --json"):
                world.run(*with_everything_said(words, "openai"))
        assert any("proxy-authorization" in each.headers for each in proxy.requests)
    world.check(UNSHAPED)


def test_search_of_this_module_can_fail(world: World) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()", UNSHAPED], stdin=subprocess.PIPE
    ) as process:
        while not any(b"input()" in data for _, data in world.processes):
            look(world, process.pid)  # at first it is still what it was forked from
        process.communicate(b"\n")
    assert "processes" in {find.place for find in world.finds(UNSHAPED)}


def test_log_of_libraries_is_written_and_searched(world: World) -> None:
    variables = logged_environment(world)
    code = f"import logging; logging.getLogger('httpcore').debug('{UNSHAPED}')"
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    world.programs.clear()
    assert [Path(find.where).name for find in world.finds(UNSHAPED)] == ["everything.log"]

"""A server that means harm: it sends the program elsewhere, without end, or at the terminal."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from ..cli.terminal import terminal
from ..support.fault_server import (
    Received,
    Script,
    Wire,
    fault_server,
    respond,
    say_nothing,
)
from .command_rows import ASKING
from .servers import ANSWERS, redirect
from .sources import UNSHAPED
from .test_leaks import arrived, keyed, run_all
from .world import World

JSON = [("Content-Type", "application/json")]
ASKED = (
    "models -p work --refresh",
    "models show work/m --refresh --json",
    "health -p work",
    "health -p work --json",
    "creds test work",
    "creds test work --json",
)
"""What asks a server about itself."""


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize(
    "source", ["own-variable", "credentials-file", "password-in-address", "header"]
)
def test_key_does_not_follow_a_redirect_to_another_server(
    world: World, monkeypatch: pytest.MonkeyPatch, source: str, status: int
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(fault_server(ANSWERS))
        named = other.url.replace("127.0.0.1", "localhost")
        scripts = (redirect(other.url, status), redirect(named, status)) * 50
        provider, server = stack.enter_context(
            keyed(world, monkeypatch, source, UNSHAPED, *scripts)
        )
        run_all(world, ASKING, provider, UNSHAPED)
        assert arrived(server, source, UNSHAPED)
        assert other.requests, "nothing followed the redirect, so nothing was shown"
        world.elsewhere += [(each.path, repr(each).encode()) for each in other.requests]
    world.check(UNSHAPED)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "gguf:///tmp/model.gguf",
        "data:application/json,%7B%7D",
        "ftp://127.0.0.1/x",
        "unix:///var/run/docker.sock",
        "http://",
        "http://[::1",
        "\x1b]0;owned\x07",
    ],
)
def test_redirect_to_what_is_no_web_server_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    script = respond(307, [("Location", address)])
    with keyed(world, monkeypatch, "header", UNSHAPED, script):
        for command in ("generate -m work/m --retries 0 --no-stdin hi", *ASKED):
            ran = world.run(command, "--timeout", "5")
            assert ran.status in (1, 3, 4), ran.output
            assert "root:" not in ran.output
            assert "\x1b" not in ran.output
    world.check(UNSHAPED)


class Flood:
    """Answers without end, and counts what the program takes of it."""

    def __init__(self, begin: bytes, piece: bytes) -> None:
        self._begin = begin
        self._piece = piece * (65536 // len(piece))
        self.most = 0

    def __call__(self, wire: Wire, request: Received) -> bool:
        sent = 0
        wire.send(self._begin)
        try:
            while not wire.stopping.is_set() and sent < 10_000_000_000:
                wire.send(self._piece)
                sent += len(self._piece)
        finally:
            self.most = max(self.most, sent)
        return False


HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
FLOODS = {
    "list": (HEAD % 200 + b'{"data": [{"id": "m"}', b', {"id": "m", "owned_by": "somebody"}'),
    "text": (HEAD % 200 + b'{"data": "', b"x"),
    "error": (HEAD % 401 + b'{"error": "', b"x"),
    "brackets": (HEAD % 200, b"["),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n"),
    "header": (b"HTTP/1.1 200 OK\r\nx-more: ", b"x"),
    "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_endless_answer_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, flood: str
) -> None:
    script = Flood(*FLOODS[flood])
    with keyed(world, monkeypatch, "header", UNSHAPED, script):
        for command in ("models -p work --refresh", "health -p work --json", "creds test work"):
            ran = world.run(command, "--timeout", "0.5")
            assert ran.status in (1, 3, 4), ran.output
            assert len(ran.output) < 10_000
    assert script.most < 200_000_000


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\r\x08evil\x7f"
"""Title, screen, colour, NUL, carriage return, backspace, delete; also as a single C1 byte."""


def evil_model() -> dict[str, Any]:
    return {"id": f"m{EVIL}", "owned_by": EVIL, "name": EVIL, "description": EVIL, "object": EVIL}


def evil_list(status: int = 200) -> Script:
    rows = [evil_model(), {"id": "m", "description": EVIL, "owned_by": EVIL}]
    body = {"data": rows, "error": {"message": EVIL, "type": EVIL, "code": EVIL}}
    headers = [*JSON, ("x-request-id", "evil\x1b[2J"), ("server", "evil\x1b[2J")]
    return respond(status, headers, json.dumps(body if status >= 400 else {"data": rows}).encode())


def evil_probes(wire: Wire, request: Received) -> bool:
    """Answer every question that a health check asks, with what a terminal would obey."""
    rows: list[dict[str, Any]] = [evil_model()]
    said = {
        "/api/version": {"version": EVIL},
        "/api/tags": {"models": [{"name": f"m{EVIL}", "model": f"m{EVIL}"}]},
        "/api/ps": {"models": [{"name": f"m{EVIL}", "model": f"m{EVIL}", "context_length": 8}]},
        "/props": {"build_info": EVIL, "default_generation_settings": {"n_ctx": 8}},
        "/version": {"version": EVIL},
        "/health": {"status": EVIL},
        "/slots": [{"id": 0, "n_ctx": 8}],
        "/api/v1/models": {"models": [{"key": EVIL, "loaded_instances": [{"id": EVIL}]}]},
    }
    path = request.path.partition("?")[0]
    body = said.get(path, {"data": rows, "models": rows})
    return respond(200, [*JSON, ("server", "x")], json.dumps(body).encode())(wire, request)


def tame(text: str) -> bool:
    """Return whether a text has no control characters but tabs and line feeds."""
    return not any(
        (ord(char) < 0x20 and char not in "\t\n") or 0x7F <= ord(char) < 0xA0 for char in text
    )


@pytest.mark.parametrize("provider", ["work", "ollama", "llamacpp", "lmstudio", "vllm"])
def test_what_a_server_says_of_itself_does_not_drive_the_terminal(
    world: World, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    world.configure('[providers.work]\ndialect = "openai-chat"\n')
    for script in (evil_list(), evil_list(401), evil_list(500), evil_probes):
        with fault_server(script) as server:
            monkeypatch.setenv(f"LLM_CLIENT_{provider.upper()}_BASE_URL", server.url)
            for command in ASKED:
                ran = world.run(command.replace("work", provider), "-v", "--timeout", "5")
                assert tame(ran.output), ran.output
            generate = f"generate -m {provider}/nothing --no-stdin --retries 0 --debug -v hi"
            if script is not evil_probes:
                assert tame(world.run(generate).output)


@pytest.mark.parametrize(
    "command",
    ["health -p ollama -v", "models -p ollama --all", "creds test ollama", "models show ollama/m"],
)
def test_what_a_server_says_of_itself_does_not_drive_a_real_terminal(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with fault_server(evil_probes) as server:
        monkeypatch.setenv("LLM_CLIENT_OLLAMA_BASE_URL", server.url)
        with terminal(*command.split()) as screen:
            screen.finish()
            assert screen.screen, "nothing was shown"


def test_names_in_the_configuration_do_not_drive_the_terminal(world: World) -> None:
    name = json.dumps(f"work{EVIL}")
    world.configure(
        f'[providers.{name}]\nbase_url = "http://127.0.0.1:9/v1"\n'
        f"[profiles.{name}]\nmodel = {name}\nsystem = {name}\n"
        f"[profiles.fast]\nmodel = {name}\nstop = [{name}]\n[profiles.fast.options]\n{name} = {name}\n"
    )
    for command in (
        "config show",
        "config show --all --json",
        "config validate",
        "config validate --json",
        "creds list",
        "creds test --timeout 1",
        "health --timeout 1",
        "health --timeout 1 --json",
        "models --timeout 1",
        "generate --profile fast --no-stdin --dry-run hi",
        "generate --profile none --no-stdin --dry-run hi",
    ):
        assert tame(world.run(command, "--debug").output), command


def test_silent_server_is_given_up_and_shows_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyed(world, monkeypatch, "password-in-address", UNSHAPED, say_nothing()) as (_, server):
        for command in ("generate -m work/m --retries 0 --no-stdin hi", *ASKED):
            ran = world.run(command, "--timeout", "0.1", "--debug")
            assert ran.status in (1, 4), ran.output
        assert arrived(server, "password-in-address", UNSHAPED)
    world.check(UNSHAPED)

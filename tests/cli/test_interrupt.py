"""Ctrl-C, SIGTERM and readers that leave: what stays, what is closed, what the status is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import FaultServer, fault_server, say_nothing
from ..support.unmeasured import unmeasured
from .program import SECONDS, answer, ending, environment, error, half, shell, started, stream, text

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

HALF = half("Once", " upon")


def asking(server: FaultServer, *flags: str) -> Sequence[str]:
    return ("generate", "-u", server.url, "-m", "x", *flags, "hi")


def wait_until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.01)


def end(process: Any, number: int) -> tuple[int, bytes, bytes]:
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=SECONDS)
    return process.returncode, stdout, stderr


ENDINGS = pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        pytest.param(signal.SIGINT, 130, b"Interrupted.\n", id="ctrl-c"),
        pytest.param(signal.SIGTERM, 143, b"Terminated.\n", id="sigterm"),
        pytest.param(signal.SIGHUP, 129, b"Terminated.\n", id="sighup"),
    ],
)


@ENDINGS
def test_signal_before_the_first_byte_closes_and_leaves(
    number: int, status: int, message: bytes
) -> None:
    with fault_server(say_nothing()) as server, started(*asking(server)) as process:
        wait_until(lambda: server.requests)
        assert end(process, number) == (status, b"", message)
        wait_until(lambda: server.open_connections == 0)


@ENDINGS
def test_signal_in_mid_answer_keeps_what_came(number: int, status: int, message: bytes) -> None:
    with fault_server(HALF) as server, started(*asking(server)) as process:
        assert process.stdout.read(9) == b"Once upon"
        assert end(process, number) == (status, b"\n", message)
        wait_until(lambda: server.open_connections == 0)


def test_ctrl_c_is_unsaid_when_quiet() -> None:
    with fault_server(HALF) as server, started(*asking(server, "-q")) as process:
        assert process.stdout.read(9) == b"Once upon"
        assert end(process, signal.SIGINT) == (130, b"\n", b"")


@pytest.mark.parametrize("flags", [["--json"], ["--json", "--stream"]], ids=["object", "lines"])
def test_ctrl_c_of_an_object_is_an_object_with_what_came(flags: list[str]) -> None:
    with fault_server(HALF) as server, started(*asking(server, *flags, "-v")) as process:
        wait_until(lambda: server.requests)
        time.sleep(0.5)  # for the two pieces to be read; nothing can be seen of that
        status, stdout, _ = end(process, signal.SIGINT)
    told = json.loads(stdout.splitlines()[-1])["error"]
    assert (status, told["type"], told["partial"]) == (130, "Interrupted", "Once upon")


def test_ctrl_c_leaves_an_existing_output_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    file.write_text("precious")
    partial = tmp_path / "answer.md.partial"
    with fault_server(HALF) as server, started(*asking(server, "-o", str(file))) as process:
        wait_until(lambda: partial.exists() and partial.stat().st_size == 9)
        status, stdout, _ = end(process, signal.SIGINT)
    assert (status, stdout, file.read_text()) == (130, b"", "precious")
    assert partial.read_text() == "Once upon\n"


def test_ctrl_c_while_waiting_to_retry_leaves_at_once() -> None:
    with fault_server(error(503, "busy")) as server, started(*asking(server)) as process:
        assert b"Trying again" in process.stderr.readline()
        status, stdout, _ = end(process, signal.SIGINT)
    assert (status, stdout) == (130, b"")
    assert len(server.requests) == 1


def test_ctrl_c_while_reading_stdin_sends_nothing() -> None:
    with fault_server(answer("a")) as server:
        with started(*asking(server), stdin=subprocess.PIPE) as process:
            # More than a pipe holds: once it is written, the program is reading.
            process.stdin.write(b"some input\n" * 100_000)
            process.stdin.flush()
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
            assert b"Traceback" not in process.stderr.read()
        assert server.connections == 0


INTERRUPTED_IMPORT = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["llm-client", "generate", "-u", {url!r}, "-m", "x", "hi"]
from llm_client.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "name",
    [
        "llm_client.cli.app",
        "typer",
        "llm_client.cli.generate",
        "llm_client.client",
        "llm_client.engine.transport.sessions",
        "httpx",
    ],
)
def test_ctrl_c_while_starting_leaves_without_a_traceback(name: str, closed_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT.format(name=name, url=closed_url)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=unmeasured(environment()),
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr in {b"", b"Interrupted.\n"}


def test_ignored_ctrl_c_stays_ignored() -> None:
    with fault_server(stream(*text("a"), (1.0, b""), *ending())) as server:
        # What `nohup` and a shell's `&` do.
        script = 'trap "" INT; "$@" & sleep 0.6; kill -INT $!; wait $!'
        result = shell(script, *asking(server))
    assert (result.status, result.stdout) == (0, b"a\n")


def test_reader_that_leaves_ends_the_program_silently() -> None:
    lines = [f"line {number}\n" for number in range(1000)]
    pieces = [(0.001, piece) for piece in text(*lines) if isinstance(piece, bytes)]
    with fault_server(stream(*pieces, *ending())) as server:
        script = '{ "$@"; echo $? >&2; } | head -1'
        result = shell(script, *asking(server))
        wait_until(lambda: server.open_connections == 0)
    assert (result.stdout, result.stderr) == (b"line 0\n", "141\n")


@pytest.mark.parametrize("flags", [["--json"], ["--json", "--stream"]], ids=["object", "lines"])
def test_object_that_nobody_reads_is_silent(flags: list[str]) -> None:
    with fault_server(stream((0.3, b""), *text("a"), *ending())) as server:
        result = shell('{ "$@"; echo $? >&2; } | true', *asking(server, *flags))
    assert result.stderr == "141\n"


def test_error_object_that_nobody_reads_is_told_on_stderr_only() -> None:
    script = '{ sleep 0.2; "$@"; echo $? >&2; } | true'
    result = shell(script, "generate", "--json", "-p", "nowhere", "hi")
    assert result.stderr.splitlines()[0] == "error: There is no provider 'nowhere'."
    assert result.stderr.splitlines()[-1] == "141"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_that_nobody_reads_is_silent(flag: str) -> None:
    result = shell('{ sleep 0.2; "$@"; echo $? >&2; } | true', flag)
    assert result.stderr == "141\n"

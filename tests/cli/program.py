"""The program as a user runs it: a process of its own, its streams connected to pipes or a file.

Owns starting, feeding and collecting; what the process should do is said by the tests. The
environment is the one that `clean_environment` leaves, so variables are set with `monkeypatch`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import llm_client

from ..support.fault_server import Piece, Received, Script, Wire, respond
from ..support.unmeasured import unmeasured

ROOT = Path(llm_client.__file__).parents[1]
SECONDS = 60.0
"""After which a run is called hanging."""
EVENT_STREAM = [("Content-Type", "text/event-stream")]


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def command(*arguments: str | bytes) -> list[str | bytes]:
    return [sys.executable, "-m", "llm_client", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(
    *arguments: str | bytes,
    stdin: bytes | int | IO[bytes] = b"",
    stdout: int | IO[bytes] = subprocess.PIPE,
    cwd: Path | None = None,
) -> Result:
    """Run the program to its end."""
    feed: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command(*arguments),
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(),
        timeout=SECONDS,
        **feed,
    )
    return Result(done.returncode, done.stdout or b"", done.stderr.decode())


def ask(url: str, *arguments: str | bytes, stdin: bytes | int = b"") -> Result:
    """Run `generate` against an OpenAI-compatible server, without retries, and without waiting."""
    return run("generate", "-u", url, "-m", "some-model", "--retries", "0", *arguments, stdin=stdin)


def shell(script: str, *arguments: str, stdin: bytes = b"") -> Result:
    """Run a shell script in which `"$@"` is the program with its arguments."""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command(*arguments)],
        input=stdin,
        capture_output=True,
        env=environment(),
        timeout=SECONDS,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())


@contextmanager
def started(*arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> Iterator[Any]:
    """Run the program beside the test; it is gone when the block ends."""
    with subprocess.Popen(
        command(*arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=unmeasured(environment()),  # most are sent a signal
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """Return one event of an OpenAI stream."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return (
        b"data: "
        + json.dumps({"model": "some-model", "choices": [choice], **more}).encode()
        + b"\n\n"
    )


def text(*deltas: str) -> list[Piece]:
    """Return the events of a text."""
    return [event({"content": delta}) for delta in deltas]


def ending(finish: str = "stop") -> list[Piece]:
    """Return the events that end a stream."""
    return [event(finish=finish), b"data: [DONE]\n\n"]


def stream(*pieces: Piece) -> Script:
    """Answer with an event stream."""
    return respond(headers=EVENT_STREAM, pieces=pieces, chunked=True)


def answer(*deltas: str, finish: str = "stop") -> Script:
    """Answer with a text, streamed."""
    return stream(*text(*deltas), *ending(finish))


def whole(content: str, finish: str = "stop") -> Script:
    """Answer with a text in one piece."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = json.dumps({"id": "r-1", "model": "some-model", "choices": [choice]}).encode()
    return respond(headers=[("Content-Type", "application/json")], body=body)


def error(status: int, message: str, **fields: Any) -> Script:
    """Answer with an error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, **fields}}).encode()
    return respond(status, [("Content-Type", "application/json")], body)


def half(*deltas: str) -> Script:
    """Stream the beginning of an answer, then say nothing until the client hangs up."""

    def script(wire: Wire, request: Received) -> bool:
        body = b"".join(event({"content": delta}) for delta in deltas)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body)
        wire.wait_for_hang_up()
        return False

    return script


def body_of(received: Received) -> Any:
    return json.loads(received.body)


def prompt_of(received: Received) -> str:
    """Return the text of the last message of a request."""
    content = body_of(received)["messages"][-1]["content"]
    assert isinstance(content, str)
    return content

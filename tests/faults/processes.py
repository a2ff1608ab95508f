"""Client processes that are stopped in the middle: by the server, at the moment that a plan names.

Owns starting them, command line and library in turn, and the server that strikes. What must be left
of them is said by the tests.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from ..cli.program import ending, environment, event
from ..support.fault_server import FaultServer, Received, Wire, fault_server
from ..support.unmeasured import unmeasured

__all__ = ["CHUNKS", "Arena", "Moment", "Victim", "arena", "moment"]

CHUNKS: Final = 20
PROVIDER: Final = "alpha"
MODEL: Final = "model"
_SECONDS: Final = 60.0
KEY: Final = "sk-test-kills-0123456789"
_LIBRARY: Final = """
import sys
from llm_client import LLMClient, LLMConfig

url, session, config = sys.argv[1:]
where = LLMConfig(provider="alpha", base_url=url, model="model", max_retries=0)
with LLMClient(where, config_path=config) as client:
    with client.stream("Tell me more.", session=session) as stream:
        for chunk in stream:
            print(chunk.delta, end="", flush=True)
"""


@dataclass(frozen=True)
class Moment:
    """When a process is struck."""

    name: str
    """`starting`, `arrived`, `head`, `streaming` or `done`."""
    chunks: int = 0
    """How many had been sent; for `streaming`."""
    delay: float = 0.0
    """Seconds after that."""


def moment(random: Random) -> Moment:
    """Draw a moment: most of them in mid-stream."""
    name = random.choice(("starting", "arrived", "head", *["streaming"] * 5, "done", "done"))
    longest = {"starting": 0.4, "done": 0.05}.get(name, 0.005)
    return Moment(name, random.randrange(1, CHUNKS), random.uniform(0.0, longest))


@dataclass
class Victim:
    """One process, and what became of it."""

    session: str
    process: subprocess.Popen[bytes]
    moment: Moment | None
    arrived: bool = False
    struck: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    """Chunks that the server had sent."""

    def strike(self, number: int) -> None:
        """Send the signal, once."""
        if not self.struck.is_set():
            self.struck.set()
            self.process.send_signal(number)

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return status and standard output."""
        stdout, _ = self.process.communicate(timeout=_SECONDS)
        return self.process.returncode, stdout.decode()


class Arena:
    """The server, the configuration, and the processes."""

    def __init__(self, server: FaultServer, config: Path, signal: int) -> None:
        self._server = server
        self._config = config
        self._signal = signal
        self._victims: dict[str, Victim] = {}
        self._known = threading.Condition()

    def start(self, session: str, moment: Moment | None = None, *, library: bool) -> Victim:
        """Start a process; without a moment it may go on to its end."""
        url = f"{self._server.url}/{session}/v1"
        if library:
            command = [sys.executable, "-c", _LIBRARY, url, session, str(self._config)]
        else:
            command = [sys.executable, "-m", "llm_client", "generate", "Tell me more."]
            command += ["-u", url, "-p", PROVIDER, "-m", MODEL, "--retries", "0", "--stream"]
            command += ["--session", session, "--config", str(self._config), "--no-stdin"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**unmeasured(environment()), "LLM_CLIENT_ALPHA_API_KEY": KEY},
        )
        victim = Victim(session, process, moment)
        with self._known:
            self._victims[session] = victim
            self._known.notify_all()
        if moment is not None and moment.name == "starting":
            threading.Timer(moment.delay, victim.strike, [self._signal]).start()
        return victim

    def serve(self, wire: Wire, request: Received) -> bool:
        """Stream an answer, and strike at the moment of whoever asked."""
        session = request.path.split("/")[1]
        with self._known:
            assert self._known.wait_for(lambda: session in self._victims, _SECONDS)
        victim = self._victims[session]
        victim.arrived = True
        self._pass(victim, "arrived", wire)
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        wire.send(head.encode())
        self._pass(victim, "head", wire)
        for number in range(1, CHUNKS + 1):
            wire.send(event({"content": f"{number} "}))
            victim.sent = number
            self._pass(victim, "streaming", wire, number)
        for piece in ending():
            assert isinstance(piece, bytes)
            wire.send(piece)
        self._pass(victim, "done", wire)
        return False

    def _pass(self, victim: Victim, name: str, wire: Wire, chunks: int = 0) -> None:
        planned = victim.moment
        if planned is None or planned.name != name or planned.chunks != (chunks or planned.chunks):
            return
        if name == "done":
            threading.Timer(planned.delay, victim.strike, [self._signal]).start()
            return
        time.sleep(planned.delay)
        victim.strike(self._signal)
        wire.wait_for_hang_up()
        raise ConnectionAbortedError

    def end(self) -> None:
        """Leave no process behind."""
        for victim in self._victims.values():
            if victim.process.poll() is None:
                victim.process.kill()
                victim.process.communicate()


@contextmanager
def arena(folder: Path, signal: int, *settings: str) -> Iterator[Arena]:
    """Run the server; `settings` are further lines of the configuration."""
    config = folder / "config.toml"
    lines = [f"[providers.{PROVIDER}]", 'dialect = "openai-chat"']
    lines += [f'[pricing."{PROVIDER}/*"]', "input = 2.0", "output = 10.0", *settings]
    config.write_text("\n".join(lines))
    with fault_server(lambda wire, request: place.serve(wire, request)) as server:
        place = Arena(server, config, signal)
        try:
            yield place
        finally:
            place.end()

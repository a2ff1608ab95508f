"""Both clients do the same over real sockets: each scenario against the fault server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig, LLMError
from llm_client.types.events import AttemptRecord, Event, Retrying
from llm_client.types.request import RequestOptions
from llm_client.types.response import LLMResponse

from ..support.fault_server import FaultServer, Received, Script, Wire, fault_server, refused_url
from .scenarios import SCENARIOS, Answer, Cut, Interrupt, Opening, Refused, Scenario, Wait

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="Ctrl-C is sent to the main thread by a signal"
)

KEY = "sk-test-parity-012345"


@dataclass
class Seen:
    """What the caller, the observer and the server saw."""

    content: str | None = None
    attempts: int | None = None
    fallback_provider: str | None = None
    error: str | None = None
    partial: str = ""
    deltas: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], object]] = field(default_factory=list)

    def note(self, event: Event) -> None:
        if not isinstance(event, AttemptRecord):
            self.events.append(type(event).__name__)
        elif event.error_type is None:
            self.outcomes.append(event.outcome)
        else:
            error = _unified(event.error_type)
            self.outcomes.append(f"{event.outcome}:{error}")

    def keep(self, response: LLMResponse) -> None:
        self.content = response.content
        self.attempts = response.attempts
        self.fallback_provider = response.fallback_provider


def _unified(error: str) -> str:
    return "interrupt" if error in ("KeyboardInterrupt", "CancelledError") else error


class Interrupter:
    """Sends Ctrl-C, or cancels the task, when the server says that the moment has come."""

    def __init__(self) -> None:
        self.send: Callable[[], None] = lambda: None

    def interrupt_the_main_thread(self) -> None:
        self.send = lambda: signal.pthread_kill(_main_thread(), signal.SIGINT)

    def cancel(self, task: asyncio.Task[object]) -> None:
        loop = asyncio.get_running_loop()

        def send() -> None:
            loop.call_soon_threadsafe(task.cancel)

        self.send = send

    def later(self) -> None:
        threading.Timer(0.05, self.send).start()


def _main_thread() -> int:
    ident = threading.main_thread().ident
    assert ident is not None
    return ident


def _script(opening: Opening, interrupter: Interrupter) -> Script:
    def script(wire: Wire, request: Received) -> bool:
        if isinstance(opening, Answer):
            lines = [f"HTTP/1.1 {opening.status} Scripted", "Transfer-Encoding: chunked"]
            lines += [f"{name}: {value}" for name, value in opening.headers]
            wire.send("\r\n".join([*lines, "", ""]).encode())
            for piece in opening.pieces:
                match piece:
                    case bytes():
                        wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                    case Wait(seconds):
                        _hold(wire, seconds)
                    case Interrupt():
                        # The client must have taken what came before.
                        wire.pause(0.05)
                        interrupter.send()
                        wire.wait_for_hang_up()
                        return False
                    case Cut():
                        return False
            wire.send(b"0\r\n\r\n")
            return True
        wire.pause(0.02)
        interrupter.send()
        wire.wait_for_hang_up()
        return False

    return script


def _hold(wire: Wire, seconds: float) -> None:
    """Keep silent until the client hangs up, which every scenario makes it do."""
    wire.sock.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        wire.wait_for_hang_up()


@contextlib.contextmanager
def _stage(
    scenario: Scenario, interrupter: Interrupter, folder: Path
) -> Iterator[tuple[FaultServer, LLMConfig, Path]]:
    """Run the server of a scenario; yield it, the client's configuration and the file for it."""
    scripts = [
        _script(opening, interrupter)
        for opening in scenario.openings
        if not isinstance(opening, Refused)
    ]
    refused = [
        position
        for position, opening in enumerate(scenario.openings)
        if isinstance(opening, Refused)
    ]
    with refused_url() as nowhere, fault_server(*scripts or [_unused]) as server:
        lines = []
        for position in range(scenario.targets):
            url = nowhere if position in refused else server.url
            lines += [f"[providers.p{position}]", f'base_url = "{url}"']
        file = folder / "config.toml"
        file.write_text("\n".join(lines))
        first, *others = (
            LLMConfig(provider=f"p{position}", model="m", api_key=KEY)
            for position in range(scenario.targets)
        )
        config = LLMConfig(
            provider=first.provider,
            model="m",
            api_key=KEY,
            max_retries=scenario.retry.max_retries,
            retry_delay=scenario.retry.delay,
            retry_max_delay=scenario.retry.max_delay,
            fallback_configs=others,
        )
        yield server, config, file


def _unused(wire: Wire, request: Received) -> bool:
    raise AssertionError("nothing should arrive here")


def _requests(server: FaultServer) -> list[tuple[str, str, dict[str, str], object]]:
    return [
        (
            request.method,
            request.path,
            {name: value for name, value in request.headers.items() if name != "host"},
            json.loads(request.body),
        )
        for request in server.requests
    ]


def _play_sync(scenario: Scenario, folder: Path) -> Seen:
    seen, interrupter = Seen(), Interrupter()
    interrupter.interrupt_the_main_thread()

    def observe(event: Event) -> None:
        seen.note(event)
        if scenario.interrupt_sleep and isinstance(event, Retrying):
            interrupter.later()

    with _stage(scenario, interrupter, folder) as (server, config, file):
        with LLMClient(config, config_path=file, observe=observe) as client:
            try:
                _ask(client, scenario, seen)
            except (LLMError, KeyboardInterrupt) as error:
                _keep_error(error, seen)
        _wait_until_hung_up(server)
        seen.requests = _requests(server)
    return seen


def _options(scenario: Scenario) -> RequestOptions:
    return {} if scenario.deadline is None else {"deadline": scenario.deadline}


def _ask(client: LLMClient, scenario: Scenario, seen: Seen) -> None:
    if not scenario.stream:
        seen.keep(client.generate("hi", **_options(scenario)))
        return
    with client.stream("hi", **_options(scenario)) as stream:
        for chunk in stream:
            seen.deltas += [chunk.delta] if chunk.delta else []
            if len(seen.deltas) == scenario.break_after:
                return
        seen.keep(stream.response)


def _play_async(scenario: Scenario, folder: Path) -> Seen:
    seen, interrupter = Seen(), Interrupter()

    def observe(event: Event) -> None:
        seen.note(event)
        if scenario.interrupt_sleep and isinstance(event, Retrying):
            interrupter.later()

    async def main(config: LLMConfig, file: Path) -> None:
        async with AsyncLLMClient(config, config_path=file, observe=observe) as client:
            task: asyncio.Task[object] = asyncio.ensure_future(_aask(client, scenario, seen))
            interrupter.cancel(task)
            try:
                await task
            except (LLMError, asyncio.CancelledError) as error:
                _keep_error(error, seen)

    with _stage(scenario, interrupter, folder) as (server, config, file):
        asyncio.run(main(config, file))
        _wait_until_hung_up(server)
        seen.requests = _requests(server)
    return seen


async def _aask(client: AsyncLLMClient, scenario: Scenario, seen: Seen) -> None:
    if not scenario.stream:
        response = await client.generate("hi", **_options(scenario))
        seen.keep(response)
        return
    async with client.stream("hi", **_options(scenario)) as stream:
        async for chunk in stream:
            seen.deltas += [chunk.delta] if chunk.delta else []
            if len(seen.deltas) == scenario.break_after:
                return
        seen.keep(stream.response)


def _keep_error(error: BaseException, seen: Seen) -> None:
    seen.error = _unified(type(error).__name__)
    seen.partial = error.partial if isinstance(error, LLMError) else ""


def _wait_until_hung_up(server: FaultServer) -> None:
    """A closed client holds no connection, not even a pooled one."""
    end = time.monotonic() + 5
    while server.open_connections:
        assert time.monotonic() < end, "a connection is still open"
        time.sleep(0.002)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario_over_the_network_ends_the_same_in_both_clients(
    scenario: Scenario, tmp_path: Path
) -> None:
    one, other = _play_sync(scenario, tmp_path), _play_async(scenario, tmp_path)
    expected = scenario.expected

    assert one == other
    assert one.content == expected.content
    assert one.error == expected.error
    assert one.partial == expected.partial
    assert one.deltas == list(expected.deltas)
    assert one.outcomes == list(expected.outcomes)
    assert one.events == ["Asking", *expected.events]
    if expected.content is not None:
        assert one.attempts == len(expected.outcomes)
        assert one.fallback_provider == expected.fallback_provider
    answers = [opening for opening in scenario.openings if not isinstance(opening, Refused)]
    assert len(one.requests) == len(answers)
    for method, path, headers, body in one.requests:
        assert (method, path) == ("POST", "/v1/chat/completions")
        assert headers["authorization"] == f"Bearer {KEY}"
        assert isinstance(body, dict)
        assert body.get("stream", False) is scenario.stream
        assert body["messages"] == [{"role": "user", "content": "hi"}]

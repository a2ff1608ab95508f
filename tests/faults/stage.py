"""One server for many scenarios, and both clients that play them.

Owns what the server saw, what the caller saw, and how a scenario is played. What they should have
seen is said by `oracle.py`, and compared in `verdict.py`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from llm_client import AsyncLLMClient, LLMClient, LLMConfig, LLMError
from llm_client.types.events import Event
from llm_client.types.request import RequestOptions
from llm_client.types.response import LLMResponse

from ..support.fault_server import FaultServer, Received, Wire, fault_server, refused_url
from .behaviours import BEHAVIOURS
from .bodies import BODIES, PROVIDERS
from .exchange import Exchange
from .scenarios import Goal, Scenario

__all__ = ["PRICES", "PROMPT", "Arrival", "Seen", "Stage", "play", "play_async", "stage"]

KEY: Final = "sk-test-faults-0123456789"
PROMPT: Final = "Say something about foxes, please."
PRICES: Final = (2.0, 10.0)
"""USD per million tokens of prompt and answer, whoever answers."""
_PATIENCE: Final = 20.0
"""Seconds until something that must happen is said to hang."""


@dataclass(frozen=True)
class Arrival:
    """One request that the server has read to its end."""

    position: int
    """Of its target in the route."""
    connection: int
    at: float
    """On the monotonic clock."""
    body: object


@dataclass
class Seen:
    """What the caller and the observer of one call saw."""

    response: LLMResponse | None = None
    error: LLMError | None = None
    deltas: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Plan:
    """What the server does with the requests of one scenario, and what it saw of them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.arrivals: list[Arrival] = []
        self.unplanned = 0
        """Requests behind the last planned one."""
        self._changed = threading.Condition()
        self._shown = 0

    def serve(self, position: int, wire: Wire, request: Received) -> bool:
        goal = self.scenario.goals[position]
        with self._changed:
            number = sum(arrival.position == position for arrival in self.arrivals)
            arrival = Arrival(
                position, request.connection, time.monotonic(), json.loads(request.body)
            )
            self.arrivals.append(arrival)
        if number >= len(goal.steps):
            self.unplanned += 1
            return False
        step = goal.steps[number]
        exchange = Exchange(
            wire,
            request,
            step,
            BODIES[goal.dialect],
            f"model-{position}",
            self.scenario.stream,
            self._wait_until_shown,
        )
        return BEHAVIOURS[step.behaviour](exchange)

    def show(self) -> None:
        """Take note that the caller has seen a piece."""
        with self._changed:
            self._shown += 1
            self._changed.notify_all()

    def _wait_until_shown(self, count: int) -> None:
        if self.scenario.stream:
            with self._changed:
                self._changed.wait_for(lambda: self._shown >= count, _PATIENCE)


class Stage:
    """The server, the closed port, and the configuration file."""

    def __init__(self, server: FaultServer, nowhere: str, plans: dict[str, Plan], file: Path):
        self.server = server
        self.plans = plans
        self.file = file
        self._nowhere = nowhere

    def enter(self, scenario: Scenario, name: str) -> Plan:
        """Prepare the server for a scenario that is played under a name."""
        plan = self.plans[name] = Plan(scenario)
        return plan

    def config(self, scenario: Scenario, name: str) -> LLMConfig:
        first, *others = (
            self._config(scenario, goal, name, position)
            for position, goal in enumerate(scenario.goals)
        )
        return LLMConfig(
            provider=first.provider,
            base_url=first.base_url,
            api_key=KEY,
            model=first.model,
            max_retries=scenario.max_retries,
            retry_delay=0.001,
            retry_max_delay=0.001,
            fallback_configs=others,
        )

    def _config(self, scenario: Scenario, goal: Goal, name: str, position: int) -> LLMConfig:
        host = self._nowhere if goal.refuses else self.server.url
        path = "/v1" if goal.dialect == "openai-chat" else ""
        return LLMConfig(
            provider=goal.provider,
            base_url=f"{host}/{name}/{position}{path}",
            api_key=KEY,
            model=f"model-{position}",
        )

    def wait_until_hung_up(self) -> None:
        """Wait until every client has closed every connection."""
        end = time.monotonic() + _PATIENCE
        while self.server.open_connections:
            assert time.monotonic() < end, f"{self.server.open_connections} connections are open"
            time.sleep(0.002)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Run the server of many scenarios."""
    plans: dict[str, Plan] = {}

    def script(wire: Wire, request: Received) -> bool:
        _, name, position, *_ = request.path.split("/")
        return plans[name].serve(int(position), wire, request)

    lines: list[str] = []
    for provider, dialect in PROVIDERS.items():
        lines += [f"[providers.{provider}]", f'dialect = "{dialect}"']
        lines += [f'[pricing."{provider}/*"]', f"input = {PRICES[0]}", f"output = {PRICES[1]}"]
    file = folder / "config.toml"
    file.write_text("\n".join(lines))
    with refused_url() as nowhere, fault_server(script) as server:
        yield Stage(server, nowhere, plans, file)


def _options(scenario: Scenario, name: str) -> RequestOptions:
    options: RequestOptions = {"session": name}
    if scenario.timeout is not None:
        options["timeout"] = scenario.timeout
    if scenario.deadline is not None:
        options["deadline"] = scenario.deadline
    return options


def play(scenario: Scenario, name: str, where: Stage) -> Seen:
    """Play a scenario with the blocking client."""
    seen, plan, options = Seen(), where.enter(scenario, name), _options(scenario, name)
    config = where.config(scenario, name)
    with LLMClient(config, config_path=where.file, observe=seen.events.append) as client:
        try:
            if not scenario.stream:
                seen.response = client.generate(PROMPT, **options)
                return seen
            with client.stream(PROMPT, **options) as stream:
                for chunk in stream:
                    if chunk.delta:
                        seen.deltas.append(chunk.delta)
                        plan.show()
                seen.response = stream.response
        except LLMError as error:
            seen.error = error
    return seen


async def play_async(scenario: Scenario, name: str, where: Stage) -> Seen:
    """Play a scenario with the asyncio client."""
    seen, plan, options = Seen(), where.enter(scenario, name), _options(scenario, name)
    config = where.config(scenario, name)
    async with AsyncLLMClient(config, config_path=where.file, observe=seen.events.append) as client:
        try:
            if not scenario.stream:
                seen.response = await client.generate(PROMPT, **options)
                return seen
            async with client.stream(PROMPT, **options) as stream:
                async for chunk in stream:
                    if chunk.delta:
                        seen.deltas.append(chunk.delta)
                        plan.show()
                seen.response = stream.response
        except LLMError as error:
            seen.error = error
    return seen

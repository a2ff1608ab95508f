"""Calls of several clients in turn. Arguments: `sync` or `async`, calls, configuration files."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

from llm_client import AsyncLLMClient, LLMClient

_BLOCK = 20
"""Calls between two changes of the client: a slow moment of the machine meets all of them."""


class Meter:
    """Collects what a call took, by client and block."""

    def __init__(self, clients: int) -> None:
        self._walls: list[list[float]] = [[] for _ in range(clients)]
        self._cpus: list[list[float]] = [[] for _ in range(clients)]
        self._began = (0.0, 0.0)

    def start(self) -> None:
        self._began = (time.perf_counter(), time.process_time())

    def stop(self, client: int) -> None:
        wall, cpu = self._began
        self._walls[client].append((time.perf_counter() - wall) / _BLOCK * 1e6)
        self._cpus[client].append((time.process_time() - cpu) / _BLOCK * 1e6)

    def report(self) -> None:
        figures = {
            "wall_us": [statistics.median(walls) for walls in self._walls],
            "cpu_us": [statistics.median(cpus) for cpus in self._cpus],
        }
        print(json.dumps(figures))


def measure(asks: list[Callable[[], object]], calls: int) -> None:
    meter = Meter(len(asks))
    for ask in asks:
        ask()  # what the first call imports is not what is measured
    for _ in range(max(1, calls // _BLOCK)):
        for client, ask in enumerate(asks):
            meter.start()
            for _ in range(_BLOCK):
                ask()
            meter.stop(client)
    meter.report()


async def measure_async(asks: list[Callable[[], Awaitable[object]]], calls: int) -> None:
    meter = Meter(len(asks))
    for ask in asks:
        await ask()
    for _ in range(max(1, calls // _BLOCK)):
        for client, ask in enumerate(asks):
            meter.start()
            for _ in range(_BLOCK):
                await ask()
            meter.stop(client)
    meter.report()


def main(form: str, calls: int, files: list[str]) -> None:
    if form == "sync":
        clients = [LLMClient("bench/bench", config_path=file) for file in files]
        measure([partial(client.generate, "hello") for client in clients], calls)
        for client in clients:
            client.close()
        return

    async def run() -> None:
        clients = [AsyncLLMClient("bench/bench", config_path=file) for file in files]
        await measure_async([partial(client.generate, "hello") for client in clients], calls)
        for client in clients:
            await client.close()

    asyncio.run(run())


main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])

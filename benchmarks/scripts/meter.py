"""What the scripts of a scenario measure with, around the work alone; no contender's code.

Imported from beside them, so it runs in every environment: standard library only.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable

__all__ = ["StreamMeter", "measure_crowd"]

_MEBIBYTE = 1 << 20


def _resident_mib() -> float:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE
    except OSError:  # no /proc: the peak stands in, and growth of the peak is growth
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (_MEBIBYTE if sys.platform == "darwin" else 1024)


class StreamMeter:
    """Counts chunks: CPU over all of them, memory from the first tenth to the last chunk."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._tenth = expected // 10
        self._count = 0
        self._early_mib = 0.0
        self._started = time.process_time()

    def chunk(self) -> None:
        """Take note of one chunk with text."""
        self._count += 1
        if self._count == self._tenth:
            self._early_mib = _resident_mib()

    def report(self) -> None:
        """Print the figures.

        Raises:
            SystemExit: chunks are missing, so there is nothing to compare.
        """
        cpu_seconds = time.process_time() - self._started
        resident = _resident_mib()
        if self._count != self._expected:
            raise SystemExit(f"{self._count} chunks of {self._expected}")
        print(
            json.dumps(
                {
                    "us_per_chunk": cpu_seconds / self._count * 1e6,
                    "growth_mib": resident - self._early_mib,
                    "rss_mib": resident,
                }
            )
        )


async def measure_crowd(ask: Callable[[], Awaitable[object]], requests: int, at_once: int) -> None:
    """Ask `requests` times, `at_once` at a time (0: all of them), and print the figures."""
    await ask()  # what the first request imports is not what is measured
    gate = asyncio.Semaphore(at_once or requests)
    seconds: list[float] = []

    async def one() -> None:
        async with gate:
            began = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - began)

    started, cpu_started = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(requests)))
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    seconds.sort()
    print(
        json.dumps(
            {
                "rate": requests / wall,
                "cpu_us": cpu / requests * 1e6,
                "p50_ms": seconds[len(seconds) // 2] * 1e3,
                "p99_ms": seconds[len(seconds) * 99 // 100] * 1e3,
            }
        )
    )

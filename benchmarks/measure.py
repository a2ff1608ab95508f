"""Running contenders in turn and taking their figures.

Owns processes: what they inherit, where they are pinned, what they took. What the figures mean is
the scenarios' business.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .environments import Environment

__all__ = ["Lab", "ProcessRun", "interleave", "median", "pin_apart"]

T = TypeVar("T")

_LAUNCHER = Path(__file__).with_name("launch.py")
_SCRIPTS = Path(__file__).with_name("scripts")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ProcessRun:
    """What one command took, seen from outside."""

    started_ns: int
    """Monotonic clock, which all processes share."""
    wall_ms: float
    cpu_ms: float
    peak_mib: float
    exit_ms: float
    """From its last byte of output to its end."""
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Lab:
    """What every scenario needs: the environments, the server, the size of a run."""

    environments: Mapping[str, Environment]
    """`ours` and `httpx` always; a peer only when it could be installed."""
    server: str
    """Base address of the loopback server, without a path."""
    home: Path
    """An empty directory: the home of every child."""
    repeats: int
    quick: bool

    @property
    def library(self) -> Path:
        """Where children that measure themselves find `benchmarks.scripts`, and nothing else.

        Were it the repository, they would find the source tree of the project before the
        installed one.
        """
        return self.home / "library"

    def size(self, full: int, quick: int) -> int:
        """Return how much of something this run handles."""
        return quick if self.quick else full

    def url(self, answer: str, size: int) -> str:
        """Return the base URL whose chat endpoint gives that answer; see `server`."""
        return f"{self.server}/{answer}/{size}/v1"

    def variables(self, environment: Environment) -> dict[str, str]:
        """Return the environment variables of a child."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            **environment.variables,
        }

    def run(
        self, environment: Environment, command: list[str], stdin: Path | None = None
    ) -> ProcessRun:
        """Run a command with its output in a pipe.

        Raises:
            RuntimeError: it failed; the message has its standard error.
        """
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(_LAUNCHER), *command],
                check=False,
                stdin=source,
                capture_output=True,
                text=True,
                env=self.variables(environment),
                cwd=self.home,
            )
        took = json.loads(done.stdout) if done.stdout else {"status": done.returncode}
        if took["status"] != 0:
            raise _failure(command, took["status"], done.stderr)
        return ProcessRun(
            started_ns=took["started_ns"],
            wall_ms=(took["exited_ns"] - took["started_ns"]) / 1e6,
            cpu_ms=took["cpu_seconds"] * 1e3,
            peak_mib=took["peak_bytes"] / _MEBIBYTE,
            exit_ms=(took["exited_ns"] - took["last_output_ns"]) / 1e6,
            output_bytes=took["output_bytes"],
        )

    def report(self, environment: Environment, command: list[str]) -> dict[str, Any]:
        """Run a module that measures itself; return the JSON object that it prints.

        Raises:
            RuntimeError: it failed; the message has its standard error.
        """
        scripts = self.library / "benchmarks" / "scripts"
        if not scripts.exists():
            shutil.copytree(_SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(self.library), **self.variables(environment)},
            cwd=self.home,
        )
        if done.returncode != 0:
            raise _failure(command, done.returncode, done.stderr)
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report


def interleave(contenders: Mapping[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Run the contenders in turn, `repeats` rounds, after one round that does not count."""
    runs: dict[str, list[T]] = {name: [] for name in contenders}
    for round_ in range(repeats + 1):
        for name, contender in contenders.items():
            run = contender()
            if round_:
                runs[name].append(run)
    return runs


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def pin_apart(server_pid: int) -> bool:
    """Give the server a CPU of its own, and this process with its children another.

    Returns whether that was possible.
    """
    if not hasattr(os, "sched_setaffinity"):
        return False
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return False
    os.sched_setaffinity(server_pid, {cpus[-1]})
    os.sched_setaffinity(0, {cpus[0]})
    return True


def _failure(command: list[str], status: int, stderr: str) -> RuntimeError:
    shown = " ".join(Path(word).name if "/" in word else word for word in command[:4])
    return RuntimeError(f"`{shown} …` failed with status {status}:\n{stderr.strip()[-2000:]}")

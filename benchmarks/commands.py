"""Commands from start to exit: one answer, `--version`, `--help`, what Tab runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from .environments import Environment
from .measure import Lab, ProcessRun, interleave, median
from .serving import last_request_ns
from .table import Check, Section

__all__ = ["one_shot", "start_up"]

_CHUNKS = 20
_LLM_MODELS = """
- model_id: bench
  model_name: bench
  api_base: {url}
  api_key_name: bench
"""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One command that asked the server."""

    process: ProcessRun
    wire_ms: float
    """From its start to its request being whole at the server."""


def one_shot(lab: Lab) -> Section:
    """Measure one streamed answer, process start to exit."""
    url = lab.url("events", _CHUNKS)
    ours, bare = lab.environments["ours"], lab.environments["httpx"]
    generate = ("generate", "hello", "--base-url", url, "-m", "bench")
    commands: dict[str, tuple[Environment, list[str]]] = {
        "http.client script": (bare, bare.script("one_shot_http_client.py", url)),
        "bare httpx script": (bare, bare.script("one_shot_httpx.py", url)),
        "the same in our environment": (ours, ours.script("one_shot_httpx.py", url)),
        "llm-client generate": (ours, ours.command("llm-client", "llm_client", *generate)),
        **_peers(lab, url),
    }
    contenders: dict[str, Callable[[], _Exchange]] = {
        name: partial(_ask, lab, environment, command)
        for name, (environment, command) in commands.items()
    }
    runs = interleave(contenders, lab.repeats)
    base = runs["bare httpx script"]
    wall = median(run.process.wall_ms for run in base)
    cpu = median(run.process.cpu_ms for run in base)
    section = Section(
        f"One shot: {_CHUNKS} chunks streamed to a pipe, process start to exit",
        ("wall ms", "× bare", "CPU ms", "× bare", "on wire ms", "peak MiB", "exit ms"),
    )
    for name, found in runs.items():
        section.rows.append((name, _figures(found, wall, cpu)))
    figures = _figures(runs["llm-client generate"], wall, cpu)
    section.checks = [
        Check("wall, × the bare httpx script", figures[1], 0.90, stretch=0.70),
        Check("CPU, × the bare httpx script", figures[3], 0.90, stretch=0.70),
        Check("peak memory, MiB", figures[5], 32),
        Check("last output to exit, ms", figures[6], 8),
    ]
    return section


def _figures(runs: list[_Exchange], wall: float, cpu: float) -> list[float]:
    processes = [run.process for run in runs]
    wall_ms = median(process.wall_ms for process in processes)
    cpu_ms = median(process.cpu_ms for process in processes)
    return [
        wall_ms,
        wall_ms / wall,
        cpu_ms,
        cpu_ms / cpu,
        median(run.wire_ms for run in runs),
        median(process.peak_mib for process in processes),
        median(process.exit_ms for process in processes),
    ]


def _ask(lab: Lab, environment: Environment, command: list[str]) -> _Exchange:
    process = lab.run(environment, command)
    expected = len(" word") * _CHUNKS
    if process.output_bytes < expected:
        raise RuntimeError(f"{command[:3]} wrote {process.output_bytes} of {expected} bytes")
    return _Exchange(process, (last_request_ns(lab.server) - process.started_ns) / 1e6)


def _peers(lab: Lab, url: str) -> dict[str, tuple[Environment, list[str]]]:
    found: dict[str, tuple[Environment, list[str]]] = {}
    for name in ("openai", "litellm"):
        if (environment := lab.environments.get(name)) is not None:
            found[f"{name} script"] = (environment, environment.script(f"one_shot_{name}.py", url))
    if (environment := lab.environments.get("llm")) is not None:
        settings = lab.home / ".config" / "io.datasette.llm"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "extra-openai-models.yaml").write_text(_LLM_MODELS.format(url=url))
        (settings / "keys.json").write_text('{"bench": "bench"}')
        prompt = ("prompt", "--no-log", "-m", "bench", "hello")
        found["llm"] = (environment, environment.command("llm", "llm", *prompt))
    return found


def start_up(lab: Lab) -> Section:
    """Measure the commands that ask nobody."""
    ours = lab.environments["ours"]
    commands = {
        "python -c pass": [str(ours.python), "-c", "pass"],
        "llm-client --version": ours.command("llm-client", "llm_client", "--version"),
        "llm-client --help": ours.command("llm-client", "llm_client", "--help"),
        "llm-client generate --help": ours.command(
            "llm-client", "llm_client", "generate", "--help"
        ),
    }
    contenders: dict[str, Callable[[], ProcessRun]] = {
        name: partial(lab.run, ours, command) for name, command in commands.items()
    }
    completing = replace(ours, variables={**ours.variables, "_LLM_CLIENT_COMPLETE": "zsh"})
    typed = ours.command("llm-client", "llm_client", "generate", "--provider", "oll")
    contenders["Tab behind --provider"] = partial(lab.run, completing, typed)
    # Quick enough for twice the runs, and the differences are small.
    runs = interleave(contenders, lab.repeats * 2)
    walls = {name: median(run.wall_ms for run in found) for name, found in runs.items()}
    base = walls["python -c pass"]
    section = Section("Start-up", ("wall ms", "× pass", "CPU ms", "peak MiB"))
    for name, found in runs.items():
        cpu, peak = median(r.cpu_ms for r in found), median(r.peak_mib for r in found)
        section.rows.append((name, (walls[name], walls[name] / base, cpu, peak)))
    section.checks = [
        Check("--version, × `python -c pass`", walls["llm-client --version"] / base, 1.2),
        Check("--help, × `python -c pass`", walls["llm-client --help"] / base, 5),
        Check("Tab, ms", walls["Tab behind --provider"], 150),
    ]
    return section

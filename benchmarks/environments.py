"""Where the contenders run: a virtual environment each, made once and kept.

Owns their creation and what their processes inherit. Peers are optional, the project and httpx are
not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["REPOSITORY", "Environment", "Unavailable", "here", "install"]

REPOSITORY = Path(__file__).resolve().parent.parent

PACKAGES: dict[str, str] = {
    "httpx": "httpx>=0.28,<1",
    "openai": "openai",
    "aiohttp": "aiohttp",
    "llm": "llm",
    "litellm": "litellm",
}
"""What is installed into an environment of its own, by the name of the environment."""

_BYTECODE_CHECK = (
    "import importlib.util, os, sys; spec = importlib.util.find_spec(sys.argv[1]); "
    "sys.exit(not (spec and spec.cached and os.path.exists(spec.cached)))"
)


class Unavailable(Exception):
    """An environment cannot be made; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One interpreter with what is installed for it."""

    name: str
    python: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """What its processes need beyond a clean environment."""

    def script(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs a file of `scripts/` as it is."""
        return [str(self.python), str(REPOSITORY / "benchmarks" / "scripts" / name), *arguments]

    def module(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs a module of `scripts/` that uses `meter`."""
        return [str(self.python), "-m", f"benchmarks.scripts.{name}", *arguments]

    def command(self, name: str, module: str, *arguments: str) -> list[str]:
        """Return the command of a console script; of its module where no script is installed."""
        script = self.python.parent / name
        if self.variables or not script.exists():
            return [str(self.python), "-m", module, *arguments]
        return [str(script), *arguments]


def here() -> Environment:
    """Return the running interpreter with this source tree: for a trial, not for figures."""
    return Environment("here", Path(sys.executable), {"PYTHONPATH": str(REPOSITORY)})


def install(name: str, directory: Path) -> Environment:
    """Return the environment of that name, made or brought up to date under `directory`.

    Args:
        name: `ours`, or a name of `PACKAGES`.
        directory: where environments are kept.

    Raises:
        Unavailable: something cannot be installed.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    root = directory / f"bench-{name}-{version}"
    environment = Environment(name, root / "bin" / "python")
    complete = root / "complete"
    if not complete.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(root)])
        # Newer versions write console scripts that do not import `re`.
        _pip(environment, "--upgrade", "pip")
        _pip(environment, str(REPOSITORY) if name == "ours" else PACKAGES[name])
        complete.touch()
    elif name == "ours":
        _pip(environment, "--force-reinstall", "--no-deps", str(REPOSITORY))
    _check_bytecode(environment, "llm_client" if name == "ours" else name)
    return environment


def _pip(environment: Environment, *arguments: str) -> None:
    _run([str(environment.python), "-m", "pip", "install", "--quiet", "--compile", *arguments])


def _check_bytecode(environment: Environment, module: str) -> None:
    """Make sure that no start is measured that compiles first."""
    check = [str(environment.python), "-I", "-c", _BYTECODE_CHECK, module]
    if subprocess.run(check, check=False, capture_output=True).returncode != 0:
        raise Unavailable(f"{module} is installed without bytecode")


def _run(command: list[str]) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=inherited)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Unavailable(lines[-1] if lines else f"exit status {done.returncode}")

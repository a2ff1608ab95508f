"""`llm-client config` in this process: as fast as a call, with everything between flags and streams.

A test that is about a terminal or about a process of its own uses `terminal.py` or `program.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from llm_client.cli.app import run

__all__ = ["Ran", "RunConfig", "config_file", "runner"]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    text: str
    """Of stdout."""
    said: str
    """On stderr."""

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.text)

    @property
    def rows(self) -> dict[str, tuple[str, str]]:
        """Value and source by key, of `config show`."""
        lines = (line.split("\t") for line in self.text.splitlines())
        return {key: (value, source) for key, value, source in lines}


RunConfig: TypeAlias = Callable[..., Ran]


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """Return what runs `llm-client` with arguments."""

    def run_it(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["llm-client", *arguments])
        capsys.readouterr()
        status = run()
        text, said = capsys.readouterr()
        return Ran(status, text, said)

    return run_it


def config_file(home: Path, text: str | None = None) -> Path:
    """Return the path of the configuration file of a home, which is written if there is a text."""
    file = home / ".config" / "llm_client" / "config.toml"
    if text is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
    return file

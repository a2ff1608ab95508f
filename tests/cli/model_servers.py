"""Providers on loopback for the tests of `llm-client models`: an environment with their addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import FaultServer, Script, fault_server, respond

KEY = "sk-test-0123456789"
JSON = [("Content-Type", "application/json")]


def listed(*rows: str | dict[str, Any], delay: float = 0.0) -> Script:
    """Answer with a model list in OpenAI's form."""
    data = [{"id": row} if isinstance(row, str) else row for row in rows]
    return respond(200, JSON, json.dumps({"data": data}).encode(), delay=delay)


def ollama(*names: str) -> Script:
    """Answer with a model list as Ollama sends it."""
    rows = [{"name": name, "capabilities": ["completion"]} for name in names]
    return respond(200, JSON, json.dumps({"models": rows}).encode())


def gemini(*names: str) -> Script:
    """Answer with a model list as Google sends it."""
    rows = [
        {"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]}
        for name in names
    ]
    return respond(200, JSON, json.dumps({"models": rows}).encode())


@contextmanager
def providers(
    monkeypatch: pytest.MonkeyPatch, **scripts: Script | tuple[Script, ...]
) -> Iterator[dict[str, FaultServer]]:
    """Serve providers of the catalog, all with a key that is set."""
    with ExitStack() as stack:
        servers = {}
        for name, script in scripts.items():
            said = script if isinstance(script, tuple) else (script,)
            servers[name] = stack.enter_context(fault_server(*said))
            monkeypatch.setenv(f"LLM_CLIENT_{name.upper()}_BASE_URL", servers[name].url)
            monkeypatch.setenv(f"LLM_CLIENT_{name.upper()}_API_KEY", KEY)
        yield servers


def configure(home: Path, text: str) -> None:
    """Write the configuration file of the test's home."""
    file = home / ".config" / "llm_client" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def grow_old(home: Path, seconds: float = 7200.0) -> None:
    """Let every stored list have been asked for so long ago."""
    for file in (home / ".cache" / "llm_client" / "models").glob("*.json"):
        content = json.loads(file.read_bytes())
        file.write_text(json.dumps({**content, "time": content["time"] - seconds}))

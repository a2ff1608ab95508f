"""Servers by name, a configuration over them, and one call by either client.

Owns who was asked and what was told; what must come of it is the tests'.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from llm_client import AsyncLLMClient, AttemptRecord, LLMClient, LLMResponse
from llm_client.types.events import Event, Notice

from .counting_server import chat
from .fault_server import FaultServer, fault_server

__all__ = ["World", "ask_once"]


def ask_once(
    mode: str, prompt: Any, call: dict[str, Any], *arguments: Any, **options: Any
) -> LLMResponse:
    """Make a client, ask it once, and close it.

    Args:
        mode: `sync` or `async`.
        prompt: what is asked.
        call: options of the call.
        arguments: of the client.
        options: of the client.
    """

    async def later() -> LLMResponse:
        async with AsyncLLMClient(*arguments, **options) as client:
            return await client.generate(prompt, **call)

    if mode == "async":
        return asyncio.run(later())
    with LLMClient(*arguments, **options) as client:
        return client.generate(prompt, **call)


class World:
    """Servers by name, a configuration over them, and what was told of the calls."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._file = folder / "config.toml"
        self._stack = stack
        self.servers: dict[str, FaultServer] = {}
        self.events: list[Event] = []

    def serve(self, *names: str, **broken: Any) -> None:
        """Start a server that answers with its name, or as it is told."""
        for name in [*names, *broken]:
            script = broken.get(name, chat(name))
            self.servers[name] = self._stack.enter_context(fault_server(script))

    def write(self, text: str, **options: str) -> dict[str, Any]:
        """Write the configuration; return how a client is made with it.

        Args:
            text: everything but the providers.
            options: of providers, as TOML.
        """
        for name, server in self.servers.items():
            text += f'\n[providers.{name}]\nbase_url = "{server.url}/v1"\n{options.get(name, "")}\n'
        self._file.write_text(text)
        return {"config_path": self._file, "observe": self.events.append}

    @property
    def asked(self) -> list[str]:
        """Who was sent a request, each once for every request."""
        return [name for name, server in self.servers.items() for _ in server.requests]

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    @property
    def profiles(self) -> list[str | None]:
        return [e.labels.profile for e in self.events if isinstance(e, AttemptRecord)]

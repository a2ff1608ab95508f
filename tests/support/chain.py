"""Calls with a chain of servers, by both clients, streamed and whole, and what the ledger has of them.

Owns the ways of making a call and the answers of the servers; what must come of it is the tests'.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_client import AsyncLLMClient, LLMClient, LLMConfig, LLMError, LLMResponse
from llm_client.storage.paths import data_dir
from llm_client.types.events import AttemptRecord, Event

from .fault_server import FaultServer, Received, Script, Wire, respond

__all__ = [
    "EVENTS",
    "MODES",
    "Played",
    "answer",
    "configs",
    "event",
    "ledger",
    "pauses",
    "play",
    "whole",
]

JSON = [("Content-Type", "application/json")]
EVENTS = [("Content-Type", "text/event-stream")]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
MODES = ["sync-whole", "sync-streamed", "async-whole", "async-streamed"]
"""How a call is made."""


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def answer(text: str = "Hello") -> Script:
    """Answer whole or as a stream, as it was asked."""
    message = {"role": "assistant", "content": text}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}
    begun = {"choices": [{"index": 0, "delta": {"content": text}}]}
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE}
    streamed = event(begun) + event(ended) + b"data: [DONE]\n\n"

    def script(wire: Wire, request: Received) -> bool:
        if json.loads(request.body).get("stream"):
            return respond(headers=EVENTS, body=streamed)(wire, request)
        return respond(headers=JSON, body=json.dumps(whole).encode())(wire, request)

    return script


def whole(*headers: tuple[str, str]) -> Script:
    """Answer, with these headers."""
    message = {"role": "assistant", "content": "Hello"}
    body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}
    return respond(headers=[*JSON, *headers], body=json.dumps(body).encode())


@dataclass
class Played:
    response: LLMResponse | None
    error: LLMError | None
    text: str
    """What was shown while streaming."""
    events: list[Event]

    @property
    def records(self) -> list[AttemptRecord]:
        return [event for event in self.events if isinstance(event, AttemptRecord)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def configs(servers: Sequence[FaultServer], **first: Any) -> LLMConfig:
    """Return the configuration of a client whose fallbacks are the other servers."""
    chain = [
        LLMConfig(base_url=f"{server.url}/v1", model=f"m{number}")
        for number, server in enumerate(servers)
    ]
    return LLMConfig(
        base_url=chain[0].base_url,
        model="m0",
        fallback_configs=chain[1:],
        **{"retry_delay": 0.01, **first},
    )


def play(mode: str, config: LLMConfig | str, prompt: str = "hi", **options: Any) -> Played:
    """Make one call, as the mode says."""
    path = options.pop("config_path", None)
    played = Played(None, None, "", [])
    try:
        if mode.startswith("async"):
            asyncio.run(_play_async(mode, config, path, prompt, options, played))
        else:
            _play_sync(mode, config, path, prompt, options, played)
    except LLMError as error:
        played.error = error
    return played


def _play_sync(
    mode: str, config: LLMConfig | str, path: Path | None, prompt: str, options: Any, played: Played
) -> None:
    with LLMClient(config, config_path=path, observe=played.events.append) as client:
        if mode.endswith("whole"):
            played.response = client.generate(prompt, **options)
            return
        with client.stream(prompt, **options) as stream:
            for chunk in stream:
                played.text += chunk.delta
            played.response = stream.response


async def _play_async(
    mode: str, config: LLMConfig | str, path: Path | None, prompt: str, options: Any, played: Played
) -> None:
    async with AsyncLLMClient(config, config_path=path, observe=played.events.append) as client:
        if mode.endswith("whole"):
            played.response = await client.generate(prompt, **options)
            return
        async with client.stream(prompt, **options) as stream:
            async for chunk in stream:
                played.text += chunk.delta
            played.response = stream.response


def ledger() -> list[tuple[int, int, int, str]]:
    """Return what the ledger has of every attempt: number, retry, position, outcome."""
    with closing(sqlite3.connect(data_dir(os.environ) / "ledger.db")) as connection:
        rows = connection.execute(
            "SELECT attempt, retry, fallback, outcome FROM attempts ORDER BY id"
        )
        return list(rows)


def pauses() -> list[float]:
    with closing(sqlite3.connect(data_dir(os.environ) / "ledger.db")) as connection:
        return [until for (until,) in connection.execute("SELECT until FROM pauses")]

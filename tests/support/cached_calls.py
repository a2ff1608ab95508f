"""What the tests of the response cache share: servers to ask, and each way of asking them once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig, LLMResponse, StreamChunk

from .fault_server import FaultServer, Received, Script, Wire, respond

__all__ = [
    "JSON",
    "KEY",
    "PRICED",
    "WAYS",
    "Ask",
    "answers_and_models",
    "ask_streamed",
    "ask_whole",
    "config_for",
    "configured",
    "unnamed",
    "ways",
    "whole",
]

JSON = [("Content-Type", "application/json")]
KEY = "sk-test-0123456789"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PRICED = "gpt-4o-mini"


def body_of(content: str | None = "Hello", finish: str = "stop", **message: Any) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": finish,
    }
    return json.dumps(
        {"id": "r-1", "model": "gpt-4o-mini-2024", "choices": [choice], "usage": USAGE}
    ).encode()


def whole(content: str | None = "Hello", finish: str = "stop", **message: Any) -> Script:
    return respond(headers=JSON, body=body_of(content, finish, **message))


def answers_and_models(*models: str) -> Script:
    """Answer questions, and list models."""
    listed = json.dumps({"data": [{"id": name} for name in models]}).encode()

    def script(wire: Wire, request: Received) -> bool:
        is_list = request.method == "GET"
        return respond(headers=JSON, body=listed if is_list else body_of())(wire, request)

    return script


Ask = Callable[..., tuple[LLMResponse, list[StreamChunk]]]
"""Makes one call with a new client; returns its answer and its chunks, if it was streamed."""


def config_for(server: FaultServer, **more: Any) -> LLMConfig:
    fields = {
        "provider": "openai",
        "base_url": server.url,
        "api_key": KEY,
        "dialect": "openai-chat",
        "model": PRICED,
        "max_retries": 0,
    }
    return LLMConfig(**{**fields, **more})


def unnamed(server: FaultServer, **more: Any) -> LLMConfig:
    """Return a configuration that leaves the model to the server."""
    return LLMConfig(base_url=server.url, **{"max_retries": 0, **more})


def ask_whole(config: LLMConfig, prompt: Any, **options: Any) -> Any:
    with LLMClient(config) as client:
        return client.generate(prompt, **options), []


def ask_streamed(config: LLMConfig, prompt: Any, **options: Any) -> Any:
    with LLMClient(config) as client, client.stream(prompt, **options) as stream:
        chunks = list(stream)
        return stream.response, chunks


def ask_whole_async(config: LLMConfig, prompt: Any, **options: Any) -> Any:
    async def main() -> LLMResponse:
        async with AsyncLLMClient(config) as client:
            return await client.generate(prompt, **options)

    return asyncio.run(main()), []


def ask_streamed_async(config: LLMConfig, prompt: Any, **options: Any) -> Any:
    async def main() -> tuple[LLMResponse, list[StreamChunk]]:
        async with AsyncLLMClient(config) as client, client.stream(prompt, **options) as stream:
            chunks = [chunk async for chunk in stream]
            return stream.response, chunks

    return asyncio.run(main())


WAYS: dict[str, Ask] = {
    "whole": ask_whole,
    "streamed": ask_streamed,
    "async whole": ask_whole_async,
    "async streamed": ask_streamed_async,
}
ways = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS.keys())


def configured(home: Path, text: str) -> None:
    path = home / ".config" / "llm_client" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

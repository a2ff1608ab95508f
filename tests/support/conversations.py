"""Conversations with one client, sync or async, for tests of what prompts become.

Owns how a client is made, asked several times and closed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from llm_client import AsyncLLMClient, ContextLengthError, LLMClient, LLMConfig, Message
from llm_client.types.events import Event, Notice

from .fault_server import FaultServer

__all__ = ["LONG", "MODES", "config", "converse", "notices", "talk"]

MODES = ["sync", "async"]
LONG = "word " * 20_000


def converse(
    mode: str, prompts: list[Any], *arguments: Any, listed: bool = False, **options: Any
) -> list[Any]:
    """Ask one client several prompts, one after another; return what came of them.

    Args:
        mode: one of `MODES`.
        prompts: what is asked.
        arguments: of the client.
        listed: whether its models are listed before.
        options: of the client.

    Returns:
        Answers, and a `ContextLengthError` in the place of one.
    """
    if mode == "async":
        return asyncio.run(_converse(prompts, arguments, listed, options))
    results: list[Any] = []
    with LLMClient(*arguments, **options) as client:
        if listed:
            client.list_models()
        for prompt in prompts:
            try:
                results.append(client.generate(prompt))
            except ContextLengthError as error:
                results.append(error)
    return results


async def _converse(
    prompts: list[Any], arguments: Any, listed: bool, options: dict[str, Any]
) -> list[Any]:
    results: list[Any] = []
    async with AsyncLLMClient(*arguments, **options) as client:
        if listed:
            await client.list_models()
        for prompt in prompts:
            try:
                results.append(await client.generate(prompt))
            except ContextLengthError as error:
                results.append(error)
    return results


def config(server: FaultServer, **options: Any) -> LLMConfig:
    return LLMConfig(base_url=server.url, model="m", max_retries=0, **options)


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def talk(turns: int, words: int = 100) -> list[Message]:
    """Return a conversation of questions and answers that can be told apart."""
    messages = [Message("system", "Be brief.")]
    for turn in range(turns):
        messages.append(Message("user", f"question{turn} " + "word " * words))
        messages.append(Message("assistant", f"answer{turn} " + "word " * words))
    return [*messages, Message("user", "last question")]

"""What the tests of the response cache share: a question, answers, a clock, a look into the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from llm_client.providers.catalog import CATALOG
from llm_client.types.content import ProviderState
from llm_client.types.messages import Message, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, Usage
from llm_client.types.target import Target

__all__ = ["ANSWER", "REQUEST", "TARGET", "WallClock", "ask", "change", "rows", "say"]

TARGET = Target(CATALOG["openai"], "gpt", "https://api.test/v1")
REQUEST = LLMRequest((Message("user", "hi"),))
ANSWER = LLMResponse(
    "Grüße \U0001f600 \ud83d",
    "gpt-2026",
    "openai",
    "tool_calls",
    response_id="r-1",
    usage=Usage(10, 5, 15, 3, 2, 1, 0.25, True, 11, 6),
    tool_calls=(ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "{}")),
    reasoning="Hm.",
    provider_state=ProviderState(
        "openai", "openai-responses", ({"id": "rs_1", "x": [1, None, {"y": "z"}]}, {}), "gpt"
    ),
)


class WallClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def ask(text: str) -> LLMRequest:
    return LLMRequest((Message("user", text),))


def say(text: str) -> LLMResponse:
    return LLMResponse(text, "gpt", "openai", "stop")


def rows(directory: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(directory / "responses.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def change(directory: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(directory / "responses.db")
    try:
        with connection:
            connection.execute(statement, values)
    finally:
        connection.close()

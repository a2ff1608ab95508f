"""A chat server on loopback that counts words as tokens and refuses a prompt over its window.

Owns what such a server answers, in OpenAI's words; it is a script for `fault_server`, so that the
requests it was sent can be looked at.
"""

from __future__ import annotations

import json
from typing import Any

from .fault_server import Received, Script, Wire, respond

__all__ = ["asked_texts", "body_of", "chat", "words_of"]

JSON = [("Content-Type", "application/json")]


def body_of(request: Received) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.body)
    return body


def asked_texts(request: Received) -> list[str]:
    """Return the texts of the messages that were sent."""
    return [str(message["content"]) for message in body_of(request)["messages"]]


def words_of(request: Received) -> int:
    return sum(len(text.split()) for text in asked_texts(request))


def chat(
    text: str = "yes",
    *,
    window: int | None = None,
    tokens_a_word: int = 1,
    figures: bool = True,
    summary: str = "SHORT",
    listed: int | None = None,
) -> Script:
    """Answer every request.

    Args:
        text: the answer.
        window: tokens that it reads; `None`: any number.
        tokens_a_word: how its tokenizer differs from the estimates of others.
        figures: whether a refusal tells the window and the length.
        summary: the answer to a request for a summary; empty: an empty one.
        listed: the window in its list of models.
    """

    def script(wire: Wire, request: Received) -> bool:
        if request.path.endswith("/models"):
            row: dict[str, Any] = {"id": "m", "object": "model"}
            row |= {"context_length": listed} if listed is not None else {}
            return respond(200, JSON, json.dumps({"data": [row]}).encode())(wire, request)
        tokens = words_of(request) * tokens_a_word
        if window is not None and tokens > window:
            said = (
                f"maximum context length is {window} tokens. However, your messages resulted in "
                f"{tokens} tokens."
            )
            error = {
                "message": said if figures else "The prompt does not fit.",
                "code": "context_length_exceeded",
            }
            return respond(400, JSON, json.dumps({"error": error}).encode())(wire, request)
        answer = summary if asked_texts(request)[0].startswith("Summarise") else text
        usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
        body = {
            "choices": [{"message": {"content": answer}, "finish_reason": "stop"}],
            "usage": usage,
        }
        return respond(200, JSON, json.dumps(body).encode())(wire, request)

    return script

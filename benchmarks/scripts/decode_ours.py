"""Decoding without a network: one answer of many small events, one of few large ones.

Arguments: dialect, events, megabytes of the large answers. The events have the shapes that the
providers send (2026-11), with what surrounds the text.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from llm_client.dialects import find_dialect
from llm_client.dialects.base import Dialect
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import Fold
from llm_client.types.target import ProviderSpec, Target

_WORD = "word "
_READ = 16_384
"""Bytes of one read from a socket."""
_CHAT = {"id": "c-1", "object": "chat.completion.chunk", "created": 1795160017, "model": "m"}
_OLLAMA = {"model": "m", "created_at": "2026-11-20T07:51:23.611421533Z"}


def _sse(payload: Any, event: str = "") -> bytes:
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def _named(payload: dict[str, Any]) -> bytes:
    return _sse(payload, payload["type"])


def _chat(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _sse({**_CHAT, "service_tier": "default", "choices": [choice], "usage": None})


def _completion(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return _sse({**_CHAT, "object": "text_completion", "choices": [choice]})


def _gemini(text: str, **fields: Any) -> bytes:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **fields}
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 9, "totalTokenCount": 14}
    payload = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}
    return _sse({**payload, "responseId": "r-1"})


def _ollama(text: str, **fields: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({**_OLLAMA, "message": message, "done": False, **fields}).encode() + b"\n"


def _anthropic(text: str) -> tuple[bytes, bytes, bytes]:
    usage = {"input_tokens": 5, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    block = {"type": "content_block_start", "index": 0}
    return (
        _named({"type": "message_start", "message": {**message, "usage": usage}})
        + _named({**block, "content_block": {"type": "text", "text": ""}}),
        _named(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
        ),
        _named({"type": "content_block_stop", "index": 0})
        + _named({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
        + _named({"type": "message_stop"}),
    )


def _cohere(text: str) -> tuple[bytes, bytes, bytes]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
    content = {"message": {"content": {"type": "text", "text": ""}}}
    return (
        _named({"id": "i-1", "type": "message-start", "delta": {"message": start}})
        + _named({"type": "content-start", "index": 0, "delta": content}),
        _named(
            {
                "type": "content-delta",
                "index": 0,
                "delta": {"message": {"content": {"text": text}}},
            }
        ),
        _named({"type": "content-end", "index": 0})
        + _named({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
    )


def _responses(text: str) -> tuple[bytes, bytes, bytes]:
    response = {"id": "resp_1", "object": "response", "model": "m", "output": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    return (
        _named({"type": "response.created", "response": {**response, "status": "in_progress"}})
        + _named({"type": "response.output_item.added", "output_index": 0, "item": item})
        + _named({"type": "response.content_part.added", **at, "part": part}),
        _named(
            {
                "type": "response.output_text.delta",
                "sequence_number": 7,
                **at,
                "delta": text,
                "logprobs": [],
            }
        ),
        _named({"type": "response.completed", "response": {**response, "status": "completed"}}),
    )


STREAMS: dict[str, Callable[[str], tuple[bytes, bytes, bytes]]] = {
    "anthropic": _anthropic,
    "cohere": _cohere,
    "gemini": lambda text: (b"", _gemini(text), _gemini("", finishReason="STOP")),
    "ollama": lambda text: (b"", _ollama(text), _ollama("", done=True, done_reason="stop")),
    "openai-chat": lambda text: (
        _chat({"role": "assistant", "content": ""}),
        _chat({"content": text}),
        _chat({}, "stop") + b"data: [DONE]\n\n",
    ),
    "openai-completions": lambda text: (
        b"",
        _completion(text),
        _completion("", "stop") + b"data: [DONE]\n\n",
    ),
    "openai-responses": _responses,
}
"""What comes before the text, one event with text, and what comes behind it."""


def floor_us(event: bytes, events: int) -> float:
    """Return the CPU of splitting the lines and parsing their JSON, in microseconds an event."""
    body = event * events
    started = time.process_time()
    for line in body.split(b"\n"):
        if line[:1] == b"{":
            json.loads(line)
        elif line[:5] == b"data:":
            json.loads(line[5:])
    return (time.process_time() - started) / events * 1e6


def decode_seconds(dialect: Dialect, where: Target, body: bytes, characters: int) -> float:
    """Return the CPU of decoding a body, read by read, into the whole answer.

    Raises:
        SystemExit: the answer is not what was sent, so there is nothing to compare.
    """
    started = time.process_time()
    decoder, fold = dialect.decoder(where), Fold()
    for at in range(0, len(body), _READ):
        for chunk in decoder.feed(body[at : at + _READ]):
            if chunk.error is not None:
                raise chunk.error
            fold.add(chunk)
    if not decoder.done:
        for chunk in decoder.end():
            if chunk.error is not None:
                raise chunk.error
            fold.add(chunk)
    took = time.process_time() - started
    if len(fold.text) != characters:
        raise SystemExit(f"{len(fold.text)} characters of {characters}")
    return took


def encode_seconds(dialect: Dialect, where: Target, text: str) -> float:
    """Return the CPU of encoding a conversation with a long answer in it."""
    messages = (Message("user", "hi"), Message("assistant", text), Message("user", "and?"))
    started = time.process_time()
    body = dialect.encode(LLMRequest(messages, max_tokens=9), where).body
    took = time.process_time() - started
    if body is None or len(body) < len(text):
        raise SystemExit("the conversation was not encoded")
    return took


def main() -> None:
    """Measure one dialect and print the figures."""
    name, events, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dialect = find_dialect(name)
    address = "http://localhost:1"
    where = Target(ProviderSpec("bench", address, name), "m", address)
    head, event, tail = STREAMS[name](_WORD)
    decode_seconds(dialect, where, head + event * 100 + tail, 100 * len(_WORD))
    few = decode_seconds(dialect, where, head + event * events + tail, events * len(_WORD))
    many = decode_seconds(dialect, where, head + event * events * 4 + tail, events * len(_WORD) * 4)
    long = _WORD * (megabytes * 1_000_000 // len(_WORD))
    head, large, tail = STREAMS[name](long)
    figures = {
        "us_per_chunk": few / events * 1e6,
        "floor_us": floor_us(event, events),
        "growth": many / few / 4,
        "large_event_ms": decode_seconds(dialect, where, head + large + tail, len(long)) * 1e3,
    }
    if name != "openai-completions":  # it takes one prompt, no conversation
        figures["encode_ms"] = encode_seconds(dialect, where, long) * 1e3
    print(json.dumps(figures))


main()

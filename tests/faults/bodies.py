"""Right answers and errors as three dialects write them, for the server that misbehaves.

Owns the bytes. What of them is sent, and when the connection dies, is the business of
`behaviours.py`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["BODIES", "PROVIDERS", "Bodies", "Reported"]


@dataclass(frozen=True)
class Reported:
    """The tokens that a provider says it counted."""

    prompt: int
    completion: int


def _sse(payload: object, event: str = "") -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


class Bodies(ABC):
    """One dialect."""

    content_type = "text/event-stream"

    def before(self, model: str, usage: Reported | None) -> list[bytes]:
        """Return the events that come before the text."""
        return []

    @abstractmethod
    def piece(self, model: str, text: str) -> bytes:
        """Return the event of one piece of text."""
        ...

    @abstractmethod
    def after(self, model: str, usage: Reported | None) -> list[bytes]:
        """Return the events that end an answer."""
        ...

    @abstractmethod
    def whole(self, model: str, text: str, usage: Reported | None) -> bytes:
        """Return an answer in one piece."""
        ...

    def error(self, kind: str, message: str, **more: Any) -> bytes:
        """Return the body of an error."""
        return json.dumps({"error": {"message": message, "type": kind, **more}}).encode()

    def error_event(self, kind: str, message: str) -> bytes:
        """Return an error between the events of a stream."""
        return b"data: " + self.error(kind, message) + b"\n\n"


class _OpenAIChat(Bodies):
    def _chunk(self, model: str, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _sse({"id": "chatcmpl-1", "model": model, "choices": [choice]})

    def before(self, model: str, usage: Reported | None) -> list[bytes]:
        return [self._chunk(model, {"role": "assistant", "content": ""})]

    def piece(self, model: str, text: str) -> bytes:
        return self._chunk(model, {"content": text})

    def after(self, model: str, usage: Reported | None) -> list[bytes]:
        events = [self._chunk(model, {}, "stop")]
        if usage is not None:
            counts = self._usage(usage)
            events.append(_sse({"id": "chatcmpl-1", "model": model, "choices": [], **counts}))
        return [*events, b"data: [DONE]\n\n"]

    def whole(self, model: str, text: str, usage: Reported | None) -> bytes:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        counts = {} if usage is None else self._usage(usage)
        body = {"id": "chatcmpl-1", "model": model, "choices": [choice], **counts}
        return json.dumps(body).encode()

    def _usage(self, usage: Reported) -> dict[str, Any]:
        total = usage.prompt + usage.completion
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        counts = (usage.prompt, usage.completion, total)
        return {"usage": dict(zip(names, counts, strict=True))}


class _Anthropic(Bodies):
    def before(self, model: str, usage: Reported | None) -> list[bytes]:
        message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant"}
        message |= {"model": model}
        message |= {"content": [], "stop_reason": None, **self._usage(usage, 1)}
        block = {"type": "text", "text": ""}
        return [
            self._event("message_start", message=message),
            self._event("content_block_start", index=0, content_block=block),
            self._event("ping"),
        ]

    def piece(self, model: str, text: str) -> bytes:
        delta = {"type": "text_delta", "text": text}
        return self._event("content_block_delta", index=0, delta=delta)

    def after(self, model: str, usage: Reported | None) -> list[bytes]:
        counts = {} if usage is None else {"usage": {"output_tokens": usage.completion}}
        return [
            self._event("content_block_stop", index=0),
            self._event("message_delta", delta={"stop_reason": "end_turn"}, **counts),
            self._event("message_stop"),
        ]

    def whole(self, model: str, text: str, usage: Reported | None) -> bytes:
        message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant"}
        message |= {"model": model, "content": [{"type": "text", "text": text}]}
        counts = self._usage(usage, usage.completion if usage else 0)
        return json.dumps({**message, "stop_reason": "end_turn", **counts}).encode()

    def error(self, kind: str, message: str, **more: Any) -> bytes:
        inner = {"type": kind, "message": message, **more}
        return json.dumps({"type": "error", "error": inner}).encode()

    def error_event(self, kind: str, message: str) -> bytes:
        return b"event: error\ndata: " + self.error(kind, message) + b"\n\n"

    def _event(self, type: str, **fields: Any) -> bytes:
        return _sse({"type": type, **fields}, type)

    def _usage(self, usage: Reported | None, output: int) -> dict[str, Any]:
        if usage is None:
            return {}
        return {"usage": {"input_tokens": usage.prompt, "output_tokens": output}}


class _Ollama(Bodies):
    content_type = "application/x-ndjson"

    def piece(self, model: str, text: str) -> bytes:
        return self._line(model, text, done=False)

    def after(self, model: str, usage: Reported | None) -> list[bytes]:
        return [self._line(model, "", done=True, done_reason="stop", **self._usage(usage))]

    def whole(self, model: str, text: str, usage: Reported | None) -> bytes:
        return self._line(model, text, done=True, done_reason="stop", **self._usage(usage))

    def error(self, kind: str, message: str, **more: Any) -> bytes:
        return json.dumps({"error": message}).encode()

    def error_event(self, kind: str, message: str) -> bytes:
        return self.error(kind, message) + b"\n"

    def _line(self, model: str, text: str, **fields: Any) -> bytes:
        message = {"role": "assistant", "content": text}
        return json.dumps({"model": model, "message": message, **fields}).encode() + b"\n"

    def _usage(self, usage: Reported | None) -> dict[str, int]:
        if usage is None:
            return {}
        return {"prompt_eval_count": usage.prompt, "eval_count": usage.completion}


BODIES: Final[dict[str, Bodies]] = {
    "openai-chat": _OpenAIChat(),
    "anthropic": _Anthropic(),
    "ollama": _Ollama(),
}
PROVIDERS: Final = {"alpha": "openai-chat", "beta": "anthropic", "gamma": "ollama"}
"""The providers of the configuration, with their dialects."""

"""Ollama's own API: `POST /api/chat`, `GET /api/tags`.

Spoken natively and not through its OpenAI-compatible `/v1`, which has no `num_ctx`, truncates the
prompt silently and swallows errors in mid-stream (WIRE.md §§0.5, 6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..exceptions import LLMError, StreamInterruptedError, ValidationError
from ..types.http import Head, HttpRequest
from ..types.messages import Message, Tool
from ..types.models import ModelInfo
from ..types.request import LLMRequest
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.ndjson import NDJSONDecoder
from .errors import answer_error, not_an_answer, stream_error
from .http import json_request

__all__ = ["Ollama", "OllamaDecoder"]

_TOP_LEVEL = frozenset(
    {"format", "keep_alive", "logprobs", "shift", "think", "top_logprobs", "truncate"}
)
"""Fields of the request itself; every other provider-specific field belongs into `options`."""


class Ollama:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        if request.tool_choice not in {None, "auto"}:
            raise ValidationError(
                f"Ollama cannot be told tool_choice {request.tool_choice!r}: it only knows auto.",
                param="tool_choice",
            )
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [_encode_message(message) for message in request.messages],
            # Its default is true, also for a request that says nothing.
            "stream": request.stream,
            # Its default is to cut off the start of a prompt that is too long, silently.
            "truncate": False,
        }
        options: dict[str, Any] = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "num_predict": request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
        }
        if request.tools:
            body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if request.schema is not None:
            body["format"] = dict(request.schema)
        for name, value in {**target.options, **request.extra_body}.items():
            (body if name in _TOP_LEVEL else options)[name] = value
        options = {name: value for name, value in options.items() if value is not None}
        if options:
            body["options"] = options
        return json_request(
            "POST",
            "/api/chat",
            target,
            body,
            stream=request.stream,
            stream_type="application/x-ndjson",
        )

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole: a stream of one line."""
        decoder = OllamaDecoder(target, keep_raw=True)
        chunks = decoder.feed(body)
        return chunks if decoder.done else chunks + decoder.end()

    def decoder(self, target: Target) -> OllamaDecoder:
        """Return a decoder for one streamed answer."""
        return OllamaDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        error = answer_error(head, body, target)
        if head.status == 403 and not body:
            # Ollama's answer to an `Origin` or `Host` that it does not know.
            error.hint = "Ollama refuses this host name: start it with OLLAMA_ORIGINS set to it."
        return error

    def encode_models(self, target: Target) -> HttpRequest:
        """Return the request for the model list."""
        return json_request("GET", "/api/tags", target)

    def decode_models(self, body: bytes, target: Target) -> list[ModelInfo]:
        """Return the models that the answer lists."""
        try:
            rows = json.loads(body)["models"]
            return [_model(row, target) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise not_an_answer("something that lists no models", target, body) from None


def _encode_message(message: Message) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    encoded: dict[str, Any] = {"role": role, "content": message.content}
    if message.reasoning:
        encoded["thinking"] = message.reasoning
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.name is not None and message.role == "tool":
        encoded["tool_name"] = message.name
    if message.tool_calls:
        encoded["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": _object(call.arguments)}}
            for call in message.tool_calls
        ]
    return encoded


def _object(arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValidationError(
            f"The arguments {arguments!r} of a tool call are no JSON object, which Ollama needs.",
            param="tool_calls",
        )
    return value


def _encode_tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    details = row.get("details") or {}
    described = (details.get("parameter_size"), details.get("quantization_level"))
    return ModelInfo(
        id=str(row["name"]),
        provider=target.provider.name,
        owned_by=details.get("family") or None,
        context_length=details.get("context_length"),
        description=" ".join(filter(None, described)) or None,
    )


class OllamaDecoder:
    """Decodes one answer: NDJSON, the last line has `done: true`."""

    __slots__ = ("_calls", "_keep_raw", "_lines", "_saw_line", "_target", "done")

    def __init__(self, target: Target, *, keep_raw: bool = False) -> None:
        self._target = target
        self._lines = NDJSONDecoder()
        self._calls = 0
        self._keep_raw = keep_raw
        self._saw_line = False
        self.done = False

    def feed(self, data: bytes) -> list[StreamChunk]:
        """Take the next bytes; return the chunks that they complete."""
        chunks: list[StreamChunk] = []
        for line in self._lines.feed(data):
            if self.done:
                break
            self._line(line, chunks)
        return chunks

    def end(self) -> list[StreamChunk]:
        """Take the end of the stream; without a `done` line the answer was cut."""
        chunks: list[StreamChunk] = []
        for line in self._lines.end():
            if not self.done:
                self._line(line, chunks, last=True)
        if not self.done:
            self.done = True
            error: LLMError
            if self._saw_line:
                error = StreamInterruptedError(
                    f"The stream from {self._target.provider.name} ended in the middle of the "
                    "answer."
                )
            else:
                error = not_an_answer("nothing", self._target)
            chunks.append(self._chunk(error=error))
        return chunks

    def _line(self, line: bytes, chunks: list[StreamChunk], *, last: bool = False) -> None:
        try:
            payload = json.loads(line.decode("utf-8", "replace"))
            error = payload.get("error")
        except (ValueError, AttributeError):
            if last and line[:1] == b"{":
                self._saw_line = True
                return
            self.done = True
            what = "an HTML page" if line[:1] == b"<" else "a line that is no JSON object"
            chunks.append(self._chunk(error=not_an_answer(what, self._target, line)))
            return
        self._saw_line = True
        if error:
            self.done = True
            chunks.append(self._chunk(error=stream_error(payload, self._target)))
            return
        model = payload.get("model") or ""
        message = payload.get("message") or {}
        content, thinking = message.get("content") or "", message.get("thinking") or ""
        if content or thinking:
            chunks.append(self._chunk(content, thinking, model=model))
        for call in message.get("tool_calls") or ():
            chunks.append(self._chunk(tool_call=self._tool_call(call), model=model))
        if payload.get("done"):
            self.done = True
            chunks.append(
                self._chunk(
                    is_done=True,
                    usage=_usage(payload),
                    finish_reason=payload.get("done_reason") or None,
                    model=model,
                    raw=payload if self._keep_raw else None,
                )
            )

    def _tool_call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        """Return a call, which always comes whole; its own index is always 0 in some versions."""
        function = call.get("function") or {}
        position = self._calls
        self._calls += 1
        return ToolCallDelta(
            position,
            call.get("id") or None,
            function.get("name"),
            json.dumps(function.get("arguments") or {}, ensure_ascii=False),
        )

    def _chunk(self, delta: str = "", reasoning: str = "", **fields: Any) -> StreamChunk:
        return StreamChunk(delta, reasoning, provider=self._target.provider.name, **fields)


def _usage(payload: Mapping[str, Any]) -> Usage | None:
    prompt, completion = payload.get("prompt_eval_count"), payload.get("eval_count")
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return Usage(prompt, completion, prompt + completion)

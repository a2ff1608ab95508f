"""Ollama's own API: `POST /api/chat`, `GET /api/tags`.

Spoken natively and not through its OpenAI-compatible `/v1`, which has no `num_ctx`, truncates the
prompt silently and swallows errors in mid-stream (WIRE.md §§0.5, 6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import AuthenticationError, LLMError, StreamInterruptedError, ValidationError
from ..types.http import Head, HttpRequest
from ..types.messages import Message, Tool
from ..types.request import LLMRequest
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from ..wire.ndjson import NDJSONDecoder
from .errors import answer_error, describe, not_an_answer, stream_error
from .http import json_request

if TYPE_CHECKING:
    from ..types.models import ModelInfo, ModelPage

__all__ = ["Ollama", "OllamaDecoder"]

_TOP_LEVEL = frozenset(
    {"format", "keep_alive", "logprobs", "shift", "think", "tools", "top_logprobs", "truncate"}
)
"""Fields of the request itself; every other provider-specific field belongs into `options`."""
_UNREADABLE = (AttributeError, TypeError, ValueError)
"""What reading a value of an unexpected type raises."""


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
        asked = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "num_predict": request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": [_encode_tool(tool) for tool in request.tools] or None,
            "format": dict(request.schema) if request.schema is not None else None,
        }
        options: dict[str, Any] = {}
        for fields in (target.options, asked, request.extra_body):
            for name, value in fields.items():
                if name == "options" and isinstance(value, Mapping):
                    options.update(value)
                elif value is not None:
                    (body if name in _TOP_LEVEL else options)[name] = value
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
        return OllamaDecoder(target, keep_raw=True).whole(body)

    def decoder(self, target: Target) -> OllamaDecoder:
        """Return a decoder for one streamed answer."""
        return OllamaDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        if head.status == 403 and not body:
            return _refused_host(target)
        error = answer_error(head, body, target)
        if head.status == 401 and (url := _sign_in_url(body)):
            error.hint = f"Sign in at {url}, or put a key into OLLAMA_API_KEY."
        return error

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list."""
        return json_request("GET", "/api/tags", target)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists."""
        from ..types.models import ModelPage

        try:
            rows = parse_json(body)["models"]
            return ModelPage([_model(row, target) for row in rows])
        except (KeyError, *_UNREADABLE):
            raise not_an_answer("something that lists no models", target, body) from None


def _refused_host(target: Target) -> AuthenticationError:
    name = target.provider.name
    return AuthenticationError(
        f"{name} refuses requests under the host name of {target.base_url} (403).",
        hint="Use `localhost` or an IP address as the host, or start the server with "
        "OLLAMA_HOST=0.0.0.0.",
        status=403,
        provider=name,
        model=target.model,
    )


def _sign_in_url(body: bytes) -> str | None:
    try:
        url = parse_json(body).get("signin_url")
    except _UNREADABLE:
        return None
    return url if isinstance(url, str) and url else None


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
    from ..types.models import ModelInfo

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
        if not self.done and self._saw_line:
            name = self._target.provider.name
            message = f"The stream from {name} ended in the middle of the answer."
            self._fail(StreamInterruptedError(message), chunks)
        elif not self.done:
            self._fail(not_an_answer("nothing", self._target), chunks)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole, or of a stream read to its end."""
        chunks: list[StreamChunk] = []
        try:
            payload = parse_json(body)
        except ValueError:
            chunks = self.feed(body)
            return chunks if self.done else chunks + self.end()
        if isinstance(payload, dict) and ("message" in payload or payload.get("error")):
            self._take(payload, body, chunks)
            return chunks if self.done else chunks + self.end()
        self._fail(not_an_answer("JSON without `message`", self._target, body), chunks)
        return chunks

    def _line(self, line: bytes, chunks: list[StreamChunk], *, last: bool = False) -> None:
        try:
            payload = parse_json(line)
        except ValueError:
            if last and line[:1] == b"{":
                self._saw_line = True
            else:
                self._fail(not_an_answer(describe(line), self._target, line), chunks)
            return
        self._take(payload, line, chunks)

    def _take(self, payload: Any, line: bytes, chunks: list[StreamChunk]) -> None:
        self._saw_line = True
        try:
            if payload.get("error"):
                self._fail(stream_error(payload, self._target), chunks)
                return
            self._take_message(payload, payload.get("message") or {}, chunks)
            if payload.get("done"):
                self._finish(payload, chunks)
        except _UNREADABLE:
            what = "a line that cannot be read"
            self._fail(not_an_answer(what, self._target, line), chunks)

    def _take_message(
        self, payload: dict[str, Any], message: dict[str, Any], chunks: list[StreamChunk]
    ) -> None:
        model = str(payload.get("model") or "")
        content, thinking = message.get("content") or "", message.get("thinking") or ""
        if not (isinstance(content, str) and isinstance(thinking, str)):
            raise TypeError
        if content or thinking:
            chunks.append(self._chunk(content, thinking, model=model))
        for call in message.get("tool_calls") or ():
            chunks.append(self._chunk(tool_call=self._tool_call(call), model=model))

    def _finish(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self.done = True
        chunks.append(
            self._chunk(
                is_done=True,
                usage=_usage(payload),
                finish_reason=payload.get("done_reason") or None,
                model=str(payload.get("model") or ""),
                raw=payload if self._keep_raw else None,
            )
        )

    def _fail(self, error: LLMError, chunks: list[StreamChunk]) -> None:
        self.done = True
        chunks.append(self._chunk(error=error, model=self._target.model))

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
    prompt, completion = int(prompt or 0), int(completion or 0)
    return Usage(prompt, completion, prompt + completion)

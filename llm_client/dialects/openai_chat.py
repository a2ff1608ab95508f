"""OpenAI Chat Completions: about a hundred providers and every local server speak it.

Owns `POST /chat/completions` and `GET /models`. What differs between the providers that speak it
is data in `Quirks`, or tolerated here because it cannot be confused with anything else
(WIRE.md §§1, 7, 11).
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
from ..wire.sse import SSEDecoder
from .errors import answer_error, not_an_answer, stream_error
from .http import json_request

__all__ = ["OpenAIChat", "OpenAIChatDecoder"]

_TOOL_CHOICES = frozenset({"auto", "none", "required"})


class OpenAIChat:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        quirks = target.provider.quirks
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [_encode_message(message) for message in request.messages],
        }
        if request.stream:
            body["stream"] = True
            if quirks.stream_options:
                body["stream_options"] = {"include_usage": True}
        optional = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            quirks.max_tokens_field: request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": [_encode_tool(tool) for tool in request.tools] or None,
            "tool_choice": _encode_tool_choice(request),
            "response_format": _encode_schema(request.schema),
        }
        body.update((name, value) for name, value in optional.items() if value is not None)
        body.update(target.options)
        body.update(request.extra_body)
        return json_request("POST", "/chat/completions", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        try:
            payload = json.loads(body)
        except ValueError:
            return [_failed(not_an_answer(_what(body), target, body), target)]
        choices = payload.get("choices") if isinstance(payload, dict) else None
        if isinstance(payload, dict) and payload.get("error"):
            return [_failed(stream_error(payload, target), target)]
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return [_failed(not_an_answer("JSON without `choices`", target, body), target)]
        decoder = OpenAIChatDecoder(target)
        chunks = decoder.whole(payload)
        return chunks

    def decoder(self, target: Target) -> OpenAIChatDecoder:
        """Return a decoder for one streamed answer."""
        return OpenAIChatDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target) -> HttpRequest:
        """Return the request for the model list."""
        return json_request("GET", "/models", target)

    def decode_models(self, body: bytes, target: Target) -> list[ModelInfo]:
        """Return the models that the answer lists; an empty body lists none (mlx_lm.server)."""
        if not body.strip():
            return []
        try:
            payload = json.loads(body)
        except ValueError:
            raise not_an_answer(_what(body), target, body) from None
        rows = payload.get("data") if isinstance(payload, dict) else payload
        if not isinstance(rows, list):
            raise not_an_answer("JSON that lists no models", target, body)
        return [_model(row, target) for row in rows if isinstance(row, dict) and row.get("id")]


def _encode_message(message: Message) -> dict[str, Any]:
    encoded: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        encoded["name"] = message.name
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        encoded["content"] = message.content or None
        encoded["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return encoded


def _encode_tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _encode_tool_choice(request: LLMRequest) -> object:
    choice = request.tool_choice
    if choice is None or choice in _TOOL_CHOICES:
        return choice
    if choice not in {tool.name for tool in request.tools}:
        raise ValidationError(
            f"tool_choice {choice!r} is neither a mode nor the name of a given tool.",
            hint="Use auto, none, required, or one of the tools' names.",
            param="tool_choice",
        )
    return {"type": "function", "function": {"name": choice}}


def _encode_schema(schema: Mapping[str, Any] | None) -> object:
    if schema is None:
        return None
    name = schema.get("title")
    return {
        "type": "json_schema",
        "json_schema": {
            "name": name if isinstance(name, str) and name.isidentifier() else "answer",
            "schema": dict(schema),
        },
    }


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    meta = row.get("meta")
    windows = (
        row.get("max_model_len"),  # vLLM
        row.get("context_length"),  # OpenRouter, Together
        meta.get("n_ctx") or meta.get("n_ctx_train") if isinstance(meta, dict) else None,
    )
    created = row.get("created")
    return ModelInfo(
        id=str(row["id"]),
        provider=target.provider.name,
        created=created if isinstance(created, int) else None,
        owned_by=row.get("owned_by"),
        context_length=next((value for value in windows if isinstance(value, int)), None),
        description=row.get("description"),
    )


class OpenAIChatDecoder:
    """Decodes one answer, streamed or whole."""

    __slots__ = (
        "_by_index",
        "_calls",
        "_finish_reason",
        "_model",
        "_provider",
        "_response_id",
        "_saw_event",
        "_sse",
        "_target",
        "_usage",
        "done",
    )

    def __init__(self, target: Target) -> None:
        self._target = target
        self._provider = target.provider.name
        self._sse = SSEDecoder()
        self._model = ""
        self._response_id: str | None = None
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._calls: list[dict[str, bool | str | None]] = []
        self._by_index: dict[int, int] = {}
        self._saw_event = False
        self.done = False

    def feed(self, data: bytes) -> list[StreamChunk]:
        """Take the next bytes; return the chunks that they complete."""
        chunks: list[StreamChunk] = []
        for event in self._sse.feed(data):
            if self.done:
                break
            self._event(event.data, chunks)
        return chunks

    def end(self) -> list[StreamChunk]:
        """Take the end of the stream.

        Without `[DONE]` an answer is whole once it gave its finish reason (transformers serve).
        """
        chunks: list[StreamChunk] = []
        cut_inside = False
        for event in self._sse.end():
            if not self.done:
                cut_inside = not self._event(event.data, chunks, last=True)
        if self.done:
            return chunks
        if self._finish_reason is not None and not cut_inside:
            chunks.append(self._last())
        elif not self._saw_event:
            chunks.append(_failed(not_an_answer("nothing", self._target), self._target))
        else:
            chunks.append(
                _failed(
                    StreamInterruptedError(
                        f"The stream from {self._provider} ended in the middle of the answer."
                    ),
                    self._target,
                )
            )
        self.done = True
        return chunks

    def whole(self, payload: dict[str, Any]) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        chunks: list[StreamChunk] = []
        choice = payload["choices"][0]
        self._take_details(payload)
        self._take_choice(choice, choice.get("message") or choice.get("delta") or {}, chunks)
        chunks.append(self._last(raw=payload))
        self.done = True
        return chunks

    def _event(self, data: bytes, chunks: list[StreamChunk], *, last: bool = False) -> bool:
        """Decode one event into `chunks`; return False when its JSON is broken off."""
        if data == b"[DONE]":
            self.done = True
            chunks.append(self._last())
            return True
        try:
            payload = json.loads(data.decode("utf-8", "replace"))
            error = payload.get("error")
            choices = payload.get("choices")
        except (ValueError, AttributeError):
            if last:
                return False
            self.done = True
            what = "an event that is no JSON object"
            chunks.append(_failed(not_an_answer(what, self._target, data), self._target))
            return True
        self._saw_event = True
        self._take_details(payload)
        if choices:
            for choice in choices:
                if choice.get("index", 0) == 0:
                    self._take_choice(choice, choice.get("delta") or {}, chunks)
        if error:
            # OpenRouter sends it beside `choices`, Groq instead of them.
            self.done = True
            chunks.append(_failed(stream_error(payload, self._target), self._target))
        return True

    def _take_details(self, payload: dict[str, Any]) -> None:
        if self._response_id is None:
            self._response_id = payload.get("id") or None
            self._model = payload.get("model") or ""
        usage = payload.get("usage")
        if usage is None and "x_groq" in payload:
            usage = (payload["x_groq"] or {}).get("usage")
        if isinstance(usage, dict):
            self._usage = _usage(usage)

    def _take_choice(
        self, choice: dict[str, Any], delta: dict[str, Any], chunks: list[StreamChunk]
    ) -> None:
        reason = choice.get("finish_reason")
        if reason:
            self._finish_reason = "tool_calls" if reason == "function_call" else reason
        content = delta.get("content") or delta.get("refusal") or ""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        if isinstance(content, list):
            content, reasoning = _split_parts(content)
        if content or reasoning:
            chunks.append(
                StreamChunk(
                    content,
                    reasoning,
                    provider=self._provider,
                    model=self._model,
                )
            )
        for fragment in delta.get("tool_calls") or ():
            chunks.append(
                StreamChunk(
                    tool_call=self._tool_call(fragment), provider=self._provider, model=self._model
                )
            )

    def _tool_call(self, fragment: dict[str, Any]) -> ToolCallDelta:
        function = fragment.get("function") or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        id, name = fragment.get("id") or None, function.get("name") or None
        position = self._position(fragment.get("index"), id, name)
        call = self._calls[position]
        call["id"] = call["id"] or id
        call["named"] = call["named"] or bool(name)
        return ToolCallDelta(position, id, name, arguments)

    def _position(self, index: object, id: str | None, name: str | None) -> int:
        """Return which call a fragment belongs to.

        By its index; the same index with another id is a new call (Ollama numbers every call 0).
        Without an index an id that is new, or a second name, opens a call.
        """
        if isinstance(index, int):
            position = self._by_index.get(index)
        else:
            position = len(self._calls) - 1 if self._calls else None
            if position is not None and id is None and name and self._calls[position]["named"]:
                position = None
        if position is not None:
            known = self._calls[position]["id"]
            if id is not None and known is not None and id != known:
                position = None
        if position is None:
            position = len(self._calls)
            self._calls.append({"id": None, "named": False})
            if isinstance(index, int):
                self._by_index[index] = position
        return position

    def _last(self, raw: object = None) -> StreamChunk:
        return StreamChunk(
            is_done=True,
            usage=self._usage,
            finish_reason=self._finish_reason,
            provider=self._provider,
            model=self._model,
            response_id=self._response_id,
            raw=raw,
        )


def _split_parts(parts: list[Any]) -> tuple[str, str]:
    """Return text and thinking of a content list (Mistral)."""
    text, thinking = [], []
    for part in parts:
        match part:
            case {"type": "thinking", "thinking": list(inner)}:
                thinking += [item.get("text", "") for item in inner if isinstance(item, dict)]
            case {"type": "thinking", "thinking": str(inner)}:
                thinking.append(inner)
            case {"text": str(inner)}:
                text.append(inner)
    return "".join(text), "".join(thinking)


def _usage(value: dict[str, Any]) -> Usage:
    prompt = value.get("prompt_tokens") or 0
    completion = value.get("completion_tokens") or 0
    prompt_details = value.get("prompt_tokens_details") or {}
    completion_details = value.get("completion_tokens_details") or {}
    cached = (
        prompt_details.get("cached_tokens"),
        value.get("prompt_cache_hit_tokens"),  # DeepSeek
        value.get("cached_tokens"),  # Hugging Face, Together
    )
    cost = value.get("cost")  # OpenRouter
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=value.get("total_tokens") or prompt + completion,
        cached_tokens=next((count for count in cached if count is not None), None),
        cache_write_tokens=prompt_details.get("cache_write_tokens"),
        reasoning_tokens=completion_details.get("reasoning_tokens"),
        estimated_cost=float(cost) if isinstance(cost, int | float) else None,
    )


def _failed(error: LLMError, target: Target) -> StreamChunk:
    return StreamChunk(error=error, provider=target.provider.name, model=target.model)


def _what(body: bytes) -> str:
    start = body.lstrip()[:1]
    if not start:
        return "nothing"
    return "an HTML page" if start == b"<" else "something that is not JSON"



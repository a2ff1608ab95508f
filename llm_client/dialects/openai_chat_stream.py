"""The answers of OpenAI Chat Completions, streamed or whole, as chunks.

Owns the reading of one answer. Departures of single providers that cannot be confused with
anything else are tolerated here (WIRE.md §§1, 7, 11): errors beside `choices`, usage in `x_groq`,
content lists, streams without `[DONE]`, whole answers where a stream was asked for.
"""

from __future__ import annotations

import json
from typing import Any

from ..exceptions import LLMError, StreamInterruptedError
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from ..wire.sse import ServerSentEvent, SSEDecoder
from ..wire.surrogates import SurrogateJoiner
from .errors import describe, not_an_answer, stream_error

__all__ = ["OpenAIChatDecoder"]

_STREAM_STARTS = (b"data:", b"event:", b":")
"""How an event stream begins, from a server that streams without being asked."""
_UNREADABLE = (AttributeError, TypeError, ValueError)
"""What reading a value of an unexpected type raises. Checking each type first would cost more than
the rest of the reading together, for every token of every answer."""


class OpenAIChatDecoder:
    """Decodes one answer, streamed or whole."""

    __slots__ = (
        "_content",
        "_finish_reason",
        "_model",
        "_provider",
        "_reasoning",
        "_response_id",
        "_saw_event",
        "_sse",
        "_target",
        "_tools",
        "_usage",
        "done",
    )

    def __init__(self, target: Target) -> None:
        self._target = target
        self._provider = target.provider.name
        self._sse = SSEDecoder()
        self._content = SurrogateJoiner()
        self._reasoning = SurrogateJoiner()
        self._tools = _ToolCalls()
        self._model = ""
        self._response_id: str | None = None
        self._usage: Usage | None = None
        self._finish_reason: str | None = None
        self._saw_event = False
        self.done = False

    def feed(self, data: bytes) -> list[StreamChunk]:
        """Take the next bytes; return the chunks that they complete."""
        chunks: list[StreamChunk] = []
        for event in self._sse.feed(data):
            if self.done:
                break
            self._event(event, chunks)
        return chunks

    def end(self) -> list[StreamChunk]:
        """Take the end of the stream.

        Without `[DONE]` an answer is whole once it gave its finish reason (transformers serve).
        """
        chunks: list[StreamChunk] = []
        cut_inside = False
        for event in self._sse.end():
            if not self.done:
                cut_inside = not self._event(event, chunks, last=True)
        if self.done:
            return chunks
        if cut_inside or (self._saw_event and self._finish_reason is None):
            self._fail(
                StreamInterruptedError(
                    f"The stream from {self._provider} ended in the middle of the answer."
                ),
                chunks,
            )
        elif self._saw_event:
            self._finish(chunks)
        elif self._sse.foreign:
            return self.whole(b"\n".join(self._sse.foreign))
        else:
            self._fail(not_an_answer("nothing", self._target), chunks)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        chunks: list[StreamChunk] = []
        try:
            payload = parse_json(body)
        except ValueError:
            if body.lstrip().startswith(_STREAM_STARTS):
                chunks = self.feed(body)
                return chunks if self.done else chunks + self.end()
            self._fail(not_an_answer(describe(body), self._target, body), chunks)
            return chunks
        if isinstance(payload, dict) and payload.get("error"):
            self._take_details(payload)
            self._fail(stream_error(payload, self._target), chunks)
            return chunks
        try:
            self._take_details(payload)
            for choice in payload["choices"][:1]:
                self._take_choice(choice, choice.get("message") or choice.get("delta"), chunks)
                self._finish(chunks, raw=payload)
        except (KeyError, *_UNREADABLE):
            chunks.clear()
        if not self.done:
            self._usage = None
            self._fail(not_an_answer("JSON without `choices`", self._target, body), chunks)
        return chunks

    def _event(
        self, event: ServerSentEvent, chunks: list[StreamChunk], *, last: bool = False
    ) -> bool:
        """Decode one event into `chunks`; return False when its JSON is broken off."""
        data = event.data
        if data == b"[DONE]":
            self._finish(chunks)
            return True
        try:
            payload = parse_json(data)
            error = payload.get("error") or event.event == "error"
        except (ValueError, AttributeError):
            return self._no_object(data.strip(), chunks, last=last)
        self._saw_event = True
        try:
            self._take_details(payload)
            for choice in payload.get("choices") or ():
                if not choice.get("index"):
                    self._take_choice(choice, choice.get("delta"), chunks)
        except _UNREADABLE:
            if not error:
                what = "an event that cannot be read"
                self._fail(not_an_answer(what, self._target, data), chunks)
                return True
        if error:
            # OpenRouter sends it beside `choices`, Groq instead of them.
            self._fail(stream_error(payload, self._target), chunks)
        return True

    def _no_object(self, data: bytes, chunks: list[StreamChunk], *, last: bool) -> bool:
        """Take an event that is no JSON object; return False when it may be one broken off."""
        if not data:
            return True
        if data == b"[DONE]":
            self._finish(chunks)
            return True
        if last:
            return False
        what = "an event that is no JSON object"
        self._fail(not_an_answer(what, self._target, data), chunks)
        return True

    def _take_details(self, payload: dict[str, Any]) -> None:
        if self._response_id is None:
            id = payload.get("id")
            self._response_id = str(id) if id else None
            self._model = str(payload.get("model") or "")
        usage = payload.get("usage")
        if usage is None and "x_groq" in payload:
            usage = (payload["x_groq"] or {}).get("usage")
        if usage:
            self._usage = _usage(usage)

    def _take_choice(
        self, choice: dict[str, Any], delta: dict[str, Any] | None, chunks: list[StreamChunk]
    ) -> None:
        reason = choice.get("finish_reason")
        if reason:
            self._finish_reason = "tool_calls" if reason == "function_call" else str(reason)
        if not delta:
            return
        content = delta.get("content") or delta.get("refusal") or ""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        if isinstance(content, list):
            content, thinking = _split_parts(content)
            reasoning = thinking or reasoning
        if content:
            content = self._content.feed(content)
        if reasoning:
            # Anything but text is a summary of the provider's own, beside the text.
            reasoning = self._reasoning.feed(reasoning) if isinstance(reasoning, str) else ""
        if content or reasoning:
            chunks.append(
                StreamChunk(content, reasoning, provider=self._provider, model=self._model)
            )
        for fragment in delta.get("tool_calls") or ():
            chunks.append(
                StreamChunk(
                    tool_call=self._tools.take(fragment),
                    provider=self._provider,
                    model=self._model,
                )
            )

    def _finish(self, chunks: list[StreamChunk], raw: object = None) -> None:
        self.done = True
        content, reasoning = self._content.end(), self._reasoning.end()
        if content or reasoning:
            chunks.append(
                StreamChunk(content, reasoning, provider=self._provider, model=self._model)
            )
        chunks.append(
            StreamChunk(
                is_done=True,
                usage=self._usage,
                finish_reason=self._finish_reason,
                provider=self._provider,
                model=self._model,
                response_id=self._response_id,
                raw=raw,
            )
        )

    def _fail(self, error: LLMError, chunks: list[StreamChunk]) -> None:
        self.done = True
        model = self._model or self._target.model
        if self._usage is not None or self._response_id is not None:
            # What the provider bills, and how its support finds an answer that failed.
            chunks.append(
                StreamChunk(
                    usage=self._usage,
                    finish_reason=self._finish_reason,
                    provider=self._provider,
                    model=model,
                    response_id=self._response_id,
                )
            )
        chunks.append(StreamChunk(error=error, provider=self._provider, model=model))


class _ToolCalls:
    """Which call of the answer a fragment belongs to.

    By its index; the same index with another id or name is another call (Ollama numbers every call
    0). Without an index by its id; a second name opens a call, anything else goes to the last.
    """

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[tuple[str | None, str | None]] = []
        self._by_index: dict[int, int] = {}

    def take(self, fragment: dict[str, Any]) -> ToolCallDelta:
        """Return the fragment with the position of its call."""
        function = fragment.get("function") or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        id, name = fragment.get("id") or None, function.get("name") or None
        index = fragment.get("index")
        if isinstance(index, int):
            position = self._indexed(index, id, name)
            self._by_index[index] = position
        else:
            position = self._unindexed(id, name)
        if position == len(self._calls):
            self._calls.append((id, name))
        else:
            known_id, known_name = self._calls[position]
            self._calls[position] = (known_id or id, known_name or name)
        return ToolCallDelta(position, id, name, arguments)

    def _indexed(self, index: int, id: str | None, name: str | None) -> int:
        position = self._by_index.get(index)
        if position is None:
            return len(self._calls)
        known_id, known_name = self._calls[position]
        if id is not None and known_id is not None:
            return position if id == known_id else self._with_id(id)
        if name is not None and known_name is not None and name != known_name:
            return len(self._calls)
        return position

    def _unindexed(self, id: str | None, name: str | None) -> int:
        if not self._calls:
            return 0
        last = len(self._calls) - 1
        known_id, known_name = self._calls[last]
        if id is not None:
            comes_late = known_id is None and (name is None or known_name is None)
            return last if comes_late else self._with_id(id)
        return last + 1 if name is not None and known_name is not None else last

    def _with_id(self, id: str) -> int:
        """Return the call of that id, or the next new one."""
        ids = (position for position, (known, _) in enumerate(self._calls) if known == id)
        return next(ids, len(self._calls))


def _split_parts(parts: list[Any]) -> tuple[str, str]:
    """Return text and thinking of a content list (Mistral)."""
    text, thinking = [], []
    for part in parts:
        match part:
            case {"type": "thinking", "thinking": list(inner)}:
                thinking += [item["text"] for item in inner if _has_text(item)]
            case {"type": "thinking", "thinking": str(inner)}:
                thinking.append(inner)
            case {"text": str(inner)}:
                text.append(inner)
    return "".join(text), "".join(thinking)


def _has_text(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("text"), str)


def _usage(value: dict[str, Any]) -> Usage:
    prompt = _count(value.get("prompt_tokens")) or 0
    completion = _count(value.get("completion_tokens")) or 0
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
        total_tokens=_count(value.get("total_tokens")) or prompt + completion,
        cached_tokens=next((count for count in map(_count, cached) if count is not None), None),
        cache_write_tokens=_count(prompt_details.get("cache_write_tokens")),
        reasoning_tokens=_count(completion_details.get("reasoning_tokens")),
        estimated_cost=float(cost) if isinstance(cost, int | float) else None,
    )


def _count(value: object) -> int | None:
    """Return a number of tokens, which some servers write as a fraction."""
    return int(value) if isinstance(value, int | float) and value >= 0 else None

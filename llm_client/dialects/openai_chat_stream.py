"""The answers of OpenAI Chat Completions, streamed or whole, as chunks.

Owns the reading of one answer. Departures of single providers that cannot be confused with
anything else are tolerated here (WIRE.md §§1, 7, 11): errors beside `choices`, usage in `x_groq`,
content lists, streams without `[DONE]`, whole answers where a stream was asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from .errors import stream_error
from .events import UNREADABLE, EventDecoder, text_or_none, token_count, usd

if TYPE_CHECKING:
    from ..types.content import ProviderState
    from ..wire.think import ThinkSplitter
    from .openai_chat_native import NativeFields

__all__ = ["OpenAIChatDecoder", "read_usage"]

_PLAIN = frozenset({"content", "role"})
"""What nearly every delta of every answer has, and nothing else."""
_NEUTRAL = _PLAIN | {"channel", "reasoning", "reasoning_content", "refusal"}
"""Fields that hold nothing a provider wants back, as long as the content is a text."""


class OpenAIChatDecoder(EventDecoder):
    """Decodes one answer, streamed or whole."""

    __slots__ = ("_is_refused", "_is_whole_answer", "_native", "_think", "_tools")

    lacking = "JSON without `choices`"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._tools = _ToolCalls()
        self._native: NativeFields | None = None
        self._is_whole_answer = False
        self._think: ThinkSplitter | None = None
        self._is_refused = False
        if target.provider.quirks.inline_think:
            from ..wire.think import ThinkSplitter

            self._think = ThinkSplitter()

    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        if self._response_id is None or payload.get("usage") or "x_groq" in payload:
            self._take_details(payload)
        for choice in payload.get("choices") or ():
            if not choice.get("index"):
                self._take_choice(choice, choice.get("delta"), chunks)
        if event == "error" and not payload.get("error"):
            self._fail(stream_error(payload, self._target), chunks)

    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._is_whole_answer = True
        self._take_details(payload)
        for choice in payload["choices"][:1]:
            self._take_choice(choice, choice.get("message") or choice.get("delta"), chunks)
            self._finish(chunks, raw=payload)

    def _is_whole(self) -> bool:
        """Return whether it gave its finish reason: transformers serve sends no `[DONE]`."""
        return self._finish_reason is not None

    def _no_object(self, data: bytes, chunks: list[StreamChunk], *, last: bool) -> bool:
        if data == b"[DONE]":
            # Legitimate also without a finish reason (vercel/ai#19165, Snowflake).
            self._finish(chunks)
            return True
        return super()._no_object(data, chunks, last=last)

    def _error_of(self, payload: object) -> LLMError | None:
        error = super()._error_of(payload)
        if error is not None and isinstance(payload, dict):
            try:
                self._take_details(payload)
            except UNREADABLE:
                self.usage = None
        return error

    def _take_details(self, payload: dict[str, Any]) -> None:
        if self._response_id is None:
            id = payload.get("id")
            self._response_id = str(id) if id else None
            self._model = str(payload.get("model") or "")
        usage = payload.get("usage")
        if usage is None and "x_groq" in payload:
            usage = (payload["x_groq"] or {}).get("usage")
        if usage:
            self.usage = read_usage(usage)

    def _take_choice(
        self, choice: dict[str, Any], delta: dict[str, Any] | None, chunks: list[StreamChunk]
    ) -> None:
        reason = choice.get("finish_reason")
        if reason:
            self._finish_reason = "tool_calls" if reason == "function_call" else str(reason)
        if not delta:
            return
        content = delta.get("content")
        if delta.keys() <= _PLAIN and not isinstance(content, list):
            if content and self._think is None:
                self._say(chunks, content)
            elif content:
                self._take_text(content, "", chunks)
            if self._native is not None:
                self._native.take(delta)
            return
        self._is_refused = self._is_refused or bool(delta.get("refusal"))
        self._take_text(*_read_texts(delta), chunks)
        self._keep_native(delta)
        for fragment in delta.get("tool_calls") or ():
            self._take_tool_call(fragment, chunks)

    def _take_text(self, content: str, reasoning: str, chunks: list[StreamChunk]) -> None:
        if content and self._think is not None:
            content, thought = self._think.feed(content)
            reasoning += thought
        self._say(chunks, content, reasoning)

    def _take_tool_call(self, fragment: dict[str, Any], chunks: list[StreamChunk]) -> None:
        call = self._tools.take(fragment)
        if self._native is not None:
            self._native.take_call(call.index, fragment)
        chunks.append(StreamChunk(tool_call=call, provider=self._provider, model=self._model))

    def _keep_native(self, delta: dict[str, Any]) -> None:
        if self._native is None:
            if delta.keys() <= _NEUTRAL and not isinstance(delta.get("content"), list):
                return
            from .openai_chat_native import NativeFields

            if not NativeFields.is_native(delta):
                return
            self._native = NativeFields(joins=not self._is_whole_answer)
        self._native.take(delta)

    def _state(self) -> ProviderState | None:
        if self._native is None:
            return None
        return self._native.state(self._provider, self._tools.ids())

    def _finish(self, chunks: list[StreamChunk], raw: object = None) -> None:
        if self._think is not None:
            self._say(chunks, *self._think.end())
        if self._is_refused and self._finish_reason == "stop":
            # A refusal ends like any answer; the word keeps it from being taken for one.
            self._finish_reason = "refusal"
        super()._finish(chunks, raw)


def _read_texts(delta: dict[str, Any]) -> tuple[Any, str]:
    """Return text and thinking, under whichever names a provider has for them."""
    content = delta.get("content") or delta.get("refusal") or ""
    reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
    if isinstance(content, list):
        content, thinking = _split_parts(content)
        reasoning = thinking or reasoning
    # Anything but text is a summary of the provider's own, beside the text.
    return content, reasoning if isinstance(reasoning, str) else ""


class _ToolCalls:
    """Which call of the answer a fragment belongs to.

    By its index; the same index with another id or name is another call (Ollama numbers every call
    0). Without an index by its id; a second name opens a call, anything else goes to the last.
    """

    __slots__ = ("_by_id", "_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[tuple[str | None, str | None]] = []
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}

    def take(self, fragment: dict[str, Any]) -> ToolCallDelta:
        """Return the fragment with the position of its call."""
        function = fragment.get("function") or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        id, name = text_or_none(fragment.get("id")), text_or_none(function.get("name"))
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
        if id is not None:
            self._by_id.setdefault(id, position)
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

    def ids(self) -> list[str]:
        """Return the ids of all calls, made up as `Fold` does where there is none."""
        return [id or f"call_{position}" for position, (id, _) in enumerate(self._calls)]

    def _with_id(self, id: str) -> int:
        """Return the call of that id, or the next new one."""
        return self._by_id.get(id, len(self._calls))


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


def read_usage(value: dict[str, Any]) -> Usage:
    """Return the usage of an answer, whose fields differ by provider (WIRE.md §1)."""
    prompt = token_count(value.get("prompt_tokens")) or 0
    completion = token_count(value.get("completion_tokens")) or 0
    prompt_details = value.get("prompt_tokens_details") or {}
    completion_details = value.get("completion_tokens_details") or {}
    cached = (
        prompt_details.get("cached_tokens"),
        value.get("prompt_cache_hit_tokens"),  # DeepSeek
        value.get("cached_tokens"),  # Hugging Face, Together
    )
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=token_count(value.get("total_tokens")) or prompt + completion,
        cached_tokens=next((n for n in map(token_count, cached) if n is not None), None),
        cache_write_tokens=token_count(prompt_details.get("cache_write_tokens")),
        reasoning_tokens=token_count(completion_details.get("reasoning_tokens")),
        estimated_cost=usd(value.get("cost")),  # OpenRouter
    )

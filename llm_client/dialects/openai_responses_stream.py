"""The answers of OpenAI Responses, streamed or whole, as chunks.

Owns the reading of one answer. An answer is a list of items (messages, reasoning, function calls);
their pieces come as deltas and each item once more whole. A server that sends no deltas is read
from its items, one that sends no items from its last event. Refuses to pass for whole what did not
end with `response.completed` or `response.incomplete`.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import LLMError
from ..types.messages import ToolCall
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from .errors import stream_error
from .events import UNREADABLE, EventDecoder, token_count, usd

if TYPE_CHECKING:
    from ..types.content import ProviderState

__all__ = ["NAME", "OpenAIResponsesDecoder", "calls_of", "text_of"]

NAME: Final = "openai-responses"
"""The dialect's name, under which its state is kept."""
_REFUSAL_DELTA = "response.refusal.delta"
_TEXT_DELTAS = frozenset({"response.output_text.delta", _REFUSAL_DELTA})
_REASONING_DELTAS = {
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_text.delta": "content",  # open models (llama.cpp, vLLM, LM Studio)
    "response.reasoning.delta": "content",  # OpenRouter
}
_BETWEEN_THOUGHTS = "\n\n"
"""Between the parts of a summary, each of which begins with a headline of its own."""
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class OpenAIResponsesDecoder(EventDecoder):
    """Decodes one answer, streamed or whole."""

    __slots__ = (
        "_call_count",
        "_calls",
        "_is_completed",
        "_is_refused",
        "_items",
        "_part",
        "_said",
        "_thought",
    )

    lacking = "JSON without `output`"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._said: set[object] = set()
        """Items whose text came as deltas."""
        self._thought: dict[object, str] = {}
        """Where the reasoning of each item is read from, its summary or its content: some servers
        send both."""
        self._part: object = None
        """The part of reasoning that came last."""
        self._calls: dict[object, _Call] = {}
        self._call_count = 0
        self._items: list[Mapping[str, Any]] = []
        self._is_completed = False
        self._is_refused = False

    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        kind = payload.get("type") or event
        if kind in _TEXT_DELTAS:
            self._said.add(_key(payload))
            self._is_refused = self._is_refused or kind == _REFUSAL_DELTA
            self._say(chunks, text=payload["delta"])
        elif kind in _REASONING_DELTAS:
            self._think(payload, _REASONING_DELTAS[kind], chunks)
        elif kind == "response.function_call_arguments.delta":
            self._argue(payload, chunks)
        elif kind == "response.output_item.added":
            if payload["item"].get("type") == "function_call":
                self._call(_key(payload), payload["item"], chunks)
        elif kind == "response.output_item.done":
            self._items.append(payload["item"])
            self._take_item(_key(payload), payload["item"], chunks)
        elif kind == "error":
            if not payload.get("error"):  # else the reader of events takes it
                flat = {name: payload.get(name) for name in ("code", "message", "param")}
                self._fail(stream_error({"error": flat}, self._target), chunks)
        elif isinstance(response := payload.get("response"), dict):
            self._take_response(kind, response, chunks)

    def _take_response(
        self, kind: str, response: dict[str, Any], chunks: list[StreamChunk]
    ) -> None:
        """Read an event about the whole answer."""
        self._take_details(response)
        if kind == "response.failed":
            self._fail_for(response, chunks)
        elif kind in {"response.completed", "response.incomplete"}:
            if not self._items:
                self._take_output(response.get("output") or (), chunks, self._told())
            self._take_end(response)
            self._finish(chunks)

    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._take_details(payload)
        self._take_output(payload["output"], chunks)
        if payload.get("status") == "failed":
            self._fail_for(payload, chunks)
            return
        self._take_end(payload)
        self._finish(chunks, raw=payload)

    def _fail_for(self, response: dict[str, Any], chunks: list[StreamChunk]) -> None:
        error = response.get("error") or {"message": "the answer failed, it does not say why."}
        self._fail(stream_error({"error": error}, self._target), chunks)

    def _take_output(
        self, output: Iterable[Any], chunks: list[StreamChunk], known: Container[str] = ()
    ) -> None:
        """Read items that come all at once; those of known kinds came as deltas before."""
        for index, item in enumerate(output):
            self._items.append(item)
            if item.get("type") not in known:
                self._take_item(index, item, chunks)

    def _told(self) -> set[str]:
        """Return the kinds of items of which deltas came."""
        seen = {"message": self._said, "reasoning": self._thought, "function_call": self._calls}
        return {kind for kind, items in seen.items() if items}

    def _take_item(self, key: object, item: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """Read an item that is whole, unless its deltas told it before."""
        match item.get("type"):
            case "message":
                if key not in self._said:
                    self._say(chunks, text=text_of((item,)))
                    parts = item.get("content") or ()
                    self._is_refused |= any(part.get("refusal") for part in parts)
            case "reasoning":
                if key not in self._thought:
                    parts = item.get("summary") or item.get("content") or ()
                    for index, part in enumerate(parts):
                        self._separate((key, index), chunks)
                        self._say(chunks, reasoning=part.get("text") or "")
            case "function_call":
                call = self._call(key, item, chunks)
                if not call.has_arguments:
                    self._add_arguments(call, item.get("arguments"), chunks)

    def _think(self, payload: dict[str, Any], source: str, chunks: list[StreamChunk]) -> None:
        key = _key(payload)
        if self._thought.setdefault(key, source) == source:
            index = payload.get("summary_index" if source == "summary" else "content_index", 0)
            self._separate((key, index), chunks)
            self._say(chunks, reasoning=payload["delta"])

    def _separate(self, part: tuple[object, int], chunks: list[StreamChunk]) -> None:
        if self._part is not None and part != self._part:
            self._say(chunks, reasoning=_BETWEEN_THOUGHTS)
        self._part = part

    def _call(self, key: object, item: dict[str, Any], chunks: list[StreamChunk]) -> _Call:
        """Return the function call that an item is, after telling of it when it is new.

        The same place with another id is another call, for servers that number every item 0.
        """
        id = _id(item)
        call = self._calls.get(key)
        if call is not None and call.id is not None and id in {call.id, None}:
            return call
        if call is None or call.id is not None:
            call = self._new_call(key)
        call.id = id
        name = item.get("name")
        self._tell(ToolCallDelta(call.position, id, None if name is None else str(name)), chunks)
        return call

    def _new_call(self, key: object) -> _Call:
        call = self._calls[key] = _Call(self._call_count)
        self._call_count += 1
        return call

    def _argue(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """Read a piece of the arguments of a call, whose item need not have been announced."""
        key = _key(payload)
        self._add_arguments(self._calls.get(key) or self._new_call(key), payload["delta"], chunks)

    def _add_arguments(self, call: _Call, arguments: Any, chunks: list[StreamChunk]) -> None:
        if arguments:
            call.has_arguments = True
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            self._tell(ToolCallDelta(call.position, arguments=arguments), chunks)

    def _tell(self, delta: ToolCallDelta, chunks: list[StreamChunk]) -> None:
        chunks.append(StreamChunk(tool_call=delta, provider=self._provider, model=self._model))

    def _take_details(self, response: dict[str, Any]) -> None:
        if self._response_id is None and (id := response.get("id")):
            self._response_id = str(id)
        self._model = self._model or str(response.get("model") or "")
        if usage := response.get("usage"):
            self.usage = _usage(usage)

    def _take_end(self, response: dict[str, Any]) -> None:
        """Read why the answer is over. Servers that say no status have only whole answers."""
        status = response.get("status") or "completed"
        reason = (response.get("incomplete_details") or {}).get("reason")
        if status == "completed":
            self._is_completed = True
            # A refusal ends like any answer; the word keeps it from being taken for one.
            stop = "refusal" if self._is_refused else "stop"
            self._finish_reason = "tool_calls" if self._calls else stop
        else:
            self._finish_reason = _REASONS.get(reason or "", str(reason or status))

    def _is_whole(self) -> bool:
        return False  # it says when it is, and then nothing more is read

    def _error_of(self, payload: object) -> LLMError | None:
        error = super()._error_of(payload)
        if error is not None and isinstance(payload, dict):
            with suppress(*UNREADABLE):
                self._take_details(payload)  # a failed answer is billed too
        return error

    def _state(self) -> ProviderState | None:
        """Return the items of the answer when one of them must go back unchanged.

        Reasoning does; so does the phase of a message, which the models that say it want back.
        An answer that was cut cannot be sent back: its reasoning belongs to nothing.
        """
        if not self._is_completed or not any(map(_is_opaque, self._items)):
            return None
        from ..types.content import ProviderState

        return ProviderState(self._provider, NAME, tuple(self._items))


class _Call:
    """A function call as far as it came."""

    __slots__ = ("has_arguments", "id", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.id: str | None = None
        self.has_arguments = False


def text_of(items: Iterable[Mapping[str, Any]]) -> str:
    """Return the text that items say, refusals too."""
    return "".join(
        part.get("text") or part.get("refusal") or ""
        for item in items
        if item.get("type") == "message"
        for part in item.get("content") or ()
    )


def calls_of(items: Iterable[Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    """Return the function calls among items."""
    return tuple(
        ToolCall(
            _id(item) or f"call_{position}",
            item.get("name") or "",
            item.get("arguments") or "{}",
        )
        for position, item in enumerate(
            item for item in items if item.get("type") == "function_call"
        )
    )


def _id(call: Mapping[str, Any]) -> str | None:
    """Return the id of a function call, by which its result refers to it."""
    id = call.get("call_id") or call.get("id")
    return str(id) if id else None


def _is_opaque(item: Mapping[str, Any]) -> bool:
    if item.get("type") == "reasoning":
        return bool(item.get("encrypted_content") or item.get("id"))
    return bool(item.get("phase"))


def _key(payload: dict[str, Any]) -> object:
    """Return what an event names its item by: llama.cpp has no index, others change the ids."""
    index = payload.get("output_index")
    if index is not None:
        return index
    return payload["item_id"] if "item_id" in payload else payload["item"].get("id")


def _usage(value: dict[str, Any]) -> Usage:
    prompt = token_count(value.get("input_tokens")) or 0
    completion = token_count(value.get("output_tokens")) or 0
    prompt_details = value.get("input_tokens_details") or {}
    completion_details = value.get("output_tokens_details") or {}
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=token_count(value.get("total_tokens")) or prompt + completion,
        cached_tokens=token_count(prompt_details.get("cached_tokens")),
        cache_write_tokens=token_count(prompt_details.get("cache_write_tokens")),
        reasoning_tokens=token_count(completion_details.get("reasoning_tokens")),
        estimated_cost=usd(value.get("cost")),  # OpenRouter
    )

"""The answers of Anthropic Messages, streamed or whole, as chunks.

Owns the reading of one answer and what of it has to go back unchanged: signed thinking, and blocks
of tools that ran at the provider. A whole answer is read as the events that it would have been.
Blocks, deltas and events of an unknown kind are kept for the way back and otherwise passed over:
the API adds such without a new version (WIRE.md §4).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from ..wire.surrogates import SurrogateJoiner
from .errors import stream_error
from .events import EventDecoder, token_count

if TYPE_CHECKING:
    from ..types.content import ProviderState

__all__ = ["DIALECT", "AnthropicDecoder"]

DIALECT: Final = "anthropic"
"""The dialect's name, as it stands in a `ProviderState`."""
_FINISH_REASONS = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
"""`pause_turn` stays: the answer sent back as it is lets the model go on."""
_PLAIN = frozenset({"text", "thinking", "tool_use"})
"""Blocks that messages can say in their own words, as long as the thinking is not signed."""
_FIELDS = {
    "input_json_delta": ("input", "partial_json"),
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
}
"""Which field of its block a delta continues, and where it says with what."""
_OTHER = ("", "")


class AnthropicDecoder(EventDecoder):
    """Decodes one answer, streamed or whole."""

    __slots__ = ("_blocks", "_by_index", "_calls", "_counts")

    lacking = "JSON without `content`"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._blocks: list[_Block] = []
        self._by_index: dict[int, _Block] = {}
        self._calls = 0
        self._counts: dict[str, Any] = {}

    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        kind = payload.get("type") or event
        if kind == "content_block_delta":
            self._continue(payload["index"], payload["delta"], chunks)
        elif kind == "content_block_start":
            block = self._open(payload["content_block"], chunks)
            # llama.cpp opens a block before it closes the one before (seen 2026-11).
            self._by_index[payload["index"]] = block
        elif kind == "content_block_stop":
            if (closed := self._by_index.get(payload["index"])) is not None:
                self._close(closed, chunks)
        elif kind == "message_start":
            self._take_head(payload["message"])
        elif kind == "message_delta":
            self._take_tail(payload["delta"], payload.get("usage"))
        elif kind == "message_stop":
            self._finish(chunks)
        elif kind == "error":
            self._fail(stream_error(payload, self._target), chunks)

    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        blocks = payload["content"]
        if not isinstance(blocks, list):
            raise TypeError
        self._take_head(payload)
        for block in blocks:
            self._close(self._open(block, chunks), chunks)
        self._take_tail(payload, None)
        self._finish(chunks, raw=payload)

    def _is_whole(self) -> bool:
        # The reason comes behind the last block and with the last figures.
        return self._finish_reason is not None

    def _finish(self, chunks: list[StreamChunk], raw: object = None) -> None:
        for block in self._blocks:
            self._close(block, chunks)
        super()._finish(chunks, raw)

    def _state(self) -> ProviderState | None:
        if not any(block.is_opaque for block in self._blocks):
            return None
        from ..types.content import ProviderState

        try:
            items = tuple(block.item() for block in self._blocks)
        except ValueError:
            return None  # the arguments of a call were cut off: that cannot be sent back
        return ProviderState(self._provider, DIALECT, items, self._target.model)

    def _take_head(self, message: dict[str, Any]) -> None:
        id = message.get("id")
        self._response_id = str(id) if id else None
        self._model = str(message.get("model") or "")
        self._take_usage(message.get("usage"))

    def _take_tail(self, delta: dict[str, Any], usage: dict[str, Any] | None) -> None:
        reason = delta.get("stop_reason")
        if reason:
            self._finish_reason = _FINISH_REASONS.get(reason, str(reason))
        self._take_usage(usage)

    def _take_usage(self, usage: dict[str, Any] | None) -> None:
        """Take figures: each is the sum so far, and one that is missing has not changed."""
        if usage:
            self._counts.update((name, count) for name, count in usage.items() if count is not None)
            self.usage = _usage(self._counts)

    def _open(self, start: dict[str, Any], chunks: list[StreamChunk]) -> _Block:
        block = _Block(start)
        self._blocks.append(block)
        match start["type"]:
            case "text":
                self._say(chunks, start.get("text") or "")
            case "thinking":
                self._say(chunks, reasoning=start.get("thinking") or "")
            case "tool_use":
                block.call = self._calls
                self._calls += 1
                self._tool(chunks, block.call, id=start.get("id"), name=start.get("name"))
            case "fallback":
                # Another model goes on with an answer that the first one declined.
                self._model = str(start["to"]["model"])
        return block

    def _continue(self, index: int, delta: dict[str, Any], chunks: list[StreamChunk]) -> None:
        field, name = _FIELDS.get(delta["type"], _OTHER)
        block = self._by_index.get(index)
        if block is None:
            if field not in {"text", "thinking"}:
                raise KeyError(index)
            # A server that does not open its blocks.
            block = self._by_index[index] = self._open({"type": field, field: ""}, chunks)
        if not field:
            block.extend(delta)
        elif piece := delta[name]:
            block.add(field, piece)
            if field == "text":
                self._say(chunks, piece)
            elif field == "thinking":
                self._say(chunks, reasoning=piece)
            elif block.call is not None:
                self._tool(chunks, block.call, arguments=piece)

    def _close(self, block: _Block, chunks: list[StreamChunk]) -> None:
        """Give the arguments of a call that came in one piece, with the start of its block."""
        call, block.call = block.call, None
        arguments = block.start.get("input")
        if call is not None and arguments and not block.has_pieces:
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            self._tool(chunks, call, arguments=arguments)

    def _tool(
        self,
        chunks: list[StreamChunk],
        call: int,
        *,
        id: object = None,
        name: object = None,
        arguments: str = "",
    ) -> None:
        delta = ToolCallDelta(call, str(id) if id else None, str(name) if name else None, arguments)
        chunks.append(StreamChunk(tool_call=delta, provider=self._provider, model=self._model))


class _Block:
    """One block of an answer while it grows."""

    __slots__ = ("_citations", "_pieces", "call", "start")

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = dict(start)
        self._pieces: dict[str, list[str]] = {}
        """What is to be joined to each field: at the end, or it would take the square of the time."""
        self._citations: list[Any] = []
        self.call: int | None = None
        """Which call of the answer this is, as long as its arguments may still come."""

    @property
    def is_opaque(self) -> bool:
        """Whether it holds what only the provider can read."""
        if self.start["type"] not in _PLAIN or self._citations:
            return True
        if self.start.get("signature") or self.start.get("citations"):
            return True
        return "signature" in self._pieces

    @property
    def has_pieces(self) -> bool:
        """Whether anything came behind its start."""
        return bool(self._pieces)

    def add(self, field: str, piece: str) -> None:
        """Take the next piece of a text, or of the JSON text of `input`."""
        if not isinstance(piece, str):
            raise TypeError
        if (pieces := self._pieces.get(field)) is None:
            pieces = self._pieces[field] = []
        pieces.append(piece)

    def extend(self, delta: dict[str, Any]) -> None:
        """Take a delta that continues other fields than text, thinking and input."""
        for name, value in delta.items():
            if name == "citation":
                self._citations.append(value)
            elif isinstance(value, str):
                if name != "type" and value:
                    self.add(name, value)
            else:
                self.start[name] = value

    def item(self) -> dict[str, Any]:
        """Return the block as an answer that comes whole has it.

        Raises:
            ValueError: the pieces of its input are no JSON.
        """
        item = dict(self.start)
        if self._citations:
            item["citations"] = [*(item.get("citations") or ()), *self._citations]
        for field, pieces in self._pieces.items():
            text = "".join(pieces)
            if field == "input":
                item[field] = parse_json(text.encode("utf-8", "replace"))
            else:
                joiner = SurrogateJoiner()
                item[field] = joiner.feed((item.get(field) or "") + text) + joiner.end()
        return item


def _usage(counts: dict[str, Any]) -> Usage:
    cached = token_count(counts.get("cache_read_input_tokens"))
    written = token_count(counts.get("cache_creation_input_tokens"))
    # `input_tokens` are those behind the last breakpoint of the cache only.
    prompt = (token_count(counts.get("input_tokens")) or 0) + (cached or 0) + (written or 0)
    completion = token_count(counts.get("output_tokens")) or 0
    details = counts.get("output_tokens_details")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=token_count(details.get("thinking_tokens")) if details else None,
    )

"""Reading Cohere v2's answers, streamed and whole.

A streamed answer ends with `message-end`, which has finish reason and usage; `[DONE]` may follow.
The plan that older models make before a tool call (`tool_plan`) is thinking here, as the newer
models' `thinking` parts are. Citations are left to `raw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import LLMError
from ..types.content import ProviderState
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.surrogates import SurrogateJoiner
from .errors import stream_error
from .events import EventDecoder, token_count

__all__ = ["CohereDecoder", "token_counts"]

_FINISH_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
_FAILURES = {
    "ERROR": "the generation failed.",
    "TIMEOUT": "the generation took too long.",
}
"""Finish reasons of an answer that will not become whole."""


class CohereDecoder(EventDecoder):
    """Decodes one answer, streamed or whole."""

    __slots__ = ("_blocks", "_calls", "_citations", "_plan", "_positions")

    lacking = "JSON without `message`"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._calls: list[tuple[str, str, list[str]]] = []
        """Id, name and pieces of the arguments."""
        self._positions: dict[object, int] = {}
        """Of the call that each index means now."""
        # What the state is made of. An answer without thinking needs none, so that a long text is
        # not kept twice.
        self._blocks: list[tuple[str, list[str]]] = []
        """Kind and pieces of each part, from the first thinking on."""
        self._plan: list[str] = []
        self._citations: list[Any] = []

    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        kind = payload.get("type") or event
        if kind in ("content-delta", "content-start"):
            content = _message(payload).get("content") or {}
            self._take_text(content.get("text") or "", content.get("thinking") or "", chunks)
        elif kind == "tool-call-delta":
            function = _message(payload)["tool_calls"]["function"]
            self._argue(payload.get("index"), function.get("arguments") or "", chunks)
        elif kind == "tool-call-start":
            self._call(payload.get("index"), _message(payload)["tool_calls"], chunks)
        elif kind == "tool-plan-delta":
            self._take_plan(_message(payload)["tool_plan"], chunks)
        elif kind == "citation-start":
            if citation := _message(payload).get("citations"):
                self._citations.append(citation)
        elif kind == "message-start":
            self._take_id(payload)
        elif kind == "message-end":
            self._take_id(payload)
            self._close(payload.get("delta") or {}, chunks)
        elif (error := self._error_of(payload)) is not None:
            self._fail(error, chunks)

    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        message = payload["message"]
        self._take_id(payload)
        if message.get("tool_plan"):
            self._take_plan(message["tool_plan"], chunks)
        for part in message.get("content") or ():
            self._take_text(part.get("text") or "", part.get("thinking") or "", chunks)
        for index, call in enumerate(message.get("tool_calls") or ()):
            self._call(index, call, chunks)
        self._citations = message.get("citations") or []
        self._close(payload, chunks, raw=payload)

    def _is_whole(self) -> bool:
        return False  # `message-end` finishes

    def _state(self) -> ProviderState | None:
        """Return the answer when it has thinking parts and tool calls: the two forms of thinking.

        Thinking beside a call would else go back as a plan, which those models do not make.
        """
        if not (self._calls and self._blocks):
            return None
        item: dict[str, Any] = {
            "role": "assistant",
            "content": [{"type": kind, kind: _joined(pieces)} for kind, pieces in self._blocks],
            "tool_calls": [
                {
                    "id": id,
                    "type": "function",
                    "function": {"name": name, "arguments": "".join(pieces)},
                }
                for id, name, pieces in self._calls
            ],
        }
        if self._plan:
            item["tool_plan"] = _joined(self._plan)
        if self._citations:
            item["citations"] = self._citations
        return ProviderState(self._provider, "cohere", (item,))

    def _error_of(self, payload: object) -> LLMError | None:
        if isinstance(payload, dict) and isinstance(payload.get("message"), str):
            return stream_error(payload, self._target)
        return super()._error_of(payload)

    def _take_id(self, payload: Mapping[str, Any]) -> None:
        if self._response_id is None and payload.get("id"):
            self._response_id = str(payload["id"])

    def _take_text(self, text: str, thinking: str, chunks: list[StreamChunk]) -> None:
        self._say(chunks, text, thinking)
        if thinking:
            self._keep("thinking", thinking)
        if text and self._blocks:
            self._keep("text", text)

    def _keep(self, kind: str, piece: str) -> None:
        if not self._blocks or self._blocks[-1][0] != kind:
            self._blocks.append((kind, []))
        self._blocks[-1][1].append(piece)

    def _take_plan(self, plan: str, chunks: list[StreamChunk]) -> None:
        self._say(chunks, reasoning=plan)
        self._plan.append(plan)

    def _call(self, index: object, call: Mapping[str, Any], chunks: list[StreamChunk]) -> None:
        """Open a call; an index that was used before means another call from now on."""
        function = call["function"]
        id, name = str(call.get("id") or ""), str(function.get("name") or "")
        arguments = function.get("arguments") or ""
        position = self._positions[index] = len(self._calls)
        self._calls.append((id, name, [arguments]))
        self._emit_call(ToolCallDelta(position, id or None, name or None, arguments), chunks)

    def _argue(self, index: object, arguments: str, chunks: list[StreamChunk]) -> None:
        position = self._positions[index]
        self._calls[position][2].append(arguments)
        self._emit_call(ToolCallDelta(position, arguments=arguments), chunks)

    def _emit_call(self, call: ToolCallDelta, chunks: list[StreamChunk]) -> None:
        call.arguments.encode("utf-8", "replace")  # anything but text is refused here
        chunks.append(StreamChunk(tool_call=call, provider=self._provider, model=self._model))

    def _close(
        self, ending: Mapping[str, Any], chunks: list[StreamChunk], raw: object = None
    ) -> None:
        """Take finish reason and usage, and end the answer."""
        self.usage = _usage(ending.get("usage") or {})
        reason = ending.get("finish_reason")
        if reason in _FAILURES:
            said = ending.get("error") or _FAILURES[reason]
            self._fail(stream_error({"message": str(said)}, self._target), chunks)
            return
        self._finish_reason = _FINISH_REASONS.get(reason, str(reason)) if reason else None
        self._finish(chunks, raw)


def token_counts(counts: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return tokens in and out of a `usage` or `meta`; `None` when it does not tell.

    `tokens` are those that the model read and wrote; `billed_units` leave out what Cohere adds to
    the prompt itself, and stand in where it tells no others (embeddings).
    """
    for name in ("tokens", "billed_units"):
        told = counts.get(name) or {}
        given, made = token_count(told.get("input_tokens")), token_count(told.get("output_tokens"))
        if given is not None or made is not None:
            return given or 0, made or 0
    return None


def _message(payload: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = (payload.get("delta") or {}).get("message") or {}
    return message


def _joined(pieces: list[str]) -> str:
    joiner = SurrogateJoiner()
    return joiner.feed("".join(pieces)) + joiner.end()


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    counts = token_counts(usage)
    if counts is None:
        return None
    given, made = counts
    billed = usage.get("billed_units") or {}
    return Usage(
        given,
        made,
        given + made,
        cached_tokens=token_count(usage.get("cached_tokens")),
        billed_prompt_tokens=token_count(billed.get("input_tokens")),
        billed_completion_tokens=token_count(billed.get("output_tokens")),
    )

"""The answers of the Gemini API, streamed or whole, as chunks.

Owns the reading of one answer. Departures that cannot be confused with anything else are tolerated
here (WIRE.md §§5, 7, 11): no `[DONE]`, calls without an id, a stream that came as a JSON array,
`finishReason: null` and usage that is all zeros (LiteLLM, seen 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import (
    ContentFilterError,
    GenerationError,
    InvalidOutputError,
    LLMError,
)
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.surrogates import SurrogateJoiner
from .errors import stream_error
from .events import EventDecoder, token_count

if TYPE_CHECKING:
    # Most answers are plain text, and its module costs a start-up 1 ms.
    from ..types.content import ProviderState

__all__ = ["GeminiDecoder", "SaidParts", "read_parts"]

_FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    # The limit of one request; there is more, with a `continuationToken`.
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "BLOCKLIST",
            "ESCALATION",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "IMAGE_SAFETY",
            "MODEL_ARMOR",
            "PROHIBITED_CONTENT",
            "RECITATION",
            "SAFETY",
            "SPII",
        ),
        "content_filter",
    ),
}
"""Any other reason is passed on in lower case (google-genai 3.4)."""
_FAILURES: dict[str, type[GenerationError]] = {
    "MALFORMED_FUNCTION_CALL": InvalidOutputError,
    "MALFORMED_RESPONSE": InvalidOutputError,
    "UNEXPECTED_TOOL_CALL": InvalidOutputError,
    "MISSING_THOUGHT_SIGNATURE": GenerationError,
    "TOO_MANY_TOOL_CALLS": GenerationError,
}
"""Reasons for which there is no answer, though the status is 200."""
_UNSET = "FINISH_REASON_UNSPECIFIED"
_NEUTRAL = frozenset({"functionCall", "text", "thought"})
"""Fields of a part that a message of ours holds. Any other (a signature, an image, code that was
run) can only be sent back as it came."""
_JOINABLE = frozenset({"text", "thought"})


class GeminiDecoder(EventDecoder):
    """Decodes one answer."""

    __slots__ = ("_calls", "_has_candidate", "_history")

    lacking = "JSON without `candidates`"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._history = _History()
        self._calls = 0
        self._has_candidate = False

    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        if self._response_id is None and (id := payload.get("responseId")):
            self._response_id = str(id)
        if not self._model:
            self._model = str(payload.get("modelVersion") or "")
        if usage := payload.get("usageMetadata"):
            # Cumulative. All zeros: LiteLLM did not count.
            self.usage = _usage(usage)
        for candidate in payload.get("candidates") or ():
            if not candidate.get("index") and not self.done:
                self._take_candidate(candidate, chunks)
        feedback = payload.get("promptFeedback")
        if feedback and not self._has_candidate and (reason := feedback.get("blockReason")):
            self._fail(self._blocked(str(reason), feedback.get("blockReasonMessage")), chunks)

    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        value: Any = payload
        # Without `alt=sse` a stream is an array of its chunks.
        for item in value if isinstance(value, list) else (value,):
            if item.get("error"):
                self._fail(stream_error(item, self._target), chunks)
            else:
                self._take(item, "", chunks)
            if self.done:
                return
        if self._is_whole() or (self._has_candidate and isinstance(value, dict)):
            self._finish(chunks, raw=value)
        elif self._has_candidate:
            self._fail(self._interrupted(), chunks)

    def _is_whole(self) -> bool:
        return self._finish_reason is not None

    def _state(self) -> ProviderState | None:
        items = self._history.items()
        if not items:
            return None
        from ..types.content import ProviderState

        return ProviderState(self._provider, "gemini", items)

    def _take_candidate(self, candidate: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._has_candidate = True
        content = candidate.get("content") or {}
        for part in content.get("parts") or ():
            self._take_part(part, chunks)
        reason = candidate.get("finishReason")
        if not reason or reason == _UNSET:
            return
        self._finish_reason = _FINISH.get(reason) or str(reason).lower()
        if (kind := _FAILURES.get(reason)) is not None:
            self._fail(self._failed(kind, reason, candidate.get("finishMessage")), chunks)

    def _take_part(self, part: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self._history.add(part)
        if text := part.get("text"):
            if part.get("thought"):
                self._say(chunks, reasoning=text)
            else:
                self._say(chunks, text)
        if (call := part.get("functionCall")) is not None:
            chunks.append(
                StreamChunk(
                    tool_call=ToolCallDelta(
                        self._calls,
                        str(call.get("id") or self._made_up_id()),
                        str(call["name"]),
                        json.dumps(call.get("args") or {}, ensure_ascii=False),
                    ),
                    provider=self._provider,
                    model=self._model,
                )
            )
            self._calls += 1

    def _made_up_id(self) -> str:
        """Return an id for a call without one, unlike those of other answers if possible."""
        return "_".join(filter(None, ("call", self._response_id, str(self._calls))))

    def _blocked(self, reason: str, message: object) -> LLMError:
        said = f" {message}" if message else ""
        return ContentFilterError(
            f"{self._provider} withheld the answer: it blocked the prompt ({reason}).{said}"
        )

    def _failed(self, kind: type[GenerationError], reason: str, message: object) -> LLMError:
        said = f": {message}" if message else "."
        return kind(f"The answer of {self._provider} ended with {reason}{said}")


class _History:
    """The parts of an answer as they came, with pieces of the same text joined."""

    __slots__ = ("_is_opaque", "_items", "_texts")

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._texts: list[str] = []
        """The pieces of the last item, when it is text that goes on."""
        self._is_opaque = False

    def add(self, part: dict[str, Any]) -> None:
        """Take the next part."""
        # A part with a signature stays by itself: it must go back as the part that it was.
        is_plain = part.keys() <= _JOINABLE and isinstance(part.get("text"), str)
        if is_plain and not part["text"]:
            return  # the last chunk of a stream, which only has the reason why it ended
        if is_plain and self._texts and part.get("thought") == self._items[-1].get("thought"):
            self._texts.append(part["text"])
            return
        self._flush()
        self._items.append(part)
        if is_plain:
            self._texts.append(part["text"])
        elif not part.keys() <= _NEUTRAL:
            self._is_opaque = True

    def items(self) -> tuple[dict[str, Any], ...]:
        """Return the parts; none when a message of ours holds all that they say."""
        if not self._is_opaque:
            return ()
        self._flush()
        return tuple(self._items)

    def _flush(self) -> None:
        if len(self._texts) > 1:
            joiner = SurrogateJoiner()
            text = joiner.feed("".join(self._texts)) + joiner.end()
            self._items[-1] = {**self._items[-1], "text": text}
        self._texts.clear()


class SaidParts(NamedTuple):
    """What the parts of an answer say in our terms."""

    text: str
    calls: list[tuple[str | None, str, Mapping[str, Any]]]
    """Id (`None` where the provider gave none), name and arguments."""


def read_parts(parts: Iterable[Mapping[str, Any]]) -> SaidParts:
    """Return what parts of an answer say. Raises one of `UNREADABLE` when they are none."""
    texts, calls = [], []
    for part in parts:
        if (text := part.get("text")) and not part.get("thought"):
            texts.append(text)
        if (call := part.get("functionCall")) is not None:
            calls.append((call.get("id") or None, call["name"], call.get("args") or {}))
    return SaidParts("".join(texts), calls)


def _usage(value: Mapping[str, Any]) -> Usage | None:
    prompt, tools, answer, thoughts, cached, total = (
        token_count(value.get(f"{name}TokenCount"))
        for name in ("prompt", "toolUsePrompt", "candidates", "thoughts", "cachedContent", "total")
    )
    # The answer does not count its thoughts, the prompt does count what the cache has of it.
    asked, answered = (prompt or 0) + (tools or 0), (answer or 0) + (thoughts or 0)
    if not (asked or answered or total):
        return None
    return Usage(asked, answered, total or asked + answered, cached, reasoning_tokens=thoughts)

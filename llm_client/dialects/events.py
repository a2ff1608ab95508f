"""What the decoders of event streams with JSON events share.

Owns the way from bytes to JSON objects and what the end of a stream means; what an object says is
the dialect's. A whole answer goes through the same reading, so streamed and whole cannot differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ..exceptions import LLMError, StreamInterruptedError
from ..types.response import StreamChunk, Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from ..wire.sse import ServerSentEvent, SSEDecoder
from ..wire.surrogates import SurrogateJoiner
from .errors import describe, not_an_answer, stream_error

if TYPE_CHECKING:
    from ..types.content import ProviderState

__all__ = ["UNREADABLE", "EventDecoder", "text_or_none", "token_count", "usd"]

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a value of an unexpected type raises. Checking each type first would cost more than
the rest of the reading together, for every token of every answer."""
_STREAM_STARTS = (b"data:", b"event:", b":")
"""How an event stream begins, from a server that streams without being asked."""
_MOST = 1e15
"""More than that is no number of tokens and no price, and the books could not add it up."""


def token_count(value: object) -> int | None:
    """Return a number of tokens, which some servers write as a fraction; `None` if it is none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < _MOST else None


def usd(value: object) -> float | None:
    """Return a cost that a provider reports; `None` if it is no amount of money."""
    return float(value) if isinstance(value, int | float) and 0 <= value < _MOST else None


def text_or_none(value: object) -> str | None:
    """Return a text that says something; a number as its digits, `None` for anything else.

    Ids are texts, and there are servers that number their calls.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


class EventDecoder(ABC):
    """Decodes one answer, streamed or whole. A dialect adds `_take`, `_take_whole`, `_is_whole`."""

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
        "done",
        "usage",
    )

    lacking: ClassVar[str] = "JSON that is no answer"
    """What a JSON object is called that is no answer in this dialect."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._provider = target.provider.name
        self._sse = SSEDecoder()
        self._content = SurrogateJoiner()
        self._reasoning = SurrogateJoiner()
        self._model = ""
        self._response_id: str | None = None
        self.usage: Usage | None = None
        """What was reported so far."""
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
        """Take the end of the stream."""
        chunks: list[StreamChunk] = []
        cut_inside = False
        for event in self._sse.end():
            if not self.done:
                cut_inside = not self._event(event, chunks, last=True)
        if self.done:
            return chunks
        if not self._saw_event and not cut_inside:
            if self._sse.foreign:
                return self.whole(b"\n".join(self._sse.foreign))
            self._fail(not_an_answer("nothing", self._target), chunks)
        elif not cut_inside and self._is_whole():
            self._finish_or_fail(chunks)
        else:
            self._fail(self._foreign_error() or self._interrupted(), chunks)
        return chunks

    def whole(self, body: bytes) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        chunks: list[StreamChunk] = []
        try:
            payload = parse_json(body)
        except ValueError:
            # Blank lines may stand in front; a blank makes the line one that is no field.
            if body.lstrip(b"\r\n").startswith(_STREAM_STARTS):
                chunks = self.feed(body)
                return chunks if self.done else chunks + self.end()
            self._fail(not_an_answer(describe(body), self._target, body), chunks)
            return chunks
        if (error := self._error_of(payload)) is not None:
            self._fail(error, chunks)
            return chunks
        try:
            self._take_whole(payload, chunks)
        except UNREADABLE:
            chunks.clear()
            self.usage = None
        if not self.done:
            self._fail(not_an_answer(self.lacking, self._target, body), chunks)
        return chunks

    # What a dialect adds.

    @abstractmethod
    def _take(self, payload: dict[str, Any], event: str, chunks: list[StreamChunk]) -> None:
        """Read one event; `_finish` or `_fail` ends the answer."""

    @abstractmethod
    def _take_whole(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        """Read an answer that came whole and finish; raise or return when it is none."""

    @abstractmethod
    def _is_whole(self) -> bool:
        """Return whether the answer is whole when the stream just ends here."""

    def _state(self) -> ProviderState | None:
        """Return what the provider wants back unchanged, once the answer is whole."""
        return None

    # What a dialect uses.

    def _say(self, chunks: list[StreamChunk], text: str = "", reasoning: str = "") -> None:
        """Add text and thinking to the chunks, joining characters that were cut in two."""
        if text:
            text = self._content.feed(text)
        if reasoning:
            reasoning = self._reasoning.feed(reasoning)
        if text or reasoning:
            chunks.append(StreamChunk(text, reasoning, provider=self._provider, model=self._model))

    def _finish(self, chunks: list[StreamChunk], raw: object = None) -> None:
        """End the answer: it is whole."""
        state = self._state()  # it may find what cannot be read: then the answer is not done
        self.done = True
        text, reasoning = self._content.end(), self._reasoning.end()
        if text or reasoning:
            chunks.append(StreamChunk(text, reasoning, provider=self._provider, model=self._model))
        chunks.append(
            StreamChunk(
                is_done=True,
                usage=self.usage,
                finish_reason=self._finish_reason,
                provider=self._provider,
                model=self._model,
                response_id=self._response_id,
                raw=raw,
                provider_state=state,
            )
        )

    def _finish_or_fail(self, chunks: list[StreamChunk]) -> None:
        """End the answer outside of the reading of an event."""
        try:
            self._finish(chunks)
        except UNREADABLE:
            what = "events that cannot be put together"
            self._fail(not_an_answer(what, self._target), chunks)

    def _fail(self, error: LLMError, chunks: list[StreamChunk]) -> None:
        """End the answer: it will not become whole."""
        self.done = True
        model = self._model or self._target.model
        if self.usage is not None or self._response_id is not None:
            # What the provider bills, and how its support finds an answer that failed.
            chunks.append(
                StreamChunk(
                    usage=self.usage,
                    finish_reason=self._finish_reason,
                    provider=self._provider,
                    model=model,
                    response_id=self._response_id,
                )
            )
        chunks.append(StreamChunk(error=error, provider=self._provider, model=model))

    def _error_of(self, payload: object) -> LLMError | None:
        """Return the error that a JSON value is; `None` when it is none."""
        if isinstance(payload, list) and payload:
            payload = payload[0]  # Gemini
        if isinstance(payload, dict) and payload.get("error"):
            return stream_error(payload, self._target)
        return None

    def _interrupted(self) -> LLMError:
        return StreamInterruptedError(
            f"The stream from {self._provider} ended in the middle of the answer."
        )

    def _event(
        self, event: ServerSentEvent, chunks: list[StreamChunk], *, last: bool = False
    ) -> bool:
        """Read one event into `chunks`; return False when its JSON is broken off."""
        data = event.data
        try:
            payload = parse_json(data)
            error = payload.get("error")
        except (ValueError, AttributeError):
            return self._no_object(data.strip(), chunks, last=last)
        self._saw_event = True
        try:
            self._take(payload, event.event, chunks)
        except UNREADABLE:
            if not self.done and not error:
                what = "an event that cannot be read"
                self._fail(not_an_answer(what, self._target, data), chunks)
        if error and not self.done:
            self._fail(stream_error(payload, self._target), chunks)
        return True

    def _no_object(self, data: bytes, chunks: list[StreamChunk], *, last: bool) -> bool:
        """Take an event that is no JSON object; return False when it may be one broken off."""
        if not data:
            return True
        if data == b"[DONE]":
            if self._is_whole():
                self._finish_or_fail(chunks)
            return True
        if last:
            return False
        what = "an event that is no JSON object"
        self._fail(not_an_answer(what, self._target, data), chunks)
        return True

    def _foreign_error(self) -> LLMError | None:
        """Return the error that stands between the events without being one (Gemini)."""
        try:
            return self._error_of(parse_json(b"\n".join(self._sse.foreign)))
        except ValueError:
            return None

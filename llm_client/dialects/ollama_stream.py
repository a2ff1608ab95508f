"""The answers of Ollama's own API, streamed or whole, as chunks: NDJSON, the last line is `done`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, StreamInterruptedError
from ..types.response import StreamChunk, ToolCallDelta, Usage
from ..types.target import Target
from ..wire.jsontext import parse_json
from ..wire.ndjson import NDJSONDecoder
from ..wire.surrogates import SurrogateJoiner
from .errors import describe, not_an_answer, stream_error
from .events import UNREADABLE, text_or_none, token_count

if TYPE_CHECKING:
    from ..wire.think import ThinkSplitter

__all__ = ["OllamaDecoder"]


class OllamaDecoder:
    """Decodes one answer: NDJSON, the last line has `done: true`."""

    __slots__ = (
        "_calls",
        "_content",
        "_keep_raw",
        "_lines",
        "_saw_line",
        "_target",
        "_think",
        "_thinking",
        "done",
        "usage",
    )

    def __init__(self, target: Target, *, keep_raw: bool = False) -> None:
        self._target = target
        self._lines = NDJSONDecoder()
        self._content = SurrogateJoiner()
        self._thinking = SurrogateJoiner()
        self._calls = 0
        self._keep_raw = keep_raw
        self._saw_line = False
        self._think: ThinkSplitter | None = None
        if target.provider.quirks.inline_think:
            from ..wire.think import ThinkSplitter

            self._think = ThinkSplitter()
        self.done = False
        self.usage: Usage | None = None
        """Never known before the end."""

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
        except UNREADABLE:
            what = "a line that cannot be read"
            self._fail(not_an_answer(what, self._target, line), chunks)

    def _take_message(
        self, payload: dict[str, Any], message: dict[str, Any], chunks: list[StreamChunk]
    ) -> None:
        model = str(payload.get("model") or "")
        content, thinking = message.get("content") or "", message.get("thinking") or ""
        if not (isinstance(content, str) and isinstance(thinking, str)):
            raise TypeError
        if self._think is not None:
            content, thought = self._think.feed(content)
            thinking += thought
        self._say(chunks, self._content.feed(content), self._thinking.feed(thinking), model)
        for call in message.get("tool_calls") or ():
            chunks.append(self._chunk(tool_call=self._tool_call(call), model=model))

    def _finish(self, payload: dict[str, Any], chunks: list[StreamChunk]) -> None:
        self.done = True
        content, thinking = self._think.end() if self._think is not None else ("", "")
        content = self._content.feed(content) + self._content.end()
        self._say(chunks, content, self._thinking.feed(thinking) + self._thinking.end())
        chunks.append(
            self._chunk(
                is_done=True,
                usage=_usage(payload),
                finish_reason=text_or_none(payload.get("done_reason")),
                model=str(payload.get("model") or ""),
                raw=payload if self._keep_raw else None,
            )
        )

    def _say(self, chunks: list[StreamChunk], content: str, thinking: str, model: str = "") -> None:
        if content or thinking:
            chunks.append(self._chunk(content, thinking, model=model))

    def _fail(self, error: LLMError, chunks: list[StreamChunk]) -> None:
        self.done = True
        chunks.append(self._chunk(error=error, model=self._target.model))

    def _tool_call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        """Return a call, which always comes whole; its own index is always 0 in some versions."""
        function = call.get("function") or {}
        arguments = function.get("arguments") or {}
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        position = self._calls
        self._calls += 1
        id, name = text_or_none(call.get("id")), text_or_none(function.get("name"))
        return ToolCallDelta(position, id, name, arguments)

    def _chunk(self, delta: str = "", reasoning: str = "", **fields: Any) -> StreamChunk:
        return StreamChunk(delta, reasoning, provider=self._target.provider.name, **fields)


def _usage(payload: Mapping[str, Any]) -> Usage | None:
    prompt = token_count(payload.get("prompt_eval_count"))
    completion = token_count(payload.get("eval_count"))
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return Usage(prompt, completion, prompt + completion)

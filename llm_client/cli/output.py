"""Where an answer goes: one sink per kind of output, chosen once.

Owns stdout. A pipe gets the model's exact bytes and at most one final newline; a terminal gets
Markdown (or plain text) with every control character made harmless; `--json` gets objects. The
sinks know nothing of providers or errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO

from ..types.response import LLMResponse, StreamChunk
from .environment import Environment
from .exit_status import SCHEMA_VERSION

if TYPE_CHECKING:
    from .render.markdown import MarkdownStream
    from .render.plain import PlainTerminal

__all__ = [
    "EventSink",
    "ObjectSink",
    "PipeSink",
    "PlainSink",
    "Sink",
    "TerminalSink",
    "WholeSink",
    "extract_code",
    "response_object",
    "write_json",
]


class Sink(Protocol):
    """Takes an answer as it comes."""

    def chunk(self, chunk: StreamChunk) -> None:
        """Take the next piece."""
        ...

    def finish(self, response: LLMResponse) -> None:
        """Take the end: the answer is whole."""
        ...

    def interrupt(self) -> None:
        """Take the end: nothing more will come. What was shown stays."""
        ...


class PipeSink:
    """The exact text, in UTF-8, as it comes, and one newline where the text ends without."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = "\n"

    def chunk(self, chunk: StreamChunk) -> None:
        """Write the text of a chunk at once."""
        if chunk.delta:
            self._write(chunk.delta)

    def finish(self, response: LLMResponse) -> None:
        """Write the final newline, if there is a text that lacks it."""
        self.interrupt()

    def interrupt(self) -> None:
        """End the line that was begun."""
        if self._last != "\n":
            self._write("\n")

    def _write(self, text: str) -> None:
        self._last = text[-1]
        # A lone surrogate, which no UTF-8 can hold, becomes `?`.
        self._stream.write(text.encode("utf-8", "replace"))
        self._stream.flush()


class TerminalSink:
    """Text for a human: Markdown while it streams, or plain where the terminal is dumb.

    What draws Markdown is imported with the first chunk: see `import_ahead`.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._view: PlainTerminal | MarkdownStream | None = None

    def chunk(self, chunk: StreamChunk) -> None:
        """Draw a chunk."""
        if self._view is None:
            self._view = _view(self._environment)
        if chunk.reasoning:
            self._view.reasoning(chunk.reasoning)
        if chunk.delta:
            self._view.write(chunk.delta)

    def finish(self, response: LLMResponse) -> None:
        """Draw what is left."""
        if self._view is not None:
            self._view.finish()

    def interrupt(self) -> None:
        """Leave what is there, the cursor on a fresh line."""
        if self._view is not None:
            self._view.interrupt()


def _view(environment: Environment) -> PlainTerminal | MarkdownStream:
    if environment.is_dumb:
        from .render.plain import PlainTerminal

        return PlainTerminal(environment.stdout)
    from .render.markdown import MarkdownStream

    return MarkdownStream(environment.stdout, color=environment.colored(True))


class PlainSink:
    """The answer as plain text on a terminal: nothing is drawn, and nothing reaches it raw."""

    def __init__(self, stream: TextIO) -> None:
        from .render.plain import PlainTerminal

        self._view = PlainTerminal(stream)

    def chunk(self, chunk: StreamChunk) -> None:
        """Write the text of a chunk."""
        self._view.write(chunk.delta)

    def finish(self, response: LLMResponse) -> None:
        """End the line that was begun."""
        self._view.finish()

    def interrupt(self) -> None:
        """End the line that was begun."""
        self._view.interrupt()


class WholeSink:
    """Hands the whole text on at the end: for `--extract` and a terminal without streaming."""

    def __init__(self, sink: Sink, *, extract: bool) -> None:
        self.inner = sink
        """Where the text goes in the end."""
        self._extract = extract
        self.found_code = True
        """False when the answer had no fenced block and went through as it was."""

    def chunk(self, chunk: StreamChunk) -> None:
        """Wait for the end."""

    def finish(self, response: LLMResponse) -> None:
        """Hand on the text, or the code in it."""
        text, reasoning = response.content, response.reasoning
        if self._extract:
            reasoning = ""
            code = extract_code(text)
            self.found_code = code is not None
            text = text if code is None else code
        self.inner.chunk(StreamChunk(text, reasoning))
        self.inner.finish(response)

    def interrupt(self) -> None:
        """Hand nothing on: half a block of code is not what was asked for."""


class ObjectSink:
    """One JSON object at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def chunk(self, chunk: StreamChunk) -> None:
        """Wait for the end."""

    def finish(self, response: LLMResponse) -> None:
        """Write the object."""
        write_json(self._stream, response_object(response))

    def interrupt(self) -> None:
        """Write nothing: the caller writes the error."""


class EventSink:
    """One JSON object a line for every event of the stream; the last is the whole answer."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def chunk(self, chunk: StreamChunk) -> None:
        """Write what a chunk brings."""
        if chunk.reasoning:
            write_json(self._stream, {"type": "reasoning", "text": chunk.reasoning})
        if chunk.delta:
            write_json(self._stream, {"type": "text", "text": chunk.delta})
        if chunk.tool_call is not None:
            write_json(self._stream, {"type": "tool_call", **asdict(chunk.tool_call)})

    def finish(self, response: LLMResponse) -> None:
        """Write the whole answer."""
        write_json(self._stream, {"type": "done", **response_object(response)})

    def interrupt(self) -> None:
        """Write nothing: the caller writes the error."""


def write_json(stream: BinaryIO, value: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write an object on a line of its own, or indented on several."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # JSON escapes only the controls below space. Some terminals obey those from DEL to U+009F.
    text = _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    stream.write(text.encode("utf-8", "replace") + b"\n")
    stream.flush()


_CONTROLS = re.compile("[\x7f-\x9f]")


def response_object(response: LLMResponse) -> dict[str, Any]:
    """Return the JSON object that stands for an answer."""
    return {
        "schema_version": SCHEMA_VERSION,
        "id": response.response_id,
        "provider": response.provider,
        "model": response.model,
        "text": response.content,
        "parsed": response.parsed,
        "reasoning": response.reasoning or None,
        "tool_calls": [asdict(call) for call in response.tool_calls],
        "finish_reason": response.finish_reason,
        "usage": None if response.usage is None else asdict(response.usage),
        "cost": response.cost,
        "cached": bool(response.metadata.get("cached")),
        "timing": {
            "latency_ms": response.latency_ms,
            "time_to_first_token_ms": response.metadata.get("time_to_first_token_ms"),
        },
        "attempts": response.attempts,
        "retry_count": response.retry_count,
        "used_fallback": response.used_fallback,
        "fallback_provider": response.fallback_provider,
    }


_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*$", re.MULTILINE)


def extract_code(text: str) -> str | None:
    """Return the code of the first fenced block, with its last newline; `None` without one.

    A block that is never closed goes to the end of the text (CommonMark 0.31, section 4.5).
    """
    opening = _FENCE.search(text)
    if opening is None:
        return None
    fence = opening["fence"]
    start = min(opening.end() + 1, len(text))
    closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
    end = closing.search(text, start)
    return text[start : end.start() if end is not None else len(text)]

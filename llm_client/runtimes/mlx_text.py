"""What a model that MLX runs writes, taken apart: answer, reasoning, tool calls, stop texts.

Owns the cutting of text at markers, which may come in pieces. It exists because a model writes
everything into one text, and mlx-lm knows the markers of each kind of model but gives the text as it
is. Pure, and without mlx-lm.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = [
    "ANSWER",
    "REASONING",
    "TOOL",
    "UNFINISHED_TOOL",
    "TextParts",
    "kind_at_start",
    "marker_table",
    "parsed_calls",
]

ANSWER: Final = "normal"
REASONING: Final = "reasoning"
TOOL: Final = "tool"
"""What a stretch of text is, under mlx-lm's names: models bring transitions between them."""

UNFINISHED_TOOL: Final = "unfinished tool"
"""A call whose end was not marked: it is cut, or the model's form of calls has no mark for it."""

_STOP: Final = "stop"
"""Where the text of a stop leads."""

Markers = Mapping[str, list[tuple[str, str]]]
"""By what the text is at present: each marker, and what the text is after it."""


def marker_table(tokenizer: Any, *, tools: bool, stop: Iterable[str]) -> Markers:
    """Return the markers of a model.

    Args:
        tokenizer: mlx-lm's wrapper, which knows them.
        tools: whether the model was told of any: without them, what looks like a call is text.
        stop: texts that end the answer. They are looked for in the answer, not in reasoning.
    """
    table: dict[str, list[tuple[str, str]]] = {ANSWER: [], REASONING: [], TOOL: []}
    if tokenizer.has_thinking:
        table[ANSWER].append((tokenizer.think_start, REASONING))
        table[REASONING].append((tokenizer.think_end, ANSWER))
    # Kinds of models that mlx-lm 0.32 describes by a table of their own.
    own = getattr(tokenizer, "response_transitions", None) or {}
    if tools and tokenizer.has_tool_calling:
        if all(after != TOOL for edges in own.values() for _, after in edges):
            table[ANSWER].append((tokenizer.tool_call_start, TOOL))
        if tokenizer.has_thinking:
            table[REASONING].append((tokenizer.tool_call_start, TOOL))
        if tokenizer.tool_call_end:
            table[TOOL].append((tokenizer.tool_call_end, ANSWER))
    table[ANSWER].extend((text, ANSWER) for text in getattr(tokenizer, "structural_markers", ()))
    for before, edges in own.items():
        table.setdefault(before, []).extend(edges)
    table[ANSWER].extend((text, _STOP) for text in stop)
    return table


def kind_at_start(tokenizer: Any, prompt: str) -> str:
    """Return what the first word is: some chat templates open the reasoning themselves."""
    own = getattr(tokenizer, "response_initial_state", None)
    if own is not None:
        return str(own)
    opened = tokenizer.has_thinking and prompt.rstrip().endswith(tokenizer.think_start)
    return REASONING if opened else ANSWER


class TextParts:
    """Cuts a text that arrives in pieces. Markers themselves are left out."""

    def __init__(self, markers: Markers, *, kind: str = ANSWER) -> None:
        """Begin with text of a kind: a prompt may have opened the reasoning already."""
        self._markers = markers
        self._kind = kind
        self._held = ""
        self._call = ""
        self._at_start = kind == REASONING
        self.stopped = False
        """Whether a stop text was met; what comes after it is no part of the answer."""

    def feed(self, text: str) -> list[tuple[str, str]]:
        """Return what is certain now: kind and text, a tool call only when it is whole."""
        parts: list[tuple[str, str]] = []
        self._held += text
        while not self.stopped and (found := self._first_marker()):
            start, marker, after = found
            self._take(self._held[:start], parts)
            self._held = self._held[start + len(marker) :]
            if self._kind == TOOL and after != TOOL:
                parts.append((TOOL, self._call))
                self._call = ""
            self.stopped = after == _STOP
            if not self.stopped:
                self._at_start = REASONING in (self._kind, after)
                self._kind = after
        if not self.stopped:
            certain = len(self._held) - self._undecided()
            self._take(self._held[:certain], parts)
            self._held = self._held[certain:]
        return parts

    def end(self) -> list[tuple[str, str]]:
        """Return the rest, when nothing more comes."""
        parts: list[tuple[str, str]] = []
        if not self.stopped:
            self._take(self._held, parts)
            if self._call:
                parts.append((UNFINISHED_TOOL, self._call))
        self._held = self._call = ""
        return parts

    def _take(self, text: str, parts: list[tuple[str, str]]) -> None:
        if self._kind == TOOL:
            self._call += text
            return
        # Templates put the marks of reasoning on lines of their own.
        text = text.lstrip("\n") if self._at_start else text
        if text:
            self._at_start = False
            parts.append((self._kind, text))

    def _first_marker(self) -> tuple[int, str, str] | None:
        """Return where a marker starts, the marker, and what follows it.

        It is the one that ends first, whether the text came at once or in pieces.
        """
        found = [
            (start + len(marker), start, marker, after)
            for marker, after in self._markers.get(self._kind, ())
            if (start := self._held.find(marker)) >= 0
        ]
        return min(found)[1:] if found else None

    def _undecided(self) -> int:
        """Return how many characters at the end may be the beginning of a marker."""
        held = self._held
        return max(
            (
                size
                for marker, _ in self._markers.get(self._kind, ())
                for size in range(1, min(len(marker), len(held) + 1))
                if held.endswith(marker[:size])
            ),
            default=0,
        )


def parsed_calls(tokenizer: Any, text: str, tools: list[Any]) -> list[dict[str, Any]] | None:
    """Return the calls in the text of one, as OpenAI writes functions; `None` when it has none.

    The parsers are mlx-lm's, one for each kind of model; what they raise on a text that is cut or
    that the model got wrong is as different as they are.
    """
    try:
        result = tokenizer.tool_parser(text, tools)
        calls = result if isinstance(result, list) else [result]
        functions = [
            {"name": call["name"], "arguments": _arguments(call.get("arguments", {}))}
            for call in calls
        ]
    except Exception:
        return None
    return functions if all(isinstance(function["name"], str) for function in functions) else None


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

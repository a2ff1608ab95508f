"""Thinking that stands inside `<think>` tags at the start of a text, split off piece by piece.

Some providers leave their models' tags in the text (WIRE.md §1: Hugging Face, MiniMax, SambaNova).
Only a tag that begins the text counts; blanks before it are dropped, every other character stays
as it is, also the line ends behind `</think>`. Without a closing tag all of it is thinking.

A `</think>` alone is left in the text. Where a chat template opens the tag in the prompt, only the
closing one is answered; by then the thinking has been shown as text, and a stream cannot take back
what it said. Streamed and whole answers must not differ, so a whole one is left as it is, too.
"""

from __future__ import annotations

__all__ = ["ThinkSplitter"]

_OPEN = "<think>"
_CLOSE = "</think>"
_BLANKS = 64
"""The most blanks before a tag: they are held back, and an answer of nothing else is not."""


class ThinkSplitter:
    """Feed it the pieces of one text; what it returns does not depend on how the text was cut."""

    __slots__ = ("_held", "_inside", "_started")

    def __init__(self) -> None:
        self._held = ""
        self._started = False
        self._inside = False

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece; return what it adds to the answer and to the thinking."""
        if self._started and not self._inside:
            return text, ""
        text = self._held + text
        self._held = ""
        if not self._started:
            begun = text.lstrip()
            may_begin = len(text) - len(begun) <= _BLANKS
            if may_begin and begun != _OPEN and _OPEN.startswith(begun):
                self._held = text
                return "", ""
            self._started = True
            if not (may_begin and begun.startswith(_OPEN)):
                return text, ""
            self._inside = True
            text = begun[len(_OPEN) :]
        thinking, closing, answer = text.partition(_CLOSE)
        if closing:
            self._inside = False
            return answer, thinking
        self._held = _start_of_tag(thinking)
        return "", thinking.removesuffix(self._held)

    def end(self) -> tuple[str, str]:
        """Take the end of the text; return what was held back in case that a tag came."""
        held, self._held = self._held, ""
        return ("", held) if self._inside else (held, "")


def _start_of_tag(text: str) -> str:
    """Return the longest end of a text that the closing tag begins with."""
    at = text.rfind("<", -len(_CLOSE))
    return text[at:] if at >= 0 and _CLOSE.startswith(text[at:]) else ""

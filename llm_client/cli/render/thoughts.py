"""Show a model's reasoning as it comes: dimmed, as plain text, set off from the answer."""

from typing import Final, TextIO

from llm_client.cli.render.plain import emit
from llm_client.cli.render.sanitize import Neutraliser

__all__ = ["Thoughts"]

_DIM: Final = "\x1b[2m"
_RESET: Final = "\x1b[0m"
_MARK: Final = "| "
"""Begins each line where there is no dim text to tell reasoning from the answer."""


class Thoughts:
    """Write one stretch of reasoning after the other.

    White space at the start and the end of a stretch is dropped: models send line feeds there.
    """

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._neutraliser = Neutraliser()
        self._blanks = ""
        self._started = False

    def write(self, delta: str) -> None:
        """Show a piece; white space at its end waits for more text."""
        self._put(self._neutraliser.feed(delta))

    def end(self) -> bool:
        """End the stretch, with the cursor at the start of a line.

        Returns:
            Whether anything was shown.
        """
        self._put(self._neutraliser.flush())
        shown, self._started, self._blanks = self._started, False, ""
        if shown:
            emit(self._stream, "\n")
        return shown

    def _put(self, text: str) -> None:
        text = self._blanks + text
        content = text.rstrip()
        self._blanks = text[len(content) :] if self._started or content else ""
        if not self._started:
            content = content.lstrip()
        if not content:
            return
        if self._color:
            content = f"{_DIM}{content}{_RESET}"
        else:
            content = ("" if self._started else _MARK) + content.replace("\n", f"\n{_MARK}")
        self._started = True
        emit(self._stream, content)

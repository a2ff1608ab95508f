"""Show an answer on a terminal as it comes, without Markdown.

For a terminal that cannot move its cursor (`TERM=dumb`) and for those who want no rendering. It
emits no control sequence of its own and refuses to let one of the model's through. `emit` is the
one place where this package writes to a terminal.
"""

from typing import TextIO

from llm_client.cli.render.sanitize import Neutraliser

__all__ = ["PlainTerminal", "emit"]


def emit(stream: TextIO, text: str) -> None:
    """Write text and flush it; characters that the stream's encoding lacks become `?`."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


class PlainTerminal:
    """Write neutralised text to a terminal as it comes.

    The methods are those of `MarkdownStream`, so a caller chooses once and then does not care.
    Reasoning and answer are told apart by a blank line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._neutraliser = Neutraliser()
        self._channel: str | None = None
        self._at_line_start = True

    def write(self, delta: str) -> None:
        """Show a piece of the answer."""
        self._show(delta, channel="answer")

    def reasoning(self, delta: str) -> None:
        """Show a piece of the model's reasoning."""
        self._show(delta, channel="reasoning")

    def finish(self) -> None:
        """End the answer: the cursor stands at the start of a line. Calling it again is harmless."""
        self._put(self._neutraliser.flush())
        self._end_line()
        self._channel = None

    def interrupt(self) -> None:
        """Leave what is shown as it is, with the cursor at the start of a line."""
        self.finish()

    def _show(self, delta: str, *, channel: str) -> None:
        if not delta:
            return
        if self._channel not in (None, channel):
            self._put(self._neutraliser.flush())
            self._end_line()
            self._put("\n")
        self._channel = channel
        self._put(self._neutraliser.feed(delta))

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            emit(self._stream, text)
            self._at_line_start = text.endswith("\n")

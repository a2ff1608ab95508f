"""Show a streamed answer as Markdown on a terminal while it arrives, at linear cost.

Finished blocks are printed once and belong to the scrollback from then on; only the unfinished
end is drawn again, at most `redraws_per_second` times and never for more than a fifth of the time.
Cost and memory do not depend on the length of the answer, because the blocks are parsed once and
what is kept of the open one is bounded (`limits`).

What is on the screen in the end equals what rich draws for the whole Markdown at once, except:

- raw HTML and tables of more columns than fit are shown as written (rich drops them), links show
  their URL instead of hiding it, and images are shown as links;
- a link that is defined after the block that uses it stays as written;
- numbers of a list taller than the screen are indented by the width of those known so far;
- a table or paragraph beyond 16 KiB is drawn in parts (see `tables` and `document`).

This module imports rich; import it where an interactive terminal is certain. It refuses to show
anything but text: see `sanitize` for what happens to a model's control characters.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from llm_client.cli.render.document import Document
from llm_client.cli.render.painter import Painter
from llm_client.cli.render.plain import emit
from llm_client.cli.render.rows import RowRenderer
from llm_client.cli.render.sanitize import Neutraliser
from llm_client.cli.render.thoughts import Thoughts

__all__ = ["MarkdownStream", "terminal_size"]

_BATCH_CHARS: Final = 4096
"""Text that is drawn even before the next redraw is due, so that little is ever waiting."""
_PIECE_CHARS: Final = 8192
"""What the document is fed at once, to keep its bounds however large a delta is."""
_IDLE_SHARE: Final = 4
"""Seconds without drawing for each second of it."""


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Return columns and rows of the terminal behind a stream, else what the environment says."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        columns = rows = 0
    if columns <= 0 or rows <= 0:
        columns, rows = shutil.get_terminal_size()
    return columns, rows


class MarkdownStream:
    """Render one answer. `write` and `reasoning` take deltas; `finish` or `interrupt` ends it."""

    def __init__(
        self,
        stream: TextIO,
        size: Callable[[], tuple[int, int]] | None = None,
        *,
        color: bool = True,
        clock: Callable[[], float] = time.monotonic,
        redraws_per_second: float = 20.0,
    ) -> None:
        """Prepare to draw below the cursor, which must be at the start of a line.

        Args:
            stream: A terminal that understands cursor movements.
            size: Tells columns and rows; asked at each redraw. The default asks the terminal.
            color: Whether to use colours and other text attributes.
            clock: Tells seconds.
            redraws_per_second: The limit for redrawing the unfinished end.
        """
        self._stream = stream
        self._size = size or (lambda: terminal_size(stream))
        self._clock = clock
        self._interval = 1.0 / redraws_per_second
        self._next_redraw = clock()
        self._neutraliser = Neutraliser()
        self._document = Document(RowRenderer(color=color))
        self._painter = Painter(stream)
        self._settled: list[str] = []
        self._pending: list[str] = []
        self._pending_chars = 0
        self._thoughts = Thoughts(stream, color=color)
        self._channel: str | None = None

    def write(self, delta: str) -> None:
        """Show a piece of the answer."""
        if not delta:
            return
        if self._channel == "reasoning" and self._thoughts.end():
            emit(self._stream, "\n")
        self._channel = "answer"
        text = self._neutraliser.feed(delta)
        self._pending.append(text)
        self._pending_chars += len(text)
        if (
            self._pending_chars >= max(_BATCH_CHARS, self._document.retained)
            or self._clock() >= self._next_redraw
        ):
            self._redraw()

    def reasoning(self, delta: str) -> None:
        """Show a piece of the model's reasoning, dimmed. An answer before it is ended."""
        if not delta:
            return
        if self._channel == "answer":
            self._end_answer()
            emit(self._stream, "\n")
        self._channel = "reasoning"
        self._thoughts.write(delta)

    def finish(self) -> None:
        """Draw what is left. The cursor is at the start of a line. Harmless when called again."""
        if self._channel == "reasoning":
            self._thoughts.end()
        elif self._channel == "answer":
            self._end_answer()
        self._channel = None

    def interrupt(self) -> None:
        """Leave the answer as far as it came on the screen, with the cursor on a fresh line.

        May be called where Ctrl-C struck, inside `write` too: what was being drawn at that moment
        may then be there twice, but nothing is lost.
        """
        self.finish()

    def _end_answer(self) -> None:
        self._pending.append(self._neutraliser.flush())
        width, height = self._usable_size()
        self._settle_pending(width, height)
        self._settled += self._document.close(width)
        self._paint(())

    def _redraw(self) -> None:
        started = self._clock()
        width, height = self._usable_size()
        self._settle_pending(width, height)
        self._paint(self._document.live(width)[-(height - 1) :])
        ended = self._clock()
        self._next_redraw = ended + max(self._interval, _IDLE_SHARE * (ended - started))

    def _usable_size(self) -> tuple[int, int]:
        width, height = self._size()
        return max(1, width), max(2, height)

    def _settle_pending(self, width: int, height: int) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        self._pending_chars = 0
        for start in range(0, len(text), _PIECE_CHARS):
            if self._settled:
                self._paint(())
            self._settled += self._document.settle(
                text[start : start + _PIECE_CHARS], width, height
            )

    def _paint(self, live: Sequence[str]) -> None:
        # Rows leave the list only when they are drawn: Ctrl-C may strike at any point.
        self._painter.paint(self._settled, live)
        self._settled = []

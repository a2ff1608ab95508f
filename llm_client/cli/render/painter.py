"""Keep the unfinished end of an answer on the screen and replace it in place.

Rows that are settled are printed once and scroll away; the live rows below them are rewritten.
The only control sequences used are carriage return, cursor up and erase to the end of the screen,
so nothing above the live rows can be touched.
"""

from collections.abc import Sequence
from typing import TextIO

from llm_client.cli.render.plain import emit

__all__ = ["Painter"]


class Painter:
    """Draw settled and live rows.

    Between calls the cursor stands behind the last live row, or at the start of an empty line when
    there is none. When the terminal has been resized in between, never more rows are erased than
    were drawn: a terminal that wraps drawn rows anew may keep a fragment of them, but settled rows
    stay whole.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: list[str] = []

    def paint(self, settled: Sequence[str], live: Sequence[str]) -> None:
        """Put settled rows, then live rows, in the place of the live rows of the last call.

        Args:
            settled: Rows that will never change again.
            live: Rows to be replaced by the next call; at most as many as the screen has.
        """
        frame = [*settled, *live]
        before = self._live
        kept = 0
        for old, new in zip(before, frame, strict=False):
            if old != new:
                break
            kept += 1
        if kept < len(before):
            # The cursor must end behind a row of the frame, so the last one is always rewritten.
            kept = min(kept, max(0, len(frame) - 1))
        added = frame[kept:]
        text = "\n".join(added)
        if before and kept < len(before):
            text = _erase(len(before) - 1 - kept) + text
        elif before and added:
            text = "\n" + text
        if frame and not live:
            text += "\n"
        # Should Ctrl-C strike inside the write, drawing a row twice is a smaller evil than
        # losing one.
        self._live = []
        if text:
            emit(self._stream, text)
        self._live = list(live)


def _erase(rows_up: int) -> str:
    up = f"\x1b[{rows_up}A" if rows_up else ""
    return f"\r{up}\x1b[J"

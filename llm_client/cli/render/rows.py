"""Turn rich renderables into terminal rows: plain strings with nothing but SGR in them.

Everything that reaches the screen through Markdown passes here, so this is where the guarantee is
kept that no other control character does, whatever rich or the Markdown parser made of the text
(an entity such as `&#27;`, for example). It refuses OSC 8 hyperlinks for the same reason.
"""

import io
from collections.abc import Iterable
from typing import Final

from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.style import Style

from llm_client.cli.render.sanitize import neutralise

__all__ = ["RowRenderer"]

_COLOR_SYSTEMS: Final = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


class RowRenderer:
    """Render rich renderables to rows of a given width.

    Trailing blanks that show nothing are cut: a row as wide as the terminal would wrap when the
    terminal becomes narrower, and copied text would carry the padding.
    """

    def __init__(self, *, color: bool) -> None:
        """Prepare a console; colour depth is detected from TERM and COLORTERM.

        Args:
            color: Whether to emit SGR sequences at all.
        """
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            width=80,
            height=25,
        )
        detected = self._console.color_system
        self._color_system = _COLOR_SYSTEMS[detected or "standard"] if color else None

    def render(self, renderable: RenderableType, width: int) -> list[str]:
        """Render to rows no wider than `width` cells, each complete in itself."""
        options = self._console.options.update(width=width, height=None)
        lines = self._console.render_lines(renderable, options, pad=False)
        return [self._row(line) for line in lines]

    def _row(self, segments: Iterable[Segment]) -> str:
        shown = [segment for segment in segments if segment.text and not segment.control]
        while shown and not (text := self._without_blanks(shown[-1])):
            shown.pop()
        if not shown:
            return ""
        shown[-1] = Segment(text, shown[-1].style)
        return "".join(self._encode(segment) for segment in shown)

    def _without_blanks(self, segment: Segment) -> str:
        style = segment.style
        if self._color_system and style and (style.bgcolor or style.underline or style.reverse):
            return segment.text
        return segment.text.rstrip(" ")

    def _encode(self, segment: Segment) -> str:
        # A tab or line feed inside a row would break the count of rows and columns.
        text = neutralise(segment.text).replace("\t", " ").replace("\n", " ")
        style = segment.style
        if self._color_system is None or not style:
            return text
        return _without_link(style).render(text, color_system=self._color_system)


def _without_link(style: Style) -> Style:
    return style.update_link(None) if style.link else style

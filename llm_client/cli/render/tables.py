"""Rich's Markdown, and the tables in it that are printed in parts.

The width of a table's columns depends on all its rows. A table too long to be held back is printed
in parts, all with the columns of the first part: later cells that are wider wrap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from markdown_it.token import Token
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table
from rich.text import Text

__all__ = ["LAYOUT_KEY", "StreamedMarkdown", "TableLayout", "too_wide"]

LAYOUT_KEY: Final = "layout"
"""Where a table's opening token carries its `TableLayout`, in `Token.meta`."""

_OVERHEAD: Final = 2
"""Cells that each column takes besides its content, in the box and padding used here."""


@dataclass(slots=True)
class TableLayout:
    """The columns of a table that is printed in parts."""

    widths: list[int] | None = None
    """Cells of each column; None until the first part was drawn."""
    is_first_part: bool = True
    """Whether the header and the edge above it are still to be drawn."""

    def without_header(self) -> "TableLayout":
        """Return the layout for the parts after the first."""
        return replace(self, is_first_part=False)


class _StreamedTable(TableElement):
    """A table that keeps to a given layout; without one, exactly rich's."""

    layout: TableLayout | None = None

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> MarkdownElement:
        element = cls()
        element.layout = token.meta.get(LAYOUT_KEY)
        return element

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.layout is None:
            yield from super().__rich_console__(console, options)
            return
        header = self.header.row if self.header else None
        heading = [cell.content for cell in header.cells] if header else []
        body = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        if self.layout.widths is None:
            self.layout.widths = _natural_widths([heading, *body])
        if not body and not self.layout.is_first_part:
            yield from (Text(), Text())  # The edges of a table; the upper one is not drawn.
            return
        table = Table(
            box=box.SIMPLE,
            pad_edge=False,
            style="markdown.table.border",
            show_header=self.layout.is_first_part,
            collapse_padding=True,
        )
        widths = _fit(self.layout.widths, options.max_width)
        for content, width in zip(heading, widths, strict=True):
            title = content.copy()
            title.stylize("markdown.table.header")
            table.add_column(title, width=width)
        for row in body:
            table.add_row(*row)
        yield table


class StreamedMarkdown(Markdown):
    """Rich's Markdown whose `parsed` tokens are set by the caller."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "table_open": _StreamedTable,
    }


def too_wide(tokens: Sequence[Token], available: int) -> bool:
    """Whether a table's columns are more than fit beside each other: rich would drop some."""
    columns = sum(token.type == "th_open" for token in tokens)
    return columns * (_OVERHEAD + 1) > available


def _natural_widths(rows: Sequence[Sequence[Text]]) -> list[int]:
    """Return the cells that each column needs for its widest content."""
    return [max(1, *(text.cell_len for text in column)) for column in zip(*rows, strict=True)]


def _fit(widths: Sequence[int], available: int) -> list[int]:
    """Take cells off the widest columns until all fit beside each other."""
    space = available - _OVERHEAD * len(widths)
    if space <= len(widths):
        return [1] * len(widths)
    fitted = [min(width, space) for width in widths]
    while sum(fitted) > space:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted

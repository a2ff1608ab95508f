"""Draw a Markdown document that is still arriving: which rows are settled, and which may change.

A block is settled when a complete line has closed it. What is kept is the last, open block only.
When that one grows beyond the screen or a bound, the part of it that cannot change is settled too:
code line by line, lists item by item, tables by rows. A paragraph, quotation or list item beyond
`OPEN_BLOCK_LIMIT` is cut, and goes on in a new row with its inline styles ended.
"""

from dataclasses import dataclass
from typing import Final

from markdown_it.token import Token
from rich.text import Text

from llm_client.cli.render.blocks import (
    Block,
    Parser,
    completed_items,
    cut_position,
    hides_its_kind,
    resume_inside,
)
from llm_client.cli.render.fence import Fence
from llm_client.cli.render.limits import OPEN_BLOCK_LIMIT, rows_estimate
from llm_client.cli.render.rows import RowRenderer
from llm_client.cli.render.tables import LAYOUT_KEY, StreamedMarkdown, TableLayout, too_wide

__all__ = ["Document"]


_SOMETHING_BEFORE: Final = Token("html_block", "", 0)
"""Draws nothing, but makes rich begin the next block with an empty row, as below any block."""

_LEADS_WITH_BLANK: Final = frozenset(
    {"bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"}
)
"""Blocks that rich begins with an empty row even at the top of a document."""


@dataclass(frozen=True, slots=True)
class _Continuation:
    """The first block of the source is the rest of one that was settled in part."""

    number: int | None = None
    """The number of the next item of an ordered list."""
    hidden_rows: int = 0
    """Rows at the top which only repeat what was settled."""
    table: TableLayout | None = None
    """The columns of a table whose first rows were settled."""


class Document:
    """A document in pieces: `settle` after each piece, then `live`; `close` at the end."""

    def __init__(self, rows: RowRenderer) -> None:
        self._rows = rows
        self._parser = Parser()
        self._markdown = StreamedMarkdown("", hyperlinks=False)
        self._source = ""
        self._parsed_chars = 0
        self._fence: Fence | None = None
        self._continuation: _Continuation | None = None
        self._blank_before = False

    @property
    def retained(self) -> int:
        """Characters that the next drawing will read again."""
        return len(self._source) + (self._fence.retained if self._fence else 0)

    def settle(self, text: str, width: int, height: int) -> list[str]:
        """Take text in; return the rows that will never change again.

        Args:
            text: The next piece. Large ones must be fed in parts to keep the bounds.
            width: Columns of the terminal.
            height: Rows of the terminal.
        """
        rows: list[str] = []
        if self._fence:
            text = self._fence.feed(text)
            if not self._fence.closed:
                return self._fence.settle(width, height)
            rows += self._fence.close(width)
            self._fence = None
        self._source += text
        rows += self._settle_blocks(width, height)
        if self._fence:
            rows += self._fence.settle(width, height)
        while self._fence is None and len(self._source) > OPEN_BLOCK_LIMIT:
            rows += self._cut(width)
        return rows

    def live(self, width: int) -> list[str]:
        """Return the rows below the settled ones as they look now."""
        if self._fence:
            return self._fence.live(width)
        complete, newline, partial = self._source.rpartition("\n")
        shown = complete + newline if hides_its_kind(partial) else self._source
        return self._draw(self._parse(shown), width)

    def close(self, width: int) -> list[str]:
        """Return the rows still missing, and begin a new document below them."""
        if self._fence:
            rows = self._fence.close(width)
            self._fence = None
        else:
            rows = self._draw(self._parse(self._source), width)
        self._replace_source("", continuation=None)
        self._blank_before = False
        return rows

    def _settle_blocks(self, width: int, height: int) -> list[str]:
        end = self._source.rfind("\n") + 1
        if end <= self._parsed_chars:
            return []
        blocks = self._parse(self._source[:end])
        if not blocks:  # Empty lines, or link definitions.
            if self._source.endswith("\n\n", 0, end) or not self._source[:end].strip():
                self._parser.remember()
                self._replace_source(self._source[end:], self._continuation)
            return []
        last = blocks[-1]
        if last.is_closed:
            self._parser.remember()
            rows = self._settle_all(blocks, width)
            self._replace_source(self._source[end:], self._continuation)
            return rows
        self._parser.remember(before=last)
        if last.is_open_fence:
            rows = self._settle_all(blocks[:-1], width)
            self._open_fence(last, rows)
            return rows
        rows = self._settle_all(blocks[:-1], width)
        self._replace_source(self._source[last.offset :], self._continuation)
        if rows_estimate(last.source.split("\n"), width) >= height:
            rows += self._settle_items(last, width)
        self._parsed_chars = self._source.rfind("\n") + 1
        return rows

    def _settle_items(self, block: Block, width: int) -> list[str]:
        split = completed_items(block)
        if split is None:
            return []
        done, count, cut = split
        rows = self._settle_all([done], width)
        first_number = int(block.tokens[0].attrs.get("start", 1))
        self._replace_source(self._source[cut:], _Continuation(number=first_number + count))
        return rows

    def _open_fence(self, block: Block, rows: list[str]) -> None:
        opening, _, content = self._source[block.offset :].partition("\n")
        if self._blank_before and not self._continuation:
            rows.append("")
        indent = len(opening) - len(opening.lstrip(" "))
        self._fence = Fence(block.tokens[0], indent, self._rows)
        self._fence.feed(content)
        self._blank_before = True
        self._replace_source("", continuation=None)

    def _cut(self, width: int) -> list[str]:
        """Settle the beginning of an open block that exceeds the bound."""
        at = cut_position(self._source, OPEN_BLOCK_LIMIT)
        head, rest = self._source[:at], self._source[at:]
        blocks = self._parse(head)
        self._parser.remember()
        if not blocks:
            self._replace_source(rest, self._continuation)
            return []
        last = blocks[-1]
        if last.kind == "table_open" and head.endswith("\n"):
            return self._cut_table(blocks, rest, width)
        resumption = resume_inside(last)
        rows = self._settle_all(blocks, width)
        if resumption.inside_fence:
            rows.pop()  # The padding below the code: it goes on.
        items = completed_items(last)
        number = int(last.tokens[0].attrs.get("start", 1)) + (items[1] if items else 0)
        self._replace_source(
            resumption.source + rest,
            _Continuation(number=number, hidden_rows=resumption.rows),
        )
        return rows

    def _cut_table(self, blocks: list[Block], rest: str, width: int) -> list[str]:
        table = blocks[-1]
        layout = table.tokens[0].meta.setdefault(LAYOUT_KEY, TableLayout())
        rows = self._settle_all(blocks, width)[:-1]  # Without the edge below: it goes on.
        head, separator, _ = table.source.split("\n", 2)
        source = f"{head}\n{separator}\n{rest}"
        self._replace_source(source, _Continuation(table=layout.without_header()))
        return rows

    def _replace_source(self, source: str, continuation: _Continuation | None) -> None:
        self._source = source
        self._parsed_chars = 0
        self._continuation = continuation

    def _parse(self, text: str) -> list[Block]:
        blocks = self._parser.parse(text)
        if blocks and self._continuation:
            token = blocks[0].tokens[0]
            if token.type == "ordered_list_open" and self._continuation.number is not None:
                token.attrs["start"] = self._continuation.number
            if token.type == "table_open" and self._continuation.table:
                token.meta[LAYOUT_KEY] = self._continuation.table
        return blocks

    def _settle_all(self, blocks: list[Block], width: int) -> list[str]:
        rows = self._draw(blocks, width)
        if blocks:
            self._continuation = None
            self._blank_before = blocks[-1].kind != "hr"
        return rows

    def _draw(self, blocks: list[Block], width: int) -> list[str]:
        rows: list[str] = []
        blank_before = self._blank_before
        continuation = self._continuation
        for block in blocks:
            if continuation:
                drawn = self._draw_block(block, width, blank_before=False)
                if block.kind in _LEADS_WITH_BLANK:
                    del drawn[:1]
                if block.kind == "table_open":
                    del drawn[:1]  # The edge above.
                drawn = drawn[continuation.hidden_rows :]
            else:
                drawn = self._draw_block(block, width, blank_before=blank_before)
            rows += drawn
            blank_before = block.kind != "hr"
            continuation = None
        return rows

    def _draw_block(self, block: Block, width: int, *, blank_before: bool) -> list[str]:
        if block.kind == "table_open" and too_wide(block.tokens, width):
            return self._draw_table_source(block, width)
        self._markdown.parsed = [*([_SOMETHING_BEFORE] if blank_before else []), *block.tokens]
        try:
            return self._rows.render(self._markdown, width)
        except Exception:
            # Rich has raised on odd but valid Markdown before. The answer matters more than its
            # looks, and it has been paid for: show the source of this block.
            return self._rows.render(Text(block.source.rstrip("\n")), width)

    def _draw_table_source(self, block: Block, width: int) -> list[str]:
        """Draw the source of a table, with the empty rows around that rich gives a table."""
        layout = block.tokens[0].meta.get(LAYOUT_KEY)
        lines = block.source.rstrip("\n").split("\n")
        if layout and not layout.is_first_part:
            del lines[:2]
        drawn = self._rows.render(Text("\n".join(lines)), width) if lines else []
        return ["", "", *drawn, ""]

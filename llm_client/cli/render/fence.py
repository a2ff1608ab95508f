"""Render an unfinished fenced code block, line by line, without ever reading it whole again.

The result equals what rich draws for a whole code block. One thing can differ: a block that was
printed in part is highlighted from a bounded number of lines before the new ones, so a string or
comment longer than that may lose its colour at a border.
"""

import re
from typing import Final

from markdown_it.token import Token
from rich.syntax import Syntax

from llm_client.cli.render.limits import LINE_LIMIT, rows_estimate
from llm_client.cli.render.rows import RowRenderer

__all__ = ["Fence"]

_CODE_THEME: Final = "monokai"  # The default of rich.markdown.Markdown.
_CONTEXT_LINES: Final = 60
"""Lines kept above the new ones, so that the lexer knows where it is (twice as many at most)."""
_CONTEXT_CHARS: Final = 4096
"""The same bound for very long lines, in characters."""


class Fence:
    """An open fenced code block at the top level of a document.

    Feed it the text below the opening line; `closed` becomes true at the closing line.
    """

    def __init__(self, token: Token, indent: int, rows: RowRenderer) -> None:
        """Take over from the parser.

        Args:
            token: The parser's token of the opening line.
            indent: Columns before the opening marker; as many are cut from each line.
            rows: Renders to rows.
        """
        marker, length = token.markup[0], len(token.markup)
        self._language = token.info.partition(" ")[0] or "text"
        self._closing = re.compile(rf" {{0,3}}{re.escape(marker)}{{{length},}}[ \t]*")
        self._maybe_closing = re.compile(rf" {{0,3}}{re.escape(marker)}*[ \t]*")
        self._indent = indent
        self._rows = rows
        self._context: list[str] = []
        self._lines: list[str] = []
        self._partial = ""
        self._retained = 0
        self.started = False
        """Whether a part of the block has been settled."""
        self.closed = False

    @property
    def retained(self) -> int:
        """Characters that the next rendering will read."""
        return self._retained + len(self._partial)

    def feed(self, text: str) -> str:
        """Take text in; return what follows the block (empty while it is open)."""
        lines = (self._partial + text).split("\n")
        self._partial = lines.pop()
        for number, line in enumerate(lines, 1):
            if self._closing.fullmatch(line):
                self.closed = True
                rest = "\n".join([*lines[number:], self._partial])
                self._partial = ""
                return rest
            self._append(line)
        while len(self._partial) > LINE_LIMIT:
            # The row after it starts early, which is better than reading it again and again.
            self._append(self._partial[:LINE_LIMIT])
            self._partial = self._partial[LINE_LIMIT:]
        return ""

    def settle(self, width: int, height: int) -> list[str]:
        """Return rows that will not change any more, once there are enough to fill the screen."""
        ready = len(self._lines)
        while ready and not self._lines[ready - 1].strip():
            ready -= 1  # Blank lines at the end of a block are not drawn; these may be such.
        if rows_estimate(self._lines[:ready], width) < height - 1:
            return []
        rows = self._draw(self._lines[:ready], width, last=False)
        self._shift_context(ready)
        self.started = True
        return rows

    def close(self, width: int) -> list[str]:
        """Return the rows still missing: the block has ended, or the answer has."""
        lines = list(self._lines)
        if not self._closing.fullmatch(self._partial):
            lines.append(self._dedent(self._partial))
        return self._draw(lines, width, last=True)

    def live(self, width: int) -> list[str]:
        """Return the rows below the settled ones as they look now."""
        lines = list(self._lines)
        if not self._maybe_closing.fullmatch(self._partial):
            lines.append(self._dedent(self._partial))
        return self._draw(lines, width, last=True)

    def _append(self, line: str) -> None:
        line = self._dedent(line)
        self._lines.append(line)
        self._retained += len(line) + 1

    def _dedent(self, line: str) -> str:
        """Cut the columns that the opening line was indented by; a tab ends at a multiple of 4."""
        columns = position = 0
        while columns < self._indent and line[position : position + 1] in (" ", "\t"):
            columns += 1 if line[position] == " " else 4 - columns % 4
            position += 1
        return " " * max(0, columns - self._indent) + line[position:]

    def _draw(self, lines: list[str], width: int, *, last: bool) -> list[str]:
        above = 0 if self.started else 1
        below = 1 if last else 0
        code = "\n".join([*self._context, *lines]).rstrip()
        if self.started and not "".join(lines).strip():
            return self._draw_bottom(width) if last else []
        syntax = Syntax(
            code,
            self._language,
            theme=_CODE_THEME,
            word_wrap=True,
            padding=(above, 1, below, 1),
            line_range=(len(self._context) + 1, None) if self._context else None,
        )
        return self._rows.render(syntax, width)

    def _draw_bottom(self, width: int) -> list[str]:
        empty = Syntax("", "text", theme=_CODE_THEME, word_wrap=True, padding=(0, 1, 1, 1))
        return self._rows.render(empty, width)[-1:]

    def _shift_context(self, ready: int) -> None:
        context = [*self._context, *self._lines[:ready]]
        if len(context) > 2 * _CONTEXT_LINES:
            context = context[_start_of_part(context, len(context) - _CONTEXT_LINES) :]
        while context and sum(map(len, context)) > 2 * _CONTEXT_CHARS:
            context = context[(len(context) + 1) // 2 :]
        self._context = context
        self._lines = self._lines[ready:]
        self._retained = sum(len(line) + 1 for line in (*self._context, *self._lines))


def _start_of_part(lines: list[str], wanted: int) -> int:
    """Return the first line from `wanted` on that begins a new part, else `wanted`.

    Most code is outside any string or comment where an unindented line follows an empty one.
    """
    for index in range(wanted, len(lines)):
        if not lines[index - 1].strip() and lines[index][:1].strip():
            return index
    return wanted

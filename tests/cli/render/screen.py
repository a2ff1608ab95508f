"""A terminal of the tests' own: understands what the renderer may emit and rejects the rest."""

import io
import re
import unicodedata
from dataclasses import dataclass, field

from rich.cells import cell_len

_TOKEN = re.compile(r"\x1b\[(?P<params>[0-9;]*)(?P<final>[A-Za-z])|(?P<char>(?s:.))")


@dataclass
class Screen(io.StringIO):
    """Rows of (character, style) cells with a scrollback; wide characters take two cells.

    `height` limits how far the cursor can go up, as on a real screen.
    """

    width: int = 80
    height: int = 24
    rows: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    style: str = ""
    writes: int = 0

    def __post_init__(self) -> None:
        io.StringIO.__init__(self)

    def write(self, text: str) -> int:
        self.writes += 1
        for match in _TOKEN.finditer(text):
            if match["char"] is None:
                self._control(match["params"], match["final"])
            else:
                self._character(match["char"])
        return len(text)

    def _control(self, params: str, final: str) -> None:
        if final == "m":
            self.style = "" if params in ("", "0") else f"{self.style};{params}".strip(";")
        elif final == "A":
            top = max(0, len(self.rows) - self.height)
            assert self.row - int(params) >= top, "the cursor cannot go above the screen"
            self.row -= int(params)
        elif final == "J":
            assert params == ""
            del self.rows[self.row + 1 :]
            del self.rows[self.row][self.column :]
        else:
            raise AssertionError(f"unexpected control sequence {params}{final}")

    def _character(self, char: str) -> None:
        if char == "\n":
            self.row += 1
            self.column = 0
            if self.row == len(self.rows):
                self.rows.append([])
            return
        if char == "\r":
            self.column = 0
            return
        assert unicodedata.category(char) != "Cc", f"control character {char!r}"
        size = cell_len(char)
        if size == 0 and self.column:  # A combining character joins the cell before it.
            base, style = self.rows[self.row][self.column - 1]
            self.rows[self.row][self.column - 1] = (base + char, style)
            return
        if self.column + size > self.width:  # Wraps only when the next character comes.
            self._character("\n")
        row = self.rows[self.row]
        row.extend([(" ", "")] * (self.column - len(row)))
        row[self.column : self.column + size] = [(char, self.style), ("", "")][:size]
        self.column += size

    @property
    def lines(self) -> list[str]:
        """All rows as text, without blanks at the end; empty rows at the end are dropped."""
        lines = ["".join(char for char, _ in row).rstrip() for row in self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def styled(self) -> list[list[tuple[str, str]]]:
        """The same with styles; blanks that show no style are dropped at the end of a row."""
        rows = [list(row) for row in self.rows]
        for row in rows:
            while row and row[-1][0] in (" ", "") and not _visible_blank(row[-1][1]):
                row.pop()
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def at_fresh_line(self) -> bool:
        """Whether the cursor is at the start of an empty row below everything."""
        return self.column == 0 and self.row == len(self.rows) - 1 and not self.rows[-1]


def _visible_blank(style: str) -> bool:
    return any(code in ("4", "7", "40", "48") or code[:1] == "4" for code in style.split(";"))

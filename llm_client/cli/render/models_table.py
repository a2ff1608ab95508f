"""A list of models as a table for a terminal, and as lines for programs.

Owns widths, abbreviations and what is left out where there is no room. A model's name is never
cut: it is there to be copied. Names come from servers, so control characters are made harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ..model_facts import ModelRow, base_rate
from .cells import cell_width
from .sanitize import neutralise

__all__ = ["capability_words", "model_lines", "model_table", "one_line", "short_count", "usd"]

_GAP: Final = 2
_LEAST_CAPABILITIES: Final = 9
"""Cells; in fewer there is no room for a word."""
_USUAL_SHARE: Final = 0.9
"""Of the names, that the first column must hold where there is little room."""
_HEADS: Final = ("MODEL", "CONTEXT", "IN $/M", "OUT $/M", "MARKS", "CAPABILITIES")
_NAME, _CONTEXT, _IN, _OUT, _MARKS, _ABLE = range(6)
_MOST: Final = {_MARKS: 30, _ABLE: 34}
"""Cells of columns that may be cut."""
_RIGHT: Final = frozenset({_CONTEXT, _IN, _OUT})
_DROPPED_FIRST: Final = ((_ABLE,), (_MARKS,), (_IN, _OUT), (_CONTEXT,), ())


def model_table(rows: Sequence[ModelRow], width: int, *, color: bool) -> list[str]:
    """Return the lines of a table, no wider than the terminal but for a longer name.

    Args:
        rows: at least one, in the order in which they are shown.
        width: of the terminal, in cells.
        color: whether to emphasise by escape sequences.
    """
    cells = [_cells(row) for row in rows]
    widths = _fit(cells, width)
    lines = [_style(_line(_HEADS, widths), "2", color)]
    for row, texts in zip(rows, cells, strict=True):
        name, rest = texts[_NAME], _line(("", *texts[1:]), widths)
        room = len(rest) - len(rest.lstrip())
        style = "1" if row.is_default else ""
        if not rest or cell_width(name) < room:
            lines.append(_style(name + rest[cell_width(name) :], style, color))
        else:
            # What is known of it stands below, in its columns.
            lines += [_style(name, style, color), rest]
    return lines


def model_lines(rows: Iterable[ModelRow]) -> list[str]:
    """Return one line a model, its fields separated by tabs; what is not known is empty.

    Name, context length in tokens, price of the prompt and of the answer in USD per million tokens
    (`local` where there is none), capabilities and marks, each separated by commas.
    """
    return [
        "\t".join(
            (
                one_line(row.spec),
                str(row.model.context_length or ""),
                *_prices(row, free="0"),
                ",".join(map(one_line, row.model.capabilities or ())),
                ",".join(_marks(row)),
            )
        )
        for row in rows
    ]


def one_line(text: str) -> str:
    """Return a text from a server fit to stand in a line."""
    return neutralise(" ".join(text.split()) if not text.isprintable() else text)


def short_count(tokens: int) -> str:
    """Return a number of tokens as people say it: `128k` of 131,072 and of 128,000, `1M`."""
    if tokens < 1000:
        return str(tokens)
    step = 1024 if tokens % 1000 and tokens % 1024 == 0 else 1000
    amount, unit = tokens / step, "k"
    if round(amount) >= step:
        amount, unit = amount / step, "M"
    return f"{amount:.3g}{unit}" if amount < 1000 else f"{amount:.0f}{unit}"


def usd(amount: float) -> str:
    """Return an amount without digits that say nothing."""
    return f"{amount:.4g}" if amount < 1000 else f"{amount:.0f}"


def capability_words(capabilities: Sequence[str] | None) -> str:
    """Return what a model is able to do besides answering."""
    return " ".join(word for word in capabilities or () if word != "completion")


def _cells(row: ModelRow) -> tuple[str, ...]:
    window = row.model.context_length
    return (
        one_line(row.spec),
        short_count(window) if window else "",
        *_prices(row, free="free"),
        " ".join(_marks(row)),
        one_line(capability_words(row.model.capabilities)),
    )


def _prices(row: ModelRow, *, free: str) -> tuple[str, str]:
    """Return what prompt and answer cost; with `+` where a longer prompt costs more."""
    if row.prices is None:
        return ("local", "local") if row.is_local else ("", "")
    texts = []
    for kind in ("input", "output"):
        rate = base_rate(row.prices, kind)
        more = "+" if isinstance(row.prices.rates.get(kind), list) and free != "0" else ""
        texts.append("" if rate is None else f"{usd(rate)}{more}" if rate else free)
    return texts[0], texts[1]


def _marks(row: ModelRow) -> list[str]:
    marks = ["default"] if row.is_default else []
    if row.is_provider_default and not row.is_default:
        is_bare = row.spec == row.model.id  # its address was given, and not its provider's name
        marks.append("-u" if is_bare else f"-p:{one_line(row.model.provider)}")
    return [*marks, *(f"@{one_line(name)}" for name in row.aliases)]


def _fit(cells: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Return the widths of the columns that there is room for, by their position."""
    needed = {}
    for column, head in enumerate(_HEADS):
        longest = max(cell_width(texts[column]) for texts in cells)
        if longest or column == _NAME:
            needed[column] = max(min(longest, _MOST.get(column, longest)), len(head))
    names = sorted(cell_width(texts[_NAME]) for texts in cells)
    # A few names may stand alone, so that something can be said of all others.
    usual = max(names[int((len(names) - 1) * _USUAL_SHARE)], len(_HEADS[_NAME]))
    for name in (needed[_NAME], usual):
        widths = {**needed, _NAME: name}
        for columns in _DROPPED_FIRST if name == usual else ((),):
            spare = width - sum(widths.values()) - _GAP * (len(widths) - 1)
            if spare < 0 and widths.get(_ABLE, 0) + spare >= _LEAST_CAPABILITIES:
                widths[_ABLE] += spare
                spare = 0
            if spare >= 0:
                return widths
            for column in columns:
                widths.pop(column, None)
    return widths


def _line(texts: Sequence[str], widths: dict[int, int]) -> str:
    parts = []
    for column, width in widths.items():
        text = _cut(texts[column], width)
        blanks = " " * (width - cell_width(text))
        parts.append(blanks + text if column in _RIGHT else text + blanks)
    return (" " * _GAP).join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    """Return a text no wider than its column, words left out at its end shown by `…`."""
    if cell_width(text) <= width:
        return text
    kept = ""
    for character in text:
        if cell_width(kept + character) >= width:
            break
        kept += character
    return kept.rstrip() + "…"


def _style(line: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{line}\x1b[0m" if color and code and line else line

"""Reports of health as a table for a terminal, and as lines for programs.

Owns words, widths and what is left out where there is no room; why a provider is not healthy stands
under it and is never left out. A mark and a word say the same, so that colour is not needed. Names
come from servers, so control characters are made harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ...types.health import HealthReport
from .cells import cell_width, shortened
from .models_table import one_line, short_count

__all__ = ["health_lines", "health_table"]

_GAP: Final = 2
_HEADS: Final = (
    "PROVIDER",
    "STATUS",
    "LATENCY",
    "KEY",
    "MODEL",
    "FIRST TOKEN",
    "TOKENS/S",
    "LOADED",
    "VERSION",
)
_MODEL, _LOADED = 4, 7
_RIGHT: Final = frozenset({2, 5, 6})
_LEAST: Final = 12
"""Cells to which a column may be cut that says names."""
_DROPPED_FIRST: Final = (8, 7, 3, 4, 2)
_MARKS: Final = {True: "✓", False: "✗"}
_PLAIN_MARKS: Final = {True: "+", False: "!"}
_COLORS: Final = {True: "32", False: "31"}
_WORDS: Final = {
    None: "healthy",
    "unreachable": "unreachable",
    "loading": "loading",
    "failing": "failing",
    "key": "key refused",
    "configuration": "misconfigured",
    "model": "model missing",
    "limited": "limited",
    "budget": "over budget",
}


def health_table(
    reports: Sequence[HealthReport], width: int, *, color: bool, plain: bool = False
) -> list[str]:
    """Return the lines of a table.

    Args:
        reports: at least one, in the order in which they are shown.
        width: of the terminal, in cells.
        color: whether to emphasise by escape sequences.
        plain: whether there are no characters but those of ASCII for marks.
    """
    cells = [_cells(report) for report in reports]
    widths = _fit(cells, width - _GAP)
    lines = [_styled(" " * _GAP + _line(_HEADS, widths), "2", color)]
    for report, texts in zip(reports, cells, strict=True):
        mark = (_PLAIN_MARKS if plain else _MARKS)[report.healthy]
        lines.append(f"{_styled(mark, _COLORS[report.healthy], color)} {_line(texts, widths)}")
        for text in (report.error, report.hint):
            lines += ["    " + one_line(part.strip()) for part in (text or "").splitlines()]
    return lines


def health_lines(reports: Iterable[HealthReport]) -> list[str]:
    """Return one line a provider, its fields separated by tabs; what is not known is empty.

    Name, `healthy` or the problem, milliseconds to the first answer, key, model, version, what is
    loaded as `model=context` separated by commas, milliseconds to the first token and tokens per
    second of a deep check, address, why.
    """
    return [
        "\t".join(
            (
                one_line(report.provider),
                report.problem or "healthy",
                _rounded(report.latency_ms),
                "" if report.key_accepted is None else _key(report),
                {True: "present", False: "missing", None: ""}[report.model_present],
                one_line(report.version or ""),
                ",".join(f"{one_line(it.model)}={it.context or ''}" for it in report.loaded),
                _rounded(report.first_token_ms),
                _rate(report),
                one_line(report.base_url),
                one_line(" ".join((report.error or "").split())),
            )
        )
        for report in reports
    ]


def _cells(report: HealthReport) -> tuple[str, ...]:
    return (
        one_line(report.provider),
        "key missing" if _key(report) == "missing" else _WORDS[report.problem],
        _milliseconds(report.latency_ms),
        _key(report),
        one_line(_model(report)),
        _milliseconds(report.first_token_ms),
        _rate(report),
        one_line(", ".join(map(_loaded, report.loaded))),
        one_line(report.version or ""),
    )


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{_rounded(value)} ms"


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _rate(report: HealthReport) -> str:
    return "" if report.tokens_per_second is None else f"{report.tokens_per_second:.1f}"


def _key(report: HealthReport) -> str:
    if report.key_accepted is not None:
        return "accepted" if report.key_accepted else "refused" if report.has_key else "missing"
    return "unknown" if report.has_key and report.reachable else ""


def _model(report: HealthReport) -> str:
    """Return which models were looked for, else which one answered, else how many there are."""
    if report.missing_models:
        return "no " + ", ".join(report.missing_models)
    if report.named_models and report.reachable:
        doubt = "" if report.model_present else " (unknown)"
        return ", ".join(report.named_models) + doubt
    if report.model:
        return report.model
    return f"{len(report.models)} listed" if report.models else ""


def _loaded(loaded: tuple[str, int | None]) -> str:
    name, context = loaded
    return f"{name} ({short_count(context)})" if context else name


def _fit(cells: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Return the widths of the columns that there is room for, by their position."""
    widths = {}
    for column, head in enumerate(_HEADS):
        longest = max(cell_width(texts[column]) for texts in cells)
        if longest:
            widths[column] = max(longest, len(head))

    def excess() -> int:
        return sum(widths.values()) + _GAP * (len(widths) - 1) - width

    for column in (_LOADED, _MODEL):
        if column in widths:
            widths[column] = max(min(widths[column], _LEAST), widths[column] - max(0, excess()))
    for column in _DROPPED_FIRST:
        if excess() > 0:
            widths.pop(column, None)
    return widths


def _line(texts: Sequence[str], widths: dict[int, int]) -> str:
    parts = []
    for column, width in widths.items():
        text = shortened(texts[column], width)
        blanks = " " * (width - cell_width(text))
        parts.append(blanks + text if column in _RIGHT else text + blanks)
    return (" " * _GAP).join(parts).rstrip()


def _styled(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text

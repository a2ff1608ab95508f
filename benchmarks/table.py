"""The one table that a run prints: a section per scenario, its targets under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Check", "Section", "render"]


@dataclass(frozen=True, slots=True)
class Check:
    """A figure with the bound it must keep."""

    what: str
    value: float
    bound: float
    at_least: bool = False
    """Whether the bound is the lowest good value; else it is the highest."""
    stretch: float | None = None
    """A better value that is wished for; shown, and never missed."""

    @property
    def met(self) -> bool:
        """Whether the bound is kept."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def line(self) -> str:
        """Return the check as a line of the table."""
        sign = "≥" if self.at_least else "≤"
        stretch = "" if self.stretch is None else f" (stretch {_number(self.stretch)})"
        verdict = "ok" if self.met else "MISSED"
        return (
            f"{self.what}: {_number(self.value)}; {sign} {_number(self.bound)}{stretch}: {verdict}"
        )


@dataclass(slots=True)
class Section:
    """The figures of one scenario."""

    title: str
    columns: Sequence[str]
    rows: list[tuple[str, Sequence[float | None]]] = field(default_factory=list)
    """Contender and its figures; `None` where one has no meaning."""
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def render(sections: Sequence[Section]) -> str:
    """Return the table."""
    first = max(len(name) for section in sections for name, _ in section.rows) + 4
    lines: list[str] = []
    for section in sections:
        widths = [max(len(column), 8) for column in section.columns]
        lines += [section.title, "─" * len(section.title)]
        head = [column.rjust(width) for column, width in zip(section.columns, widths, strict=True)]
        lines.append("  ".join([" " * first, *head]))
        for name, figures in section.rows:
            cells = [
                ("–" if figure is None else _number(figure)).rjust(width)
                for figure, width in zip(figures, widths, strict=True)
            ]
            lines.append("  ".join([f"  {name}".ljust(first), *cells]))
        lines += [f"  → {check.line()}" for check in section.checks]
        lines += [f"  · {note}" for note in section.notes]
        lines.append("")
    return "\n".join(lines)


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

"""What may be spent: amounts over periods of time, of everything or of a part of it.

Owns the values. Which of them hold for a call, and what is left, is decided in `policy/budget.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..exceptions import ValidationError
from .checks import check_range

__all__ = ["AMOUNTS", "Budget", "OnExceeded"]

OnExceeded: TypeAlias = Literal["block", "warn"]
AMOUNTS = ("per_call_usd", "daily_usd", "weekly_usd", "monthly_usd", "total_usd")
_PARTS = ("projects", "profiles", "providers")
_MOST_USD = 1e9
"""An amount in nano-USD fits into 64 bits up to nine times this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Amounts in USD that may be spent; `None` is no limit."""

    per_call_usd: float | None = None
    """By one call with its retries and fallbacks."""
    daily_usd: float | None = None
    """From midnight to midnight, local time."""
    weekly_usd: float | None = None
    """From Monday."""
    monthly_usd: float | None = None
    """From the first."""
    total_usd: float | None = None
    """Since the ledger began, or budgets began anew. What is pruned from it still counts."""
    on_exceeded: OnExceeded = "block"
    """`warn` lets the call through and says so."""
    projects: Mapping[str, Budget] = field(default_factory=dict)
    """By the names of projects: what each of them may spend, besides."""
    profiles: Mapping[str, Budget] = field(default_factory=dict)
    providers: Mapping[str, Budget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in AMOUNTS:
            if (amount := getattr(self, name)) is not None:
                check_range(name, amount, 0.0, _MOST_USD)
        if self.on_exceeded not in ("block", "warn"):
            raise ValidationError(
                f"on_exceeded {self.on_exceeded!r} is not known.",
                hint="Use block or warn.",
                param="on_exceeded",
            )
        for name in _PARTS:
            for label, part in getattr(self, name).items():
                _check_part(f"{name}[{label!r}]", part)


def _check_part(name: str, part: object) -> None:
    if not isinstance(part, Budget):
        raise ValidationError(f"{name} {part!r} is no Budget.", param=name)
    if any(getattr(part, inner) for inner in _PARTS):
        raise ValidationError(
            f"{name} has parts of its own, which would not hold.",
            hint="Put them into the budget of everything.",
            param=name,
        )

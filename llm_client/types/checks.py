"""Checks of values that more than one place takes. Each raises a `ValidationError` that names it."""

from __future__ import annotations

from typing import get_args

from ..exceptions import ValidationError

__all__ = [
    "LONGEST_SECONDS",
    "check_count",
    "check_range",
    "check_seconds",
    "check_type",
    "check_word",
]

LONGEST_SECONDS = 1_000_000.0
"""Eleven days. The operating systems' own waits overflow at twice that."""


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number, or less than `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValidationError(
            f"{name} {value!r} must be a whole number, {least} or more.", param=name
        )


def check_range(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is no number, or not from `low` to `high`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValidationError(f"{name} {value!r} is not a number.", param=name)
    if not low <= value <= high:  # nothing is of what is no number
        raise ValidationError(f"{name} {value!r} is out of range: {low:g} to {high:g}.", param=name)


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is no length of time: more than 0 (or 0), and finite."""
    check_range(name, value, 0.0, LONGEST_SECONDS)
    if value == 0 and not zero:
        raise ValidationError(f"{name} {value!r} must be more than 0 seconds.", param=name)


def check_type(name: str, value: object, kinds: type | tuple[type, ...], what: str) -> None:
    """Refuse what is of none of some types; `what` says in words what it must be."""
    if not isinstance(value, kinds):
        raise ValidationError(f"{name} {value!r} is not {what}.", param=name)


def check_word(name: str, value: object, words: object) -> None:
    """Refuse what is none of the words of a `Literal`; `None` is not said."""
    if value is not None and value not in get_args(words):
        raise ValidationError(
            f"{name} {value!r} is not known.",
            hint=f"Use {' or '.join(get_args(words))}.",
            param=name,
        )

"""Figures as people read them: amounts of money, tokens, seconds, bars.

Owns how each is written, on a terminal of any encoding. Nothing here imports rich.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["bar", "compact", "decimals", "exact_usd", "seconds", "sparkline", "usd"]

_NANO: Final = 1_000_000_000
_MOST_DECIMALS: Final = 4
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS: Final = ".:-=+*#@"


def exact_usd(nano_usd: int) -> str:
    """Return an amount in USD to the last digit: `0.0061565`."""
    whole, part = divmod(nano_usd, _NANO)
    return f"{whole}.{part:09}".rstrip("0").removesuffix(".")


def decimals(amounts: Iterable[int | None]) -> int:
    """Return how many decimals show the smallest of several amounts in nano-USD."""
    known = [amount for amount in amounts if amount]
    if not known or min(known) >= _NANO // 100:
        return 2
    return 3 if min(known) >= _NANO // 1000 else _MOST_DECIMALS


def usd(nano_usd: int, places: int) -> str:
    """Return an amount with so many decimals; one that is too small for them says so."""
    least = 10 ** (9 - places)
    if 0 < nano_usd < least:
        return f"<${exact_usd(least)}"
    return f"${nano_usd / _NANO:,.{places}f}"


def compact(count: int) -> str:
    """Return a number of tokens in at most five characters: `950`, `12.3k`, `1.23M`, `456M`."""
    if count < 1000:
        return str(count)
    value, units = count / 1000, iter("kMGT")
    unit = next(units)
    while value >= 999.5 and (larger := next(units, "")):
        value, unit = value / 1000, larger
    places = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{places}f}{unit}"


def seconds(milliseconds: float | None) -> str:
    """Return a wait in seconds; nothing when it is not known."""
    if milliseconds is None:
        return ""
    value = milliseconds / 1000
    return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"


def bar(share: float, width: int, *, ascii: bool) -> str:
    """Return a bar of so many cells for a share from 0 to 1; what is not 0 is seen."""
    if ascii:
        filled = min(width, max(round(share * width), share > 0))
        return "#" * filled + " " * (width - filled)
    eighths = min(width * 8, max(round(share * width * 8), share > 0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float], *, ascii: bool) -> str:
    """Return one character a value, as high as it is; nothing for 0."""
    heights = _ASCII_HEIGHTS if ascii else _HEIGHTS
    most = max(values, default=0)
    return "".join(
        heights[max(0, -int(-value * len(heights) // most) - 1)] if value > 0 else " "
        for value in values
    )

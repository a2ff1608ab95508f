"""Response headers that tell when to try again. Pure: the server's own `Date` is the clock."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["may_be_used_up", "retry_after_seconds", "should_retry_header", "unix_time"]


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait that the server asks for, in seconds; `None` when it asks for none.

    `retry-after-ms` wins over `retry-after`, which is a number of seconds (also a fraction) or an
    HTTP date, read against the `Date` of the same answer. NaN, infinite and negative values are
    ignored (WIRE.md §9).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    until, now = unix_time(value), unix_time(headers.get("date"))
    if until is None or now is None:
        return None
    return max(0.0, until - now)


def should_retry_header(headers: Mapping[str, str]) -> bool | None:
    """Return what `x-should-retry` says; `None` when it is absent or unclear."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())


def may_be_used_up(headers: Mapping[str, str]) -> bool:
    """Return whether `rate_headers` has something to read: every answer is asked, few are."""
    return "ratelimit" in headers or any(
        "remaining" in name and not value.strip(" 0.") for name, value in headers.items()
    )


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def unix_time(value: str | None) -> float | None:
    """Return the Unix time of an HTTP date; `None` when it is none."""
    if value is None:
        return None
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        # An HTTP date is GMT, also when it does not say so.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None

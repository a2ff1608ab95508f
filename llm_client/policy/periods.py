"""Spans of time as users say them: `7d`, `2026-11`, `last-week`, an ISO time.

Owns what each means. Days are local, and whoever counts by days gets whole ones: the ledger keeps the
local day of every attempt, so a day is what it was where it happened. Only an amount of hours or a
time of day is a moment. What time it is now is passed in.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from ..exceptions import ValidationError
from ..types.usage import Bound, When

__all__ = ["before", "bounds", "shown_bound"]

_EXAMPLES = (
    "For example 2026-11-20, 2026-11, 2026-W47, 2026-11-20T14:30, today, yesterday, this-week, "
    "last-month, 7d, 2w, 1y, 12h, 30min, all."
)
_AGO = re.compile(r"(\d{1,6})(min|h|d|w|y)")
_UNCLEAR = re.compile(r"\d+m")
_SECONDS = {"min": 60.0, "h": 3600.0}
_PERIOD = re.compile(r"(?:(this|last)-)?(week|month|year)")
_WEEK = re.compile(r"(\d{4})-w(\d{1,2})")
_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")
_ONE_DAY = timedelta(days=1)


def bounds(
    since: When | None, until: When | None, now: datetime
) -> tuple[Bound | None, Bound | None]:
    """Return both ends of a span.

    Args:
        since: where it begins.
        until: where it ends; a named day, week, month or year is inside.
        now: local time, without an offset.

    Raises:
        ValidationError: one is no time, or the span ends before it begins.
    """
    first = None if since is None else _read("since", since, now)[0]
    last = None if until is None else _read("until", until, now)[1]
    if first is not None and last is not None and _begin(first) >= _end(last):
        raise ValidationError(
            f"The span ends before it begins: since {str(since)!r}, until {str(until)!r}.",
            param="until",
        )
    return first, last


def before(name: str, when: When, now: datetime) -> Bound | None:
    """Return the end of everything before a time: of the last 90 days for `90d`.

    Args:
        name: what the user calls the setting.
        when: the time.
        now: local time, without an offset.

    Raises:
        ValidationError: it is no time.
    """
    begin = _read(name, when, now)[0]
    return _day_before(begin) if isinstance(begin, str) else begin


def shown_bound(bound: Bound | None) -> str | None:
    """Return one end of a span as a text: a day, or an ISO 8601 time with its offset."""
    if bound is None or isinstance(bound, str):
        return bound
    return datetime.fromtimestamp(bound).astimezone().isoformat(timespec="seconds")


def _read(name: str, when: When, now: datetime) -> tuple[Bound | None, Bound | None]:
    """Return where something begins, and where what is until then ends."""
    if isinstance(when, str) and when.strip().lower() == "all":
        return None, None
    try:
        found = _read_value(when, now)
        # Whether both are within the range of dates that this system has.
        shown_bound(found[0])
        _begin(found[0])
        _end(found[1])
    except (ValueError, OverflowError, OSError, AttributeError):
        hint = _EXAMPLES
        if _UNCLEAR.fullmatch(str(when).strip().lower()):  # to be wrong there could delete years
            hint = "Minutes are `30min`, and months `90d` or `2026-11`."
        raise ValidationError(f"{name} {str(when)!r} is no time.", hint=hint, param=name) from None
    return found


def _read_value(when: When, now: datetime) -> tuple[Bound, Bound]:
    if isinstance(when, str):
        return _read_text(when.strip().lower(), now)
    if isinstance(when, timedelta):
        return _at(now.timestamp() - when.total_seconds())
    if isinstance(when, datetime):
        return _at(when.timestamp())
    day = str(date.fromisoformat(str(when)))  # which refuses what is no date
    return day, day


def _read_text(text: str, now: datetime) -> tuple[Bound, Bound]:
    if ago := _AGO.fullmatch(text):
        count, unit = int(ago[1]), ago[2]
        if unit in _SECONDS:
            return _at(now.timestamp() - count * _SECONDS[unit])
        if unit == "y":
            last = _years_before(now.date(), count)
        else:
            last = now.date() - timedelta(days=count * (7 if unit == "w" else 1))
        return str(last + _ONE_DAY), str(last)
    named = _named(text, now.date())
    if named is not None:
        return str(named[0]), str(named[1])
    if len(text) == len("2026-11-20") and text.count("-") == 2:
        day = str(date.fromisoformat(text))
        return day, day
    if ":" not in text:
        raise ValueError(text)
    return _at(datetime.fromisoformat(text.upper()).timestamp())


def _named(text: str, today: date) -> tuple[date, date] | None:
    """Return the first and the last day of a period with a name."""
    if text in {"today", "yesterday"}:
        day = today if text == "today" else today - _ONE_DAY
        return day, day
    if period := _PERIOD.fullmatch(text):
        this = _around(period[2], today)
        return this if period[1] != "last" else _around(period[2], this[0] - _ONE_DAY)
    if week := _WEEK.fullmatch(text):
        return _around("week", date.fromisocalendar(int(week[1]), int(week[2]), 1))
    if month := _MONTH.fullmatch(text):
        first = date(int(month[1]), int(month[2] or 1), 1)
        return _around("month" if month[2] else "year", first)
    return None


def _around(period: str, day: date) -> tuple[date, date]:
    """Return the first and the last day of the week, month or year that a day is in."""
    if period == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=6)
    if period == "year":
        return date(day.year, 1, 1), date(day.year, 12, 31)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - _ONE_DAY


def _years_before(day: date, count: int) -> date:
    """Return the same day of an earlier year; of February 29th the 28th."""
    if (day.month, day.day) == (2, 29):
        day = day.replace(day=28)
    return day.replace(year=day.year - count)


def _at(moment: float) -> tuple[float, float]:
    return moment, moment


def _day_before(day: str) -> str:
    return str(date.fromisoformat(day) - _ONE_DAY)


def _begin(bound: Bound) -> float:
    """Return when a bound begins, as Unix time; of a day, that is its midnight."""
    return datetime.fromisoformat(bound).timestamp() if isinstance(bound, str) else bound


def _end(bound: Bound) -> float:
    """Return when a bound ends, as Unix time; of a day, that is the next midnight."""
    if not isinstance(bound, str):
        return bound
    return (datetime.fromisoformat(bound) + _ONE_DAY).timestamp()

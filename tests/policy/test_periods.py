"""Spans of time as users say them, in a time zone that changes its clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.policy.periods import before, bounds, shown_bound

NOW = datetime(2026, 11, 20, 15, 30)
"""A Friday."""


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks go back on 2026-10-25 at 3 in the morning."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", "2026-11-20", "2026-11-20"),
        ("yesterday", "2026-11-19", "2026-11-19"),
        ("week", "2026-11-16", "2026-11-22"),
        ("this-week", "2026-11-16", "2026-11-22"),
        ("last-week", "2026-11-09", "2026-11-15"),
        ("month", "2026-11-01", "2026-11-30"),
        ("this-month", "2026-11-01", "2026-11-30"),
        ("last-month", "2026-10-01", "2026-10-31"),
        ("year", "2026-01-01", "2026-12-31"),
        ("last-year", "2025-01-01", "2025-12-31"),
        ("2026-11-03", "2026-11-03", "2026-11-03"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2028-02", "2028-02-01", "2028-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2025-w1", "2024-12-30", "2025-01-05"),
        ("2026", "2026-01-01", "2026-12-31"),
        (" Today ", "2026-11-20", "2026-11-20"),
        (date(2026, 11, 3), "2026-11-03", "2026-11-03"),
    ],
    ids=str,
)
def test_named_days_are_inside_on_both_ends(said: Any, first: str, last: str) -> None:
    assert bounds(said, None, NOW) == (first, None)
    assert bounds(None, said, NOW) == (None, last)
    assert bounds(said, said, NOW) == (first, last)


@pytest.mark.parametrize(
    ("said", "first", "rest"),
    [
        ("1d", "2026-11-20", "2026-11-19"),
        ("7d", "2026-11-14", "2026-11-13"),
        ("2w", "2026-11-07", "2026-11-06"),
        ("1y", "2025-11-21", "2025-11-20"),
        ("10y", "2016-11-21", "2016-11-20"),
        ("30d", "2026-10-22", "2026-10-21"),
        ("0d", "2026-11-21", "2026-11-20"),
    ],
    ids=str,
)
def test_days_ago_include_today_and_until_them_is_the_rest(
    said: str, first: str, rest: str
) -> None:
    assert bounds(said, None, NOW) == (first, None)
    assert bounds(None, said, NOW) == (None, rest)
    assert before("--older-than", said, NOW) == rest


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        pytest.param("2026-11-20T14:30", utc(2026, 11, 20, 13, 30), id="local"),
        pytest.param("2026-11-20 14:30:15", utc(2026, 11, 20, 13, 30, 15), id="with-a-space"),
        pytest.param("2026-11-20T14:30Z", utc(2026, 11, 20, 14, 30), id="utc"),
        pytest.param("2026-11-20T14:30+05:30", utc(2026, 11, 20, 9), id="offset"),
        pytest.param("2026-07-01T12:00", utc(2026, 7, 1, 10), id="summer"),
        pytest.param("12h", utc(2026, 11, 20, 2, 30), id="hours"),
        pytest.param("30min", utc(2026, 11, 20, 14, 0), id="minutes"),
        pytest.param("720h", utc(2026, 10, 21, 14, 30), id="hours-over-the-change-of-clocks"),
        pytest.param(timedelta(days=30), utc(2026, 10, 21, 14, 30), id="timedelta"),
        pytest.param(datetime(2026, 7, 1, 12), utc(2026, 7, 1, 10), id="naive"),
        pytest.param(datetime(2026, 7, 1, 12, tzinfo=UTC), utc(2026, 7, 1, 12), id="aware"),
    ],
)
def test_moments_are_moments(said: Any, moment: float) -> None:
    assert bounds(said, None, NOW) == (moment, None)
    assert bounds(None, said, NOW) == (None, moment)
    assert before("--older-than", said, NOW) == moment


def test_before_a_day_is_the_end_of_the_day_before() -> None:
    assert before("--older-than", "2026-03-01", NOW) == "2026-02-28"
    assert before("--older-than", "2026", NOW) == "2025-12-31"


def test_all_has_no_bound() -> None:
    assert bounds("all", "ALL", NOW) == (None, None)
    assert before("--older-than", "all", NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        *("", "foo", "7", "9999y", "d", "-7d", "7.5d", "2026-13", "2026-00", "2026-02-30", "0000"),
        *("2026-W54", "2026-W00", "20261120", "2026-11-20T25:00", "14:30", "2026-11-2", "9999"),
        *("999999d", "999999w", "this-day", "tomorrow", "2026-W47-1", "٧d٧"),
        *(5, 5.0, True, object, timedelta(days=10**8)),
    ],
    ids=str,
)
def test_what_is_no_time_is_refused_with_examples(said: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        bounds(said, None, NOW)

    assert caught.value.message == f"since {str(said)!r} is no time."
    assert caught.value.param == "since"
    assert "2026-11-20" in (caught.value.hint or "")
    with pytest.raises(ValidationError, match="until"):
        bounds(None, said, NOW)


@pytest.mark.parametrize("said", ["3m", "30M"])
def test_letter_that_could_be_minutes_or_months_is_refused(said: str) -> None:
    # `prune --older-than 3m` would delete years of attempts.
    with pytest.raises(ValidationError) as caught:
        before("--older-than", said, NOW)

    assert caught.value.message == f"--older-than {said!r} is no time."
    assert caught.value.hint == "Minutes are `30min`, and months `90d` or `2026-11`."


def test_year_before_the_29th_of_february_is_the_28th() -> None:
    assert bounds("1y", None, datetime(2028, 2, 29, 12)) == ("2027-03-01", None)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("today", "yesterday"),
        ("2026-11-20", "2026-10"),
        ("12h", "24h"),
        ("12h", "12h"),
        ("7d", "7d"),
        ("2026-11-20T12:00", "2026-11-19"),
        ("today", "2026-11-20T00:00"),
        ("2026-11-21", "2026-11-20T23:59"),
    ],
    ids=str,
)
def test_span_that_ends_before_it_begins_is_refused(since: str, until: str) -> None:
    with pytest.raises(ValidationError, match="ends before it begins"):
        bounds(since, until, NOW)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-20T12:00", "2026-11-20"),
        ("2026-11-20", "2026-11-20T00:01"),
        ("24h", "12h"),
        ("30d", "7d"),
        ("2026-11-20", "2026-11"),
        ("2026-10-25T02:30", "2026-10-25"),
    ],
    ids=str,
)
def test_short_span_is_none_the_less_one(since: str, until: str) -> None:
    assert None not in bounds(since, until, NOW)


def test_bounds_are_shown_as_days_or_local_times() -> None:
    assert shown_bound(None) is None
    assert shown_bound("2026-11-20") == "2026-11-20"
    assert shown_bound(utc(2026, 11, 20, 13, 30)) == "2026-11-20T14:30:00+01:00"
    assert shown_bound(utc(2026, 7, 1, 12)) == "2026-07-01T14:00:00+02:00"

"""When to try again: every form of `Retry-After`, and `x-should-retry` (WIRE.md §9)."""

from __future__ import annotations

import pytest

from llm_client.wire.headers import retry_after_seconds, should_retry_header

NOW = "Fri, 20 Nov 2026 07:41:39 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250.5", "retry-after": "7"}, 0.2505),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-1", "retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 20 Nov 2026 07:42:41 GMT", "date": NOW}, 62.0),
        ({"retry-after": "Friday, 20-Nov-26 07:42:41 GMT", "date": NOW}, 62.0),
        ({"retry-after": "Fri Nov 20 07:42:41 2026", "date": NOW}, 62.0),
        ({"retry-after": "Fri, 20 Nov 2026 07:42:41", "date": NOW}, 62.0),
        ({"retry-after": "Fri, 20 Nov 2026 08:42:41 +0100", "date": NOW}, 62.0),
        ({"retry-after": "Fri, 20 Nov 2026 07:00:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 07:42:41 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 07:42:41 GMT", "date": "today"}, None),
        ({"retry-after": "Fri, 20 Nov 99999 07:42:41 GMT", "date": NOW}, None),
        ({"retry-after": "Fri, 20 Nov 2026 07:42:41 +99999999999999999", "date": NOW}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "-5", "date": NOW}, None),
        ({"retry-after": "later", "date": NOW}, None),
        ({"retry-after": "", "date": NOW}, None),
        ({"date": NOW}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after_read_gives_the_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@pytest.mark.parametrize(
    ("value", "says"),
    [("true", True), ("TRUE", True), ("false", False), ("maybe", None), ("", None), (None, None)],
)
def test_should_retry_read_gives_what_it_says(value: str | None, says: bool | None) -> None:
    assert should_retry_header({} if value is None else {"x-should-retry": value}) is says

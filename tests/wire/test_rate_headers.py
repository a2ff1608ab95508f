"""When a used-up limit renews: every form in which a provider says it, and what is no form at all."""

from __future__ import annotations

import random

import pytest

from llm_client.wire.headers import may_be_used_up
from llm_client.wire.rate_headers import renewal_seconds

DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
NOW = 1795168800.0
"""The same as Unix time."""


def pair(reset: str, remaining: str = "0", kind: str = "-tokens") -> dict[str, str]:
    return {
        f"x-ratelimit-remaining{kind}": remaining,
        f"x-ratelimit-reset{kind}": reset,
        "date": DATE,
    }


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("6m0s", 360.0),
        ("1.5s", 1.5),
        ("20ms", 0.02),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("4h17m", 15420.0),
        ("1d", 86400.0),
        ("1m30s500ms", 90.5),
        ("90us", 9e-05),
        ("90µs", 9e-05),
        ("45", 45.0),
        ("33011.382867", 33011.382867),
        (" 45 ", 45.0),
        (str(int(NOW) + 30), 30.0),
        (f"{NOW + 30.5:.1f}", 30.5),
        (str(int(NOW) * 1000 + 30500), 30.5),
        ("2026-11-20T10:00:40Z", 40.0),
        ("2026-11-20T10:00:40.250Z", 40.25),
        ("2026-11-20T11:00:40+01:00", 40.0),
        ("2026-11-20T10:00:40", 40.0),
        ("2026-11-20 10:00:40Z", 40.0),
        ("Fri, 20 Nov 2026 10:00:41 GMT", 41.0),
    ],
)
def test_reset_of_every_form_is_read_as_seconds_from_now(reset: str, seconds: float) -> None:
    assert renewal_seconds(pair(reset)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "reset",
    [
        "",
        "0",
        "0s",
        "5ns",
        "soon",
        "nan",
        "inf",
        "-5",
        "-5s",
        "+5",
        "1e3",
        "1_000",
        "٣",
        "5 s",
        "5x",
        "s",
        "5s!",
        "99999999999999999999",
        "2678401",
        "40d",
        "999999999d",
        "1.2.3s",
        "1" * 15 + "s",
        "9s" * 33,
        str(int(NOW) - 30),
        str(int(NOW) * 1000 - 30),
        str(int(NOW) * 1_000_000 + 30),
        "2026-11-20T09:59:59Z",
        "2026-13-20T09:59:59Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "2026-11-20T",
        "Fri, 20 Nov 99999 10:00:00 GMT",
    ],
    ids=lambda reset: reset[:20],
)
def test_reset_that_makes_no_sense_is_ignored(reset: str) -> None:
    assert renewal_seconds(pair(reset)) is None


@pytest.mark.parametrize("remaining", ["1", "149984", "-1", "", "none", "0x0", "nan", "0,0"])
def test_limit_that_is_not_known_to_be_used_up_has_no_wait(remaining: str) -> None:
    assert renewal_seconds(pair("6m0s", remaining)) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param(
            # platform.openai.com, guides/rate-limits (docs seen 2026-11).
            {
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
            },
            360.0,
            id="openai-tokens",
        ),
        pytest.param(
            # 200 a day: whole again tomorrow, the next one in seven minutes.
            {
                "x-ratelimit-limit-requests": "200",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "24h0m0s",
            },
            432.0,
            id="openai-requests-of-a-day",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "10000",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1m0s",
            },
            1.0,
            id="openai-requests-of-a-minute",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "10000",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6ms",
            },
            0.006,
            id="no-longer-than-until-it-is-whole",
        ),
        pytest.param(
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"},
            60.0,
            id="limit-unknown",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "0",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1m0s",
            },
            60.0,
            id="limit-zero",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests-day": "1500",
                "x-ratelimit-remaining-requests-day": "0",
                "x-ratelimit-reset-requests-day": "4h17m",
            },
            15420.0,
            id="sambanova-day",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "42.5",
            },
            42.5,
            id="window-in-seconds",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-tokens-minute": "60000",
                "x-ratelimit-remaining-tokens-minute": "0",
                "x-ratelimit-reset-tokens-minute": "11.382867",
            },
            11.382867,
            id="cerebras",
        ),
        pytest.param(
            {
                "x-ratelimit-remaining-tokens-per-minute": "0",
                "x-ratelimit-reset-tokens-per-minute": str(int(NOW) + 12),
            },
            12.0,
            id="digitalocean",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-20T10:01:00Z",
                "anthropic-ratelimit-tokens-limit": "50000",
                "anthropic-ratelimit-tokens-remaining": "49000",
                "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:01Z",
            },
            1.2,
            id="anthropic-requests",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-input-tokens-limit": "80000",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-20T10:00:33Z",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-20T10:00:21Z",
            },
            33.0,
            id="anthropic-the-later-of-two",
        ),
        pytest.param(
            {
                "x-ratelimit-limit": "50",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str((int(NOW) + 3600) * 1000),
            },
            3600.0,
            id="openrouter",
        ),
        pytest.param(
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 60)},
            60.0,
            id="github",
        ),
        pytest.param({"ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0, id="ietf-old"),
        pytest.param(
            {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "7"}, 7.0, id="two-words"
        ),
        pytest.param(
            {"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "19"}, 19.0, id="mistral"
        ),
        pytest.param(
            {
                "x-ratelimit-api_key-remaining-requests": "0",
                "x-ratelimit-api_key-reset-requests": "8",
            },
            8.0,
            id="litellm",
        ),
        pytest.param({"ratelimit": '"api";r=0;t=55'}, 55.0, id="hugging-face"),
        pytest.param({"ratelimit": '"m";r=3;t=9, "d";r=0;t=99'}, 99.0, id="ietf-two-policies"),
        pytest.param({"ratelimit": "limit=100, remaining=0, reset=30"}, 30.0, id="ietf-07"),
        pytest.param({"ratelimit": '"api";r=489;t=55'}, None, id="ietf-not-used-up"),
        pytest.param({"ratelimit": '"api";r=0'}, None, id="ietf-no-time"),
        pytest.param({"ratelimit": '"api";r=0;t=9999999999'}, None, id="ietf-too-long"),
        pytest.param({"ratelimit": '"api";r=0.5;t=5'}, None, id="ietf-a-fraction-left"),
        pytest.param(
            {
                "x-ratelimit-limit-tokens": "-1",
                "x-ratelimit-remaining-tokens": "-1",
                "x-ratelimit-reset-tokens": "0",
            },
            None,
            id="azure-knows-nothing",
        ),
        pytest.param(
            {"x-ratelimit-remaining-req-minute": "0", "x-ratelimit-limit-req-minute": "720"},
            None,
            id="mistral-without-a-time",
        ),
        pytest.param(
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-tokens": "5s"},
            None,
            id="of-different-limits",
        ),
        pytest.param({"quota-remaining": "0", "quota-reset": "5"}, None, id="other-headers"),
        pytest.param({}, None, id="none"),
    ],
)
def test_headers_of_a_provider_say_when_to_go_on(
    headers: dict[str, str], seconds: float | None
) -> None:
    found = renewal_seconds({**headers, "date": DATE})

    assert found == (None if seconds is None else pytest.approx(seconds))
    if seconds is not None:
        assert may_be_used_up(headers), "else it would never be read"


def test_clock_of_the_caller_is_used_where_the_answer_has_none() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 60)}

    assert renewal_seconds(headers, NOW + 20) == 40.0
    assert renewal_seconds({**headers, "date": DATE}, NOW + 20) == 60.0
    assert renewal_seconds({**headers, "date": "today"}, NOW + 20) == 40.0
    assert renewal_seconds(headers) is None


@pytest.mark.parametrize(
    ("headers", "may_be"),
    [
        ({"x-ratelimit-remaining-requests": "59", "content-type": "application/json"}, False),
        ({"x-ratelimit-remaining-requests": "0"}, True),
        ({"x-ratelimit-remaining-requests": " 0 "}, True),
        ({"x-ratelimit-remaining-tokens-minute": "0.0"}, True),
        ({"ratelimit": '"api";r=1;t=5'}, True),
        ({"x-ratelimit-reset-requests": "0"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_answer_with_nothing_used_up_is_read_no_further(
    headers: dict[str, str], may_be: bool
) -> None:
    assert may_be_used_up(headers) is may_be


def test_headers_of_random_text_never_fail_and_never_ask_for_more_than_a_month() -> None:
    chance = random.Random(20261120)
    letters = "0123456789.-+:TZ ,;\"='msdhnµJanFriGMT\0é٣"
    names = ("x-ratelimit-reset", "x-ratelimit-limit", "ratelimit", "date")
    found = 0
    for _ in range(3000):
        headers = {
            name: "".join(chance.choice(letters) for _ in range(chance.randrange(16)))
            for name in names
        }
        seconds = renewal_seconds({**headers, "x-ratelimit-remaining": "0"}, NOW)
        assert seconds is None or 0 < seconds <= 31 * 86400
        found += seconds is not None
    assert found > 20, "else nothing was tried"

"""When a rate limit that is used up renews, by what an answer says of its limits.

Owns the many ways of saying it, told apart by the shape of the names and values, not by who says it:

- `x-ratelimit-remaining-requests: 0` with `x-ratelimit-reset-requests: 6m0s`: OpenAI, Groq,
  SambaNova and LiteLLM; as seconds Cerebras and Nous, as Unix time DigitalOcean;
- `anthropic-ratelimit-requests-remaining: 0` with `-reset` in RFC 3339;
- `x-ratelimit-remaining: 0` with `x-ratelimit-reset` as Unix time: GitHub, in ms OpenRouter;
- `ratelimit-remaining` with `ratelimit-reset` in seconds: the older drafts of the IETF, Kong;
- `RateLimit: "api";r=0;t=55`: its newer drafts, Hugging Face.

(All docs seen 2026-11.) Pure: the server's own `Date` is the clock. What makes no sense is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .headers import unix_time

__all__ = ["renewal_seconds"]

_LONGEST_SECONDS = 31 * 86400.0
"""No limit is longer than a month; more is a mistake, or malice."""
_LEAST_SHARE_SECONDS = 1.0
"""The next place of a bucket that refills fast: others are waiting for it too."""
_LONGEST_VALUE = 64
"""Characters."""
_ROLE = r"(?:^|(?<=[-_]))(limit|remaining|reset)(?:$|[-_])"
_DURATION = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|us|µs|ns|[dhms]))+"
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_UNIX_SECONDS = 1e9
"""A larger number of seconds is a time and no length of time: it was reached in 2001."""
_UNIX_MILLISECONDS = 1e11
"""The same for milliseconds; as seconds it would be the year 5138."""


def renewal_seconds(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Return the seconds until everything that is used up has room again.

    Args:
        headers: names are lower-case.
        now: Unix time, for an answer without a `Date`.

    Returns:
        More than 0; `None` when nothing is used up, or nothing says when it renews.
    """
    sent = unix_time(headers.get("date"))
    now = now if sent is None else sent
    waits = [*_of_pairs(headers, now), *_of_policies(headers.get("ratelimit", ""))]
    return max((wait for wait in waits if 0 < wait <= _LONGEST_SECONDS), default=None)


def _of_pairs(headers: Mapping[str, str], now: float | None) -> Iterator[float]:
    """Yield the waits of the limits that are said in headers of their own."""
    limits: dict[str, dict[str, str]] = {}
    for written, value in headers.items():
        name = written.replace("rate-limit", "ratelimit")
        role = re.search(_ROLE, name) if "ratelimit" in name else None
        if role is not None and len(value) <= _LONGEST_VALUE:
            kind = name[: role.start()] + name[role.end() :]
            limits.setdefault(kind.rstrip("-_"), {})[role[1]] = value.strip()
    for kind, said in limits.items():
        if _number(said.get("remaining", "")) == 0:
            seconds = _seconds(said.get("reset", ""), now)
            if seconds is not None:
                yield _of_next(kind, seconds, said)


def _of_next(kind: str, seconds: float, said: Mapping[str, str]) -> float:
    """Return the wait for the next request, not for all of them.

    OpenAI, Groq and Anthropic say when the limit is whole again (docs seen 2026-11), and of a
    limit that refills all the time the first request is back long before. Of tokens nobody knows
    how many are needed. A wait that is too short costs a request, one too long everybody's time.
    """
    limit = _number(said.get("limit", ""))
    ends_at_once = _number(said["reset"]) is not None  # the window of a fixed length of time
    if ends_at_once or not limit or not kind.endswith("requests"):
        return seconds
    return min(seconds, max(_LEAST_SHARE_SECONDS, seconds / limit))


def _of_policies(value: str) -> Iterator[float]:
    """Yield the waits that the one header of the IETF's draft says, policy by policy."""
    for policy in value.split(",") if '"' in value else (value,):
        left = re.search(r"\b(?:r|remaining)=0(?![0-9.])", policy)
        wait = re.search(r"\b(?:t|reset)=([0-9]{1,9})(?![0-9])", policy)
        if left is not None and wait is not None:
            yield float(wait[1])


def _seconds(value: str, now: float | None) -> float | None:
    """Return the seconds until a limit renews, however that is said; `None`: it cannot be read."""
    if re.fullmatch(_DURATION, value):
        parts = re.findall(r"([0-9.]+)([a-zµ]+)", value)
        return sum(float(number) * _UNITS.get(unit, 0.0) for number, unit in parts)
    number = _number(value)
    if number is not None and number < _UNIX_SECONDS:
        return number
    if number is not None:
        until: float | None = number / 1000 if number >= _UNIX_MILLISECONDS else number
    else:
        until = _date(value)
    return None if until is None or now is None else until - now


def _date(value: str) -> float | None:
    """Return the Unix time of a date, in RFC 3339 or as HTTP writes it."""
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", value):
        return unix_time(value)
    from datetime import UTC, datetime

    try:
        date = datetime.fromisoformat(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    """Return a number that is 0 or more, written plainly."""
    return float(value) if re.fullmatch(_NUMBER, value) else None

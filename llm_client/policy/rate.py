"""When a request may start under a limit of requests and tokens per minute.

Owns the sliding window and whose it is. Time is counted in bins of half a second, so that a minute
is 120 figures at most however many requests there are: finer ones cost every request more than all
else that is asked of the ledger. A request counts for 121 bins, so that in no 60 seconds, wherever
they begin, more start than allowed. Refuses to know the clock and
to store anything: `storage/reservations.py` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import RateLimitError

if TYPE_CHECKING:
    from ..types.target import Target

__all__ = [
    "LONGEST_PAUSE",
    "MINUTE",
    "NO_RATE",
    "SPAN",
    "Rate",
    "Slot",
    "bin_of",
    "first_bin",
    "fits",
    "paused_error",
    "rate_key",
    "seconds_until",
]

MINUTE = 60.0
"""Seconds of the window; tests make it shorter."""
SPAN = 121
"""Bins for which a request counts: those of a window, and one because it starts within its bin."""
LONGEST_PAUSE = 120.0
"""Seconds. A provider that wants to be left alone for longer has failed for now: a fallback acts."""


class Rate(NamedTuple):
    """What may start within a window; `None` is no limit."""

    requests: int | None = None
    tokens: int | None = None


NO_RATE = Rate()


class Slot(NamedTuple):
    """What started within a bin."""

    bin: int
    requests: int
    tokens: int


def bin_of(seconds: float, minute: float = MINUTE) -> int:
    """Return the bin of a moment in Unix time."""
    return int(seconds / minute * (SPAN - 1))


def seconds_until(bin: int, now: float, minute: float = MINUTE) -> float:
    """Return how long it is until a bin has surely begun; 0 when it has."""
    if bin <= bin_of(now, minute):
        return 0.0
    return bin * minute / (SPAN - 1) - now + 0.001


def first_bin(
    started: Iterable[Slot], waiting: Iterable[int], tokens: int, rate: Rate, earliest: int
) -> int:
    """Return the first bin in which a request may start, behind those that wait already.

    Args:
        started: what has started, in order; what is out of the window may be left out.
        waiting: the tokens of those that came before, in their order.
        tokens: of the request itself. One with more than the limit starts when no other counts.
        rate: what may start.
        earliest: no request starts before it.
    """
    window = deque(started)
    requests_used = sum(slot.requests for slot in window)
    tokens_used = sum(slot.tokens for slot in window)
    at = earliest
    for size in (*waiting, tokens):
        while window and (
            window[0].bin <= at - SPAN or not fits(requests_used, tokens_used, size, rate)
        ):
            oldest = window.popleft()
            requests_used -= oldest.requests
            tokens_used -= oldest.tokens
            at = max(at, oldest.bin + SPAN)
        window.append(Slot(at, 1, size))
        requests_used += 1
        tokens_used += size
    return at


def fits(requests_used: int, tokens_used: int, tokens: int, rate: Rate) -> bool:
    """Return whether a request may start in a window of which so much is used."""
    if rate.requests is not None and requests_used >= rate.requests:
        return False
    return rate.tokens is None or not tokens_used or tokens_used + tokens <= rate.tokens


def rate_key(target: Target) -> str:
    """Return under which key the requests to a target are counted: provider, address and key.

    Of the key it has a few digits of its SHA-256 only.
    """
    key = target.api_key or target.basic_auth
    if key is None:
        return f"{target.provider.name} {target.base_url}"
    from hashlib import sha256

    digest = sha256(key.reveal().encode("utf-8", "surrogatepass")).hexdigest()
    return f"{target.provider.name} {target.base_url} {digest[:16]}"


def paused_error(target: Target, seconds: float) -> RateLimitError:
    """Return the error for a provider that wants to be left alone for longer than is waited."""
    name = target.provider.name
    return RateLimitError(
        f"{name} asked to be left alone, and {seconds:.0f} s of that are left.",
        hint=f"Try again then, or name another with `--fallback`; {name} was not asked.",
        retry_after=seconds,
        provider=name,
        model=target.model,
    )

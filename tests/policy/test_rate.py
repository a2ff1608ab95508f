"""The sliding window against a model that looks at every request there ever was."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import pytest

from llm_client.policy.rate import (
    MINUTE,
    SPAN,
    Rate,
    Slot,
    bin_of,
    first_bin,
    paused_error,
    rate_key,
    seconds_until,
)
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec, Target

TARGET = Target(ProviderSpec("p", "http://p.test/v1", "openai-chat"), "m", "http://p.test/v1")


class Start(NamedTuple):
    bin: int
    tokens: int


def slots(starts: list[Start]) -> list[Slot]:
    by_bin = groupby(sorted(starts), key=lambda start: start.bin)
    grouped = [(bin, list(group)) for bin, group in by_bin]
    return [Slot(bin, len(group), sum(s.tokens for s in group)) for bin, group in grouped]


def allowed(starts: list[Start], rate: Rate) -> bool:
    """Whether no window of SPAN bins that ends with a start has more than the rate."""
    for last in starts:
        window = [s for s in starts if last.bin - SPAN < s.bin <= last.bin]
        if rate.requests is not None and len(window) > rate.requests:
            return False
        tokens = [s.tokens for s in window]
        if rate.tokens is not None and len(tokens) > 1 and sum(tokens) > rate.tokens:
            return False
    return True


def brute_force(started: list[Start], waiting: list[int], rate: Rate, now: int) -> int:
    """Place one after another in the first bin that breaks no window."""
    placed = list(started)
    at = now
    for tokens in waiting:
        while not allowed([*placed, Start(at, tokens)], rate):
            at += 1
        placed.append(Start(at, tokens))
    return at


@pytest.mark.parametrize("seed", range(60))
def test_any_schedule_starts_as_early_as_the_window_allows(seed: int) -> None:
    chance = random.Random(seed)
    rate = Rate(
        chance.choice([None, 1, 2, 5]),
        chance.choice([None, 100, 1000]),
    )
    started: list[Start] = []
    now = 1_000_000
    for _ in range(12):
        now += chance.choice([0, 1, 20, SPAN // 2, SPAN - 1, SPAN])
        waiting = [chance.choice([1, 30, 60, 100, 400, 5000]) for _ in range(chance.randint(1, 3))]
        recent = [start for start in started if start.bin > now - SPAN]
        bin = first_bin(slots(recent), waiting[:-1], waiting[-1], rate, now)
        assert bin == brute_force(recent, waiting, rate, now)
        if bin == now:  # everybody before it starts now too
            started += [Start(now, tokens) for tokens in waiting]
        assert allowed(started, rate)


def test_empty_window_starts_at_once() -> None:
    assert first_bin([], [], 10, Rate(1, 100), 5) == 5


def test_no_limit_never_waits() -> None:
    assert first_bin([Slot(5, 1000, 10**9)], [1] * 50, 10, Rate(), 5) == 5


def test_full_window_waits_until_the_oldest_has_left_it() -> None:
    assert first_bin([Slot(10, 1, 9), Slot(90, 1, 9)], [], 1, Rate(requests=2), 100) == 10 + SPAN


def test_request_larger_than_the_limit_goes_alone() -> None:
    before = first_bin([Slot(10, 1, 50)], [], 5000, Rate(tokens=100), 20)
    assert before == 10 + SPAN
    assert first_bin([Slot(before, 1, 5000)], [], 1, Rate(tokens=100), before) == before + SPAN


def test_those_who_wait_are_not_overtaken() -> None:
    # A small request would fit now, but a large one came first.
    rate = Rate(tokens=100)
    started = [Slot(10, 1, 60)]
    assert first_bin(started, [], 30, rate, 20) == 20
    assert first_bin(started, [90], 5, rate, 20) == 10 + SPAN


def test_starts_that_are_a_span_of_bins_apart_are_in_no_minute_together() -> None:
    # A start late in its bin and one early in its bin are closer than the bins say.
    first, second = 100.4999, (bin_of(100.4999) + SPAN) * MINUTE / (SPAN - 1)
    assert second - first > 60.0


@pytest.mark.parametrize("minute", [60.0, 1.0, 0.3])
def test_wait_for_a_bin_ends_in_it(minute: float) -> None:
    now = 1_763_000_000.123
    for ahead in (1, 2, 17, SPAN, 40 * SPAN):
        bin = bin_of(now, minute) + ahead
        wait = seconds_until(bin, now, minute)
        assert 0 < wait <= (ahead + 1) * minute / (SPAN - 1) + 0.002
        assert bin_of(now + wait, minute) >= bin
    assert seconds_until(bin_of(now, minute), now, minute) == 0.0


def test_key_tells_provider_address_and_key_apart_and_shows_no_key() -> None:
    secret = "sk-live-0123456789abcdef"
    with_key = replace(TARGET, api_key=Secret(secret))
    targets = [
        TARGET,
        with_key,
        replace(TARGET, api_key=Secret(secret + "x")),
        replace(TARGET, basic_auth=Secret("me:pass")),
        replace(TARGET, base_url="http://q.test/v1"),
        replace(TARGET, provider=replace(TARGET.provider, name="q")),
    ]
    keys = [rate_key(target) for target in targets]
    assert len(set(keys)) == len(keys)
    assert all(secret not in key and "me:pass" not in key for key in keys)
    assert rate_key(replace(with_key, model="other")) == rate_key(with_key)


def test_pause_that_is_too_long_names_how_long_it_is() -> None:
    error = paused_error(TARGET, 300.4)
    assert (error.retry_after, error.provider, error.model) == (300.4, "p", "m")
    assert "300 s" in str(error)
    assert not error.retryable

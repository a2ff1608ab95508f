"""The rate limit and the pauses of a provider in the ledger."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator

import pytest

from llm_client.policy.rate import SPAN, Rate, bin_of
from llm_client.storage.lost import write_off
from llm_client.storage.reservations import Grant, release, reserve
from llm_client.storage.slots import pause, paused_until

from .reserving import CENT, CLAIM, NOON, claim, dead_pid, end, ledger, limit, rows

MINUTE = 60.0
KEY = CLAIM.key


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with ledger() as connection:
        yield connection


def slots(connection: sqlite3.Connection) -> list[tuple[int, int, int]]:
    return rows(connection, "SELECT bin, requests, tokens FROM slots ORDER BY key, bin")


def test_requests_within_the_limit_start_at_once(connection: sqlite3.Connection) -> None:
    for number in range(3):
        asked = claim(str(number), rate=Rate(requests=3))
        assert reserve(connection, asked, NOON) == Grant()
    assert slots(connection) == [(bin_of(NOON), 3, 1500)]


def test_request_over_the_limit_waits_for_a_minute_and_starts_then(
    connection: sqlite3.Connection,
) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    grant = reserve(connection, claim("b", rate=rate), NOON + 10)
    assert 50.0 < grant.wait < 51.0  # a minute, and at most a bin
    # Asked too early it waits for the rest; it does not start before it is let through.
    again = reserve(connection, claim("b", rate=rate), NOON + 40)
    assert 20.0 < again.wait < 21.0
    assert slots(connection) == [(bin_of(NOON), 1, 500)]
    assert reserve(connection, claim("b", rate=rate), NOON + 40 + again.wait) == Grant()
    assert [requests for _, requests, _ in slots(connection)] == [1]
    [[started]] = rows(connection, "SELECT started_at FROM reservations WHERE call_id = 'b'")
    assert started == NOON + 40 + again.wait


def test_large_request_waits_for_the_tokens_of_others(connection: sqlite3.Connection) -> None:
    rate = Rate(tokens=900)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("b", rate=rate), NOON).wait > 60.0


def test_settled_tokens_make_room_and_the_waiting_come_forward(
    connection: sqlite3.Connection,
) -> None:
    rate = Rate(tokens=900)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("b", rate=rate), NOON).wait > 60.0
    end(connection, "a", tokens=40)
    assert slots(connection) == [(bin_of(NOON), 1, 40)]
    assert reserve(connection, claim("b", rate=rate), NOON + 5) == Grant()


@pytest.mark.parametrize(("tokens", "counted"), [(700, 700), (None, 100), (0, 0)])
def test_slot_counts_what_was_used(
    connection: sqlite3.Connection, tokens: int | None, counted: int
) -> None:
    # Without a figure the prompt was read, as far as is known.
    reserve(connection, claim(rate=Rate(tokens=5000)), NOON)
    end(connection, tokens=tokens)
    assert slots(connection) == [(bin_of(NOON), 1, counted)]


def test_settling_twice_corrects_once(connection: sqlite3.Connection) -> None:
    reserve(connection, claim(rate=Rate(tokens=5000)), NOON)
    end(connection, tokens=40)
    end(connection, tokens=40)
    assert slots(connection) == [(bin_of(NOON), 1, 40)]


def test_attempt_that_is_not_made_gives_its_place_back(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=2)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("b", rate=rate), NOON)
    release(connection, "b", 1)
    assert slots(connection) == [(bin_of(NOON), 1, 500)]
    release(connection, "a", 1)
    assert slots(connection) == []


def test_attempt_that_gives_up_waiting_leaves_no_trace(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("b", rate=rate), NOON + 1)
    third = reserve(connection, claim("c", rate=rate), NOON + 2)
    assert third.wait > 100
    release(connection, "b", 1)
    assert reserve(connection, claim("c", rate=rate), NOON + 3).wait < 60
    assert len(slots(connection)) == 1


def test_nobody_overtakes_who_came_earlier(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("first", rate=rate), NOON)
    order = ["d", "b", "c", "a"]  # not the order of their names
    waits = {}
    for number, name in enumerate(order):
        waits[name] = reserve(connection, claim(name, rate=rate), NOON + number).wait + number
    assert sorted(waits, key=waits.__getitem__) == order
    # Whoever asks first when the place is free: only the first in the queue gets it.
    now = NOON + 61
    for name in ("a", "c", "b"):
        assert reserve(connection, claim(name, rate=rate), now).wait > 50
    assert reserve(connection, claim("new", rate=rate), now).wait > 200
    assert reserve(connection, claim("d", rate=rate), now) == Grant()


def test_small_request_does_not_overtake_a_large_one(connection: sqlite3.Connection) -> None:
    rate = Rate(tokens=600)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("large", rate=rate), NOON + 1).wait > 50
    small = claim("small", rate=rate, prompt_tokens=1, completion_tokens=1)
    assert reserve(connection, small, NOON + 2).wait > 50


def test_who_does_not_come_when_it_is_due_holds_nobody_up(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("stopped", rate=rate), NOON + 1)
    assert reserve(connection, claim("b", rate=rate), NOON + 65).wait > 0
    assert reserve(connection, claim("b", rate=rate), NOON + 80) == Grant()
    # It is not forgotten: its turn is the next one, before those who came after it.
    assert 0 < reserve(connection, claim("stopped", rate=rate), NOON + 90).wait < 60
    assert reserve(connection, claim("c", rate=rate), NOON + 91).wait > 60


def test_who_waits_and_dies_holds_nobody_up(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("dead", rate=rate), NOON + 1)
    connection.execute("UPDATE reservations SET pid = ? WHERE call_id = 'dead'", (dead_pid(),))
    assert reserve(connection, claim("b", rate=rate), NOON + 2).wait < 60
    assert rows(connection, "SELECT call_id FROM reservations ORDER BY 1") == [("a",), ("b",)]


def test_late_start_counts_from_when_it_was(connection: sqlite3.Connection) -> None:
    # Reckoned from the planned time, the third would be within a minute of the second.
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("b", rate=rate), NOON + 1)
    reserve(connection, claim("c", rate=rate), NOON + 2)
    assert reserve(connection, claim("b", rate=rate), NOON + 65) == Grant()
    assert 4.0 < reserve(connection, claim("c", rate=rate), NOON + 121).wait < 5.0


def test_keys_and_models_without_limit_do_not_wait_for_each_other(
    connection: sqlite3.Connection,
) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("b", rate=rate, key="another"), NOON) == Grant()
    assert reserve(connection, claim("c"), NOON) == Grant()
    assert len(slots(connection)) == 2


def test_refused_by_a_budget_takes_no_place(connection: sqlite3.Connection) -> None:
    asked = claim(rate=Rate(requests=1), limits=(limit(0),))
    assert reserve(connection, asked, NOON).refused
    assert slots(connection) == []


def test_money_is_reserved_while_it_waits(connection: sqlite3.Connection) -> None:
    rate, limits = Rate(requests=1), (limit(2 * CENT),)
    reserve(connection, claim("a", rate=rate, limits=limits), NOON)
    assert reserve(connection, claim("b", rate=rate, limits=limits), NOON).wait > 0
    assert reserve(connection, claim("c", rate=rate, limits=limits), NOON).refused
    # After the wait the budget is not asked again: the money is there.
    assert reserve(connection, claim("b", rate=rate, limits=(limit(0),)), NOON + 62) == Grant()


def test_slots_that_are_in_the_future_are_forgotten(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("b", rate=rate), NOON - 3600) == Grant()
    assert slots(connection) == [(bin_of(NOON - 3600), 1, 500)]


def test_clock_that_jitters_backwards_lets_nothing_more_through(
    connection: sqlite3.Connection,
) -> None:
    rate = Rate(requests=1)
    reserve(connection, claim("a", rate=rate), NOON)
    assert reserve(connection, claim("b", rate=rate), NOON - 0.75).wait > 60


def test_pause_that_the_clock_was_set_back_from_does_not_last(
    connection: sqlite3.Connection,
) -> None:
    pause(connection, KEY, NOON + 100, NOON)
    assert paused_until(connection, KEY, NOON - 3600) == NOON - 3600


def test_old_slots_and_pauses_are_deleted(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1000)
    reserve(connection, claim("a", rate=rate), NOON)
    reserve(connection, claim("b", rate=rate, key="another"), NOON)
    pause(connection, "another", NOON + 10, NOON)
    for step in range(200):
        reserve(connection, claim(f"c{step}", rate=rate), NOON + 100 + step)
    own = "SELECT count(*) FROM slots WHERE key = ?"
    assert rows(connection, own, KEY)[0][0] <= 61
    assert rows(connection, own, "another") == [(1,)]
    write_off(connection, NOON + 400)
    assert rows(connection, "SELECT count(*) FROM slots") == [(0,)]
    assert rows(connection, "SELECT count(*) FROM pauses") == [(0,)]


def test_pause_of_one_holds_for_all_until_it_is_over(connection: sqlite3.Connection) -> None:
    pause(connection, KEY, NOON + 30, NOON)
    assert reserve(connection, claim(), NOON + 10) == Grant(20.0)
    assert reserve(connection, claim("other", key="other"), NOON + 10) == Grant()
    # Meanwhile the provider asked for more.
    pause(connection, KEY, NOON + 50, NOON + 20)
    assert reserve(connection, claim(), NOON + 30) == Grant(20.0)
    assert reserve(connection, claim(), NOON + 50) == Grant()


def test_shorter_pause_does_not_end_a_longer_one(connection: sqlite3.Connection) -> None:
    pause(connection, KEY, NOON + 50, NOON)
    pause(connection, KEY, NOON + 5, NOON)
    assert paused_until(connection, KEY, NOON + 10) == NOON + 50
    assert paused_until(connection, KEY, NOON + 50) == NOON + 50
    assert paused_until(connection, "other", NOON) == NOON


def test_pause_is_over_before_the_rate_limit_is_looked_at(connection: sqlite3.Connection) -> None:
    rate = Rate(requests=1)
    pause(connection, KEY, NOON + 30, NOON)
    for number, name in enumerate("ab"):
        grant = reserve(connection, claim(name, rate=rate), NOON)
        assert grant.wait == pytest.approx(30 + number * 60, abs=0.6)
        assert grant.limited == (name == "b"), "what is it that one waits for?"
    assert reserve(connection, claim("a", rate=rate), NOON + 30.1) == Grant()


def test_pause_that_is_too_long_is_refused_and_reserves_nothing(
    connection: sqlite3.Connection,
) -> None:
    reserve(connection, claim("waits", limits=(limit(CENT),)), NOON)
    connection.execute("UPDATE reservations SET due = ?", (NOON + 10,))
    pause(connection, KEY, NOON + 300, NOON)
    for name in ("waits", "new"):
        grant = reserve(connection, claim(name), NOON + 10)
        assert grant == Grant(290.0, paused=True)
    assert rows(connection, "SELECT * FROM reservations") == []
    # 120 s are waited.
    assert reserve(connection, claim(), NOON + 180) == Grant(120.0)


def test_pause_of_a_day_is_asked_about_after_ten_minutes(connection: sqlite3.Connection) -> None:
    pause(connection, KEY, NOON + 86_400, NOON)
    assert paused_until(connection, KEY, NOON) == NOON + 600


@pytest.mark.parametrize("seed", range(5))
def test_any_race_keeps_the_window_and_the_order(connection: sqlite3.Connection, seed: int) -> None:
    """Let many come, wait, give up, come late and settle; look at when each was let through."""
    chance = random.Random(seed)
    rate = Rate(chance.choice([2, 5, None]), chance.choice([1500, 4000]))
    now = NOON
    arrived: list[str] = []
    started: list[tuple[float, str]] = []
    due: dict[str, float] = {}
    while len(arrived) < 60 or due:
        now += chance.choice([0.0, 0.05, 0.4, 3.0])
        if len(arrived) < 60:
            arrived.append(f"{chance.random():.6f}")
            due[arrived[-1]] = now
        for name in [name for name, at in due.items() if at <= now]:
            if (late := chance.random()) < 0.1:
                if late < 0.001:
                    release(connection, name, 1)
                    del due[name]
                continue
            grant = reserve(connection, claim(name, rate=rate), now)
            due[name] = now + min(grant.wait, 5.0)
            if not grant.wait:
                del due[name]
                started.append((now, name))
                if chance.random() < 0.3:
                    end(connection, name, tokens=500)
    assert len(started) > 40
    for at, _ in started:
        window = [start for start, _ in started if at - MINUTE <= start <= at]
        assert rate.requests is None or len(window) <= rate.requests
        assert rate.tokens is None or len(window) * 500 <= rate.tokens
    # Who is late may be passed by the next one, where there is room for both.
    order = [arrived.index(name) for _, name in started]
    places = zip(order, sorted(order), strict=True)
    assert max(abs(at - due_at) for at, due_at in places) <= 5


def test_span_is_a_minute_and_a_bin() -> None:
    assert bin_of(NOON + MINUTE) - bin_of(NOON) == SPAN - 1

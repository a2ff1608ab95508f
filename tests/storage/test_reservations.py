"""What may be spent: reserved before, settled after, lost when the process died."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator

import pytest

from llm_client.policy.budget import Exceeded, Limit
from llm_client.storage.lost import write_off
from llm_client.storage.reservations import Grant, release, reserve
from llm_client.types.events import Labels

from .reserving import CENT, NOON, TODAY, claim, dead_pid, end, ledger, limit, rows


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with ledger() as connection:
        yield connection


def spent(connection: sqlite3.Connection) -> int:
    [[total]] = rows(connection, "SELECT coalesce(sum(cost), 0) FROM spending")
    assert isinstance(total, int)
    return total


def reserved(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return rows(connection, "SELECT call_id, attempt FROM reservations ORDER BY 1, 2")


def test_attempt_within_its_budget_may_start_at_once(connection: sqlite3.Connection) -> None:
    assert reserve(connection, claim(limits=(limit(CENT),)), NOON) == Grant()
    assert reserved(connection) == [("call", 1)]


def test_reservations_count_before_they_are_settled(connection: sqlite3.Connection) -> None:
    limits = (limit(2 * CENT),)
    assert not reserve(connection, claim("a", limits=limits), NOON).refused
    assert not reserve(connection, claim("b", limits=limits), NOON).refused
    refused = reserve(connection, claim("c", limits=limits), NOON)
    assert refused == Grant(exceeded=(Exceeded(limits[0], 0, 2 * CENT, CENT),))
    assert refused.refused == refused.exceeded[0]
    assert reserved(connection) == [("a", 1), ("b", 1)]


def test_what_is_settled_for_less_leaves_room(connection: sqlite3.Connection) -> None:
    limits = (limit(CENT),)
    reserve(connection, claim("a", limits=limits), NOON)
    end(connection, "a", cost=CENT // 10)
    refused = reserve(connection, claim("b", limits=limits), NOON).refused
    assert refused == Exceeded(limits[0], CENT // 10, 0, CENT)
    cheaper = claim("b", limits=limits, cost=CENT - CENT // 10)
    assert reserve(connection, cheaper, NOON).refused is None


@pytest.mark.parametrize("cost", [0, None], ids=["free", "unknown"])
def test_what_has_no_cost_exceeds_no_budget(
    connection: sqlite3.Connection, cost: int | None
) -> None:
    end(connection, "before", cost=5 * CENT)
    assert reserve(connection, claim(limits=(limit(0),), cost=cost), NOON) == Grant()


def test_budget_of_nothing_allows_nothing_that_costs(connection: sqlite3.Connection) -> None:
    assert reserve(connection, claim(limits=(limit(0),), cost=1), NOON).refused


def test_budget_that_only_warns_is_reserved_for_and_said_once(
    connection: sqlite3.Connection,
) -> None:
    warns = limit(0, blocks=False)
    grant = reserve(connection, claim(limits=(warns,)), NOON)
    assert grant == Grant(exceeded=(Exceeded(warns, 0, 0, CENT),))
    assert grant.refused is None
    assert reserved(connection) == [("call", 1)]
    assert reserve(connection, claim(limits=(warns,)), NOON) == Grant()


def test_all_exceeded_budgets_are_told_and_the_first_that_blocks_refuses(
    connection: sqlite3.Connection,
) -> None:
    limits = (limit(0, "month", blocks=False), limit(CENT), limit(0, "total"))
    grant = reserve(connection, claim(limits=limits), NOON)
    assert [found.limit for found in grant.exceeded] == [limits[0], limits[2]]
    assert grant.refused is not None
    assert grant.refused.limit == limits[2]


@pytest.mark.parametrize(
    ("held", "counts"),
    [
        (limit(CENT, "day"), 1),
        (limit(CENT, "week")._replace(since="2026-11-16"), 2),
        (limit(CENT, "month")._replace(since="2026-11-01"), 3),
        (limit(CENT, "total"), 4),
    ],
    ids=["day", "week", "month", "total"],
)
def test_only_the_days_of_the_period_count(
    connection: sqlite3.Connection, held: Limit, counts: int
) -> None:
    for day in ("2026-10-31", "2026-11-01", "2026-11-16", TODAY):
        end(connection, day, day=day)
    refused = reserve(connection, claim(limits=(held,)), NOON).refused
    assert refused is not None
    assert refused.spent == counts * CENT


def test_reservation_of_yesterday_counts_today_because_it_may_start_today(
    connection: sqlite3.Connection,
) -> None:
    reserve(connection, claim("a", day="2026-11-19"), NOON)
    refused = reserve(connection, claim("b", limits=(limit(CENT),)), NOON).refused
    assert refused is not None
    assert refused.reserved == CENT


@pytest.mark.parametrize(
    ("held", "labels", "provider"),
    [
        (limit(CENT, scope="project", label="web"), Labels(project="web"), "acme"),
        (limit(CENT, scope="profile", label="fast"), Labels(profile="fast"), "acme"),
        (limit(CENT, scope="provider", label="other"), Labels(), "other"),
    ],
    ids=["project", "profile", "provider"],
)
def test_scope_counts_only_its_own(
    connection: sqlite3.Connection, held: Limit, labels: Labels, provider: str
) -> None:
    # Others have spent and reserved as much: in this scope nothing yet.
    end(connection, "x", project="app", profile="slow")
    reserve(connection, claim("y", labels=Labels(project="app", profile="slow")), NOON)
    own = claim("a", labels=labels, provider=provider, limits=(held,))
    assert reserve(connection, own, NOON).refused is None
    end(connection, "a", provider=provider, project=labels.project, profile=labels.profile)
    refused = reserve(connection, own._replace(call_id="b"), NOON).refused
    assert refused is not None
    assert (refused.spent, refused.reserved) == (CENT, 0)


def test_limit_of_a_call_counts_all_its_attempts_and_no_others(
    connection: sqlite3.Connection,
) -> None:
    limits = (limit(2 * CENT, "call"),)
    end(connection, "other", cost=50 * CENT)
    reserve(connection, claim("another", cost=50 * CENT), NOON)
    spent = (("acme", CENT), ("other", CENT))
    for attempt in (1, 2):
        asked = claim(attempt=attempt, limits=limits, spent=spent[: attempt - 1])
        assert reserve(connection, asked, NOON).refused is None
        end(connection, attempt=attempt)
    refused = reserve(connection, claim(attempt=3, limits=limits, spent=spent), NOON).refused
    assert refused == Exceeded(limits[0], 2 * CENT, 0, CENT)


def test_limit_of_a_call_for_a_provider_counts_its_attempts_there(
    connection: sqlite3.Connection,
) -> None:
    held = limit(CENT, "call", scope="provider", label="acme")
    asked = claim(attempt=2, limits=(held,), spent=(("other", CENT),))
    assert reserve(connection, asked, NOON).refused is None
    asked = claim(attempt=3, limits=(held,), spent=(("other", CENT), ("acme", 1)))
    assert reserve(connection, asked, NOON).refused == Exceeded(held, 1, 0, CENT)


def test_reserving_twice_reserves_once(connection: sqlite3.Connection) -> None:
    limits = (limit(CENT),)
    for _ in range(3):
        assert reserve(connection, claim(limits=limits), NOON) == Grant()
    assert reserved(connection) == [("call", 1)]


def test_released_reservation_is_gone_and_can_be_released_again(
    connection: sqlite3.Connection,
) -> None:
    limits = (limit(CENT),)
    reserve(connection, claim("a", limits=limits), NOON)
    release(connection, "a", 1)
    release(connection, "a", 1)
    assert reserve(connection, claim("b", limits=limits), NOON) == Grant()


def test_settling_twice_spends_once_at_the_later_figure(connection: sqlite3.Connection) -> None:
    reserve(connection, claim(), NOON)
    end(connection, cost=3 * CENT)
    end(connection, cost=3 * CENT)
    assert spent(connection) == 3 * CENT
    end(connection, cost=CENT)
    assert spent(connection) == CENT
    end(connection, cost=None)
    assert spent(connection) == 0
    assert reserved(connection) == []


def test_spending_is_kept_by_day_provider_profile_and_project(
    connection: sqlite3.Connection,
) -> None:
    end(connection, "a", profile="fast", project="web")
    end(connection, "b", profile="fast", project="web")
    end(connection, "c")
    assert rows(connection, "SELECT * FROM spending ORDER BY project") == [
        (TODAY, "acme", "", "", CENT),
        (TODAY, "acme", "fast", "web", 2 * CENT),
    ]


def with_pid(connection: sqlite3.Connection, call_id: str, pid: int) -> None:
    connection.execute("UPDATE reservations SET pid = ? WHERE call_id = ?", (pid, call_id))


def test_attempt_of_a_dead_process_is_booked_as_lost_at_what_it_may_have_cost(
    connection: sqlite3.Connection,
) -> None:
    labels = Labels("fast", "session-1", "web", ("a", "ü"))
    reserve(connection, claim(labels=labels), NOON)
    with_pid(connection, "call", dead_pid())
    assert write_off(connection, NOON + 5) == 1
    assert rows(
        connection,
        "SELECT call_id, attempt, started_at, day, provider, model, profile, session, project,"
        " tags FROM attempts",
    ) == [("call", 1, NOON, TODAY, "acme", "m-1", "fast", "session-1", "web", '["a", "ü"]')]
    assert rows(
        connection,
        "SELECT prompt_tokens, completion_tokens, estimated, cost, outcome FROM attempts",
    ) == [
        (100, 400, 1, CENT, "lost"),
    ]
    assert rows(connection, "SELECT * FROM spending") == [(TODAY, "acme", "fast", "web", CENT)]
    assert reserved(connection) == []
    assert write_off(connection, NOON + 5) == 0
    assert spent(connection) == CENT


def test_lost_attempt_without_labels_or_price_has_none(connection: sqlite3.Connection) -> None:
    reserve(connection, claim(cost=None), NOON)
    with_pid(connection, "call", dead_pid())
    write_off(connection, NOON)
    assert rows(
        connection, "SELECT profile, session, project, tags, cost, error_type FROM attempts"
    ) == [(None,) * 6]
    assert rows(connection, "SELECT * FROM spending") == []


@pytest.mark.parametrize("local", [True, False], ids=["here", "elsewhere"])
def test_lost_attempt_is_as_local_as_it_was(connection: sqlite3.Connection, local: bool) -> None:
    reserve(connection, claim(cost=None, local=local), NOON)
    with_pid(connection, "call", dead_pid())
    write_off(connection, NOON)
    assert rows(connection, "SELECT local FROM attempts") == [(local,)]


def test_attempt_that_was_lost_and_is_settled_after_all_counts_as_it_was(
    connection: sqlite3.Connection,
) -> None:
    reserve(connection, claim(labels=Labels(project="web")), NOON)
    with_pid(connection, "call", dead_pid())
    write_off(connection, NOON)
    end(connection, cost=CENT // 4, project="web")
    assert rows(connection, "SELECT cost FROM spending") == [(CENT // 4,)]
    assert rows(connection, "SELECT outcome, cost FROM attempts") == [("ok", CENT // 4)]


def test_attempt_of_a_process_that_lives_is_not_lost(connection: sqlite3.Connection) -> None:
    reserve(connection, claim("own"), time.time())
    reserve(connection, claim("parent"), time.time())
    with_pid(connection, "parent", os.getppid())
    assert write_off(connection, time.time()) == 0
    assert reserved(connection) == [("own", 1), ("parent", 1)]


def test_attempt_of_a_process_of_another_user_is_not_lost(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError

    reserve(connection, claim(), NOON)
    with_pid(connection, "call", 1)
    monkeypatch.setattr(os, "kill", forbidden)
    assert write_off(connection, NOON) == 0


def test_where_asking_would_end_a_process_only_age_counts(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(pid: int, signal: int) -> None:
        raise AssertionError("on Windows this ends the process")

    reserve(connection, claim(), NOON)
    with_pid(connection, "call", dead_pid())
    monkeypatch.setattr(os, "kill", deadly)
    monkeypatch.setattr(sys, "platform", "win32")
    assert write_off(connection, NOON) == 0
    assert write_off(connection, NOON + 90_000) == 1


def test_attempt_of_more_than_a_day_is_lost_whoever_has_its_number(
    connection: sqlite3.Connection,
) -> None:
    reserve(connection, claim("own"), NOON)
    reserve(connection, claim("parent"), NOON)
    with_pid(connection, "parent", os.getppid())
    assert write_off(connection, NOON + 86_000) == 0
    assert write_off(connection, NOON + 86_500) == 2


def test_attempt_from_before_this_process_began_is_a_namesake_s(
    connection: sqlite3.Connection,
) -> None:
    reserve(connection, claim(), time.time() - 3600)
    assert write_off(connection, time.time()) == 1


def test_attempt_that_never_started_is_not_lost_but_gone(connection: sqlite3.Connection) -> None:
    reserve(connection, claim(), NOON)
    connection.execute("UPDATE reservations SET due = ?", (NOON + 30,))
    with_pid(connection, "call", dead_pid())
    assert write_off(connection, NOON) == 1
    assert rows(connection, "SELECT * FROM attempts") == []
    assert spent(connection) == 0


def test_refusal_looks_for_the_dead_first(connection: sqlite3.Connection) -> None:
    limits = (limit(3 * CENT),)
    waiting = claim("waiting", limits=limits, cost=2 * CENT)
    reserve(connection, waiting, NOON)
    connection.execute("UPDATE reservations SET due = ?", (NOON + 30,))
    reserve(connection, claim("started", limits=limits), NOON)
    pid = dead_pid()
    with_pid(connection, "waiting", pid)
    with_pid(connection, "started", pid)
    # What waited costs nothing any more; what had started may have been billed.
    assert reserve(connection, claim("new", limits=limits), NOON) == Grant()
    assert (spent(connection), reserved(connection)) == (CENT, [("new", 1)])
    refused = reserve(connection, claim("next", limits=limits, cost=2 * CENT), NOON).refused
    assert refused == Exceeded(limits[0], CENT, CENT, 2 * CENT)

"""Which budgets hold, over which days, and how a refusal reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client.policy.budget import (
    Exceeded,
    Limit,
    dollars,
    limits,
    nano_ceiling,
    nano_usd,
    refusal,
    unpriced,
    warning,
)
from llm_client.types.budget import Budget
from llm_client.types.events import Labels
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec, Target

USD = 1_000_000_000
TARGET = Target(
    ProviderSpec("acme", "https://acme.test/v1", "openai-chat", price_id="acme"),
    "m-1",
    "https://acme.test/v1",
    api_key=Secret("sk-0123456789"),
)


def test_no_budget_has_no_limits() -> None:
    assert limits(None, Labels(), "acme", "2026-11-20") == ()
    assert limits(Budget(), Labels(), "acme", "2026-11-20") == ()


def test_every_amount_becomes_a_limit_narrowest_first() -> None:
    budget = Budget(per_call_usd=1, daily_usd=2, weekly_usd=3, monthly_usd=4, total_usd=5)
    found = limits(budget, Labels(), "acme", "2026-11-20", 0.5)
    assert [(limit.period, limit.amount, limit.since) for limit in found] == [
        ("call", USD // 2, ""),
        ("call", USD, ""),
        ("day", 2 * USD, "2026-11-20"),
        ("week", 3 * USD, "2026-11-16"),
        ("month", 4 * USD, "2026-11-01"),
        ("total", 5 * USD, ""),
    ]
    assert {(limit.scope, limit.label, limit.blocks) for limit in found} == {("", "", True)}


@pytest.mark.parametrize(
    ("today", "week", "week_renews", "month", "month_renews"),
    [
        # Monday begins the week, also across the ends of months and years.
        ("2026-11-16", "2026-11-16", "2026-11-23", "2026-11-01", "2026-12-01"),
        ("2026-11-22", "2026-11-16", "2026-11-23", "2026-11-01", "2026-12-01"),
        ("2026-12-31", "2026-12-28", "2027-01-04", "2026-12-01", "2027-01-01"),
        ("2027-01-01", "2026-12-28", "2027-01-04", "2027-01-01", "2027-02-01"),
        ("2028-02-29", "2028-02-28", "2028-03-06", "2028-02-01", "2028-03-01"),
        # The clock changes on these Sundays in Europe; a day stays a day.
        ("2026-03-29", "2026-03-23", "2026-03-30", "2026-03-01", "2026-04-01"),
        ("2026-10-25", "2026-10-19", "2026-10-26", "2026-10-01", "2026-11-01"),
    ],
)
def test_periods_begin_and_renew_on_local_days(
    today: str, week: str, week_renews: str, month: str, month_renews: str
) -> None:
    budget = Budget(daily_usd=1, weekly_usd=1, monthly_usd=1)
    day, weekly, monthly = limits(budget, Labels(), "acme", today)
    assert day.since == today
    assert day.renews is not None
    assert day.renews > today
    assert (weekly.since, weekly.renews) == (week, week_renews)
    assert (monthly.since, monthly.renews) == (month, month_renews)


@pytest.mark.parametrize("today", ["2026-03-28", "2026-03-29", "2026-10-25", "2026-12-31"])
def test_day_renews_on_the_next_day(today: str) -> None:
    following = {
        "2026-03-28": "2026-03-29",
        "2026-03-29": "2026-03-30",
        "2026-10-25": "2026-10-26",
        "2026-12-31": "2027-01-01",
    }
    [limit] = limits(Budget(daily_usd=1), Labels(), "acme", today)
    assert limit.renews == following[today]


def test_call_and_total_do_not_renew() -> None:
    budget = Budget(per_call_usd=1, total_usd=1)
    assert [limit.renews for limit in limits(budget, Labels(), "acme", "2026-11-20")] == [None] * 2


def test_scopes_hold_for_their_label_only() -> None:
    budget = Budget(
        daily_usd=9,
        projects={"web": Budget(daily_usd=1), "app": Budget(daily_usd=2)},
        profiles={"fast": Budget(total_usd=3, on_exceeded="warn")},
        providers={"acme": Budget(per_call_usd=4), "other": Budget(per_call_usd=5)},
    )
    labels = Labels(profile="fast", project="web")
    found = limits(budget, labels, "acme", "2026-11-20")
    assert [(limit.scope, limit.label, limit.amount // USD, limit.blocks) for limit in found] == [
        ("", "", 9, True),
        ("project", "web", 1, True),
        ("profile", "fast", 3, False),
        ("provider", "acme", 4, True),
    ]
    unlabelled = limits(budget, Labels(), "third", "2026-11-20")
    assert [limit.scope for limit in unlabelled] == [""]


def test_max_cost_blocks_where_the_budget_only_warns() -> None:
    budget = Budget(per_call_usd=1, on_exceeded="warn")
    found = limits(budget, Labels(), "acme", "2026-11-20", 0.05)
    assert [limit.blocks for limit in found] == [True, False]


@pytest.mark.parametrize(
    ("budget", "in_code", "setting"),
    [
        (Budget(daily_usd=1), False, "`daily_usd` of `[budget]` in the configuration"),
        (
            Budget(projects={"web": Budget(daily_usd=1)}),
            False,
            "`daily_usd` of `[budget.projects.web]` in the configuration",
        ),
        (
            Budget(projects={"my app": Budget(daily_usd=1)}),
            False,
            '`daily_usd` of `[budget.projects."my app"]` in the configuration',
        ),
        (Budget(daily_usd=1), True, "`daily_usd` of its `Budget(…)`"),
        (
            Budget(projects={"web": Budget(daily_usd=1)}),
            True,
            "`daily_usd` of the client's `Budget(…)` for the project 'web'",
        ),
    ],
    ids=["file", "file-project", "file-quoted", "code", "code-project"],
)
def test_limit_says_where_it_is_set(budget: Budget, in_code: bool, setting: str) -> None:
    project = next(iter(budget.projects), None)
    [limit] = limits(budget, Labels(project=project), "acme", "2026-11-20", in_code=in_code)
    assert limit.setting == setting


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (4_980_000_000, "$4.98"),
        (5_000_000_000, "$5.00"),
        (4_983_217_000, "$4.9832"),
        (400_000, "$0.0004"),
        (12_345, "$0.000012"),
        (1, "$0.000000001"),
        (53_200_000, "$0.0532"),
        (12_000_000_000_000, "$12,000.00"),
        (9_999_999, "$0.01"),
        (-400_000, "$-0.0004"),
    ],
)
def test_amounts_read_sensibly(nano: int, text: str) -> None:
    assert dollars(nano) == text


def test_what_may_be_spent_is_rounded_up_and_what_was_to_the_nearest() -> None:
    assert nano_ceiling(1.2e-9) == 2
    assert nano_usd(1.2e-9) == 1
    assert nano_usd(0.1 + 0.2) == 300_000_000


def test_refusal_says_what_was_spent_what_it_would_cost_and_when_it_renews() -> None:
    [limit] = limits(Budget(daily_usd=5), Labels(), "acme", "2026-11-20")
    error = refusal(Exceeded(limit, 4_980_000_000, 10_000_000, 60_000_000), TARGET, 1200, 4096)
    assert str(error) == (
        "The daily budget of $5.00 does not allow this request: $4.98 is spent, $0.01 is reserved"
        " by requests under way, and it may cost $0.06 (1,200 tokens of prompt and 4,096 of answer"
        " from acme/m-1). The budget renews on 2026-11-21, at midnight."
    )
    assert error.hint == (
        "Ask for a shorter answer with `--max-tokens N`, or allow more with `daily_usd` of"
        " `[budget]` in the configuration."
    )
    assert (error.provider, error.model) == ("acme", "m-1")


def test_refusal_of_a_first_request_speaks_of_nothing_spent() -> None:
    [limit] = limits(None, Labels(), "acme", "2026-11-20", 0.05)
    error = refusal(Exceeded(limit, 0, 0, 60_000_000), TARGET, 10, 20)
    assert "request: it may cost $0.06 (10 tokens" in str(error)
    assert "renews" not in str(error)
    assert error.hint is not None
    assert error.hint.endswith("allow more with `--max-cost`.")


def test_refusal_by_a_budget_that_is_used_up_does_not_advise_shorter_answers() -> None:
    [limit] = limits(
        Budget(projects={"web": Budget(total_usd=5)}), Labels(project="web"), "acme", "2026-11-20"
    )
    error = refusal(Exceeded(limit, 5 * USD, 0, 1), TARGET, 10, 20)
    assert str(error).startswith("The total budget of $5.00 for the project 'web' does not allow")
    assert error.hint == (
        "Allow more with `total_usd` of `[budget.projects.web]` in the configuration."
    )


def test_warning_says_the_same_and_lets_it_through() -> None:
    limit = Limit(USD, "month", "x", "2026-11-01", blocks=False)
    assert warning(Exceeded(limit, USD, 0, 1_000_000)) == (
        "The monthly budget of $1.00 is exceeded: $1.00 is spent, and it may cost $0.001."
    )


def test_model_without_a_price_is_told_with_the_setting_that_prices_it() -> None:
    notice = unpriced(TARGET)
    assert notice is not None
    assert '`[pricing."acme/m-1"]`' in notice


@pytest.mark.parametrize(
    ("base_url", "key", "price_id", "free"),
    [
        ("http://localhost:11434", None, "", True),
        ("http://127.0.0.1:8080/v1", Secret("sk-local-0123"), "", True),
        ("http://gpu.lan:11434", None, "", True),
        ("gguf://", None, "", True),
        ("https://llm.example.com/v1", Secret("sk-work-0123"), "", False),
        ("http://localhost:4000", Secret("sk-work-0123"), "openai", False),
    ],
    ids=["loopback", "loopback-key", "lan", "in-process", "own-server", "priced-proxy"],
)
def test_only_what_somebody_is_paid_for_needs_a_price(
    base_url: str, key: Secret | None, price_id: str, free: bool
) -> None:
    target = replace(
        TARGET,
        base_url=base_url,
        api_key=key,
        provider=replace(TARGET.provider, price_id=price_id),
    )
    assert (unpriced(target) is None) is free

"""Which budgets hold for an attempt, over which days, and what is said when one does not allow it.

Pure: today is passed in as a text, because only this machine's clock knows where a day begins, and
a day is a day however many hours it has. Amounts are whole nano-USD, so that sums are exact. What
was spent is `storage/reservations.py`'s business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..exceptions import BudgetExceededError

if TYPE_CHECKING:
    from ..types.budget import Budget
    from ..types.events import Labels
    from ..types.target import Target

__all__ = [
    "Exceeded",
    "Limit",
    "Period",
    "Scope",
    "Standing",
    "dollars",
    "lasting_limits",
    "limits",
    "nano_ceiling",
    "nano_usd",
    "refusal",
    "standing_line",
    "unpriced",
    "warning",
]

Period: TypeAlias = Literal["call", "day", "week", "month", "total"]
Scope: TypeAlias = Literal["", "profile", "project", "provider"]

_PERIODS: tuple[tuple[Period, str], ...] = (
    ("call", "per_call_usd"),
    ("day", "daily_usd"),
    ("week", "weekly_usd"),
    ("month", "monthly_usd"),
    ("total", "total_usd"),
)
_NAMES = {
    "call": "budget of a call",
    "day": "daily budget",
    "week": "weekly budget",
    "month": "monthly budget",
    "total": "total budget",
}
_NANO = 1_000_000_000
_MOST_USD = 1e15
"""More than any budget can be; absurd prices and numbers of tokens come to infinity."""


class Limit(NamedTuple):
    """One amount that an attempt must not exceed."""

    amount: int
    """Nano-USD."""
    period: Period
    setting: str
    """Where it can be raised, for the hint."""
    since: str = ""
    """The first local day whose spending counts; empty: all of it, or it bounds one call."""
    scope: Scope = ""
    """Only attempts with that label count; empty: all."""
    label: str = ""
    """The label of the scope."""
    blocks: bool = True
    """Whether it refuses the attempt; else it only says so."""

    @property
    def renews(self) -> str | None:
        """The local day at whose midnight it begins anew; `None`: it does not."""
        if not self.since:
            return None
        from datetime import date, timedelta

        first = date.fromisoformat(self.since)
        if self.period == "month":
            return (first + timedelta(days=31)).replace(day=1).isoformat()
        return (first + timedelta(days=7 if self.period == "week" else 1)).isoformat()


class Exceeded(NamedTuple):
    """A limit that an attempt exceeds."""

    limit: Limit
    spent: int
    """Nano-USD in its scope and days, by settled attempts."""
    reserved: int
    """Nano-USD that other attempts under way may cost."""
    cost: int
    """Nano-USD that the attempt may cost."""


class Standing(NamedTuple):
    """What is used of a limit."""

    limit: Limit
    spent: int
    """Nano-USD, as in `Exceeded`."""
    reserved: int

    @property
    def left(self) -> int:
        """Nano-USD that may still be spent."""
        return max(0, self.limit.amount - self.spent - self.reserved)


def nano_usd(usd: float) -> int:
    """Return an amount in nano-USD."""
    return round(usd * _NANO)


def nano_ceiling(usd: float) -> int:
    """Return an amount in nano-USD, rounded up: what something may cost."""
    return math.ceil(min(usd, _MOST_USD) * _NANO)


def dollars(nano: int) -> str:
    """Return an amount for people: `$4.98`, `$0.0004`, `$12,000.00`."""
    usd = nano / _NANO
    if usd and abs(usd) < 0.01:
        # Two figures that mean something, however small it is.
        text = f"{usd:.{1 - math.floor(math.log10(abs(usd)))}f}"
    else:
        text = f"{usd:,.4f}"
    whole, _, part = text.partition(".")
    return f"${whole}.{part.rstrip('0'):0<2}"


def limits(
    budget: Budget | None,
    labels: Labels,
    provider: str,
    today: str,
    max_cost: float | None = None,
    *,
    in_code: bool = False,
) -> tuple[Limit, ...]:
    """Return the limits that hold for an attempt.

    Args:
        budget: that of the configuration or of the client; `None`: there is none.
        labels: of the call.
        provider: who is asked.
        today: the local day, `2026-11-20`.
        max_cost: USD that this call may cost.
        in_code: whether the budget was given in code, for the hint.
    """
    found = [] if max_cost is None else [Limit(nano_usd(max_cost), "call", "`--max-cost`")]
    if budget is not None:
        for scope, label, part in _parts(budget, labels, provider):
            found += _limits(scope, label, part, today, in_code)
    return tuple(found)


def lasting_limits(budget: Budget, today: str) -> tuple[Limit, ...]:
    """Return the limits of every scope that calls add up to: not those of a single call."""
    parts: list[tuple[Scope, str, Budget]] = [("", "", budget)]
    parts += [("project", label, part) for label, part in budget.projects.items()]
    parts += [("profile", label, part) for label, part in budget.profiles.items()]
    parts += [("provider", label, part) for label, part in budget.providers.items()]
    found = (limit for part in parts for limit in _limits(*part, today, in_code=False))
    return tuple(limit for limit in found if limit.period != "call")


def _parts(budget: Budget, labels: Labels, provider: str) -> Iterator[tuple[Scope, str, Budget]]:
    """Yield the budgets that hold, each with its scope and label."""
    yield "", "", budget
    if labels.project is not None and labels.project in budget.projects:
        yield "project", labels.project, budget.projects[labels.project]
    if labels.profile is not None and labels.profile in budget.profiles:
        yield "profile", labels.profile, budget.profiles[labels.profile]
    if provider in budget.providers:
        yield "provider", provider, budget.providers[provider]


def _limits(scope: Scope, label: str, budget: Budget, today: str, in_code: bool) -> Iterator[Limit]:
    for period, field in _PERIODS:
        usd: float | None = getattr(budget, field)
        if usd is not None:
            yield Limit(
                nano_usd(usd),
                period,
                f"`{field}` of {_where(scope, label, in_code)}",
                _first_day(period, today),
                scope,
                label,
                budget.on_exceeded == "block",
            )


def _where(scope: Scope, label: str, in_code: bool) -> str:
    if in_code:
        return f"the client's `Budget(…)` for the {scope} {label!r}" if scope else "its `Budget(…)`"
    if not scope:
        return "`[budget]` in the configuration"
    key = label if re.fullmatch(r"[A-Za-z0-9_-]+", label) else f'"{label}"'
    return f"`[budget.{scope}s.{key}]` in the configuration"


def _first_day(period: Period, today: str) -> str:
    """Return the first day of the period that today is in; empty where days do not matter."""
    match period:
        case "day":
            return today
        case "week":
            from datetime import date, timedelta

            day = date.fromisoformat(today)
            return (day - timedelta(days=day.weekday())).isoformat()
        case "month":
            return f"{today[:8]}01"
    return ""


def refusal(
    exceeded: Exceeded, target: Target, prompt_tokens: int, completion_tokens: int
) -> BudgetExceededError:
    """Return the error for an attempt that a budget does not allow.

    Args:
        exceeded: the budget.
        target: who was to be asked.
        prompt_tokens: that the attempt may use, as it was reckoned.
        completion_tokens: likewise.
    """
    limit = exceeded.limit
    renews = limit.renews
    error = BudgetExceededError(
        f"The {_name(limit)} does not allow this request: {_account(exceeded)}"
        f" ({prompt_tokens:,} tokens of prompt and {completion_tokens:,} of answer from"
        f" {target.spec})." + (f" The budget renews on {renews}, at midnight." if renews else ""),
        hint=_hint(exceeded),
    )
    error.provider, error.model = target.provider.name, target.model
    return error


def warning(exceeded: Exceeded) -> str:
    """Return the notice about a budget that is exceeded and lets the attempt through."""
    return f"The {_name(exceeded.limit)} is exceeded: {_account(exceeded)}."


def standing_line(standing: Standing) -> str:
    """Return what is to be known of a budget, on one line."""
    limit, spent = standing.limit, f"{dollars(standing.spent)} spent"
    if standing.reserved:
        spent += f", {dollars(standing.reserved)} reserved"
    renews = f"; it renews on {limit.renews}" if limit.renews else ""
    warns = "" if limit.blocks else "; it only warns"
    name = _name(limit)
    return f"{name[0].upper()}{name[1:]}: {spent}, {dollars(standing.left)} left{renews}{warns}."


def unpriced(target: Target) -> str | None:
    """Return the notice that a budget cannot hold for a target, whose price is not known.

    `None` for one that is free: on this machine, or asked without a key.
    """
    from .address import is_local

    if is_local(target) or not (target.provider.price_id or target.api_key):
        return None
    return (
        f"No budget holds for {target.spec}, because its price is not known."
        f' Say it in the configuration: `[pricing."{target.spec}"]` with `input` and `output`, in'
        " USD per million tokens."
    )


def _name(limit: Limit) -> str:
    name = f"{_NAMES[limit.period]} of {dollars(limit.amount)}"
    return f"{name} for the {limit.scope} {limit.label!r}" if limit.scope else name


def _account(exceeded: Exceeded) -> str:
    used = []
    if exceeded.spent:
        used.append(f"{dollars(exceeded.spent)} is spent")
    if exceeded.reserved:
        used.append(f"{dollars(exceeded.reserved)} is reserved by requests under way")
    return ", ".join([*used, f"{'and ' if used else ''}it may cost {dollars(exceeded.cost)}"])


def _hint(exceeded: Exceeded) -> str:
    more = f"allow more with {exceeded.limit.setting}"
    if exceeded.spent < exceeded.limit.amount:
        return f"Ask for a shorter answer with `--max-tokens N`, or {more}."
    return f"{more[0].upper()}{more[1:]}."

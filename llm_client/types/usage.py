"""What was used, as the ledger sums it up: the question and the report.

Owns their shape. Amounts of money are whole nano-USD, so that sums are exact; what is not known is
`None`, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from .events import Outcome

__all__ = ["Bound", "UsageFilters", "UsageKey", "UsageQuery", "UsageReport", "UsageRow", "When"]

UsageKey: TypeAlias = Literal[
    "provider",
    "model",
    "day",
    "week",
    "month",
    "project",
    "session",
    "profile",
    "tag",
    "outcome",
]
"""What usage can be grouped by. Days are local, weeks are those of ISO 8601, from Monday."""
When: TypeAlias = "str | date | datetime | timedelta"
"""A time as users say it: `2026-11-20`, `2026-11`, `2026-W47`, `2026`, an ISO time, `today`,
`yesterday`, `week`, `last-week`, `month`, `last-month`, `year`, `last-year`, `7d`, `2w`, `1y`, `12h`,
`30min`, `all`. `7d` begins with the first of the last seven days, today included; a `timedelta` goes
back from now to the second; a time without an offset is local."""
Bound: TypeAlias = str | float
"""One end of a span: a local day as a text, which is inside, or Unix time in seconds: from then, and
until before then."""


class UsageFilters(TypedDict, total=False):
    """Keyword options of `get_usage`: only what fits all of them counts.

    In texts `*` stands for anything, and case counts not where there is one. An empty text finds
    what has no such label.
    """

    since: When | None
    """From its beginning on; `None`: from the first attempt."""
    until: When | None
    """A named day, week, month or year is inside; a time of day and a `7d` end before theirs."""
    provider: str | None
    model: str | None
    """As it answered, alone or as `provider/model`."""
    project: str | None
    session: str | None
    profile: str | None
    tag: str | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """What is asked of the ledger."""

    by: UsageKey | None = None
    since: Bound | None = None
    until: Bound | None = None
    provider: str | None = None
    model: str | None = None
    project: str | None = None
    session: str | None = None
    profile: str | None = None
    tag: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one group of attempts used."""

    key: str | None = None
    """What they have in common: `openai/gpt-5.2`, `2026-11-20`, `2026-W47`, `2026-11`, a label;
    `None`: no such label, and in the total."""
    calls: int = 0
    """Requests of the user. One that was tried three times, or at two models, is one call; it counts
    in every group that it has an attempt in, and once in the total."""
    attempts: int = 0
    """HTTP exchanges."""
    failed: int = 0
    """Attempts that brought an error instead of an answer."""
    interrupted: int = 0
    """Attempts that the user ended: by Ctrl-C, cancellation, or by leaving the stream."""
    lost: int = 0
    """Attempts whose process died; they count with what was reserved for them."""
    cached: int = 0
    """Answers from the response cache, which are calls without an attempt."""
    prompt_tokens: int = 0
    """Cached ones included."""
    completion_tokens: int = 0
    """Reasoning included."""
    cached_tokens: int | None = None
    """Prompt tokens read from the provider's cache; `None` when no provider said."""
    cache_write_tokens: int | None = None
    """Prompt tokens written to the provider's cache; `None` when no provider said."""
    reasoning_tokens: int | None = None
    """Completion tokens that were thinking; `None` when no provider said."""
    estimated: int = 0
    """Attempts whose tokens are a guess."""
    cost_nano_usd: int | None = 0
    """Of the attempts whose cost is known; `None` when something was used and no cost is known."""
    unpriced: int = 0
    """Attempts that used tokens at a price that is not known: what they cost is missing above."""
    local: int = 0
    """Attempts without a price at servers that run on the user's own machine."""
    latency_ms: float | None = None
    """Mean of the attempts that were answered; `None` without one."""
    time_to_first_token_ms: float | None = None
    """Mean of the answered attempts where it is known."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost(self) -> float | None:
        """USD, as `cost_nano_usd`."""
        return None if self.cost_nano_usd is None else self.cost_nano_usd / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What was used, in total and by group."""

    by: UsageKey | None = None
    """What the rows are grouped by; without it there are none."""
    since: str | None = None
    """The first local day, or the first moment as an ISO 8601 time; `None`: no bound."""
    until: str | None = None
    """The last local day, or the moment that is not part of it any more."""
    rows: tuple[UsageRow, ...] = ()
    """Days, weeks and months in order; others by cost, then tokens, then calls, the most first."""
    total: UsageRow = UsageRow()

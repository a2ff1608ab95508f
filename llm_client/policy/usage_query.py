"""From what users ask about their usage to a question that the ledger understands.

Owns the checks; a wrong value is named before anything is read. What time it is is passed in.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import get_args

from ..exceptions import ValidationError
from ..types.events import Outcome
from ..types.usage import UsageFilters, UsageKey, UsageQuery
from .periods import before, bounds

__all__ = ["query_before", "usage_query"]

_TEXTS = ("provider", "model", "project", "session", "profile", "tag", "outcome")


def usage_query(by: UsageKey | None, filters: UsageFilters, now: datetime) -> UsageQuery:
    """Return the question that `get_usage` asks.

    Args:
        by: what to group by.
        filters: what counts.
        now: local time, without an offset.

    Raises:
        ValidationError: there is no such group, filter, outcome or time.
    """
    if by is not None:
        _one_of("by", by, get_args(UsageKey))
    if unknown := sorted(filters.keys() - UsageFilters.__annotations__.keys()):
        raise ValidationError(
            f"There is no filter {unknown[0]!r}.",
            hint=f"Filters: {', '.join(sorted(UsageFilters.__annotations__))}.",
        )
    since, until = bounds(filters.get("since"), filters.get("until"), now)
    texts = {name: filters.get(name) for name in _TEXTS}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ValidationError(f"{name} {text!r} is not a text.", param=name)
    if texts["outcome"] is not None:
        _one_of("outcome", texts["outcome"], get_args(Outcome))
    return UsageQuery(by=by, since=since, until=until, **texts)  # type: ignore[arg-type]


def query_before(name: str, when: str, now: datetime) -> UsageQuery:
    """Return the question about everything before a time.

    Args:
        name: what the user calls the setting.
        when: the time, as for `usage_query`; `90d`: all but the last 90 days.
        now: local time, without an offset.

    Raises:
        ValidationError: it is no time, or `all`, which could be meant either way.
    """
    until = before(name, when, now)
    if until is None:
        raise ValidationError(
            f"{name} {when!r} is no age.", hint="For everything: `0d`.", param=name
        )
    return UsageQuery(until=until)


def _one_of(name: str, value: object, known: Collection[str]) -> None:
    if value in known:
        return
    from difflib import get_close_matches

    near = get_close_matches(str(value), known, n=1)
    raise ValidationError(
        f"{name} {value!r} is none of {', '.join(known)}.",
        hint=f"Did you mean {near[0]!r}?" if near else None,
        param=name,
    )

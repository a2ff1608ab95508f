"""What an answer cost, and how much a model reads: matcher and calculation over the price data.

Owns the rules, which are those of genai-prices, the package that the data comes from (0.2.3, seen
2026-11): which vendor and which model a name means, which prices hold at a time, and what usage
costs. It refuses to guess: what is not known is `None`, never 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from ..providers.prices import Clause, PricedModel, Prices, Rate, models_of, vendors
from ..types.response import Usage
from ..types.target import ProviderSpec

__all__ = ["context_window", "cost_at", "cost_of", "prices_of"]

_COMPACT_DATE = r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)"
"""As LiteLLM and OpenRouter write the day of a model's release: `gpt-5.2-20251211`."""
_GATEWAY = "litellm"
"""A price id that stands for no vendor of its own: the model's name tells whose it is."""


def cost_of(provider: ProviderSpec, model: str, usage: Usage, at: float) -> float | None:
    """Return what usage costs in USD by the price list; 0.0 where the model is free of charge.

    Args:
        provider: its `price_id` names the vendor in the data.
        model: the name as it is sent or as it comes back, in any case.
        usage: `cached_tokens` and `cache_write_tokens` are part of `prompt_tokens`, and
            `reasoning_tokens` of `completion_tokens`.
        at: Unix time of the request in seconds, because prices change.

    Returns:
        `None` when provider or model are not in the data, when the model is not paid for by tokens or
        requests, and when the figures contradict each other (more tokens cached than sent).
    """
    prices = prices_of(provider, model, at)
    return None if prices is None else cost_at(prices, usage)


def prices_of(provider: ProviderSpec, model: str, at: float) -> Prices | None:
    """Return the prices of a model at a time; empty: it is free, `None`: they are not known.

    Args:
        provider: its `price_id` names the vendor in the data.
        model: the name as it is sent or as it comes back, in any case.
        at: Unix time in seconds.
    """
    found = _find(provider.price_id, model)
    if found is None:
        return None
    return _prices_at(found.prices, at) if isinstance(found.prices, list) else found.prices


def context_window(provider: ProviderSpec, model: str) -> int | None:
    """Return how many tokens of prompt a model reads; `None` when that is not known."""
    found = _find(provider.price_id, model)
    return None if found is None else found.context_window


def cost_at(prices: Mapping[str, Rate], usage: Usage) -> float | None:
    """Return what usage costs in USD at given prices.

    Args:
        prices: as in the price data; what has no price there costs nothing, unless it is a part of
            something that has one.
        usage: as in `cost_of`.

    Returns:
        `None` when the figures contradict each other.
    """
    prompt, completion = usage.billed_prompt_tokens, usage.billed_completion_tokens
    prompt = usage.prompt_tokens if prompt is None else prompt
    completion = usage.completion_tokens if completion is None else completion
    cache_read = usage.cached_tokens or 0 if "cache_read" in prices else 0
    cache_write = usage.cache_write_tokens or 0 if "cache_write" in prices else 0
    reasoning = usage.reasoning_tokens or 0 if "reasoning" in prices else 0
    # What has no price of its own costs as much as the whole that it is a part of.
    counts = {
        "input": prompt - cache_read - cache_write,
        "cache_read": cache_read,
        "cache_write": cache_write,
        "output": completion - reasoning,
        "reasoning": reasoning,
        "requests": 1000,  # one, at a price per thousand where others are per million
    }
    if min(counts.values()) < 0:
        return None
    return (
        math.fsum(counts[unit] * _rate(rate, prompt) for unit, rate in prices.items()) / 1_000_000
    )


def _rate(rate: Rate, prompt_tokens: int) -> float:
    """Return the rate for a prompt: above a limit, that limit's rate is for all its tokens."""
    if not isinstance(rate, list):
        return rate
    applicable: float = rate[0]
    for limit, higher in rate[1:]:
        if prompt_tokens > limit:
            applicable = higher
    return applicable


def _prices_at(dated: list[tuple[str | None, Prices | None]], at: float) -> Prices | None:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
    day, _, time = moment.isoformat(timespec="microseconds").partition("T")
    for condition, prices in reversed(dated):
        if condition is None or _holds(condition, day, time):
            return prices
    return dated[0][1]


def _holds(condition: str, day: str, time: str) -> bool:
    """Return whether a condition holds; texts in this form are in order as the times they mean."""
    start, is_daily, end = condition.partition("/")
    if not is_daily:
        return day >= start
    if end < start:
        return time >= start or time < end
    return start <= time < end


@lru_cache(maxsize=1024)
def _find(price_id: str, model: str) -> PricedModel | None:
    """Return the model that a name means, and with it the vendor or one that it falls back to."""
    if not price_id:
        return None
    vendor, name = _vendor(price_id.lower().strip(), model.lower())
    if vendor is None:
        return None
    for candidate in dict.fromkeys((name, re.sub(_COMPACT_DATE, r"-\1-\2-\3", name))):
        for source in (vendor, *vendors()[vendor].get("fallback", ())):
            for row in models_of(source):
                if _matches(row.match, candidate):
                    return row
    return None


def _vendor(price_id: str, model: str) -> tuple[str | None, str]:
    """Return the vendor that a price id means, and the model's name there."""
    if price_id != _GATEWAY:
        return _vendor_named(price_id), model
    prefix, has_prefix, rest = model.partition("/")
    if has_prefix and prefix and (vendor := _vendor_named(prefix)) is not None:
        return vendor, rest
    for vendor, how in vendors().items():
        if "models" in how and _matches(how["models"], model):
            return vendor, model
    return None, model


def _vendor_named(name: str) -> str | None:
    known = vendors()
    if name in known:
        return name
    for vendor, how in known.items():
        if "names" in how and _matches(how["names"], name):
            return vendor
    return None


def _matches(clause: Clause, name: str) -> bool:
    if isinstance(clause, str):
        return clause == name
    if isinstance(clause, list):
        return name in clause or any(
            not isinstance(part, str) and _matches(part, name) for part in clause
        )
    [(kind, value)] = clause.items()
    match kind:
        case "starts_with":
            return name.startswith(value)
        case "ends_with":
            return name.endswith(value)
        case "contains":
            return value in name
        case "regex":
            return re.search(value, name) is not None
        case "and":
            return all(_matches(part, name) for part in value)
    raise ValueError(f"The price data has an unknown clause: {kind!r}.")

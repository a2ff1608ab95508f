"""What usage cost and how much a model reads, for the clients: by the configuration and the list.

Owns under which of its names a model is looked up, and that prices of the configuration come first.
Imports the list only for a provider that is in it: local models have no price.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .types.response import Usage
from .types.target import Target, matches

if TYPE_CHECKING:
    from .providers.prices import Rate
    from .storage.model_cache import ModelCache
    from .types.models import ModelInfo

__all__ = [
    "KnownPrices",
    "OwnPrices",
    "cost",
    "known_prices",
    "known_window",
    "window",
    "with_windows",
]


OwnPrices: TypeAlias = Mapping[str, Mapping[str, float]]
"""As `Settings.pricing`."""


def cost(target: Target, model: str, usage: Usage, own: OwnPrices | None = None) -> float | None:
    """Return what usage cost in USD: under the model's name that came back, or the one sent.

    Args:
        target: who was asked.
        model: the name that came back.
        usage: what was used.
        own: prices of the configuration, over those of the list.
    """
    names = (model,) if model == target.model else (model, target.model)
    if own and (prices := _own_prices(target.provider.name, names, own)) is not None:
        return _cost_at(prices, usage)
    provider = target.provider
    if not provider.price_id:
        return None
    from .policy.pricing import cost_of

    now = time.time()
    found = (cost_of(provider, name, usage, now) for name in names)
    return next((usd for usd in found if usd is not None), None)


class KnownPrices(NamedTuple):
    """What a model costs, as far as it is known."""

    rates: Mapping[str, Rate]
    """As in the price data; empty: it is free."""
    is_own: bool
    """Whether the configuration says so, and not the list."""


def known_prices(target: Target, model: str, own: OwnPrices) -> KnownPrices | None:
    """Return today's prices of a model; `None` when they are not known.

    Args:
        target: who has it.
        model: its name as it is sent.
        own: prices of the configuration, over those of the list.
    """
    provider = target.provider
    if (said := _own_prices(provider.name, (model,), own)) is not None:
        return KnownPrices(said, is_own=True)
    if not provider.price_id:
        return None
    from .policy.pricing import prices_of

    listed = prices_of(provider, model, time.time())
    return None if listed is None else KnownPrices(listed, is_own=False)


def _own_prices(
    provider: str, names: tuple[str, ...], own: OwnPrices
) -> Mapping[str, float] | None:
    """Return the prices of a model: those of one of its names, else of the first pattern that fits."""
    specs = [f"{provider}/{name}" for name in names]
    for spec in specs:
        if spec in own:
            return own[spec]
    for spec in specs:
        for pattern, prices in own.items():
            if matches(pattern, spec):
                return prices
    return None


def _cost_at(prices: Mapping[str, float], usage: Usage) -> float | None:
    if usage.completion_tokens and "output" not in prices:
        return None  # somebody told half of what it costs
    from .policy.pricing import cost_at

    return cost_at(prices, usage)


def window(target: Target) -> int | None:
    """Return how many tokens the model of a target reads; `None` when the list does not know it."""
    if not target.provider.price_id:
        return None
    from .policy.pricing import context_window

    return context_window(target.provider, target.model)


def known_window(target: Target, cache: ModelCache) -> int | None:
    """Return how many tokens a target reads, as far as that is known without asking.

    What a list says that was once fetched comes before the price list.
    """
    stored = cache.load(target)
    models = stored.models if stored is not None else ()
    listed = (model.context_length for model in models if model.id == target.model)
    return next(filter(None, listed), None) or window(target)


def with_windows(target: Target, models: list[ModelInfo]) -> list[ModelInfo]:
    """Return a model list with the windows that the provider does not tell and the list knows."""
    provider = target.provider
    if not provider.price_id:
        return models
    from .policy.pricing import context_window

    return [
        replace(model, context_length=context_window(provider, model.id))
        if model.context_length is None
        else model
        for model in models
    ]

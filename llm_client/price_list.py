"""What the price list knows, for the clients: what usage cost, and how much a model reads.

Owns under which of its names a model is looked up. Imports the list only for a provider that is in
it: local models have no price.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .types.response import Usage
from .types.target import Target

if TYPE_CHECKING:
    from .types.models import ModelInfo

__all__ = ["cost", "with_windows"]


def cost(target: Target, model: str, usage: Usage) -> float | None:
    """Return what usage cost in USD: under the model's name that came back, or the one sent."""
    provider = target.provider
    if not provider.price_id:
        return None
    from .policy.pricing import cost_of

    now = time.time()
    found = cost_of(provider, model, usage, now)
    return cost_of(provider, target.model, usage, now) if found is None else found


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

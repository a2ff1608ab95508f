"""The model list of a provider: from the cache while it is fresh, else from the provider.

Owns when a list that is too old is better than none: whenever the provider does not answer with a
new one. It never hides that: the failure goes with the list, for the caller to tell.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .engine.effects import Steps, call
from .engine.exchange import Deadline, fetch_models
from .exceptions import LLMError, TimeoutError
from .types.target import Target

if TYPE_CHECKING:
    from .storage.model_cache import ModelCache
    from .types.models import ModelInfo

__all__ = ["ModelList", "ago", "list_models"]

_ROUNDING_SECONDS = 0.05
"""By how much a wait may end before the deadline that bounds it."""
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


class ModelList(NamedTuple):
    """What a provider lists, as it sent it."""

    models: list[ModelInfo]
    age: float | None = 0.0
    """Seconds since it did; `None` when that is not known."""
    failure: LLMError | None = None
    """Why there is no newer one; `None` when there is no need of one."""

    def note(self, name: str) -> str:
        """Return what to tell the user where the list is too old."""
        hint = self.failure.hint if self.failure is not None else None
        text = f"{name}: {self.failure} Its model list is from {ago(self.age)}."
        return f"{text} {hint}" if hint else text


def list_models(
    target: Target,
    cache: ModelCache,
    *,
    refresh: bool = False,
    fall_back: bool = True,
    deadline: Deadline | None = None,
) -> Steps[ModelList]:
    """Return the steps that list the models of a provider.

    Args:
        target: who is asked.
        cache: where lists are kept.
        refresh: ask the provider even when the list at hand is fresh.
        fall_back: take a list at hand, however old, when the provider does not answer.
        deadline: bounds asking.

    Raises:
        LLMError: the provider does not answer, or has no list, and none is at hand.
    """
    stored = yield from call(lambda: cache.load(target))
    if stored is not None and stored.is_fresh and not refresh:
        return ModelList(stored.models, stored.age)
    deadline = deadline or Deadline(None, 0.0, time.monotonic)
    try:
        models = yield from fetch_models(target, deadline)
    except LLMError as error:
        failure = error
        if deadline.within(_ROUNDING_SECONDS):
            # Where it was cut off depends on how long the rest took, and says nothing.
            failure = TimeoutError(f"{target.base_url} did not send its whole list in time.")
        if stored is None or not fall_back:
            raise failure from error.__cause__
        return ModelList(stored.models, stored.age, failure)
    yield from call(lambda: cache.store(target, models))
    return ModelList(models)


def ago(seconds: float | None) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    if seconds is None:
        return "an unknown time ago"
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"

"""What a call is given and what has happened to it so far.

Owns the values that the steps of the pipeline share, and the places where stores are consulted. The
order of the steps stands in `pipeline.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ..types.config import RetrySettings
from ..types.events import AttemptRecord, Observer
from ..types.request import LLMRequest
from ..types.response import Fold, LLMResponse, Usage
from ..types.target import Target
from .exchange import Deadline

if TYPE_CHECKING:
    from ..types.embedding import EmbeddingRequest

__all__ = ["DEFAULT_SCHEMA_RETRIES", "Asked", "CallContext", "Hooks", "Progress"]

DEFAULT_SCHEMA_RETRIES = 2
Asked: TypeAlias = "LLMRequest | EmbeddingRequest"
"""What an attempt can be for: the reservations hold for both."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The steps of the pipeline that consult a store. A step that is `None` does not happen.

    `lookup`, `settle` and `store` keep records: one of them that fails costs its record and a
    notice to the observer, never the answer. The reservations decide: their errors end the attempt.
    """

    lookup: Callable[[LLMRequest], LLMResponse | None] | None = None
    """Look for the answer in the response cache."""
    reserve_budget: Callable[[Asked, Target], None] | None = None
    """Reserve what an attempt may cost, or raise `BudgetExceededError`."""
    reserve_rate: Callable[[Asked, Target], float] | None = None
    """Take a place in the rate limit; return the seconds to wait for it."""
    settle: Callable[[AttemptRecord], None] | None = None
    """Write an attempt into the ledger."""
    store: Callable[[LLMRequest, LLMResponse], None] | None = None
    """Keep the answer in the response cache."""


def _nothing(_: object) -> None:
    return None


def _chance() -> float:
    import random  # only where something failed

    return random.random()


def _nothing_chosen(position: int, target: Target) -> None:
    return None


@dataclass(frozen=True, slots=True)
class CallContext:
    """Everything a call needs besides its request."""

    call_id: str
    route: Sequence[Target]
    """Where to go, in order; at least one. One without a model is asked for its first."""
    retry: RetrySettings = RetrySettings()
    deadline: float | None = None
    """Seconds for the whole call."""
    observe: Observer = _nothing
    """Told of everything; what it raises becomes a warning and changes nothing."""
    settle: Callable[[AttemptRecord], None] = _nothing
    """Books an attempt in memory; unlike the hook it must not block."""
    chosen: Callable[[int, Target], None] = _nothing_chosen
    """Told which model was chosen for the target at a position that named none."""
    price: Callable[[Target, str, Usage], float | None] | None = None
    """What usage of a target cost in USD, given the model that answered; used where the provider
    does not say it itself."""
    schema_retries: int = DEFAULT_SCHEMA_RETRIES
    """How often an answer that does not follow its schema is asked for again, at every target."""
    hooks: Hooks = Hooks()
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    chance: Callable[[], float] = _chance


@dataclass(slots=True)
class Progress:
    """What has happened to a call so far."""

    started: float
    deadline: Deadline
    attempts: int = 0
    retries: int = 0
    """At the target that is asked now."""
    emitted: bool = False
    position: int = 0
    first_token: float | None = None
    fold: Fold = field(default_factory=Fold)

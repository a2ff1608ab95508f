"""What a call is given and what has happened to it so far.

Owns the values that the steps of the pipeline share, and the places where stores are consulted. The
order of the steps stands in `pipeline.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..exceptions import LLMError
from ..types.config import RetrySettings
from ..types.events import AttemptRecord, Labels, Observer
from ..types.request import LLMRequest
from ..types.response import Fold, LLMResponse, Usage
from ..types.target import Target
from .cool_down import CoolDowns
from .effects import Steps
from .exchange import Deadline

if TYPE_CHECKING:
    from ..types.embedding import EmbeddingRequest

__all__ = [
    "DEFAULT_SCHEMA_RETRIES",
    "Ask",
    "Asked",
    "CallContext",
    "Fit",
    "Granted",
    "Hooks",
    "Progress",
]

DEFAULT_SCHEMA_RETRIES = 2
Asked: TypeAlias = "LLMRequest | EmbeddingRequest"
"""What an attempt can be for: the reservations hold for both."""
Ask: TypeAlias = Callable[[LLMRequest], Steps[LLMResponse]]
"""Makes the attempts at one target."""
Fit: TypeAlias = "Callable[[LLMRequest, Target, Ask, CallContext, Progress], Steps[LLMResponse]]"
"""Asks a target with a request that fits into its window, or raises `ContextLengthError`."""


class Granted(NamedTuple):
    """What a reservation brought."""

    wait: float = 0.0
    """Seconds until the attempt may start; afterwards it is reserved for again, because a provider
    may have asked everybody to wait longer meanwhile."""
    notices: tuple[str, ...] = ()
    """What the user should know."""
    limited: bool = False
    """As `Waiting.limited`."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The steps of the pipeline that consult a store. A step that is `None` does not happen.

    `lookup`, `settle`, `release` and `store` keep records: one of them that fails costs its record
    and a notice to the observer, never the answer. `reserve` decides: its error ends the attempt.
    """

    lookup: Callable[[LLMRequest, Target], LLMResponse | None] | None = None
    """Look for the first choice's answer in the response cache."""
    reserve: Callable[[Asked, Target, int], Granted] | None = None
    """Reserve what an attempt, named by its number, may cost and a place in the rate limit, or
    raise `BudgetExceededError`. Idempotent."""
    release: Callable[[int], None] | None = None
    """Give back what was reserved for an attempt that was not made."""
    settle: Callable[[AttemptRecord, Target, float | None], None] | None = None
    """Write an attempt into the ledger, in the place of its reservation. The last argument is how
    many seconds the provider wants everybody to wait. Idempotent."""
    store: Callable[[LLMRequest, Target, LLMResponse], None] | None = None
    """Keep a target's answer in the response cache."""
    hasty: Hooks | None = None
    """`reserve` and `settle` once more, which raise `WouldWait` rather than block."""


def _nothing(_: object) -> None:
    return None


def _chance() -> float:
    import random  # only where something failed

    return random.random()


def _nothing_chosen(position: int, target: Target) -> None:
    return None


def _same(position: int, request: LLMRequest) -> LLMRequest:
    return request


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
    labels: Labels = Labels()
    adapt: Callable[[int, LLMRequest], LLMRequest] = _same
    """Return the request as the target at a position of the route is asked: a profile in a chain
    brings its own options."""
    fit: Fit | None = None
    """Makes a request fit into a target's window before it asks; `None`: it is sent as it is."""
    hooks: Hooks = Hooks()
    cool_downs: CoolDowns = field(default_factory=CoolDowns)
    """Shared by all calls of the process; a new one knows of no failure."""
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    chance: Callable[[], float] = _chance


@dataclass(slots=True)
class Progress:
    """What has happened to a call so far."""

    started: float
    deadline: Deadline
    attempts: int = 0
    """Requests that were sent."""
    retries: int = 0
    """At the target that is asked now."""
    failure: LLMError | None = None
    """Why it was asked again; `None`: it was not."""
    emitted: bool = False
    position: int = 0
    sent: bool = False
    """Whether the request of the attempt that is made now was sent."""
    answered: bool = False
    """Whether its answer has begun, and is no error."""
    pause: float | None = None
    """Seconds until a limit renews that its answer says is used up."""
    first_token: float | None = None
    fold: Fold = field(default_factory=Fold)

    def begin(self) -> None:
        """Begin an attempt."""
        self.sent = self.answered = False
        self.pause = self.first_token = None
        self.fold = Fold()

    def note_sent(self) -> None:
        """Count the attempt: from now on it can be billed."""
        self.sent = True
        self.attempts += 1

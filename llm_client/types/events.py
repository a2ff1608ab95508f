"""What the engine tells an observer while it works. Read-only: an observer changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ..exceptions import LLMError
from .response import Usage

__all__ = [
    "Asking",
    "AttemptRecord",
    "Event",
    "FallingBack",
    "Labels",
    "Notice",
    "Observer",
    "Outcome",
    "Retrying",
    "Waiting",
]

Outcome: TypeAlias = Literal["ok", "error", "interrupted", "abandoned", "cached", "lost"]


class Labels(NamedTuple):
    """What a call carries into the ledger, to be found under."""

    profile: str | None = None
    """The profile of the configuration that the call began with."""
    session: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One HTTP exchange as the books have it. Never holds text of a prompt or an answer."""

    call_id: str
    """The same for all attempts of one call."""
    provider: str
    model: str
    started_at: float
    """Unix time, seconds."""
    latency_ms: float
    time_to_first_token_ms: float | None
    """`None` when no output arrived."""
    outcome: Outcome
    """`interrupted` by Ctrl-C or cancellation, `abandoned` by breaking out of the stream, `cached`
    when the answer came from the response cache, `lost` when the process died meanwhile."""
    error_type: str | None = None
    usage: Usage | None = None
    retry: int = 0
    """0 for the first attempt at this target."""
    fallback: int = 0
    """Position of the target in the route; 0 is the first choice."""
    attempt: int = 1
    """Position among the attempts of the call, from 1; 0 for an answer from the response cache."""
    labels: Labels = Labels()
    local: bool = False
    """Whether the target was on this machine, and nobody who sells: without a price it was free."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A call begins; said of a preview too."""

    target: str
    """Who is asked first."""
    reason: str = ""
    """Why, where nothing named it; empty also where a `Notice` says it."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed; the same target is tried again after a pause."""

    target: str
    error: LLMError
    retry: int
    """1 for the first retry."""
    max_retries: int
    delay: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True)
class FallingBack:
    """A target failed for good; the next one of the route is tried."""

    failed: str
    next: str
    error: LLMError


@dataclass(frozen=True, slots=True)
class Waiting:
    """An attempt waits for its place in the rate limit."""

    target: str
    seconds: float
    limited: bool = False
    """Whether it is the configured limit that leaves no place; else the provider said when."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is no failure."""

    text: str


Event: TypeAlias = Asking | AttemptRecord | Retrying | FallingBack | Waiting | Notice
Observer: TypeAlias = Callable[[Event], None]

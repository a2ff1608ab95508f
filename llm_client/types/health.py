"""What a check of a provider finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["HealthReport", "LoadedModel", "Problem"]

Problem: TypeAlias = Literal[
    "unreachable",
    "loading",
    "failing",
    "key",
    "configuration",
    "model",
    "limited",
    "budget",
]
"""Why a provider is not healthy: nothing answered in time; it is loading its model; it answers, but
not as it should; it refused the key, or wants one; it cannot be asked as it is configured; a model
that is named for it is missing; it asks to slow down, or a quota is used up; our own budget does
not allow the token that a deep check generates."""


class LoadedModel(NamedTuple):
    """A model that a server has in memory."""

    model: str
    context: int | None = None
    """Tokens that a request may have there, prompt and answer together; `None` is unknown."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether a provider answers; true in a boolean context when it does.

    `None` means everywhere that it is not known: that is not the same as no.
    """

    provider: str
    healthy: bool
    base_url: str
    latency_ms: float | None = None
    """From the first question to the end of its answer; `None` when nothing answered."""
    models: tuple[str, ...] = ()
    """Ids of the models that it lists."""
    error: str | None = None
    """Why it is not healthy."""
    hint: str | None = None
    """What to do about it."""
    problem: Problem | None = None
    """Why it is not healthy, as a word; `None` when it is."""
    reachable: bool | None = None
    """Whether anything answered; `None`: nobody was asked."""
    has_key: bool = False
    """Whether there is a key, or a password, to send."""
    key_accepted: bool | None = None
    """Whether the key is accepted; `None`: there is none, and none is wanted, or nothing that is
    free proves it: the server answers such questions to anybody."""
    named_models: tuple[str, ...] = ()
    """What the caller or the configuration name of its models."""
    missing_models: tuple[str, ...] = ()
    """Those of `named_models` that it does not have."""
    model_present: bool | None = None
    """Whether it has all of `named_models`; `None`: none is named, or its list does not tell."""
    version: str | None = None
    """Of the server, as it writes it."""
    loaded: tuple[LoadedModel, ...] = ()
    """What it has in memory, as far as it tells."""
    model: str | None = None
    """Which model a deep check asked; like the next two `None` where it generated nothing."""
    first_token_ms: float | None = None
    """From the request to the first piece of the answer."""
    tokens_per_second: float | None = None
    """Tokens of the answer over all of the time that it took, the wait for the first included."""

    def __bool__(self) -> bool:
        return self.healthy

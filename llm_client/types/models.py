"""What is known of a model and of a server's health."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HealthReport", "ModelInfo"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model as its provider lists it. `None` means that the provider does not say."""

    id: str
    """What goes into a request as the model."""
    provider: str
    object: str = "model"
    created: int | None = None
    """Unix time, seconds."""
    owned_by: str | None = None
    context_length: int | None = None
    """Tokens of prompt and answer together."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether a provider answers; true in a boolean context when it does."""

    provider: str
    healthy: bool
    base_url: str
    latency_ms: float | None = None
    """Of the probe; `None` when nothing answered."""
    models: tuple[str, ...] = ()
    """Ids of the models that it lists."""
    error: str | None = None
    """Why it is not healthy."""
    hint: str | None = None

    def __bool__(self) -> bool:
        return self.healthy

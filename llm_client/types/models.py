"""What is known of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["CAPABILITIES", "ModelInfo", "ModelPage"]

CAPABILITIES = (
    "audio",
    "completion",
    "documents",
    "embedding",
    "reasoning",
    "schema",
    "tools",
    "vision",
)
"""What a model may be able to do, in our words: `completion` is text, `vision` takes images."""


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
    """Tokens of prompt and answer together; where the provider does not say, as the price list has
    it."""
    description: str | None = None
    max_output_tokens: int | None = None
    """The most tokens of one answer."""
    capabilities: tuple[str, ...] | None = None
    """Some of `CAPABILITIES`, sorted."""
    retires_at: str | None = None
    """When the provider takes it away, as it writes the date."""


class ModelPage(NamedTuple):
    """A part of a list of models."""

    models: list[ModelInfo]
    next: str | None = None
    """What to ask for the next part with; `None` on the last."""

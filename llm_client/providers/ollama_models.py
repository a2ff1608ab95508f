"""How models think in Ollama: most know on and off, some know levels.

Owns facts, each row with its source; `thinking_levels` is the look-up.
"""

from __future__ import annotations

from typing import Final

from ..types.target import matches

__all__ = ["thinking_levels"]

_LEVELS: Final = (
    # Ollama's documentation of thinking (2026): gpt-oss takes low, medium, high, ignores true and
    # false, and cannot be kept from thinking. Names may have a namespace in front.
    ("*gpt-oss*", ("low", "medium", "high")),
)


def thinking_levels(model: str) -> tuple[str, ...]:
    """Return the levels that a model knows, the least first; none where it knows on and off."""
    return next((levels for pattern, levels in _LEVELS if matches(pattern, model)), ())

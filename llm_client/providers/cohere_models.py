"""What is true of single Cohere models: whether they think, and how long for which effort.

Owns facts, each with its source. A model that is not listed is sent whatever is asked: its provider
knows better.
"""

from __future__ import annotations

from typing import Final

from ..types.target import matches

__all__ = ["THINKING_BUDGETS", "may_think"]

THINKING_BUDGETS: Final[dict[str, int | None]] = {
    "minimal": 512,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": None,
    "max": None,
}
"""Tokens; `None` is as many as the model wants. Ours: Cohere knows a budget and no efforts, and an
answer has 32,000 tokens at most (docs.cohere.com/docs/command-a-reasoning, 2026-11)."""

# "Command A Reasoning is Cohere's first reasoning model to date" (the same page; 2025-08): none of
# the models before it and beside it thinks.
_NOT_THINKING: Final = (
    "c4ai-aya-*",
    "command",
    "command-a-03-2025",
    "command-a-translate-*",
    "command-a-vision-*",
    "command-light*",
    "command-nightly",
    "command-r*",
)


def may_think(model: str) -> bool:
    """Return whether a model thinks, as far as is known."""
    return not any(matches(pattern, model) for pattern in _NOT_THINKING)

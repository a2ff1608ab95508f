"""One file per wire format: pure encoding and decoding. Sans-I/O."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from ..exceptions import ConfigurationError
from .base import Dialect

__all__ = ["DIALECTS", "check_dialect", "find_dialect"]

DIALECTS: Final = {
    "anthropic": ("anthropic", "Anthropic"),
    "cohere": ("cohere", "Cohere"),
    "gemini": ("gemini", "Gemini"),
    "ollama": ("ollama", "Ollama"),
    "openai-chat": ("openai_chat", "OpenAIChat"),
    "openai-completions": ("openai_completions", "OpenAICompletions"),
    "openai-responses": ("openai_responses", "OpenAIResponses"),
}
"""Module and class of each dialect: only the one that is spoken gets imported."""


def check_dialect(name: str) -> str:
    """Return the name of a dialect that there is.

    Raises:
        ConfigurationError: there is none; the hint has the nearest.
    """
    if name in DIALECTS:
        return name
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), DIALECTS, n=1)
    raise ConfigurationError(
        f"There is no dialect {name!r}.",
        hint=(f"Did you mean {near[0]!r}? " if near else "")
        + f"Known: {', '.join(sorted(DIALECTS))}.",
    )


@cache
def find_dialect(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises:
        ConfigurationError: there is none.
    """
    module, attribute = DIALECTS[check_dialect(name)]
    dialect: Dialect = getattr(import_module(f".{module}", __name__), attribute)()
    return dialect

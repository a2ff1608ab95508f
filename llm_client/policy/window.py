"""What fits into a model's window: how much room a prompt has, and what is said when it has none.

Pure. Which window a model has is looked up elsewhere; here is only what the request itself and a
provider's refusal say about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..exceptions import ContextLengthError
from ..types.request import LLMRequest
from ..types.target import Target
from .estimate import LONGEST_ANSWER, most_completion_tokens

__all__ = ["answer_room", "configured_window", "refused_figures", "too_long"]

_FIGURE = re.compile(r"(?<![\w.,-])(\d{1,3}(?:,\d{3})+|\d+)(?!\w|[-.,]\d)")
"""A number that is no part of a name such as `gpt-4-32k`."""
_LEAST_FIGURE = 600
"""Tokens. Smaller numbers in a refusal are HTTP statuses and positions."""


def answer_room(request: LLMRequest, target: Target, window: int) -> int:
    """Return how many tokens of a window are to be left for the answer.

    As many as it may have, but no more than half of the window; where nobody said how many, a
    quarter.
    """
    tokens = most_completion_tokens(request, target)
    return min(tokens, window // (4 if tokens == LONGEST_ANSWER else 2))


def configured_window(request: LLMRequest, target: Target) -> int | None:
    """Return the window that a model is run with, where configuration or request say it.

    Ollama's `num_ctx` is what it is loaded with, whatever the model could read; what is longer it
    cuts off without a word.
    """
    window = None
    for fields in (target.options, request.extra_body):
        nested = fields.get("options")
        for place in (fields, nested if isinstance(nested, Mapping) else {}):
            said = place.get("num_ctx")
            if isinstance(said, int) and said > 0:
                window = said
    return window


def refused_figures(message: str) -> tuple[int, int] | None:
    """Return the window and the length of the prompt that a refusal names.

    All that are known say the two before any other number, in either order: `maximum context length
    is 8192 tokens. However, your messages resulted in 10021` (OpenAI, vLLM), `prompt is too long:
    210000 tokens > 200000 maximum` (Anthropic), `request (5020 tokens) exceeds the available context
    size (1024 tokens)` (llama.cpp; all seen 2026-11).
    """
    numbers = [int(text.replace(",", "")) for text in _FIGURE.findall(message)]
    numbers = [number for number in numbers if number >= _LEAST_FIGURE]
    if len(numbers) < 2 or numbers[0] == numbers[1]:
        return None
    return min(numbers[:2]), max(numbers[:2])


def too_long(tokens: int, window: int, target: Target, *, shortened: bool) -> ContextLengthError:
    """Return the error for a prompt that is not sent, because it cannot fit.

    Args:
        tokens: of the prompt, at least.
        window: of the model.
        target: who would have been asked.
        shortened: whether everything that can be left out is left out already.
    """
    rest = ", even with everything left out that can be" if shortened else ""
    hint = "Name a model that reads more, with `--task long_context` or `[routing] long_context`"
    return ContextLengthError(
        f"The prompt has at least {tokens:,} tokens{rest}, and {target.spec} reads {window:,}: "
        "nothing was sent.",
        hint=f"{hint}."
        if shortened
        else f'{hint}, or let it be shortened: `overflow = "trim"` in the profile.',
        provider=target.provider.name,
        model=target.model,
    )

"""What fits into a model's window: how much room a prompt has, and what is said when it has none.

Pure. Which window a model has is looked up elsewhere; here is only what the request itself and a
provider's refusal say about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..exceptions import ContextLengthError
from ..types.request import LLMRequest
from ..types.target import Target
from .estimate import LONGEST_ANSWER, most_completion_tokens

__all__ = ["Refusal", "answer_room", "configured_window", "refusal_figures", "too_long"]

_COMMAS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_FIGURE = re.compile(r"(?<![\w.,-])(\d{1,15})(?!\w|[-.,]\d)")
"""A number that is no part of a name such as `gpt-4-32k`."""
_WITH_ANSWER = (
    # Anthropic: `input length and max_tokens exceed context limit: 178959 + 64000 > 200000`.
    r"(?P<prompt>#) \+ (?P<answer>#) > (?P<window>#)",
    # OpenAI, vLLM: `… length is 4097 tokens. However, you requested 5000 tokens (1000 in the
    # messages, 4000 in the completion)`.
    r"length is (?P<window>#) .{0,60}requested (about )?(?P<total>#) tokens"
    r" \([^()]*?(?P<answer>#) (in|for) the (completion|output)\)",
    # vLLM: `… length is 128000 tokens. However, you requested 65535 output tokens and your prompt
    # contains at least 62466 input tokens`: it counts no further.
    r"length is (?P<window>#) .{0,60}requested (?P<answer>#) output tokens .{0,40}at least"
    r" (?P<least>#) input tokens",
    # vLLM, older (from memory): `… length is 4096 tokens and your request has 1500 input tokens
    # (3000 > 4096 - 1500)`.
    r"length is (?P<window>#) tokens and your request has (?P<prompt>#) input tokens"
    r" \((?P<answer>#) > ",
    # SGLang: `… length of 163840 tokens. You requested a total of 183491 tokens: 19651 tokens from
    # the input messages and 163840 tokens for the completion`.
    r"length of (?P<window>#) tokens\. You requested a total of # tokens: (?P<prompt>#) tokens from"
    r" the input messages and (?P<answer>#) ",
    # text-generation-inference: `inputs tokens + max_new_tokens must be <= 4096. Given: 1500 inputs
    # tokens and 3000 max_new_tokens`.
    r"must be <= (?P<window>#)\. Given: (?P<prompt>#) `?inputs`? tokens and (?P<answer>#) ",
)
"""How providers say that prompt and answer together are too long, with `#` for a number (as
their sources and issue trackers have it, 2026-11). Compiled by their first use: hardly a program comes to need them."""
_MOST = 10**12
"""Tokens. No window is larger; a number that is, is none."""
_LEAST_FIGURE = 600
"""Tokens. Smaller numbers in a refusal are HTTP statuses and positions."""


class Refusal(NamedTuple):
    """What a refusal says about the window of a model and the prompt that it did not read."""

    window: int
    prompt: int
    is_least: bool = False
    """Whether the prompt has at least so many tokens: they were not counted further."""
    with_answer: bool = False
    """Whether the whole answer that was allowed must fit beside the prompt."""


def answer_room(
    request: LLMRequest, target: Target, window: int, *, is_counted: bool = False
) -> int:
    """Return how many tokens of a window are to be left for the answer.

    As many as it may have, but no more than half of the window; where nobody said how many, a
    quarter.

    Args:
        request: what is asked.
        target: who is asked.
        window: in tokens.
        is_counted: whether a prompt is refused when the longest answer does not fit beside it.
    """
    tokens = most_completion_tokens(request, target)
    if tokens == LONGEST_ANSWER:
        return min(tokens, window // 4)
    return tokens if is_counted else min(tokens, window // 2)


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
            if isinstance(said, int) and not isinstance(said, bool) and 0 < said <= _MOST:
                window = said
    return window


def refusal_figures(message: str) -> Refusal | None:
    """Return the window and the length of the prompt that a refusal names; `None`: it does not.

    Where it says nothing of the answer, all that are known say the two before any other number, in
    either order: `maximum context length is 8192 tokens. However, your messages resulted in 10021`
    (OpenAI), `prompt is too long: 210000 tokens > 200000 maximum` (Anthropic), `request (5020
    tokens) exceeds the available context size (1024 tokens)` (llama.cpp; all seen 2026-11).
    """
    message = _COMMAS.sub("", message)
    for pattern in _WITH_ANSWER:
        if found := re.search(pattern.replace("#", r"\d{1,12}"), message, re.DOTALL):
            said = {name: int(text) for name, text in found.groupdict().items()}
            least = said.get("least")
            prompt = said["total"] - said["answer"] if "total" in said else said.get("prompt")
            return Refusal(
                said["window"],
                max(1, least or prompt or 0),
                is_least=least is not None,
                with_answer=True,
            )
    numbers = [int(text) for text in _FIGURE.findall(message)]
    numbers = [number for number in numbers if _LEAST_FIGURE <= number <= _MOST]
    if len(numbers) < 2 or numbers[0] == numbers[1]:
        return None
    return Refusal(min(numbers[:2]), max(numbers[:2]))


def too_long(tokens: int, window: int, target: Target, *, shortened: bool) -> ContextLengthError:
    """Return the error for a prompt that is not sent, because it cannot fit.

    Args:
        tokens: of the prompt: at least, or of a shortened one about.
        window: of the model.
        target: who would have been asked.
        shortened: whether everything that can be left out is left out already.
    """
    bound = "about" if shortened else "at least"
    rest = ", even with everything left out that can be" if shortened else ""
    hint = "Name a model that reads more, with `--task long_context` or `[routing] long_context`"
    return ContextLengthError(
        f"The prompt has {bound} {tokens:,} tokens{rest}, and {target.spec} reads {window:,}: "
        "nothing was sent.",
        hint=f"{hint}."
        if shortened
        else f'{hint}, or let it be shortened: `overflow = "trim"` in the profile.',
        provider=target.provider.name,
        model=target.model,
    )

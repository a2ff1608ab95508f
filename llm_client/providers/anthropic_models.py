"""What is true of single Claude models: limits, ways to think, what they refuse.

Owns facts, each group with its source, and their look-up by name. No logic beyond that: what to do
with a fact is the business of `dialects/anthropic.py`. Sources: "docs" are Anthropic's model pages
and migration guides (platform.claude.com, read 2026-11), "sdk" its Python package 2.11, "seen" the
recordings. Refusals are given only where the API answers 400.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..types.target import matches

__all__ = ["AnthropicModel", "anthropic_model"]

_TO_MAX = ("low", "medium", "high", "max")
_ALL = ("low", "medium", "high", "xhigh", "max")


class AnthropicModel(NamedTuple):
    """One row of the table."""

    pattern: str
    """Model names, `*` stands for any text. Dots are written as dashes."""
    max_tokens: int
    """The most tokens of one answer, which is what is asked for when the user gives no limit."""
    thinking: str = "adaptive"
    """`adaptive` (the model decides, guided by an effort), `budget` (a number of tokens), or empty:
    it does not think."""
    efforts: tuple[str, ...] = _ALL
    """The levels of effort of an adaptive model, in order."""
    off: str = "disabled"
    """The type of thinking that turns it off; empty: it cannot be turned off."""
    summarize: bool = True
    """Whether the text of the thinking has to be asked for: else only its signature comes."""
    sampling: str = "default"
    """Which temperature and top_p are taken: `default` (1 only), `either` (one of the two, up to
    1), `both` (up to 1), `any` (not known to be limited)."""
    prefill: bool = False
    """Whether the last message may be the beginning of the answer."""
    forced_tools: bool = True
    """Whether `tool_choice` may force a call."""
    binds_thinking: bool = False
    """Whether its thinking can only be sent back to itself."""
    system_turns: str = "after user"
    """Where a system message may stand behind the first turn: `after user` (and before the
    assistant's or last), `anywhere`, or empty: nowhere."""


def _budget(pattern: str, max_tokens: int, sampling: str = "either") -> AnthropicModel:
    """Return a row of the generations 3.7 to 4.5: a budget, no limits but on sampling."""
    return AnthropicModel(
        pattern,
        max_tokens,
        thinking="budget",
        summarize=False,
        sampling=sampling,
        prefill=True,
        system_turns="",
    )


def _thoughtless(pattern: str, max_tokens: int) -> AnthropicModel:
    """Return a row of the generations that do not think."""
    return _budget(pattern, max_tokens, "both")._replace(thinking="")


_ROWS: Final = (
    # docs "What's new in Claude Opus 5.5": thinking cannot be turned off, forced tool use is 400.
    # Of all 5.5 and Fable 5.1: "Thinking blocks are tied to the model that produced them".
    AnthropicModel("*claude-opus-5-5*", 128_000, off="", forced_tools=False, binds_thinking=True),
    # docs "What's new in Claude Sonnet 5.5": `between_tools` instead of `disabled`.
    AnthropicModel(
        "*claude-sonnet-5-5*",
        128_000,
        off="between_tools",
        forced_tools=False,
        binds_thinking=True,
    ),
    # docs "Claude Haiku 5.5 migration guide": budgets, sampling and prefill are 400.
    AnthropicModel("*claude-haiku-5-5*", 128_000, binds_thinking=True),
    # docs "What's new in Claude Fable 5": thinking is always on; since 5.1 no forced tool use.
    AnthropicModel("*claude-fable-5", 128_000, off=""),
    AnthropicModel("*claude-mythos-5", 128_000, off=""),
    AnthropicModel("*claude-fable-*", 128_000, off="", forced_tools=False, binds_thinking=True),
    # docs "Adaptive thinking": not to be turned off; effort without `xhigh`; no system turns.
    AnthropicModel(
        "*claude-mythos-preview*",
        128_000,
        off="",
        efforts=_TO_MAX,
        forced_tools=False,
        system_turns="",
    ),
    AnthropicModel("*claude-mythos-*", 128_000, off="", forced_tools=False),
    # docs "What's new in Claude Opus 5", "… Sonnet 5": on by default, can be turned off.
    AnthropicModel("*claude-opus-5*", 128_000),
    AnthropicModel("*claude-sonnet-5*", 128_000),
    # docs "What's new in Claude Opus 4.8": the first to take system messages between turns.
    AnthropicModel("*claude-opus-4-8*", 128_000),
    # docs "What's new in Claude Opus 4.7": no budgets, no sampling, thinking text omitted.
    AnthropicModel("*claude-opus-4-7*", 128_000, system_turns=""),
    # docs "What's new in Claude 4.6": adaptive, no prefill. Seen: "Supported levels: high, low,
    # max, medium".
    *(
        AnthropicModel(
            pattern,
            128_000,
            efforts=_TO_MAX,
            summarize=False,
            sampling="either",
            system_turns="",
        )
        for pattern in ("*claude-opus-4-6*", "*claude-sonnet-4-6*")
    ),
    # docs "Models overview", "Migrating to Claude 4": temperature or top_p since 4.1.
    _budget("*claude-opus-4-5*", 64_000),
    _budget("*claude-sonnet-4-5*", 64_000),
    _budget("*claude-haiku-4-5*", 64_000),
    _budget("*claude-opus-4-1*", 32_000),
    _budget("*claude-opus-4*", 32_000, "both"),
    _budget("*claude-4-opus*", 32_000, "both"),
    _budget("*claude-sonnet-4*", 64_000, "both"),
    _budget("*claude-4-sonnet*", 64_000, "both"),
    _budget("*claude-3-7-sonnet*", 64_000, "both"),
    _thoughtless("*claude-3-5-*", 8_192),
    _thoughtless("*claude-3-*", 4_096),
    _thoughtless("*claude-2*", 4_096),
    _thoughtless("*claude-instant*", 4_096),
    # A Claude that is not in this table is taken for a newer one. Every model since Opus 4 may
    # answer with 32,000 tokens; what it refuses, the API says.
    AnthropicModel("*claude*", 32_000, sampling="any", prefill=True, system_turns="anywhere"),
    # Any other model behind this format: local servers, DeepSeek, Moonshot, Z.ai. They know the
    # older way to think, and 4,096 tokens fit into every context window.
    _budget("*", 4_096, "any")._replace(system_turns="anywhere"),
)


def anthropic_model(name: str) -> AnthropicModel:
    """Return the row of a model, whichever way a provider writes its name."""
    name = name.replace(".", "-")  # OpenRouter: `anthropic/claude-opus-4.6`
    return next(row for row in _ROWS if matches(row.pattern, name))

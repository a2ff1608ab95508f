"""What is true of single OpenAI models: how they think and what they refuse because of it.

Owns facts, each row with its source; `openai_model` is the look-up. A model that is not listed is
sent whatever is asked: its provider knows better. Names are OpenAI's own, because a router (such as
OpenRouter, with `openai/gpt-5`) translates what the model itself would refuse.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..types.target import ModelRule, matches

__all__ = ["OPENAI_MODEL_RULES", "OpenAIModel", "openai_model"]

_RESPONSES: Final = "openai-responses"


class OpenAIModel(NamedTuple):
    """What is known of a model. The default says nothing."""

    pattern: str = "*"
    """Model names, `*` stands for any text."""
    efforts: tuple[str, ...] = ()
    """Values of `reasoning_effort` that it takes; none: not known."""
    default_effort: str = ""
    """What it does when none is asked; `none` is not thinking, empty is not known."""
    reasons: bool = False
    """Whether it can think, so that its encrypted reasoning may be asked for."""
    stop: bool = True
    """Whether it takes stop sequences."""
    takes_reasoning: bool = True
    """Whether the reasoning of other models' answers may be sent to it."""

    def thinks(self, effort: str | None) -> bool | None:
        """Return whether it thinks at an effort; `None` when that is not known.

        While it thinks it refuses `temperature` and `top_p`.
        """
        if not self.reasons:
            return False
        effort = effort or self.default_effort
        return effort != "none" if effort else None


_LOW_TO_HIGH = ("low", "medium", "high")
_TO_XHIGH = ("none", *_LOW_TO_HIGH, "xhigh")
_TO_MAX = (*_TO_XHIGH, "max")


def _thinking(
    pattern: str, efforts: tuple[str, ...] = (), default: str = "medium", *, stop: bool = False
) -> OpenAIModel:
    return OpenAIModel(pattern, efforts, default, reasons=True, stop=stop)


# Efforts: models.dev, provider `openai`, `reasoning_options` (2026-07 to 2026-11), which agrees
# with the refusals quoted in openai-agents-python#2089 and codex#6647. Defaults: the API reference
# ("gpt-5.1 defaults to none, all models before it to medium"), for 5.5 and later the refusals of a
# temperature (khoj#1377). Stop: the API reference for o3 and o4-mini, LiteLLM's list of what
# GPT-5 refuses for the others.
_MODELS: Final = (
    # Not thinking, whatever the name says. They refuse a conversation that has reasoning items
    # (openai-agents-python#569).
    OpenAIModel("gpt-5-chat*", takes_reasoning=False),
    OpenAIModel("gpt-5.3-chat*", takes_reasoning=False),
    OpenAIModel("gpt-4*", takes_reasoning=False),
    OpenAIModel("chatgpt-4*", takes_reasoning=False),
    OpenAIModel("gpt-3.5*", takes_reasoning=False),
    _thinking("gpt-5*-chat-latest", ("medium",)),
    _thinking("o*-deep-research*", ("medium",)),
    _thinking("gpt-5-pro*", ("high",), "high"),
    _thinking("gpt-5.2-pro*", ("medium", "high", "xhigh")),
    _thinking("gpt-5.4-pro*", ("medium", "high", "xhigh")),
    _thinking("gpt-5.5-pro*", ("medium", "high", "xhigh")),
    _thinking("gpt-5.1-codex-max*", (*_LOW_TO_HIGH, "xhigh")),
    _thinking("gpt-5-codex*", _LOW_TO_HIGH),
    _thinking("gpt-5.1-codex*", _LOW_TO_HIGH),
    _thinking("gpt-5.2-codex*", (*_LOW_TO_HIGH, "xhigh")),
    _thinking("gpt-5.3-codex*", _TO_XHIGH, ""),
    _thinking("gpt-5.1*", ("none", *_LOW_TO_HIGH), "none"),
    _thinking("gpt-5.2*", _TO_XHIGH, "none"),
    _thinking("gpt-5.4*", _TO_XHIGH, "none"),
    _thinking("gpt-5.5*", _TO_XHIGH),
    _thinking("gpt-5.6-cyber*", (), ""),
    _thinking("gpt-5.6*", _TO_MAX),
    _thinking("gpt-5.*", (), ""),
    _thinking("gpt-5-search*", (), ""),
    _thinking("gpt-5-image*", (), ""),
    _thinking("gpt-5*", ("minimal", *_LOW_TO_HIGH)),
    _thinking("gpt-6-astra*", (*_LOW_TO_HIGH, "xhigh", "max")),
    # Known to think; their efforts are not in the data yet.
    _thinking("gpt-6*", (), ""),
    _thinking("gpt-daybreak*", (), ""),
    _thinking("gpt-rosalind*", (), ""),
    _thinking("computer-use*", (), ""),
    _thinking("codex-mini*", _LOW_TO_HIGH),
    _thinking("o1-mini*", (), "medium", stop=True),
    _thinking("o1-preview*", (), "medium", stop=True),
    _thinking("o1*", _LOW_TO_HIGH, stop=True),
    _thinking("o3-mini*", _LOW_TO_HIGH, stop=True),
    _thinking("o3*", _LOW_TO_HIGH),
    _thinking("o4-mini*", _LOW_TO_HIGH),
)
_UNKNOWN: Final = OpenAIModel()


def openai_model(name: str) -> OpenAIModel:
    """Return what is known of a model by its name; of an unknown one the row that says nothing."""
    return next((row for row in _MODELS if matches(row.pattern, name)), _UNKNOWN)


OPENAI_MODEL_RULES: Final = (
    # Served by Responses only (WIRE.md §0.1).
    ModelRule("o1-pro*", _RESPONSES),
    ModelRule("o3-pro*", _RESPONSES),
    ModelRule("gpt-5*-pro*", _RESPONSES),
    ModelRule("gpt-5*codex*", _RESPONSES),
    ModelRule("codex-mini*", _RESPONSES),
    ModelRule("o*-deep-research*", _RESPONSES),
    ModelRule("computer-use*", _RESPONSES),
    ModelRule("gpt-daybreak*", _RESPONSES),
    ModelRule("*rosalind*", _RESPONSES),
    ModelRule("gpt-*-cyber*", _RESPONSES),
    # Chat Completions refuses their function tools while they think (WIRE.md §0.1,
    # openai-openapi#541).
    ModelRule("gpt-5.4*", _RESPONSES),
    ModelRule("gpt-5.5*", _RESPONSES),
    ModelRule("gpt-5.6*", _RESPONSES),
    ModelRule("gpt-6*", _RESPONSES),
)
"""The models that OpenAI and Azure serve in Responses only, or better."""

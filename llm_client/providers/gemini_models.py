"""How the models of Google's Gemini API think, and what they want back of it.

Owns facts of single models, each with its source. No logic beyond the look-up: what goes into a
request is the dialect's business.
Sources: [T] Google's documentation of thinking and of `thinkingLevel` by model, 2026-10;
[S] its documentation of thought signatures; [R] refusals that users report (`Thinking level … is
not supported for this model`), 2026-04 to 2026-09.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..types.target import matches

__all__ = ["GEMINI_MODELS", "GeminiModel", "find_gemini_model"]


class GeminiModel(NamedTuple):
    """What is true of the models that a pattern names."""

    pattern: str
    """Model names without `models/`; `*` stands for any text."""
    levels: tuple[str, ...] = ()
    """The values of `thinkingLevel` that are taken, rising; empty: none is."""
    budget: tuple[int, int] | None = None
    """The smallest and the largest `thinkingBudget` in tokens; `None`: none is taken."""
    can_stop_thinking: bool = False
    """Whether a `thinkingBudget` of 0 is taken, which turns thinking off."""
    wants_signatures: bool = False
    """Whether a function call of the current turn without `thoughtSignature` is refused."""
    media_results: bool = False
    """Whether the result of a function may have media in it; else it is refused."""


_ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_FROM_LOW = ("LOW", "MEDIUM", "HIGH")


def _newer(pattern: str, levels: tuple[str, ...]) -> GeminiModel:
    """Return a row of Gemini 3 or later.

    It takes a level and always thinks [T], every step needs its signature [S], results may have
    media (Google's documentation of multimodal function responses; before: gemini-cli#19436).
    """
    return GeminiModel(pattern, levels=levels, wants_signatures=True, media_results=True)


GEMINI_MODELS: Final = (
    # Speech models do not think [T].
    GeminiModel("*-tts*"),
    # Image models take fewer levels than the text models of their name [T, R].
    GeminiModel("gemini-2.5-flash-image*"),
    _newer("gemini-3*-flash*image*", ("MINIMAL", "HIGH")),
    _newer("gemini-3*-pro-image*", ("LOW", "HIGH")),
    # Gemini 1 and 2.0, Gemma up to 3: no thinking [T].
    GeminiModel("gemini-1*"),
    GeminiModel("gemini-2.0*"),
    # Gemini 2.5 and its kin take tokens, no level; signatures are optional [T, S].
    GeminiModel("gemini-2.5-pro*", budget=(128, 32_768)),
    GeminiModel("gemini-2.5-flash-lite*", budget=(512, 24_576), can_stop_thinking=True),
    GeminiModel("gemini-2.5-flash*", budget=(1, 24_576), can_stop_thinking=True),
    GeminiModel("gemini-2.5*", budget=(512, 24_576)),
    GeminiModel("gemini-robotics-er-1*", budget=(1, 24_576), can_stop_thinking=True),
    _newer("gemini-3*-flash-lite*", _ALL),
    _newer("gemini-flash-lite-latest", _ALL),
    _newer("gemini-3-flash*", _ALL),
    _newer("gemini-3.5-flash*", _ALL),
    _newer("gemini-3.6-flash*", _ALL),
    _newer("gemini-3-pro*", ("LOW", "HIGH")),
    # Gemma 4 refuses LOW and MEDIUM [R], and gives no signatures.
    GeminiModel("gemma-4*", levels=("MINIMAL", "HIGH")),
    GeminiModel("gemma*"),
    # 3.1 Pro, 3.7 and 3.8 Flash, 4 Argon [T, R]; what is not known is taken to be like the newest.
    _newer("*", _FROM_LOW),
)
"""The first row that fits wins."""


def find_gemini_model(name: str) -> GeminiModel:
    """Return what is known of a model, which may be named with its `models/`."""
    name = name.removeprefix("models/")
    return next(row for row in GEMINI_MODELS if matches(row.pattern, name))

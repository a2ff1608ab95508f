"""Whether a failed attempt is made again, when, and whether another target may take over.

The union of the good policies (WIRE.md §9). Pure: chance is passed in. Refuses to know about
content: the engine never asks once something was shown to the user.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..dialects import find_dialect
from ..dialects.base import SaysUnasked
from ..exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionError,
    ContextLengthError,
    LLMAPIError,
    LLMError,
    ModelNotFoundError,
    StreamInterruptedError,
    ValidationError,
)
from ..types.config import RetrySettings
from ..types.target import Target

__all__ = ["may_fall_back", "retry_delay", "without_refused_field"]

JITTER = 0.25
"""The share of a delay that is random, so that many clients do not come back at once."""
LONGEST_REQUESTED_DELAY = 120.0
"""Seconds. A provider that asks for more has failed for now: a fallback can act."""

_UNKNOWN_WORDS = "(?:extra|unexpected|unknown|unrecognized|unsupported)"


def retry_delay(
    error: LLMError, retries: int, settings: RetrySettings, chance: float
) -> float | None:
    """Return the seconds to wait before the next attempt; `None` when there must be none.

    Args:
        error: why the attempt failed.
        retries: how many retries this target had already.
        settings: bounds and growth.
        chance: a random number from 0 to 1.
    """
    if retries >= settings.max_retries or not _is_passing(error):
        return None
    requested = error.retry_after if isinstance(error, LLMAPIError) else None
    if requested is not None and requested >= 0:
        return requested if requested <= LONGEST_REQUESTED_DELAY else None
    try:
        delay = settings.delay * settings.exponential_base**retries
    except OverflowError:
        delay = settings.max_delay
    return max(0.0, min(delay, settings.max_delay)) * (1 - JITTER * chance)


def _is_passing(error: LLMError) -> bool:
    if isinstance(error, ConnectionError):
        return error.retryable
    if isinstance(error, LLMAPIError):
        return error.retryable
    return isinstance(error, StreamInterruptedError)


def without_refused_field(error: LLMError, target: Target) -> Target | None:
    """Return the target with an optional field left out, when that is what it refused.

    Mistral answers 422 to `stream_options`, Azure and older servers 400 (WIRE.md §11.18). Of
    Responses, transformers serve refuses `store`, OpenAI the summary of reasoning to organisations
    that are not verified.
    """
    if not isinstance(error, ValidationError):
        return None
    quirks = target.provider.quirks
    if quirks.stream_options and "stream_options" in f"{error.message} {error.param} {error.body}":
        quirks = replace(quirks, stream_options=False)
    elif (field := _refused_field(error, target)) is not None:
        quirks = replace(quirks, omits=(*quirks.omits, field))
    elif (field := quirks.embed_base64_field) and field in f"{error.message} {error.param}":
        quirks = replace(quirks, embed_base64_field="")
    else:
        return None
    return replace(target, provider=replace(target.provider, quirks=quirks))


def _refused_field(error: ValidationError, target: Target) -> str | None:
    """Return the field that an error is about, of those that the dialect says without being asked."""
    dialect = find_dialect(target.provider.dialect)
    param = (error.param or "").removeprefix("body.")
    for field in dialect.unasked_fields if isinstance(dialect, SaysUnasked) else ():
        named = rf"{_UNKNOWN_WORDS}.{{0,80}}\b{re.escape(field)}\b"
        if field not in target.provider.quirks.omits and (
            param == field or re.search(named, error.message, re.IGNORECASE | re.DOTALL)
        ):
            return field
    return None


def may_fall_back(error: LLMError) -> bool:
    """Return whether another target may succeed where this one failed.

    A request that is wrong in itself would be refused elsewhere too; a prompt that is too long, a
    model that is missing or a key that is bad are matters of one target.
    """
    if isinstance(error, ContextLengthError | ModelNotFoundError | AuthenticationError):
        return True
    if isinstance(error, LLMAPIError):
        return not isinstance(error, ValidationError)
    return isinstance(error, ConnectionError | StreamInterruptedError | ConfigurationError)

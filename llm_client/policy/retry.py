"""Whether a failed attempt is made again, when, and whether another target may take over.

Also for how long a provider that failed is left alone. The union of the good policies (WIRE.md §9).
Pure: chance is passed in. Refuses to know about content: the engine never asks once something was
shown to the user.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..dialects import find_dialect
from ..dialects.base import SaysUnasked
from ..exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    ContextLengthError,
    LLMAPIError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    TimeoutError,
    ValidationError,
)
from ..types.config import RetrySettings
from ..types.target import Target

__all__ = [
    "LONGEST_REQUESTED_DELAY",
    "cool_down_seconds",
    "may_fall_back",
    "pause_seconds",
    "retry_delay",
    "without_refused_field",
]

JITTER = 0.25
"""The share of a delay that is random, so that many clients do not come back at once."""
LONGEST_REQUESTED_DELAY = 120.0
"""Seconds. A provider that asks for more has failed for now: a fallback can act."""
COOL_DOWN = 60.0
"""Seconds: long enough to spare most calls the wait, short enough to notice a repair."""
LONGEST_SHARED_PAUSE = 3600.0
"""Seconds. One mistaken header must not shut a provider off for ever: then somebody asks again."""

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
    model that is missing, a key that is bad or a price that no budget allows are matters of one
    target.
    """
    if isinstance(error, ContextLengthError | ModelNotFoundError | AuthenticationError):
        return True
    if isinstance(error, LLMAPIError):
        return not isinstance(error, ValidationError)
    return isinstance(
        error,
        BudgetExceededError | ConfigurationError | ConnectionError | StreamInterruptedError,
    )


def cool_down_seconds(error: LLMError) -> float | None:
    """Return for how long later calls go to another target first, after this one failed for good.

    `None` where it is no fault of the provider's, or the next request may fare better.
    """
    cause = error.__cause__
    if isinstance(error, TimeoutError) and isinstance(cause, LLMError):
        error = cause  # the deadline left no time to try again after this
    asked = error.retry_after or 0.0
    is_limit = isinstance(error, RateLimitError) and not isinstance(error, QuotaExceededError)
    if is_limit and asked <= LONGEST_REQUESTED_DELAY:
        return None
    if isinstance(error, AuthenticationError | ConnectionError | LLMServiceError | RateLimitError):
        return min(max(COOL_DOWN, asked), LONGEST_SHARED_PAUSE)
    return None


def pause_seconds(error: BaseException | None, said: float | None) -> float | None:
    """Return for how long everybody is to leave a provider alone after an attempt.

    Args:
        error: why it failed; `None`: it did not.
        said: by the headers of its answer, about limits that are used up.
    """
    if isinstance(error, QuotaExceededError):
        return None  # waiting does not help
    if isinstance(error, RateLimitError | LLMServiceError) and error.retry_after is not None:
        said = error.retry_after
    return min(said, LONGEST_SHARED_PAUSE) if said is not None and said > 0 else None

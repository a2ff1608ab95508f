"""For how long a provider that failed is left alone: by later calls, and by everybody."""

from __future__ import annotations

import math

import pytest

from llm_client.exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    ContentFilterError,
    ContextLengthError,
    InvalidOutputError,
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
from llm_client.policy.retry import cool_down_seconds, pause_seconds


def name(value: object) -> str:
    return type(value).__name__ if isinstance(value, LLMError) else str(value)


def late(cause: LLMError) -> TimeoutError:
    """Return the error of a deadline that left no time to try again."""
    error = TimeoutError("the deadline leaves no time")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (AuthenticationError(), 60.0),
        (ConnectionError(), 60.0),
        (ConnectionError(refused=True, retryable=False), 60.0),
        (TimeoutError(), 60.0),
        (LLMServiceError(), 60.0),
        (LLMServiceError(retry_after=5.0), 60.0),
        (LLMServiceError(retry_after=300.0), 300.0),
        (LLMServiceError(retry_after=1e9), 3600.0),
        (LLMServiceError(retry_after=math.nan), 60.0),
        (QuotaExceededError(), 60.0),
        (QuotaExceededError(retry_after=900.0), 900.0),
        (RateLimitError(), None),
        (RateLimitError(retry_after=120.0), None),
        (RateLimitError(retry_after=121.0), 121.0),
        (ModelNotFoundError(), None),
        (ValidationError(), None),
        (ContextLengthError(), None),
        (LLMAPIError(), None),
        (ContentFilterError(), None),
        (InvalidOutputError(), None),
        (StreamInterruptedError(), None),
        (ConfigurationError(), None),
        (BudgetExceededError(), None),
        (LLMError(), None),
        (late(LLMServiceError(retry_after=90.0)), 90.0),
        (late(RateLimitError(retry_after=30.0)), None),
    ],
    ids=name,
)
def test_provider_is_passed_over_after_what_will_not_be_better_in_a_moment(
    error: LLMError, seconds: float | None
) -> None:
    assert cool_down_seconds(error) == seconds


@pytest.mark.parametrize(
    ("error", "said", "seconds"),
    [
        (None, None, None),
        (None, 12.0, 12.0),
        (None, 1e9, 3600.0),
        (RateLimitError(retry_after=7.0), None, 7.0),
        (RateLimitError(retry_after=7.0), 12.0, 7.0),
        (RateLimitError(retry_after=0.0), 12.0, None),
        (RateLimitError(retry_after=-1.0), None, None),
        (RateLimitError(retry_after=1e9), None, 3600.0),
        (RateLimitError(), 12.0, 12.0),
        (RateLimitError(), None, None),
        (QuotaExceededError(retry_after=7.0), 12.0, None),
        (LLMServiceError(retry_after=7.0), None, 7.0),
        (LLMServiceError(), None, None),
        (AuthenticationError(retry_after=7.0), None, None),
        (StreamInterruptedError(), 12.0, 12.0),
        (KeyboardInterrupt(), 12.0, 12.0),
    ],
    ids=name,
)
def test_everybody_pauses_for_as_long_as_the_provider_asks(
    error: BaseException | None, said: float | None, seconds: float | None
) -> None:
    assert pause_seconds(error, said) == seconds

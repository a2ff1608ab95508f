"""Which exit status an error means, and which JSON object."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ..exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    ContextLengthError,
    GenerationError,
    LLMAPIError,
    LLMError,
    ModelNotFoundError,
    RateLimitError,
    ValidationError,
)

__all__ = [
    "SCHEMA_VERSION",
    "ExitStatus",
    "Interrupted",
    "OutputError",
    "UsageError",
    "error_object",
    "exit_status",
]

SCHEMA_VERSION = 1
"""Of every JSON object that the program prints; it grows when a field changes its meaning."""


class ExitStatus(IntEnum):
    """How a command ended."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    UNREACHABLE = 4
    RATE_LIMITED = 5
    MODEL_NOT_FOUND = 6
    INCOMPLETE = 7
    BUDGET = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class UsageError(LLMError):
    """The command line asks for something that makes no sense."""


class OutputError(LLMError):
    """The answer cannot be written where it should go."""


class Interrupted(LLMError):
    """Ctrl-C, or a signal that ends the program."""

    def __init__(self, message: str, *, partial: str = "", status: int) -> None:
        super().__init__(message, partial=partial)
        self.exit_status = status


def exit_status(error: LLMError) -> ExitStatus:
    """Return the exit status that an error means."""
    match error:
        case UsageError():
            return ExitStatus.USAGE
        case ConfigurationError() | AuthenticationError():
            return ExitStatus.CONFIGURATION
        case ConnectionError():
            return ExitStatus.UNREACHABLE
        case RateLimitError():
            return ExitStatus.RATE_LIMITED
        case ModelNotFoundError():
            return ExitStatus.MODEL_NOT_FOUND
        case GenerationError():
            return ExitStatus.INCOMPLETE
        case BudgetExceededError():
            return ExitStatus.BUDGET
        case ContextLengthError():
            # The same whether it was refused here or there: that depends on what is known.
            return ExitStatus.FAILED
        case ValidationError(status=None):
            # Refused here, before anything was sent.
            return ExitStatus.USAGE
    return ExitStatus.FAILED


def error_object(error: LLMError) -> dict[str, Any]:
    """Return the JSON object that stands for an error."""
    details: dict[str, Any] = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "partial": error.partial,
    }
    if isinstance(error, LLMAPIError) or error.provider is not None:
        details |= {
            "status": error.status,
            "code": getattr(error, "code", None),
            "provider": error.provider,
            "model": error.model,
            "request_id": error.request_id,
            "retry_after": error.retry_after,
        }
    return {"schema_version": SCHEMA_VERSION, "error": details}

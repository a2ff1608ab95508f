"""Every error of llm_client, drawn as a tree.

LLMError                          what failed, why; `.hint` says what to do next; `.partial` is what had arrived
├ ConfigurationError              a bad setting, file or argument; no key
├ ConnectionError                 no answer: refused, unreachable, TLS, broken off (also builtins.ConnectionError)
│  └ TimeoutError                 a wait ran out (also builtins.TimeoutError)
├ LLMAPIError                     the provider answered with an error
│  ├ AuthenticationError          the key is missing, wrong or not allowed to do this
│  ├ ModelNotFoundError           the provider has no such model
│  ├ RateLimitError               too many requests or tokens for now
│  │  └ QuotaExceededError        credit, plan or spending cap used up: waiting does not help
│  ├ ValidationError              the request is refused as it stands
│  │  └ ContextLengthError        it is longer than the model's context window
│  └ LLMServiceError              5xx, overloaded, an answer that makes no sense
├ GenerationError                 the answer began and went wrong
│  ├ ContentFilterError           the provider withheld the answer
│  ├ StreamInterruptedError       the stream was cut
│  └ InvalidOutputError           the answer is not what was asked for
├ BudgetExceededError             refused before sending: a budget is used up
└ ToolError                       a tool failed
   └ ToolDeniedError              a tool was not allowed to run

The module owns the tree and how its members travel (all can be pickled). It refuses to classify:
dialects decide which error an answer is.
"""

from __future__ import annotations

import builtins
from typing import Any

__all__ = [
    "AuthenticationError",
    "BudgetExceededError",
    "ConfigurationError",
    "ConnectionError",
    "ContentFilterError",
    "ContextLengthError",
    "CredentialStoreWarning",
    "GenerationError",
    "InsecureConnectionWarning",
    "InvalidOutputError",
    "LLMAPIError",
    "LLMConnectionError",
    "LLMError",
    "LLMServiceError",
    "LLMTimeoutError",
    "ModelNotFoundError",
    "QuotaExceededError",
    "RateLimitError",
    "StreamInterruptedError",
    "TimeoutError",
    "ToolDeniedError",
    "ToolError",
    "ValidationError",
]


class LLMError(Exception):
    """Base of every error that llm_client raises on purpose."""

    message: str
    """What failed and why, in one or two sentences."""
    hint: str | None
    """What to do next, with the command in backticks; `None` when there is nothing to say."""
    partial: str
    """The text of the answer that had arrived before the failure; empty when none had."""
    provider: str | None = None
    """Who was asked; `None` when it did not come to that."""
    model: str | None = None
    """The model that was asked."""
    status: int | None = None
    """HTTP status; `None` before an answer, 200 when the error came inside a stream."""
    request_id: str | None = None
    """What the provider's support asks for."""
    retry_after: float | None = None
    """Seconds the provider asks to wait; `None` when it says nothing."""

    def __init__(self, message: str = "", *, hint: str | None = None, partial: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.partial = partial

    def __str__(self) -> str:
        """Return the message alone: a program prints the hint where it wants it."""
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, because subclasses take keyword-only arguments."""
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(cls: type[LLMError], args: tuple[Any, ...], state: dict[str, Any]) -> LLMError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(LLMError):
    """A setting, a file, an argument or a missing key: nothing was sent."""


class ConnectionError(LLMError, builtins.ConnectionError):
    """No usable answer from the network: refused, unreachable, TLS failure, broken off."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        partial: str = "",
        refused: bool = False,
        retryable: bool = True,
        stale: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, partial=partial)
        self.refused = refused
        """True when nothing listens at the address, on this machine."""
        self.retryable = retryable
        """Whether the same request may get through in a moment: not where nothing listens, the
        host is unknown or its certificate is not trusted."""
        self.stale = stale
        """True when a connection of an earlier request died without a byte: the server had most
        likely closed it, and the request on a new one is no second try."""


class TimeoutError(ConnectionError, builtins.TimeoutError):
    """One of the waits of an attempt, or the deadline of the call, ran out."""

    accepted: bool = False
    """True when the server had taken the whole request: it may go on with it, and bill it."""


class LLMAPIError(LLMError):
    """The provider answered, and the answer is an error."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        provider: str | None = None,
        model: str | None = None,
        retryable: bool = False,
        body: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        """The provider's own code, as a string."""
        self.type = type
        """The provider's own error type."""
        self.param = param
        """The request field that the provider names."""
        self.request_id = request_id
        self.retry_after = retry_after
        self.provider = provider
        self.model = model
        self.retryable = retryable
        """Whether the same request may succeed later."""
        self.body = body
        """The raw answer, redacted and cut to 4,000 characters."""


class AuthenticationError(LLMAPIError):
    """The key is missing, wrong, or not allowed to do this."""


class ModelNotFoundError(LLMAPIError):
    """The provider has no such model, or this key may not use it."""


class RateLimitError(LLMAPIError):
    """Too many requests or tokens for now; `.retry_after` says when to try again."""


class QuotaExceededError(RateLimitError):
    """Credit, plan or spending cap used up: waiting does not help."""


class ValidationError(LLMAPIError):
    """The request is refused as it stands, by the provider or before it was sent."""


class ContextLengthError(ValidationError):
    """The prompt (with the room for the answer) is longer than the model's context window."""


class LLMServiceError(LLMAPIError):
    """The provider failed (5xx, overloaded) or sent an answer that makes no sense."""


class GenerationError(LLMError):
    """The answer began and went wrong; `.partial` has what arrived."""


class ContentFilterError(GenerationError):
    """The provider withheld the answer or broke it off for its content."""


class StreamInterruptedError(GenerationError):
    """The stream ended before the answer did."""


class InvalidOutputError(GenerationError):
    """The answer arrived whole but is not what was asked for."""


class BudgetExceededError(LLMError):
    """A budget does not allow this call: nothing was sent."""


class ToolError(LLMError):
    """A tool failed."""


class ToolDeniedError(ToolError):
    """A tool was not allowed to run."""


class CredentialStoreWarning(UserWarning):
    """Keyring or credentials file cannot be used as they are; the next source of keys is asked."""


class InsecureConnectionWarning(UserWarning):
    """A key is about to travel unencrypted to another machine."""


LLMConnectionError = ConnectionError
"""`ConnectionError` under a name that does not shadow the builtin."""
LLMTimeoutError = TimeoutError
"""`TimeoutError` under a name that does not shadow the builtin."""

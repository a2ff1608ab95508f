"""Which class of error a provider's words and status mean, and whether to try again.

Owns the tables: by the in-band word first, then by the message on 400, 413 and 422 only, then by
the status (WIRE.md §§1-7, 9, 10). How a body says its words is read in `errors`. A word stands here
only where it says more than the status that it comes with, or comes without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidOutputError,
    LLMAPIError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ValidationError,
)
from ..types.target import Target
from ..wire.headers import should_retry_header

__all__ = ["UNSUPPORTED_INPUT", "error_kind", "is_address_missing", "is_retryable"]

_BY_WORD: dict[str, type[LLMError]] = {
    **dict.fromkeys(
        (
            "api_key_invalid",  # Google's ErrorInfo, on a 400
            "auth_error",
            "authentication",
            "authentication_error",
            "invalid_api_key",
            "invalid_authentication",
            "organization_on_hold",  # Anthropic's details
            "permission_denied",
            "permission_error",
            "token_not_found_in_db",  # LiteLLM
            "unauthenticated",
            "unauthorized",
        ),
        AuthenticationError,
    ),
    **dict.fromkeys(
        (
            "deployment_not_found",  # Azure
            "endpoint_not_found",  # Databricks
            "invalid_model",
            "model_decommissioned",  # Groq, on a 400
            "model_not_available",
            "model_not_found",
            "model_not_supported",  # Hugging Face and GitHub, on a 400
            "model_terms_required",  # Groq, on a 400
            "resource_does_not_exist",  # Databricks
            "unknown_model",
        ),
        ModelNotFoundError,
    ),
    **dict.fromkeys(
        (
            "arrearage",  # DashScope, on a 400
            "billing_disabled",  # Google's ErrorInfo
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "blocked_api_access",  # Groq's own spend limit, on a 400
            "budget_exceeded",
            # Anthropic's details, on a 429 without retry-after.
            "contract_spend_limit_reached",
            "enforced_spend_limit_reached",
            "linked_organization_billing_unavailable",
            "linked_organization_spend_limit_reached",
            # OpenAI, on a 429 (2026-11).
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "project_spend_limit_exceeded",
            "insufficient_balance",
            "insufficient_quota",
            "payment_required",
            "quota_exceeded",
        ),
        QuotaExceededError,
    ),
    **dict.fromkeys(
        (
            "ramp_limit_exceeded",  # Anthropic's details
            "rate_limit",
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limit_reached",  # Azure, GitHub
            "rate_limited",  # Mistral
            "request_limit_exceeded",  # Databricks
            "resource_exhausted",
            "slow_down",  # OpenAI
            "throttling_error",
            "too_many_requests",
        ),
        RateLimitError,
    ),
    **dict.fromkeys(
        (
            "context_length_exceeded",
            "context_window_exceeded",
            "exceed_context_size_error",  # llama.cpp
            "token_limit_exceeded",  # OpenRouter
            "tokens_limit_reached",  # GitHub, on a 413
        ),
        ContextLengthError,
    ),
    **dict.fromkeys(
        (
            # OpenAI Responses, in `response.failed`.
            "bio_policy",
            "image_content_policy_violation",
            "misalignment_policy_violation",
            "content_filter",
            "content_policy_violation",
            "data_inspection_failed",  # DashScope
            "responsible_aipolicy_violation",  # Azure's innererror
        ),
        ContentFilterError,
    ),
    **dict.fromkeys(
        (
            "engine_overloaded",
            "overloaded",
            "overloaded_error",
            "service_unavailable",
            "temporarily_unavailable",
        ),
        LLMServiceError,
    ),
    # Groq: the model wrote a tool call, or JSON, that does not fit the schema.
    "tool_use_failed": InvalidOutputError,
    "json_validate_failed": InvalidOutputError,
}
"""In the normal form of `_normal`."""

_STATUS_OF_WORD: dict[str, int] = {
    **dict.fromkeys(
        (
            "bad_request",
            "data_residency_mismatch",
            "failed_precondition",
            "invalid_argument",
            "invalid_prompt",
            "invalid_request",
            "invalid_request_error",
            "out_of_range",
            "validation",  # text-generation-inference
            # OpenAI Responses, in `response.failed`.
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
            "image_file_too_large",
            "image_parse_error",
            "image_too_large",
            "image_too_small",
            "invalid_base64_image",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_mode",
            "invalid_image_url",
            "unsupported_image_media_type",
        ),
        400,
    ),
    "not_found": 404,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "unimplemented": 501,
}
"""What a word would be as a status, for errors inside a stream, which have none. Any other means
that the provider failed."""

_ZHIPU: dict[str, type[LLMError]] = {
    # From 1261 on but for 1301: memory.
    "1113": QuotaExceededError,
    "1211": ModelNotFoundError,
    "1261": ContextLengthError,
    "1301": ContentFilterError,
    "1304": QuotaExceededError,
    "1308": QuotaExceededError,
    "1309": QuotaExceededError,
    "1310": QuotaExceededError,
}
_BY_NUMBER: dict[str, dict[str, type[LLMError]]] = {
    "cloudflare": {"3036": QuotaExceededError, "5007": ModelNotFoundError},
    "cohere": {"498": ContentFilterError},
    "fireworks": {"412": QuotaExceededError},
    "groq": {"498": RateLimitError},
    "zai": _ZHIPU,
    "zhipuai": _ZHIPU,
}
"""Codes and statuses of a provider's own making, by its name (their error pages, 2026-11)."""

_BY_STATUS: dict[int, type[LLMAPIError]] = {
    400: ValidationError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: AuthenticationError,
    413: ValidationError,
    422: ValidationError,
    429: RateLimitError,
}
_BY_TEXT: tuple[tuple[str, type[LLMAPIError]], ...] = (
    (
        r"maximum context length|context_length_exceeded|prompt is too long|input is too long"
        r"|exceeds the context length|input length exceeds|exceeds the available context size"
        r"|context.?window.?exceeded|exceed context limit"  # Anthropic, with the answer's tokens
        # Cohere; Gemini; text-generation-inference and Together; xAI; DashScope; Moonshot; Voyage.
        r"|too many tokens: .{0,40}(in the prompt|size limit)"
        r"|input token count.{0,40}exceeds the maximum"
        r"|`inputs` (tokens \+ `max_new_tokens` must be|must have less than)"
        r"|maximum prompt length|range of input length should be|exceeded model token limit"
        r"|does not fit into the model's context window",
        ContextLengthError,
    ),
    (
        # From the third on: LiteLLM, transformers serve (seen 2026-11), Cloudflare, Snowflake,
        # OpenRouter, Voyage.
        r"model\b.{0,200}(not found|does not exist)|invalid model name|server is pinned to"
        r"|no such model|unknown model|is not a valid model id|supported models are",
        ModelNotFoundError,
    ),
    (
        # The last two: Gemini, the second where its free tier is not offered.
        r"api key not valid|(invalid|incorrect) api key|api key expired"
        r"|user location is not supported",
        AuthenticationError,
    ),
    # Anthropic: no credit; its customer's own limit (2026-11).
    (r"credit balance is too low|specified (workspace )?api usage limits", QuotaExceededError),
)
"""Patterns, compiled by their first use: most runs never come to an error."""
UNSUPPORTED_INPUT = r"\b(image|audio|video)s? (input )?(is|are) not supported"
"""llama.cpp answers 500 to a picture for a model without eyes (seen 2026-11)."""
_NO_SUCH_PATH = (
    r"((file |404 page |resource )?not found\.?$|invalid url|unknown request url|no route matched"
    r"|could not route to)"
)
"""A 404 for the address, not for the model: FastAPI, llama.cpp, Go, Azure, OpenAI, Groq, Kong,
Cloudflare."""
_NO_SUCH_INPUT = (
    r"(item|file|vector store|previous response|conversation) with id|no such \w+ object"
)
"""A 404 for something that the request names, not for the model (OpenAI; vercel/ai#7543)."""
_TEXT_STATUSES = frozenset({400, 413, 422})
_RETRYABLE_STATUSES = frozenset({408, 409, 429})
_NEVER_RETRYABLE_STATUSES = frozenset({413, 501})
"""Too large (Groq: larger than the limit of a whole minute), not implemented."""
_LONGEST_WORD = 100
"""Characters. xAI writes sentences into `code`; longer is no word at all."""


def error_kind(
    words: Iterable[str], message: str, status: int, target: Target, *, in_band: bool = True
) -> type[LLMError]:
    """Return the class of an error.

    Args:
        words: the provider's codes and types, the most telling first.
        message: its text.
        status: of HTTP, or the one that stands in the body; 200 for one inside a stream.
        target: who was asked; without a model, for the list of its models.
        in_band: whether the body is an error such as a provider of LLMs sends.
    """
    numbers = _BY_NUMBER.get(target.provider.name, {})
    normal = [_normal(word) for word in (*words, str(status))]
    for word in normal:
        kind = _BY_WORD.get(word) or numbers.get(word)
        if kind is not None:
            return kind
    status = _status(normal, status)
    if status in _TEXT_STATUSES:
        for pattern, named in _BY_TEXT:
            if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
                return named
    if status == 500 and re.search(UNSUPPORTED_INPUT, message, re.IGNORECASE):
        return ValidationError
    if status == 404 and re.match(_NO_SUCH_INPUT, message, re.IGNORECASE):
        return ValidationError
    is_of_model = target.model and target.provider.quirks.not_found_is_model
    if status == 404 and in_band and is_of_model:
        return ModelNotFoundError
    if status >= 500 or status in {200, 408}:
        return LLMServiceError
    return _BY_STATUS.get(status, LLMAPIError)


def is_retryable(
    kind: type[LLMError], words: Iterable[str], status: int, headers: Mapping[str, str]
) -> bool:
    """Return whether the same request may succeed later (WIRE.md §9)."""
    if issubclass(
        kind, AuthenticationError | ModelNotFoundError | QuotaExceededError | ContextLengthError
    ):
        return False
    status = _status([_normal(word) for word in words], status)
    if status in _NEVER_RETRYABLE_STATUSES:
        return False
    asked = should_retry_header(headers)
    if asked is not None:
        return asked
    return status in _RETRYABLE_STATUSES or issubclass(kind, RateLimitError | LLMServiceError)


def is_address_missing(message: str) -> bool:
    """Return whether a message says that the address is wrong, not that a model is missing."""
    return re.match(_NO_SUCH_PATH, message, re.IGNORECASE) is not None


def _normal(word: str) -> str:
    """Return a word in small letters with underscores, as most providers write theirs.

    Others write `DeploymentNotFound`, `RESOURCE_EXHAUSTED`, `Too many requests`.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", word[:_LONGEST_WORD])
    return spaced.lower()


def _status(normal: Iterable[str], status: int) -> int:
    """Return what the words say of the status of an error inside a stream."""
    if status != 200:
        return status
    return next((_STATUS_OF_WORD[word] for word in normal if word in _STATUS_OF_WORD), status)

"""Which error an error answer means.

Owns the reading of the many shapes that providers give their errors and the classification:
by the in-band code or type, then by the status, and by message text only on 400, 413 and 422
(WIRE.md §§1, 9, 10). What the text of the message says about a key is masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from ..types.http import Head
from ..types.secret import redact
from ..types.target import Target
from ..wire.headers import retry_after_seconds, should_retry_header
from ..wire.jsontext import parse_json

__all__ = ["answer_error", "describe", "not_an_answer", "stream_error"]

BODY_LIMIT = 4000
"""Characters of the raw answer that an error keeps."""
MESSAGE_LIMIT = 600
"""Characters of a provider's message that an error shows."""

_BY_CODE: dict[str, type[LLMError]] = {
    **dict.fromkeys(
        (
            "auth_error",
            "authentication_error",
            "invalid_api_key",
            "invalid_authentication",
            "permission_denied",
            "permission_error",
            "token_not_found_in_db",
            "unauthenticated",
            "unauthorized",
        ),
        AuthenticationError,
    ),
    **dict.fromkeys(
        ("invalid_model", "model_not_available", "model_not_found", "unknown_model"),
        ModelNotFoundError,
    ),
    **dict.fromkeys(
        (
            "billing_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "budget_exceeded",
            "insufficient_balance",
            "insufficient_quota",
            "payment_required",
            "quota_exceeded",
        ),
        QuotaExceededError,
    ),
    **dict.fromkeys(
        (
            "rate_limit_error",
            "rate_limit_exceeded",
            "resource_exhausted",
            "throttling_error",
            "too_many_requests",
        ),
        RateLimitError,
    ),
    **dict.fromkeys(
        ("context_length_exceeded", "context_window_exceeded", "exceed_context_size_error"),
        ContextLengthError,
    ),
    **dict.fromkeys(
        ("content_filter", "content_policy_violation", "responsibleaipolicyviolation"),
        ContentFilterError,
    ),
    **dict.fromkeys(
        ("engine_overloaded", "overloaded", "overloaded_error", "service_unavailable"),
        LLMServiceError,
    ),
    # Groq: the model wrote a tool call that does not fit the tool's schema.
    "tool_use_failed": InvalidOutputError,
}
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
        r"|context.?window.?exceeded",
        ContextLengthError,
    ),
    (
        # The last two: LiteLLM, transformers serve (seen 2026-11).
        r"model\b.{0,200}(not found|does not exist)|invalid model name|server is pinned to",
        ModelNotFoundError,
    ),
    (r"api key not valid|(invalid|incorrect) api key", AuthenticationError),
    (r"credit balance is too low", QuotaExceededError),
)
"""Patterns, compiled by their first use: most runs never come to an error."""
_NO_SUCH_PATH = r"(file |404 page )?not found\.?$|invalid url|no route matched"
"""A 404 for the address, not for the model: FastAPI, llama.cpp, Go, OpenAI, Kong."""
_TEXT_STATUSES = frozenset({400, 413, 422})
_RETRYABLE_STATUSES = frozenset({408, 409, 429})
_ERROR_STATUS = r"[45][0-9]{2}"
_NEVER_RETRYABLE_STATUSES = frozenset({413, 501})
"""Too large (Groq: larger than the limit of a whole minute), not implemented."""


@dataclass(frozen=True, slots=True)
class _Details:
    """What an error body says, whatever its shape."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None
    in_band: bool = True
    """False when the body was no error that a provider of LLMs would send (HTML, nothing)."""
    retry_after: float | None = None
    """Seconds, from Google's `RetryInfo`: the only hint that Gemini gives."""
    is_used_up: bool = False
    """Whether Google's `QuotaFailure` names a quota of the day, which waiting does not help."""


def answer_error(head: Head, body: bytes, target: Target) -> LLMError:
    """Return the error that an answer with an error status means."""
    details = _read(body)
    error = _build(details, head.status, head.headers, target, body)
    if not details.in_band and head.status == 404 and type(error) is LLMAPIError:
        error.hint = f"Nothing answers at {head.url or target.base_url}: is the base URL right?"
        if target.provider.dialect.startswith("openai") and not target.base_url.endswith("/v1"):
            error.hint += " OpenAI-compatible servers usually want it to end in `/v1`."
    return error


def stream_error(value: object, target: Target) -> LLMError:
    """Return the error that arrived in the middle of a stream, after a status of 200."""
    details = _details(value)
    try:
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    except RecursionError:
        body = b""
    return _build(details, details.status or 200, {}, target, body)


def describe(body: bytes) -> str:
    """Return what a body that is no JSON is, for `not_an_answer`."""
    start = body.lstrip()[:1]
    if not start:
        return "nothing"
    return "an HTML page" if start == b"<" else "something that is not JSON"


def not_an_answer(what: str, target: Target, body: bytes = b"") -> LLMServiceError:
    """Return the error for a 200 that is no answer: HTML, nothing, something else."""
    hint = f"Is {target.base_url} the address of an LLM server? Set it with `--base-url`."
    if what == "nothing":
        # llama-cpp-python, for a prompt that is too long (seen 2026-11).
        hint = "The server's log may say why; some do this when the prompt is too long."
    return LLMServiceError(
        f"{target.provider.name} at {target.base_url} sent {what} instead of an answer.",
        hint=hint,
        status=200,
        provider=target.provider.name,
        model=target.model,
        body=_shown_body(body, target),
    )


def _build(
    details: _Details,
    status: int,
    headers: Mapping[str, str],
    target: Target,
    body: bytes,
) -> LLMError:
    kind = _classify(details, status, target)
    asked = retry_after_seconds(headers)

    def masked(word: str | None) -> str | None:
        return None if word is None else redact(word, [target.api_key])

    message = redact(details.message, [target.api_key])[:MESSAGE_LIMIT]
    lead = _LEADS.get(kind, "{provider} answered with an error")
    if kind is AuthenticationError and status == 401 and not target.api_key:
        lead = "{provider} wants a key"
    lead = lead.format(provider=target.provider.name, model=target.model)
    text = f"{lead} ({status}): {message}"
    hint = _hint(kind, target, details.retry_after if asked is None else asked)
    if not issubclass(kind, LLMAPIError):
        return kind(text, hint=hint)
    return kind(
        text,
        hint=hint,
        status=status,
        code=masked(details.code),
        type=masked(details.type),
        param=masked(details.param),
        request_id=masked(headers.get("x-request-id") or headers.get("request-id")),
        retry_after=details.retry_after if asked is None else asked,
        provider=target.provider.name,
        model=target.model,
        retryable=_retryable(kind, status, headers),
        body=_shown_body(body, target),
    )


_LEADS: dict[type[LLMError], str] = {
    AuthenticationError: "{provider} did not accept the key",
    ModelNotFoundError: "{provider} has no model {model!r}",
    RateLimitError: "{provider} asks to slow down",
    QuotaExceededError: "The quota at {provider} is used up",
    ContextLengthError: "The prompt is too long for {model!r}",
    ValidationError: "{provider} refused the request",
    ContentFilterError: "{provider} withheld the answer",
    InvalidOutputError: "{provider} could not use what {model!r} wrote",
    LLMServiceError: "{provider} failed",
}


def _hint(kind: type[LLMError], target: Target, retry_after: float | None) -> str | None:
    if kind is RateLimitError and retry_after is not None:
        return f"It asks to wait {retry_after:g} s."
    if kind is AuthenticationError:
        names = " or ".join(target.provider.key_env) or target.provider.own_key_variable
        return f"Put a valid key into {names}."
    if kind is ModelNotFoundError and target.provider.fetch_model_command:
        return f"Fetch it with `{target.provider.fetch_model_command} {target.model}`."
    return None


def _classify(details: _Details, status: int, target: Target) -> type[LLMError]:
    if details.is_used_up:
        return QuotaExceededError
    for word in (details.code, details.type):
        if word is not None and (kind := _BY_CODE.get(word.lower())) is not None:
            return kind
    if status in _TEXT_STATUSES:
        for pattern, kind in _BY_TEXT:
            if re.search(pattern, details.message, re.IGNORECASE | re.DOTALL):
                return kind
    if status == 404 and details.in_band and target.provider.quirks.not_found_is_model:
        return ModelNotFoundError
    if status >= 500 or status in {200, 408}:
        return LLMServiceError
    return _BY_STATUS.get(status, LLMAPIError)


def _retryable(kind: type[LLMError], status: int, headers: Mapping[str, str]) -> bool:
    if issubclass(
        kind, AuthenticationError | ModelNotFoundError | QuotaExceededError | ContextLengthError
    ):
        return False
    if status in _NEVER_RETRYABLE_STATUSES:
        return False
    asked = should_retry_header(headers)
    if asked is not None:
        return asked
    return status in _RETRYABLE_STATUSES or issubclass(kind, RateLimitError | LLMServiceError)


def _shown_body(body: bytes, target: Target) -> str | None:
    # Masked before it is cut: half a key at the end would not be recognised.
    text = body[: 2 * BODY_LIMIT].decode("utf-8", "replace")
    return redact(text, [target.api_key])[:BODY_LIMIT] or None


def _read(body: bytes) -> _Details:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return _Details("no explanation was given.", in_band=False)
    try:
        value = parse_json(body)
    except ValueError:
        if text[:1] == "<":
            return _Details("an HTML page, not an error of an LLM server.", in_band=False)
        return _Details(text, in_band=False)
    details = _details(value)
    return (
        replace(details, in_band=False)
        if re.match(_NO_SUCH_PATH, details.message, re.IGNORECASE)
        else details
    )


def _details(value: object) -> _Details:
    try:
        return _from_json(value)
    except RecursionError:
        return _Details("an error nested too deeply to be read.", in_band=False)


def _from_json(value: Any) -> _Details:
    match value:
        case [first, *_]:
            return _from_json(first)
        case {"error": dict(inner)}:
            return _from_object(inner)
        case {"detail": dict(inner)}:
            return _from_json(inner)
        case {"error": str(text)} | {"detail": str(text)}:
            return _from_object({"message": text, **value})
        case {"errors": [first, *_]}:
            return _from_json({"error": first})
        case {"detail": [{"msg": str(text), **rest}, *_]}:
            where = rest.get("loc")
            place = ".".join(map(str, where)) if isinstance(where, list) else None
            return _Details(text, param=place)
        case {"message": str() | dict()}:
            return _from_object(value)
        case str(text):
            return _Details(text, in_band=False)
    return _Details(json.dumps(value), in_band=False)


def _from_object(value: Mapping[str, Any]) -> _Details:
    message = value.get("message") or value.get("msg") or value
    if message is not value and (inner := _unwrapped(message)) is not None:
        return inner
    if not isinstance(message, str):
        message = json.dumps(message)
    match value.get("metadata"):
        case {"raw": str(raw)} if raw:
            # OpenRouter says only "Provider returned error" and hides the reason here.
            message = f"{message}: {raw}"
    code, kind = value.get("code"), value.get("type")
    status = str(value.get("status_code", code))
    retry_after, is_used_up = _google_details(value.get("details"))
    return _Details(
        message,
        code=None if code is None else str(code),
        type=None if kind is None else str(kind),
        param=value["param"] if isinstance(value.get("param"), str) else None,
        # LiteLLM writes it as a string.
        status=int(status) if re.fullmatch(_ERROR_STATUS, status) else None,
        retry_after=retry_after,
        is_used_up=is_used_up,
    )


def _google_details(details: object) -> tuple[float | None, bool]:
    """Return the seconds to wait that Google's details ask for, and whether a daily quota is gone."""
    retry_after, is_used_up = None, False
    for detail in details if isinstance(details, list) else ():
        match detail:
            case {"retryDelay": str(delay)} if re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)?s", delay):
                retry_after = float(delay[:-1])
            case {"violations": list(violations)}:
                is_used_up = is_used_up or "PerDay" in json.dumps(violations)
    return retry_after, is_used_up


def _unwrapped(message: Any) -> _Details | None:
    """Return the error inside a message that is one itself; `None` when it is a text.

    Ollama passes the error of its runner on as JSON inside the string, and Mistral the list of
    what it did not like as an object.
    """
    if isinstance(message, str) and message.lstrip()[:1] == "{":
        try:
            message = parse_json(message.encode("utf-8", "replace"))
        except ValueError:
            return None
    match message:
        case {"error": _} | {"detail": _} | {"message": _}:
            return _from_json(message)
    return None

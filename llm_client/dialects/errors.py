"""The error that an error answer is, and how it is told.

What a body says is read in `error_bodies`; which class of error its words and status mean stands in
`error_kinds`. What a message says about a key is masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

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
from ..wire.headers import may_be_used_up, retry_after_seconds
from .error_kinds import UNSUPPORTED_INPUT, error_kind, is_retryable

if TYPE_CHECKING:
    from .error_bodies import Details

__all__ = ["answer_error", "describe", "not_an_answer", "stream_error"]

BODY_LIMIT = 4000
"""Characters of the raw answer that an error keeps."""
MESSAGE_LIMIT = 600
"""Characters of a provider's message that an error shows."""

_REQUEST_ID_HEADERS = (
    "x-request-id",  # OpenAI and most others
    "request-id",  # Anthropic
    "apim-request-id",  # Azure
    "x-amzn-requestid",  # AWS
    "x-debug-trace-id",  # Cohere
    "mistral-correlation-id",
    "msh-request-id",  # Moonshot
    "x-ds-trace-id",  # DeepSeek
    "x-github-request-id",
)
_PROXY_ID_HEADERS = ("x-amzn-trace-id", "x-amz-cf-id", "cf-ray")
"""Of what stands before the provider: Hugging Face's support asks for the first two."""


def answer_error(head: Head, body: bytes, target: Target) -> LLMError:
    """Return the error that an answer with an error status means."""
    from .error_bodies import read_body  # only where something failed

    details = read_body(body)
    error = _build(details, head.status, head.headers, target, body)
    is_elsewhere = not (details.in_band and target.model)
    if is_elsewhere and head.status == 404 and type(error) is LLMAPIError:
        error.hint = (
            f"Nothing answers at {head.url or target.base_url}: is the base URL right, and does the "
            f"server speak {target.provider.dialect} (`--dialect`)?"
        )
        if target.provider.dialect.startswith("openai") and not target.base_url.endswith("/v1"):
            error.hint += " OpenAI-compatible servers usually want it to end in `/v1`."
    return error


def stream_error(value: object, target: Target) -> LLMError:
    """Return the error that arrived in the middle of a stream, after a status of 200."""
    from .error_bodies import read_value  # only where something failed

    details = read_value(value)
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
    details: Details,
    status: int,
    headers: Mapping[str, str],
    target: Target,
    body: bytes,
) -> LLMError:
    words = details.words
    said = details.message[: 2 * BODY_LIMIT]  # what is behind that can only cost time
    kind = (
        QuotaExceededError
        if details.is_used_up
        else error_kind(words, said, status, target, in_band=details.in_band)
    )
    wait = _wait(kind, details, {**details.headers, **headers})

    def masked(word: str | None) -> str | None:
        return None if word is None else redact(word, target.secrets)

    message = masked(said) or ""
    is_about_key = status == 401 or re.search(_KEY_WORDS, message, re.IGNORECASE) is not None
    lead = _lead(kind, status, target, is_about_key=is_about_key)
    # An error inside a stream follows a status that says nothing.
    text = f"{lead}{'' if status == 200 else f' ({status})'}: {message[:MESSAGE_LIMIT]}"
    hint = _hint(kind, said, target, wait, is_about_key=is_about_key)
    request_id = masked(_request_id(headers, details))
    if not issubclass(kind, LLMAPIError):
        error = kind(text, hint=hint)
        error.provider, error.model, error.status = target.provider.name, target.model, status
        error.request_id, error.retry_after = request_id, wait
        return error
    return kind(
        text,
        hint=hint,
        status=status,
        code=masked(details.code),
        type=masked(details.type),
        param=masked(details.param),
        request_id=request_id,
        retry_after=wait,
        provider=target.provider.name,
        model=target.model,
        retryable=is_retryable(kind, words, status, headers),
        body=_shown_body(body, target),
    )


def _wait(kind: type[LLMError], details: Details, headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an error asks to wait: what is said outright before what follows."""
    asked = retry_after_seconds(headers)
    if asked is None:
        asked = details.retry_after
    if asked is None and kind is RateLimitError and may_be_used_up(headers):
        from ..wire.rate_headers import renewal_seconds

        asked = renewal_seconds(headers)
    return asked


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
_KEY_WORDS = r"\b(api[ _-]?key|key|token|credential)s?\b"


def _lead(kind: type[LLMError], status: int, target: Target, *, is_about_key: bool) -> str:
    lead = _LEADS.get(kind, "{provider} answered with an error")
    if kind is AuthenticationError:
        if status == 401 and not target.api_key:
            lead = "{provider} wants a key"
        elif not is_about_key:
            lead = "{provider} does not allow this"
    return lead.format(provider=target.provider.name, model=target.model)


def _hint(
    kind: type[LLMError],
    said: str,
    target: Target,
    retry_after: float | None,
    *,
    is_about_key: bool,
) -> str | None:
    if kind is RateLimitError and retry_after is not None:
        return f"It asks to wait {retry_after:g} s."
    if kind is AuthenticationError:
        names = " or ".join(target.provider.key_env) or target.provider.own_key_variable
        if is_about_key:
            name = target.provider.name
            return f"Put a valid key into {names}, or run `llm-client creds set {name}`."
        return f"The key for {target.provider.name} may not be allowed to do this."
    if kind is ModelNotFoundError and target.provider.fetch_model_command:
        return f"Fetch it with `{target.provider.fetch_model_command} {target.model}`."
    if kind is ValidationError and re.search(UNSUPPORTED_INPUT, said, re.IGNORECASE):
        return "Name a model that takes it, or leave it out."
    return _HINTS.get(kind)


_HINTS: dict[type[LLMError], str] = {
    ContentFilterError: "Say it in other words, or ask another model.",
    ContextLengthError: "Send less, or name a model with a larger window.",
    LLMServiceError: "Try again later; a `fallback` in the profile steps in by itself.",
    ModelNotFoundError: "Name another; `LLMClient.list_models()` tells which there are.",
    QuotaExceededError: "Look at plan and billing there, or name another provider.",
}
"""What to do next, where that does not depend on more."""


def _request_id(headers: Mapping[str, str], details: Details) -> str | None:
    """Return the id that the provider's support asks for."""
    found = [headers.get(name) for name in _REQUEST_ID_HEADERS]
    found += [details.request_id, *(headers.get(name) for name in _PROXY_ID_HEADERS)]
    return next((id for id in found if id), None)


def _shown_body(body: bytes, target: Target) -> str | None:
    # Masked before it is cut: half a key at the end would not be recognised.
    text = body[: 2 * BODY_LIMIT].decode("utf-8", "replace")
    return redact(text, target.secrets)[:BODY_LIMIT] or None

"""What an error answer says, and the error that it is.

Owns the reading of the many shapes that providers give their errors; which class of error their
words and status mean stands in `error_kinds`. What a message says about a key is masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
from ..wire.headers import may_be_used_up, retry_after_seconds
from ..wire.jsontext import parse_json
from .error_kinds import UNSUPPORTED_INPUT, error_kind, is_address_missing, is_retryable

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
_REQUEST_ID_FIELDS = ("request_id", "requestId")
_ERROR_STATUS = r"[45][0-9]{2}"


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
    reasons: tuple[str, ...] = ()
    """Words that tell more than code and type do."""
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of whoever answered behind it: OpenRouter puts the limits of its free models here."""

    @property
    def words(self) -> tuple[str, ...]:
        """Everything to classify by, the most telling first."""
        return (*self.reasons, *(word for word in (self.code, self.type) if word))


def answer_error(head: Head, body: bytes, target: Target) -> LLMError:
    """Return the error that an answer with an error status means."""
    details = _read(body)
    error = _build(details, head.status, head.headers, target, body)
    if not details.in_band and head.status == 404 and type(error) is LLMAPIError:
        error.hint = (
            f"Nothing answers at {head.url or target.base_url}: is the base URL right, and does the "
            f"server speak {target.provider.dialect} (`--dialect`)?"
        )
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
    words = details.words
    said = details.message[: 2 * BODY_LIMIT]  # what is behind that can only cost time
    kind = (
        QuotaExceededError
        if details.is_used_up
        else error_kind(words, said, status, target, in_band=details.in_band)
    )
    wait = _wait(kind, details, {**details.headers, **headers})

    def masked(word: str | None) -> str | None:
        return None if word is None else redact(word, (target.api_key, target.basic_auth))

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


def _wait(kind: type[LLMError], details: _Details, headers: Mapping[str, str]) -> float | None:
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
            return f"Put a valid key into {names}."
        return f"The key in {names} may not be allowed to do this."
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


def _request_id(headers: Mapping[str, str], details: _Details) -> str | None:
    """Return the id that the provider's support asks for."""
    found = [headers.get(name) for name in _REQUEST_ID_HEADERS]
    found += [details.request_id, *(headers.get(name) for name in _PROXY_ID_HEADERS)]
    return next((id for id in found if id), None)


def _shown_body(body: bytes, target: Target) -> str | None:
    # Masked before it is cut: half a key at the end would not be recognised.
    text = body[: 2 * BODY_LIMIT].decode("utf-8", "replace")
    return redact(text, (target.api_key, target.basic_auth))[:BODY_LIMIT] or None


def _read(body: bytes) -> _Details:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return _Details("no explanation was given.", in_band=False)
    if text.startswith("data:"):
        # LiteLLM puts an error into a stream also when its status says so (seen 2026-11).
        body = text.removeprefix("data:").partition("\n")[0].encode()
    try:
        value = parse_json(body)
    except ValueError:
        if text[:1] == "<":
            return _Details("an HTML page, not an error of an LLM server.", in_band=False)
        return _Details(text, in_band=False)
    details = _details(value)
    return replace(details, in_band=False) if is_address_missing(details.message) else details


def _details(value: object) -> _Details:
    try:
        details = _from_json(value)
    except RecursionError:
        return _Details("an error nested too deeply to be read.", in_band=False)
    return replace(details, request_id=_request_id_in(value))


def _request_id_in(value: object) -> str | None:
    """Return the request id that a body has: beside its error or inside it."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    found = [value.get(name) for name in _REQUEST_ID_FIELDS]
    found += [inner.get(name) for name in _REQUEST_ID_FIELDS] if isinstance(inner, dict) else []
    if "choices" not in value and ("error" in value or "message" in value):
        found.append(value.get("id"))  # Cohere, Together; with choices it is the answer's id
    return next((id for id in found if isinstance(id, str) and id), None)


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
            return _Details(f"{place}: {text}" if place else text, param=place)
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
    # Databricks says `error_code`, text-generation-inference `error_type`.
    code = value.get("code", value.get("error_code"))
    kind = value.get("type", value.get("error_type"))
    status = value.get("status_code", code)
    match value.get("status"):
        case str(word) if kind is None:
            kind = word  # Google's word, beside the HTTP status as the code
        case int(number) if status is None:
            status = number  # NVIDIA and others, after RFC 9457
    retry_after, is_used_up = _google_details(value.get("details"))
    return _Details(
        message,
        code=None if code is None else str(code),
        # A flat event of OpenAI Responses is of type `error`.
        type=None if kind is None or kind == "error" else str(kind),
        param=value["param"] if isinstance(value.get("param"), str) else None,
        # LiteLLM writes it as a string.
        status=int(status) if re.fullmatch(_ERROR_STATUS, str(status)) else None,
        retry_after=retry_after,
        is_used_up=is_used_up,
        reasons=tuple(_reasons(value)),
        headers=_headers(value.get("metadata")),
    )


def _headers(metadata: object) -> dict[str, str]:
    match metadata:
        case {"headers": dict(headers)}:
            return {str(name).lower(): str(value) for name, value in headers.items()}
    return {}


def _reasons(value: Mapping[str, Any]) -> list[str]:
    """Return what tells more than code and type: it stands elsewhere at every provider."""
    reasons: list[str] = []
    match value.get("details"):
        case {"error_code": str(word)}:  # Anthropic
            reasons.append(word)
        case list(details):  # Google
            reasons += [
                detail["reason"]
                for detail in details
                if isinstance(detail, dict) and isinstance(detail.get("reason"), str)
            ]
    match value.get("innererror"):
        case {"code": str(word)}:  # Azure
            reasons.append(word)
    match value.get("metadata"):
        case {"flagged_input": _} | {"reasons": [_, *_]}:  # OpenRouter, on a 403
            reasons.append("content_filter")
    return reasons


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

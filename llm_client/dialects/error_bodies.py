"""What the body of an error answer says, whatever its shape.

Owns the reading of the many shapes that providers give their errors. What that means, and the error
that is made of it, is the business of `errors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..wire.jsontext import parse_json
from .error_kinds import is_address_missing

__all__ = ["Details", "read_body", "read_value"]

_REQUEST_ID_FIELDS = ("request_id", "requestId")
_ERROR_STATUS = r"[45][0-9]{2}"


@dataclass(frozen=True, slots=True)
class Details:
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


def read_body(body: bytes) -> Details:
    """Return what a body says; it need not be JSON."""
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return Details("no explanation was given.", in_band=False)
    if text.startswith("data:"):
        # LiteLLM puts an error into a stream also when its status says so (seen 2026-11).
        body = text.removeprefix("data:").partition("\n")[0].encode()
    try:
        value = parse_json(body)
    except ValueError:
        if text[:1] == "<":
            return Details("an HTML page, not an error of an LLM server.", in_band=False)
        return Details(text, in_band=False)
    details = read_value(value)
    return replace(details, in_band=False) if is_address_missing(details.message) else details


def read_value(value: object) -> Details:
    """Return what an error says that was JSON."""
    try:
        details = _from_json(value)
    except RecursionError:
        return Details("an error nested too deeply to be read.", in_band=False)
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


def _from_json(value: Any) -> Details:
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
            return Details(f"{place}: {text}" if place else text, param=place)
        case {"message": str() | dict()}:
            return _from_object(value)
        case str(text):
            return Details(text, in_band=False)
    return Details(json.dumps(value), in_band=False)


def _from_object(value: Mapping[str, Any]) -> Details:
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
    return Details(
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


def _unwrapped(message: Any) -> Details | None:
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

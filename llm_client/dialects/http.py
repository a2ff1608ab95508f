"""The HTTP request that every JSON dialect makes: address, headers, key, body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from .._version import __version__
from ..exceptions import ValidationError
from ..types.http import HttpRequest, Timeouts
from ..types.target import Target

__all__ = ["json_request"]

_USER_AGENT = f"llm_client/{__version__}"


def json_request(
    method: str,
    path: str,
    target: Target,
    body: Mapping[str, object] | None = None,
    *,
    stream: bool = False,
    stream_type: str = "text/event-stream",
) -> HttpRequest:
    """Return a request to `path` under the target's base URL, with its key as a Bearer token.

    A GET is a quick question to the server: the wait for its first byte is no longer than the
    silence that an answer may have.

    Raises:
        ValidationError: the body has something that JSON cannot say.
    """
    headers = [
        ("accept", stream_type if stream else "application/json"),
        ("user-agent", _USER_AGENT),
    ]
    encoded = None
    if body is not None:
        headers.append(("content-type", "application/json"))
        encoded = _encode(body)
    if target.api_key:
        headers.append(("authorization", f"Bearer {target.api_key.reveal()}"))
    return HttpRequest(
        method=method,
        url=target.base_url + path,
        headers=tuple(headers),
        body=encoded,
        timeouts=_quick(target.timeouts) if method == "GET" else target.timeouts,
        secret_headers=frozenset({"authorization"}),
    )


def _encode(body: Mapping[str, object]) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"The request cannot be written as JSON: {error}.") from error
    # A lone surrogate (from undecodable bytes of an argument) cannot be UTF-8.
    return text.encode("utf-8", "replace")


def _quick(timeouts: Timeouts) -> Timeouts:
    waits = [wait for wait in (timeouts.first_byte, timeouts.silence) if wait is not None]
    return replace(timeouts, first_byte=min(waits, default=None))

"""Answers with an error status: each that providers give, with each way to say when to come back.

Owns the bodies and headers by name. What a client must make of each stands in `oracle.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

from .bodies import BODIES
from .exchange import Exchange, Headers, send

__all__ = ["STATUSES", "Status"]


@dataclass(frozen=True)
class Status:
    """One such answer."""

    code: int
    kind: str = "error"
    message: str = "no"
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of the error; with them it has OpenAI's form, whoever answers."""
    headers: Callable[[], Headers] = lambda: ()
    page: bool = False
    """Whether a web page comes instead of an error."""

    def __call__(self, x: Exchange) -> bool:
        bodies = BODIES["openai-chat"] if self.more else x.bodies
        body, kind = bodies.error(self.kind, self.message, **self.more), "application/json"
        if self.page:
            body, kind = b"<html><body>An error page.</body></html>", "text/html"
        return send(x, [body], kind, status=self.code, headers=self.headers())


def _with(**headers: str) -> Callable[[], Headers]:
    found = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda: found


def _date(ahead: float) -> Callable[[], Headers]:
    """Return the headers that ask to wait until a date so many seconds from now."""

    def headers() -> Headers:
        now = int(time.time())
        return [
            ("Date", formatdate(now, usegmt=True)),
            ("Retry-After", formatdate(now + ahead, usegmt=True)),
        ]

    return headers


def _google(*details: dict[str, Any]) -> dict[str, Any]:
    return {"status": "RESOURCE_EXHAUSTED", "details": json.loads(json.dumps(details))}


def _limited(headers: Callable[[], Headers] = lambda: (), **more: Any) -> Status:
    return Status(429, "rate_limit_error", "Slow down", more, headers)


STATUSES: Final[dict[str, Status]] = {
    "400": Status(400, "invalid_request_error"),
    "400-context": Status(400, "invalid_request_error", "The prompt is too long: 9 > 8"),
    "400-do-retry": Status(400, "odd_error", headers=_with(x_should_retry="true")),
    "400-filter": Status(400, more={"code": "content_policy_violation"}),
    "400-stream-options": Status(
        400, more={"param": "stream_options"}, message="Unknown parameter: 'stream_options'"
    ),
    "401": Status(401, "authentication_error"),
    "402": Status(402, "billing_error"),
    "403": Status(403, "permission_error"),
    "404-model": Status(404, "not_found_error", "The model is not there"),
    "404-page": Status(404, page=True),
    "408": Status(408, "timeout_error"),
    "409": Status(409, "conflict_error"),
    "413": Status(413, "request_too_large", "Too large"),
    "422": Status(422, "invalid_request_error"),
    "500": Status(500, "api_error"),
    "500-do-not-retry": Status(500, "api_error", headers=_with(x_should_retry="false")),
    "501": Status(501, "api_error"),
    "502-page": Status(502, page=True),
    "503": Status(503, "api_error"),
    "503-seconds": Status(503, "api_error", headers=_with(retry_after="0.02")),
    "503-huge": Status(503, "api_error", headers=_with(retry_after="1e9")),
    "504": Status(504, "api_error"),
    "529": Status(529, "overloaded_error"),
    "429": _limited(),
    "429-seconds": _limited(_with(retry_after="0.02")),
    "429-one-second": _limited(_with(retry_after="1")),
    "429-zero": _limited(_with(retry_after="0")),
    "429-milliseconds": _limited(_with(retry_after_ms="30", retry_after="600")),
    "429-date-past": _limited(_date(-3600)),
    "429-date-now": _limited(_date(0)),
    "429-date-soon": _limited(_date(1)),
    "429-date-far": _limited(_date(3600)),
    "429-retry-info": _limited(
        **_google(
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.04s"},
        )
    ),
    "429-reset": _limited(
        _with(x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="25ms")
    ),
    "429-nan": _limited(_with(retry_after="nan")),
    "429-infinite": _limited(_with(retry_after="inf")),
    "429-negative": _limited(_with(retry_after="-5")),
    "429-words": _limited(_with(retry_after="in a moment")),
    "429-half-a-minute": _limited(_with(retry_after="30")),
    "429-over-the-cap": _limited(_with(retry_after="121")),
    "429-huge": _limited(_with(retry_after="1e9")),
    "429-quota": _limited(code="insufficient_quota"),
    "429-quota-do-retry": _limited(
        _with(x_should_retry="true", retry_after="0.01"), code="insufficient_quota"
    ),
    "429-quota-of-the-day": _limited(
        **_google(
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.01s"},
        )
    ),
}
"""Answers with an error status, by name."""

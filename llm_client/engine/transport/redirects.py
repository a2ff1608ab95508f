"""Where a redirect leads, and what may be sent there. Pure.

Owns the policy: at most `MAX_REDIRECTS`; the method never changes; keys and cookies never leave
their origin; encryption is never given up. An API that answers a POST with 301 has moved: turning
that into a GET, as browsers do, would lose the prompt and say nothing about it.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit

from llm_client.exceptions import ConnectionError
from llm_client.types.http import HttpRequest
from llm_client.types.secret import redact

__all__ = ["MAX_REDIRECTS", "origin_shown", "redirected"]

MAX_REDIRECTS = 5

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ALWAYS_SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


def origin_shown(url: str) -> str:
    """Return scheme, host and port of `url`: what a message may show of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"
    if not parts.scheme and not parts.netloc:
        return parts.path  # no URL at all: show what was given
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def redirected(request: HttpRequest, status: int, location: str | None) -> HttpRequest | None:
    """Return the request that follows a redirect, `None` when the answer is not one.

    Raises:
        ConnectionError: The redirect must not be followed.
    """
    if status not in (301, 302, 303, 307, 308) or not location:
        return None
    origin = origin_shown(request.url)
    try:
        url = urljoin(request.url, location)
        old, new = urlsplit(request.url), urlsplit(url)
        same = _same_origin(old, new)
    except ValueError:
        raise ConnectionError(
            f"{origin} redirects to {redact(location, request.secrets())!r}, which is no URL.",
            retryable=False,
        ) from None
    shown = redact(f"{origin_shown(url)}{new.path}", request.secrets())
    if new.scheme not in _DEFAULT_PORTS or not new.hostname:
        raise ConnectionError(
            f"{origin} redirects to {shown}, which is not a web address.", retryable=False
        )
    if old.scheme == "https" and new.scheme == "http":
        raise ConnectionError(
            f"{origin} redirects to {shown}, which is not encrypted; this is not followed.",
            retryable=False,
        )
    if request.method not in ("GET", "HEAD") and status not in (307, 308):
        raise ConnectionError(
            f"{origin} answered {request.method} with {status}: it has moved to {shown}.",
            hint=f"Set the provider's `base_url` to the new address under {origin_shown(url)}.",
            retryable=False,
        )
    if same:
        return replace(request, url=url)
    dropped = request.secret_headers | _ALWAYS_SECRET
    kept = tuple(
        (name, value)
        for name, value in request.headers
        if name.lower() not in dropped and name.lower() != "host"
    )
    return replace(request, url=url, headers=kept)


def _same_origin(old: SplitResult, new: SplitResult) -> bool:
    """Tell whether keys may go along; an upgrade to https on the default ports counts as the same."""
    old_port = old.port or _DEFAULT_PORTS.get(old.scheme)
    new_port = new.port or _DEFAULT_PORTS.get(new.scheme)
    if old.hostname != new.hostname:
        return False
    upgrade = (old.scheme, new.scheme) == ("http", "https") and (old_port, new_port) == (80, 443)
    return upgrade or (old.scheme, old_port) == (new.scheme, new_port)

"""The HTTP request that every JSON dialect makes: address, headers, key, body."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO

from ..exceptions import ValidationError
from ..types.http import HttpRequest, Timeouts
from ..types.long_text import LongText
from ..types.target import Target

__all__ = ["json_request"]

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SECRET_WORDS = ("auth", "cookie", "key", "secret", "token")
"""In the name of a header: it may carry a key, whoever adds it."""
_LONG_TEXT = 1 << 20
"""Characters. A longer text is encoded in pieces: in one go it is copied three times."""


def json_request(
    method: str,
    path: str,
    target: Target,
    body: Mapping[str, object] | None = None,
    *,
    stream: bool = False,
    stream_type: str = "text/event-stream",
    key_header: str = "",
    headers: tuple[tuple[str, str], ...] = (),
) -> HttpRequest:
    """Return a request to `path` under the target's base URL, with its key.

    A GET is a quick question to the server: the wait for its first byte is no longer than the
    silence that an answer may have.

    Args:
        method: of HTTP.
        path: put behind the base URL; may have a query of its own.
        target: who is asked.
        body: JSON; `None` sends none.
        stream: whether the answer is wanted piece by piece.
        stream_type: media type of such an answer.
        key_header: the dialect's own, below the provider's row; empty: a Bearer token.
        headers: the dialect's own; those of the target go over them.

    Raises:
        ValidationError: the body has something that JSON cannot say.
    """
    sent = {"accept": stream_type if stream else "application/json"}
    encoded = None
    if body is not None:
        sent["content-type"] = "application/json"
        encoded = _encode(body)
    sent.update(headers)
    sent.update((name.lower(), value) for name, value in target.headers)
    key_header = _add_key(sent, target, key_header)
    url = target.base_url + path
    if target.query:
        url += ("&" if "?" in path else "?") + target.query
    return HttpRequest(
        method=method,
        url=url,
        headers=tuple(sent.items()),
        body=encoded,
        timeouts=_waits(method, target.timeouts, stream=stream),
        secret_headers=target.secret_headers.union(
            name for name in sent if name == key_header or any(map(name.count, _SECRET_WORDS))
        ),
    )


def _add_key(sent: dict[str, str], target: Target, key_header: str) -> str:
    """Add the key to the headers; return the name of the header that has it."""
    row = target.provider
    own = dict(row.dialect_key_headers).get(row.dialect) or row.key_header
    name = (own or key_header or "authorization").lower()
    if target.api_key:
        key = target.api_key.reveal()
        sent[name] = f"Bearer {key}" if name == "authorization" else key
    elif target.basic_auth:
        pair = target.basic_auth.reveal().encode("utf-8", "replace")
        sent["authorization"] = f"Basic {b64encode(pair).decode('ascii')}"
    return name


def _encode(body: Mapping[str, object]) -> bytes:
    """Return the body as JSON: one copy of it in memory beside the texts that it is made of."""
    try:
        if not _has_long_text(body):
            return _utf8(_JSON.encode(body))
        file = BytesIO()
        for piece in _pieces(body):
            file.write(_utf8(piece))
        return file.getvalue()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"The request cannot be written as JSON: {error}.") from error


def _utf8(text: str) -> bytes:
    # A lone surrogate (from undecodable bytes of an argument) cannot be UTF-8.
    return text.encode("utf-8", "replace")


def _has_long_text(value: object) -> bool:
    if isinstance(value, str):
        return len(value) > _LONG_TEXT
    if isinstance(value, LongText):
        return True
    if isinstance(value, dict):
        return any(map(_has_long_text, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_long_text, value))


def _pieces(value: object) -> Iterator[str]:
    """Yield the same JSON as the encoder's, a long text piece by piece."""
    if not _has_long_text(value):
        yield _JSON.encode(value)
    elif isinstance(value, str):
        yield '"'
        for start in range(0, len(value), _LONG_TEXT):
            yield _JSON.encode(value[start : start + _LONG_TEXT])[1:-1]
        yield '"'
    elif isinstance(value, LongText):
        yield '"'
        for piece in value.pieces:
            yield _JSON.encode(piece.decode())[1:-1]
        yield '"'
    elif isinstance(value, dict):
        separator = "{"
        for key, item in value.items():
            # The key as the encoder writes it, which need not be a text: `"key":`.
            yield separator + _JSON.encode({key: 0})[1:-2]
            yield from _pieces(item)
            separator = ","
        yield "}"
    elif isinstance(value, list | tuple):
        separator = "["
        for item in value:
            yield separator
            yield from _pieces(item)
            separator = ","
        yield "]"


def _waits(method: str, timeouts: Timeouts, *, stream: bool) -> Timeouts:
    if method == "GET":
        waits = [wait for wait in (timeouts.first_byte, timeouts.silence) if wait is not None]
        return replace(timeouts, first_byte=min(waits, default=None))
    return timeouts if stream else replace(timeouts, first_byte=timeouts.whole)

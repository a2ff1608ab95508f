"""Servers that are given a key, and what they do with it: from a plain answer to repeating it.

Owns one script per situation. All of them speak OpenAI's format; whoever refuses repeats everything
that was sent, as providers do (WIRE.md, section 11.22), with the password behind its base64.
"""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any, Final

from ..cli.program import answer, event, stream, text, whole
from ..support.fault_server import (
    Received,
    Script,
    Wire,
    close_before_head,
    cut_body,
    cut_head,
    garbage,
    raw,
    respond,
    say_nothing,
)

__all__ = ["ANSWERS", "SITUATIONS", "redirect"]

_JSON: Final = [("Content-Type", "application/json")]


def _answers(wire: Wire, request: Received) -> bool:
    return _script(request)(wire, request)


def _script(request: Received) -> Script:
    if request.path.endswith("/models"):
        rows = [{"id": name, "owned_by": "somebody"} for name in ("m", "other")]
        return respond(200, _JSON, json.dumps({"data": rows}).encode())
    if request.method == "GET":
        return respond(404, _JSON, b"{}")
    return answer("A word.") if json.loads(request.body).get("stream") else whole("A word.")


def _sent(request: Received) -> str:
    """Return everything that could be a key, as a careless server repeats it."""
    basic = request.headers.get("authorization", "").removeprefix("Basic ")
    with contextlib.suppress(ValueError):
        return f"{request.headers!r} {base64.b64decode(basic, validate=True).decode()}"
    return repr(request.headers)


def _echoing(status: int) -> Script:
    """Refuse, and repeat the key wherever an error has room for words."""

    def script(wire: Wire, request: Received) -> bool:
        key = request.headers.get("x-gate") or request.headers.get("authorization", "").split()[-1:]
        words = [_sent(request), *key] if isinstance(key, list) else [_sent(request), key]
        said = f"Incorrect API key provided: {' '.join(words)}"
        error = {"message": said, "type": said, "code": words[-1], "param": words[-1]}
        headers = [*_JSON, ("x-request-id", words[-1]), ("Set-Cookie", f"key={words[-1]}")]
        return respond(status, headers, json.dumps({"error": error}).encode())(wire, request)

    return script


def _echo_in_stream(wire: Wire, request: Received) -> bool:
    if request.method == "GET":
        return _answers(wire, request)
    failure: dict[str, Any] = {"error": {"message": f"no such key: {_sent(request)}"}}
    return stream(*text("par"), f"data: {json.dumps(failure)}\n\n".encode())(wire, request)


def _echo_as_garbage(wire: Wire, request: Received) -> bool:
    """An answer that is none, as of a proxy that shows the request."""
    page = f"<html><pre>{_sent(request)}</pre></html>".encode()
    return respond(200, [("Content-Type", "text/html")], page)(wire, request)


def _echo_in_status_line(wire: Wire, request: Received) -> bool:
    reason = " ".join(request.headers.get(name, "") for name in ("authorization", "x-gate"))
    return raw(f"HTTP/1.1 403 {reason}\r\nContent-Length: 0\r\n\r\n".encode())(wire, request)


def _echo_in_broken_head(wire: Wire, request: Received) -> bool:
    return raw(f"HTTP/1.1 200 OK\r\nX-\x00Seen: {_sent(request)}\r\n\r\n".encode())(wire, request)


def _cut_stream(wire: Wire, request: Received) -> bool:
    if request.method == "GET":
        return _answers(wire, request)
    body = event({"content": "half"}) + f": {_sent(request)}\n\n".encode()
    return cut_body(body, chunked=True)(wire, request)


def _cut_json(wire: Wire, request: Received) -> bool:
    return respond(200, _JSON, b'{"error": "' + _sent(request).encode())(wire, request)


def redirect(to: str, status: int = 307) -> Script:
    """Send every request on to another server, at the same path."""

    def script(wire: Wire, request: Received) -> bool:
        return respond(status, [("Location", f"{to}{request.path}")])(wire, request)

    return script


ANSWERS: Final[Script] = _answers

SITUATIONS: Final[dict[str, Script]] = {
    "answered": _answers,
    "refused-401": _echoing(401),
    "refused-403": _echoing(403),
    "refused-400": _echoing(400),
    "not-found": _echoing(404),
    "limited": _echoing(429),
    "broken": _echoing(500),
    "error-in-the-stream": _echo_in_stream,
    "page-that-repeats-it": _echo_as_garbage,
    "status-line-that-repeats-it": _echo_in_status_line,
    "head-that-repeats-it": _echo_in_broken_head,
    "json-cut-after-it": _cut_json,
    "cut-stream": _cut_stream,
    "cut-head": cut_head(),
    "hangs-up": close_before_head(),
    "no-http": garbage(),
}

SILENT: Final[Script] = say_nothing()

"""What the server does with one request: right, wrong, late, cut, or nothing at all.

Owns the faults by name. What a client must make of each stands in `oracle.py`, written from the
documents and not from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..support.fault_server import cut_head, garbage, raw, reset
from .bodies import BODIES
from .exchange import Behaviour, Exchange, send, send_broken
from .statuses import STATUSES

__all__ = ["BEHAVIOURS"]

BEHAVIOURS: Final[dict[str, Behaviour]] = {**STATUSES}
_LONGEST_SILENCE = 15.0
"""Seconds; a client that waits for longer does not follow the plan."""


def _named(name: str) -> Callable[[Behaviour], Behaviour]:
    def register(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = behaviour
        return behaviour

    return register


def _be_silent(x: Exchange) -> bool:
    """Wait until the client gives up; it always should."""
    x.wire.sock.settimeout(_LONGEST_SILENCE)
    x.wire.wait_for_hang_up()
    return False


# Right answers.


@_named("answer")
def _answer(x: Exchange) -> bool:
    return send(x, x.parts(), x.content_type)


@_named("answer-dripped")
def _answer_dripped(x: Exchange) -> bool:
    def drip(data: bytes) -> None:
        for index in range(len(data)):
            x.wire.send(data[index : index + 1])

    return send(x, x.parts(), x.content_type, one=drip)


@_named("answer-in-the-other-form")
def _answer_in_the_other_form(x: Exchange) -> bool:
    if x.stream:
        return send(x, [x.whole()], "application/json")
    return send(x, x.events(), x.bodies.content_type)


@_named("answer-mislabelled")
def _answer_mislabelled(x: Exchange) -> bool:
    return send(x, x.parts(), "text/plain; charset=utf-8")


@_named("answer-then-cut")
def _answer_then_cut(x: Exchange) -> bool:
    send_broken(x, x.parts())
    return False


# The connection fails.


@_named("reset-before-head")
def _reset_before_head(x: Exchange) -> bool:
    return reset()(x.wire, x.request)


@_named("close-before-head")
def _close_before_head(x: Exchange) -> bool:
    return False


@_named("cut-in-head")
def _cut_in_head(x: Exchange) -> bool:
    return cut_head()(x.wire, x.request)


@_named("no-http")
def _no_http(x: Exchange) -> bool:
    return garbage()(x.wire, x.request)


@_named("no-http-at-all")
def _no_http_at_all(x: Exchange) -> bool:
    return raw(b'{"error": "this server speaks in riddles"}\n')(x.wire, x.request)


@_named("silence")
def _silence(x: Exchange) -> bool:
    return _be_silent(x)


@_named("reset-behind-head")
def _reset_behind_head(x: Exchange) -> bool:
    send_broken(x, [])
    return reset()(x.wire, x.request)


@_named("close-behind-head")
def _close_behind_head(x: Exchange) -> bool:
    send_broken(x, [])
    return False


@_named("silence-behind-head")
def _silence_behind_head(x: Exchange) -> bool:
    send_broken(x, [])
    return _be_silent(x)


@_named("reset-in-body")
def _reset_in_body(x: Exchange) -> bool:
    send_broken(x, x.first_parts())
    # A reset throws away what the client has not read yet.
    x.wait_until_shown(x.step.sent)
    return reset()(x.wire, x.request)


@_named("close-in-body")
def _close_in_body(x: Exchange) -> bool:
    send_broken(x, x.first_parts())
    return False


@_named("silence-in-body")
def _silence_in_body(x: Exchange) -> bool:
    send_broken(x, x.first_parts())
    return _be_silent(x)


# The connection is well, the answer is not.


@_named("ends-early")
def _ends_early(x: Exchange) -> bool:
    return send(x, x.first_parts(), x.content_type)


@_named("length-too-short")
def _length_too_short(x: Exchange) -> bool:
    first, parts = b"".join(x.first_parts()), b"".join(x.parts())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {x.content_type}\r\nContent-Length: {len(first)}"
    x.wire.send(f"{head}\r\n\r\n".encode() + parts)
    return True  # what is too much must not be taken for the next answer


@_named("200-empty")
def _empty(x: Exchange) -> bool:
    return send(x, [], x.content_type)


@_named("200-html")
def _html(x: Exchange) -> bool:
    return send(x, [b"<!DOCTYPE html><h1>Welcome to the hotel</h1>"], "text/html")


@_named("200-no-json")
def _no_json(x: Exchange) -> bool:
    return send(x, [b"it works!\n"], "application/json")


@_named("200-other-json")
def _other_json(x: Exchange) -> bool:
    return send(x, [b'{"hello": "world"}\n'], "application/json")


@_named("200-torn-event")
def _torn_event(x: Exchange) -> bool:
    parts = x.first_parts() if x.stream else []
    torn = b'{"choices": [{"delta\n' if x.bodies is BODIES["ollama"] else b'data: {"choi\n\n'
    return send(x, [*parts, torn, torn], x.content_type)


def _in_band(kind: str, message: str) -> Behaviour:
    def behaviour(x: Exchange) -> bool:
        if not x.stream:
            return send(x, [x.bodies.error(kind, message)], "application/json")
        return send(x, [*x.first_parts(), x.bodies.error_event(kind, message)], x.content_type)

    return behaviour


BEHAVIOURS["in-band-overloaded"] = _in_band("overloaded_error", "Overloaded")
BEHAVIOURS["in-band-rate-limit"] = _in_band("rate_limit_error", "Too many tokens")
BEHAVIOURS["in-band-invalid"] = _in_band("invalid_request_error", "No such thing")

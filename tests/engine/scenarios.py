"""What can happen to a call, as a table: one script, played by fakes and by a real server.

Owns the scenarios and what must come of them. How a script is played is the business of
`scripted.py` (fakes on a fake clock) and of `test_parity_network.py` (loopback).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from llm_client.types.config import RetrySettings

__all__ = [
    "SCENARIOS",
    "Answer",
    "Cut",
    "Expected",
    "Interrupt",
    "Refused",
    "Scenario",
    "Wait",
    "event",
    "sse",
    "whole",
]


@dataclass(frozen=True)
class Cut:
    """The connection dies."""


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C, or the cancellation of the task."""


@dataclass(frozen=True)
class Wait:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Refused:
    """Nothing listens at the target."""


Piece: TypeAlias = bytes | Cut | Interrupt | Wait


@dataclass(frozen=True)
class Answer:
    """One answer: what each read brings, and then the end of the body."""

    pieces: tuple[Piece, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream"),)


Opening: TypeAlias = Answer | Refused | Interrupt
"""What comes of sending one request."""


@dataclass(frozen=True)
class Expected:
    """What the caller and the books must see."""

    outcomes: tuple[str, ...]
    """Of the attempts, in order: `outcome` or `outcome:ErrorType`."""
    content: str | None = None
    """The answer; `None` when an error leaves instead."""
    error: str | None = None
    """The type of the error; `interrupt` is Ctrl-C or cancellation."""
    partial: str = ""
    deltas: tuple[str, ...] = ()
    """The texts shown while streaming."""
    retry_count: int = 0
    fallback_provider: str | None = None
    events: tuple[str, ...] = ()
    """Types of the events besides the attempts' records."""


@dataclass(frozen=True)
class Scenario:
    """One call and its fate."""

    name: str
    openings: tuple[Opening, ...]
    expected: Expected
    stream: bool = True
    targets: int = 1
    retry: RetrySettings = field(
        default_factory=lambda: RetrySettings(max_retries=2, delay=0.02, max_delay=0.02)
    )
    deadline: float | None = None
    break_after: int | None = None
    """Stop listening after so many chunks with text."""
    interrupt_sleep: bool = False
    """Interrupt the first pause before a retry."""


def event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def _delta(text: str) -> bytes:
    return event({"id": "r1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]})


_FINISH = event({"id": "r1", "model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]})
_USAGE = event(
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
)
_DONE = b"data: [DONE]\n\n"
_ROLE = event({"id": "r1", "model": "m", "choices": [{"delta": {"role": "assistant"}}]})
_OVERLOADED = event({"error": {"message": "busy", "type": "overloaded_error"}})


def sse(*texts: str) -> Answer:
    """Return a complete stream of these texts."""
    return Answer((_ROLE, *map(_delta, texts), _FINISH, _USAGE, _DONE))


def whole(text: str, finish_reason: str = "stop") -> Answer:
    """Return a complete answer in one piece of JSON."""
    message = {"role": "assistant", "content": text}
    body = {"id": "r1", "model": "m", "choices": [{"message": message}]}
    body["choices"][0]["finish_reason"] = finish_reason  # type: ignore[index]
    return Answer((json.dumps(body).encode(),), headers=(("content-type", "application/json"),))


def _failure(status: int, kind: str = "error", **headers: str) -> Answer:
    body = json.dumps({"error": {"message": "no", "type": kind}}).encode()
    extra = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer((body,), status, (("content-type", "application/json"), *extra))


_HELLO = Expected(("ok",), content="Hello", deltas=("Hel", "lo"))

SCENARIOS: Final = (
    Scenario("streamed", (sse("Hel", "lo"),), _HELLO),
    Scenario(
        "streamed-to-a-body-that-ends-without-DONE",
        (Answer((_delta("Hel"), _delta("lo"), _FINISH)),),
        _HELLO,
    ),
    Scenario("whole", (whole("Hello"),), Expected(("ok",), content="Hello"), stream=False),
    Scenario(
        "whole-although-a-stream-was-asked-for",
        (whole("Hello"),),
        Expected(("ok",), content="Hello", deltas=("Hello",)),
    ),
    Scenario(
        "streamed-although-a-whole-answer-was-asked-for",
        (sse("Hel", "lo"),),
        Expected(("ok",), content="Hello"),
        stream=False,
    ),
    Scenario(
        "retry-after-503",
        (_failure(503), _failure(503), sse("Hel", "lo")),
        Expected(
            ("error:LLMServiceError", "error:LLMServiceError", "ok"),
            content="Hello",
            deltas=("Hel", "lo"),
            retry_count=2,
            events=("Retrying", "Retrying"),
        ),
    ),
    Scenario(
        "retry-after-429-with-retry-after",
        (_failure(429, retry_after="0.05"), whole("Hello")),
        Expected(
            ("error:RateLimitError", "ok"), content="Hello", retry_count=1, events=("Retrying",)
        ),
        stream=False,
    ),
    Scenario(
        "retries-used-up",
        (_failure(503), _failure(503), _failure(503)),
        Expected(("error:LLMServiceError",) * 3, error="LLMServiceError", events=("Retrying",) * 2),
    ),
    Scenario(
        "retry-after-beyond-the-cap-is-not-waited-for",
        (_failure(429, retry_after="121"),),
        Expected(("error:RateLimitError",), error="RateLimitError"),
    ),
    Scenario(
        "bad-key-is-final",
        (_failure(401, "invalid_api_key"),),
        Expected(("error:AuthenticationError",), error="AuthenticationError"),
    ),
    Scenario(
        "refused-is-not-retried",
        (Refused(),),
        Expected(("error:ConnectionError",), error="ConnectionError"),
    ),
    Scenario(
        "cut-before-content-is-retried",
        (Answer((_ROLE, Cut())), sse("Hel", "lo")),
        Expected(
            ("error:ConnectionError", "ok"),
            content="Hello",
            deltas=("Hel", "lo"),
            retry_count=1,
            events=("Retrying",),
        ),
    ),
    Scenario(
        "cut-after-content-is-not-retried",
        (Answer((_delta("Hel"), Cut())),),
        Expected(
            ("error:StreamInterruptedError",),
            error="StreamInterruptedError",
            partial="Hel",
            deltas=("Hel",),
        ),
        targets=2,
    ),
    Scenario(
        "whole-answer-that-is-cut-is-retried",
        (Answer((b'{"choices": [', Cut()), headers=whole("").headers), whole("Hello")),
        Expected(
            ("error:ConnectionError", "ok"), content="Hello", retry_count=1, events=("Retrying",)
        ),
        stream=False,
    ),
    Scenario(
        "early-end-after-content-is-not-retried",
        (Answer((_delta("Hel"),)),),
        Expected(
            ("error:StreamInterruptedError",),
            error="StreamInterruptedError",
            partial="Hel",
            deltas=("Hel",),
        ),
    ),
    Scenario(
        "error-in-the-stream-before-content-is-retried",
        (Answer((_ROLE, _OVERLOADED)), sse("Hel", "lo")),
        Expected(
            ("error:LLMServiceError", "ok"),
            content="Hello",
            deltas=("Hel", "lo"),
            retry_count=1,
            events=("Retrying",),
        ),
    ),
    Scenario(
        "error-in-the-stream-after-content-is-final",
        (Answer((_delta("Hel") + _OVERLOADED,)),),
        Expected(
            ("error:LLMServiceError",), error="LLMServiceError", partial="Hel", deltas=("Hel",)
        ),
        targets=2,
    ),
    Scenario(
        "withheld-answer-is-final",
        (whole("Hel", "content_filter"),),
        Expected(("error:ContentFilterError",), error="ContentFilterError", partial="Hel"),
        stream=False,
        targets=2,
    ),
    Scenario(
        "fallback-over-three-targets",
        (Refused(), _failure(401), sse("Hel", "lo")),
        Expected(
            ("error:ConnectionError", "error:AuthenticationError", "ok"),
            content="Hello",
            deltas=("Hel", "lo"),
            retry_count=2,
            fallback_provider="p2",
            events=("FallingBack", "FallingBack"),
        ),
        targets=3,
    ),
    Scenario(
        "fallback-after-the-retries",
        (_failure(500), _failure(500), _failure(500), whole("Hello")),
        Expected(
            (*("error:LLMServiceError",) * 3, "ok"),
            content="Hello",
            retry_count=3,
            fallback_provider="p1",
            events=("Retrying", "Retrying", "FallingBack"),
        ),
        stream=False,
        targets=2,
    ),
    Scenario(
        "refused-request-does-not-fall-back",
        (_failure(400, "invalid_request_error"),),
        Expected(("error:ValidationError",), error="ValidationError"),
        targets=2,
    ),
    Scenario(
        "every-target-fails",
        (_failure(401), _failure(402)),
        Expected(
            ("error:AuthenticationError", "error:QuotaExceededError"),
            error="QuotaExceededError",
            events=("FallingBack",),
        ),
        targets=2,
    ),
    Scenario(
        "deadline-leaves-no-time-for-the-pause",
        (_failure(429, retry_after="30"),),
        Expected(("error:RateLimitError",), error="TimeoutError"),
        deadline=5.0,
    ),
    Scenario(
        "deadline-too-early-for-the-pause-falls-back",
        (_failure(429, retry_after="30"), sse("Hel", "lo")),
        Expected(
            ("error:RateLimitError", "ok"),
            content="Hello",
            deltas=("Hel", "lo"),
            retry_count=1,
            fallback_provider="p1",
            events=("FallingBack",),
        ),
        deadline=5.0,
        targets=2,
    ),
    Scenario(
        "deadline-in-a-read-before-content",
        (Answer((_ROLE, Wait(5.0), _delta("Hel"))),),
        Expected(("error:TimeoutError",), error="TimeoutError"),
        deadline=0.25,
        targets=2,
    ),
    Scenario(
        "deadline-in-a-read-after-content",
        (Answer((_delta("Hel"), Wait(5.0), _delta("lo"))),),
        Expected(("error:TimeoutError",), error="TimeoutError", partial="Hel", deltas=("Hel",)),
        deadline=0.25,
    ),
    Scenario(
        "interrupt-in-open",
        (Interrupt(),),
        Expected(("interrupted:interrupt",), error="interrupt"),
        targets=2,
    ),
    Scenario(
        "interrupt-in-read-before-content",
        (Answer((_ROLE, Interrupt())),),
        Expected(("interrupted:interrupt",), error="interrupt"),
        targets=2,
    ),
    Scenario(
        "interrupt-in-read-after-content",
        (Answer((_delta("Hel"), Interrupt())),),
        Expected(("interrupted:interrupt",), error="interrupt", deltas=("Hel",)),
    ),
    Scenario(
        "interrupt-in-a-whole-answer",
        (Answer((b'{"choices": [', Interrupt()), headers=whole("").headers),),
        Expected(("interrupted:interrupt",), error="interrupt"),
        stream=False,
    ),
    Scenario(
        "interrupt-in-sleep",
        (_failure(503, retry_after="20"),),
        Expected(("error:LLMServiceError",), error="interrupt", events=("Retrying",)),
        interrupt_sleep=True,
        targets=2,
    ),
    Scenario(
        "abandoned-after-the-first-text",
        (Answer((_delta("Hel"), _delta("lo"), Wait(20.0))),),
        Expected(("abandoned:Abandoned",), deltas=("Hel",)),
        break_after=1,
        targets=2,
    ),
    Scenario(
        "abandoned-inside-one-piece",
        (Answer((_delta("Hel") + _delta("lo"), Wait(20.0))),),
        Expected(("abandoned:Abandoned",), deltas=("Hel",)),
        break_after=1,
    ),
    Scenario(
        "abandoned-after-a-retry",
        (_failure(503), Answer((_delta("Hel"), Wait(20.0)))),
        Expected(
            ("error:LLMServiceError", "abandoned:Abandoned"), deltas=("Hel",), events=("Retrying",)
        ),
        break_after=1,
    ),
)

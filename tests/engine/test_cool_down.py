"""A provider that failed a moment ago is passed over by calls that have another choice."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.engine.cool_down import CoolDowns
from llm_client.exceptions import (
    AuthenticationError,
    ConnectionError,
    LLMError,
    LLMServiceError,
)
from llm_client.types.config import RetrySettings
from llm_client.types.events import FallingBack
from llm_client.types.secret import Secret

from .scenarios import Answer, Cut, Expected, Opening, Refused, Scenario, Wait, event, sse
from .scripted import Played, play_async, play_sync, target

BAD_KEY = Answer((b'{"error": {"code": "invalid_api_key"}}',), 401)
BUSY = Answer((b"{}",), 503)
SLOW_DOWN = Answer((b"{}",), 429)
NO_QUOTA = Answer((b"{}",), 402)
REFUSED = Answer((b"{}",), 400)
SILENT = Answer((Wait(1e9),))


def after(seconds: str, status: int = 503) -> Answer:
    return Answer((b"{}",), status, (("retry-after", seconds),))


class Calls:
    """Calls of one process, one after another."""

    def __init__(self, play: Callable[..., Played], *, stream: bool, targets: int = 2) -> None:
        self.play, self.stream, self.targets = play, stream, targets
        self.cool_downs = CoolDowns()
        self.now = 100.0

    def __call__(self, *openings: Opening, **fields: Any) -> Played:
        one = fields.pop("targets", self.targets)
        deadline, retries = fields.pop("deadline", None), fields.pop("retries", 0)
        scenario = Scenario(
            "",
            openings,
            Expected(()),
            stream=self.stream,
            targets=one,
            deadline=deadline,
            retry=RetrySettings(max_retries=retries),
        )
        return self.play(scenario, now=self.now, cool_downs=self.cool_downs, **fields)

    def later(self, seconds: float) -> Calls:
        self.now += seconds
        return self


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Callable[..., Played]:
    return play_sync if request.param == "sync" else play_async


@pytest.fixture(params=["whole", "streamed"])
def calls(request: pytest.FixtureRequest, play: Callable[..., Played]) -> Calls:
    return Calls(play, stream=request.param == "streamed")


def asked(played: Played) -> list[str]:
    return [request.url.split("/")[2].removesuffix(".test") for request in played.requests]


def switches(played: Played) -> list[tuple[str, str, str]]:
    return [
        (event.failed, event.next, type(event.error).__name__)
        for event in played.events
        if isinstance(event, FallingBack)
    ]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        pytest.param(BAD_KEY, "AuthenticationError", id="key"),
        pytest.param(Refused(), "ConnectionError", id="refused"),
        pytest.param(BUSY, "LLMServiceError", id="down"),
        pytest.param(NO_QUOTA, "QuotaExceededError", id="quota"),
        pytest.param(after("121", 429), "RateLimitError", id="asks-for-more-than-is-waited"),
    ],
)
def test_provider_that_failed_is_not_asked_again_for_a_minute(
    calls: Calls, failure: Opening, kind: str
) -> None:
    first = calls(failure, sse("a"))
    second = calls.later(59.9)(sse("b"))

    assert asked(first) == ["p0", "p1"]
    assert asked(second) == ["p1"]
    for played in (first, second):
        assert played.response is not None
        assert played.response.used_fallback
        assert played.response.fallback_provider == "p1"
        assert switches(played) == [("p0/m", "p1/m", kind)]
    assert second.response is not None
    assert (second.response.attempts, second.response.retry_count) == (1, 0)
    assert [(record.attempt, record.fallback) for record in second.records] == [(1, 1)]


def test_provider_is_asked_again_after_the_cool_down(calls: Calls) -> None:
    calls(BUSY, sse("a"))
    later = calls.later(60.0)(sse("b"))

    assert asked(later) == ["p0"]
    assert switches(later) == []
    assert later.response is not None
    assert not later.response.used_fallback


def test_longer_retry_after_is_kept_to(calls: Calls) -> None:
    calls(after("300"), sse("a"))

    assert asked(calls.later(299.0)(sse("b"))) == ["p1"]
    assert asked(calls.later(1.0)(sse("b"))) == ["p0"]


@pytest.mark.parametrize(
    "failure",
    [SLOW_DOWN, after("20", 429), REFUSED, Answer((b"{}",), 404)],
    ids=["429", "429-short", "400", "404"],
)
def test_other_failures_are_not_remembered(calls: Calls, failure: Answer) -> None:
    calls(failure, sse("a"))

    assert asked(calls(sse("b"))) == ["p0"]


def test_success_ends_the_cool_down(calls: Calls) -> None:
    calls(BUSY, sse("a"))
    alone = calls(sse("b"), targets=1)
    after_it = calls(sse("c"))

    assert asked(alone) == asked(after_it) == ["p0"]


def test_failure_without_a_choice_is_not_remembered(calls: Calls) -> None:
    calls(BUSY, targets=1)

    assert asked(calls(sse("b"))) == ["p0"]


def test_only_target_is_asked_although_it_failed(calls: Calls) -> None:
    calls(BUSY, sse("a"))

    assert asked(calls(sse("b"), targets=1)) == ["p0"]


def test_all_that_failed_are_asked_in_order(calls: Calls) -> None:
    calls(BUSY, BAD_KEY)
    later = calls(BUSY, sse("b"))

    assert asked(later) == ["p0", "p1"]
    assert switches(later) == [("p0/m", "p1/m", "LLMServiceError")]


def test_passed_over_target_is_the_last_resort(calls: Calls) -> None:
    calls(BUSY, sse("a"))
    later = calls(Refused(), sse("b"))

    assert asked(later) == ["p1", "p0"]
    assert switches(later) == [
        ("p0/m", "p1/m", "LLMServiceError"),
        ("p1/m", "p0/m", "ConnectionError"),
    ]
    assert later.response is not None
    assert not later.response.used_fallback
    assert later.response.fallback_provider is None
    assert [record.fallback for record in later.records] == [1, 0]


def test_one_switch_leads_over_all_that_failed(play: Callable[..., Played]) -> None:
    calls = Calls(play, stream=True, targets=3)
    calls(BUSY, BAD_KEY, sse("a"))
    later = calls(sse("b"))

    assert asked(later) == ["p2"]
    assert switches(later) == [("p0/m", "p2/m", "LLMServiceError")]
    assert later.response is not None
    assert later.response.fallback_provider == "p2"
    assert [record.fallback for record in later.records] == [2]


def test_target_in_the_middle_is_passed_over(play: Callable[..., Played]) -> None:
    calls = Calls(play, stream=True, targets=3)
    calls.cool_downs.failed(target(1), LLMServiceError("down"), 500.0)
    later = calls(Refused(), sse("b"))

    assert asked(later) == ["p0", "p2"]
    assert switches(later) == [("p0/m", "p2/m", "ConnectionError")]


def test_deadline_that_ran_out_blames_nobody(calls: Calls) -> None:
    late = calls(SILENT, deadline=5.0)
    later = calls(sse("b"))

    assert type(late.error).__name__ == "TimeoutError"
    assert asked(later) == ["p0"]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(BUSY, "p1", id="down"),
        pytest.param(Answer((Cut(),)), "p1", id="broken-off"),
        pytest.param(SLOW_DOWN, "p0", id="429"),
    ],
)
def test_deadline_that_ran_out_after_a_failure_blames_who_failed(
    calls: Calls, first: Answer, expected: str
) -> None:
    late = calls(first, SILENT, deadline=5.0, retries=1)
    later = calls(sse("b"))

    assert type(late.error).__name__ == "TimeoutError"
    assert asked(later) == [expected]


def test_failure_in_the_middle_of_an_answer_is_not_remembered(play: Callable[..., Played]) -> None:
    calls = Calls(play, stream=True)
    busy = event({"error": {"message": "busy", "type": "overloaded_error"}})
    begun = calls(Answer((*sse("a").pieces[:2], busy)))

    assert type(begun.error).__name__ == "LLMServiceError"
    assert begun.deltas == ("a",)
    assert asked(calls(sse("b"))) == ["p0"]


def test_other_key_or_address_of_a_provider_is_not_passed_over() -> None:
    failures = CoolDowns()
    own = replace(target(), api_key=Secret("sk-one"))
    failures.failed(own, AuthenticationError("no"), 200.0)
    others = [
        replace(own, api_key=Secret("sk-two")),
        replace(own, api_key=None),
        replace(own, base_url="http://other.test/v1"),
        replace(own, basic_auth=Secret("user:password")),
        replace(own, provider=replace(own.provider, name="other")),
    ]

    for other in others:
        order, error = failures.order([own, other], 100.0)
        assert (order, str(error)) == ([1, 0], "no")
    same = replace(own, model="another", options={"a": 1})
    assert failures.order([own, same], 100.0) == ([0, 1], None)


def test_memory_shows_no_key() -> None:
    failures = CoolDowns()
    failures.failed(replace(target(), api_key=Secret("sk-one")), AuthenticationError(), 200.0)

    assert "sk-one" not in repr(vars(failures))


def test_memory_keeps_no_frames_and_no_answer_alive() -> None:
    class Big:
        pass

    failures = CoolDowns()

    def fail() -> weakref.ref[Big]:
        big = Big()
        try:
            try:
                raise OSError("below")
            except OSError as low:
                raise ConnectionError("why", hint="do", partial="secret answer") from low
        except ConnectionError as error:
            failures.failed(target(), error, 200.0)
            left.append(error.partial)
        return weakref.ref(big)

    left: list[str] = []
    gone = fail()
    gc.collect()

    assert left == ["secret answer"], "the error itself is left as it is"
    assert gone() is None
    _, error = failures.order([target(), target(1)], 100.0)
    assert isinstance(error, ConnectionError)
    assert (str(error), error.hint, error.partial) == ("why", "do", "")
    assert (error.__cause__, error.__context__, error.__traceback__) == (None, None, None)


def test_memory_is_bounded_and_forgets_the_oldest_first() -> None:
    failures = CoolDowns()
    keys = [replace(target(), api_key=Secret(f"key-{number}")) for number in range(1001)]
    for key in keys:
        failures.failed(key, LLMServiceError(), 200.0)

    assert failures.order([keys[0], target(1)], 100.0) == ([0, 1], None)
    assert failures.order([keys[1], target(1)], 100.0)[0] == [1, 0]
    assert failures.order([keys[-1], target(1)], 100.0)[0] == [1, 0]


def test_failure_known_already_pushes_no_other_out() -> None:
    failures = CoolDowns()
    keys = [replace(target(), api_key=Secret(f"key-{number}")) for number in range(1000)]
    for key in (*keys, keys[-1], keys[-1]):
        failures.failed(key, LLMServiceError(), 200.0)

    assert failures.order([keys[0], target(1)], 100.0)[0] == [1, 0]


def test_cleared_memory_passes_nobody_over() -> None:
    failures = CoolDowns()
    failures.failed(target(), LLMServiceError(), 200.0)
    failures.clear()

    assert failures.order([target(), target(1)], 100.0) == ([0, 1], None)


def test_threads_share_the_memory() -> None:
    failures = CoolDowns()
    route = [target(position) for position in range(4)]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(300):
                place = route[(number + turn) % len(route)]
                failures.failed(place, LLMServiceError(f"{turn}"), 200.0)
                order, _ = failures.order(route, 100.0)
                assert sorted(order) == [0, 1, 2, 3]
                failures.succeeded(place)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    assert failures.order(route, 100.0) == ([0, 1, 2, 3], None)


def test_error_of_every_kind_can_be_remembered() -> None:
    named = [getattr(exceptions, name) for name in exceptions.__all__]
    kinds = {kind for kind in named if issubclass(kind, LLMError)}
    failures = CoolDowns()
    assert len(kinds) > 15
    for kind in kinds:
        failures.failed(target(), kind("why"), 200.0)
        _, error = failures.order([target(), target(1)], 100.0)
        assert type(error) is kind

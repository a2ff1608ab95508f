"""What an attempt tells everybody about the limits of its provider, in the hands of the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from llm_client.engine.pipeline import Hooks
from llm_client.types.config import RetrySettings
from llm_client.types.events import AttemptRecord
from llm_client.types.target import Target

from .scenarios import Answer, Cut, Expected, Opening, Scenario, event, sse, whole
from .scripted import Played, play_async, play_sync, target

PLAYERS = [pytest.param(play_sync, id="sync"), pytest.param(play_async, id="async")]
USED_UP = (("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "30s"))
PLENTY = (("x-ratelimit-remaining-tokens", "9"), ("x-ratelimit-reset-tokens", "30s"))
UNTIL = (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000000040"))


def with_headers(answer: Answer, *headers: tuple[str, str]) -> Answer:
    return replace(answer, headers=(*answer.headers, *headers))


def failure(status: int, *headers: tuple[str, str], code: str = "") -> Answer:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    return Answer((body,), status, headers)


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize(
    ("opening", "pause"),
    [
        pytest.param(sse("a"), None, id="nothing-said"),
        pytest.param(with_headers(sse("a"), *USED_UP), 30.0, id="streamed"),
        pytest.param(with_headers(whole("a"), *USED_UP), 30.0, id="whole"),
        pytest.param(with_headers(sse("a"), *PLENTY), None, id="plenty-left"),
        pytest.param(with_headers(sse("a"), *UNTIL), 40.0, id="by-our-clock"),
        pytest.param(with_headers(sse("a"), ("retry-after", "9")), None, id="retry-after-on-200"),
        pytest.param(failure(429, ("retry-after", "9")), 9.0, id="429"),
        pytest.param(failure(429, *USED_UP), 30.0, id="429-by-its-limits"),
        pytest.param(failure(429, ("retry-after", "99999")), 3600.0, id="429-absurd"),
        pytest.param(failure(429), None, id="429-without-a-time"),
        pytest.param(
            failure(429, ("retry-after", "9"), code="insufficient_quota"), None, id="quota"
        ),
        pytest.param(failure(503, ("retry-after", "9")), 9.0, id="503"),
        pytest.param(failure(401, *USED_UP), None, id="other-error"),
        pytest.param(
            with_headers(Answer((event({"error": {"type": "overloaded_error"}}),)), *USED_UP),
            30.0,
            id="error-in-the-answer",
        ),
        pytest.param(with_headers(Answer((*sse("a").pieces[:2], Cut())), *USED_UP), 30.0, id="cut"),
    ],
)
def test_ledger_is_told_for_how_long_to_leave_a_provider_alone(
    play: Callable[..., Played], opening: Opening, pause: float | None
) -> None:
    told: list[tuple[str, float | None]] = []

    def settle(record: AttemptRecord, where: Target, pause: float | None) -> None:
        told.append((where.spec, pause))

    scenario = Scenario("", (opening,), Expected(()), retry=RetrySettings(max_retries=0))
    play(scenario, Hooks(settle=settle), wall_clock=lambda: 1_000_000_000.0)

    assert told == [("p0/m", pause)]


def test_pause_of_one_attempt_is_not_that_of_the_next() -> None:
    told: list[float | None] = []
    hooks = Hooks(settle=lambda record, where, pause: told.append(pause))
    cut = with_headers(Answer((Cut(),)), *USED_UP)

    played = play_sync(Scenario("", (cut, sse("a")), Expected(())), hooks)

    assert played.response is not None
    assert told == [30.0, None]


@pytest.mark.parametrize("play", PLAYERS)
def test_attempt_without_a_refused_field_is_counted_as_another(play: Callable[..., Played]) -> None:
    where = target()
    where = replace(where, provider=replace(where.provider, name="p"))
    refused = failure(400)
    refused = replace(refused, pieces=(b'{"error": {"message": "stream_options: no"}}',))

    played = play(Scenario("", (refused, sse("a")), Expected(())), route=[where])

    assert played.response is not None
    assert (played.response.attempts, played.response.retry_count) == (2, 1)
    assert [(r.attempt, r.retry, r.fallback) for r in played.records] == [(1, 0, 0), (2, 1, 0)]

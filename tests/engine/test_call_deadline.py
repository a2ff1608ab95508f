"""What the deadline of a call does to its waits, its retries and its errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_client.engine.exchange import Deadline
from llm_client.engine.pipeline import CallContext, run_call
from llm_client.exceptions import LLMServiceError, TimeoutError
from llm_client.types.events import AttemptRecord
from llm_client.types.http import Timeouts

from .calls import HELLO, PLAYERS, UNAVAILABLE, scenario
from .scenarios import Answer, Wait, sse, whole
from .scripted import Played, Stage, play_sync, sync_driver, target


@pytest.mark.parametrize("play", PLAYERS)
@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_deadline_that_is_over_at_the_start_sends_nothing(
    play: Callable[..., Played], seconds: float
) -> None:
    played = play(scenario(whole("late"), deadline=seconds))

    assert isinstance(played.error, TimeoutError)
    assert "before the first attempt" in str(played.error)
    assert played.requests == []


def test_deadline_bounds_every_wait_of_a_request() -> None:
    played = play_sync(scenario(whole("Hello"), deadline=2.0))

    assert played.requests[0].timeouts == Timeouts(2.0, 2.0, 2.0, total=2.0)
    assert [step for step in played.trace if step.startswith("Read")] == ["Read(2.0)"] * 2


def test_no_deadline_leaves_the_waits_of_the_target() -> None:
    played = play_sync(scenario(sse("Hello"), stream=True))

    assert played.requests[0].timeouts == Timeouts()
    assert "Read(None)" in played.trace


def test_deadline_bounds_waits_without_a_bound_of_their_own() -> None:
    deadline = Deadline(4.0, 10.0, lambda: 11.0)

    assert deadline.bound(Timeouts(None, None, 1.0)) == Timeouts(3.0, 3.0, 1.0, total=3.0)


def test_deadline_error_names_why_the_last_attempt_failed() -> None:
    busy = Answer((b'{"error": {"message": "busy"}}',), 503, (("retry-after", "60"),))
    played = play_sync(scenario(busy, deadline=5.0))

    assert isinstance(played.error, TimeoutError)
    assert str(played.error).startswith(
        "The deadline of 5 s leaves no time to try again after 1 attempt; the last one failed:"
    )
    assert "busy" in str(played.error)
    assert isinstance(played.error.__cause__, LLMServiceError)


def test_deadline_error_counts_the_attempts() -> None:
    silent = Answer((Wait(9.0),))
    played = play_sync(scenario(UNAVAILABLE, silent, deadline=1.0))

    assert str(played.error) == "The deadline of 1 s ran out after 2 attempts."


def test_error_that_arrives_as_the_deadline_passes_is_the_one_that_leaves() -> None:
    stage = Stage(scenario(UNAVAILABLE))

    def take_long(record: AttemptRecord) -> None:
        stage.clock.now += 10

    route = [target(), target(1)]
    context = CallContext("call", route, deadline=3.0, clock=stage.clock, settle=take_long)
    with pytest.raises(LLMServiceError):
        sync_driver(stage).run(run_call(HELLO, context))
    order, _ = context.cool_downs.order(route, stage.clock.now)
    assert order == [1, 0], "it was the provider's, and later calls go elsewhere"

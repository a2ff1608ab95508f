"""What the pipeline decides besides the scenarios: observers, refusals, records, hints."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_client.exceptions import ConnectionError, ValidationError
from llm_client.types.events import Event
from llm_client.types.target import ProviderSpec, Target

from .calls import PLAYERS, UNAVAILABLE, run, scenario
from .scenarios import Answer, Cut, Refused, Wait, event, sse, whole
from .scripted import Played, play_async, play_sync


def test_observer_that_fails_becomes_a_warning() -> None:
    def fail(event: Event) -> None:
        raise ValueError("a bug")

    with pytest.warns(RuntimeWarning, match="observer of llm_client failed: ValueError"):
        stage, response = run(UNAVAILABLE, whole("Hello"), observe=fail)

    assert response.content == "Hello"
    assert stage.played.opened == stage.played.closed == 2


def test_interrupt_in_an_observer_is_not_kept_from_anybody() -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(whole("Hello"), observe=interrupt)


@pytest.mark.parametrize("play", [play_sync, play_async], ids=["sync", "async"])
def test_refused_field_after_something_was_shown_is_not_asked_for_again(
    play: Callable[..., Played],
) -> None:
    refusal = {"message": "stream_options: not allowed", "type": "invalid_request_error"}
    refused = Answer((*sse("Hel").pieces[:2], event({"error": refusal})))

    played = play(scenario(refused, sse("Hello"), stream=True))

    assert isinstance(played.error, ValidationError)
    assert played.error.partial == "Hel"
    assert played.deltas == ("Hel",)
    assert len(played.records) == 1


@pytest.mark.parametrize("play", PLAYERS)
def test_error_answer_of_a_megabyte_is_read_no_further(play: Callable[..., Played]) -> None:
    flood = Answer((b"x" * (1 << 20), Wait(1e9)), 400)

    played = play(scenario(flood))

    assert type(played.error).__name__ == "ValidationError"
    assert played.opened == played.closed == 1


def _local(start_command: str) -> Target:
    provider = ProviderSpec("box", "http://box.test", "openai-chat", start_command=start_command)
    return Target(provider, "m", provider.base_url)


@pytest.mark.parametrize(
    ("goal", "hint"),
    [
        pytest.param(
            _local("box serve"),
            "Is box running? Start it with `box serve`, or set its address with `--base-url`.",
            id="local",
        ),
        pytest.param(_local(""), None, id="no-command"),
    ],
)
def test_refused_connection_says_how_to_start_the_server(goal: Target, hint: str | None) -> None:
    with pytest.raises(ConnectionError) as caught:
        run(Refused(), route=[goal])

    assert caught.value.hint == hint


def test_record_has_latency_usage_and_the_first_token() -> None:
    first = event({"choices": [{"delta": {"content": "a"}}]})
    rest = sse("b").pieces
    stage, response = run(Answer((Wait(1.5), first, Wait(0.5), *rest)))

    (record,) = stage.played.records
    assert record.time_to_first_token_ms == pytest.approx(1500)
    assert record.latency_ms == pytest.approx(2000)
    assert record.usage is not None
    assert record.usage.total_tokens == 5
    assert record.model == "m"
    assert response.metadata == {"call_id": "call", "time_to_first_token_ms": pytest.approx(1500)}
    assert response.latency_ms == pytest.approx(2000)


def test_latency_of_an_answer_counts_the_retries_before_it() -> None:
    stage, response = run(UNAVAILABLE, whole("Hello"), chance=lambda: 0.0)

    assert response.latency_ms == pytest.approx(1000)
    assert [round(record.latency_ms) for record in stage.played.records] == [0, 0]


def test_server_that_keeps_the_connection_open_after_the_answer_is_not_waited_for() -> None:
    stage, response = run(Answer((*sse("Hello").pieces, Wait(30.0))))

    assert response.content == "Hello"
    assert stage.clock.now == pytest.approx(100.5)
    assert stage.played.closed == 1


def test_connection_that_breaks_after_the_answer_does_not_matter() -> None:
    _, response = run(Answer((*sse("Hello").pieces, Cut())))

    assert response.content == "Hello"


def test_route_without_a_target_is_a_bug_that_shows() -> None:
    with pytest.raises(AssertionError, match="at least one target"):
        run(route=[])

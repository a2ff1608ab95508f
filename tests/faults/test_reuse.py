"""Connections that are used again and turn out dead: nothing is sent twice in secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pytest

from llm_client import AsyncLLMClient, ConnectionError, LLMClient, LLMConfig, LLMResponse
from llm_client.types.events import Event, Retrying

from ..cli.program import EVENT_STREAM, ending, text, whole
from ..support.fault_server import (
    FaultServer,
    Script,
    close_before_head,
    fault_server,
    reset,
    respond,
)
from .ledger_rows import Row, rows_by_session

_CALLS: Final = 30


@dataclass
class _Talk:
    """Calls of one client, one after the other."""

    responses: list[LLMResponse] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def _talk(server: FaultServer, calls: int, max_retries: int) -> _Talk:
    talk = _Talk()
    with LLMClient(_config(server, max_retries), observe=talk.events.append) as client:
        for number in range(calls):
            talk.responses.append(client.generate("hi", session=str(number)))
    return talk


def _talk_async(server: FaultServer, calls: int, max_retries: int) -> _Talk:
    talk = _Talk()

    async def main() -> None:
        where = _config(server, max_retries)
        async with AsyncLLMClient(where, observe=talk.events.append) as client:
            for number in range(calls):
                talk.responses.append(await client.generate("hi", session=str(number)))

    asyncio.run(main())
    return talk


Talking = Callable[[FaultServer, int, int], _Talk]
BOTH = pytest.mark.parametrize("talk", [_talk, _talk_async], ids=["sync", "async"])
ENDS = pytest.mark.parametrize("end", [close_before_head(), reset()], ids=["closed", "reset"])


def _config(server: FaultServer, max_retries: int) -> LLMConfig:
    return LLMConfig(
        base_url=f"{server.url}/v1", model="m", max_retries=max_retries, retry_delay=0.001
    )


def _outcomes(rows: list[Row]) -> list[str]:
    return [row.error_type or row.outcome for row in rows]


@BOTH
@ENDS
def test_request_that_a_dead_connection_swallowed_is_made_again_at_once_and_is_in_the_books(
    talk: Talking, end: Script
) -> None:
    with fault_server(whole("first"), end, whole("second")) as server:
        found = talk(server, 2, 0)
        assert [request.connection for request in server.requests] == [0, 0, 1]
    first, second = found.responses
    assert (first.content, second.content) == ("first", "second")
    assert (second.attempts, second.retry_count) == (2, 1)
    assert not any(isinstance(event, Retrying) for event in found.events)
    rows = rows_by_session()
    assert _outcomes(rows["0"]) == ["ok"]
    assert _outcomes(rows["1"]) == ["ConnectionError", "ok"]
    assert [row.retry for row in rows["1"]] == [0, 1]


@BOTH
@ENDS
def test_second_loss_counts_as_a_failure(talk: Talking, end: Script) -> None:
    with fault_server(whole("first"), end) as server:
        with pytest.raises(ConnectionError):
            talk(server, 2, 1)
        assert len(server.requests) == 1 + 1 + 2
    assert _outcomes(rows_by_session()["1"]) == ["ConnectionError"] * 3


@BOTH
def test_server_that_hangs_up_without_a_word_is_asked_as_often_as_the_books_say(
    talk: Talking,
) -> None:
    script = respond(
        headers=EVENT_STREAM, pieces=[*text("Hel", "lo"), *ending()], chunked=True, close=True
    )
    with fault_server(script) as server:
        found = talk(server, _CALLS, 0)
        assert len(server.requests) == _CALLS
    assert [response.content for response in found.responses] == ["Hello"] * _CALLS
    for rows in rows_by_session().values():
        # It may hang up before it reads: then there is a row for what was sent and not read.
        assert _outcomes(rows) in (["ok"], ["ConnectionError", "ok"])

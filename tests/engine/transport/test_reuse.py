"""Which connection a request goes on, and what happens when an old one is dead; for both transports."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from llm_client import exceptions
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import MakeSide, Side, fetch
from tests.support.fault_server import (
    Script,
    close_before_head,
    cut_body,
    cut_head,
    fault_server,
    garbage,
    refused_url,
    reset,
    respond,
)

from .asking import get, post, wait_for_hang_up


def test_connection_is_reused(side: Side) -> None:
    with fault_server(respond(body=b"x"), respond(chunked=True, body=b"y")) as server:
        for _ in range(4):
            fetch(side, get(server.url))
        assert [request.connection for request in server.requests] == [0, 0, 0, 0]


def test_answer_that_announces_the_close_is_not_reused(side: Side) -> None:
    with fault_server(respond(headers=[("Connection", "close")])) as server:
        fetch(side, get(server.url))
        fetch(side, get(server.url))
        assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("make", [get, post], ids=["get", "post"])
def test_server_that_closes_after_a_stream_without_saying_so_is_a_stale_connection_at_most(
    side: Side, make: Callable[[str], HttpRequest]
) -> None:
    stream = respond(
        headers=[("Keep-Alive", "timeout=5")], chunked=True, pieces=[b"a", b"b"], close=True
    )
    with fault_server(stream) as server:
        for _ in range(20):
            try:
                answer = fetch(side, make(server.url))
            except exceptions.ConnectionError as error:
                if make is get or not error.stale:
                    raise
                answer = fetch(side, make(server.url))
            assert answer.body == b"ab"
        assert len(server.requests) == 20


@pytest.mark.parametrize("end", [close_before_head(), reset()], ids=["closed", "reset"])
def test_get_on_a_reused_connection_that_dies_before_any_byte_is_sent_again_once(
    side: Side, end: Script
) -> None:
    with fault_server(respond(), end, respond(body=b"again")) as server:
        fetch(side, get(server.url))
        assert fetch(side, get(server.url)).body == b"again"
        assert [request.connection for request in server.requests] == [0, 0, 1]


@pytest.mark.parametrize("end", [close_before_head(), reset()], ids=["closed", "reset"])
def test_post_on_a_reused_connection_that_dies_is_not_sent_again_in_secret(
    side: Side, end: Script
) -> None:
    with fault_server(respond(), end, respond(body=b"again")) as server:
        fetch(side, get(server.url))
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, post(server.url, b"prompt"))
        assert (caught.value.stale, caught.value.retryable) == (True, True)
        assert len(server.requests) == 2
        assert fetch(side, post(server.url, b"prompt")).body == b"again"
        assert server.requests[2].connection == 1


def test_fresh_connection_that_dies_before_any_byte_is_not_tried_again(side: Side) -> None:
    with fault_server(close_before_head()) as server:
        with pytest.raises(exceptions.ConnectionError, match="closed before an answer came"):
            fetch(side, post(server.url))
        assert len(server.requests) == 1


def test_stale_connection_and_then_a_dead_fresh_one_is_an_error(side: Side) -> None:
    with fault_server(respond(), close_before_head()) as server:
        fetch(side, get(server.url))
        with pytest.raises(exceptions.ConnectionError, match="closed before an answer came") as it:
            fetch(side, get(server.url))
        assert len(server.requests) == 3
        assert not it.value.stale


@pytest.mark.parametrize("script", [cut_head(), garbage()], ids=["cut-head", "garbage"])
def test_reused_connection_that_answers_a_byte_is_not_tried_again(
    side: Side, script: Script
) -> None:
    with fault_server(respond(), script) as server:
        fetch(side, get(server.url))
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, post(server.url))
        assert len(server.requests) == 2
        assert not caught.value.stale


def test_half_read_answer_that_is_closed_hangs_up_at_once(side: Side) -> None:
    with fault_server(respond(chunked=True, pieces=[b"first", (30, b"never")])) as server:
        exchange = side.open(get(server.url))
        assert exchange.read() == b"first"
        exchange.close()
        exchange.close()
        assert wait_for_hang_up(server)
        with pytest.raises(exceptions.ConnectionError, match="was closed before its end"):
            exchange.read()


def test_transport_that_was_closed_starts_afresh(side: Side) -> None:
    with fault_server(respond(body=b"x")) as server:
        fetch(side, get(server.url))
        side.close()
        side.close()
        assert fetch(side, get(server.url)).body == b"x"
        assert server.connections == 2


def test_another_process_gets_connections_of_its_own(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(respond(body=b"x")) as server:
        fetch(side, get(server.url))
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: 1)
            fetch(side, get(server.url))
        fetch(side, get(server.url))
        assert [request.connection for request in server.requests] == [0, 1, 2]


def test_last_byte_frees_the_connection_before_the_end_is_asked_for(side: Side) -> None:
    with fault_server(respond(body=b"x")) as server:
        first = side.open(get(server.url))
        assert first.read() == b"x"
        second = side.open(get(server.url))
        assert (first.read(), second.read()) == (b"", b"x")
        second.close()
        assert server.connections == 1


def test_failed_requests_give_their_place_back(make_side: MakeSide) -> None:
    side = make_side(max_connections=1)
    with fault_server(
        cut_body(b"x"), respond(302, [("Location", "file:///etc")]), respond(body=b"x")
    ) as server:
        for _ in range(2):
            with pytest.raises(exceptions.ConnectionError):
                fetch(side, get(server.url))
        with refused_url() as url, pytest.raises(exceptions.ConnectionError):
            fetch(side, get(url))
        assert fetch(side, get(server.url)).body == b"x"

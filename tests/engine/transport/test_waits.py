"""How long a transport waits for a server, and what it says when that was in vain; for both."""

from __future__ import annotations

import socket

import pytest

from llm_client import exceptions
from llm_client.types.http import Timeouts
from tests.engine.transport.conftest import Side, fetch
from tests.support.fault_server import fault_server, respond, say_nothing

from .asking import QUICK, SHORT, get, post, wait_for_hang_up


def test_no_connection_in_time_says_so(side: Side) -> None:
    # A listener whose queue is full lets the next connection wait for ever.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(exceptions.TimeoutError) as caught:
                fetch(side, get(url, timeouts=Timeouts(connect=SHORT)))
        finally:
            for filler in fillers:
                filler.close()
    assert str(caught.value) == f"No connection to {url} after 0.3 s."


def test_silence_before_the_head_says_so(side: Side) -> None:
    with fault_server(say_nothing()) as server:
        with pytest.raises(exceptions.TimeoutError) as caught:
            fetch(side, get(server.url, timeouts=Timeouts(first_byte=SHORT, silence=30)))
        assert str(caught.value) == (
            f"{server.url} accepted the request but sent no byte of an answer for 0.3 s."
        )


def test_head_without_a_body_in_time_counts_as_no_byte(side: Side) -> None:
    with fault_server(respond(pieces=[(30, b"x")])) as server:
        exchange = side.open(get(server.url, timeouts=Timeouts(first_byte=SHORT, silence=30)))
        with pytest.raises(exceptions.TimeoutError, match=r"sent no byte of an answer for 0\.3 s"):
            exchange.read()


def test_silence_in_the_middle_says_so(side: Side) -> None:
    with fault_server(respond(pieces=[b"x", (30, b"y")])) as server:
        exchange = side.open(get(server.url, timeouts=Timeouts(first_byte=30, silence=SHORT)))
        assert exchange.read() == b"x"
        with pytest.raises(exceptions.TimeoutError) as caught:
            exchange.read()
        assert (
            str(caught.value) == f"{server.url} went silent for 0.3 s in the middle of the answer."
        )
        assert wait_for_hang_up(server)


def test_slow_start_is_not_cut_by_the_shorter_silence(side: Side) -> None:
    with fault_server(respond(delay=0.3, pieces=[(0.3, b"x"), b"y"])) as server:
        timeouts = Timeouts(first_byte=10, silence=0.25)
        assert fetch(side, get(server.url, timeouts=timeouts)).body == b"xy"


def test_steady_trickle_outlasts_every_single_wait(side: Side) -> None:
    with fault_server(respond(chunked=True, pieces=[(0.15, b"x")] * 6)) as server:
        assert fetch(side, get(server.url, timeouts=QUICK)).body == b"xxxxxx"


def test_no_bounds_wait_as_long_as_it_takes(side: Side) -> None:
    with fault_server(respond(delay=0.1, pieces=[(0.1, b"x"), (0.1, b"y")])) as server:
        assert fetch(side, get(server.url, timeouts=Timeouts(None, None, None))).body == b"xy"


def test_server_that_reads_no_request_is_given_up(side: Side) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        request = post(url, bytes(40_000_000), Timeouts(first_byte=30, silence=SHORT))
        with pytest.raises(exceptions.TimeoutError) as caught:
            fetch(side, request)
    assert str(caught.value) == f"{url} took no more of the request for 0.3 s."


def test_read_is_bounded_by_its_own_limit(side: Side) -> None:
    with fault_server(respond(pieces=[b"x", (0.05, b"y"), (30, b"z")])) as server:
        exchange = side.open(get(server.url))
        assert exchange.read(10) == b"x"
        assert exchange.read(10) == b"y"
        with pytest.raises(exceptions.TimeoutError, match=r"silent for 0\.1 s"):
            exchange.read(0.1)


def test_limit_of_one_read_does_not_bound_the_next(side: Side) -> None:
    with fault_server(respond(pieces=[b"x", (0.3, b"y")])) as server:
        exchange = side.open(get(server.url))
        assert exchange.read(0.2) == b"x"
        assert exchange.read() == b"y"
        exchange.close()


def test_limit_that_is_used_up_is_a_timeout(side: Side) -> None:
    with fault_server(respond(pieces=[b"x", (30, b"y")])) as server:
        exchange = side.open(get(server.url))
        assert exchange.read() == b"x"
        with pytest.raises(exceptions.TimeoutError):
            exchange.read(0.0)

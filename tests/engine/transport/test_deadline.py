"""The end of a call bounds everything: the queue, the look-up, every hop, every read."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from llm_client import exceptions
from llm_client.types.http import HttpRequest, Timeouts
from tests.engine.transport.conftest import MakeSide, Side, fetch
from tests.support.fault_server import (
    FaultServer,
    Script,
    fault_server,
    respond,
    say_nothing,
)

TOTAL = 0.3
OVER = "was not over within the 0.3 s left for it"
PATIENT = Timeouts(connect=30, first_byte=30, silence=30, total=TOTAL)
GENEROUS_SECONDS = 10.0
"""Far from the waits above, which are 30 s, and from the 0.3 s that are meant."""


def get(url: str, timeouts: Timeouts = PATIENT) -> HttpRequest:
    return HttpRequest("GET", url, timeouts=timeouts)


@pytest.fixture(autouse=True)
def _far_from_the_other_waits() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < GENEROUS_SECONDS


# -- the queue ------------------------------------------------------------------------------------


def test_full_queue_is_left_when_the_call_is_over(make_side: MakeSide) -> None:
    side = make_side(max_connections=1)
    with fault_server(respond(pieces=[b"x", (30, b"y")]), respond(body=b"z")) as server:
        held = side.open(get(server.url, Timeouts()))
        for _ in range(2):
            with pytest.raises(exceptions.TimeoutError) as caught:
                side.open(get(f"{server.url}/v1?key=secret"))
            assert str(caught.value) == (
                f"No connection to {server.url} became free for 0.3 s: 1 answers are under way."
            )
            assert caught.value.hint
        held.close()
        assert fetch(side, get(server.url, Timeouts(total=30))).body == b"z"
        assert len(server.requests) == 2


# -- what is sent and what comes back -------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(say_nothing(), id="silence"),
        pytest.param(respond(pieces=[(30, b"x")]), id="head-alone"),
        pytest.param(respond(pieces=[b"x", (30, b"y")]), id="silence-in-the-middle"),
        pytest.param(respond(chunked=True, pieces=[(0.05, b"x")] * 500), id="trickle"),
        pytest.param(respond(302, [("Location", "/again")], delay=0.1), id="redirects"),
    ],
)
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_call_ends_when_its_time_is_over(
    side: Side, script: Script, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(script) as server:
        url = server.url
        if proxied:
            monkeypatch.setenv("HTTP_PROXY", url)
            url = "http://model.example"
        with pytest.raises(exceptions.TimeoutError, match=OVER) as caught:
            fetch(side, get(url))
        assert caught.value.__context__ is None
        assert 1 <= len(server.requests) < 6
        side.close()


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_call_that_is_over_already_sends_nothing(
    side: Side, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(respond()) as server:
        url = server.url
        if proxied:
            monkeypatch.setenv("HTTP_PROXY", url)
            url = "http://model.example"
        with pytest.raises(exceptions.TimeoutError, match="within the 0 s left"):
            fetch(side, get(url, Timeouts(total=0.0)))
        assert server.connections == 0


def test_call_that_is_over_is_not_sent_on_a_connection_at_hand(side: Side) -> None:
    with fault_server(respond()) as server:
        fetch(side, get(server.url, Timeouts()))
        with pytest.raises(exceptions.TimeoutError, match="within the 0 s left"):
            fetch(side, get(server.url, Timeouts(total=0.0)))
        assert len(server.requests) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_server_that_reads_nothing_is_given_up_in_time(side: Side, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        request = HttpRequest("POST", url, (), bytes(40_000_000), timeouts=PATIENT)
        with pytest.raises(exceptions.TimeoutError, match=OVER):
            fetch(side, request)


def test_server_that_reads_slowly_is_given_up_in_time(side: Side) -> None:
    stop = threading.Event()

    def sip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(0.02) and connection.recv(50_000):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=sip, args=(listener,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            request = HttpRequest("POST", url, (), bytes(60_000_000), timeouts=PATIENT)
            with pytest.raises(exceptions.TimeoutError, match=OVER):
                fetch(side, request)
        finally:
            stop.set()
            thread.join(5)


def test_call_with_time_left_is_answered(side: Side) -> None:
    moved = respond(302, [("Location", "/there")])
    with fault_server(moved, respond(delay=0.05, pieces=[b"x", (0.05, b"y")])) as server:
        assert fetch(side, get(server.url, Timeouts(None, None, None, total=30))).body == b"xy"


def test_shorter_wait_of_the_request_is_blamed_itself(side: Side) -> None:
    with fault_server(say_nothing()) as server:
        timeouts = Timeouts(first_byte=0.2, total=30)
        with pytest.raises(exceptions.TimeoutError, match=r"sent no byte .* for 0\.2 s"):
            fetch(side, get(server.url, timeouts))


# -- the look-up of a name ------------------------------------------------------------------------


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answered = threading.Event()

    def never(*_: object, **__: object) -> list[object]:
        answered.wait(30)
        return []

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", never)
        yield
        answered.set()


@pytest.fixture
def slow_side(make_side: MakeSide, slow_names: None) -> Side:
    """Torn down after the resolver has answered, for which closing an event loop waits."""
    return make_side()


def test_look_up_is_part_of_the_time_to_connect(slow_side: Side) -> None:
    with pytest.raises(exceptions.TimeoutError) as caught:
        fetch(slow_side, get("http://model.example:81/v1?key=s", Timeouts(connect=0.2)))
    assert str(caught.value) == "The name of model.example could not be looked up within 0.2 s."
    assert caught.value.retryable
    assert caught.value.__context__ is None


def test_look_up_ends_with_the_call(slow_side: Side) -> None:
    with pytest.raises(exceptions.TimeoutError, match=OVER):
        fetch(slow_side, get("http://model.example/"))


def answering(server: FaultServer, threads: list[int]) -> Callable[..., list[object]]:
    def answers(*_: object, **__: object) -> list[object]:
        threads.append(threading.get_ident())
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    return answers


def test_look_up_without_a_bound_is_as_long_as_it_takes(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(respond(body=b"x")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", answering(server, []))
        assert fetch(side, get("http://model.example/", Timeouts(None, 5, 5))).body == b"x"


def test_look_up_is_made_in_place_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from llm_client.engine.transport.exchange import SyncTransport

    start = threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        if self.name == "llm_client-look-up":  # not the server's
            raise RuntimeError("can't create new thread at interpreter shutdown")
        start(self)

    threads: list[int] = []
    transport = SyncTransport()
    with fault_server(respond(body=b"x")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", answering(server, threads))
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            exchange = transport.open(get("http://model.example/", Timeouts()))
        assert exchange.read() == b"x"
        exchange.close()
        transport.close()
    assert threads == [threading.get_ident()]


# -- where the transport knows but one wait for all reads -----------------------------------------


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(say_nothing(), "sent no byte of an answer for {} s", id="first-byte"),
        pytest.param(
            respond(pieces=[b"x", (30, b"y")]), "silent for {} s in the middle", id="silence"
        ),
    ],
)
@pytest.mark.parametrize("waits", [(0.2, 0.4), (0.4, 0.2)], ids=["longer-silence", "longer-start"])
def test_wait_behind_a_proxy_is_told_as_it_was(
    side: Side,
    script: Script,
    message: str,
    waits: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(script) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(exceptions.TimeoutError, match=message.format(r"0\.4")):
            fetch(side, get("http://model.example/", Timeouts(5, *waits)))
        side.close()


def test_request_that_a_proxy_does_not_take_is_told_by_its_own_wait(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        timeouts = Timeouts(5, first_byte=30, silence=0.2)
        url = "http://model.example"
        with pytest.raises(exceptions.TimeoutError, match=r"took no more .* for 0\.2 s"):
            fetch(side, HttpRequest("POST", url, (), bytes(40_000_000), timeouts=timeouts))
        side.close()


@pytest.mark.parametrize(
    "late", [pytest.param([b"x", (0.4, b"y")], id="piece"), pytest.param([b"x"], id="end")]
)
def test_read_behind_a_proxy_is_no_success_after_its_limit(
    side: Side, late: list[bytes | tuple[float, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(respond(chunked=True, pieces=[*late, (0.4, b"")])) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        exchange = side.open(get("http://model.example/", Timeouts()))
        assert exchange.read(5) == b"x"
        with pytest.raises(exceptions.TimeoutError, match=r"went silent for 0\.1 s"):
            exchange.read(0.1)
        exchange.close()
        side.close()


def test_read_behind_a_proxy_that_httpx_ends_is_not_blamed_on_the_limit(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fault_server(respond(pieces=[b"x", (30, b"y")])) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        exchange = side.open(get("http://model.example/", Timeouts(5, 0.3, 0.2)))
        assert exchange.read() == b"x"
        with pytest.raises(exceptions.TimeoutError, match=r"went silent for 0\.3 s"):
            exchange.read(9)
        side.close()

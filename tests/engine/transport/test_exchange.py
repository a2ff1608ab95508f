"""Whole exchanges against a real (misbehaving) server; each test runs for both transports."""

from __future__ import annotations

import base64
import gzip
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.engine.transport import async_sockets, sync_sockets
from llm_client.engine.transport.httpx_import import httpx
from llm_client.types.http import HttpRequest, Timeouts
from tests.engine.transport.conftest import MakeSide, Side, fetch
from tests.support.fault_server import (
    FaultServer,
    Script,
    close_before_head,
    cut_body,
    cut_head,
    fault_server,
    garbage,
    raw,
    refused_url,
    reset,
    respond,
    say_nothing,
    status,
)

QUICK = Timeouts(connect=5, first_byte=0.6, silence=0.6)
SHORT = 0.3


def get(url: str, *headers: tuple[str, str], timeouts: Timeouts | None = None) -> HttpRequest:
    return HttpRequest("GET", url, headers, timeouts=timeouts or Timeouts())


def post(url: str, body: bytes = b"{}", timeouts: Timeouts | None = None) -> HttpRequest:
    return HttpRequest("POST", url, (), body, timeouts=timeouts or Timeouts())


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def test_request_and_answer_pass_unchanged(side: Side) -> None:
    with fault_server(
        respond(201, [("X-One", "1"), ("X-Two", "a"), ("X-Two", "b")], b'{"a": 1}')
    ) as server:
        request = HttpRequest(
            "POST", f"{server.url}/v1/chat?a=b%20c", (("Authorization", "Bearer k"),), b'{"p": 1}'
        )
        answer = fetch(side, request)
    assert (answer.head.status, answer.body) == (201, b'{"a": 1}')
    assert answer.head.headers["x-one"] == "1"
    assert answer.head.headers["x-two"] == "a, b"
    assert answer.head.url == request.url
    received = server.requests[0]
    assert (received.method, received.path, received.body) == (
        "POST",
        "/v1/chat?a=b%20c",
        b'{"p": 1}',
    )
    assert received.headers["authorization"] == "Bearer k"
    assert received.headers["host"] == f"127.0.0.1:{server.port}"
    assert received.headers["content-length"] == "8"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["user-agent"].startswith("llm_client/")


@pytest.mark.parametrize("size", [0, 100_000, 3_000_000])
def test_body_of_any_size_arrives_whole_both_ways(side: Side, size: int) -> None:
    body = bytes(range(256)) * (size // 256)
    with fault_server(respond(body=body)) as server:
        answer = fetch(side, post(server.url, body))
        assert server.requests[0].body == body
    assert answer.body == body


def test_pieces_are_returned_as_they_arrive(side: Side) -> None:
    with fault_server(
        respond(chunked=True, pieces=[b"one", (0.1, b"two"), (0.1, b"three")])
    ) as server:
        exchange = side.open(get(server.url))
        pieces = [exchange.read(), exchange.read(), exchange.read(), exchange.read()]
        assert pieces == [b"one", b"two", b"three", b""]
        assert exchange.read() == b""
        exchange.close()


def test_http_1_0_answer_ends_with_the_connection(side: Side) -> None:
    with fault_server(respond(version="HTTP/1.0", pieces=[b"all", b" of it"])) as server:
        assert fetch(side, get(server.url)).body == b"all of it"
        assert fetch(side, get(server.url)).body == b"all of it"
        assert server.connections == 2


@pytest.mark.parametrize("code", [204, 304])
def test_answer_without_a_body_leaves_the_connection_usable(side: Side, code: int) -> None:
    with fault_server(respond(code), respond(body=b"x")) as server:
        assert fetch(side, get(server.url)).body == b""
        assert fetch(side, get(server.url)).body == b"x"
        assert server.connections == 1


def test_head_request_expects_no_body(side: Side) -> None:
    with fault_server(respond(body=b"not sent")) as server:
        answer = fetch(side, HttpRequest("HEAD", server.url))
    assert (answer.head.headers["content-length"], answer.body) == ("8", b"")


def test_compressed_answer_is_unpacked_though_not_asked_for(side: Side) -> None:
    packed = gzip.compress(b"plain text")
    with fault_server(
        respond(headers=[("Content-Encoding", "gzip")], pieces=[packed[:7], packed[7:]])
    ) as server:
        assert fetch(side, get(server.url)).body == b"plain text"


def test_wrongly_compressed_answer_is_a_connection_error(side: Side) -> None:
    with (
        fault_server(respond(headers=[("Content-Encoding", "gzip")], body=b"not gzip")) as server,
        pytest.raises(exceptions.ConnectionError, match="compressed wrongly"),
    ):
        fetch(side, get(server.url))


def test_credentials_in_the_url_become_basic_authorization(side: Side) -> None:
    with fault_server(respond()) as server:
        fetch(side, get(server.url.replace("http://", "http://me:p%40ss@")))
        fetch(
            side, get(server.url.replace("http://", "http://me:x@"), ("Authorization", "Bearer k"))
        )
        fetch(side, get(f"{server.url}/@path"))
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == ["Basic " + base64.b64encode(b"me:p@ss").decode(), "Bearer k", None]


# -- connections ----------------------------------------------------------------------------------


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


def wait_for_hang_up(server: FaultServer) -> bool:
    """Look at the server's own socket: its peer has closed when it becomes readable."""
    return wait_until(lambda: all(_peer_closed(sock) for sock in list(server._open)))


def _peer_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["localhost", "llm.localhost"])
def test_localhost_reaches_a_server_on_either_family(side: Side, host: str, name: str) -> None:
    with fault_server(respond(body=b"x"), host=host) as server:
        assert fetch(side, get(f"http://{name}:{server.port}/")).body == b"x"


def test_ipv6_literal_is_reached(side: Side) -> None:
    with fault_server(respond(body=b"x"), host="::1") as server:
        assert fetch(side, get(server.url)).body == b"x"
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


def test_name_is_looked_up_and_each_address_tried(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def answers(host: object, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append(host)
        kind = (socket.SOCK_STREAM, 6, "")
        return [
            (socket.AF_INET6, *kind, ("::1", port, 0, 0)),
            (socket.AF_INET, *kind, ("127.0.0.1", port)),
        ]

    with fault_server(respond(body=b"x")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *a, **k: answers(host, port))
        assert fetch(side, get(f"http://model.example:{server.port}/")).body == b"x"
    assert asked == [b"model.example"]


# -- waits ----------------------------------------------------------------------------------------


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


# -- failures -------------------------------------------------------------------------------------


def test_refused_connection_says_so(side: Side) -> None:
    with refused_url() as url:
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, get(f"{url}/v1?key=secret"))
        assert str(caught.value) == f"Cannot connect to {url}: connection refused."
        assert caught.value.refused
        assert not caught.value.retryable


def test_unknown_host_says_so(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(exceptions.ConnectionError, match="the host name is unknown"):
        fetch(side, get("http://no.such.host.example/"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(close_before_head(), "No answer from {}: the connection was closed before", id="closed"),
        pytest.param(cut_head(), "in the middle of the headers", id="cut-head"),
        pytest.param(reset(), "the connection was reset", id="reset"),
        pytest.param(garbage(), "does not speak HTTP", id="garbage"),
        pytest.param(cut_body(b"abc"), "The answer of {} broke off: the connection was closed after 3 of 13", id="cut-body"),
        pytest.param(cut_body(b"abc", chunked=True), "broke off", id="cut-chunk"),
        pytest.param(cut_body(b""), "No answer from {}: the connection was closed after 0 of 10", id="cut-empty"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n"), "bad chunk size", id="bad-chunk"),
    ],
)  # fmt: skip
def test_broken_answer_says_how(side: Side, script: Script, message: str) -> None:
    with fault_server(script) as server:
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, get(f"{server.url}/v1?key=secret"))
        assert message.format(server.url) in str(caught.value)
        assert "secret" not in str(caught.value)


def test_failure_carries_no_request(side: Side) -> None:
    with fault_server(cut_head(), cut_body(b"x")) as server:
        for _ in range(2):
            with pytest.raises(exceptions.ConnectionError) as caught:
                fetch(side, get(server.url, ("Authorization", "Bearer secret")))
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None


def test_early_refusal_of_a_large_body_is_still_read(side: Side) -> None:
    def refuse_unread(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 20):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse_unread, args=(listener,))
        thread.start()
        answer = fetch(
            side, post(f"http://127.0.0.1:{listener.getsockname()[1]}", bytes(1_000_000))
        )
        side.close()
        thread.join()
    assert (answer.head.status, answer.body) == (413, b"big")


def test_answer_of_a_server_that_stopped_listening_is_still_read(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_send = sync_sockets._Connection.send
    async_send = async_sockets._Connection.send

    def broken(self: sync_sockets._Connection, *arguments: Any) -> None:
        sync_send(self, *arguments)
        raise BrokenPipeError

    async def async_broken(self: async_sockets._Connection, *arguments: Any) -> None:
        await async_send(self, *arguments)
        raise BrokenPipeError

    monkeypatch.setattr(sync_sockets._Connection, "send", broken)
    monkeypatch.setattr(async_sockets._Connection, "send", async_broken)
    with fault_server(respond(413, body=b"big")) as server:
        answer = fetch(side, post(server.url))
    assert (answer.head.status, answer.body) == (413, b"big")


@pytest.mark.parametrize("code", [400, 401, 404, 429, 500, 529])
def test_error_status_is_an_answer(side: Side, code: int) -> None:
    with fault_server(status(code, b'{"error": "x"}', retry_after="7")) as server:
        answer = fetch(side, get(server.url))
    assert (answer.head.status, answer.body) == (code, b'{"error": "x"}')
    assert answer.head.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "http://",
        "nonsense",
        "http://[::1",
        "http://host:port/",
        "http:///x",
    ],
)
def test_address_that_is_none_is_a_configuration_error(side: Side, url: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="is not an address"):
        fetch(side, get(url))


@pytest.mark.parametrize("value", ["sk-secret\n", "sk-secret\r\nX: y", "sk-secr\u00e9t", "sk-\x00"])
def test_key_that_no_header_can_carry_is_refused_without_showing_it(side: Side, value: str) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="'Authorization'") as caught:
        fetch(side, get("http://127.0.0.1:9", ("Authorization", value)))
    assert "secr" not in str(caught.value)


def test_method_that_is_none_is_a_configuration_error(side: Side) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="character that HTTP does not allow"):
        fetch(side, HttpRequest("GET /", "http://127.0.0.1:9"))


# -- a client of the caller's own -----------------------------------------------------------------


def client_for(side_name: str, handler: Callable[[httpx.Request], httpx.Response]) -> object:
    transport = httpx.MockTransport(handler)
    if side_name == "sync":
        return httpx.Client(transport=transport, headers={"X-Own": "1"})
    return httpx.AsyncClient(transport=transport, headers={"X-Own": "1"})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_client_of_the_caller_carries_everything(kind: str) -> None:
    from tests.engine.transport.conftest import sides

    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"mocked")

    with sides(kind) as make:
        side = make(http_client=client_for(kind, handler))
        answer = fetch(side, post("https://api.example.com/v1", b"prompt"))
    assert (answer.head.status, answer.body) == (200, b"mocked")
    assert seen[0].content == b"prompt"
    assert seen[0].headers["x-own"] == "1"
    assert seen[0].extensions["timeout"]["read"] == 120.0


def test_client_of_the_caller_that_is_closed_is_a_configuration_error() -> None:
    from tests.engine.transport.conftest import sides

    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    client.close()
    with sides("sync") as make, pytest.raises(exceptions.ConfigurationError, match="is closed"):
        fetch(make(http_client=client), get("http://127.0.0.1:9"))


# -- redirects ------------------------------------------------------------------------------------


def test_redirect_of_a_get_is_followed(side: Side) -> None:
    moved = respond(302, [("Location", "/there")], b"moved")
    with fault_server(moved, respond(body=b"arrived")) as server:
        answer = fetch(side, get(f"{server.url}/here", ("Authorization", "Bearer k")))
        assert (answer.body, answer.head.url) == (b"arrived", f"{server.url}/there")
        assert server.requests[1].headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("code", [307, 308])
def test_redirect_that_keeps_the_method_keeps_the_body(side: Side, code: int) -> None:
    with fault_server(respond(code, [("Location", "/there")]), respond(body=b"done")) as server:
        assert fetch(side, post(f"{server.url}/here", b"prompt")).body == b"done"
        assert [(r.method, r.path, r.body) for r in server.requests] == [
            ("POST", "/here", b"prompt"),
            ("POST", "/there", b"prompt"),
        ]


def test_redirect_to_another_origin_takes_no_key_along(side: Side) -> None:
    with (
        fault_server(respond(body=b"arrived")) as other,
        fault_server(respond(307, [("Location", other.url)])) as server,
    ):
        request = HttpRequest(
            "GET",
            server.url,
            (("X-Goog-Api-Key", "secret"), ("Cookie", "c"), ("Authorization", "s"), ("X-Ok", "1")),
            secret_headers=frozenset({"x-goog-api-key"}),
        )
        assert fetch(side, request).body == b"arrived"
        assert server.requests[0].headers["x-goog-api-key"] == "secret"
        sent = other.requests[0].headers
    assert not {"x-goog-api-key", "cookie", "authorization"} & set(sent)
    assert (sent["x-ok"], sent["host"]) == ("1", f"127.0.0.1:{other.port}")


def test_redirect_of_a_post_to_a_page_is_an_error(side: Side) -> None:
    with (
        fault_server(respond(301, [("Location", "https://new.example.com/v2?a=b")])) as server,
        pytest.raises(exceptions.ConnectionError, match=r"https://new\.example\.com/v2\.$"),
    ):
        fetch(side, post(server.url))


def test_redirect_that_is_refused_hangs_up(side: Side) -> None:
    headers = [("Location", "file:///etc/passwd")]
    with fault_server(respond(302, headers, pieces=[b"x", (30, b"y")])) as server:
        with pytest.raises(exceptions.ConnectionError, match="not a web address") as caught:
            fetch(side, get(server.url))
        assert wait_for_hang_up(server)
        assert caught.value.__traceback__ is not None  # which keeps the answer from being collected


def test_redirect_without_end_is_an_error(side: Side) -> None:
    with fault_server(respond(302, [("Location", "/again")])) as server:
        with pytest.raises(exceptions.ConnectionError, match="More than 5 redirects") as caught:
            fetch(side, get(server.url))
        assert not caught.value.retryable
        assert len(server.requests) == 6


def test_cookies_are_not_kept(side: Side) -> None:
    with fault_server(respond(headers=[("Set-Cookie", "a=b")])) as server:
        fetch(side, get(server.url))
        fetch(side, get(server.url))
        assert "cookie" not in server.requests[1].headers


# -- the queue ------------------------------------------------------------------------------------


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

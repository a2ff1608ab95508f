"""The fault server does what its scripts say, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading

from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import SyncSide, fetch
from tests.support.fault_server import fault_server, html, respond, say_nothing, status


def test_scripts_go_in_order_and_the_last_repeats() -> None:
    side = SyncSide()
    with fault_server(status(429, retry_after="2"), html(), respond()) as server:
        answers = [fetch(side, HttpRequest("GET", f"{server.url}/{n}")) for n in range(4)]
        side.close()
    assert [answer.head.status for answer in answers] == [429, 200, 200, 200]
    assert answers[0].head.headers["retry-after"] == "2"
    assert b"<html>" in answers[1].body
    assert answers[2].body == b""
    assert [request.path for request in server.requests] == ["/0", "/1", "/2", "/3"]


def test_server_ends_with_its_block_whatever_its_clients_do() -> None:
    before = threading.active_count()
    with fault_server(say_nothing()) as server, socket.socket() as silent, socket.socket() as mute:
        silent.connect(("127.0.0.1", server.port))
        mute.connect(("127.0.0.1", server.port))
        silent.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert threading.active_count() == before
    assert server.open_connections == 0


def test_request_that_is_not_http_still_gets_its_script() -> None:
    with fault_server(respond(body=b"x")) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"hello\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert server.requests[0].body == b"hello\n"

"""Servers that refuse, break off or stop listening, against both transports."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.engine.transport import async_sockets, sync_sockets
from tests.engine.transport.conftest import Side, fetch
from tests.support.fault_server import (
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
)

from .asking import get, post


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

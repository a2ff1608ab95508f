"""Whole exchanges against a real server, and what it is reached under; each test runs for both transports."""

from __future__ import annotations

import base64
import gzip
import socket

import pytest

from llm_client import exceptions
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import Side, fetch
from tests.support.fault_server import fault_server, respond, status

from .asking import get, post


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

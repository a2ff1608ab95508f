"""Redirects and cookies of a real server, against both transports."""

from __future__ import annotations

import pytest

from llm_client import exceptions
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import Side, fetch
from tests.support.fault_server import fault_server, respond

from .asking import get, post, wait_for_hang_up


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

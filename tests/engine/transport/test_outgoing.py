"""A request of the engine becomes the same bytes as the same request by way of httpx."""

from __future__ import annotations

import httpx
import pytest

from llm_client.engine.transport.http1 import ResponseHead
from llm_client.engine.transport.httpx_form import to_httpx
from llm_client.engine.transport.outgoing import Outgoing, header_mapping
from llm_client.types.http import HttpRequest, Timeouts

URLS = [
    "http://localhost",
    "http://localhost/",
    "http://localhost:11434/api/chat",
    "http://127.0.0.1:8080/v1/chat/completions",
    "https://api.example.com/v1/chat/completions",
    "https://api.example.com:443/v1/",
    "http://api.example.com:80/v1",
    "https://api.example.com:8443/v1/models",
    "https://API.Example.com/v1",
    "https://api.example.com/v1//models",
    "https://api.example.com/v1/../models",
    "https://api.example.com/.well-known/x",
    "https://api.example.com/a:b@c/d;e=f",
    "https://api.example.com/v1/models?limit=1&after=a b",
    "https://api.example.com/v1/models#fragment",
    "https://api.example.com/m%20x/%zz",
    "https://api.example.com/mödel",
    "https://bücher.example/v1",
    "https://user:pass%40word@api.example.com/v1",
    "http://[::1]:8080/v1",
    "http://my_host/v1",
    "http://xn--bcher-kva.example/v1",
    "http://1.2.3.4./v1",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("body", [None, b"{}"], ids=["no-body", "body"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_url_gives_the_bytes_that_httpx_gives(method: str, body: bytes | None, url: str) -> None:
    headers = (("accept", "application/json"), ("authorization", "Bearer key"))
    request = HttpRequest(method, url, headers, body, Timeouts(1.0, 2.0, 3.0))
    through_httpx = Outgoing.of(to_httpx(request), body or b"")
    plain = Outgoing.plain(request)
    assert plain._replace(pieces=()) == through_httpx._replace(pieces=())
    assert sorted(b"".join(plain.pieces).lower().split(b"\r\n")) == sorted(
        b"".join(through_httpx.pieces).lower().split(b"\r\n")
    )


@pytest.mark.parametrize(
    "url",
    ["http://300.1.1.1/", "http://host:port/", "http://[::1/"],
)
def test_url_that_httpx_refuses_is_refused(url: str) -> None:
    with pytest.raises(httpx.InvalidURL):
        Outgoing.plain(HttpRequest("GET", url))


@pytest.mark.parametrize("url", ["ftp://host/", "localhost:11434", "", "http:///v1"])
def test_address_without_http_or_host_is_refused(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        Outgoing.plain(HttpRequest("GET", url))


def test_headers_that_are_given_are_not_made_up() -> None:
    headers = (("Host", "other"), ("Content-Length", "2"), ("Transfer-Encoding", "chunked"))
    sent = b"".join(Outgoing.plain(HttpRequest("POST", "http://h/", headers, b"{}")).pieces)
    assert sent.lower().count(b"host:") == 1
    assert b"Host: other\r\n" in sent
    assert sent.lower().count(b"content-length:") == 1
    assert b"chunked" not in sent


def test_repeated_headers_are_joined_under_one_lower_case_name() -> None:
    fields = [(b"X-A", b"1"), (b"x-a", b"2"), (b"Name", "é".encode()), (b"Old", b"\xe9")]
    head = ResponseHead(200, b"OK", b"HTTP/1.1", fields)
    assert header_mapping(head) == {"x-a": "1, 2", "name": "é", "old": "é"}

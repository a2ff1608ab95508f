"""Proxy settings: as httpx reads them, but never for this machine."""

from __future__ import annotations

import sys

import pytest

from llm_client import exceptions
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.proxies import Proxies, proxies_apply
from llm_client.types.http import HttpRequest
from tests.engine.transport.conftest import Side, fetch
from tests.support.fault_server import cut_body, fault_server, refused_url, respond

URLS = [
    "http://example.com/",
    "https://example.com/",
    "https://api.example.com:8443/v1",
    "https://notexample.com/",
    "http://192.0.2.7/",
    "http://192.0.2.8:81/",
    "http://[2001:db8::1]/",
    "https://[2001:db8::2]:444/",
]
NO_PROXY = [
    "",
    "*",
    "a.test, *",
    "example.com",
    ".example.com",
    "EXAMPLE.com, ",
    "example.com:8443",
    "api.example.com:8443",
    "https://example.com",
    "http://example.com",
    "all://example.com",
    "192.0.2.7",
    "192.0.2.0/24",
    "2001:db8::1",
    "localhost",
]


@pytest.mark.parametrize("no_proxy", NO_PROXY)
@pytest.mark.parametrize(
    "variables",
    [
        {"http_proxy": "http://p:1"},
        {"HTTPS_PROXY": "p:2"},
        {"ALL_PROXY": "http://p:3"},
        {"all_proxy": "http://p:3", "https_proxy": "http://p:4"},
    ],
    ids=["http", "https", "all", "all-and-https"],
)
def test_same_proxy_as_httpx_would_use(
    variables: dict[str, str], no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**variables, "no_proxy": no_proxy}.items():
        monkeypatch.setenv(name, value)
    ours = Proxies()
    with httpx.Client() as client:
        for url in URLS:
            transport = client._transport_for_url(httpx.URL(url))
            pool = getattr(transport, "_pool", None)
            theirs = getattr(pool, "_proxy_url", None)
            proxy = ours.proxy_for(url)
            expected = theirs and f"http://p:{theirs.port}"
            assert (proxy and proxy.rstrip("/")) == expected, url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434/",
        "http://127.0.0.1:8080/v1",
        "http://127.9.9.9/",
        "https://[::1]:1234/",
        "http://ollama.localhost/",
    ],
)
def test_this_machine_is_reached_directly_whatever_is_set(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://p:3")
    assert Proxies().proxy_for(url) is None


def test_url_that_is_none_has_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://p:3")
    assert Proxies().proxy_for("http://[::1") is None


def test_entry_that_is_no_host_matches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://p:3")
    monkeypatch.setenv("NO_PROXY", "example.com:port")
    assert Proxies().proxy_for("http://example.com/") == "http://p:3"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"HTTPS_PROXY": "http://p"}, True),
        ("linux", {"all_proxy": ""}, False),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_settings_are_looked_at_only_where_there_may_be_some(
    platform: str, variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("os.environ", variables)
    assert proxies_apply() is expected


def test_request_goes_through_the_proxy(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(respond(body=b"by proxy"), cut_body(b"x")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        request = HttpRequest("GET", "http://model.example/v1")
        assert fetch(side, request).body == b"by proxy"
        assert proxy.requests[0].path == "http://model.example/v1"
        with pytest.raises(
            exceptions.ConnectionError, match=r"^The answer of http://model.example"
        ):
            fetch(side, request)
        side.close()


def test_proxy_that_is_down_is_a_connection_error(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused_url() as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, HttpRequest("GET", "http://model.example/"))
    assert str(caught.value) == (
        f"Cannot connect to http://model.example through the proxy {url}: connection refused."
    )


def test_local_request_ignores_a_proxy_that_is_down(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused_url() as url, fault_server(respond(body=b"direct")) as server:
        monkeypatch.setenv("ALL_PROXY", url)
        assert fetch(side, HttpRequest("GET", server.url)).body == b"direct"


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://user:secret@p:1080", "SOCKS support is not installed"),
        ("gopher://user:secret@p:70", "not the URL of a proxy"),
        ("http://user:secret@p:port", "not the URL of a proxy"),
    ],
)
def test_proxy_that_cannot_be_used_is_a_configuration_error(
    side: Side, proxy: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(exceptions.ConfigurationError, match=message) as caught:
        fetch(side, HttpRequest("GET", "http://model.example/"))
    assert "secret" not in str(caught.value)

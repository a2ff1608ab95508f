"""Where a redirect may lead, and what goes along."""

from __future__ import annotations

import pytest

from llm_client.engine.transport.redirects import origin_shown, redirected
from llm_client.exceptions import ConnectionError
from llm_client.types.http import HttpRequest

KEYED = (("Authorization", "Bearer k"), ("X-Key", "k"), ("Host", "h"), ("X-Ok", "1"))


def request(url: str = "http://a.example/v1?q=1", method: str = "GET") -> HttpRequest:
    return HttpRequest(method, url, KEYED, b"{}", secret_headers=frozenset({"x-key"}))


@pytest.mark.parametrize(
    ("status", "location"), [(200, "/x"), (304, "/x"), (300, "/x"), (301, None), (307, "")]
)
def test_answer_that_is_no_redirect_leads_nowhere(status: int, location: str | None) -> None:
    assert redirected(request(), status, location) is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_request_follows_every_redirect(status: int, method: str) -> None:
    following = redirected(request(method=method), status, "../v2")
    assert following is not None
    assert (following.method, following.url) == (method, "http://a.example/v2")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_post_is_never_turned_into_a_get(status: int) -> None:
    with pytest.raises(ConnectionError, match=r"moved to http://b\.example/v2\.") as caught:
        redirected(request(method="POST"), status, "http://u:p@b.example/v2?key=secret")
    assert "http://b.example" in (caught.value.hint or "")
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "location", "kept"),
    [
        pytest.param("http://a.example/", "/x", True, id="path"),
        pytest.param("http://a.example/", "http://a.example:80/x", True, id="port-spelled-out"),
        pytest.param("http://a.example/", "https://a.example/x", True, id="upgrade"),
        pytest.param("http://A.example/", "http://a.EXAMPLE/x", True, id="case"),
        pytest.param("http://a.example/", "http://b.example/x", False, id="host"),
        pytest.param("http://a.example/", "http://sub.a.example/x", False, id="subdomain"),
        pytest.param("http://a.example/", "http://a.example:81/x", False, id="port"),
        pytest.param("http://a.example:81/", "https://a.example/x", False, id="upgrade-of-a-port"),
        pytest.param("http://a.example/", "https://a.example:444/x", False, id="upgrade-to-a-port"),
        pytest.param("https://a.example/", "//b.example/x", False, id="scheme-relative"),
    ],
)
def test_keys_stay_with_their_origin(url: str, location: str, kept: bool) -> None:
    following = redirected(request(url), 307, location)
    assert following is not None
    names = [name for name, _ in following.headers]
    assert names == (["Authorization", "X-Key", "Host", "X-Ok"] if kept else ["X-Ok"])


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param("http://a.example/x", "not encrypted", id="downgrade"),
        pytest.param("file:///etc/passwd", "not a web address", id="file"),
        pytest.param("gguf://embedded/x", "not a web address", id="runtime"),
        pytest.param("http://[::1", "is no URL", id="broken"),
        pytest.param("https://b.example:port/", "is no URL", id="bad-port"),
    ],
)
def test_redirect_that_must_not_be_followed_is_an_error(location: str, message: str) -> None:
    with pytest.raises(ConnectionError, match=message) as caught:
        redirected(request("https://a.example/"), 307, location)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@a.example:8/v1?key=secret", "https://a.example:8"),
        ("http://[::1]:80/x", "http://[::1]:80"),
        ("nonsense", "nonsense"),
        ("http://[::1", "the URL"),
    ],
)
def test_message_shows_only_the_origin(url: str, shown: str) -> None:
    assert origin_shown(url) == shown

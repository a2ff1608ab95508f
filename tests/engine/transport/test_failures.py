"""Every failure beneath has words of ours."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from llm_client import exceptions
from llm_client.engine.transport.failures import FAILURES, explain
from llm_client.engine.transport.httpx_import import httpx
from llm_client.types.http import Timeouts

URL = "https://user:pw@api.example.com/v1?key=secret"
TIMEOUTS = Timeouts(connect=1.5, first_byte=20, silence=3)


def subclasses(base: type[Exception]) -> list[type[Exception]]:
    found = [base]
    for each in base.__subclasses__():
        found += subclasses(each)
    return found


def make(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        return httpx.HTTPStatusError(
            "bad", request=httpx.Request("GET", URL), response=httpx.Response(500)
        )
    if kind in (
        httpx.StreamConsumed,
        httpx.StreamClosed,
        httpx.ResponseNotRead,
        httpx.RequestNotRead,
    ):
        return kind()
    return kind("in words of httpx")


@pytest.mark.parametrize("answering", [False, True], ids=["waiting", "answering"])
@pytest.mark.parametrize(
    "kind",
    [*subclasses(httpx.HTTPError), *subclasses(httpx.StreamError), httpx.InvalidURL],
    ids=lambda kind: kind.__name__,
)
def test_every_exception_of_httpx_is_mapped(kind: type[Exception], answering: bool) -> None:
    error = make(kind)
    assert isinstance(error, FAILURES)
    ours = explain(error, URL, TIMEOUTS, answering=answering)
    assert isinstance(ours, exceptions.ConnectionError | exceptions.ConfigurationError)
    assert isinstance(ours, exceptions.TimeoutError) == issubclass(kind, httpx.TimeoutException)
    assert "https://api.example.com" in str(ours)
    assert "secret" not in str(ours)
    assert "pw" not in str(ours)


def test_there_are_transport_errors_to_map() -> None:
    assert len(subclasses(httpx.TransportError)) >= 16


@pytest.mark.parametrize(
    ("error", "answering", "message"),
    [
        (httpx.ConnectTimeout(""), False, "No connection to https://api.example.com after 1.5 s."),
        (
            httpx.ReadTimeout(""),
            False,
            "https://api.example.com accepted the request but sent no byte of an answer for 20 s.",
        ),
        (
            TimeoutError(),
            True,
            "https://api.example.com went silent for 3 s in the middle of the answer.",
        ),
        (
            TimeoutError(errno.ETIMEDOUT, "x"),
            True,
            "The answer of https://api.example.com broke off: the operating system gave up waiting.",
        ),
        (
            httpx.ReadTimeout(""),
            True,
            "https://api.example.com went silent for 3 s in the middle of the answer.",
        ),
        (
            httpx.WriteTimeout(""),
            False,
            "https://api.example.com took no more of the request for 3 s.",
        ),
        (
            httpx.PoolTimeout(""),
            False,
            "No connection to https://api.example.com became free in time.",
        ),
        (
            httpx.ProxyError("407 Proxy Authentication Required"),
            False,
            "The proxy for https://api.example.com failed: 407 Proxy Authentication Required.",
        ),
        (
            httpx.RemoteProtocolError("peer closed connection"),
            True,
            "The answer of https://api.example.com broke off: peer closed connection.",
        ),
    ],
)
def test_message_says_what_failed(error: Exception, answering: bool, message: str) -> None:
    assert str(explain(error, URL, TIMEOUTS, answering=answering)) == message


def test_unbounded_wait_that_ran_out_names_no_figure() -> None:
    ours = explain(httpx.ConnectTimeout(""), URL, Timeouts(None, None, None), answering=False)
    assert str(ours) == "No connection to https://api.example.com after its time limit."


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (OSError(errno.ENETUNREACH, "x"), "the network is unreachable"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to the host"),
        (OSError(errno.ENOBUFS, "No buffer space"), "no buffer space"),
        (OSError("Something odd."), "something odd"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "the host name is unknown"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "the host name cannot be looked up just now"),
        (socket.gaierror(socket.EAI_FAIL, "x"), "the host name cannot be looked up just now"),
        (
            caused(OSError("All connection attempts failed"), OSError(errno.ECONNREFUSED, "x")),
            "connection refused",
        ),
        (ssl.SSLError(1, "odd"), "TLS failed (odd)"),
        (ValueError("not of the system"), "in words of httpx"),
    ],
    ids=str,
)
def test_reason_of_the_system_is_put_into_words(cause: Exception, reason: str) -> None:
    error = caused(httpx.ConnectError("in words of httpx"), cause)
    ours = explain(error, URL, TIMEOUTS, answering=False)
    assert str(ours) == f"Cannot connect to https://api.example.com: {reason}."


@pytest.mark.parametrize(
    ("cause", "retryable", "refused"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), False, False),
        (socket.gaierror(socket.EAI_NODATA, "x"), False, False),
        (socket.gaierror(socket.EAI_AGAIN, "x"), True, False),
        (socket.gaierror(socket.EAI_FAIL, "x"), True, False),
        (ssl.SSLCertVerificationError("x"), False, False),
        (ssl.SSLError(1, "odd"), True, False),
        (OSError(errno.ECONNREFUSED, "x"), True, False),
        (OSError(errno.ENETUNREACH, "x"), True, False),
    ],
    ids=str,
)
def test_failure_that_will_not_pass_is_not_worth_a_retry(
    cause: Exception, retryable: bool, refused: bool
) -> None:
    ours = explain(caused(httpx.ConnectError(""), cause), URL, TIMEOUTS, answering=False)
    assert isinstance(ours, exceptions.ConnectionError)
    assert (ours.retryable, ours.refused) == (retryable, refused)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_refusal_of_this_machine_means_that_nothing_listens(host: str) -> None:
    error = caused(httpx.ConnectError(""), OSError(errno.ECONNREFUSED, "x"))
    ours = explain(error, f"http://{host}:1/", TIMEOUTS, answering=False)
    assert isinstance(ours, exceptions.ConnectionError)
    assert (ours.retryable, ours.refused) == (False, True)


def test_untrusted_certificate_without_details_is_still_said() -> None:
    error = caused(httpx.ConnectError(""), ssl.SSLCertVerificationError("x"))
    ours = explain(error, URL, TIMEOUTS, answering=False)
    assert "certificate is not trusted" in str(ours)


def test_error_of_ours_passes_unchanged() -> None:
    ours = exceptions.ConnectionError("already said")
    assert explain(ours, URL, TIMEOUTS, answering=False) is ours

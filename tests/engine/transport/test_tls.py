"""Whose certificates are trusted."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import certifi
import pytest

from llm_client import exceptions
from llm_client.engine.transport.tls import build_ssl_context
from llm_client.types.http import HttpRequest, Timeouts
from tests.engine.transport.conftest import CERTIFICATES, MakeSide, Side, fetch
from tests.support.fault_server import (
    Piece,
    close_before_head,
    cut_body,
    fault_server,
    raw,
    respond,
    say_nothing,
)

CA = str(CERTIFICATES / "ca.pem")
BODY = bytes(range(256)) * 2000


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_server_of_a_trusted_ca_is_reached_and_reused(
    make_side: MakeSide, server_tls: ssl.SSLContext, host: str
) -> None:
    side = make_side(verify=CA)
    with fault_server(respond(body=BODY), tls=server_tls) as server:
        url = f"https://{host}:{server.port}/"
        assert fetch(side, HttpRequest("POST", url, (), BODY)).body == BODY
        assert fetch(side, HttpRequest("POST", url, (), BODY)).body == BODY
        assert server.connections == 1
        assert server.requests[1].body == BODY
        side.close()


def test_stream_over_tls_arrives_piece_by_piece(
    make_side: MakeSide, server_tls: ssl.SSLContext
) -> None:
    side = make_side(verify=CA)
    pieces: list[Piece] = [b"one", (0.05, b"two"), (0.05, b"three")]
    with fault_server(respond(chunked=True, pieces=pieces), tls=server_tls) as server:
        exchange = side.open(HttpRequest("GET", server.url))
        assert [exchange.read() for _ in range(4)] == [b"one", b"two", b"three", b""]
        exchange.close()
        side.close()


def test_unknown_ca_is_refused_with_the_way_out(side: Side, server_tls: ssl.SSLContext) -> None:
    with fault_server(respond(), tls=server_tls) as server:
        with pytest.raises(
            exceptions.ConnectionError, match="certificate is not trusted"
        ) as caught:
            fetch(side, HttpRequest("GET", server.url))
        assert "verify_ssl" in (caught.value.hint or "")
        assert not caught.value.retryable
        assert caught.value.__context__ is None
        assert not server.requests


def test_certificate_of_another_host_is_refused(
    make_side: MakeSide, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = make_side(verify=CA)
    with fault_server(respond(), tls=server_tls) as server:
        answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answer])
        with pytest.raises(exceptions.ConnectionError, match=r"not trusted.*other\.example"):
            fetch(side, HttpRequest("GET", f"https://other.example:{server.port}/"))


def test_anybody_is_trusted_when_asked_to(make_side: MakeSide, server_tls: ssl.SSLContext) -> None:
    side = make_side(verify=False)
    with fault_server(respond(body=b"x"), tls=server_tls) as server:
        assert fetch(side, HttpRequest("GET", server.url)).body == b"x"
        side.close()


def test_cut_answer_over_tls_is_reported(make_side: MakeSide, server_tls: ssl.SSLContext) -> None:
    side = make_side(verify=CA)
    with fault_server(cut_body(b"abc"), close_before_head(), tls=server_tls) as server:
        with pytest.raises(exceptions.ConnectionError, match="after 3 of 13 bytes"):
            fetch(side, HttpRequest("GET", server.url))
        with pytest.raises(exceptions.ConnectionError, match="closed before an answer came"):
            fetch(side, HttpRequest("GET", server.url))


def test_answer_until_close_over_tls_is_whole(
    make_side: MakeSide, server_tls: ssl.SSLContext
) -> None:
    side = make_side(verify=CA)
    with fault_server(raw(b"HTTP/1.0 200 OK\r\n\r\nall of it"), tls=server_tls) as server:
        assert fetch(side, HttpRequest("GET", server.url)).body == b"all of it"


def test_silence_over_tls_is_a_timeout(make_side: MakeSide, server_tls: ssl.SSLContext) -> None:
    side = make_side(verify=CA)
    with (
        fault_server(say_nothing(), tls=server_tls) as server,
        pytest.raises(exceptions.TimeoutError, match="sent no byte"),
    ):
        fetch(side, HttpRequest("GET", server.url, timeouts=Timeouts(first_byte=0.3)))


def test_tls_server_under_http_says_so(side: Side, server_tls: ssl.SSLContext) -> None:
    with fault_server(respond(), tls=server_tls) as server:
        url = server.url.replace("https:", "http:")
        with pytest.raises(exceptions.ConnectionError):
            fetch(side, HttpRequest("GET", url))


def test_handshake_that_never_ends_is_a_connect_timeout(side: Side) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(exceptions.TimeoutError, match=r"No connection to .* after 0\.3 s"):
            fetch(side, HttpRequest("GET", url, timeouts=Timeouts(connect=0.3)))


@contextmanager
def answering_hello(answer: bytes) -> Iterator[str]:
    """Answer a TLS greeting with `answer`, then hang up."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def test_server_that_hangs_up_in_the_handshake_is_a_connection_error(side: Side) -> None:
    with answering_hello(b"") as url:
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, HttpRequest("GET", url))
        assert str(caught.value).startswith(f"Cannot connect to {url}: ")


def test_plain_server_under_https_says_so(side: Side) -> None:
    with answering_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        with pytest.raises(exceptions.ConnectionError) as caught:
            fetch(side, HttpRequest("GET", url))
        assert str(caught.value) == (
            f"Cannot connect to {url}: the server does not speak TLS on this port."
        )
        assert "http://" in (caught.value.hint or "")
        assert not caught.value.retryable


# -- contexts -------------------------------------------------------------------------------------


def trusted(context: ssl.SSLContext) -> set[str]:
    return {
        value
        for ca in context.get_ca_certs()
        for ((name, value),) in cast("tuple[tuple[tuple[str, str]]]", ca["subject"])
        if name == "commonName"
    }


@pytest.mark.parametrize("verify", [True, "system", CA])
def test_context_checks_host_and_certificate(verify: bool | str) -> None:
    context = build_ssl_context(verify)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_default_trusts_the_bundle_of_certifi() -> None:
    assert len(trusted(build_ssl_context())) > 100


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "verify"])
def test_file_alone_is_trusted(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verify: bool | str = CA
    if variable != "verify":
        monkeypatch.setenv(variable, CA)
        verify = True
    assert trusted(build_ssl_context(verify)) == {"llm_client test CA"}


def test_trust_of_the_system_does_not_ask_certifi(
    make_side: MakeSide, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise AssertionError("certifi was asked")

    monkeypatch.setattr(certifi, "where", fail)
    # OpenSSL's own variable for where the system's store is.
    monkeypatch.setenv("SSL_CERT_FILE", CA)
    assert trusted(build_ssl_context("system")) == {"llm_client test CA"}
    side = make_side(verify="system")
    with fault_server(respond(body=b"x"), tls=server_tls) as server:
        assert fetch(side, HttpRequest("GET", server.url)).body == b"x"
        side.close()


@pytest.mark.parametrize("by_variable", [True, False])
def test_hashed_directory_is_trusted(
    by_variable: bool,
    tmp_path: Path,
    make_side: MakeSide,
    server_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(CA, tmp_path / f"{CA_HASH}.0")
    if by_variable:
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    side = make_side(verify=by_variable or str(tmp_path))
    with fault_server(respond(body=b"x"), tls=server_tls) as server:
        assert fetch(side, HttpRequest("GET", server.url)).body == b"x"
        side.close()


CA_HASH = "8c47e77e"
"""`openssl x509 -subject_hash` of the CA: the file name that OpenSSL looks for."""


@pytest.mark.parametrize("by_variable", [True, False])
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda path: None, "there is no such file or directory", id="missing"),
        pytest.param(lambda path: path.write_text("hello"), "no certificate in PEM", id="no-pem"),
        pytest.param(lambda path: path.write_text(""), "no certificate in PEM", id="empty"),
    ],
)
def test_path_without_certificates_is_a_configuration_error(
    by_variable: bool,
    make: object,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "ca.pem"
    assert callable(make)
    make(path)
    if by_variable:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(exceptions.ConfigurationError, match=problem) as caught:
        build_ssl_context(by_variable or str(path))
    assert str(path) in str(caught.value)
    assert ("$SSL_CERT_FILE" if by_variable else "verify_ssl") in str(caught.value)


def test_file_that_cannot_be_read_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ssl, "create_default_context", deny)
    with pytest.raises(exceptions.ConfigurationError, match="permission denied"):
        build_ssl_context("ca.pem")


def test_bad_ca_path_is_a_configuration_error_of_the_request(make_side: MakeSide) -> None:
    side = make_side(verify="nowhere.pem")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(exceptions.ConfigurationError, match=r"nowhere\.pem"),
    ):
        fetch(side, HttpRequest("GET", f"https://127.0.0.1:{listener.getsockname()[1]}"))

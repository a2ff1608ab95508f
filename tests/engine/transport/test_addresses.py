"""What is known without a look-up, and what all sockets have in common."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from llm_client.engine.transport.addresses import (
    Address,
    attempt_seconds,
    closing,
    is_readable,
    known_addresses,
    most_telling,
    new_socket,
    parse_addresses,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"127.0.0.1", [("127.0.0.1", 80)]),
        (b"::1", [("::1", 80, 0, 0)]),
        (b"localhost", [("127.0.0.1", 80), ("::1", 80, 0, 0)]),
        (b"a.localhost", [("127.0.0.1", 80), ("::1", 80, 0, 0)]),
        (b"localhost.", [("127.0.0.1", 80), ("::1", 80, 0, 0)]),
        (b"127.0.0.1.", [("127.0.0.1", 80)]),
        (b"192.0.2.1", [("192.0.2.1", 80)]),
        (b"example.com", None),
        (b"model1", None),
    ],
)
def test_addresses_are_known_without_a_look_up(host: bytes, expected: object) -> None:
    known = known_addresses(host, 80)
    assert (None if known is None else [each.sockaddr for each in known]) == expected


def test_repeated_addresses_are_tried_once() -> None:
    answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))
    assert parse_addresses([answer, answer]) == [Address(socket.AF_INET, ("192.0.2.1", 80))]


def test_time_is_shared_among_the_attempts_left() -> None:
    assert attempt_seconds(None, 3) is None
    assert attempt_seconds(6.0, 3) == 2.0
    assert 0 < (attempt_seconds(-1.0, 2) or 0) < 0.01


def test_refusal_is_more_telling_than_silence_and_silence_than_the_rest() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    silent = TimeoutError()
    unreachable = OSError(errno.ENETUNREACH, "unreachable")
    assert most_telling([unreachable, silent, refused]) is refused
    assert most_telling([unreachable, silent]) is silent


def test_socket_has_no_delay_and_probes_silent_peers() -> None:
    with new_socket(socket.AF_INET) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_socket_that_refuses_its_options_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []

    class Stubborn(socket.socket):
        def setsockopt(self, *_: object) -> None:
            made.append(self)
            raise OSError(errno.ENOPROTOOPT, "no")

    monkeypatch.setattr(socket, "socket", Stubborn)
    with pytest.raises(OSError, match="no"):
        new_socket(socket.AF_INET)
    assert made[0].fileno() == -1


def test_system_without_keepalive_tuning_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_KEEPIDLE", raising=False)
    new_socket(socket.AF_INET).close()


def test_socket_is_closed_when_the_block_is_interrupted() -> None:
    sock = socket.socket()
    with pytest.raises(KeyboardInterrupt), closing(sock):
        raise KeyboardInterrupt
    assert sock.fileno() == -1


@pytest.mark.parametrize("poll", [True, False], ids=["poll", "select"])
def test_readable_means_bytes_or_the_end(poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not poll:
        monkeypatch.delattr(select, "poll", raising=False)
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            assert not is_readable(ours)
            theirs.sendall(b"x")
            assert is_readable(ours)
            ours.recv(1)
        assert is_readable(ours)
    assert is_readable(ours)

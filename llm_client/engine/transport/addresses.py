"""From a host name to sockets: which addresses to try, for how long, and with which options.

Owns what the blocking and the asyncio transport share about TCP, without connecting themselves.
Names that need no look-up (`localhost`, IP addresses) are answered here at once, so that a local
server is reached without a resolver, a thread, or Python's IDNA codec.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from llm_client.wire.loopback import is_loopback_host

__all__ = [
    "Address",
    "LookUpTimeout",
    "attempt_seconds",
    "closing",
    "is_readable",
    "known_addresses",
    "most_telling",
    "new_socket",
    "parse_addresses",
]

KEEPALIVE_IDLE_SECONDS = 60
"""Probing a silent peer this often keeps NAT tables alive while a model thinks for minutes."""


class Address(NamedTuple):
    """One address that a socket can connect to."""

    family: int
    sockaddr: tuple[Any, ...]


class LookUpTimeout(TimeoutError):
    """The name of the host could not be looked up in time."""


def known_addresses(host: bytes, port: int) -> list[Address] | None:
    """Return the addresses of a host that needs no look-up, `None` for any other.

    IPv4 comes first for `localhost`: Ollama, llama.cpp, LM Studio and mlx_lm listen on 127.0.0.1
    by default (seen 2026-10). The other family is still tried when it refuses.
    """
    number = host.removesuffix(b".")
    if b":" not in host and not number[-1:].isdigit():
        if not is_loopback_host(host.decode("ascii")):
            return None
        return [
            Address(socket.AF_INET, ("127.0.0.1", port)),
            Address(socket.AF_INET6, ("::1", port, 0, 0)),
        ]
    with contextlib.suppress(socket.gaierror):
        return parse_addresses(
            socket.getaddrinfo(number, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        )
    return None


def parse_addresses(answers: Iterable[tuple[Any, ...]]) -> list[Address]:
    """Turn the answers of `getaddrinfo` into addresses, in its order, without repeats."""
    return list(dict.fromkeys(Address(answer[0], answer[4]) for answer in answers))


def attempt_seconds(remaining: float | None, attempts_left: int) -> float | None:
    """Return how long one attempt may take, so that a dead first address leaves time for the next.

    Args:
        remaining: Seconds left for all attempts; `None` is no bound.
        attempts_left: This one included.
    """
    return None if remaining is None else max(remaining, 0.001) / attempts_left


def new_socket(family: int) -> socket.socket:
    """Make an unconnected TCP socket with the options that every connection has."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def closing(sock: socket.socket) -> Iterator[None]:
    """Close `sock` when the block fails in any way, cancellation and Ctrl-C included."""
    try:
        yield
    except BaseException:
        sock.close()
        raise


def most_telling(errors: list[OSError]) -> OSError:
    """Pick the failure to report when every address failed.

    A refusal says more than a wait that ran out, and both say more than an address family that
    this machine does not have.
    """

    def rank(error: OSError) -> int:
        if error.errno == errno.ECONNREFUSED:
            return 0
        return 1 if isinstance(error, TimeoutError) else 2

    return min(errors, key=rank)


def is_readable(sock: socket.socket) -> bool:
    """Tell, without waiting, whether a read would return: on an idle connection that is its end."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True

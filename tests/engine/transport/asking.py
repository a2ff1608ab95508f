"""Requests and patience, for the tests of the transports."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from llm_client.types.http import HttpRequest, Timeouts
from tests.support.fault_server import FaultServer

__all__ = ["QUICK", "SHORT", "get", "post", "wait_for_hang_up", "wait_until"]

QUICK = Timeouts(connect=5, first_byte=0.6, silence=0.6)
SHORT = 0.3


def get(url: str, *headers: tuple[str, str], timeouts: Timeouts | None = None) -> HttpRequest:
    return HttpRequest("GET", url, headers, timeouts=timeouts or Timeouts())


def post(url: str, body: bytes = b"{}", timeouts: Timeouts | None = None) -> HttpRequest:
    return HttpRequest("POST", url, (), body, timeouts=timeouts or Timeouts())


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def wait_for_hang_up(server: FaultServer) -> bool:
    """Look at the server's own socket: its peer has closed when it becomes readable."""
    return wait_until(lambda: all(_peer_closed(sock) for sock in list(server._open)))


def _peer_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True

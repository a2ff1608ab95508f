"""The loopback server as a process of its own, for as long as a block runs."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["last_request_ns", "running_server"]

_SERVER = Path(__file__).with_name("server.py")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def running_server() -> Iterator[tuple[str, int]]:
    """Start the server; yield its address and its process id."""
    with subprocess.Popen(
        [sys.executable, "-I", str(_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid
        finally:
            process.stdin.close()


def last_request_ns(server: str) -> int:
    """Return when the last request was whole at the server, on the monotonic clock."""
    with _DIRECT.open(f"{server}/last") as answer:
        return int(answer.read())

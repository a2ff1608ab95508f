"""mlx_lm.server in a process of its own, for tests that need a real endpoint of that kind.

Owns the life of that process: it serves a model on a free port of the loopback, knows no downloaded
models, and ends with the `with` block.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.fault_server import refused_url

START_SECONDS = 60.0


@contextmanager
def running_mlx_server(model: Path, cache: Path) -> Iterator[str]:
    """Serve a model; yield the base URL without a path.

    Args:
        model: its directory.
        cache: an empty directory in the place of the user's cache of downloaded models.
    """
    with refused_url() as url:
        port = url.rpartition(":")[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlx_lm", "server", "--model", str(model), "--port", port],
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            _wait_until_healthy(process, url)
            yield url
        finally:
            process.kill()


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not _is_healthy(url):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"mlx_lm.server did not start: exit {process.poll()}")
        time.sleep(0.05)


def _is_healthy(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()

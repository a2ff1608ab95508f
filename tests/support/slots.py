"""A look into llama.cpp's server: how many requests it is working on."""

from __future__ import annotations

import http.client
import json
import time
from urllib.parse import urlsplit

__all__ = ["busy_slots", "seconds_until_idle"]


def busy_slots(url: str) -> int:
    """Ask the server at `url` (without a path) for its slots."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", "/slots")
        slots = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return sum(slot["is_processing"] for slot in slots)


def seconds_until_idle(url: str, *, at_most: float = 5.0) -> float:
    """Wait until the server works on nothing; return how long that took."""
    began = time.monotonic()
    while busy_slots(url):
        assert time.monotonic() - began < at_most, f"still generating after {at_most} s"
    return time.monotonic() - began

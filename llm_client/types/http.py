"""What a dialect asks of the transport and what it gets back, without any HTTP library.

Owns the three values that cross the seam between the pure floors and the transport. They are
plain data, so that a dialect can be tested without a network and `--dry-run` can print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .secret import Secret

__all__ = ["Head", "HttpRequest", "Timeouts"]

DEFAULT_CONNECT_SECONDS = 5.0
DEFAULT_SILENCE_SECONDS = 30.0
DEFAULT_FIRST_BYTE_SECONDS = 120.0
DEFAULT_WHOLE_SECONDS = 600.0
"""A model that thinks takes minutes, and giving it up early is paid for again by each retry."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each wait of one attempt may last, in seconds; `None` waits for ever."""

    connect: float | None = DEFAULT_CONNECT_SECONDS
    """Name look-up, TCP and TLS together."""
    first_byte: float | None = DEFAULT_FIRST_BYTE_SECONDS
    """From the request being sent to the first byte of the answer's body."""
    silence: float | None = DEFAULT_SILENCE_SECONDS
    """The longest gap between two later bytes."""
    total: float | None = None
    """Seconds left for the whole call when the request is handed over; `None` is no bound."""
    whole: float | None = DEFAULT_WHOLE_SECONDS
    """In the place of `first_byte` for an answer that comes whole: made before its first byte."""

    def longest_read(self) -> float | None:
        """Return the wait of a transport that knows but one for all reads; `None` is no bound.

        The longer of the two, because a slow start is normal and must not be cut.
        """
        if self.first_byte is None or self.silence is None:
            return None
        return max(self.first_byte, self.silence)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it goes on the wire."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    secret_headers: frozenset[str] = frozenset()
    """Lower-case names of the headers that carry a key: never shown, never sent to another host."""

    def __repr__(self) -> str:
        """Show the request without the values of its secret headers."""
        return f"HttpRequest({self.method} {self.url}, headers={self.shown_headers()!r})"

    def secrets(self) -> list[Secret]:
        """Return what the secret headers carry: what no message may show."""
        found: list[str] = []
        for name, value in self.headers:
            if name.lower() in self.secret_headers:
                scheme, _, key = value.rpartition(" ")
                found += [value, key]
                if scheme == "Basic":
                    from base64 import b64decode
                    from contextlib import suppress

                    with suppress(ValueError):
                        pair = b64decode(key).decode("utf-8", "replace")
                        found += [pair, pair.partition(":")[2]]
        return [Secret(text) for text in found]

    def shown_headers(self) -> dict[str, str]:
        """Return the headers fit for a terminal or a log: keys are masked."""
        return {
            name: "***" if name.lower() in self.secret_headers else value
            for name, value in self.headers
        }


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer."""

    status: int
    headers: Mapping[str, str]
    """Names are lower-case; a repeated header is joined with `, `."""
    url: str = ""
    """Where the answer came from, after redirects."""

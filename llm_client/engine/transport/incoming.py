"""An answer under way, as both socket transports see it: what to wait for, and how it failed.

Owns the order of the waits (a deadline up to the first byte of the body, then a bound on each gap,
and the end of the call over all) and the translation of failures into httpx's exceptions. No I/O; the clock is the monotonic one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from llm_client.engine.transport.http1 import FramingError, ResponseReader
from llm_client.engine.transport.outgoing import Waits

__all__ = ["HARMLESS", "Incoming", "Patience", "StaleConnection", "failing_as_httpx", "is_lost"]

HARMLESS = frozenset({"GET", "HEAD"})
"""Methods of requests that cost nothing when they are sent twice (RFC 9110, section 9.2.1)."""


class StaleConnection(ConnectionResetError):
    """A connection that was used before died without a byte of the answer.

    Most likely the server had closed it before the request came; but it may have read the request,
    and then it bills it. So it is not sent again in secret.
    """


class Patience:
    """How long the next bytes of one answer may take, in the order of the waits."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._deadline: float | None = None
        self._patience = waits.silence
        self._limit: float | None = None

    def limit(self, seconds: float | None) -> None:
        """Bound the following waits together by `seconds` from now, whatever else allows more."""
        self._limit = None if seconds is None else monotonic() + seconds

    def request_sent(self) -> None:
        """Start the wait for the first byte of the body."""
        if self._waits.first_byte is None:
            self._patience = None
        else:
            self._deadline = monotonic() + self._waits.first_byte

    def patience(self) -> float | None:
        """Return how many seconds the next receive may take, `None` for no bound.

        Raises:
            TimeoutError: The deadline has passed.
        """
        ends = self._waits.ends
        if self._deadline is None and self._limit is None and ends is None:
            return self._patience
        now = monotonic()
        bounds = [end - now for end in (self._deadline, self._limit, ends) if end is not None]
        if self._deadline is None and self._patience is not None:
            bounds.append(self._patience)
        remaining = min(bounds)
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def body_came(self) -> None:
        """End the wait for the first byte: from here on the gaps count."""
        self._deadline = None
        self._patience = self._waits.silence


class Incoming(Patience):
    """Progress of one answer. A driver asks `patience`, receives, and hands the bytes to `take`."""

    def __init__(self, method: str, waits: Waits) -> None:
        super().__init__(waits)
        self.reader = ResponseReader(request_method=method)

    def take(self, data: bytes) -> bytes:
        """Read what one receive brought, `b""` being the peer's end; return the body's bytes.

        Raises:
            FramingError: The bytes are no answer, or the peer closed before its end.
        """
        if not data:
            self.reader.end_of_stream()
            return b""
        body = self.reader.feed(data)
        if body:
            self.body_came()
        return body


@contextmanager
def failing_as_httpx(close: Callable[[], None]) -> Iterator[None]:
    """Run a block that receives: on any failure close, and say it as httpx does."""
    try:
        yield
    except (FramingError, OSError) as error:
        close()
        # Imported by the first failure: a process without one does without httpx.
        from llm_client.engine.transport.httpx_import import httpx

        if isinstance(error, FramingError):
            raise httpx.RemoteProtocolError(str(error)) from None
        if isinstance(error, TimeoutError) and error.errno is None:
            raise httpx.ReadTimeout("no byte came in time") from None
        raise httpx.ReadError(str(error)) from error
    except BaseException:
        close()
        raise


def is_lost(error: Exception) -> bool:
    """Tell whether `error` says that the connection was closed or out of step."""
    from llm_client.engine.transport.httpx_import import httpx

    return isinstance(error, (httpx.ReadError, httpx.RemoteProtocolError))

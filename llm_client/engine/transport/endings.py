"""How an exchange ends badly, in words of its own.

Owns the errors that `exchange` makes itself, and which of several waits an error blames. Imported
by the first of them.
"""

from __future__ import annotations

from dataclasses import replace

from llm_client.engine.transport.redirects import MAX_REDIRECTS, origin_shown
from llm_client.exceptions import ConnectionError, TimeoutError
from llm_client.types.http import HttpRequest

__all__ = ["closed", "explained", "no_place", "too_many_redirects"]


def explained(
    error: Exception,
    request: HttpRequest,
    limit: float | None,
    ends: float | None,
    answering: bool,
    one_wait: bool,
) -> Exception:
    """Return what to raise when a read fails with `error`; a bug stays as it is.

    Args:
        error: What the transport raised.
        request: Whose answer was read.
        limit: Seconds that this read was given; `None` is no bound.
        ends: When the call is over; see `Waits.ends`.
        answering: Whether a byte of the body had arrived.
        one_wait: Whether the transport knew only one wait for all reads, and no limit.
    """
    from llm_client.engine.transport.failures import FAILURES, explain
    from llm_client.engine.transport.httpx_import import httpx

    if not isinstance(error, FAILURES):
        return error
    waits = request.timeouts
    if one_wait and isinstance(error, httpx.TimeoutException):
        limit = None  # httpx's own wait ran out, not the limit that is watched here
    if limit is not None:
        first_byte, silence = waits.first_byte, waits.silence
        waits = replace(
            waits,
            first_byte=limit if first_byte is None else min(first_byte, limit),
            silence=limit if silence is None else min(silence, limit),
        )
    return explain(error, request.url, waits, answering=answering, one_wait=one_wait, ends=ends)


def closed(request: HttpRequest) -> ConnectionError:
    """Return the error of a read after the close."""
    return ConnectionError(f"The answer of {origin_shown(request.url)} was closed before its end.")


def no_place(request: HttpRequest, most: int) -> TimeoutError:
    """Return the error of a request that had to wait too long for the others, `most` of them."""
    return TimeoutError(
        f"No connection to {origin_shown(request.url)} became free for "
        f"{request.timeouts.total:g} s: {most} answers are under way.",
        hint="Close the answers that are no longer read, or make fewer calls at once.",
    )


def too_many_redirects(request: HttpRequest) -> ConnectionError:
    """Return the error of a request that was sent on once too often."""
    return ConnectionError(
        f"More than {MAX_REDIRECTS} redirects; the last one led to {origin_shown(request.url)}.",
        retryable=False,
    )

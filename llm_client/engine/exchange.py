"""One HTTP exchange: encode, open, read, decode, emit, close.

Owns what an answer looks like on the outside (its status, its content type, where it ends); what
is inside is the dialect's business, and what to do when it fails the pipeline's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..dialects import find_dialect
from ..dialects.base import Dialect, ListsModels
from ..exceptions import ConfigurationError, ConnectionError, LLMError, TimeoutError
from ..types.http import Head, HttpRequest, Timeouts
from ..types.models import ModelInfo
from ..types.request import LLMRequest
from ..types.response import Fold, StreamChunk
from ..types.target import Target
from .effects import Emit, Steps, close, open_, read

__all__ = ["Deadline", "exchange", "fetch_models"]

_ERROR_BODY_LIMIT = 1 << 20
"""Bytes of an error answer that are read; the rest cannot say more."""


class Deadline:
    """The end of a call, on the engine's clock."""

    __slots__ = ("_clock", "_ends", "_seconds")

    def __init__(self, seconds: float | None, started: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._ends = None if seconds is None else started + seconds
        self._clock = clock

    def remaining(self) -> float | None:
        """Return the seconds left, 0 or more; `None` without a deadline."""
        return None if self._ends is None else max(0.0, self._ends - self._clock())

    def passed(self) -> bool:
        """Return whether the deadline is over."""
        return self._ends is not None and self._clock() >= self._ends

    def within(self, seconds: float) -> bool:
        """Return whether the deadline falls into the next `seconds`."""
        return self._ends is not None and self._clock() + seconds >= self._ends

    def error(self, attempts: int) -> TimeoutError:
        """Return the error that says that the deadline ran out."""
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        return TimeoutError(
            f"The deadline of {self._seconds:g} s ran out after {tries}.",
            hint="Allow more with `--deadline SECONDS`.",
        )

    def bound(self, timeouts: Timeouts) -> Timeouts:
        """Return `timeouts` with no wait longer than what is left."""
        left = self.remaining()
        if left is None:
            return timeouts

        def shorter(seconds: float | None) -> float:
            return left if seconds is None else min(seconds, left)

        return Timeouts(
            connect=shorter(timeouts.connect),
            first_byte=shorter(timeouts.first_byte),
            silence=shorter(timeouts.silence),
        )


def exchange(
    request: LLMRequest,
    target: Target,
    fold: Fold,
    deadline: Deadline,
    note_output: Callable[[], None],
) -> Steps[None]:
    """Send one request and fold its answer, emitting it piece by piece when it streams.

    Args:
        request: what is asked.
        target: who is asked.
        fold: takes the answer; what it holds when an error leaves is the partial answer.
        deadline: bounds every wait.
        note_output: called before any output is shown.

    Raises:
        LLMError: there is no whole answer.
    """
    dialect = find_dialect(target.provider.dialect)
    wire = dialect.encode(request, target)
    head = yield from _open(wire, target, deadline)
    try:
        if head.status >= 400:
            body = yield from _read_all(deadline, _ERROR_BODY_LIMIT)
            raise dialect.error(head, body, target)
        if _is_streamed(head, request):
            yield from _read_stream(dialect, request, target, fold, deadline, note_output)
        else:
            body = yield from _read_all(deadline)
            chunks = dialect.decode(body, target)
            yield from _take(chunks, request, fold, note_output)
    finally:
        yield from close()


def fetch_models(target: Target, deadline: Deadline) -> Steps[list[ModelInfo]]:
    """Return the models that a provider lists.

    Raises:
        ConfigurationError: its dialect has no list of models.
        LLMError: it does not answer.
    """
    dialect = find_dialect(target.provider.dialect)
    if not isinstance(dialect, ListsModels):
        raise ConfigurationError(f"{target.provider.name!r} has no list of models.")
    head = yield from _open(dialect.encode_models(target), target, deadline)
    try:
        body = yield from _read_all(deadline)
    finally:
        yield from close()
    if head.status >= 400:
        raise dialect.error(head, body, target)
    return dialect.decode_models(body, target)


def _open(wire: HttpRequest, target: Target, deadline: Deadline) -> Steps[Head]:
    wire = replace(wire, timeouts=deadline.bound(wire.timeouts))
    try:
        return (yield from open_(wire, target.verify_ssl))
    except ConnectionError as error:
        if error.hint is None and target.provider.local and target.provider.start_command:
            error.hint = (
                f"Is {target.provider.name} running? Start it with "
                f"`{target.provider.start_command}`, or set its address with `--base-url`."
            )
        raise


def _is_streamed(head: Head, request: LLMRequest) -> bool:
    """Return whether the body is a stream of events: what the server says, else what was asked."""
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"application/json", "text/html"}:
        return False
    return request.stream or kind in {"text/event-stream", "application/x-ndjson"}


def _read_all(deadline: Deadline, limit: int | None = None) -> Steps[bytes]:
    parts: list[bytes] = []
    size = 0
    while data := (yield from read(deadline.remaining())):
        parts.append(data)
        size += len(data)
        if limit is not None and size >= limit:
            break
    return b"".join(parts)


def _read_stream(
    dialect: Dialect,
    request: LLMRequest,
    target: Target,
    fold: Fold,
    deadline: Deadline,
    note_output: Callable[[], None],
) -> Steps[None]:
    decoder = dialect.decoder(target)
    while not decoder.done:
        data = yield from read(deadline.remaining())
        chunks = decoder.feed(data) if data else decoder.end()
        yield from _take(chunks, request, fold, note_output)
        if not data:
            return
    try:
        # The end of the body, so that the connection can be used again.
        yield from read(deadline.remaining())
    except LLMError:
        # The answer is whole, and how the server hangs up does not matter.
        return


def _take(
    chunks: list[StreamChunk],
    request: LLMRequest,
    fold: Fold,
    note_output: Callable[[], None],
) -> Steps[None]:
    """Fold chunks, show them, and raise the error that one of them carries."""
    error: LLMError | None = None
    for chunk in chunks:
        if chunk.error is not None:
            error = chunk.error
            chunks = chunks[: chunks.index(chunk)]
            break
        fold.add(chunk)
    if fold.has_output:
        note_output()
    if chunks and request.stream:
        yield Emit(chunks)
    if error is not None:
        raise error

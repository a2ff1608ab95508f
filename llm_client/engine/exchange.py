"""One HTTP exchange: encode, open, read, decode, emit, close.

Owns what an answer looks like on the outside (its status, its content type, where it ends); what
is inside is the dialect's business, and what to do when it fails the pipeline's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..dialects import find_dialect
from ..dialects.base import Dialect, ListsModels
from ..exceptions import (
    ConfigurationError,
    ConnectionError,
    LLMError,
    ModelNotFoundError,
    TimeoutError,
)
from ..types.http import Head, HttpRequest, Timeouts
from ..types.request import LLMRequest
from ..types.response import Fold, StreamChunk
from ..types.target import Target
from .effects import Emit, Steps, close, open_, read

if TYPE_CHECKING:
    from ..types.models import ModelInfo

__all__ = ["Deadline", "Watch", "as_sent", "ask", "choose_model", "exchange", "fetch_models"]

T = TypeVar("T")

_ERROR_BODY_LIMIT = 1 << 20
"""Bytes of an error answer that are read; the rest cannot say more."""
_LIST_BODY_LIMIT = 32 << 20
"""Bytes of one part of a model list, twenty times the longest that was seen: what listens on the
usual port of a server may be anything."""
_MOST_PAGES = 100
"""Parts of a model list: a server that never comes to an end must not keep us."""
_END_OF_BODY_SECONDS = 0.5
"""How long the end of a body may take to follow a complete answer. The caller is waiting, and all
that is lost when it does not come is a connection that could have been used again."""


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

    def error(self, attempts: int, last: LLMError | None = None) -> TimeoutError:
        """Return the error that says that the deadline ran out.

        Args:
            attempts: how many were made.
            last: why the last one failed, when it is the wait before the next that is too long.
        """
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        if last is not None:
            text = f"leaves no time to try again after {tries}; the last one failed: {last}"
        elif attempts:
            text = f"ran out after {tries}."
        else:
            text = "ran out before the first attempt."
        return TimeoutError(
            f"The deadline of {self._seconds:g} s {text}",
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
            total=left,
        )


class Watch(Protocol):
    """Is told how far an exchange has come."""

    def sent(self) -> None:
        """The request is on its way: from now on it may be billed."""
        ...

    def answered(self, head: Head) -> None:
        """The answer has begun."""
        ...

    def output(self) -> None:
        """Output has arrived, and is about to be shown."""
        ...


def exchange(
    request: LLMRequest,
    target: Target,
    fold: Fold,
    deadline: Deadline,
    watch: Watch,
    shown: Callable[[list[StreamChunk]], list[StreamChunk]],
) -> Steps[None]:
    """Send one request and fold its answer, emitting it piece by piece when it streams.

    Args:
        request: what is asked.
        target: who is asked.
        fold: takes the answer; what it holds when an error leaves is the partial answer.
        deadline: bounds every wait.
        watch: told how far it has come.
        shown: makes the chunks that are folded and shown of those that were decoded.

    Raises:
        LLMError: there is no whole answer.
    """
    dialect = find_dialect(target.provider.dialect)
    asked = as_sent(request, target)
    wire = _keyed(dialect.encode(asked, target), request.idempotency_key)
    watch.sent()
    head = yield from _open(wire, target, deadline)
    watch.answered(head)
    if head.status >= 400:
        body = yield from _and_close(_read_all(deadline, _ERROR_BODY_LIMIT))
        raise dialect.error(_dated(head), body, target)
    if _is_streamed(head, asked):
        steps = _read_stream(dialect, request, target, fold, deadline, watch, shown)
        yield from _and_close(steps)
        return
    body = yield from _and_close(_read_all(deadline))
    yield from _take(dialect.decode(body, target), request, fold, watch, shown)


def _keyed(wire: HttpRequest, idempotency_key: str | None) -> HttpRequest:
    if idempotency_key is None:
        return wire
    return replace(wire, headers=(*wire.headers, ("Idempotency-Key", idempotency_key)))


def as_sent(request: LLMRequest, target: Target) -> LLMRequest:
    """Return a request as its target wants it on the wire."""
    return replace(request, stream=True) if target.provider.quirks.streams_always else request


def _and_close(steps: Steps[T]) -> Steps[T]:
    """Run steps, then give the exchange up, whatever came of them."""
    try:
        result = yield from steps
    except GeneratorExit:
        # No driver is left to perform an effect.
        raise
    except BaseException:
        yield from close()
        raise
    yield from close()
    return result


def choose_model(
    target: Target, deadline: Deadline, rank: Callable[[ModelInfo], int] | None = None
) -> Steps[Target]:
    """Return a target without a model with the first that its provider lists.

    Args:
        target: who is asked.
        deadline: bounds every wait.
        rank: takes the first of the lowest rank instead.

    Raises:
        ModelNotFoundError: it lists none.
        LLMError: it does not answer.
    """
    models = yield from fetch_models(target, deadline)
    if not models:
        command = target.provider.fetch_model_command
        raise ModelNotFoundError(
            f"{target.provider.name} at {target.base_url} has no models.",
            hint=f"Fetch one with `{command} MODEL`." if command else "Name one with `-m`.",
            provider=target.provider.name,
        )
    return replace(target, model=(min(models, key=rank) if rank else models[0]).id)


def fetch_models(target: Target, deadline: Deadline) -> Steps[list[ModelInfo]]:
    """Return the models that a provider lists.

    Raises:
        ConfigurationError: its dialect has no list of models.
        LLMError: it does not answer.
    """
    dialect = find_dialect(target.provider.dialect)
    if not isinstance(dialect, ListsModels) or not target.provider.lists_models:
        raise ConfigurationError(
            f"{target.provider.name!r} has no list of models.", hint="Name one with `-m`."
        )
    models: list[ModelInfo] = []
    asked: set[str | None] = set()
    page: str | None = None
    while page not in asked and len(asked) < _MOST_PAGES:
        asked.add(page)
        wire = dialect.encode_models(target, page)
        head, body = yield from ask(wire, target, deadline, _LIST_BODY_LIMIT)
        if head.status >= 400:
            # Whatever it lacks, it is not the model that the target names.
            raise dialect.error(head, body, replace(target, model=""))
        found, page = dialect.decode_models(body, target)
        models += found
        if page is None:
            break
    return models


def ask(
    wire: HttpRequest, target: Target, deadline: Deadline, limit: int | None = None
) -> Steps[tuple[Head, bytes]]:
    """Send a request that is no call; return head and body of the answer, whatever its status.

    Args:
        wire: the request.
        target: who is asked.
        deadline: bounds every wait.
        limit: bytes of the body from which on the rest is left unread.

    Raises:
        ConnectionError: there is no whole answer.
    """
    head = yield from _open(wire, target, deadline)
    if head.status >= 400:
        return _dated(head), (yield from _and_close(_read_all(deadline, _ERROR_BODY_LIMIT)))
    return head, (yield from _and_close(_read_all(deadline, limit)))


def _open(wire: HttpRequest, target: Target, deadline: Deadline) -> Steps[Head]:
    wire = replace(wire, timeouts=deadline.bound(wire.timeouts))
    try:
        return (yield from open_(wire, target.verify_ssl))
    except ConnectionError as error:
        command = target.provider.start_command
        if command and (error.refused or error.hint is None):
            error.hint = (
                f"Is {target.provider.name} running? Start it with `{command}`, "
                "or set its address with `--base-url`."
            )
        raise


def _dated(head: Head) -> Head:
    """Return a head with the time at which it came, if it does not say (RFC 9110, section 6.6.1).

    A `Retry-After` that is a date is read against it.
    """
    if "date" in head.headers:
        return head
    from email.utils import formatdate

    return replace(head, headers={**head.headers, "date": formatdate(usegmt=True)})


def _is_streamed(head: Head, request: LLMRequest) -> bool:
    """Return whether the body is a stream of events: what the server says, else what was asked."""
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"application/json", "text/html"}:
        return False
    return request.stream or kind in {"text/event-stream", "application/x-ndjson"}


def _read(deadline: Deadline) -> Steps[bytes]:
    """Read, unless the deadline is over: not every transport can cut a wait short."""
    left = deadline.remaining()
    if left == 0.0:
        raise deadline.error(1)
    return (yield from read(left))


def _read_all(deadline: Deadline, limit: int | None = None) -> Steps[bytes]:
    parts: list[bytes] = []
    size = 0
    while data := (yield from _read(deadline)):
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
    watch: Watch,
    shown: Callable[[list[StreamChunk]], list[StreamChunk]],
) -> Steps[None]:
    decoder = dialect.decoder(target)
    try:
        while not decoder.done:
            data = yield from _read(deadline)
            # In no variable: a chunk may have an error, whose traceback knows this frame.
            yield from _take(
                decoder.feed(data) if data else decoder.end(), request, fold, watch, shown
            )
            if not data:
                return
    except BaseException:
        fold.usage = fold.usage or decoder.usage  # all that will ever be reported
        raise
    left = deadline.remaining()
    try:
        # The end of the body, so that the connection can be used again.
        yield from read(_END_OF_BODY_SECONDS if left is None else min(left, _END_OF_BODY_SECONDS))
    except LLMError:
        # The answer is whole, and how the server hangs up does not matter.
        return


def _take(
    chunks: list[StreamChunk],
    request: LLMRequest,
    fold: Fold,
    watch: Watch,
    shown: Callable[[list[StreamChunk]], list[StreamChunk]],
) -> Steps[None]:
    """Fold chunks, show them, and raise the error that one of them carries."""
    error: LLMError | None = None
    chunks = shown(chunks)
    for chunk in chunks:
        if chunk.error is not None:
            error = chunk.error
            chunks = chunks[: chunks.index(chunk)]
            break
        fold.add(chunk)
    if fold.has_output:
        watch.output()
    if chunks and request.stream:
        yield Emit(chunks)
    if error is not None:
        try:
            raise error
        finally:
            del chunk, error  # its traceback knows this frame: a cycle

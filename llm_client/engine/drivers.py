"""The two drivers: they perform effects, one blocking, one on asyncio. Nothing is decided here.

What goes wrong while an effect is performed, Ctrl-C and cancellation too, is thrown into the
engine, which closes the exchange and settles its books with further effects before the error
leaves. A caller who stops listening arrives there as `Abandoned`, because a generator must not
yield while `GeneratorExit` unwinds it.

Ctrl-C may also strike between two effects, so each loop stands in a `try` as a whole: an error that
finds the engine alive (`gi_frame`) is thrown into it, wherever it came from. An exchange that is
still open when the loop ends is closed there, whatever the engine managed to say.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar, assert_never

from ..storage.haste import WouldWait
from ..types.http import HttpRequest
from ..types.response import StreamChunk
from .effects import Abandoned, Call, Close, Emit, Open, Read, Sleep, Steps
from .transport.exchange import AsyncExchange, AsyncTransport, SyncExchange, SyncTransport

__all__ = ["AsyncDriver", "Held", "SyncDriver"]

T = TypeVar("T")


class Held(Generic[T]):
    """The result of an iteration that cannot return one itself."""

    __slots__ = ("value",)

    value: T


class SyncDriver:
    """Performs effects on the calling thread."""

    def __init__(
        self,
        make_transport: Callable[[bool | str], SyncTransport] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._make_transport = make_transport or (lambda verify: SyncTransport(verify=verify))
        self._transports: dict[bool | str, SyncTransport] = {}
        self._sleep = sleep

    def run(self, steps: Steps[T]) -> T:
        """Run the engine to its end; return its result."""
        chunks = self.iterate(steps)
        while True:
            try:
                next(chunks)
            except StopIteration as end:
                result: T = end.value
                return result

    def iterate(self, steps: Steps[T]) -> Generator[StreamChunk, None, T]:
        """Run the engine, yielding what it emits; the generator returns its result."""
        exchange: SyncExchange | None = None
        value: Any = None
        failure: BaseException | None = None
        try:
            while True:
                try:
                    while True:
                        effect = steps.send(value) if failure is None else steps.throw(failure)
                        value = failure = None
                        match effect:
                            case Emit():
                                yield from effect.chunks
                            case Read():
                                assert exchange is not None
                                value = exchange.read(effect.timeout)
                            case Open():
                                exchange = self._open(effect.request, effect.verify)
                                value = exchange.head
                            case Close():
                                assert exchange is not None
                                exchange.close()
                                exchange = None
                            case Sleep():
                                self._sleep(effect.seconds)
                            case Call():
                                value = effect.function()
                            case _:
                                assert_never(effect)
                except BaseException as error:
                    if steps.gi_frame is None:  # type: ignore[attr-defined]  # generators have it
                        raise
                    failure = Abandoned() if isinstance(error, GeneratorExit) else error
        except StopIteration as end:
            result: T = end.value
            return result
        except Abandoned:
            raise GeneratorExit from None
        finally:
            failure = None  # its traceback knows this frame: a cycle
            if exchange is not None:
                exchange.close()

    def _open(self, request: HttpRequest, verify: bool | str) -> SyncExchange:
        transport = self._transports.get(verify)
        if transport is None:
            # Another thread may have made one meanwhile: all must share the first.
            transport = self._transports.setdefault(verify, self._make_transport(verify))
        return transport.open(request)

    def close(self) -> None:
        """Close every connection. The driver can be used again."""
        for transport in list(self._transports.values()):
            transport.close()


class AsyncDriver:
    """Performs effects on the running event loop."""

    def __init__(
        self,
        make_transport: Callable[[bool | str], AsyncTransport] | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        import asyncio

        self._make_transport = make_transport or (lambda verify: AsyncTransport(verify=verify))
        self._transports: dict[bool | str, AsyncTransport] = {}
        self._sleep = sleep or asyncio.sleep
        self._running_loop, self._shield = asyncio.get_running_loop, asyncio.shield
        self._wait, self._cancelled = asyncio.wait, asyncio.CancelledError

    async def run(self, steps: Steps[T]) -> T:
        """Run the engine to its end; return its result."""
        held: Held[T] = Held()
        async for _ in self.iterate(steps, held):
            pass
        return held.value

    async def iterate(self, steps: Steps[T], held: Held[T]) -> AsyncGenerator[StreamChunk, None]:
        """Run the engine, yielding what it emits; its result ends up in `held`."""
        exchange: AsyncExchange | None = None
        value: Any = None
        failure: BaseException | None = None
        try:
            while True:
                try:
                    while True:
                        effect = steps.send(value) if failure is None else steps.throw(failure)
                        value = failure = None
                        match effect:
                            case Emit():
                                for chunk in effect.chunks:
                                    yield chunk
                            case Read():
                                assert exchange is not None
                                value = await exchange.read(effect.timeout)
                            case Open():
                                exchange = await self._open(effect.request, effect.verify)
                                value = exchange.head
                            case Close():
                                assert exchange is not None
                                await exchange.close()
                                exchange = None
                            case Sleep():
                                await self._sleep(effect.seconds)
                            case Call():
                                value = await self._called(effect)
                            case _:
                                assert_never(effect)
                except BaseException as error:
                    if steps.gi_frame is None:  # type: ignore[attr-defined]  # generators have it
                        raise
                    failure = Abandoned() if isinstance(error, GeneratorExit) else error
        except StopIteration as end:
            held.value = end.value
        except Abandoned:
            raise GeneratorExit from None
        finally:
            failure = None  # its traceback knows this frame: a cycle
            if exchange is not None:
                await exchange.close()

    async def _called(self, effect: Call) -> Any:
        if effect.hasty is not None:
            try:
                return effect.hasty()
            except WouldWait:
                pass
        return await self._finished(effect.function)

    async def _finished(self, function: Callable[[], Any]) -> Any:
        """Call in a thread; a cancellation waits for the end, because a store is not half written."""
        future = self._running_loop().run_in_executor(None, function)
        try:
            return await self._shield(future)
        except self._cancelled:
            while not future.done():
                with suppress(self._cancelled):
                    await self._wait([future])
            future.exception()  # retrieved, and given up for the cancellation
            raise

    async def _open(self, request: HttpRequest, verify: bool | str) -> AsyncExchange:
        transport = self._transports.get(verify)
        if transport is None:
            transport = self._transports.setdefault(verify, self._make_transport(verify))
        return await transport.open(request)

    async def close(self) -> None:
        """Close every connection. The driver can be used again."""
        for transport in list(self._transports.values()):
            await transport.close()

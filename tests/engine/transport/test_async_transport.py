"""What only the asyncio transport has to get right: loops, cancellation, fairness."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from llm_client import exceptions
from llm_client.engine.transport import async_sockets, sessions
from llm_client.engine.transport.async_sockets import AsyncSocketTransport
from llm_client.engine.transport.exchange import AsyncExchange, AsyncTransport
from llm_client.engine.transport.httpx_import import httpx
from llm_client.engine.transport.outgoing import Outgoing
from llm_client.types.http import HttpRequest, Timeouts
from tests.support.fault_server import fault_server, respond, say_nothing


def get(url: str) -> HttpRequest:
    return HttpRequest("GET", url)


async def body_of(exchange: AsyncExchange) -> bytes:
    body = b""
    while piece := await exchange.read():
        body += piece
    return body


async def fetch(transport: AsyncTransport, url: str) -> bytes:
    return await body_of(await transport.open(get(url)))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario, debug=True)


def test_requests_started_all_at_once_stay_within_the_bound() -> None:
    async def scenario() -> None:
        transport = AsyncTransport(max_connections=8)
        bodies = await asyncio.gather(*(fetch(transport, server.url) for _ in range(300)))
        assert set(bodies) == {b"x"}
        await transport.close()

    with fault_server(respond(body=b"x")) as server:
        asyncio.run(scenario())
        assert len(server.requests) == 300
        assert server.connections <= 8


def test_each_loop_has_connections_of_its_own() -> None:
    transport = AsyncTransport()

    async def scenario(*, last: bool) -> None:
        assert await fetch(transport, server.url) == b"x"
        assert await fetch(transport, server.url) == b"x"
        if last:
            await transport.close()

    with fault_server(respond(body=b"x")) as server:
        asyncio.run(scenario(last=False))
        asyncio.run(scenario(last=False))
        asyncio.run(scenario(last=True))
        assert [request.connection for request in server.requests] == [0, 0, 1, 1, 2, 2]
        assert len(transport._sessions) == 0


def test_closing_reaches_the_connections_of_other_loops() -> None:
    transport = AsyncTransport()
    with fault_server(respond(body=b"x")) as server:
        first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
        try:
            first.run_until_complete(fetch(transport, server.url))
            second.run_until_complete(fetch(transport, server.url))
            assert len(transport._sessions) == 2
            second.run_until_complete(transport.close())
            assert not transport._sessions
            assert first.run_until_complete(fetch(transport, server.url)) == b"x"
            assert server.requests[-1].connection == 2
            first.run_until_complete(transport.close())
        finally:
            first.close()
            second.close()


def test_cancelled_wait_for_an_answer_hangs_up_and_frees_its_place() -> None:
    async def scenario() -> None:
        transport = AsyncTransport(max_connections=1)
        task = asyncio.create_task(transport.open(get(server.url)))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.wait_for(fetch(transport, server.url), 10) == b"x"
        await transport.close()

    with fault_server(say_nothing(), respond(body=b"x")) as server:
        run(scenario())


def test_cancelled_read_leaves_an_exchange_that_can_be_closed() -> None:
    async def scenario() -> None:
        transport = AsyncTransport(max_connections=1)
        exchange = await transport.open(get(server.url))
        assert await exchange.read() == b"x"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(exchange.read(), 0.1)
        await exchange.close()
        assert await fetch(transport, server.url) == b"y"
        await transport.close()

    with fault_server(respond(pieces=[b"x", (30, b"z")]), respond(body=b"y")) as server:
        run(scenario())


def test_close_by_another_task_wakes_a_reader() -> None:
    async def scenario() -> None:
        transport = AsyncTransport()
        exchange = await transport.open(get(server.url))
        assert await exchange.read() == b"x"
        reader = asyncio.create_task(exchange.read())
        await asyncio.sleep(0.05)
        await exchange.close()
        with pytest.raises(exceptions.ConnectionError):
            await asyncio.wait_for(reader, 10)

    with fault_server(respond(pieces=[b"x", (30, b"y")])) as server:
        run(scenario())


def test_fast_stream_lets_other_tasks_run() -> None:
    async def scenario() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        transport = AsyncTransport()
        exchange = await transport.open(get(server.url))
        await asyncio.sleep(0.2)  # the kernel's buffers fill: reading need not wait now
        task = asyncio.create_task(other())
        size = 0
        before = turns
        while size < 400_000:
            size += len(await exchange.read())
        assert turns > before + 1
        task.cancel()
        await exchange.close()
        await transport.close()

    with fault_server(respond(body=bytes(4_000_000))) as server:
        asyncio.run(scenario())


def test_many_small_reads_let_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        transport = AsyncTransport()
        exchange = await transport.open(get(server.url))
        await asyncio.sleep(0.2)
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1

        for _ in range(60):
            asyncio.get_running_loop().call_soon(tick)
            assert await exchange.read()
        assert ticks > 0
        await exchange.close()
        await transport.close()

    monkeypatch.setattr(async_sockets, "RECEIVE_BYTES", 100)
    with fault_server(respond(body=bytes(100_000))) as server:
        asyncio.run(scenario())


def test_stream_of_a_callers_client_is_finished_when_closed() -> None:
    finished = False

    async def stream() -> AsyncIterator[bytes]:
        nonlocal finished
        try:
            yield b"x"
            await asyncio.sleep(30)
        finally:
            finished = True

    async def scenario() -> None:
        handler = httpx.MockTransport(lambda _: httpx.Response(200, content=stream()))
        async with httpx.AsyncClient(transport=handler) as client:
            transport = AsyncTransport(http_client=client)
            exchange = await transport.open(get("http://model.example/"))
            assert await exchange.read() == b"x"
            with pytest.raises(exceptions.TimeoutError, match="silent") as caught:
                await exchange.read(0.05)
            assert caught.value.__context__ is None
            await exchange.close()

    run(scenario())
    assert finished


class Runtime(httpx.AsyncBaseTransport):
    closed = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=str(request.url).encode())

    async def aclose(self) -> None:
        type(self).closed += 1


def test_runtime_runs_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        transport = AsyncTransport()
        for _ in range(2):
            assert await fetch(transport, "gguf://embedded/x") == b"gguf://embedded/x"
        await transport.close()
        assert Runtime.closed == 1

    monkeypatch.setattr(Runtime, "closed", 0)
    target = f"{__name__}:Runtime"
    monkeypatch.setitem(sessions.RUNTIMES, "gguf", ("nowhere:Nothing", target))
    run(scenario())


def test_large_body_is_sent_in_slices() -> None:
    body = os.urandom(2_000_000)

    async def scenario() -> None:
        transport = AsyncTransport()
        request = HttpRequest("POST", server.url, (), body, timeouts=Timeouts(silence=10))
        assert await body_of(await transport.open(request)) == b"x"
        await transport.close()

    with fault_server(respond(body=b"x")) as server:
        run(scenario())
        assert server.requests[0].body == body


def test_answer_that_was_closed_cannot_be_read() -> None:
    async def scenario() -> None:
        answer = await AsyncSocketTransport().send(Outgoing.plain(get(server.url)))
        await answer.aclose()
        with pytest.raises(httpx.StreamClosed):
            [piece async for piece in answer]

    with fault_server(respond(pieces=[(30, b"x")])) as server:
        run(scenario())


def test_cancelled_connection_attempt_leaves_nothing_open() -> None:
    async def scenario(listener: socket.socket) -> None:
        transport = AsyncTransport(max_connections=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await transport.open(get(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
        assert await asyncio.wait_for(fetch(transport, server.url), 10) == b"x"
        await transport.close()

    with (
        fault_server(respond(body=b"x")) as server,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        run(scenario(silent))

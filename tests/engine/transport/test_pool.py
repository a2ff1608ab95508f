"""Idle connections and the queues before them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time

import pytest

from llm_client.engine.transport import async_sockets, sync_sockets
from llm_client.engine.transport.addresses import is_readable
from llm_client.engine.transport.async_sessions import AsyncGate
from llm_client.engine.transport.pool import Gate, IdlePool
from llm_client.engine.transport.sync_sockets import SocketTransport


class Connection:
    def __init__(self, *, stale: bool = False) -> None:
        self.stale = stale
        self.closed = False

    def is_stale(self) -> bool:
        return self.stale

    def close(self) -> None:
        self.closed = True


def test_last_used_connection_is_taken_first() -> None:
    pool: IdlePool[Connection] = IdlePool()
    first, second = Connection(), Connection()
    pool.put("origin", first, 0.0)
    pool.put("origin", second, 1.0)
    assert pool.take("origin", 2.0) is second
    assert pool.take("origin", 2.0) is first
    assert pool.take("origin", 2.0) is None


def test_connection_of_another_origin_is_not_taken() -> None:
    pool: IdlePool[Connection] = IdlePool()
    pool.put("one", Connection(), 0.0)
    assert pool.take("other", 0.0) is None


def test_stale_connections_are_closed_on_the_way() -> None:
    pool: IdlePool[Connection] = IdlePool()
    good, stale = Connection(), Connection(stale=True)
    pool.put("origin", good, 0.0)
    pool.put("origin", stale, 0.0)
    assert pool.take("origin", 0.0) is good
    assert stale.closed


def test_dropped_origin_has_no_connections_left_and_others_keep_theirs() -> None:
    pool: IdlePool[Connection] = IdlePool(max_idle=2)
    first, second, other = Connection(), Connection(), Connection()
    pool.put("origin", first, 0.0)
    pool.put("origin", second, 0.0)
    pool.drop("origin")
    pool.drop("unknown")
    assert (first.closed, second.closed) == (True, True)
    assert pool.take("origin", 0.0) is None
    pool.put("other", other, 0.0)
    pool.put("origin", Connection(), 0.0)
    assert not other.closed  # what was dropped takes no place
    assert pool.take("other", 0.0) is other


def test_origin_that_closes_behind_an_answer_is_not_trusted_for_a_minute() -> None:
    pool: IdlePool[Connection] = IdlePool()
    pool.put("origin", Connection(stale=True), 10.0)
    assert pool.take("origin", 10.9) is None
    refused, other, kept = Connection(), Connection(), Connection()
    pool.put("origin", refused, 70.8)
    pool.put("other", other, 70.8)
    assert refused.closed
    assert pool.take("origin", 70.8) is None
    assert pool.take("other", 70.8) is other
    pool.put("origin", kept, 70.9)
    assert pool.take("origin", 70.9) is kept


def test_origin_that_closes_an_idle_connection_is_trusted() -> None:
    pool: IdlePool[Connection] = IdlePool()
    pool.put("origin", Connection(stale=True), 10.0)
    assert pool.take("origin", 11.0) is None
    kept = Connection()
    pool.put("origin", kept, 11.0)
    assert pool.take("origin", 11.0) is kept


def test_connection_idle_for_too_long_is_closed() -> None:
    pool: IdlePool[Connection] = IdlePool(idle_seconds=10)
    old = Connection()
    pool.put("origin", old, 0.0)
    assert pool.take("origin", 10.1) is None
    assert old.closed


def test_old_connections_of_every_origin_go_when_one_is_put() -> None:
    pool: IdlePool[Connection] = IdlePool(idle_seconds=10)
    old, new = Connection(), Connection()
    pool.put("one", old, 0.0)
    pool.put("other", new, 11.0)
    assert (old.closed, new.closed) == (True, False)


def test_oldest_connection_goes_when_there_are_too_many() -> None:
    pool: IdlePool[Connection] = IdlePool(max_idle=2)
    connections = [Connection() for _ in range(4)]
    for now, (origin, connection) in enumerate(zip("abba", connections, strict=True)):
        pool.put(origin, connection, float(now))
    assert [connection.closed for connection in connections] == [True, True, False, False]
    assert pool.take("b", 4.0) is connections[2]


def test_closed_pool_is_empty_and_usable() -> None:
    pool: IdlePool[Connection] = IdlePool()
    connection, later = Connection(), Connection()
    pool.put("origin", connection, 0.0)
    pool.close()
    assert connection.closed
    pool.put("origin", later, 0.0)
    assert pool.take("origin", 0.0) is later


def test_forgotten_pool_closes_its_connections() -> None:
    pool: IdlePool[Connection] = IdlePool()
    connection = Connection()
    pool.put("origin", connection, 0.0)
    del pool
    assert connection.closed


def wait_for_queue(gate: Gate, length: int) -> None:
    ends = time.monotonic() + 5
    while len(gate._waiting) < length:
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_gate_lets_threads_through_in_order_of_arrival() -> None:
    gate = Gate(1)
    gate.acquire()
    order: list[int] = []

    def pass_through(number: int) -> None:
        gate.acquire()
        order.append(number)
        gate.release()

    threads = [threading.Thread(target=pass_through, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_for_queue(gate, number + 1)
    assert order == []
    gate.release()
    for thread in threads:
        thread.join(5)
    assert order == list(range(8))


class InterruptedTurn:
    """Stands for the lock that a thread waits on when Ctrl-C arrives."""

    def __init__(self, gate: Gate, *, given: bool) -> None:
        self.gate = gate
        self.given = given
        self.taken = False

    def acquire(self, timeout: float = -1) -> bool:
        if not self.taken:
            self.taken = True
            return True
        if self.given:
            self.gate.release()
        raise KeyboardInterrupt

    def release(self) -> None:
        pass


@pytest.mark.parametrize("given", [False, True], ids=["still-waiting", "place-just-given"])
def test_interrupted_wait_at_the_gate_loses_no_place(
    given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(1)
    gate.acquire()
    monkeypatch.setattr(threading, "Lock", lambda: InterruptedTurn(gate, given=given))
    with pytest.raises(KeyboardInterrupt):
        gate.acquire()
    monkeypatch.undo()
    if not given:
        gate.release()
    gate.acquire()  # would wait for ever if the place were lost
    assert not gate._waiting


def test_wait_at_the_gate_that_runs_out_leaves_the_queue() -> None:
    gate = Gate(1)
    assert gate.acquire(0)
    assert not gate.acquire(0.02)
    assert not gate.acquire(0)
    assert not gate.acquire(-1)
    assert not gate._waiting
    gate.release()
    assert gate.acquire(0.0)
    assert not gate.acquire(0.0)


def test_place_at_the_gate_that_comes_as_the_wait_runs_out_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate(1)
    gate.acquire()

    class LateTurn(InterruptedTurn):
        def acquire(self, timeout: float = -1) -> bool:
            if self.taken:
                gate.release()
                return False
            self.taken = True
            return True

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Lock", lambda: LateTurn(gate, given=True))
        assert gate.acquire(5)
    assert not gate.acquire(0)


def test_wait_at_the_gate_may_be_longer_than_the_system_can_count() -> None:
    gate = Gate(1)
    gate.acquire()
    timer = threading.Timer(0.05, gate.release)
    timer.start()
    assert gate.acquire(threading.TIMEOUT_MAX * 2)
    timer.join()


def test_async_gate_lets_tasks_through_in_order_of_arrival() -> None:
    async def scenario() -> tuple[list[int], int]:
        gate = AsyncGate(3)
        order: list[int] = []
        inside = most = 0

        async def pass_through(number: int) -> None:
            nonlocal inside, most
            await gate.acquire()
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1
            gate.release()

        await asyncio.gather(*(pass_through(number) for number in range(50)))
        return order, most

    assert asyncio.run(scenario()) == (list(range(50)), 3)


@pytest.mark.parametrize("given", [False, True], ids=["still-waiting", "place-just-given"])
def test_cancelled_wait_at_the_async_gate_loses_no_place(given: bool) -> None:
    async def scenario() -> None:
        gate = AsyncGate(1)
        await gate.acquire()
        waiter = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        if given:
            gate.release()
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        if not given:
            gate.release()
        await asyncio.wait_for(gate.acquire(), 5)

    asyncio.run(scenario())


def test_wait_at_the_async_gate_that_runs_out_leaves_the_queue() -> None:
    async def scenario() -> None:
        gate = AsyncGate(1)
        assert await gate.acquire(0)
        assert not await gate.acquire(0.02)
        assert not gate._waiting
        gate.release()
        assert await gate.acquire(0)
        waiter = asyncio.create_task(gate.acquire(30))
        await asyncio.sleep(0)
        gate.release()
        assert await waiter

    asyncio.run(scenario())


def test_place_at_the_async_gate_that_comes_as_the_wait_runs_out_is_taken() -> None:
    async def scenario() -> None:
        gate = AsyncGate(1)
        await gate.acquire()
        waiter = asyncio.create_task(gate.acquire(30))
        await asyncio.sleep(0)
        (turn,) = gate._waiting
        gate.release()
        gate._give_up(turn)
        assert await waiter

    asyncio.run(scenario())


@pytest.mark.parametrize("released", [False, True])
def test_cancelled_task_leaves_the_queue_of_the_async_gate(released: bool) -> None:
    async def scenario() -> None:
        gate = AsyncGate(1)
        await gate.acquire()
        waiter = asyncio.create_task(gate.acquire(30))
        await asyncio.sleep(0)
        waiter.cancel()
        if released:
            gate.release()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert not gate._waiting
        assert await gate.acquire(0) is released

    asyncio.run(scenario())


def test_task_that_is_cancelled_as_its_wait_runs_out_has_no_place_to_give_back() -> None:
    async def scenario() -> None:
        gate = AsyncGate(1)
        await gate.acquire()
        waiter = asyncio.create_task(gate.acquire(30))
        await asyncio.sleep(0)
        (turn,) = gate._waiting
        gate._give_up(turn)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert not await gate.acquire(0)

    asyncio.run(scenario())


# -- after a fork ---------------------------------------------------------------------------------


def test_pool_of_another_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = SocketTransport()
    pool = transport._own_pool()
    assert transport._own_pool() is pool
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        assert transport._own_pool() is not pool
        assert transport._own_pool() is transport._own_pool()


@pytest.mark.parametrize("own", [True, False], ids=["own-process", "forked-child"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_connection_of_another_process_is_closed_without_a_goodbye(
    kind: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.dup(), contextlib.closing(asyncio.new_event_loop()) as loop:
        made = (
            sync_sockets._Connection(ours)
            if kind == "sync"
            else async_sockets._Connection(ours, loop)
        )
        with monkeypatch.context() as patched:
            if not own:
                patched.setattr(os, "getpid", lambda: -1)
            made.close()
        assert ours.fileno() == -1
        assert is_readable(theirs) is own

"""Connections between requests, and how many requests may be under way.

Owns the idle connections (`IdlePool`: the most recently used first) and the queue before them
(`Gate`: first come, first served). The queue stands BEFORE the pool because a pool that searches
its connections for every waiting request collapses under load. Neither opens a connection.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

__all__ = ["IDLE_SECONDS", "Gate", "IdlePool", "Poolable"]

IDLE_SECONDS = 30.0
"""How long a connection is kept without use. Common servers hang up after 5 to 75 s; one that is
faster is noticed by the check before use."""


_HASTY_SECONDS = 1.0
"""A server that closes a connection this soon behind an answer, without a word, closes them all:
llama.cpp does after every stream (seen 2026-10)."""
_MISTRUST_SECONDS = 60.0
"""How long nothing is kept for it: a request that meets the closing may have been read or not."""


class Poolable(Protocol):
    """What a pool needs to know of a connection."""

    def is_stale(self) -> bool:
        """Tell, without waiting, whether the peer has closed or sent what nobody asked for."""

    def close(self) -> None:
        """Close at once; may be called twice."""


C = TypeVar("C", bound=Poolable)


class IdlePool(Generic[C]):
    """Idle connections by origin, the last one used first. Safe to use from several threads."""

    def __init__(self, *, max_idle: int = 100, idle_seconds: float = IDLE_SECONDS) -> None:
        """Make an empty pool.

        Args:
            max_idle: How many connections to keep over all origins.
            idle_seconds: How long to keep each without use.
        """
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._count = 0
        self._idle: dict[Hashable, deque[tuple[float, C]]] = {}
        self._hasty: dict[Hashable, float] = {}
        """Until when nothing is kept, by origin."""

    def __del__(self) -> None:
        """Close what is left, so that a client which was never closed leaks no socket.

        Without the lock: nobody else can hold the pool any more, but in a forked child the lock
        may have been taken by a thread that does not exist here.
        """
        for connections in self._idle.values():
            for _, connection in connections:
                connection.close()

    def take(self, origin: Hashable, now: float) -> C | None:
        """Remove and return a live connection to `origin`; dead ones on the way are closed.

        Args:
            origin: What `put` was given.
            now: Seconds of a monotonic clock.
        """
        while True:
            with self._lock:
                connections = self._idle.get(origin)
                if not connections:
                    return None
                since, connection = connections.pop()
                self._count -= 1
            if now - since <= self._idle_seconds and not connection.is_stale():
                return connection
            connection.close()
            if now - since < _HASTY_SECONDS:
                self._hasty[origin] = now + _MISTRUST_SECONDS

    def put(self, origin: Hashable, connection: C, now: float) -> None:
        """Keep `connection` for a later request; the oldest go when there are too many."""
        if self._hasty and now < self._hasty.get(origin, now):
            connection.close()
            return
        with self._lock:
            self._idle.setdefault(origin, deque()).append((now, connection))
            self._count += 1
            surplus = self._remove_old(now)
        for old in surplus:
            old.close()

    def drop(self, origin: Hashable) -> None:
        """Close every idle connection to `origin`."""
        with self._lock:
            connections = self._idle.pop(origin, ())
            self._count -= len(connections)
        for _, connection in connections:
            connection.close()

    def close(self) -> None:
        """Close every idle connection; the pool stays usable."""
        with self._lock:
            connections = [entry[1] for idle in self._idle.values() for entry in idle]
            self._idle.clear()
            self._count = 0
        for connection in connections:
            connection.close()

    def _remove_old(self, now: float) -> list[C]:
        surplus: list[C] = []
        for origin, connections in list(self._idle.items()):
            while connections and now - connections[0][0] > self._idle_seconds:
                surplus.append(connections.popleft()[1])
            if not connections:
                del self._idle[origin]
        self._count -= len(surplus)
        while self._count > self._max_idle:
            oldest = min(self._idle, key=lambda key: self._idle[key][0][0])
            surplus.append(self._idle[oldest].popleft()[1])
            self._count -= 1
            if not self._idle[oldest]:
                del self._idle[oldest]
        return surplus


class Gate:
    """Lets at most `limit` threads through at a time, in the order of their arrival."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float | None = None) -> bool:
        """Take a place, or leave the queue after `timeout` seconds; `None` waits for ever.

        Returns:
            Whether there is a place, which then must be released.
        """
        # A lock takes -1 for ever, and no more than the system can count.
        patience = -1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            if turn.acquire(timeout=patience):
                return True
        except BaseException:  # Ctrl-C in the queue: leave it, or pass on the place just got
            if not self._leave(turn):
                self.release()
            raise
        return not self._leave(turn)

    def release(self) -> None:
        """Give a place back: to the one who waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _leave(self, turn: threading.Lock) -> bool:
        """Leave the queue; return `False` when the place came first and is ours."""
        with self._lock:
            waiting = turn in self._waiting
            if waiting:
                self._waiting.remove(turn)
            return waiting

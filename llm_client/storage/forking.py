"""What an open SQLite file needs when the process forks.

Owns the hooks of `os.fork`: every open file is closed before, and opened again by whoever uses it
next. It refuses to let a child inherit one. Closing it there would break the parent's locks, and
even beside a handle that nobody touches SQLite takes the parent's locks for the child's own, so
that others may delete the log under it.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["Forkable", "close_before_forks"]


class Forkable(Protocol):
    """Something with a lock and an open file."""

    def before_fork(self) -> None:
        """Take the lock and close the file."""

    def after_fork(self, *, child: bool) -> None:
        """Give the lock back. A child makes a new one: threads that waited for it are not there."""


def close_before_forks(store: Forkable) -> None:
    """Close a store before each fork from now on."""
    # Not while another thread forks, and looks at them.
    with _Forks.lock:
        _stores.add(store)
        _Forks.prepare()


_stores: WeakSet[Forkable] = WeakSet()


class _Forks:
    """The hooks. They stay for the life of the process."""

    prepared = False
    lock = threading.RLock()
    closed: tuple[Forkable, ...] = ()

    @classmethod
    def prepare(cls) -> None:
        if not cls.prepared and hasattr(os, "register_at_fork"):
            cls.prepared = True
            os.register_at_fork(
                before=cls.before,
                after_in_parent=cls.in_parent,
                after_in_child=cls.in_child,
            )

    @classmethod
    def before(cls) -> None:
        # Two threads may fork at once.
        cls.lock.acquire()
        cls.closed = tuple(_stores)
        for store in cls.closed:
            store.before_fork()

    @classmethod
    def in_parent(cls) -> None:
        cls.after(child=False)
        cls.lock.release()

    @classmethod
    def in_child(cls) -> None:
        cls.lock = threading.RLock()
        cls.after(child=True)

    @classmethod
    def after(cls, *, child: bool) -> None:
        stores, cls.closed = cls.closed, ()
        for store in stores:
            store.after_fork(child=child)

"""What a store says that is asked from an event loop and would have to wait.

Owns the exception only: importing it costs nothing, which cannot be said of SQLite.
"""

from __future__ import annotations

__all__ = ["WouldWait"]


class WouldWait(Exception):
    """Nothing was done: ask again from a thread that may wait."""

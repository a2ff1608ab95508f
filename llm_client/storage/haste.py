"""What a store raises: that it cannot be used, or not at once.

Owns the exceptions only: importing them costs nothing, which cannot be said of SQLite.
"""

from __future__ import annotations

from ..exceptions import LLMError

__all__ = ["StoreError", "WouldWait"]


class StoreError(LLMError):
    """A store of this machine cannot be used. Answers do not depend on it."""


class WouldWait(Exception):
    """Nothing was done, on an event loop: ask again from a thread that may wait."""

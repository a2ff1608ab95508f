"""Keys that came out of a store in this process, so that nothing that is said shows them.

Owns the list. Variables need none: the environment is at hand wherever something is said.
"""

from __future__ import annotations

from ..types.secret import Secret

__all__ = ["remember", "seen_keys"]

_seen: set[Secret] = set()


def remember(key: Secret) -> Secret:
    """Return a key, after noting it."""
    _seen.add(key)
    return key


def seen_keys() -> list[Secret]:
    """Return every key that was noted."""
    return list(_seen)

"""Keys and passwords made unreadable in whatever the program says about itself.

Masks what the environment holds, what was read from a store, what has the shape of a key, and the
user part of an address. It refuses to touch an answer: that belongs to the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..types.secret import MASK, Secret, redact
from .environment import Environment

__all__ = ["known_secrets", "masked", "masked_address"]

_SECRET_ENDINGS = ("_KEY", "_TOKEN", "_SECRET")


def known_secrets(environment: Environment) -> list[Secret]:
    """Return what the environment holds of keys, and what came from a store or the code."""
    from ..storage.seen_keys import seen_keys

    named = [
        Secret(value.strip())
        for name, value in environment.environ.items()
        if name.upper().endswith(_SECRET_ENDINGS) and value.strip()
    ]
    # A key that is part of another would leave the rest of it readable.
    return sorted({*named, *seen_keys()}, key=lambda secret: -len(secret.reveal()))


def masked(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text fit to be shown."""
    return masked_address(redact(text, secrets))


def masked_address(text: str) -> str:
    """Return a text without the `user:password@` and the query's values of the addresses in it."""
    if "://" not in text:
        return text
    text = re.sub(r"(?<=://)[^/\s@]+(?=@)", MASK, text)
    return re.sub(r"(://[^\s?'\"]*\?)([^\s'\"]+)", _without_values, text)


def _without_values(found: re.Match[str]) -> str:
    return found[1] + re.sub(r"(?<==)[^&#]+", MASK, found[2])

"""A key that does not print itself, and the redaction of keys in foreign text.

Providers echo keys in their error messages (WIRE.md §11.22), so every text that comes from
outside passes `redact` before it can reach a message, a log or a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

__all__ = ["Secret", "redact", "without_password"]

MASK = "***"
MINIMUM_SECRET_LENGTH = 6
"""Shorter "keys" (`none`, `x`) are placeholders: masking them would garble ordinary words."""

_KEY_SHAPES = (
    r"\b(?:sk|pk|rk|gsk|xai|pplx|csk|nvapi|fw|tgp)[-_][A-Za-z0-9_*-]{6,}"
    # With `_` only: hf-inference is a provider. GitHub, Hugging Face, Replicate, Vercel, Friendli.
    r"|\b(?:gh[oprsu]|github_pat|hf|r8|vck|flp)_[A-Za-z0-9_*]{6,}"
    # What could be a word with less behind it: Cohere, Jina, Chutes, Voyage, Databricks.
    r"|\b(?:co_|jina_|cpk_|pa-|dapi)[A-Za-z0-9_.-]{20,}"
    r"|\bAIza[A-Za-z0-9_-]{10,}|\bAQ\.[A-Za-z0-9_-]{20,}"  # Google
    r"|\bLLM\|[0-9]+\|[A-Za-z0-9_-]{6,}"  # Meta
    r"|\binf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # Heroku
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"  # a JSON Web Token
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{6,}"
)
"""What keys of the known providers look like, also half-masked ones such as `sk-ab***yz`. Compiled
by its first use, which most runs never come to."""


class Secret:
    """A string that shows as `***` in `repr`, `str`, f-strings and tracebacks.

    It refuses to be pickled: what is pickled ends up in files and on other machines.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself, for the one place that puts it on the wire."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled: pass on where the key is found instead.")

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def redact(text: str, secrets: Iterable[Secret | None] = ()) -> str:
    """Return `text` with the given keys, and whatever has the shape of a key, masked."""
    for secret in secrets:
        if secret is not None and len(secret.reveal()) >= MINIMUM_SECRET_LENGTH:
            text = text.replace(secret.reveal(), MASK)
    return re.sub(_KEY_SHAPES, MASK, text)


def without_password(address: str) -> str:
    """Return an address with what stands before its `@`, and the values of its query, masked.

    Also one that is wrong: passwords have slashes and question marks that should be escaped. So an
    `@` in its path hides more than it has to.
    """
    start, slashes, rest = address.partition("//")
    if not slashes:
        start, rest = "", address
    _, at, host = rest.rpartition("@")
    head, mark, query = (f"{MASK}@{host}" if at else rest).partition("?")
    values = re.sub(r"(?<==)[^&#]+", MASK, query) if "=" in query else query and MASK
    return start + slashes + head + mark + values

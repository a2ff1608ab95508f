"""What an answer is found under in the response cache, and which answers are worth keeping.

The key is a digest of everything that can change the answer: who is asked, and every field of the
request but those in `_NO_PART`. It is made by walking the fields, so that one that is added later is
part of it unless somebody says otherwise. Equal requests have equal keys: the order of a
dictionary's entries counts for nothing, and 1.0 is 1.

Keys, passwords, headers and query are part of it as well, because another account may have other
models and other rights; of those only a few bytes of a digest go in, with which neither the key nor
the password can be found by trying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias

from ..types.long_text import LongText
from ..types.messages import Message
from ..types.request import LLMRequest
from ..types.response import LLMResponse
from ..types.target import Target

__all__ = ["cache_key", "is_worth_keeping"]

Update: TypeAlias = Callable[[bytes], object]

_FORM = b"llm_client response 1"
"""Another one whenever the same request comes to mean another answer."""
_ACCOUNT_BYTES = 4
_NO_PART: dict[type, frozenset[str]] = {
    LLMRequest: frozenset(
        {
            "idempotency_key",  # says which request it is, not what is asked
            "schema_type",  # what is made of the answer: `schema` is what was asked for
            "stream",  # how the same answer arrives
        }
    ),
    Message: frozenset({"cache"}),  # a hint about the price
}


def cache_key(request: LLMRequest, target: Target) -> bytes:
    """Return what an answer of a target to a request is kept under.

    Raises:
        TypeError: the request holds something that JSON could not say either.
    """
    digest = hashlib.sha256(_FORM)
    provider = target.provider
    asked = (provider.name, provider.dialect, target.base_url, target.model, target.options)
    _write(asked, digest.update)
    digest.update(_account(target))
    _write(request, digest.update)
    return digest.digest()


def is_worth_keeping(request: LLMRequest, response: LLMResponse) -> bool:
    """Return whether an answer is whole, as far as it was wanted, and says something."""
    if not response.tool_calls and (not response.content or response.content.isspace()):
        return False
    if response.finish_reason == "length":
        return request.max_tokens is not None  # else it is the model's own limit that cut it
    return response.finish_reason in {"stop", "tool_calls"}


def _account(target: Target) -> bytes:
    secrets = [secret and secret.reveal() for secret in (target.api_key, target.basic_auth)]
    digest = hashlib.sha256(_FORM)
    _write((secrets, target.headers, target.query), digest.update)
    return digest.digest()[:_ACCOUNT_BYTES]


def _write(value: object, update: Update) -> None:
    """Write a value so that no other value is written alike; a long text is not copied."""
    match value:
        case None:
            update(b"-")
        case str():
            data = value.encode("utf-8", "surrogatepass")
            update(b"s%d:" % len(data))
            update(data)
        case LongText():
            update(b"s%d:" % sum(map(len, value.pieces)))
            for piece in value.pieces:
                update(piece)
        case bytes():
            update(b"b%d:" % len(value))
            update(value)
        case bool():
            update(b"true" if value else b"false")
        case int() | float():
            is_whole = isinstance(value, int) or value.is_integer()
            update(b"n%a;" % (int(value) if is_whole else value))
        case list() | tuple():
            update(b"l%d:" % len(value))
            for item in value:
                _write(item, update)
        case Mapping():
            update(b"m%d:" % len(value))
            pairs = ((str(name), item) for name, item in value.items())
            for name, item in sorted(pairs, key=itemgetter(0)):
                _write(name, update)
                _write(item, update)
        case _ if is_dataclass(value):
            _write_fields(value, update)
        case _:
            raise TypeError(f"a request cannot hold a value of type {type(value).__name__}")


def _write_fields(value: object, update: Update) -> None:
    cls: Any = type(value)
    update(b"o")
    _write(cls.__name__, update)
    for name, default in _parts(cls):
        part = getattr(value, name)
        # What says nothing is left out: a field that is added later leaves old keys as they are.
        if part != default:
            _write(name, update)
            _write(part, update)
    update(b".")


@lru_cache
def _parts(cls: Any) -> tuple[tuple[str, object], ...]:
    """Return the fields of a class that count, each with what it holds when it says nothing."""
    without = _NO_PART.get(cls, frozenset())
    return tuple((part.name, part.default) for part in fields(cls) if part.name not in without)

"""Ids of tool calls as a provider takes them.

A conversation may have calls that another provider made, by its own rules: Mistral takes nine
letters and digits and nothing else, OpenAI at most 40 characters, Anthropic no dots and no id
twice. Owns giving each call an id that fits, and its result the same. Leaves alone what fits, and
what goes back as the provider itself wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..types.messages import Message
from ..types.target import Target

__all__ = ["with_call_ids"]

_LENGTH = 9
"""Of the ids that are made here: what the strictest provider takes (Mistral, see
langchain#24668)."""


def with_call_ids(
    messages: Sequence[Message], pattern: str, target: Target, dialect: str
) -> Sequence[Message]:
    """Return the messages with ids of calls that are unique and match a pattern.

    A result belongs to the call of its id that came last; of calls with the same id in one answer
    the first result belongs to the first.

    Args:
        messages: of a request.
        pattern: regular expression for a whole id, which takes any nine letters and digits; empty:
            everything stays as it is.
        target: who is asked.
        dialect: in which; an answer that it wrote itself keeps its ids.
    """
    if not pattern or not any(message.tool_calls for message in messages):
        return messages
    kept = {
        id(message)
        for message in messages
        if (state := message.provider_state) is not None
        and state.fits(target.provider.name, dialect)
    }
    taken = {call.id for message in messages if id(message) in kept for call in message.tool_calls}
    waiting: dict[str, list[str]] = {}
    fitted = []
    for message in messages:
        if message.tool_calls:
            calls = message.tool_calls
            if id(message) not in kept:
                calls = tuple(replace(call, id=_fitted(call.id, pattern, taken)) for call in calls)
            waiting.update((call.id, []) for call in message.tool_calls)
            for known, call in zip(message.tool_calls, calls, strict=True):
                waiting[known.id].append(call.id)
            message = replace(message, tool_calls=calls)
        elif message.role == "tool" and (ids := waiting.get(message.tool_call_id or "")):
            # The last one stays, for a result that comes in two messages.
            message = replace(message, tool_call_id=ids.pop(0) if len(ids) > 1 else ids[0])
        fitted.append(message)
    return fitted


def _fitted(id: str, pattern: str, taken: set[str]) -> str:
    """Return the id, or one made of it, the same each time: prompt caches compare."""
    fitted, attempt = id if re.fullmatch(pattern, id) else "", 0
    while not fitted or fitted in taken:
        from hashlib import sha256

        fitted = sha256(f"{id} {attempt}".encode("utf-8", "replace")).hexdigest()[:_LENGTH]
        attempt += 1
    taken.add(fitted)
    return fitted

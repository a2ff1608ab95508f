"""Answers with something wrong in them: what a proxy, a new version or a stranger may send.

Owns the making of them from good ones, by a seeded source of chance, so that a failure comes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

__all__ = ["mutated", "mutated_answer"]

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    float("inf"),  # as `1e400` is read
    float("nan"),
    10**30,
    "",
    "x",
    "\ud83c",
    "[DONE]",
    [],
    [None],
    [[]],
    {},
    {"x": None},
    {"x": [1]},
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*place, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*place, index))


def mutated(value: Any, source: Random) -> Any:
    """Return a JSON value with one thing in it replaced, left out or doubled."""
    *way, last = source.choice([place for place in _places(value) if place] or [(None,)])
    if last is None:
        return source.choice(_VALUES)
    changed = json.loads(json.dumps(value))
    holder = changed
    for step in way:
        holder = holder[step]
    what = source.random()
    if what < 0.15:
        del holder[last]
    elif what < 0.25 and isinstance(holder, list):
        holder.append(holder[last])
    else:
        holder[last] = source.choice(_VALUES)
    return changed


def mutated_answer(body: bytes, source: Random, *, streamed: bool) -> bytes:
    """Return an answer with one to three things wrong; of a stream also events lost or doubled."""
    if not streamed:
        value = json.loads(body)
        for _ in range(source.randint(1, 3)):
            value = mutated(value, source)
        return json.dumps(value).encode()
    events = body.replace(b"\r\n", b"\n").split(b"\n\n")
    for _ in range(source.randint(1, 3)):
        position = source.randrange(len(events))
        head, mark, data = events[position].partition(b"data:")
        what = source.random()
        if what < 0.1:
            events[position] = b""
        elif what < 0.2:
            events.insert(position, events[position])
        elif mark and data.strip() != b"[DONE]":
            value = mutated(json.loads(data), source)
            events[position] = head + mark + json.dumps(value).encode()
    return b"\n\n".join(events)

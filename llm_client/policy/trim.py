"""A conversation made shorter: what is left out, what is cut, and how the rest is told.

Pure. Never touches the caller's messages: what changes is a new message. The system prompt and the
last question stay, and the result of a tool stays with its call, because a provider refuses one
without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from ..types.long_text import LongText
from ..types.messages import Message

__all__ = [
    "Count",
    "Shorter",
    "Transcript",
    "cut_middle",
    "is_instruction",
    "transcript",
    "trim",
    "turns_of",
]

Count: TypeAlias = Callable[[Message], int]
"""About how many tokens a message has."""
_LEAST_CHARACTERS = 200
"""What is left of a text that is cut: less says nothing."""
_TRIES = 4
"""How often a text is cut again, because what stays has more tokens a character than the whole."""
_WHO = {"user": "User", "assistant": "Assistant", "tool": "Result of a tool"}


class Shorter(NamedTuple):
    """A conversation that was made shorter."""

    messages: tuple[Message, ...]
    left_out: int = 0
    """Messages."""
    cut: int = 0
    """Characters, of a `LongText` bytes."""


def is_instruction(message: Message) -> bool:
    """Return whether a message says how to answer, and so holds for the whole conversation."""
    return message.role in {"system", "developer"}


def turns_of(messages: Sequence[Message]) -> list[list[int]]:
    """Return the turns of a conversation as positions: what a user said and what came of it.

    Instructions belong to no turn. What stands before the first user is a turn too.
    """
    turns: list[list[int]] = []
    for position, message in enumerate(messages):
        if is_instruction(message):
            continue
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(position)
    return turns


def trim(messages: Sequence[Message], room: int, count: Count) -> Shorter:
    """Return a conversation that fits, as far as leaving out and cutting can make it fit.

    The oldest turns go first; of the last one the oldest calls of tools with their results, but not
    the newest; then the longest texts are cut in their middle.

    Args:
        messages: the conversation.
        room: tokens that it may have.
        count: its unit is that of `room`.
    """
    sizes = [count(message) for message in messages]
    excess = sum(sizes) - room
    out: set[int] = set()
    for unit in _oldest_first(messages):
        if excess <= 0:
            break
        out.update(unit)
        excess -= sum(sizes[position] for position in unit)
    kept = [position for position in range(len(messages)) if position not in out]
    shorter = [messages[position] for position in kept]
    cut = 0
    if excess > 0:
        by_size = sorted(range(len(kept)), key=lambda i: sizes[kept[i]], reverse=True)
        for i in by_size:
            message, characters = _cut_message(shorter[i], sizes[kept[i]] - excess, count)
            if characters:
                excess -= sizes[kept[i]] - count(message)
                shorter[i], cut = message, cut + characters
            if excess <= 0:
                break
    return Shorter(tuple(shorter), len(out), cut)


def _oldest_first(messages: Sequence[Message]) -> list[list[int]]:
    """Return what may be left out of a conversation, as positions."""
    turns = turns_of(messages)
    if not turns:
        return []  # nothing but instructions
    *older, last = turns
    asked = 1 if messages[last[0]].role == "user" else 0
    return [*older, *_units(messages, last[asked:])[:-1]]


def _units(messages: Sequence[Message], positions: Iterable[int]) -> list[list[int]]:
    """Return positions in groups that stay together: results of tools with their calls."""
    units: list[list[int]] = []
    for position in positions:
        if messages[position].role != "tool" or not units:
            units.append([])
        units[-1].append(position)
    return units


def _cut_message(message: Message, room: int, count: Count) -> tuple[Message, int]:
    """Return a message whose longest text is cut so that it fits, and how much was cut.

    Not an instruction, and not an answer that its provider reads in its own form.
    """
    if is_instruction(message) or message.provider_state is not None:
        return message, 0
    text = _longest_text(message)
    length = _length(text)
    room = max(0, room)
    keep = length * room // max(1, count(message))
    shorter, cut = message, 0
    for _ in range(_TRIES):
        keep = max(keep, _LEAST_CHARACTERS)
        if keep >= length:
            break
        shorter, cut = _with_text(message, text, cut_middle(text, keep)), length - keep
        tokens = count(shorter)
        if tokens <= room or keep == _LEAST_CHARACTERS:
            break
        keep = keep * room // tokens * 9 // 10
    return shorter, cut


def _longest_text(message: Message) -> str | LongText:
    if not isinstance(message.content, tuple):
        return message.content
    from ..types.content import Text

    texts = [part.text for part in message.content if isinstance(part, Text)]
    return max(texts, key=_length, default="")


def _with_text(message: Message, old: str | LongText, new: str | LongText) -> Message:
    """Return a message with one of its texts replaced."""
    if not isinstance(message.content, tuple):
        return replace(message, content=new)
    from ..types.content import Text

    parts = tuple(
        replace(part, text=new) if isinstance(part, Text) and part.text is old else part
        for part in message.content
    )
    return replace(message, content=parts)


def _length(text: str | LongText) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, text.pieces))


def cut_middle(text: str | LongText, keep: int) -> str | LongText:
    """Return a text with its middle left out, and a mark that says so in its place.

    Args:
        text: longer than `keep`.
        keep: characters that stay, of a `LongText` bytes.
    """
    out = _length(text) - keep
    unit = "characters" if isinstance(text, str) else "bytes"
    mark = f"\n\n[… {out:,} {unit} left out …]\n\n"
    head, tail = keep - keep // 2, keep // 2
    if isinstance(text, str):
        return f"{text[:head]}{mark}{text[len(text) - tail :]}"
    return LongText(
        (*_head(text.pieces, head), mark.encode(), *reversed([*_tail(text.pieces, tail)]))
    )


def _head(pieces: Sequence[bytes], size: int) -> Iterable[bytes]:
    """Yield the first bytes of a text, and no part of a character."""
    for piece in pieces:
        if len(piece) > size:
            while size and piece[size] & 0xC0 == 0x80:
                size -= 1
            yield piece[:size]
            return
        yield piece
        size -= len(piece)


def _tail(pieces: Sequence[bytes], size: int) -> Iterable[bytes]:
    """Yield the last bytes of a text, the last piece first, and no part of a character."""
    for piece in reversed(pieces):
        if len(piece) > size:
            start = len(piece) - size
            while start < len(piece) and piece[start] & 0xC0 == 0x80:
                start += 1
            yield piece[start:]
            return
        yield piece
        size -= len(piece)


class Transcript(NamedTuple):
    """A conversation as a text that tells it, for a model that shall summarise it."""

    text: str
    cut: int
    """Characters that are left out of it, of a `LongText` bytes."""


def transcript(messages: Iterable[Message], most: int) -> Transcript:
    """Return a conversation as a text.

    Args:
        messages: what was said.
        most: characters of a single text; the middle of what is longer is left out.
    """
    told = [part for message in messages for part in _told(message, most)]
    return Transcript("\n\n".join(line for line, _ in told), sum(cut for _, cut in told))


def _told(message: Message, most: int) -> Iterable[tuple[str, int]]:
    """Yield what is told of a message, each with how much of it is left out."""
    who = _WHO.get(message.role, message.role)
    if isinstance(message.content, tuple):
        from ..types.content import Text

        for part in message.content:
            if not isinstance(part, Text):
                yield f"{who}: [{part.kind}]", 0
    text = message.content if not isinstance(message.content, tuple) else message.text
    if text:
        cut = max(0, _length(text) - most)
        yield f"{who}: {cut_middle(text, most) if cut else text}", cut
    for call in message.tool_calls:
        cut = max(0, len(call.arguments) - most)
        arguments = cut_middle(call.arguments, most) if cut else call.arguments
        yield f"Assistant calls {call.name}({arguments})", cut

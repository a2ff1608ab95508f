"""What an answer of OpenAI Chat has that its provider wants back unchanged, and sending it back.

Owns the fields beside the standard ones: OpenRouter's `reasoning_details`, Mistral's content list
with thinking in it, and `extra_content` of a message or a tool call (`google.thought_signature`).
They come whole, or in fragments that are joined here, as

    {"reasoning_details": […], "content": […], "tool_calls": [{"id": …, "extra_content": …}]}

which is the one item of the provider state. Text and calls are not kept a second time where they
are the same as in the neutral fields; the ids tell whether the calls are still those of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ..types.content import ProviderState
from ..types.messages import Message
from ..types.target import Target

__all__ = ["NativeFields", "native_fields"]

_DIALECT = "openai-chat"


class NativeFields:
    """Collects them from one answer. Start it at the first delta that `is_native`.

    Args:
        joins: whether they come in fragments; those of a whole answer are kept as they are.
    """

    __slots__ = ("_calls", "_details", "_extra", "_joins", "_parts", "_places")

    def __init__(self, *, joins: bool) -> None:
        self._joins = joins
        self._details: list[_Joined] = []
        self._parts: list[_Joined] = []
        self._places: dict[str, _Joined] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._extra: dict[str, Any] = {}

    @staticmethod
    def is_native(delta: Mapping[str, Any]) -> bool:
        """Return whether a delta or message has something that must come back."""
        if _objects(delta.get("reasoning_details")) or delta.get("extra_content"):
            return True
        if any(part.get("type") == "thinking" for part in _objects(delta.get("content"))):
            return True
        return any("extra_content" in call for call in _objects(delta.get("tool_calls")))

    def take(self, delta: Mapping[str, Any]) -> None:
        """Take the next delta, or the whole message."""
        for detail in _objects(delta.get("reasoning_details")):
            self._take_detail(detail)
        if isinstance(extra := delta.get("extra_content"), dict):
            self._extra.update(extra)
        content = delta.get("content")
        for part in _objects(content):
            self._take_part(part)
        if isinstance(content, str) and content and self._parts:
            self._take_part({"type": "text", "text": content})

    def take_call(self, position: int, fragment: Mapping[str, Any]) -> None:
        """Take a fragment of the tool call at a position of the answer."""
        if isinstance(extra := fragment.get("extra_content"), dict):
            self._calls.setdefault(position, {}).update(extra)

    def state(self, provider: str, call_ids: Iterable[str]) -> ProviderState:
        """Return the state; `call_ids` are those of all calls of the answer."""
        item: dict[str, Any] = {}
        if self._details:
            item["reasoning_details"] = [detail.value() for detail in self._details]
        if self._parts:
            item["content"] = [part.value() for part in self._parts]
        if self._extra:
            item["extra_content"] = self._extra
        calls: list[dict[str, Any]] = [{"id": id} for id in call_ids]
        for position, extra in self._calls.items():
            calls[position]["extra_content"] = extra
        if calls:
            item["tool_calls"] = calls
        return ProviderState(provider, _DIALECT, (item,))

    def _take_detail(self, detail: dict[str, Any]) -> None:
        """Join a fragment to the detail of the same type and index (OpenRouter's documentation).

        Encrypted data come whole, and without an index every detail is one.
        """
        key = (detail.get("type"), detail.get("index"))
        # The last of its key, or of its key and id; anything can stand there, so they are written.
        places = (repr(key), repr((key, detail.get("id"))))
        joined = None
        if self._joins and key[1] is not None and "data" not in detail:
            known = filter(None, map(self._places.get, places))
            joined = next((one for one in known if one.may_take(detail)), None)
        if joined is not None:
            joined.add(detail)
        else:
            joined = _Joined(key, detail, ("text", "summary") if self._joins else ())
            self._details.append(joined)
        self._places.update(dict.fromkeys(places, joined))

    def _take_part(self, part: dict[str, Any]) -> None:
        """Join a fragment to the part before it, when both are text or both are thinking."""
        key = (part.get("type"), None)
        follows = self._parts and self._parts[-1].key == key
        if self._joins and follows and key[0] in {"text", "thinking"}:
            self._parts[-1].add(part)
        else:
            self._parts.append(_Joined(key, part, ("text", "thinking") if self._joins else ()))


class _Joined:
    """A JSON object that comes in fragments: its texts are joined, of other fields the last counts.

    The fragments are kept apart until the end, because joining at each of them would take the
    square of the length.
    """

    __slots__ = ("_fields", "_joined", "_pieces", "key")

    def __init__(
        self, key: tuple[Any, Any], fields: Mapping[str, Any], joined: tuple[str, ...]
    ) -> None:
        self.key = key
        self._joined = joined
        self._fields: dict[str, Any] = {}
        self._pieces: dict[str, list[Any]] = {}
        self.add(fields)

    def may_take(self, fields: Mapping[str, Any]) -> bool:
        """Return whether a fragment does not belong to something else by its id."""
        mine, other = self._fields.get("id"), fields.get("id")
        return mine is None or other is None or mine == other

    def add(self, fields: Mapping[str, Any]) -> None:
        """Take a fragment."""
        for name, value in fields.items():
            if name in self._joined and isinstance(value, str | list):
                # Its place among the fields is that of the first fragment.
                self._fields.setdefault(name, "")
                pieces = self._pieces.setdefault(name, [])
                if isinstance(value, str):
                    pieces.append(value)
                else:
                    self._fields[name] = []
                    pieces += (_only_text(item) for item in value)
            elif value is not None or name not in self._fields:
                self._fields[name] = value

    def value(self) -> dict[str, Any]:
        """Return the object."""
        fields = dict(self._fields)
        for name, pieces in self._pieces.items():
            fields[name] = _text_items(pieces) if fields[name] == [] else "".join(pieces)
        return fields


def _only_text(item: Any) -> Any:
    """Return the text of an item that is nothing else; any other item as it is."""
    match item:
        case {"type": "text", "text": str(text), **rest} if not rest:
            return text
    return item


def _text_items(pieces: list[Any]) -> list[Any]:
    """Return a list in which texts that follow each other are one item (Mistral's thinking)."""
    items: list[Any] = []
    for is_text, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        run = list(group)
        items += [{"type": "text", "text": "".join(run)}] if is_text else run
    return items


def _objects(value: object) -> list[dict[str, Any]]:
    """Return the JSON objects of a list; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def native_fields(message: Message, target: Target) -> Mapping[str, Any]:
    """Return the fields of a message's state that still belong to it; none when it was changed."""
    state = message.provider_state
    if state is None or not state.fits(target.provider.name, _DIALECT) or len(state.items) != 1:
        return {}
    calls = _objects(state.items[0].get("tool_calls"))
    # Histories are edited by hand: what is no call is not counted as one.
    item = {**state.items[0], "tool_calls": calls}
    ids = [call.get("id") for call in calls]
    if ids != [call.id for call in message.tool_calls]:
        return {}
    texts = [part.get("text") for part in _objects(item.get("content"))]
    text = "".join(text for text in texts if isinstance(text, str))
    return {} if "content" in item and text != message.text else item

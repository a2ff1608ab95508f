"""Messages in the words of the Gemini API: `contents` and `systemInstruction`.

Owns the encoding of messages, what of an earlier answer goes back as it came, and the signatures
that Gemini 3 wants (WIRE.md §5, §11.16). Refuses what Gemini has no words for, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import ValidationError
from ..providers.gemini_models import GeminiModel
from ..types.long_text import LongText
from ..types.messages import Message, ToolCall
from ..types.target import Target
from .events import UNREADABLE
from .gemini_stream import read_parts
from .requests import call_arguments

if TYPE_CHECKING:
    from ..types.content import Part

__all__ = ["encode_messages"]

NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents to stand for the signature of a function call that was not made by the
model itself, but by another one or by hand (thought signatures, FAQ 1, 2026-10)."""
_MEDIA_TYPES = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "wav": "audio/wav",
    "webp": "image/webp",
}
"""By the end of an address: Gemini wants a type with every address but one of its own files."""

_LAST = 1 << 30
"""The position of a call that no message made: behind any other."""


class _KnownCall(NamedTuple):
    """A call that an earlier message made."""

    name: str
    position: int
    """In the order of the calls of its answer."""
    has_id: bool
    """Whether the call is sent with its id, and its result so too."""


def encode_messages(
    messages: Iterable[Message], target: Target, model: GeminiModel
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return `contents` and the parts of `systemInstruction`.

    Args:
        messages: of the request.
        target: who is asked; decides whose state may go back.
        model: what is known of the one that is asked.

    Raises:
        ValidationError: a message has something that Gemini has no words for.
    """
    conversation = _Conversation(target, model)
    for message in messages:
        conversation.add(message)
    contents = conversation.contents()
    if model.wants_signatures:
        _sign_current_turn(contents)
    return contents, conversation.system


class _Conversation:
    """Takes messages one after the other."""

    __slots__ = ("_calls", "_contents", "_model", "_results", "_target", "system")

    def __init__(self, target: Target, model: GeminiModel) -> None:
        self._target = target
        self._model = model
        self._contents: list[dict[str, Any]] = []
        self._calls: dict[str, _KnownCall] = {}
        self._results: list[tuple[int, dict[str, Any]]] = []
        """Results of the calls of one answer, with the positions of their calls."""
        self.system: list[dict[str, Any]] = []

    def add(self, message: Message) -> None:
        """Take the next message. `name` and `cache` are hints that Gemini has no words for."""
        match message.role:
            case "system" | "developer":
                self.system += _system_parts(message)
            case "tool":
                self._results.append(self._result(message))
            case "assistant":
                self._add_content("model", self._answer_parts(message))
            case _:
                self._add_content("user", _parts(message))

    def contents(self) -> list[dict[str, Any]]:
        """Return what was said; of nothing an empty text, which Gemini takes.

        So recorded with gemini-3-flash-preview and a prompt that is only a system prompt.
        """
        self._end_results()
        return self._contents or [_content("user", [])]

    def _add_content(self, role: str, parts: list[dict[str, Any]]) -> None:
        self._end_results()
        self._contents.append(_content(role, parts))

    def _end_results(self) -> None:
        """Put the results of parallel calls into one content, in the order of the calls.

        Gemini counts the results that follow an answer against its calls, and where these have no
        ids it can only go by the order.
        """
        if self._results:
            self._results.sort(key=lambda result: result[0])
            self._contents.append(_content("user", [part for _, part in self._results]))
            self._results = []

    def _answer_parts(self, message: Message) -> list[dict[str, Any]]:
        kept = _kept_parts(message, self._target)
        if kept is None:
            parts = [{"text": message.reasoning, "thought": True}] if message.reasoning else []
            parts += _parts(message)
            parts += [_function_call(call) for call in message.tool_calls]
            has_id = [bool(call.id) for call in message.tool_calls]
        else:
            parts = kept
            has_id = [id is not None for id, _, _ in read_parts(kept).calls]
        for position, (call, has) in enumerate(zip(message.tool_calls, has_id, strict=True)):
            self._calls[call.id] = _KnownCall(call.name, position, has)
        return parts

    def _result(self, message: Message) -> tuple[int, dict[str, Any]]:
        id = message.tool_call_id or ""
        call = self._calls.get(id)
        name = message.name or (call.name if call is not None else "")
        if not name:
            raise ValidationError(
                f"The result of the tool call {id!r} does not say which tool it is of.",
                hint="Put the answer with that call before it, or give the message a `name`.",
                param="name",
            )
        response: dict[str, Any] = {"name": name, "response": _response(message)}
        if id and (call is None or call.has_id):
            response = {"id": id, **response}
        if media := _media_parts(message):
            if not self._model.media_results:
                raise ValidationError(
                    f"{self._target.spec} takes no {media[0].kind} in the result of a tool.",
                    hint="Put it into a user message behind the results of the tools.",
                    param="content",
                )
            response["parts"] = [_part(part) for part in media]
        return call.position if call is not None else _LAST, {"functionResponse": response}


def _content(role: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": role, "parts": parts or [{"text": ""}]}


def _system_parts(message: Message) -> list[dict[str, Any]]:
    if media := _media_parts(message):
        raise ValidationError(
            f"Gemini takes a system prompt as text only, without {media[0].kind}.",
            hint="Put the rest into a user message.",
            param="content",
        )
    return _parts(message)


def _parts(message: Message) -> list[dict[str, Any]]:
    content = message.content
    if not isinstance(content, tuple):
        return [{"text": content}] if content else []
    return [_part(part) for part in content]


def _media_parts(message: Message) -> list[Part]:
    """Return the parts that are no text, without looking into a message that is only text."""
    content = message.content
    return [part for part in content if part.kind != "text"] if isinstance(content, tuple) else []


def _part(part: Part) -> dict[str, Any]:
    from ..types.content import Text

    if isinstance(part, Text):
        return {"text": part.text}
    if part.url is None:
        return {"inlineData": {"mimeType": part.media_type, "data": part.base64}}
    file = {"fileUri": part.url}
    if media_type := part.media_type or _type_of_address(part.url):
        file["mimeType"] = media_type
    return {"fileData": file}


def _type_of_address(url: str) -> str:
    path = url.partition("#")[0].partition("?")[0]
    return _MEDIA_TYPES.get(path.rpartition(".")[2].lower(), "")


def _function_call(call: ToolCall) -> dict[str, Any]:
    arguments = call_arguments(call)
    if arguments is None:
        raise ValidationError(
            f"The arguments of the tool call {call.name!r} are no JSON object, "
            "and Gemini takes nothing else.",
            hint="Repair them, or leave the call and its result out of the messages.",
            param="tool_calls",
        )
    called: dict[str, Any] = {"name": call.name, "args": arguments}
    return {"functionCall": {"id": call.id, **called} if call.id else called}


def _response(message: Message) -> dict[str, Any]:
    """Return a result as the object that it must be: one in JSON as it is, text wrapped."""
    content = message.content
    if isinstance(content, LongText):
        # Not looked into: that would cost more copies than it is worth.
        return {"result": content}
    text = message.text
    if text.lstrip()[:1] == "{":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
    return {"result": text}


def _kept_parts(message: Message, target: Target) -> list[dict[str, Any]] | None:
    """Return the answer as Gemini wrote it, unless that is unknown or was changed since."""
    state = message.provider_state
    if state is None or not state.fits(target.provider.name, "gemini"):
        return None
    if _media_parts(message):
        return None
    try:
        said = read_parts(state.items)
        is_same = said.text == message.text and len(said.calls) == len(message.tool_calls)
        is_same = is_same and all(
            id in {None, call.id} and name == call.name and args == json.loads(call.arguments)
            for (id, name, args), call in zip(said.calls, message.tool_calls, strict=True)
        )
    except UNREADABLE:
        return None
    return [dict(item) for item in state.items] if is_same else None


def _sign_current_turn(contents: list[dict[str, Any]]) -> None:
    """Give the first call of each answer since the user last spoke a signature, if it has none.

    Google refuses a request without (400); answers before that are not looked at, nor is any call
    of an answer but its first.
    """
    for content in reversed(contents):
        parts: list[dict[str, Any]] = content["parts"]
        if content["role"] == "user":
            if any("functionResponse" not in part for part in parts):
                return
            continue
        for part in parts:
            if "functionCall" in part:
                part.setdefault("thoughtSignature", NO_SIGNATURE)
                break

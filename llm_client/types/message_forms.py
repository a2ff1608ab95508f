"""Messages as the dictionaries that users have, and back: OpenAI's shape, with our fields beside.

Reads what other clients write too: Anthropic's `source` of an image or document, OpenAI's
`input_*` parts. Refuses what would have to be dropped, by name.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from ..exceptions import ValidationError
from .content import Audio, Document, Image, Part, ProviderState, Text
from .long_text import LongText
from .messages import Message, ToolCall

__all__ = ["read_content", "read_message", "write_message"]

_TEXTS = ("name", "reasoning", "reasoning_content", "tool_call_id")
_KNOWN = frozenset({*_TEXTS, "cache", "content", "provider_state", "role", "tool_calls"})
_HINTS = frozenset({"cache_control", "type"})
_FIELDS: dict[object, frozenset[str]] = {
    "audio_url": frozenset({"audio_url"}),
    "document": frozenset({"source", "title"}),
    "file": frozenset({"file"}),
    "image": frozenset({"source"}),
    "image_url": frozenset({"detail", "image_url"}),
    "input_audio": frozenset({"input_audio"}),
    "input_file": frozenset({"file_data", "file_url", "filename", "media_type"}),
    "input_image": frozenset({"detail", "image_url"}),
    "input_text": frozenset({"text"}),
    # What an answer had besides its text is nothing to tell the model again.
    "output_text": frozenset({"annotations", "logprobs", "text"}),
    "text": frozenset({"text"}),
}
"""What is read of a part, by its type; the hints are read of any."""
_AUDIO_FORMATS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
"""OpenAI's names of audio formats; any other is the media type without `audio/`."""


def read_message(value: object) -> Message:
    """Return the message that a dictionary means.

    Raises:
        ValidationError: an unknown key, a wrong type, or a content part of an unknown kind.
    """
    if not isinstance(value, Mapping):
        raise ValidationError(
            f"A message is a Message or a dictionary, not {type(value).__name__}."
        )
    if unknown := sorted(set(value) - _KNOWN, key=str):
        raise ValidationError(
            f"A message has no field {unknown[0]!r}.",
            hint=f"Known fields: {', '.join(sorted(_KNOWN))}.",
        )
    if "role" not in value:
        raise ValidationError("A message needs a 'role'.")
    for field_name in _TEXTS:
        if not isinstance(value.get(field_name), str | None):
            raise ValidationError(f"The {field_name!r} of a message is text.")
    if not isinstance(value.get("cache"), bool | None):
        raise ValidationError("The 'cache' of a message is true or false.")
    calls = value.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise ValidationError("The 'tool_calls' of a message are a list.")
    return Message(
        role=value["role"],
        content=read_content(value.get("content")),
        name=value.get("name"),
        tool_call_id=value.get("tool_call_id"),
        tool_calls=tuple(_tool_call(call) for call in calls),
        reasoning=value.get("reasoning") or value.get("reasoning_content") or "",
        cache=bool(value.get("cache")) or _is_marked(value.get("content")),
        provider_state=_state(value.get("provider_state")),
    )


def write_message(message: Message) -> dict[str, Any]:
    """Return a message as JSON can say it; fields that say nothing are left out."""
    written: dict[str, Any] = {
        "role": message.role,
        "content": [_write_part(part) for part in message.content]
        if isinstance(message.content, tuple)
        else str(message.content),
    }
    for name in ("name", "tool_call_id"):
        if (text := getattr(message, name)) is not None:
            written[name] = text
    if message.tool_calls:
        written["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.reasoning:
        written["reasoning"] = message.reasoning
    if message.cache:
        written["cache"] = True
    if (state := message.provider_state) is not None:
        written["provider_state"] = {
            "provider": state.provider,
            "dialect": state.dialect,
            "items": [dict(item) for item in state.items],
        }
        if state.model:
            written["provider_state"]["model"] = state.model
    return written


def read_content(content: object) -> str | LongText | tuple[Part, ...]:
    """Return the content of a message: text, or parts. A single part that is text becomes one.

    Raises:
        ValidationError: it is neither, or holds a part of an unknown kind.
    """
    if content is None:
        return ""
    if isinstance(content, str | LongText):
        return content
    if isinstance(content, Mapping | Text | Image | Document | Audio):
        content = (content,)
    if not isinstance(content, list | tuple):
        raise ValidationError(
            f"The content of a message is text or parts, not {type(content).__name__}."
        )
    parts = tuple(_part(part) for part in content)
    if not parts:
        return ""
    return parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else parts


def _is_marked(content: object) -> bool:
    """Return whether a part has Anthropic's mark for the cache, which is of the message here."""
    parts = content if isinstance(content, list | tuple) else (content,)
    return any(isinstance(part, Mapping) and part.get("cache_control") for part in parts)


def _part(part: object) -> Part:
    if isinstance(part, Text | Image | Document | Audio):
        return part
    read = _read_part(part)
    if isinstance(part, Mapping):
        known = _FIELDS[part["type"]] | _HINTS
        for name, setting in part.items():
            if setting and name not in known:
                raise ValidationError(
                    f"A content part of type {part['type']!r} has no field {name!r} here.",
                    hint=f"Leave it out; known fields: {', '.join(sorted(known))}.",
                    param="content",
                )
    return read


def _read_part(part: object) -> Part:
    match part:
        case str():
            return Text(part)
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return Text(text)
        case {"type": "image_url" | "input_image", "image_url": {"url": str(url), **rest}}:
            media_type = _text(rest.get("media_type")) or ""
            return Image(url=url, detail=_text(rest.get("detail")), media_type=media_type)
        case {"type": "image_url" | "input_image", "image_url": str(url), **rest}:
            return Image(url=url, detail=_text(rest.get("detail")))
        case {"type": "input_audio", "input_audio": {"data": str(data), **rest}}:
            kind = str(rest.get("format") or "")
            media_type = _AUDIO_FORMATS.get(kind, f"audio/{kind}" if kind else "")
            return Audio(_decoded(data), media_type=media_type)
        case {"type": "file", "file": {"file_data": str(data), **rest}}:
            return _document(data, rest.get("filename"))
        case {"type": "input_file", "file_data": str(data), **rest}:
            return _document(data, rest.get("filename"))
        case {"type": "input_file", "file_url": str(url), **rest}:
            media_type = _text(rest.get("media_type")) or ""
            return Document(url=url, name=str(rest.get("filename") or ""), media_type=media_type)
        case {"type": "audio_url", "audio_url": {"url": str(url), **rest}}:
            return Audio(url=url, media_type=_text(rest.get("media_type")) or "")
        case {"type": "image" | "document" as kind, "source": dict(source), **rest}:
            return _from_source(kind, source, str(rest.get("title") or ""))
    said = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    raise ValidationError(
        f"A content part of type {said!r} is not known.",
        hint="Use text, image_url, input_audio, file, or llm_client's Text, Image, Document, Audio.",
        param="content",
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _document(data: str, name: object) -> Document:
    name = str(name or "")
    if data[:5].lower() == "data:":
        return Document(url=data, name=name)
    return Document(_decoded(data), name=name, media_type="application/pdf")


def _from_source(kind: str, source: Mapping[str, Any], title: str) -> Part:
    """Return an image or document in Anthropic's shape."""
    match source:
        case {"type": "base64", "data": str(data), **rest}:
            media_type = str(rest.get("media_type") or "")
            if kind == "image":
                return Image(_decoded(data), media_type=media_type)
            return Document(_decoded(data), media_type=media_type, name=title)
        case {"type": "url", "url": str(url)}:
            return Image(url=url) if kind == "image" else Document(url=url, name=title)
    raise ValidationError(
        f"The source of a content part {kind!r} is neither base64 data nor a url.", param="content"
    )


def _decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise ValidationError("A content part is no base64.", param="content") from None


def _write_part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": str(part.text)}
    # Of bytes the data URI says it.
    typed = {"media_type": part.media_type} if part.url is not None and part.media_type else {}
    if isinstance(part, Image):
        image = {"url": part.data_uri, **typed}
        return {
            "type": "image_url",
            "image_url": image if part.detail is None else image | {"detail": part.detail},
        }
    if isinstance(part, Audio):
        if part.url is not None:
            return {"type": "audio_url", "audio_url": {"url": part.url, **typed}}
        names = {media_type: name for name, media_type in _AUDIO_FORMATS.items()}
        name = names.get(part.media_type, part.media_type.removeprefix("audio/"))
        return {"type": "input_audio", "input_audio": {"data": part.base64, "format": name}}
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url, "filename": part.name, **typed}
    return {"type": "file", "file": {"file_data": part.data_uri, "filename": part.name}}


def _tool_call(value: object) -> ToolCall:
    if isinstance(value, ToolCall):
        return value
    if isinstance(value, Mapping):
        function = value.get("function", value)
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            arguments = function.get("arguments")
            if arguments is None:
                arguments = "{}"
            elif not isinstance(arguments, str):
                import json

                arguments = json.dumps(arguments, ensure_ascii=False)
            return ToolCall(str(value.get("id") or ""), function["name"], arguments)
    raise ValidationError(f"{value!r} is not a tool call: it needs a 'function' with a 'name'.")


def _state(value: object) -> ProviderState | None:
    if value is None or isinstance(value, ProviderState):
        return value
    match value:
        case {"provider": str(provider), "dialect": str(dialect), "items": [*items], **rest}:
            model = rest.get("model", "")
            if all(isinstance(item, Mapping) for item in items) and isinstance(model, str):
                return ProviderState(provider, dialect, tuple(items), model)
    raise ValidationError("The 'provider_state' of a message is not one that `to_dict` wrote.")

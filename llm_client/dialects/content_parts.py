"""Content parts in the words of OpenAI Chat and Ollama, and text parts as one text.

Imported only where a message has more than plain text: its classes cost a start-up 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..exceptions import ValidationError
from ..types.content import Audio, Document, Image, Part, Text
from ..types.long_text import LongText
from ..types.messages import Message
from ..types.target import Quirks

__all__ = ["AUDIO_FORMS", "DOCUMENT_FORMS", "chat_parts", "joined_text", "ollama_content"]

_AUDIO_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/vnd.wave": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
}
"""OpenAI's names; it takes wav and mp3. Routers take more, whose name is that of the media type."""


def joined_text(message: Message, separator: str | None = None) -> str | LongText:
    """Return the texts of a message as one; a long one is not copied.

    Args:
        message: of a conversation.
        separator: stands between them; `None`: the message's own.
    """
    separator = message.separator if separator is None else separator
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    if not any(isinstance(text, LongText) for text in texts):
        return separator.join(map(str, texts))
    between = separator.encode()
    pieces: list[bytes] = []
    for text in texts:
        if pieces and between:
            pieces.append(between)
        pieces += text.pieces if isinstance(text, LongText) else [text.encode("utf-8", "replace")]
    return LongText(pieces)


def chat_parts(message: Message, quirks: Quirks) -> str | LongText | list[dict[str, Any]]:
    """Return the content of a message as OpenAI Chat says it.

    Text alone stays one text, because many servers that are compatible take no parts.

    Args:
        message: of a conversation.
        quirks: how the provider says documents and audio, and whether the last text of a message
            to be cached gets Anthropic's `cache_control`.

    Raises:
        ValidationError: a part that OpenAI Chat has no words for, or not in this role.
    """
    mark_cache = message.cache and quirks.cache_control
    if not mark_cache and all(isinstance(part, Text) for part in message.parts):
        return joined_text(message)
    encoded = [_chat_part(part, message, quirks) for part in message.parts]
    texts = [part for part in encoded if part["type"] == "text"]
    if mark_cache and texts:
        texts[-1]["cache_control"] = {"type": "ephemeral"}
    return encoded


def _chat_part(part: Part, message: Message, quirks: Quirks) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if message.role != "user":
        # OpenAI's API reference: the content of these messages is text, also of a tool's result.
        raise ValidationError(
            f"OpenAI Chat takes no {part.kind} in a message of role {message.role!r}.",
            hint="Put it into a user message, behind the tool's results if it belongs to one.",
            param="content",
        )
    if isinstance(part, Image):
        detail = {} if part.detail is None else {"detail": part.detail}
        return {"type": "image_url", "image_url": {"url": part.data_uri, **detail}}
    if isinstance(part, Audio):
        return AUDIO_FORMS[quirks.audio](part)
    return DOCUMENT_FORMS[quirks.document](part)


def _file(document: Document) -> dict[str, Any]:
    if document.url is not None:
        raise _only_an_address("OpenAI Chat", document)
    return _file_or_address(document)


def _file_or_address(document: Document) -> dict[str, Any]:
    file = {"filename": _file_name(document), "file_data": document.data_uri}
    return {"type": "file", "file": file}


def _document_url(document: Document) -> dict[str, Any]:
    name = {"document_name": document.name} if document.name else {}
    return {"type": "document_url", "document_url": document.data_uri, **name}


def _no_document(document: Document) -> dict[str, Any]:
    raise ValidationError(
        "The provider takes text and images, no document.",
        hint="Give the text of it instead, or its pages as images.",
        param="content",
    )


DOCUMENT_FORMS: Final[Mapping[str, Callable[[Document], dict[str, Any]]]] = MappingProxyType(
    {
        "file": _file,
        "file or address": _file_or_address,
        "document_url": _document_url,
        "none": _no_document,
    }
)
"""How a document is said, by `Quirks.document`."""


def _audio(audio: Audio) -> dict[str, Any]:
    if audio.url is not None:
        raise _only_an_address("OpenAI Chat", audio)
    name = _AUDIO_FORMATS.get(audio.media_type, audio.media_type.removeprefix("audio/"))
    return {"type": "input_audio", "input_audio": {"data": audio.base64, "format": name}}


def _audio_as_uri(audio: Audio) -> dict[str, Any]:
    part = _audio(audio)
    part["input_audio"]["data"] = audio.data_uri
    return part


def _audio_as_text(audio: Audio) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": audio.url or audio.base64}


AUDIO_FORMS: Final[Mapping[str, Callable[[Audio], dict[str, Any]]]] = MappingProxyType(
    {"object": _audio, "object with uri": _audio_as_uri, "text": _audio_as_text}
)
"""How audio is said, by `Quirks.audio`."""


def _file_name(document: Document) -> str:
    """Return the name of a document, which OpenAI wants for the ending that tells its kind."""
    return document.name or f"document.{document.media_type.rpartition('/')[2] or 'pdf'}"


def ollama_content(message: Message) -> tuple[str | LongText, list[str]]:
    """Return text and images (base64) of a message, which Ollama keeps apart.

    Raises:
        ValidationError: an image at an address, or a part that is neither text nor image.
    """
    images = []
    for part in message.parts:
        if isinstance(part, Text):
            continue
        if not isinstance(part, Image):
            raise ValidationError(
                f"Ollama takes text and images, no {part.kind}.",
                hint="Give the text of it instead.",
                param="content",
            )
        if part.url is not None:
            raise _only_an_address("Ollama", part)
        images.append(part.base64)
    return joined_text(message), images


def _only_an_address(who: str, part: Image | Document | Audio) -> ValidationError:
    return ValidationError(
        f"{who} fetches no {part.kind}, and this one is only an address: {part.url!r}.",
        hint="Fetch it, and give the bytes or the file: `--attach FILE`.",
        param="content",
    )

"""Files, addresses and bytes made into the parts of a message.

Owns the reading and the choice of a kind; the parts themselves are `types/content.py`'s. Refuses
what is neither image, document, audio nor text, and fetches nothing: an address is given to the
provider, which fetches it itself.
"""

from __future__ import annotations

from pathlib import Path

from .exceptions import ConfigurationError, ValidationError
from .types.content import Audio, Document, Image, Part, Text, media_type_of

__all__ = ["attach"]

_LARGEST = 100 << 20
"""Bytes. No provider takes more in a request, and a device file never ends."""
_BY_SUFFIX = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
"""What the first bytes may not tell, and all that an address has."""


def attach(source: str | bytes | Path, *, media_type: str = "") -> Part:
    """Return an image, document, audio or text as a part of a message.

    Args:
        source: the path of a file, an http(s) address, a `data:` URI, or the bytes themselves.
        media_type: such as `image/png`; found by the first bytes, else by the suffix.

    Raises:
        ConfigurationError: the file cannot be read.
        ValidationError: what it holds is of no kind that a model takes.
    """
    given: object = source
    if not isinstance(given, str | bytes | Path) or not str(given):
        raise ValidationError(
            f"{source!r} is nothing that can be attached: a path, an address or bytes are.",
            param="content",
        )
    if isinstance(source, bytes):
        return _part(source, media_type, "")
    text = str(source)
    if isinstance(source, str) and text[:5].lower() == "data:":
        document = Document(url=text, media_type=media_type)
        return _part(document.data or b"", document.media_type, "")
    if isinstance(source, str) and text[:8].lower().startswith(("http://", "https://")):
        return _at_address(text, media_type)
    path = Path(source).expanduser()
    return _part(_read(path), media_type, path.name)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"Cannot read the attachment {str(path)!r}: {reason}.") from None
    if len(data) > _LARGEST:
        raise ValidationError(
            f"The attachment {str(path)!r} is larger than {_LARGEST >> 20} MB: no provider takes it.",
            param="content",
        )
    return data


def _part(data: bytes, media_type: str, name: str) -> Part:
    shown = repr(name) if name else "the attachment"
    if not data:
        raise ValidationError(f"There is nothing in {shown}.", param="content")
    kind = media_type or media_type_of(data) or _BY_SUFFIX.get(Path(name).suffix.lower(), "")
    if kind.startswith("image/"):
        return Image(data, media_type=kind)
    if kind.startswith("audio/"):
        return Audio(data, media_type=kind)
    if kind == "application/pdf":
        return Document(data, media_type=kind, name=name)
    text = _text(data)
    if text is not None and (not kind or kind.startswith("text/")):
        return Text(f"{name}\n\n{text}" if name else text)
    raise _no_kind(shown, kind)


def _no_kind(shown: str, kind: str) -> ValidationError:
    known = f", but {kind}." if kind else "."
    return ValidationError(
        f"What {shown} holds is no image, PDF, audio or text{known}",
        hint="Say what it is, if a model can take it: `media_type='image/png'`.",
        param="content",
    )


def _text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _at_address(url: str, media_type: str) -> Part:
    path = url.partition("?")[0].partition("#")[0]
    kind = media_type or _BY_SUFFIX.get(Path(path).suffix.lower(), "")
    if kind.startswith("audio/"):
        return Audio(url=url, media_type=kind)
    if kind == "application/pdf":
        return Document(url=url, media_type=kind, name=Path(path).name)
    if kind.startswith("video/"):
        raise _no_kind(url, kind)
    # Most addresses of images have no suffix.
    return Image(url=url, media_type=kind if kind.startswith("image/") else "")

"""What a message can hold besides plain text: images, documents, audio, and a provider's own state.

Owns the values and the recognition of their kind by their first bytes. Refuses to read files or
addresses: `llm_client.attachments` does. Imported only where a message has more than text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias
from urllib.parse import unquote_to_bytes

from ..exceptions import ValidationError
from .long_text import LongText

__all__ = ["Audio", "Document", "Image", "Part", "ProviderState", "Text", "media_type_of"]

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def media_type_of(data: bytes) -> str:
    """Return the media type that the first bytes tell; empty when they tell none."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], "")
    if data[:2] == b"BM":
        # A text can begin so too; a picture goes on with its size and four reserved bytes.
        return "image/bmp" if data[6:10] == bytes(4) else ""
    if data[:3] == b"ID3":
        # The number of its version follows, which is no letter.
        return "audio/mpeg" if data[3:4] < b"\x10" else ""
    return next((kind for start, kind in _MAGIC if data.startswith(start)), "")


@dataclass(frozen=True, slots=True)
class Text:
    """A part that is text."""

    kind: ClassVar[str] = "text"
    text: str | LongText


@dataclass(frozen=True, slots=True)
class _Media:
    """Bytes or an address; a data URI becomes bytes."""

    kind: ClassVar[str] = ""
    types: ClassVar[str] = ""
    """How the media types of this kind begin."""

    data: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, kw_only=True)
    """http(s) address that the provider itself fetches; also taken: a data URI."""
    media_type: str = field(default="", kw_only=True)
    """Such as `image/png`; found by the first bytes when left out. May be empty with an address."""

    def __post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            raise ValidationError(f"An {self.kind} needs either data or a url.", param="content")
        given: object = self.url if self.data is None else self.data
        if not isinstance(given, str if self.data is None else bytes):
            raise ValidationError(
                f"An {self.kind} is made of bytes or of a url, not of {type(given).__name__}.",
                hint="Read a file with `llm_client.attach(path)`.",
                param="content",
            )
        # Without parameters such as a charset: this is what providers compare.
        kind = self.media_type.partition(";")[0].strip().lower()
        object.__setattr__(self, "media_type", kind)
        if self.url is not None and self.url[:5].lower() == "data:":
            data, media_type = _read_data_uri(self.url)
            object.__setattr__(self, "url", None)
            object.__setattr__(self, "data", data)
            object.__setattr__(self, "media_type", self.media_type or media_type)
        if self.data is not None:
            self._check_data(self.data)

    def _check_data(self, data: bytes) -> None:
        if not data:
            raise ValidationError(f"The {self.kind} is empty: it has no bytes.", param="content")
        if not self.media_type:
            object.__setattr__(self, "media_type", media_type_of(data))
        if not self.media_type or not self.media_type.startswith(self.types):
            raise ValidationError(
                f"The data are no {self.kind} that is known"
                + (f": they are {self.media_type}." if self.media_type else "."),
                hint=f"Say what they are: `media_type='{self.types or 'application/'}…'`.",
                param="content",
            )

    @property
    def base64(self) -> str:
        """The data in base64; empty when there is only an address."""
        from base64 import b64encode

        return b64encode(self.data or b"").decode("ascii")

    @property
    def data_uri(self) -> str:
        """The data as a `data:` URI, else the address."""
        return self.url or f"data:{self.media_type};base64,{self.base64}"


@dataclass(frozen=True, slots=True)
class Image(_Media):
    """A picture. Every provider with vision takes png, jpeg, gif and webp."""

    kind: ClassVar[str] = "image"
    types: ClassVar[str] = "image/"
    detail: str | None = field(default=None, kw_only=True)
    """`low`, `high` or `auto`: how closely OpenAI looks; no other dialect has it."""


@dataclass(frozen=True, slots=True)
class Document(_Media):
    """A document, in practice a PDF."""

    kind: ClassVar[str] = "document"
    types: ClassVar[str] = ""
    name: str = field(default="", kw_only=True)
    """File name, which some providers want or show to the model."""


@dataclass(frozen=True, slots=True)
class Audio(_Media):
    """Speech or sound."""

    kind: ClassVar[str] = "audio"
    types: ClassVar[str] = "audio/"


Part: TypeAlias = Text | Image | Document | Audio


@dataclass(frozen=True, slots=True)
class ProviderState:
    """An answer as its provider wrote it, to be sent back unchanged with the next request.

    Holds what no neutral field can: signatures of thinking, encrypted reasoning, thought
    signatures. Only the provider and dialect that made it may read it.
    """

    provider: str
    dialect: str
    items: tuple[Mapping[str, Any], ...]
    """The provider's own JSON, in order; its shape is the dialect's business."""
    model: str = ""
    """The model that was asked, where another one may not be able to read it; empty: it can."""

    def fits(self, provider: str, dialect: str) -> bool:
        """Return whether it may be sent to a provider in a dialect."""
        return (self.provider, self.dialect) == (provider, dialect)


def _read_data_uri(uri: str) -> tuple[bytes, str]:
    """Return bytes and media type of a data URI (RFC 2397)."""
    head, comma, payload = uri[5:].partition(",")
    media_type, *parameters = head.split(";")
    try:
        if not comma:
            raise ValueError
        if "base64" in (parameter.strip().lower() for parameter in parameters):
            from base64 import b64decode

            data = b64decode(unquote_to_bytes(payload), validate=True)
        else:
            data = unquote_to_bytes(payload)
    except ValueError:
        raise ValidationError(
            f"{uri[:40]!r}… is no data URI: `data:image/png;base64,…` is expected.",
            param="content",
        ) from None
    return data, media_type.strip().lower()

"""Parts of messages: what they are told by their first bytes, data URIs, and whom a state fits."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, ProviderState, Text, media_type_of

PNG = b"\x89PNG\r\n\x1a\n123"
WAV = b"RIFF\0\0\0\0WAVEfmt "


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (WAV, "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", ""),
        (b"%PDF-1.7", "application/pdf"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"plain", ""),
        (b"", ""),
    ],
    ids=repr,
)
def test_first_bytes_tell_the_media_type(data: bytes, media_type: str) -> None:
    assert media_type_of(data) == media_type


def test_part_with_data_has_type_base64_and_data_uri() -> None:
    image = Image(PNG)
    assert image.media_type == "image/png"
    assert image.base64 == "iVBORw0KGgoxMjM="
    assert image.data_uri == "data:image/png;base64,iVBORw0KGgoxMjM="
    assert "PNG" not in repr(image)


def test_part_with_an_address_has_no_bytes() -> None:
    image = Image(url="https://x.example/a.png", detail="low")
    assert (image.data, image.base64, image.data_uri) == (None, "", "https://x.example/a.png")


@pytest.mark.parametrize(
    ("uri", "data", "media_type"),
    [
        ("data:image/png;base64,iVBORw0KGgoxMjM=", PNG, "image/png"),
        ("DATA:image/PNG;charset=x; BASE64,iVBORw0KGgoxMjM%3D", PNG, "image/png"),
        ("data:,iVBO", b"iVBO", "text/plain"),
        ("data:text/plain,a%20b", b"a b", "text/plain"),
    ],
)
def test_data_uri_becomes_bytes(uri: str, data: bytes, media_type: str) -> None:
    document = Document(url=uri, media_type="text/plain" if media_type == "text/plain" else "")
    assert (document.data, document.url, document.media_type) == (data, None, media_type)


@pytest.mark.parametrize("uri", ["data:image/png;base64,%%%", "data:image/png;base64", "data:x"])
def test_data_uri_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError, match="is no data URI"):
        Image(url=uri)


def test_part_needs_data_or_an_address_not_both() -> None:
    for fields in ({}, {"data": PNG, "url": "https://x.example"}):
        with pytest.raises(ValidationError, match="either data or a url"):
            Image(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image(b""), "The image is empty"),
        (lambda: Image(b"who knows"), "The data are no image that is known."),
        (lambda: Image(WAV), "The data are no image that is known: they are audio/wav."),
        (lambda: Audio(PNG), "no audio that is known: they are image/png"),
        (lambda: Document(b"who knows"), "no document that is known"),
    ],
)
def test_data_of_another_kind_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        make()  # type: ignore[operator]
    assert caught.value.param == "content"


@pytest.mark.parametrize(
    "fields", [{"data": "a.png"}, {"data": 3}, {"url": b"https://x"}], ids=["path", "int", "bytes"]
)
def test_part_of_what_is_neither_bytes_nor_a_url_is_refused(fields: Any) -> None:
    with pytest.raises(ValidationError, match="made of bytes or of a url, not of") as caught:
        Image(**fields)
    assert "attach" in (caught.value.hint or "")


def test_media_type_is_compared_without_its_parameters_and_case() -> None:
    assert Image(b"who knows", media_type="IMAGE/PNG").media_type == "image/png"
    assert Document(b"a", media_type="text/plain; charset=utf-8").media_type == "text/plain"


def test_media_type_that_is_said_is_believed() -> None:
    assert Image(b"who knows", media_type="image/heic").media_type == "image/heic"


def test_parts_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Text("a").text = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("provider", "dialect", "fits"),
    [("gemini", "gemini", True), ("vertex", "gemini", False), ("gemini", "openai-chat", False)],
)
def test_state_fits_only_who_made_it(provider: str, dialect: str, fits: bool) -> None:
    assert ProviderState("gemini", "gemini", ({},)).fits(provider, dialect) is fits

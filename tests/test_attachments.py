"""Files, addresses and bytes become parts of the right kind, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_client import Audio, Document, Image, Text, attach
from llm_client.exceptions import ConfigurationError, ValidationError

PNG = b"\x89PNG\r\n\x1a\n123"
PDF = b"%PDF-1.7"


def test_file_is_read_and_told_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(PNG)
    (tmp_path / "a.pdf").write_bytes(PDF)
    assert attach(tmp_path / "picture.txt") == Image(PNG)
    assert attach(str(tmp_path / "a.pdf")) == Document(PDF, name="a.pdf")


def test_file_that_its_bytes_do_not_tell_goes_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "voice.M4A").write_bytes(b"\0\0\0\x18ftyp")
    assert attach(tmp_path / "voice.M4A") == Audio(b"\0\0\0\x18ftyp", media_type="audio/mp4")


def test_text_file_becomes_a_text_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("\ufeffgrüezi")
    assert attach(tmp_path / "notes.md") == Text("notes.md\n\ngrüezi")
    assert attach("grüezi".encode()) == Text("grüezi")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("https://x.example/a.png?b=c.mp3", Image(url="https://x.example/a.png?b=c.mp3", media_type="image/png")),
        ("HTTP://x.example/picture", Image(url="HTTP://x.example/picture")),
        ("https://x.example/a.mp3#t=1", Audio(url="https://x.example/a.mp3#t=1", media_type="audio/mpeg")),
        (
            "https://x.example/d/a.pdf",
            Document(url="https://x.example/d/a.pdf", media_type="application/pdf", name="a.pdf"),
        ),
    ],
)  # fmt: skip
def test_address_goes_to_the_provider_as_it_is(url: str, part: object) -> None:
    assert attach(url) == part


def test_data_uri_is_read() -> None:
    assert attach("data:image/png;base64,iVBORw0KGgoxMjM=") == Image(PNG)


def test_media_type_that_is_said_is_believed() -> None:
    assert attach(b"\0\1", media_type="image/heic") == Image(b"\0\1", media_type="image/heic")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "There is nothing in 'file.bin'"),
        (b"\0\1\2", "no image, PDF, audio or text"),
        (b"\xff\xfe\xfd\xfc", "no image, PDF, audio or text"),
    ],
)
def test_file_of_no_kind_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "file.bin").write_bytes(data)
    with pytest.raises(ValidationError, match=message):
        attach(tmp_path / "file.bin")


def test_file_of_a_kind_that_no_model_takes_is_named() -> None:
    with pytest.raises(ValidationError, match="but video/mp4"):
        attach(b"\0\1", media_type="video/mp4")


def test_address_of_a_video_is_refused() -> None:
    with pytest.raises(ValidationError, match="but video/mp4"):
        attach("https://x.example/film.MP4?x=1")


@pytest.mark.parametrize("source", [5, None, ""])
def test_what_is_no_source_is_refused(source: object) -> None:
    with pytest.raises(ValidationError, match="nothing that can be attached"):
        attach(source)  # type: ignore[arg-type]


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.png", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=reason):
            attach(path)
    with pytest.raises(ConfigurationError, match="null"):
        attach("a\0b")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file on this system")
def test_endless_file_is_refused_and_not_kept() -> None:
    with pytest.raises(ValidationError, match="larger than 100 MB"):
        attach("/dev/zero")


@pytest.mark.parametrize("text", ["BMW sold 2 cars.", "ID3 tags explained"])
def test_text_that_begins_like_something_else_is_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(text)

    assert attach(tmp_path / "notes.txt") == Text(f"notes.txt\n\n{text}")


def test_bitmap_is_an_image() -> None:
    assert attach(b"BM\x46\0\0\0" + bytes(4) + b"\x36") == Image(
        b"BM\x46\0\0\0" + bytes(4) + b"\x36", media_type="image/bmp"
    )

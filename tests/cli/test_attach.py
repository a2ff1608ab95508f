"""`--attach`: what of files and addresses is sent, in which dialect, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import fault_server
from .program import answer, ask, body_of, run

PNG = b"\x89PNG\r\n\x1a\n123"
CODED = "iVBORw0KGgoxMjM="
PREVIEW = ("generate", "--dry-run", "--no-stdin", "-u", "http://127.0.0.1:1", "-m", "m")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    file = tmp_path / "picture.png"
    file.write_bytes(PNG)
    return str(file)


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        (
            "openai-chat",
            [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}},
                {"type": "text", "text": "what is it"},
            ],
        ),
        (
            "anthropic",
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": CODED},
                },
                {"type": "text", "text": "what is it"},
            ],
        ),
        (
            "gemini",
            [
                {"inlineData": {"mimeType": "image/png", "data": CODED}},
                {"text": "what is it"},
            ],
        ),
    ],
)
def test_picture_is_sent_before_the_words(dialect: str, content: Any, picture: str) -> None:
    done = run(*PREVIEW, "--dialect", dialect, "-a", picture, "what", "is", "it")
    body = done.json["body"]
    turns = body["contents"] if dialect == "gemini" else body["messages"]
    assert turns[0]["parts" if dialect == "gemini" else "content"] == content


def test_attachments_of_several_kinds_keep_their_order(picture: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("first\n")
    with fault_server(answer("Yes.")) as server:
        done = ask(server.url, "-a", str(notes), "-a", picture, "-a", "https://x/b.jpg", "why")
    content = body_of(server.requests[0])["messages"][0]["content"]
    assert done.stdout == b"Yes.\n"
    assert [part["type"] for part in content] == ["text", "image_url", "image_url", "text"]
    assert content[0]["text"] == "notes.txt\n\nfirst\n"
    assert content[2]["image_url"]["url"] == "https://x/b.jpg"


def test_texts_are_sent_apart_from_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"the end of {name}")
    done = run(*PREVIEW, "-a", str(tmp_path / "a.txt"), "-a", str(tmp_path / "b.txt"), "sum up")
    assert done.json["body"]["messages"][0]["content"] == (
        "a.txt\n\nthe end of a\n\nb.txt\n\nthe end of b\n\nsum up"
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.png", None, "No such file"),
        ("empty.png", b"", "There is nothing in 'empty.png'"),
        ("film.mp4", b"\0\0\0\x18ftypmp42", "but video/mp4"),
        ("", None, "nothing that can be attached"),
    ],
    ids=["missing", "empty", "video", "no name"],
)
def test_file_that_cannot_be_attached_is_a_usage_error(
    name: str, data: bytes | None, message: str, tmp_path: Path
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    done = run(*PREVIEW, "-a", str(tmp_path / name) if name else "", "hi")
    assert done.status == 2
    assert message in done.stderr
    assert done.stdout == b""


def test_dialect_without_pictures_says_so(picture: str) -> None:
    done = run(*PREVIEW, "--dialect", "openai-completions", "-a", picture, "hi")
    assert done.status == 2
    assert "no image" in done.stderr

"""Messages as dictionaries: what other clients write is read, and what is written reads back."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.content import Audio, Document, Image, Part, ProviderState, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, ToolCall

PNG = b"\x89PNG\r\n\x1a\n123"
MP3 = b"ID3\x04123"
PDF = b"%PDF-1.7"


def coded(data: bytes) -> str:
    return b64encode(data).decode()


@pytest.mark.parametrize(
    ("part", "read"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/a"}}, Image(url="https://x/a")),
        (
            {"type": "image_url", "image_url": {"url": "https://x/a", "detail": "high"}},
            Image(url="https://x/a", detail="high"),
        ),
        (
            {"type": "input_image", "image_url": "https://x/a", "detail": "low"},
            Image(url="https://x/a", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded(PNG)}"}},
            Image(PNG),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": coded(MP3), "format": "mp3"}},
            Audio(MP3, media_type="audio/mpeg"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": coded(MP3), "format": "aac"}},
            Audio(MP3, media_type="audio/aac"),
        ),
        ({"type": "input_audio", "input_audio": {"data": coded(MP3)}}, Audio(MP3)),
        (
            {
                "type": "file",
                "file": {
                    "file_data": f"data:application/pdf;base64,{coded(PDF)}",
                    "filename": "a.pdf",
                },
            },
            Document(PDF, name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_data": coded(PDF)}}, Document(PDF)),
        (
            {"type": "input_file", "file_data": coded(PDF), "filename": "a.pdf"},
            Document(PDF, name="a.pdf"),
        ),
        ({"type": "input_file", "file_url": "https://x/a.pdf"}, Document(url="https://x/a.pdf")),
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": coded(PNG)},
            },
            Image(PNG),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, Image(url="https://x")),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": coded(PDF)},
                "title": "A",
            },
            Document(PDF, name="A"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
            Document(url="https://x/a.pdf"),
        ),
        (Image(PNG), Image(PNG)),
    ],
)
def test_part_of_another_client_is_read(part: Any, read: Part) -> None:
    message = Message.parse({"role": "user", "content": ["look:", part]})
    assert message.content == (Text("look:"), read)
    assert message.text == "look:"


def test_content_made_in_code_is_read_like_a_dictionary() -> None:
    assert Message("user", Image(PNG)).content == (Image(PNG),)  # type: ignore[arg-type]
    assert Message("user", [Text("a"), "b"]).content == (Text("a"), Text("b"))  # type: ignore[arg-type]
    assert Message("user", ("a", Image(PNG))).content == (Text("a"), Image(PNG))  # type: ignore[arg-type]
    assert Message("user", (Text("a"), Text("b"))).content == (Text("a"), Text("b"))
    assert Message("assistant", None).content == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"type": "video_url", "video_url": {}}, "of type 'video_url' is not known"),
        ({"type": "image_url"}, "of type 'image_url' is not known"),
        ({"no": "type"}, "of type None is not known"),
        (3, "of type 'int' is not known"),
        ({"type": "input_audio", "input_audio": {"data": "%"}}, "is no base64"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "neither base64 data"),
    ],
)
def test_part_that_cannot_be_carried_is_refused(part: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Message.parse({"role": "user", "content": [part]})
    assert caught.value.param == "content"


@pytest.mark.parametrize(
    "message",
    [
        Message("user", "hi", name="ada"),
        Message("system", "long", cache=True),
        Message("user", (Text("a"), Image(PNG), Image(url="https://x", detail="low"), Text("b"))),
        Message("user", (Document(PDF, name="a.pdf"), Document(url="https://x/a.pdf", name="b"))),
        Message("user", (Audio(MP3), Audio(b"1", media_type="audio/wav"))),
        Message("user", (Audio(b"1", media_type="audio/aac"),)),
        Message(
            "user", (Audio(url="https://x/a"), Audio(url="https://x/b", media_type="audio/aac"))
        ),
        Message(
            "user",
            (
                Image(url="https://x/a", media_type="image/webp"),
                Document(url="https://x/b", media_type="text/html"),
                Document(b"<p>", media_type="Text/HTML; charset=utf-8"),
            ),
        ),
        Message("tool", "sunny", name="weather", tool_call_id="c1"),
        Message(
            "assistant",
            "hm",
            tool_calls=(ToolCall("c1", "weather", '{"city": "Köln"}'),),
            reasoning="I think",
            provider_state=ProviderState("p", "anthropic", ({"type": "thinking", "n": [1]},)),
        ),
    ],
)
def test_message_written_and_read_back_is_the_same(message: Message) -> None:
    written = json.loads(json.dumps(message.to_dict()))
    assert Message.parse(written) == message


def test_long_text_is_written_as_text() -> None:
    assert Message("user", LongText([b"a", b"b"])).to_dict() == {"role": "user", "content": "ab"}


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"type": "text", "text": "a", "citations": [{"url": "u"}]}, "citations"),
        ({"type": "input_image", "image_url": "https://x", "file_id": "f"}, "file_id"),
        (
            {
                "type": "document",
                "source": {"type": "url", "url": "https://x"},
                "context": "A contract.",
            },
            "context",
        ),
    ],
    ids=["text", "image", "document"],
)
def test_field_of_a_part_that_would_be_lost_is_refused(part: Any, name: str) -> None:
    with pytest.raises(ValidationError, match=f"has no field '{name}'") as caught:
        Message.parse({"role": "user", "content": [part]})
    assert caught.value.param == "content"


def test_field_of_a_part_that_says_nothing_is_left_out() -> None:
    part = {"type": "output_text", "text": "a", "annotations": [{"url": "u"}], "parsed": None}
    assert Message.parse({"role": "assistant", "content": [part]}).content == "a"


def test_mark_for_the_cache_on_a_part_is_a_hint_of_the_message() -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    assert Message.parse({"role": "user", "content": [part]}) == Message("user", "a", cache=True)
    assert Message.parse({"role": "user", "content": part}).cache
    assert not Message.parse({"role": "user", "content": [{**part, "cache_control": None}]}).cache


def test_keys_of_several_types_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="has no field 1"):
        Message.parse({"role": "user", "content": "a", "x": 1, 1: 2})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "state",
    [{}, {"provider": "p", "dialect": "d"}, "x", {"provider": "p", "dialect": "d", "items": [1]}],
)
def test_state_that_nobody_wrote_is_refused(state: Any) -> None:
    with pytest.raises(ValidationError, match="provider_state"):
        Message.parse({"role": "assistant", "content": "x", "provider_state": state})


def test_cache_that_is_no_flag_is_refused() -> None:
    with pytest.raises(ValidationError, match="'cache' of a message is true or false"):
        Message.parse({"role": "user", "content": "x", "cache": "5m"})


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ()),
        ("a", (Text("a"),)),
        ((Image(PNG),), (Image(PNG),)),
    ],
    ids=["none", "text", "image"],
)
def test_content_can_always_be_had_as_parts(content: Any, parts: tuple[Part, ...]) -> None:
    assert Message("user", content).parts == parts


def test_texts_of_a_user_are_apart_and_those_of_a_model_run_on() -> None:
    texts = (Text("a"), Image(PNG), Text(LongText([b"b"])))
    assert Message("user", texts).text == "a\n\nb"
    assert Message("assistant", (Text("a"), Text("b"))).text == "ab"

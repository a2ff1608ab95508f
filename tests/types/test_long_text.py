"""A text that stays bytes: it is the same text in every way that counts."""

from __future__ import annotations

import json
import pickle

import pytest

from llm_client.dialects.http import json_request
from llm_client.exceptions import ValidationError
from llm_client.providers.catalog import find_provider
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.target import Target

PIECES = ('He said "ü"\n'.encode(), b"", "🌍 \\ end".encode())
TEXT = 'He said "ü"\n🌍 \\ end'


def test_long_text_as_a_text_is_its_pieces_joined() -> None:
    assert str(LongText(PIECES)) == TEXT
    assert repr(LongText(PIECES)) == f"LongText({len(TEXT.encode())} bytes)"


def test_long_texts_are_equal_however_they_are_cut() -> None:
    other = LongText([TEXT.encode()])

    assert LongText(PIECES) == other
    assert hash(LongText(PIECES)) == hash(other)
    assert LongText(PIECES) != TEXT
    assert pickle.loads(pickle.dumps(LongText(PIECES))) == other


@pytest.mark.parametrize(
    ("pieces", "has_bytes", "is_blank"),
    [
        pytest.param((), False, False, id="nothing"),
        pytest.param((b"", b""), False, False, id="empty"),
        pytest.param((b" ", b"", "\u3000\n".encode()), True, True, id="blank"),
        pytest.param((b" ", b"x"), True, False, id="text"),
    ],
)
def test_long_text_knows_when_it_says_nothing(
    pieces: tuple[bytes, ...], has_bytes: bool, is_blank: bool
) -> None:
    text = LongText(pieces)

    assert bool(text) is has_bytes
    assert text.isspace() is is_blank


@pytest.mark.parametrize("pieces", [(), (b" \n",)], ids=["empty", "blank"])
def test_request_of_a_blank_long_text_is_refused(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(ValidationError, match="prompt is empty"):
        LLMRequest((Message("user", LongText(pieces)),))


def test_long_text_is_encoded_as_the_same_text_is() -> None:
    target = Target(find_provider("llamacpp"), model="m", base_url="http://localhost:1/v1")

    request = json_request("POST", "/x", target, {"messages": [{"content": LongText(PIECES)}]})

    assert json.loads(request.body or b"") == {"messages": [{"content": TEXT}]}

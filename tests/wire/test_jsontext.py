"""JSON of strangers: one kind of failure, and broken characters cost no answer."""

from __future__ import annotations

import pytest

from llm_client.wire.jsontext import parse_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"caf\xc3"', "caf�"),
        ('"x\u2028y"'.encode(), "x\u2028y"),
        (b'"\\ud83c\\udf0d"', "🌍"),
    ],
    ids=["plain", "byte order mark", "half a character", "line separator", "escaped pair"],
)
def test_json_parsed_gives_its_value(body: bytes, value: object) -> None:
    assert parse_json(body) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b"[" * 200_000, b"1" * 5000],
    ids=["nothing", "cut", "html", "nested", "a number too long"],
)
def test_no_json_parsed_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(body)

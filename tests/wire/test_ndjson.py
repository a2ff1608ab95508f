"""Newline-delimited JSON: the lines, however the bytes were cut."""

from __future__ import annotations

import pytest

from llm_client.wire.ndjson import NDJSONDecoder


def decode(*parts: bytes) -> list[bytes]:
    decoder = NDJSONDecoder()
    lines = [line for part in parts for line in decoder.feed(part)]
    return lines + decoder.end()


CASES = {
    "lf": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "crlf": (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
    "no line end at the end": (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
    "blank lines": (b'\n \n{"a":1}\n\n\n', [b'{"a":1}']),
    "line separators of unicode": (
        '{"a":"x\u2028y\u0085z"}\n'.encode(),
        ['{"a":"x\u2028y\u0085z"}'.encode()],
    ),
    "characters of four bytes": ('{"a":"🌍"}\n'.encode(), ['{"a":"🌍"}'.encode()]),
    "blanks only": (b" \n ", []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("body", "lines"), CASES.values(), ids=CASES)
def test_body_split_anywhere_gives_its_lines(body: bytes, lines: list[bytes]) -> None:
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            assert decode(body[:first], body[first:second], body[second:]) == lines


def test_line_complete_is_given_before_more_bytes_come() -> None:
    decoder = NDJSONDecoder()
    assert decoder.feed(b'{"a":1}\n{"b"') == [b'{"a":1}']
    assert decoder.feed(b":2}") == []
    assert decoder.feed(b"\n") == [b'{"b":2}']
    assert decoder.feed(b"3") == []
    assert decoder.end() == [b"3"]
    assert decoder.end() == []


def test_huge_line_in_small_parts_is_joined_once() -> None:
    """The parts are kept apart until the line ends: work stays linear in the size."""
    decoder = NDJSONDecoder()
    for _ in range(40_000):
        assert decoder.feed(b"x" * 64) == []
    assert len(decoder._pending) == 40_000
    (line,) = decoder.feed(b"\n")
    assert len(line) == 64 * 40_000
    assert decoder.end() == []

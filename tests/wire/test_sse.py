"""Server-sent events: the framing, however the bytes were cut (WIRE.md §11, items 1 to 4)."""

from __future__ import annotations

import pytest

from llm_client.wire.sse import ServerSentEvent, SSEDecoder


def decode(*parts: bytes) -> list[tuple[str, bytes]]:
    decoder = SSEDecoder()
    events: list[ServerSentEvent] = []
    for part in parts:
        events += decoder.feed(part)
    return [(event.event, event.data) for event in events + decoder.end()]


CASES = {
    "lf": (b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", [("", b"a"), ("", b"b"), ("", b"c")]),
    "no space after the colon": (b"data:a\n\ndata:  b\n\n", [("", b"a"), ("", b" b")]),
    "several data lines": (b"data: a\ndata: b\ndata\ndata:\n\n", [("", b"a\nb\n\n")]),
    "event name": (b"event: error\ndata: a\n\ndata: b\n\n", [("error", b"a"), ("", b"b")]),
    "event name without data": (b"event: ping\n\ndata: a\n\n", [("", b"a")]),
    "event name in broken utf-8": (b"event: \xff\ndata: a\n\n", [("�", b"a")]),
    "comments": (b": ping\n\n:\n\ndata: a\n: keepalive 1/2\n\n", [("", b"a")]),
    "id and retry": (b"id: 7\nretry: 10\ndata: a\n\n", [("", b"a")]),
    "empty data": (b"data:\n\ndata\n\n", [("", b""), ("", b"")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
    "byte order mark without a line end": (b"\xef\xbb\xbfdata: a", [("", b"a")]),
    "second byte order mark": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("", b"a")]),
    "no blank line at the end": (b"data: a\n\ndata: b\n", [("", b"a"), ("", b"b")]),
    "no line end at the end": (b"data: a\n\ndata: b", [("", b"a"), ("", b"b")]),
    "cr at the end": (b"data: a\r", [("", b"a")]),
    "line separators of unicode": (
        "data: {\"a\": \"x\u2028y\u0085z\u000bw\"}\n\n".encode(),
        [("", "{\"a\": \"x\u2028y\u0085z\u000bw\"}".encode())],
    ),
    "characters of four bytes": ("data: 世界 🌍\r\n\r\n".encode(), [("", "世界 🌍".encode())]),
    "blank lines only": (b"\n\r\n\r\n\n", []),
    "nothing": (b"", []),
}  # fmt: skip


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES)
def test_body_decoded_gives_its_events(body: bytes, events: list[tuple[str, bytes]]) -> None:
    assert decode(body) == events


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES)
def test_body_split_anywhere_gives_the_same_events(
    body: bytes, events: list[tuple[str, bytes]]
) -> None:
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            assert decode(body[:first], body[first:second], body[second:]) == events


def test_event_complete_is_given_before_more_bytes_come() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [ServerSentEvent("", b"a")]
    assert decoder.feed(b"\ndata: b\n") == []
    assert decoder.feed(b"\n") == [ServerSentEvent("", b"b")]


def test_huge_event_in_small_parts_is_joined_once() -> None:
    """The parts are kept apart until the line ends: work stays linear in the size."""
    decoder = SSEDecoder()
    parts = [b"data: ", *[b"x" * 64] * 40_000]
    for part in parts:
        assert decoder.feed(part) == []
    assert len(decoder._pending) == len(parts)
    (event,) = decoder.feed(b"\n\n")
    assert len(event.data) == 64 * 40_000
    assert decoder._pending == []


@pytest.mark.parametrize(
    ("body", "foreign"),
    [
        (b"<html>\n<p>Sign in\n", [b"<html>", b"<p>Sign in"]),
        (b'{\r\n "error": "x"\r\n}', [b"{", b' "error": "x"', b"}"]),
        (b"data: a\n\nid: 3\nretry: 1\n: c\nevent: e\n", []),
        (b"data: a\n\ndat", []),
        (b"ev", []),
    ],
    ids=["html", "json", "known fields", "cut data", "cut event"],
)
def test_lines_that_are_no_events_are_kept_apart(body: bytes, foreign: list[bytes]) -> None:
    decoder = SSEDecoder()
    for i in range(len(body)):
        decoder.feed(body[i : i + 1])
    decoder.end()
    assert decoder.foreign == foreign


def test_foreign_lines_without_end_are_not_kept_without_end() -> None:
    decoder = SSEDecoder()
    for _ in range(100):
        decoder.feed(b"<p>" + b"x" * 10_000 + b"\n")
    assert 200_000 < sum(map(len, decoder.foreign)) < 300_000

"""The reader alone: recordings whole, byte by byte and cut at every byte; then every rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_client.engine.transport import http1
from llm_client.engine.transport.http1 import FramingError, ResponseReader, request_bytes
from tests.support.recordings import ROOT, needs_recordings

RECORDINGS = sorted(ROOT.glob("local-servers/*/*.http")) if ROOT else []
CUT = {"interrupted-stream", "root-head"}
"""Recordings that stop before their end: an interrupted stream, and an answer to HEAD."""
WHOLE = [path for path in RECORDINGS if path.stem not in CUT]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read_whole(data: bytes, method: str = "GET") -> tuple[ResponseReader, bytes]:
    reader = ResponseReader(request_method=method)
    body = reader.feed(data)
    reader.end_of_stream()
    return reader, body


def read_bytewise(data: bytes, method: str = "GET") -> tuple[ResponseReader, bytes]:
    reader = ResponseReader(request_method=method)
    body = b"".join(reader.feed(data[index : index + 1]) for index in range(len(data)))
    reader.end_of_stream()
    return reader, body


@needs_recordings
def test_recordings_are_there_to_be_read() -> None:
    assert len(WHOLE) > 700


@needs_recordings
@pytest.mark.parametrize("server", sorted({path.parent.name for path in WHOLE}))
def test_recording_split_anywhere_reads_the_same(server: str) -> None:
    for path in (path for path in WHOLE if path.parent.name == server):
        data = path.read_bytes()
        whole, body = read_whole(data)
        bytewise, same_body = read_bytewise(data)
        assert same_body == body, path
        assert bytewise.head == whole.head, path
        assert bytewise.reusable == whole.reusable, path
        for index in range(0, len(data), 1 + len(data) // 100):
            reader = ResponseReader()
            assert reader.feed(data[:index]) + reader.feed(data[index:]) == body, (path, index)


@needs_recordings
@pytest.mark.parametrize("server", sorted({path.parent.name for path in WHOLE}))
def test_recording_cut_anywhere_is_reported(server: str) -> None:
    for path in (path for path in WHOLE if path.parent.name == server):
        data = path.read_bytes()
        if not _is_delimited(path, data):
            continue
        reader = ResponseReader()
        for index in range(len(data)):
            assert not reader.complete, (path, index)
            with pytest.raises(FramingError):
                reader.end_of_stream()
            reader.feed(data[index : index + 1])
        assert reader.complete, path


def _is_delimited(path: Path, data: bytes) -> bool:
    head = data.partition(b"\r\n\r\n")[0].lower()
    return b"content-length:" in head or b"chunked" in head


@needs_recordings
def test_recording_of_an_interrupted_stream_is_reported_as_cut() -> None:
    assert ROOT is not None
    data = (ROOT / "local-servers/llama-cpp-python/interrupted-stream.http").read_bytes()
    reader = ResponseReader()
    assert reader.feed(data)
    with pytest.raises(FramingError, match="before the last chunk"):
        reader.end_of_stream()


@needs_recordings
def test_recording_of_an_answer_to_head_has_no_body() -> None:
    assert ROOT is not None
    data = (ROOT / "local-servers/ollama-extra/root-head.http").read_bytes()
    reader, body = read_whole(data, "HEAD")
    assert (body, reader.complete) == (b"", True)


@pytest.mark.parametrize("read", [read_whole, read_bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("data", "body", "reusable"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True, id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"", True, id="length-0"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", b"ok", True, id="same-list"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok", True, id="same-twice"
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", b"", True, id="304"),
        pytest.param(b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x", True, id="no-reason"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", b"x", True, id="bare-lf"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 6\n\nx\n\r\n\n\n", b"x\n\r\n\n\n", True, id="bare-lf-then-crlf"),
        pytest.param(b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", True, id="empty-lines-first"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close\r\n\r\nx", b"x", False, id="close"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, close\r\n\r\nx", b"x", False, id="close-in-list"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nall of it", b"all of it", False, id="until-close"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nall of it", b"all of it", False, id="1.0-until-close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", False, id="1.0-length"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", b"x", True, id="1.0-keep-alive"
        ),
        pytest.param(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello", True, id="chunk"),
        pytest.param(CHUNKED + b"0\r\n\r\n", b"", True, id="no-chunk"),
        pytest.param(CHUNKED + b"2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n000\r\n\r\n", b"abcde", True, id="chunks"),
        pytest.param(CHUNKED + b'A;name="v"\r\n0123456789\r\n0;x\r\n\r\n', b"0123456789", True, id="extension"),
        pytest.param(CHUNKED + b"1 \r\nx\r\n0\r\n\r\n", b"x", True, id="blank-after-size"),
        pytest.param(CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n", True, id="line-breaks-as-data"),
        pytest.param(CHUNKED + b"1\r\nx\r\n0\r\nDigest: a\r\nOther: b\r\n\r\n", b"x", True, id="trailers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            b"x",
            False,
            id="chunked-and-length",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            b"x",
            True,
            id="interim",
        ),
    ],
)  # fmt: skip
def test_answer_in_any_framing_is_read_to_its_end(
    read: type, data: bytes, body: bytes, reusable: bool
) -> None:
    reader, got = read(data)
    assert (got, reader.complete, reader.reusable) == (body, True, reusable)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"SSH-2.0-OpenSSH", "does not speak HTTP", id="not-http"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02", "https://", id="tls-alert"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", "bad status line", id="http-2"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", "bad status line", id="long-status"),
        pytest.param(b"HTTP/1.1 099 No\r\n\r\n", "bad status line", id="low-status"),
        pytest.param(b"HTTP/1.1 20\r\n\r\n", "bad status line", id="short-status"),
        pytest.param(b"HTTP/1.1x200 OK\r\n\r\n", "bad status line", id="no-blank"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "bad header line", id="bare-cr"),
        pytest.param(b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", "bad header line", id="no-name"),
        pytest.param(b"HTTP/1.1 abc\r\n\r\n", "bad status line", id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "bad header line", id="no-colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "bad header line", id="blank-in-name"),
        pytest.param(b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", "bad header line", id="fold-first"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n", "bad header line", id="nul"),
        pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", "switched protocols", id="101"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "conflicting content lengths",
            id="conflict",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "conflicting", id="conflict-in-list"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad content length", id="negative"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n", "bad content length", id="underscore"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "bad content length", id="no-length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "coding", id="coding"
        ),
        pytest.param(CHUNKED + b"x\r\n", "bad chunk size", id="size"),
        pytest.param(CHUNKED + b"\r\n", "bad chunk size", id="empty-size"),
        pytest.param(CHUNKED + b"+5\r\nhello\r\n", "bad chunk size", id="signed-size"),
        pytest.param(CHUNKED + b"f" * 16 + b"\r\n", "bad chunk size", id="huge-size"),
        pytest.param(CHUNKED + b"2\r\nabc\r\n", "longer than its size", id="long-chunk"),
        pytest.param(CHUNKED + b"2\r\nab\rc", "longer than its size", id="half-a-line-break"),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_bad_framing_is_refused(data: bytes, message: str, bytewise: bool) -> None:
    reader = ResponseReader()
    step = 1 if bytewise else len(data)
    with pytest.raises(FramingError, match=message if not bytewise else None):
        for index in range(0, len(data), step):
            reader.feed(data[index : index + step])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "before an answer came", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", "in the middle of the headers", id="head"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", "middle of the headers", id="only-interim"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "after 3 of 9 bytes", id="length"
        ),
        pytest.param(CHUNKED + b"3\r\nabc\r\n", "after 3 bytes", id="last-chunk-missing"),
        pytest.param(CHUNKED + b"5\r\nabc", "after 3 bytes", id="in-a-chunk"),
        pytest.param(CHUNKED + b"0\r\n", "before the last chunk", id="in-the-trailers"),
    ],
)
def test_end_before_the_end_is_reported(data: bytes, message: str) -> None:
    reader = ResponseReader()
    reader.feed(data)
    with pytest.raises(FramingError, match=message):
        reader.end_of_stream()
    assert not reader.complete


def test_part_of_a_chunk_is_handed_out_at_once() -> None:
    reader = ResponseReader()
    assert reader.feed(CHUNKED + b"6\r\nabc") == b"abc"
    assert reader.feed(b"def\r") == b"def"
    assert reader.feed(b"\n2\r\ngh\r\n0\r\n\r\n") == b"gh"
    assert reader.reusable


def test_bytes_after_the_end_make_the_connection_unusable() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1") == b"ok"
    assert (reader.complete, reader.trailing, reader.reusable) == (True, True, False)
    assert reader.feed(b"more") == b""


def test_folded_header_is_joined() -> None:
    reader, _ = read_whole(b"HTTP/1.1 200 OK\r\nA: one\r\n  two\r\nContent-Length: 0\r\n\r\n")
    assert reader.head is not None
    assert reader.head.headers[0] == (b"A", b"one two")


@pytest.mark.parametrize(
    ("before", "filler"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nA: ", b"x" * 1024, id="head"),
        pytest.param(CHUNKED + b"1;", b"x" * 1024, id="chunk-line"),
        pytest.param(CHUNKED + b"0\r\n", b"A: b\r\n" * 200, id="trailers"),
    ],
)
def test_part_without_end_is_bounded(before: bytes, filler: bytes) -> None:
    reader = ResponseReader()
    reader.feed(before)
    with pytest.raises(FramingError, match=r"longer than|no end"):
        for _ in range(2 * http1.MAX_HEAD_BYTES // len(filler)):
            reader.feed(filler)


def test_long_size_line_in_one_piece_is_refused() -> None:
    reader = ResponseReader()
    with pytest.raises(FramingError, match="bad chunk size"):
        reader.feed(CHUNKED + b"1;" + b"x" * http1.MAX_CHUNK_LINE_BYTES + b"\r\nx\r\n")


def test_request_is_serialised_as_given() -> None:
    head = request_bytes(b"POST", b"/v1/x?y=1", [(b"Host", b"h"), (b"X-Tab", b"a\tb")])
    assert head == b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nX-Tab: a\tb\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "field"),
    [
        pytest.param(b"GET\r\n", b"/", (b"A", b"b"), id="method"),
        pytest.param(b"GET", b"/ HTTP/1.1\r\nX: y", (b"A", b"b"), id="target"),
        pytest.param(b"GET", b"/", (b"A:", b"b"), id="name"),
        pytest.param(b"GET", b"/", (b"Authorization", b"sk-secret\r\nX: y"), id="line-break"),
        pytest.param(b"GET", b"/", (b"Authorization", b"sk-secret\x00"), id="nul"),
    ],
)
def test_request_with_control_characters_is_refused_without_its_value(
    method: bytes, target: bytes, field: tuple[bytes, bytes]
) -> None:
    with pytest.raises(FramingError) as caught:
        request_bytes(method, target, [field])
    assert "secret" not in str(caught.value)

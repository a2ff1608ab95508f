"""The loopback server that every contender talks to: an OpenAI-compatible endpoint without a model.

Owns the answers, which are made before they are asked for and chosen by the first part of the URL,
so that the server is never what is measured. Runs as a process of its own (`python -I server.py`),
on the standard library alone, prints its port, and leaves when its standard input closes.

    POST /events/N/v1/chat/completions   a stream of N small events
    POST /markdown/N/v1/chat/completions a stream of N lines of Markdown
    POST /delay/MS/v1/chat/completions   a whole answer after MS milliseconds; 0 is at once
    GET  /last                           when the last POST was here whole: nanoseconds, monotonic
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

__all__ = ["WORD"]

WORD = " word"
"""The text of every small event."""
_WRITE_BYTES = 128 * 1024
_PIECE_CHARACTERS = 12
"""Text of one event of the Markdown answer; about three tokens."""
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_REQUEST_LINE = re.compile(rb"(?P<method>[A-Z]+) /(?P<answer>[a-z]+)/?(?P<size>[0-9]*)")
_PARAGRAPH = (
    "## Section {n}",
    "",
    "A line with *emphasis*, **strength**, `code` and a [link](https://example.com/{n}).",
    "- an item of a list, number {n}",
    "- another one",
    "",
    "```python",
    "def function_{n}(value: int) -> int:",
    "    return value + {n}",
    "```",
    "",
)

last_request_ns = 0


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    payload = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "bench",
        "choices": [
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason},
        ],
    }
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def _streamed(texts: Iterable[str]) -> bytes:
    """Return a whole answer, each event in an HTTP chunk of its own, as real servers send it."""
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    events = [_event({"content": text}) for text in texts]
    events += [_event({}, "stop"), b"data: [DONE]\n\n"]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


@cache
def small_events(count: int) -> bytes:
    """Return a stream of `count` small events."""
    return _streamed([WORD] * count)


@cache
def markdown(lines: int) -> bytes:
    """Return a stream of `lines` lines of Markdown, cut into pieces without regard to lines."""
    text = "\n".join(
        _PARAGRAPH[n % len(_PARAGRAPH)].format(n=n // len(_PARAGRAPH)) for n in range(lines)
    )
    return _streamed(
        text[start : start + _PIECE_CHARACTERS] for start in range(0, len(text), _PIECE_CHARACTERS)
    )


@cache
def whole_answer() -> bytes:
    """Return an answer that is not streamed."""
    payload: dict[str, Any] = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }
    return _plain(json.dumps(payload).encode(), b"application/json")


def _plain(body: bytes, content_type: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (status, content_type, len(body)) + body


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other, their bodies are counted, not kept."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._head = b""
        self._awaited = 0
        self._unsent = memoryview(b"")
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._awaited:
            self._awaited -= len(data)
            if self._awaited <= 0:
                self._answer()
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._head, 0, end)
        present = len(self._head) - end - 4
        self._head = self._head[:end]
        self._awaited = (int(length[1]) if length else 0) - present
        if self._awaited <= 0:
            self._answer()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write()

    def _answer(self) -> None:
        global last_request_ns
        head, self._head, self._awaited = self._head, b"", 0
        line = _REQUEST_LINE.match(head)
        answer = line["answer"] if line else b""
        size = int(line["size"] or 0) if line else 0
        if answer == b"last":
            self._send(_plain(b"%d" % last_request_ns, b"text/plain"))
            return
        last_request_ns = time.monotonic_ns()
        if answer == b"events":
            self._send(small_events(size))
        elif answer == b"markdown":
            self._send(markdown(size))
        elif answer == b"delay" and size:
            asyncio.get_running_loop().call_later(size / 1000, self._send, whole_answer())
        elif answer == b"delay":
            self._send(whole_answer())
        else:
            self._send(_plain(b"", b"text/plain", b"404 Not Found"))

    def _send(self, answer: bytes) -> None:
        if len(answer) <= _WRITE_BYTES:
            self._transport.write(answer)
            return
        self._unsent = memoryview(answer)
        self._write()

    def _write(self) -> None:
        while self._unsent and not self._paused:
            piece, self._unsent = self._unsent[:_WRITE_BYTES], self._unsent[_WRITE_BYTES:]
            self._transport.write(piece)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve())

"""A large prompt: it arrives whole, as the same JSON, and memory stays in proportion."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_client.cli import prompt_input
from llm_client.cli.prompt_input import build_prompt
from llm_client.dialects.http import json_request
from llm_client.exceptions import ValidationError
from llm_client.providers.catalog import find_provider
from llm_client.types.long_text import LongText
from llm_client.types.target import Target

from ..support.fault_server import fault_server
from .program import SECONDS, answer, command, environment, prompt_of
from .test_in_process import make_environment

MIB = 1 << 20
LONG = 3 * MIB + 17
"""Characters: several pieces and a rest."""
TARGET = Target(find_provider("llamacpp"), model="m", base_url="http://localhost:1/v1")


MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""
"""Runs a command and prints its peak memory. A process of its own, because Linux counts what the
process that starts another had in memory as the other's."""


def encoded(body: dict[str, Any]) -> bytes:
    data = json_request("POST", "/x", TARGET, body).body
    assert data is not None
    return data


def plain(body: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("a", id="ascii"),
        pytest.param('\\"\n\t\x00\x1f', id="escapes"),
        pytest.param("\u00e9\u20ac\U0001f980", id="unicode"),
        pytest.param("\ud83e!\udd80", id="lone-surrogates"),
    ],
)
def test_long_text_is_encoded_as_a_short_one_is(unit: str) -> None:
    long = (unit * LONG)[:LONG]
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "short", "tool_calls": [], "x": None},
            {"role": "user", "content": long},
            {"role": "user", "content": [{"type": "text", "text": long}, 1.5, True]},
        ],
        "pair": (long, "short"),
        "keys": {1: long, None: 2, "\u00e9\n": {}},
        "stream": True,
        "stop": ["\n"],
    }
    assert hashlib.sha256(encoded(body)).digest() == hashlib.sha256(plain(body)).digest()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"x": float("nan")}, id="nan"),
        pytest.param({"x": object()}, id="object"),
        pytest.param({(1, 2): 3}, id="key"),
    ],
)
@pytest.mark.parametrize("long", ["", "a" * LONG], ids=["short", "long"])
def test_body_that_is_no_json_is_refused(wrong: dict[Any, Any], long: str) -> None:
    with pytest.raises(ValidationError, match="cannot be written as JSON"):
        encoded({"text": long, **wrong})


def test_body_nested_too_deeply_is_refused() -> None:
    nested: list[Any] = ["a" * LONG]
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ValidationError, match="cannot be written as JSON"):
        encoded({"x": nested})


UNITS = [
    pytest.param(b"The quick brown fox.\n", id="ascii"),
    pytest.param("na\u00efve \u20ac \U0001f980\n".encode(), id="unicode"),
    pytest.param(b"caf\xe9 \xf0\x9f\xa6 \xe2\x82\n", id="invalid"),
    pytest.param(b"```\n", id="fences"),
]


class Drip(io.BytesIO):
    """Hands out so many bytes at once."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self.size)


def built(data: bytes, size: int, files: list[str]) -> tuple[str | LongText, list[str]]:
    said: list[str] = []
    environment = make_environment(data)
    environment.stdin = Drip(data, size)
    words = ["sum", "up\udcff"]
    prompt = build_prompt(words, files, read_stdin=True, environment=environment, say=said.append)
    return prompt, said


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("files", [[], ["-"]], ids=["plain", "block"])
def test_long_input_is_the_same_text_as_a_short_one(
    unit: bytes, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = unit * 7 + unit[:-3]
    short, said = built(data, len(data), files)
    assert isinstance(short, str)
    monkeypatch.setattr(prompt_input, "_LONG_INPUT", 1)
    for size in range(1, 9):
        long, said_of_long = built(data, size, files)
        assert isinstance(long, LongText)
        assert str(long) == short.replace("\udcff", "?")
        assert all(piece.decode() is not None for piece in long.pieces)
        assert said_of_long == said


def test_long_blank_input_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_input, "_LONG_INPUT", 1)
    assert built(b" \n" * 9, 3, [])[0] == "sum up\udcff"


def test_long_text_reaches_the_wire_as_a_short_one_does() -> None:
    text = 'na\u00efve "\U0001f980"\n\x00' * 1000
    data = text.encode()
    half = data.index(b"\n", len(data) // 2)
    body = {"messages": [{"content": LongText([data[:half], b"", data[half:]])}], "x": [1]}
    assert encoded(body) == plain({"messages": [{"content": text}], "x": [1]})


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is Linux's")
@pytest.mark.parametrize("way", ["stdin", "file"])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"The quick brown fox jumps over the lazy dog, on and on.\n", id="ascii"),
        pytest.param("The quick \U0001f98a jumps \u2014 over the lazy dog.\n".encode(), id="emoji"),
        pytest.param(b"The quick br\xf8wn fox jumps over the lazy dog, on and on\n", id="invalid"),
    ],
)
def test_hundred_megabytes_arrive_whole_below_three_times_their_size(
    way: str, line: bytes, tmp_path: Path
) -> None:
    size = 100_000_000 // len(line) * len(line)
    file = tmp_path / "large.txt"
    file.write_bytes(line * (size // len(line)))
    flags = ["-f", str(file)] if way == "file" else []
    with fault_server(answer("Yes.")) as server, file.open("rb") as stdin:
        arguments = ("generate", "-u", server.url, "-m", "x", "sum", "up", *flags)
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *command(*arguments)],
            stdin=stdin if way == "stdin" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment(),
            timeout=SECONDS,
        )
        prompt = prompt_of(server.requests[0])
        server.requests.clear()
    printed, peak_kib = done.stdout.splitlines()
    assert (done.returncode, printed) == (0, b"Yes.")
    named = f"{file}\n```\n" if way == "file" else ""
    start = f"sum up\n\n{named}"
    assert prompt.startswith(start + line.decode("utf-8", "replace"))
    ending = "```" if way == "file" else ""
    expected = len(line.decode("utf-8", "replace")) * (size // len(line))
    assert len(prompt) == len(start) + expected + len(ending)
    assert int(peak_kib) * 1024 < 2.7 * size

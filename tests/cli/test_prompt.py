"""The prompt as it arrives at the server: words, files and standard input."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.fault_server import FaultServer, fault_server
from .program import answer, ask, prompt_of, run, started


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(answer("Yes.")) as running:
        yield running


@pytest.mark.parametrize(
    ("words", "stdin", "prompt"),
    [
        pytest.param(["why", "is", "it", "so"], b"", "why is it so", id="unquoted-words"),
        pytest.param(["why  is\nit"], b"", "why  is\nit", id="one-quoted-word"),
        pytest.param([], b"from stdin\n", "from stdin\n", id="stdin-alone"),
        pytest.param(["-"], b"from stdin", "from stdin", id="stdin-named"),
        pytest.param(["sum", "up"], b"a\nb\n", "sum up\n\na\nb\n", id="instruction-and-input"),
        pytest.param(["sum", "-", "up"], b"a", "sum up\n\na", id="instruction-and-named-input"),
        pytest.param(["hi"], b" \n\t\n", "hi", id="blank-input"),
        pytest.param(["a"], b"x\r\ny\tz", "a\n\nx\r\ny\tz", id="crlf-and-tab"),
        pytest.param(["--", "-x", "--json"], b"", "-x --json", id="after-two-dashes"),
        pytest.param(["na\u00efve", "\U0001f980"], b"", "na\u00efve \U0001f980", id="unicode"),
        pytest.param([b"bad\xffbyte"], b"", "bad?byte", id="undecodable-argument"),
        pytest.param(["--no-stdin", "hi"], b"ignored", "hi", id="stdin-refused"),
    ],
)
def test_words_and_stdin_are_joined_as_instruction_blank_line_input(
    server: FaultServer, words: list[str | bytes], stdin: bytes, prompt: str
) -> None:
    result = ask(server.url, *words, stdin=stdin)
    assert (result.status, result.stderr) == (0, "")
    assert prompt_of(server.requests[0]) == prompt


@pytest.mark.parametrize("stdin", [b"", b" \n\n\t "], ids=["nothing", "blanks"])
def test_empty_prompt_is_usage_and_sends_nothing(server: FaultServer, stdin: bytes) -> None:
    result = ask(server.url, stdin=stdin)
    assert result.status == 2
    assert "The prompt is empty: nothing was sent." in result.stderr
    assert server.connections == 0


def test_files_are_named_blocks_between_instruction_and_input(
    server: FaultServer, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.txt"
    first.write_text("print(1)\n")
    second.write_text("no newline at its end")
    result = ask(server.url, "compare", "-f", str(first), "-f", str(second), stdin=b"and this")
    assert result.status == 0
    assert prompt_of(server.requests[0]) == (
        f"compare\n\n{first}\n```\nprint(1)\n```\n\n"
        f"{second}\n```\nno newline at its end\n```\n\nand this"
    )


def test_fence_is_longer_than_any_inside(server: FaultServer, tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("text\n````md\n```\n````\n")
    ask(server.url, "-f", str(file))
    prompt = prompt_of(server.requests[0])
    assert prompt == f"{file}\n`````\ntext\n````md\n```\n````\n`````"


def test_file_dash_is_stdin_as_a_block(server: FaultServer) -> None:
    ask(server.url, "explain", "-f", "-", stdin=b"1 + 1\n")
    assert prompt_of(server.requests[0]) == "explain\n\nstdin\n```\n1 + 1\n```"


def test_file_in_the_home_is_found_by_its_tilde(
    server: FaultServer, clean_environment: Path
) -> None:
    (clean_environment / "note.txt").write_text("hello\n")
    ask(server.url, "-f", "~/note.txt")
    assert prompt_of(server.requests[0]) == "~/note.txt\n```\nhello\n```"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("", None, "is a directory, not a file.", id="directory"),
        pytest.param("missing", None, "No such file or directory", id="missing"),
        pytest.param("image.png", b"\x89PNG\0\0", "is binary data, not text", id="binary"),
    ],
)
def test_file_that_is_no_text_is_usage_and_sends_nothing(
    server: FaultServer, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name if name else tmp_path
    if content is not None:
        path.write_bytes(content)
    result = ask(server.url, "-f", str(path), "hi")
    assert result.status == 2
    assert str(path) in result.stderr
    assert message in result.stderr
    assert server.connections == 0


def test_binary_stdin_is_refused_before_it_is_read_to_its_end(server: FaultServer) -> None:
    arguments = ("generate", "-u", server.url, "-m", "x", "hi")
    endless, feed = os.pipe()
    with open(endless, "rb") as stdin, open(feed, "wb", buffering=0) as pipe:
        pipe.write(b"\x7fELF\0\0\0")
        # The pipe stays open: only a reader that looks early ends.
        result = run(*arguments, stdin=stdin)
    assert result.status == 2
    assert "Standard input is binary data" in result.stderr
    assert server.connections == 0


def test_invalid_utf8_on_stdin_is_replaced_with_a_warning(server: FaultServer) -> None:
    result = ask(server.url, "hi", stdin=b"caf\xe9 \xf0\x9f\xa6\x80 \xff")
    assert result.status == 0
    assert result.stderr.startswith("Warning: standard input is not UTF-8 (byte 3)")
    assert prompt_of(server.requests[0]) == "hi\n\ncaf\ufffd \U0001f980 \ufffd"


def test_warning_about_the_input_is_unsaid_when_quiet(server: FaultServer) -> None:
    assert ask(server.url, "-q", "hi", stdin=b"\xff").stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs select on a pipe")
def test_inherited_pipe_that_stays_silent_gets_a_hint_and_is_waited_for(
    server: FaultServer,
) -> None:
    reader, writer = os.pipe()
    arguments = ("generate", "-u", server.url, "-m", "x", "sum", "up")
    with open(reader, "rb") as stdin, started(*arguments, stdin=stdin) as process:
        began = time.monotonic()
        line = process.stderr.readline()
        assert b"Waiting for standard input" in line
        assert b"--no-stdin" in line
        assert time.monotonic() - began > 4.0
        assert server.connections == 0
        os.write(writer, b"late")
        os.close(writer)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (0, b"Yes.\n", b"")
    assert prompt_of(server.requests[0]) == "sum up\n\nlate"


def test_no_stdin_does_not_wait_for_an_inherited_pipe(server: FaultServer) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as stdin, open(writer, "wb"):
        result = run("generate", "-u", server.url, "-m", "x", "--no-stdin", "hi", stdin=stdin)
    assert (result.status, result.stdout, result.stderr) == (0, b"Yes.\n", "")

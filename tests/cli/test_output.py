"""Where the answer goes: a pipe, a file, an object, the code alone. Bytes are compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..support.fault_server import Script, fault_server
from .program import (
    SECONDS,
    answer,
    ask,
    ending,
    environment,
    error,
    event,
    run,
    shell,
    stream,
    text,
    whole,
)

CODE = "Here:\n```python\nprint(1)\n```\nand\n```\nno\n```\n"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
THINKING = stream(event({"reasoning_content": "Hm, well"}), *text("Yes."), *ending())


@pytest.mark.parametrize(
    ("deltas", "printed"),
    [
        pytest.param(["a", "b"], b"ab\n", id="newline-added"),
        pytest.param(["ab\n"], b"ab\n", id="newline-there"),
        pytest.param(["ab\n\n", "\n"], b"ab\n\n\n", id="newlines-kept"),
        pytest.param(["a\r\n", "b\r\n"], b"a\r\nb\r\n", id="crlf"),
        pytest.param(["a\0b"], b"a\0b\n", id="nul"),
        pytest.param(["  x  ", "\t"], b"  x  \t\n", id="blanks"),
        pytest.param(["\x1b]52;c;aGk=\x07\x1b[2J"], b"\x1b]52;c;aGk=\x07\x1b[2J\n", id="control"),
        pytest.param(["# T\n\n**b** " + "w " * 99], b"# T\n\n**b** " + b"w " * 99 + b"\n", id="md"),
        pytest.param(["\U0001f980", "\u00e9"], "\U0001f980\u00e9\n".encode(), id="unicode"),
        pytest.param(["\ud83e", "\udd80"], "\U0001f980\n".encode(), id="split-surrogates"),
        pytest.param(["\ud83e!"], "\ufffd!\n".encode(), id="lone-surrogate"),
    ],
)
@pytest.mark.parametrize("color", ["auto", "always"])
def test_piped_answer_is_the_exact_text(deltas: list[str], printed: bytes, color: str) -> None:
    with fault_server(answer(*deltas)) as server:
        result = ask(server.url, "--color", color, "hi")
    assert (result.status, result.stdout, result.stderr) == (0, printed, "")


def test_piped_answer_of_the_demo_model_is_what_the_object_says() -> None:

    pytest.importorskip("xllamacpp")
    arguments = ("generate", "-p", "embedded", "--max-tokens", "12", "--seed", "1")
    plain = run(*arguments, "hello")
    described = run(*arguments, "--json", "hello").json
    assert plain.status == 0
    assert "demo model" in run("generate", "-p", "embedded", "hello").text
    assert plain.text == described["text"] + "\n"
    assert (described["provider"], described["usage"]["completion_tokens"]) == ("embedded", 12)


def test_answer_of_a_real_server_streams_with_usage(llama_server: str) -> None:
    result = ask(llama_server, "-m", "demo", "--max-tokens", "8", "--json", "--stream", "hello")
    assert result.status == 0
    *deltas, done = result.lines
    assert {line["type"] for line in deltas} == {"text"}
    assert "".join(line["text"] for line in deltas) == done["text"] != ""
    assert done["usage"]["completion_tokens"] == 8


def test_reasoning_is_never_in_a_pipe() -> None:
    with fault_server(THINKING) as server:
        result = ask(server.url, "hi")
    assert (result.stdout, result.stderr) == (b"Yes.\n", "")


def test_json_is_one_object_with_the_whole_answer() -> None:
    script = stream(
        event({"content": "Y\u00e9s."}, id="r-1"), event(finish="stop", usage=USAGE), *ending()
    )
    with fault_server(script) as server:
        result = ask(server.url, "--json", "hi")
    told: dict[str, Any] = result.json
    assert len(result.stdout.splitlines()) == 1
    assert "Y\u00e9s." in result.text
    assert told["schema_version"] == 1
    assert (told["id"], told["text"], told["finish_reason"]) == ("r-1", "Y\u00e9s.", "stop")
    assert (told["provider"], told["model"]) == ("openai-compatible", "some-model")
    assert (told["usage"]["prompt_tokens"], told["usage"]["total_tokens"]) == (3, 5)
    assert told["cost"] is None
    assert told["timing"]["latency_ms"] >= told["timing"]["time_to_first_token_ms"] > 0
    assert (told["attempts"], told["retry_count"], told["used_fallback"]) == (1, 0, False)


def test_json_with_stream_is_an_object_a_line() -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    script = stream(
        event({"reasoning_content": "Hm"}),
        *text("a", "b"),
        event({"tool_calls": [call]}),
        *ending("tool_calls"),
    )
    with fault_server(script) as server:
        result = ask(server.url, "--json", "--stream", "hi")
    lines = result.lines
    assert lines[0] == {"type": "reasoning", "text": "Hm"}
    assert [line["text"] for line in lines if line["type"] == "text"] == ["a", "b"]
    assert any(line["type"] == "tool_call" and line["name"] == "f" for line in lines)
    assert (lines[-1]["type"], lines[-1]["text"], lines[-1]["reasoning"]) == ("done", "ab", "Hm")
    assert lines[-1]["tool_calls"][0]["name"] == "f"


def test_json_escapes_what_some_terminals_obey() -> None:
    with fault_server(answer("\x1b[2J\x9b2J\x7f")) as server:
        result = ask(server.url, "--json", "hi")
    assert not {0x1B, 0x7F} & set(result.stdout)
    assert "\x9b" not in result.text
    assert result.json["text"] == "\x1b[2J\x9b2J\x7f"


@pytest.mark.parametrize("streamed", [False, True], ids=["object", "lines"])
def test_json_error_is_an_object_with_the_same_status(streamed: bool) -> None:
    script = stream(*text("par"), b'data: {"error":{"message":"overloaded","code":503}}\n\n')
    flags = ["--stream"] if streamed else []
    with fault_server(script) as server:
        result = ask(server.url, "--json", *flags, "hi")
    told = result.lines[-1]["error"]
    assert result.status == 1
    assert told["type"] == "LLMServiceError"
    assert "overloaded" in told["message"]
    assert told["partial"] == "par"
    assert told["provider"] == "openai-compatible"


@pytest.mark.parametrize("flags", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_extract_prints_the_first_fenced_block_alone(flags: list[str]) -> None:
    script = whole(CODE) if flags else answer(*CODE)
    with fault_server(script) as server:
        result = ask(server.url, "-x", *flags, "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"print(1)\n", "")


def test_extract_without_code_prints_the_answer_and_says_so() -> None:
    with fault_server(answer("No code.")) as server:
        result = ask(server.url, "-x", "hi")
    assert (result.status, result.stdout) == (0, b"No code.\n")
    assert "no fenced code" in result.stderr


def test_extract_of_a_cut_answer_prints_nothing() -> None:
    with fault_server(stream(*text("```\nrm -rf build"))) as server:
        result = ask(server.url, "-x", "hi")
    assert (result.status, result.stdout) == (7, b"")


def test_output_file_gets_the_exact_text_and_stdout_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    with fault_server(answer("a\r\n", "b")) as server:
        result = ask(server.url, "-o", str(file), "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"", "")
    assert file.read_bytes() == b"a\r\nb\n"
    assert [path.name for path in tmp_path.iterdir()] == ["answer.md"]


def test_output_file_gets_the_code_or_the_object(tmp_path: Path) -> None:
    with fault_server(answer(CODE)) as server:
        ask(server.url, "-x", "-o", str(tmp_path / "code.py"), "hi")
        ask(server.url, "--json", "-o", str(tmp_path / "answer.json"), "hi")
    assert (tmp_path / "code.py").read_text() == "print(1)\n"
    assert '"text": "Here:' in (tmp_path / "answer.json").read_text()


@pytest.mark.parametrize(
    ("script", "status", "partial"),
    [
        pytest.param(stream(*text("half")), 7, b"half\n", id="cut"),
        pytest.param(error(500, "boom"), 1, None, id="no-answer"),
    ],
)
def test_existing_output_file_is_untouched_by_a_failure(
    script: Script, status: int, partial: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "answer.md"
    file.write_bytes(b"precious")
    with fault_server(script) as server:
        result = ask(server.url, "-o", str(file), "hi")
    assert result.status == status
    assert file.read_bytes() == b"precious"
    kept = tmp_path / "answer.md.partial"
    if partial is None:
        assert not kept.exists()
    else:
        assert kept.read_bytes() == partial
        assert f"What had arrived is in {str(kept)!r}." in result.stderr


def test_replaced_file_keeps_its_mode_and_the_link_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "private.md", tmp_path / "link.md"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    with fault_server(answer("new")) as server:
        assert ask(server.url, "-o", str(link), "hi").status == 0
    assert link.is_symlink()
    assert file.read_text() == "new\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("folder", "is a directory: the answer needs a file", id="directory"),
        pytest.param("missing/answer.md", "No such file or directory", id="no-directory"),
        pytest.param("file/answer.md", "Not a directory", id="below-a-file"),
        pytest.param("loop", "Cannot write", id="loop-of-links"),
    ],
)
def test_output_that_cannot_be_written_is_told_before_sending(
    name: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with fault_server(answer("a")) as server:
        result = ask(server.url, "-o", str(tmp_path / name), "hi")
    assert result.status == 2
    assert message in result.stderr
    assert server.connections == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_read_only_output_is_told_before_sending(what: str, tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    file.touch(0o400)
    if what == "directory":
        tmp_path.chmod(0o500)
    with fault_server(answer("a")) as server:
        result = ask(server.url, "-o", str(file), "hi")
    assert result.status == 2
    assert server.connections == 0


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_output_to_stdout_by_name_is_stdout(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with fault_server(answer("Yes.")) as server:
        script = f'echo before > "{log}"; "$@" >> "{log}"'
        arguments = ["generate", "-u", server.url, "-m", "x", "-o", name, "hi"]
        assert shell(script, *arguments).status == 0
    assert log.read_text() == "before\nYes.\n"


def test_output_to_a_device_is_written_straight() -> None:
    with fault_server(answer("Yes.")) as server:
        result = ask(server.url, "-o", "/dev/null", "hi")
    assert (result.status, result.stdout, result.stderr) == (0, b"", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("flags", [[], ["-o", "/dev/full"], ["--json"]], ids=["", "-o", "json"])
def test_full_disk_is_told_without_a_traceback(flags: list[str]) -> None:
    with fault_server(answer("Yes.")) as server:
        arguments = ["generate", "-u", server.url, "-m", "x", *flags, "hi"]
        result = shell('"$@" > /dev/full', *arguments)
    assert result.status == 1
    assert result.stderr == "error: Cannot write the answer: No space left on device.\n"


@pytest.mark.parametrize(
    ("redirection", "stdout", "stderr"),
    [
        pytest.param("<&-", b"Yes.\n", "", id="stdin"),
        pytest.param("2>&-", b"Yes.\n", "", id="stderr"),
        pytest.param("<&- 2>&-", b"Yes.\n", "", id="both"),
    ],
)
def test_closed_stream_does_not_cost_the_answer(
    redirection: str, stdout: bytes, stderr: str
) -> None:
    with fault_server(answer("Yes.")) as server:
        arguments = ["generate", "-u", server.url, "-m", "x", "hi"]
        result = shell(f'"$@" {redirection}', *arguments)
        assert (result.status, result.stdout, result.stderr) == (0, stdout, stderr)
        assert len(server.requests) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_stream_leaves_its_number_to_no_socket(closed: str) -> None:
    code = (
        "import socket, sys\n"
        "from llm_client.cli.environment import Environment\n"
        "environment = Environment.current()\n"
        "sys.exit(7 if socket.socket().fileno() > 2 else 1)\n"
    )
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-c", code],
        env=environment(),
        timeout=SECONDS,
    )
    assert done.returncode == 7


def test_closed_stderr_does_not_cost_the_status_of_an_error() -> None:
    with fault_server(error(500, "boom")) as server:
        result = shell('"$@" 2>&-', "generate", "-u", server.url, "-m", "x", "--retries", "0", "hi")
    assert (result.status, result.stdout) == (1, b"")

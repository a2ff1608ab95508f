"""What a user sees on a terminal, and what never reaches it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ..support.fault_server import fault_server, respond
from .program import answer, ask, ending, error, event, half, stream, text, whole
from .terminal import Terminal, screen, terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

MARKDOWN = "# Title\n\nSome **bold** text.\n\n```python\nprint(1)\n```\n\n- one\n- two\n"
ATTACKS = (
    "\x1b]52;c;cm0gLXJm\x07 \x1b]0;owned\x1b\\ \x1b[2J\x1b[5;5H \x1b[6n \x9b31m \x90q\x9c "
    "\x1bc \x08\x08 \x0e \x1b[?1049h \x1b[201~ end"
)
THINKING = stream(event({"reasoning_content": "Hm, well"}), *text("Yes."), *ending())
BOLD, DIM = b"\x1b[1m", b"\x1b[2m"


def asking(url: str, *flags: str) -> tuple[str, ...]:
    return ("generate", "-u", url, "-m", "x", "--retries", "0", *flags, "hi")


def shown(url: str, *flags: str, columns: int = 80) -> Terminal:
    with terminal(*asking(url, *flags), columns=columns) as seen:
        assert seen.finish() == 0
    return seen


def test_markdown_is_rendered() -> None:
    with fault_server(answer(*MARKDOWN)) as server:
        seen = shown(server.url)
    rows = [row.strip() for row in seen.screen]
    assert any("Title" in row and "#" not in row for row in rows)
    assert "Some bold text." in rows
    assert "print(1)" in rows
    assert "**" not in "".join(rows)
    assert BOLD in seen.raw


def test_whole_answer_is_rendered_too() -> None:
    with fault_server(whole(MARKDOWN)) as server:
        seen = shown(server.url, "--no-stream")
    assert "Some bold text." in [row.strip() for row in seen.screen]


@pytest.mark.parametrize("columns", [30, 120])
def test_answer_is_as_wide_as_the_terminal(columns: int) -> None:
    with fault_server(answer("word " * 60)) as server:
        seen = shown(server.url, columns=columns)
    assert columns - 5 <= max(map(len, seen.screen)) <= columns


@pytest.mark.parametrize("flags", [[], ["-x"], ["--no-stream"]], ids=["drawn", "-x", "whole"])
@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_control_sequences_of_the_model_never_reach_the_terminal(
    flags: list[str], term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    pieces = [event({"reasoning_content": ATTACKS}), *text(*ATTACKS), *text(ATTACKS), *ending()]
    with fault_server(stream(*pieces)) as server:
        seen = shown(server.url, *flags)
    assert "end" in "".join(seen.screen)  # `screen` fails at any sequence that is not harmless
    assert b"\x1b]" not in seen.raw
    assert b"\x07" not in seen.raw


def test_control_sequences_in_an_error_never_reach_the_terminal() -> None:
    with (
        fault_server(error(500, ATTACKS)) as server,
        terminal(*asking(server.url, "--debug", "-v")) as seen,
    ):
        assert seen.finish() == 1
    assert "error: openai-compatible failed (500)" in "\n".join(seen.screen)
    assert b"\x1b]" not in seen.raw


def test_json_on_a_terminal_drives_nothing() -> None:
    with fault_server(answer(ATTACKS)) as server:
        seen = shown(server.url, "--json")
    assert len(seen.screen) == 1


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        pytest.param(["--color", "never"], "FORCE_COLOR", "1", id="flag"),
        pytest.param([], "NO_COLOR", "1", id="no-color"),
        pytest.param([], "TERM", "dumb", id="dumb"),
    ],
)
def test_terminal_without_colour_gets_none(
    flags: list[str], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with fault_server(answer(*MARKDOWN), error(500, "boom")) as server:
        seen = shown(server.url, *flags)
        with terminal(*asking(server.url, *flags)) as failing:
            assert failing.finish() == 1
    for raw in (seen.raw, failing.raw):
        assert b"m" not in {part[-1:] for part in _sequences(raw)}
    assert failing.screen[0] == "error: openai-compatible failed (500): boom"
    assert "fallback" in failing.screen[1]


def _sequences(raw: bytes) -> list[bytes]:
    return re.findall(rb"\x1b\[[0-9;?]*[A-Za-z]", raw)


def test_dumb_terminal_gets_no_control_sequence_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with fault_server(stream((0.8, b""), *text(*MARKDOWN), *ending())) as server:
        seen = shown(server.url)
    assert seen.raw.replace(b"\r\n", b"\n").decode() == MARKDOWN


def test_colour_of_an_error_label_follows_the_terminal() -> None:
    with (
        fault_server(error(500, "boom")) as server,
        terminal(*asking(server.url)) as seen,
    ):
        assert seen.finish() == 1
    assert seen.raw.startswith(b"\x1b[1;31merror:\x1b[0m ")


def test_spinner_turns_while_waiting_and_leaves_no_trace() -> None:
    with fault_server(stream((1.2, b""), *text("Yes."), *ending())) as server:
        seen = shown(server.url)
    assert b"waiting for openai-compatible/x" in seen.raw
    assert b" 1 s" in seen.raw
    assert seen.screen == ["Yes."]


def test_spinner_stays_on_one_row_of_a_narrow_terminal() -> None:
    with fault_server(stream((0.8, b""), *text("Yes."), *ending())) as server:
        seen = shown(server.url, columns=24)
    assert "…".encode() in seen.raw
    turns = [part for part in seen.raw.decode().split("\r\x1b[K") if "waiting" in part]
    assert turns
    assert max(map(len, turns)) < 24
    assert seen.screen == ["Yes."]


def test_spinner_makes_room_for_a_retry_line() -> None:
    with (
        fault_server(error(503, "busy"), stream((0.8, b""), *text("Yes."), *ending())) as server,
        terminal("generate", "-u", server.url, "-m", "x", "hi") as seen,
    ):
        assert seen.finish() == 0
    rows = seen.screen
    assert len(rows) == 2
    assert rows[0].startswith("openai-compatible/x: openai-compatible failed (503): busy. Trying")
    assert rows[1] == "Yes."


@pytest.mark.parametrize("flags", [["-q"], ["--quiet"]])
def test_quiet_has_no_spinner(flags: list[str]) -> None:
    with fault_server(stream((0.8, b""), *text("Yes."), *ending())) as server:
        seen = shown(server.url, *flags)
    assert b"waiting" not in seen.raw


def test_spinner_goes_on_while_nothing_is_shown(tmp_path: Path) -> None:
    pieces = [*text("a"), (0.9, b""), *text("b"), *ending()]
    with fault_server(stream(*pieces)) as server:
        seen = shown(server.url, "-o", str(tmp_path / "answer"))
    assert b"waiting for" in seen.raw
    assert seen.screen == []
    assert (tmp_path / "answer").read_text() == "ab\n"


def test_ctrl_c_before_the_first_byte_leaves_a_clean_terminal() -> None:
    with fault_server(half()) as server, terminal(*asking(server.url)) as seen:
        seen.read_until("waiting for")
        seen.process.send_signal(signal.SIGINT)
        assert seen.finish() == 130
    assert seen.screen == ["Interrupted."]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_signal_in_mid_answer_leaves_it_on_the_screen(number: signal.Signals) -> None:
    with (
        fault_server(half("Once **upon**", " a time")) as server,
        terminal(*asking(server.url)) as seen,
    ):
        seen.read_until("Once")
        time.sleep(0.3)  # for the drawing of the rest; what Ctrl-C cuts is drawn again
        seen.process.send_signal(number)
        assert seen.finish() == 128 + number
    said = "Interrupted." if number == signal.SIGINT else "Terminated."
    assert seen.screen == ["Once upon a time", said]


def test_cut_answer_is_rendered_as_far_as_it_came() -> None:
    with (
        fault_server(stream(*text("Once **upon**"))) as server,
        terminal(*asking(server.url)) as seen,
    ):
        assert seen.finish() == 7
    assert seen.screen[0] == "Once upon"
    assert seen.screen[-1].startswith("error: The stream from openai-compatible ended")


def test_resizing_in_mid_answer_keeps_every_word() -> None:
    first, second = "alpha " * 30, "omega " * 30
    with (
        fault_server(stream(*text(first), (0.6, b""), *text(second), *ending())) as server,
        terminal(*asking(server.url)) as seen,
    ):
        seen.read_until("alpha")
        seen.resize(40, 24)
        assert seen.finish() == 0
    shown_words = " ".join(seen.screen).split()
    assert (shown_words.count("alpha") >= 30, shown_words.count("omega")) == (True, 30)


def test_reasoning_is_dimmed_on_the_terminal() -> None:
    with fault_server(THINKING) as server:
        seen = shown(server.url)
    assert DIM + b"Hm, well" in seen.raw
    assert seen.screen == ["Hm, well", "", "Yes."]


@pytest.mark.parametrize("flags", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_reasoning_goes_to_the_terminal_while_the_answer_goes_to_a_pipe(flags: list[str]) -> None:
    message = b'{"reasoning_content": "Hm, well", "content": "Yes."}'
    body = b'{"choices": [{"finish_reason": "stop", "message": %b}]}' % message
    with (
        fault_server(respond(body=body) if flags else THINKING) as server,
        terminal(*asking(server.url, *flags), stdout=subprocess.PIPE) as seen,
    ):
        assert seen.process.stdout is not None
        printed = seen.process.stdout.read()
        assert seen.finish() == 0
    assert printed == b"Yes.\n"
    assert seen.raw.rstrip() == DIM + b"Hm, well\x1b[0m"
    assert seen.screen == ["Hm, well"]


@pytest.mark.parametrize("flags", [["-q"], ["--json"]])
def test_reasoning_is_unsaid_when_quiet_or_part_of_the_object(flags: list[str]) -> None:
    with (
        fault_server(THINKING) as server,
        terminal(*asking(server.url, *flags), stdout=subprocess.PIPE) as seen,
    ):
        assert seen.process.stdout is not None
        assert b"Yes." in seen.process.stdout.read()
        assert seen.finish() == 0
    assert seen.raw == b""


def test_verbose_lines_stand_below_the_answer() -> None:
    with fault_server(answer("Once **upon** a time")) as server:
        seen = shown(server.url, "-v")
    assert seen.screen[0] == "Once upon a time"
    assert seen.screen[1].startswith("openai-compatible/some-model · ")


def test_verbose_lines_about_a_cut_answer_stand_below_it() -> None:
    with (
        fault_server(stream(*text("Once **upon"), (0.2, b""), *text("** a time"))) as server,
        terminal(*asking(server.url, "-v")) as seen,
    ):
        assert seen.finish() == 7
    answered, attempt, failure = seen.screen
    assert answered == "Once upon a time"
    assert attempt.startswith("openai-compatible/some-model: error after ")
    assert failure.startswith("error: The stream from openai-compatible ended")


def test_extract_on_a_terminal_is_the_plain_code() -> None:
    with fault_server(answer(MARKDOWN)) as server:
        seen = shown(server.url, "-x")
    assert seen.screen == ["print(1)"]


@pytest.mark.parametrize("flags", [[], ["-x"]], ids=["answer", "code"])
def test_output_to_a_terminal_by_its_name_is_harmless(flags: list[str]) -> None:
    master, slave = os.openpty()
    try:
        with fault_server(answer(ATTACKS)) as server:
            result = ask(server.url, *flags, "-o", os.ttyname(slave), "hi")
        written = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert (result.status, result.stdout) == (0, b"")
    assert screen(written)[-1].endswith(" end")


def test_prompt_from_a_terminal_is_not_waited_for() -> None:
    with terminal("generate", "-p", "embedded") as seen:
        assert seen.finish() == 2
    assert "error: The prompt is empty: nothing was sent." in seen.screen[0]


def test_screen_of_the_tests_rejects_what_drives_a_terminal() -> None:
    for attack in ("\x1b]0;t\x07", "\x1b[2;2H", "\x9b2J", "\x08"):
        with pytest.raises(AssertionError):
            screen(attack)

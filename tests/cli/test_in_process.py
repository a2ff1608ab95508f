"""The parts of the command line with streams of the test's own: what a subprocess cannot show."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import types
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from llm_client.cli import app as application
from llm_client.cli import generate as command_module
from llm_client.cli import import_ahead as ahead
from llm_client.cli import prompt_input
from llm_client.cli.destination import open_destination
from llm_client.cli.environment import Environment
from llm_client.cli.exit_status import ExitStatus, UsageError
from llm_client.cli.generate import Generate, run_generate
from llm_client.cli.output import TerminalSink, WholeSink
from llm_client.cli.progress import Progress, Spinner
from llm_client.cli.prompt_input import build_prompt
from llm_client.cli.reasoning import ReasoningNotes
from llm_client.cli.report import in_a_line
from llm_client.cli.signals import Terminated, termination_raises
from llm_client.exceptions import (
    LLMServiceError,
    ModelNotFoundError,
)
from llm_client.types.events import Notice
from llm_client.types.response import LLMResponse, StreamChunk


class GoneStream(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def isatty(self) -> bool:
        return True


def make_environment(
    stdin: bytes | None = None,
    stderr: io.StringIO | None = None,
    environ: dict[str, str] | None = None,
    *,
    terminal: bool = False,
) -> Environment:
    return Environment(
        stdin=None if stdin is None else io.BytesIO(stdin),
        stdin_is_terminal=False,
        stdout=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        stdout_is_terminal=terminal,
        stderr=stderr or io.StringIO(),
        stderr_is_terminal=terminal,
        environ=environ or {},
    )


def said(environment: Environment) -> str:
    return cast("io.StringIO", environment.stderr).getvalue()


def printed(environment: Environment) -> bytes:
    return cast("io.BytesIO", environment.stdout.buffer).getvalue()


def never(text: str) -> None:
    pytest.fail(f"said {text!r}")


RESPONSE = LLMResponse(content="Yes.", model="m", provider="p", latency_ms=1500.0)


def test_unforeseen_error_is_one_line_and_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise ZeroDivisionError("sk-proj-0123456789abcdef")

    monkeypatch.setattr(command_module, "build_prompt", fail)
    environment = make_environment()
    assert run_generate(Generate(words=["hi"], json=True), environment) == ExitStatus.FAILED
    assert said(environment).splitlines() == [
        "error: Something unforeseen went wrong: ZeroDivisionError: ***",
        "  This is a bug of llm-client. `--debug` shows where.",
    ]
    assert b'"message": "Something unforeseen went wrong: ZeroDivisionError: ***"' in printed(
        environment
    )


def test_signal_while_the_prompt_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def terminate(*_: Any, **__: Any) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "hi"

    monkeypatch.setattr(command_module, "build_prompt", terminate)
    before = signal.getsignal(signal.SIGTERM)
    environment = make_environment()
    assert run_generate(Generate(), environment) == 128 + signal.SIGTERM
    assert said(environment) == "Terminated.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_termination_outside_of_the_main_thread_is_left_alone() -> None:
    handlers: list[object] = []

    def enter() -> None:
        with termination_raises():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


def test_ignored_termination_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with termination_raises():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_terminated_is_an_interrupt_with_a_status() -> None:
    assert isinstance(Terminated(15), KeyboardInterrupt)
    assert Terminated(15).status == 143


def test_prompt_without_stdin_is_the_words() -> None:
    environment = make_environment(None)
    assert build_prompt(["a", "b"], [], read_stdin=True, environment=environment, say=never) == (
        "a b"
    )


def test_stdin_that_fails_is_told() -> None:
    class Failing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise IsADirectoryError(21, "Is a directory")

    environment = make_environment()
    environment.stdin = Failing()
    with pytest.raises(UsageError, match=r"Cannot read standard input: Is a directory\."):
        build_prompt([], [], read_stdin=True, environment=environment, say=never)


def test_file_with_a_name_that_no_system_has_is_told() -> None:
    with pytest.raises(UsageError, match="Cannot read the file"):
        build_prompt([], ["a\0b"], read_stdin=False, environment=make_environment(), say=never)


def test_binary_data_after_the_first_piece_is_found(tmp_path: Path) -> None:
    class Slowly(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(10)

    environment = make_environment()
    environment.stdin = Slowly(b"text" * 100 + b"\0")
    with pytest.raises(UsageError, match="Standard input is binary data"):
        build_prompt([], [], read_stdin=True, environment=environment, say=never)


def test_silent_pipe_is_hinted_at_once_and_then_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_input, "HINT_AFTER_SECONDS", 0.01)
    reader, writer = os.pipe()
    hints: list[str] = []

    def say(text: str) -> None:
        hints.append(text)
        os.write(writer, b"late")
        os.close(writer)

    environment = make_environment()
    with open(reader, "rb") as environment.stdin:
        prompt = build_prompt(["hi"], [], read_stdin=True, environment=environment, say=say)
    assert prompt == "hi\n\nlate"
    assert len(hints) == 1


def test_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By what the system says, because root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    file = tmp_path / "answer.md"
    file.write_text("precious")
    with (
        pytest.raises(UsageError, match=r"it is read-only\. Nothing was sent"),
        open_destination(file, make_environment()),
    ):
        pytest.fail("opened")
    assert file.read_text() == "precious"


@pytest.mark.parametrize("is_device", [True, False], ids=["device", "directory"])
def test_output_that_cannot_be_opened_is_refused(
    is_device: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, mode: str) -> BinaryIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    path = Path(os.devnull) if is_device else tmp_path / "answer"
    with (
        pytest.raises(UsageError, match=r"Permission denied\. Nothing was sent"),
        open_destination(path, make_environment()),
    ):
        pytest.fail("opened")


def test_spinner_and_notes_survive_a_stderr_that_is_gone() -> None:
    environment = make_environment(stderr=GoneStream(), terminal=True)
    spinner = Spinner(environment, "waiting")
    spinner._thread.join(10)
    assert not spinner._thread.is_alive()
    spinner.say("x")
    spinner.stop()
    notes = ReasoningNotes(environment, quiet=False)
    notes.write("Hm")
    notes.write("Hm")
    notes.end()
    notes.end()


def test_reasoning_whose_end_cannot_be_written_is_let_go() -> None:
    stream = io.StringIO()
    environment = make_environment(stderr=stream, terminal=True)
    notes = ReasoningNotes(environment, quiet=False)
    notes.write("Hm")
    stream.close()
    notes.end()
    notes.write("more")


def test_lines_wait_while_an_answer_is_shown() -> None:
    environment = make_environment()
    progress = Progress(environment, quiet=False, verbose=False)
    progress.hold()
    progress.say("later")
    progress.hold()
    assert said(environment) == ""
    progress.release()
    progress.say("now")
    progress.release()
    assert said(environment) == "later\nnow\n"


def test_input_without_a_descriptor_is_read_without_a_hint() -> None:
    environment = make_environment(b"input")
    prompt = build_prompt(["hi"], [], read_stdin=True, environment=environment, say=never)
    assert prompt == "hi\n\ninput"


@pytest.mark.parametrize(
    ("why", "hint", "line"),
    [
        ("Invalid API Key", "Replace it.", "Invalid API Key. Replace it."),
        ("Refused.", "Replace it.", "Refused. Replace it."),
        ("Refused", "", "Refused"),
        ("", "Replace it.", "Replace it."),
        ("Two\nlines", "One\nof:", "Two lines. One of:"),
    ],
)
def test_error_in_a_line_parts_what_failed_from_what_to_do(why: str, hint: str, line: str) -> None:
    assert in_a_line(why, hint) == line


def test_spinner_leaves_room_for_an_echoed_interrupt() -> None:
    spinner = Spinner(make_environment(terminal=True), "waiting for " + "x" * 200)
    try:
        assert len(spinner._line(1, 3) + "^C") < 80
    finally:
        spinner.stop()


def test_spinner_is_ascii_where_the_terminal_is() -> None:
    stderr = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    environment = make_environment(stderr=cast("io.StringIO", stderr), terminal=True)
    spinner = Spinner(environment, "waiting for p/m")
    try:
        assert spinner._line(1, 3) == "/ waiting for p/m 3 s"
        assert spinner._line(2, 3).isascii()
    finally:
        spinner.stop()


def test_notice_is_said_and_an_error_without_words_by_its_name() -> None:
    from llm_client.types.events import FallingBack

    environment = make_environment()
    progress = Progress(environment, quiet=False, verbose=False)
    progress(Notice("Mind the gap."))
    progress(FallingBack("a/b", "c/d", LLMServiceError()))
    assert said(environment).splitlines() == [
        "Mind the gap.",
        "a/b: LLMServiceError. Going on with c/d.",
    ]


@pytest.mark.parametrize("end", ["finish", "interrupt"])
def test_terminal_that_got_nothing_is_left_as_it_was(end: str) -> None:
    environment = make_environment(terminal=True)
    sink = TerminalSink(environment)
    sink.finish(RESPONSE) if end == "finish" else sink.interrupt()
    environment.stdout.flush()
    assert printed(environment) == b""


def test_whole_answer_reaches_the_terminal_at_its_end() -> None:
    environment = make_environment(terminal=True, environ={"TERM": "dumb"})
    sink = WholeSink(TerminalSink(environment), extract=False)
    sink.chunk(StreamChunk("Yes."))
    assert printed(environment) == b""
    sink.finish(RESPONSE)
    assert printed(environment) == b"Yes.\n"


def test_import_ahead_imports_and_restores_the_switch_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "HEAD_START_SECONDS", 0.0)
    before = sys.getswitchinterval()
    imported: list[tuple[str, float]] = []
    monkeypatch.setattr(
        ahead, "import_module", lambda name: imported.append((name, sys.getswitchinterval()))
    )
    ahead.import_ahead("some.module").join(10)
    ((name, interval),) = imported
    assert name == "some.module"
    assert interval < before
    assert sys.getswitchinterval() == before


def test_import_ahead_that_fails_is_left_to_whoever_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "HEAD_START_SECONDS", 0.0)
    ahead.import_ahead("no_such_module_anywhere").join(10)


@pytest.mark.parametrize(
    ("environ", "color", "is_terminal", "colored"),
    [
        pytest.param({}, "auto", True, True, id="terminal"),
        pytest.param({}, "auto", False, False, id="pipe"),
        pytest.param({"NO_COLOR": "1"}, "auto", True, False, id="no-color"),
        pytest.param({"NO_COLOR": ""}, "auto", True, True, id="no-color-empty"),
        pytest.param({"FORCE_COLOR": "1"}, "auto", False, True, id="force-color"),
        pytest.param({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", True, False, id="both"),
        pytest.param({"TERM": "dumb"}, "auto", True, False, id="dumb"),
        pytest.param({"NO_COLOR": "1"}, "always", False, True, id="always"),
        pytest.param({"FORCE_COLOR": "1"}, "never", True, False, id="never"),
    ],
)
def test_colour_follows_flag_then_variables_then_terminal(
    environ: dict[str, str], color: str, is_terminal: bool, colored: bool
) -> None:
    environment = make_environment(environ=environ)
    environment.color = color
    assert environment.colored(is_terminal) is colored


def test_environment_of_closed_streams_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    environment = Environment.current()
    assert environment.stdin is None
    assert not environment.stdout_is_terminal
    environment.note("nobody hears")
    environment.stdout.buffer.write(b"nobody reads")
    environment.stdout.close()
    environment.stderr.close()
    environment.note("still nobody")


def test_stream_that_was_closed_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", closed)
    closed.close()
    assert not Environment.current().stdout_is_terminal


@pytest.mark.parametrize(
    ("code", "context", "status"),
    [
        pytest.param(3, None, 3, id="number"),
        pytest.param(None, None, 0, id="none"),
        pytest.param("text", None, 1, id="text"),
        pytest.param(1, BrokenPipeError(), 141, id="nobody-reads"),
    ],
)
def test_leaving_has_a_status(
    code: object, context: BaseException | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(**_: object) -> None:
        leaving = SystemExit(code)
        leaving.__context__ = context
        raise leaving

    monkeypatch.setattr(application, "application", lambda _: leave)
    assert application.run() == status


def test_abort_and_a_bug_leave_differently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    def fail(error: Exception) -> None:
        def run(**_: object) -> None:
            raise error

        monkeypatch.setattr(application, "application", lambda _, run=run: run)

    fail(typer.Abort())
    assert application.run() == ExitStatus.FAILED
    assert capsys.readouterr().err == ""
    fail(ZeroDivisionError("sk-proj-0123456789abcdef"))
    assert application.run() == ExitStatus.FAILED
    assert "Something unforeseen went wrong: ZeroDivisionError: ***" in capsys.readouterr().err
    fail(BrokenPipeError())
    with pytest.raises(BrokenPipeError):  # nobody reads any more, which is nobody's fault
        application.run()


def test_command_without_a_status_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "application", lambda _: lambda **_: None)
    assert application.run() == ExitStatus.ANSWERED


def test_fallback_that_lacks_the_model_is_not_looked_up() -> None:
    error = ModelNotFoundError("x", provider="other", model="m", hint="As it was.")
    client = types.SimpleNamespace(
        target=types.SimpleNamespace(provider=types.SimpleNamespace(name="mine"), model="m"),
        list_models=lambda **_: pytest.fail("asked"),
    )
    command_module._suggest_models(error, cast("Any", client))
    assert error.hint == "As it was."

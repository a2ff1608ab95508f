"""`llm-client models` on a terminal, interrupted, and with a reader that has left."""

from __future__ import annotations

import signal
import time

import pytest

from ..support.fault_server import say_nothing, status
from .model_servers import listed, ollama, providers
from .program import shell, started
from .terminal import terminal


def test_reader_that_has_seen_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with providers(monkeypatch, xai=listed(*(f"model-{i:05}" for i in range(20_000)))):
        result = shell('"$@" | head -n 1', "models", "-p", "xai")

    assert result.text.startswith("xai/model-00000\t")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_interrupt_ends_it_at_once(
    monkeypatch: pytest.MonkeyPatch, number: int, expected: int, flags: list[str]
) -> None:
    with (
        providers(monkeypatch, xai=say_nothing()) as servers,
        started("models", "-p", "xai", "--timeout", "60", *flags) as process,
    ):
        while not servers["xai"].requests:
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert process.returncode == expected
    assert b"Traceback" not in err
    assert (b'"Interrupted"' in out) is bool(flags)


def test_closed_stdout_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = shell('"$@" >&-', "models")

    assert result.status == 1
    assert "Standard output is closed" in result.stderr


def test_terminal_gets_a_table_with_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "x\x1b]0;title\x07"
    with (
        providers(monkeypatch, ollama=ollama("m:1b", evil), xai=status(401)),
        terminal("models", columns=80) as tty,
    ):
        assert tty.finish() == 0

        head, *rows, failure = tty.screen
        assert head.split()[0] == "MODEL"
        assert rows[0].startswith("embedded/demo")
        assert rows[1].startswith("ollama/m:1b")
        assert rows[2].startswith("ollama/x␛]0;title␇")
        assert failure.startswith("error: xai: ")
        assert b"\x1b[2m" in tty.raw


def test_terminal_shows_whom_it_waits_for_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        providers(monkeypatch, xai=listed("one", delay=1.5)),
        terminal("models", "-p", "xai", columns=40) as tty,
    ):
        tty.read_until("waiting for xai")
        assert tty.finish() == 0
        assert tty.screen[0].startswith("MODEL")
        assert tty.screen[1].startswith("xai/one")


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_terminal_without_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with (
        providers(monkeypatch, xai=listed("one", "text-embedding")),
        terminal("models", "-p", "xai") as tty,
    ):
        assert tty.finish() == 0
        assert b"\x1b[" not in tty.raw.replace(b"\r\x1b[K", b"")
        assert tty.screen[-1] == "1 not shown: not for text, or retired. See `--all`."

"""The stream: what is shown when, resizing, interruption, reasoning, hostile text."""

import io
import os
import re
from collections.abc import Callable

import pytest
from rich.markdown import Markdown

from llm_client.cli.render.markdown import MarkdownStream, terminal_size
from tests.cli.render.corpus import DOCUMENTS, deltas, mixed_answer
from tests.cli.render.drive import FakeClock, TimedStream, render_stream, render_whole
from tests.cli.render.screen import Screen


def make_stream(screen: Screen, *, seconds: float = 1.0, color: bool = True) -> TimedStream:
    size = (screen.width, screen.height)
    return TimedStream(screen, lambda: size, color=color, seconds=seconds)


def test_text_is_shown_before_its_line_ends() -> None:
    screen = Screen()
    stream = make_stream(screen)
    stream.write("Hello **wor")
    assert screen.lines == ["Hello **wor"]
    stream.write("ld**")
    assert screen.lines == ["Hello world"]


def test_redraws_are_limited_by_the_clock() -> None:
    screen = Screen()
    stream = make_stream(screen, seconds=0.0)
    clock = stream.fake_clock
    stream.write("a")
    assert screen.lines == ["a"]
    stream.write("b")
    clock.now += 0.049
    stream.write("c")
    assert screen.lines == ["a"]
    clock.now += 0.002
    stream.write("d")
    assert screen.lines == ["abcd"]


def test_slow_drawing_leaves_most_of_the_time_to_others() -> None:
    clock = FakeClock()

    class SlowScreen(Screen):
        def write(self, text: str) -> int:
            clock.now += 1.0
            return super().write(text)

    slow = SlowScreen()
    stream = MarkdownStream(slow, lambda: (80, 24), clock=clock)
    stream.write("a")
    clock.now += 3.9
    stream.write("b")
    assert slow.lines == ["a"]
    clock.now += 0.2
    stream.write("c")
    assert slow.lines == ["abc"]


def test_marks_alone_are_not_shown_until_they_mean_something() -> None:
    screen = Screen()
    stream = make_stream(screen)
    stream.write("Here:\n")
    for piece in ("-", " ", "*", "*"):
        stream.write(piece)
        assert screen.lines == ["Here:"]
    stream.write("one**")
    assert screen.lines == ["Here:", "", " • one"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_interrupted_anywhere_shows_what_came_on_a_fresh_line(name: str) -> None:
    text = DOCUMENTS[name]
    for cut in range(0, len(text), 1 + len(text) // 20):
        screen = Screen(width=40, height=24)
        stream = make_stream(screen)
        for piece in deltas(text[:cut], 5):
            stream.write(piece)
        stream.interrupt()
        stream.interrupt()
        assert screen.at_fresh_line
        assert screen.lines == render_whole(text[:cut], 40).lines


def test_ctrl_c_inside_a_write_loses_nothing() -> None:
    class Interrupting(Screen):
        fuse = -1

        def write(self, text: str) -> int:
            self.fuse -= 1
            if self.fuse == 0:
                raise KeyboardInterrupt
            return super().write(text)

    words = [f"word{n}" for n in range(300)]
    text = "".join(f"- {word}\n" if n % 7 else f"\n{word}\n\n" for n, word in enumerate(words))
    for fuse in range(1, 40, 3):
        screen = Interrupting(height=24)
        screen.fuse = fuse
        stream = make_stream(screen)
        written = ""
        with pytest.raises(KeyboardInterrupt):
            for piece in deltas(text, 40):
                written += piece
                stream.write(piece)
        stream.interrupt()
        assert screen.at_fresh_line
        shown = set("\n".join(screen.lines).split())
        assert shown >= set(re.findall(r"word\d+(?=\n)", written))


@pytest.mark.parametrize("new_width", [30, 79, 81, 160])
def test_resize_in_mid_stream_keeps_what_is_settled(new_width: int) -> None:
    text = mixed_answer(120)
    screen = Screen(width=80, height=24)
    widths = [80]
    stream = TimedStream(screen, lambda: (widths[0], 24))
    pieces = list(deltas(text, 9))
    for piece in pieces[: len(pieces) // 2]:
        stream.write(piece)
    settled = screen.lines[:-24]
    widths[0] = screen.width = new_width
    for piece in pieces[len(pieces) // 2 :]:
        stream.write(piece)
    stream.finish()
    assert screen.lines[: len(settled)] == settled
    assert screen.lines[-20:] == render_whole(text, new_width).lines[-20:]


def test_unfinished_end_taller_than_the_screen_shows_its_last_rows() -> None:
    screen = Screen(width=20, height=10)
    stream = make_stream(screen)
    for number in range(60):
        stream.write(f"word{number} ")
    assert screen.lines[-1].endswith("word59")
    assert len(screen.rows) == 9
    stream.finish()
    assert " ".join(screen.lines).split() == [f"word{number}" for number in range(60)]


def test_code_taller_than_the_screen_can_be_scrolled_back_to() -> None:
    screen = Screen(width=40, height=10)
    stream = make_stream(screen)
    stream.write("```\n")
    for number in range(50):
        stream.write(f"line {number}\n")
    shown = [line.split()[1] for line in screen.lines if "line" in line]
    assert shown == [str(number) for number in range(50)]


@pytest.mark.parametrize("seconds", [1.0, 0.0], ids=["each delta drawn", "drawn at the end"])
def test_without_colour_the_layout_stays_and_no_attribute_is_sent(seconds: float) -> None:
    text = "\n\n".join(DOCUMENTS.values())
    output = io.StringIO()
    stream = TimedStream(output, lambda: (80, 24), color=False, seconds=seconds)
    for piece in deltas(text, 8):
        stream.write(piece)
    stream.finish()
    assert not re.search(r"\x1b\[[0-9;]*m", output.getvalue())
    assert render_stream(deltas(text, 8), color=False).lines == render_whole(text, 80).lines


def test_wide_characters_are_counted_in_cells() -> None:
    screen = render_stream(["日本語" * 20], width=10)
    assert [len(line) for line in screen.lines] == [5] * 12


HOSTILE = {
    "OSC 52": "a\x1b]52;c;ZXZpbA==\x07b",
    "8-bit CSI": "a\x9b2Jb\x9d0;title\x9c",
    "in code": "```\n\x1b[2Jx\x9b1A\n```\n",
    "in a language": "```\x1b]0;t\x07\nx\n```\n",
    "in a link": "[a\x1b[1m](http://x/\x1b]0;t\x07\x9b) ![i\x1b](b\x1b)",
    "as entities": "&#27;]0;t&#7; &#x9b;2J &#13;x &#12; &#0; &#127; &NewLine;y",
    "entities in a link": "[a](http://x/&#27;&#13;&#155;) ```&#27;",
    "in a table": "|a\x1b[1m|\n|-|\n|&#27;[2J\x9b|\n",
    "javascript link": "[a](javascript:alert) [b](data:text/html,x) [c](file:///x)",
    "surrogates": "a\ud800b `\udfff`",
    "carriage returns": "safe\revil\r\nnext\r",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_sends_only_the_renderer_s_own_sequences(text: str) -> None:
    for size in (1, 2, 3, 1000):
        # The screen fails the test on anything but the four sequences it knows.
        screen = render_stream(deltas(text, size))
        "\n".join(screen.lines).encode()
        assert screen.at_fresh_line


def test_output_has_no_terminal_hyperlink() -> None:
    output = io.StringIO()
    stream = TimedStream(output, lambda: (80, 24))
    stream.write("[a](http://e.org) ![b](http://e.org/i.png) <http://f.org>\n\n")
    stream.finish()
    assert "\x1b]" not in output.getvalue()
    assert "http://e.org/i.png" in output.getvalue()


def test_image_is_shown_as_a_link_with_all_text_around_it() -> None:
    screen = render_stream(["before ![alt text](http://e.org/i.png) after"])
    assert screen.lines == ["before 🌆 alt text (http://e.org/i.png) after"]


def test_carriage_return_at_the_very_end_becomes_visible() -> None:
    assert render_stream(["a", "\r"]).lines == ["a␍"]


def test_failure_of_rich_shows_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise IndexError("pop from empty list")

    monkeypatch.setattr(Markdown, "__rich_console__", fail)
    assert render_stream(["**a** [b](c)\n\nnext"]).lines == ["**a** [b](c)", "next"]


@pytest.mark.parametrize("ending", ["finish", "interrupt"])
def test_nothing_written_shows_nothing(ending: str) -> None:
    screen = Screen()
    stream = make_stream(screen)
    stream.write("")
    stream.reasoning("")
    getattr(stream, ending)()
    assert screen.writes == 0


def test_reasoning_is_dim_and_a_blank_row_above_the_answer() -> None:
    screen = Screen()
    stream = make_stream(screen)
    for piece in ("\n", "\n Hm", "m.\n", "\nYe", "s\x1b[31m.\n\n"):
        stream.reasoning(piece)
    for piece in ("# A", "nswer\n", "text"):
        stream.write(piece)
    stream.finish()
    assert screen.lines[:4] == ["Hmm.", "", "Yes␛[31m.", ""]
    assert screen.lines[4].strip() == "Answer"
    assert {style for char, style in screen.rows[0] if char.strip()} == {"2"}
    assert screen.lines[-1] == "text"
    assert "2" not in {style for _, style in screen.rows[-2]}


def test_reasoning_without_colour_is_marked() -> None:
    screen = Screen()
    stream = make_stream(screen, color=False)
    for char in "first\nsecond\n":
        stream.reasoning(char)
    stream.write("answer")
    stream.finish()
    assert screen.lines == ["| first", "| second", "", "answer"]


def test_reasoning_between_two_answers_separates_them() -> None:
    screen = Screen()
    stream = make_stream(screen)
    stream.write("- one")
    stream.reasoning("hmm")
    stream.write("two")
    stream.finish()
    assert screen.lines == ["", " • one", "", "hmm", "", "two"]


@pytest.mark.parametrize("deltas_of_blank", [["\n", " \n"], [" "]])
def test_blank_reasoning_leaves_no_trace(deltas_of_blank: list[str]) -> None:
    screen = Screen()
    stream = make_stream(screen)
    for piece in deltas_of_blank:
        stream.reasoning(piece)
    stream.write("answer")
    stream.finish()
    assert screen.lines == ["answer"]


def test_interrupted_reasoning_ends_its_line() -> None:
    screen = Screen()
    stream = make_stream(screen)
    stream.reasoning("hmm\r")
    stream.interrupt()
    assert screen.lines == ["hmm␍"]
    assert screen.at_fresh_line


def raising(error: Exception) -> Callable[[], int]:
    def fileno() -> int:
        raise error

    return fileno


@pytest.mark.parametrize("error", [OSError(), ValueError(), AttributeError()], ids=repr)
def test_size_of_no_terminal_comes_from_the_environment(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    monkeypatch.setenv("LINES", "45")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "fileno", raising(error), raising=False)
    assert terminal_size(stream) == (123, 45)


@pytest.mark.parametrize(
    ("told", "expected"),
    [((100, 40), (100, 40)), ((0, 0), (77, 11))],
    ids=["known", "unknown, as in some containers"],
)
def test_size_of_a_terminal_comes_from_the_terminal(
    told: tuple[int, int], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setenv("LINES", "11")
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size(told))
    stream = io.StringIO()
    monkeypatch.setattr(stream, "fileno", lambda: 1)
    assert terminal_size(stream) == expected


def test_default_size_is_that_of_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "5")
    screen = Screen(width=10, height=5)
    stream = TimedStream(screen)
    stream.write("hello world")
    stream.finish()
    assert screen.lines == ["hello", "world"]

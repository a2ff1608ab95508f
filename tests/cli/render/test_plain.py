"""Text on a terminal without Markdown."""

import io

import pytest

from llm_client.cli.render.plain import PlainTerminal, emit


def test_deltas_appear_at_once_and_unrendered() -> None:
    stream = io.StringIO()
    terminal = PlainTerminal(stream)
    terminal.write("**bold**")
    assert stream.getvalue() == "**bold**"
    terminal.write(" text")
    assert stream.getvalue() == "**bold** text"


def test_controls_are_neutralised_across_deltas() -> None:
    stream = io.StringIO()
    terminal = PlainTerminal(stream)
    for char in "a\x1b]52;c;eA==\x07\r\nb\r":
        terminal.write(char)
    terminal.finish()
    assert stream.getvalue() == "a␛]52;c;eA==␇\nb␍\n"


@pytest.mark.parametrize(
    ("deltas", "shown"),
    [([], ""), ([""], ""), (["a"], "a\n"), (["a\n"], "a\n"), (["a\n", "\n"], "a\n\n")],
    ids=["nothing", "empty delta", "no line end", "line end", "blank line"],
)
@pytest.mark.parametrize("method", ["finish", "interrupt"])
def test_end_leaves_the_cursor_at_a_line_start(deltas: list[str], shown: str, method: str) -> None:
    stream = io.StringIO()
    terminal = PlainTerminal(stream)
    for delta in deltas:
        terminal.write(delta)
    getattr(terminal, method)()
    getattr(terminal, method)()
    assert stream.getvalue() == shown


def test_reasoning_is_set_off_by_a_blank_line() -> None:
    stream = io.StringIO()
    terminal = PlainTerminal(stream)
    terminal.reasoning("hm")
    terminal.reasoning("m\r")
    terminal.write("answer\n")
    terminal.reasoning("more")
    terminal.finish()
    assert stream.getvalue() == "hmm␍\n\nanswer\n\nmore\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_character_that_the_encoding_lacks_becomes_a_question_mark(encoding: str) -> None:
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding=encoding, newline="\n") as stream:
        emit(stream, "a日b\n")
        assert buffer.getvalue() == b"a?b\n"

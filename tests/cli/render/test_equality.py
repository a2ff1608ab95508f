"""What is on the screen in the end is what rich draws for the whole document."""

import pytest

from tests.cli.render.corpus import DOCUMENTS, deltas, mixed_answer
from tests.cli.render.drive import render_stream, render_whole

documents = pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS.keys())


@documents
@pytest.mark.parametrize("size", [1, 7, 0], ids=lambda size: f"deltas of {size}")
@pytest.mark.parametrize("width", [80, 24], ids=lambda width: f"width {width}")
def test_streamed_document_looks_like_the_whole_one(text: str, size: int, width: int) -> None:
    screen = render_stream(deltas(text, size), width=width)
    whole = render_whole(text, width)
    assert screen.lines == whole.lines
    assert screen.styled == whole.styled


@documents
def test_document_cut_in_two_anywhere_looks_like_the_whole_one(text: str) -> None:
    whole = render_whole(text, 40)
    for cut in range(0, len(text), 1 + len(text) // 60):
        screen = render_stream([text[:cut], text[cut:]], width=40)
        assert screen.styled == whole.styled, f"cut at {cut}"


@documents
def test_document_drawn_only_at_the_end_looks_like_the_whole_one(text: str) -> None:
    screen = render_stream(deltas(text, 4), width=80, seconds=0.0)
    assert screen.styled == render_whole(text, 80).styled


def test_many_documents_in_a_row_look_like_the_whole_one() -> None:
    # The blank rows between blocks depend on both neighbours: this makes many pairs.
    text = "\n\n".join(text for name, text in DOCUMENTS.items() if "unclosed" not in name)
    whole = render_whole(text, 60)
    for size in (1, 5, 400):
        assert render_stream(deltas(text, size), width=60).styled == whole.styled


def test_long_answer_on_a_small_screen_looks_like_the_whole_one() -> None:
    text = mixed_answer(400)
    screen = render_stream(deltas(text, 4), width=80, height=24)
    assert screen.styled == render_whole(text, 80).styled


def test_long_code_on_a_small_screen_looks_like_the_whole_one() -> None:
    lines = [f"def f{n}(x: int) -> str:\n    return 'a{n}'\n" for n in range(120)]
    text = "Code:\n\n```python\n" + "\n".join(lines) + "```\n\nAfter\n"
    for size in (50, 700):
        screen = render_stream(deltas(text, size), width=80, height=24)
        assert screen.styled == render_whole(text, 80).styled


def test_bullets_taller_than_the_screen_look_like_the_whole_list() -> None:
    text = "".join(f"- item {n}\n  more\n  - child\n" for n in range(60)) + "\nAfter\n"
    screen = render_stream(deltas(text, 5), width=80, height=24)
    assert screen.styled == render_whole(text, 80).styled


def test_numbers_taller_than_the_screen_keep_counting() -> None:
    text = "Steps\n\n" + "".join(f"1. step {n}\n" for n in range(1, 131)) + "\nAfter\n"
    lines = render_stream(deltas(text, 5), width=80, height=24).lines
    numbered = [line.split() for line in lines if "step" in line]
    assert numbered == [[str(n), "step", str(n)] for n in range(1, 131)]
    assert [line for line in lines[2:-2] if not line] == []
    assert lines[:2] == ["Steps", ""]
    assert lines[-2:] == ["", "After"]


@pytest.mark.parametrize("width", [1, 2, 3, 5, 9], ids=lambda width: f"width {width}")
@documents
def test_absurdly_narrow_terminal_does_not_fail(text: str, width: int) -> None:
    screen = render_stream(deltas(text, 7), width=width, height=2)
    assert screen.at_fresh_line

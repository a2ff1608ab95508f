"""Settled rows are printed once; live rows are replaced below them."""

import itertools

import pytest

from llm_client.cli.render.painter import Painter
from tests.cli.render.screen import Screen

FRAMES: list[tuple[list[str], list[str]]] = [
    ([], []),
    ([], ["a"]),
    ([], ["a", "b"]),
    ([], ["a", "c", "d"]),
    ([], ["", "b"]),
    (["a"], []),
    (["a"], ["b"]),
    (["a", "b"], ["c"]),
    (["x", "y", "z"], ["a", "b"]),
    (["", ""], []),
    (["a", "b"], []),
]


def test_frames_in_any_order_leave_settled_and_live_rows() -> None:
    for frames in itertools.product(FRAMES, repeat=3):
        screen = Screen()
        painter = Painter(screen)
        expected: list[str] = []
        for settled, live in frames:
            painter.paint(settled, live)
            expected += settled
            shown = ["".join(char for char, _ in row) for row in screen.rows]
            assert shown == [*expected, *(live or [""])], frames
            assert screen.row == len(screen.rows) - 1


def test_unchanged_rows_are_not_written_again() -> None:
    screen = Screen()
    painter = Painter(screen)
    painter.paint([], ["first", "second"])
    before = screen.writes
    painter.paint([], ["first", "second"])
    assert screen.writes == before
    painter.paint(["first"], ["second", "third"])
    assert screen.lines == ["first", "second", "third"]


def test_write_that_was_interrupted_loses_no_row() -> None:
    class Interrupting(Screen):
        armed = False

        def write(self, text: str) -> int:
            if self.armed:
                self.armed = False
                raise KeyboardInterrupt
            return super().write(text)

    screen = Interrupting()
    painter = Painter(screen)
    painter.paint([], ["a"])
    screen.armed = True
    with pytest.raises(KeyboardInterrupt):
        painter.paint(["a", "b"], ["c"])
    painter.paint(["a", "b", "c"], [])
    assert screen.lines[-2:] == ["b", "c"]

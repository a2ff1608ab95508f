"""Widths of texts in cells of a terminal."""

from __future__ import annotations

import pytest

from llm_client.cli.render.cells import cell_width, shortened


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        pytest.param("", 0, id="empty"),
        pytest.param("gpt-5.2", 7, id="ascii"),
        pytest.param("müller", 6, id="one-cell"),
        pytest.param("mu\u0308ller", 6, id="accent-apart"),
        pytest.param("日本語", 6, id="wide"),
        pytest.param("ＡＢ", 4, id="full-width"),
        pytest.param("a\u200db", 2, id="joiner"),
    ],
)
def test_text_takes_its_cells(text: str, cells: int) -> None:
    assert cell_width(text) == cells


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("short", "short", id="short"),
        pytest.param("0123456789", "0123456789", id="just-fits"),
        pytest.param("0123456789a", "01234…789a", id="ascii"),
        pytest.param("日本語日本語", "日本…本語", id="wide"),
        pytest.param("u\u0308" * 11, "u\u0308" * 5 + "…\u0308" + "u\u0308" * 4, id="accents"),
    ],
)
def test_long_text_keeps_its_beginning_and_its_end(text: str, shown: str) -> None:
    assert shortened(text, 10) == shown
    assert cell_width(shown) <= 10

"""Cost is linear in the answer, and memory does not grow with it: counted, not timed."""

import functools
import gc
import io
import itertools
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.syntax import Syntax
from rich.text import Text

from llm_client.cli.render import markdown, tables
from llm_client.cli.render.limits import OPEN_BLOCK_LIMIT
from tests.cli.render.corpus import deltas, mixed_answer
from tests.cli.render.drive import TALL, TimedStream, render_stream
from tests.cli.render.screen import Screen

Make = Callable[[int], str]


class Discarding(io.StringIO):
    """A terminal that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def paragraph(size: int) -> str:
    return "lorem ipsum **dolor** sit amet, " * (size // 32)


def lines_of(line: str, size: int) -> str:
    return "".join(line.format(n) for n in range(size // (len(line) + 2)))


LONG: dict[str, Make] = {
    "mixed": lambda size: mixed_answer(size // 20),
    "one fenced block": lambda size: "```python\n" + lines_of("x_{0} = '{0}'\n", size) + "```\n",
    "unclosed fence": lambda size: "```\n" + lines_of("log line {0}\n", size),
    "one line of code": lambda size: "```\n" + "x" * size,
    "bullets": lambda size: lines_of("- item {0} **b**\n", size),
    "numbers": lambda size: lines_of("1. item {0}\n", size),
    "children of one item": lambda size: "- top\n" + lines_of("  - child {0}\n", size),
    "code in one item": lambda size: "1. do\n\n   ```python\n" + lines_of("   x = {0}\n", size),
    "table": lambda size: "| a | b |\n|---|---|\n" + lines_of("| {0} | text |\n", size),
    "table too wide": lambda size: (
        "|a" * 40 + "\n" + "|-" * 40 + "\n" + ("|b" * 40 + "\n") * (size // 81)
    ),
    "one paragraph without line feed": paragraph,
    "paragraph of lines": lambda size: lines_of("line {0} of text\n", size),
    "one word": lambda size: "x" * size,
    "heading": lambda size: "# " + "word " * (size // 5),
    "quote": lambda size: lines_of("> quoted {0}\n", size),
    "quote in one line": lambda size: "> " + "word " * (size // 5),
    "list in a quote": lambda size: lines_of("> - item {0}\n", size),
    "code in a quote": lambda size: "> ```\n" + lines_of("> x = {0}\n", size),
    "item in one line": lambda size: "- a\n  1. " + "word " * (size // 5),
    "quote marks": lambda size: ">" * size,
    "item marks": lambda size: "- " * (size // 2),
    "brackets": lambda size: "[" * (size // 2),
    "stars": lambda size: "*a **b " * (size // 7),
    "empty lines": lambda size: "\n" * size,
    "link definitions": lambda size: lines_of("[r{0}]: http://e.org/{0}\n", size),
    "separate link definitions": lambda size: lines_of("[r{0}]: http://e.org/{0}\n\n", size),
    "rules": lambda size: "---\n\n" * (size // 5),
}
long_texts = pytest.mark.parametrize("make", LONG.values(), ids=LONG.keys())


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the characters that the Markdown parser and the syntax highlighter read."""
    counts = {"parser": 0, "lexer": 0}
    parse, highlight = MarkdownIt.parse, Syntax.highlight

    def counted_parse(self: MarkdownIt, src: str, env: Any = None) -> list[Token]:
        counts["parser"] += len(src)
        return parse(self, src, env)

    def counted_highlight(self: Syntax, code: str, line_range: Any = None) -> Text:
        counts["lexer"] += len(code)
        return highlight(self, code, line_range)

    monkeypatch.setattr(MarkdownIt, "parse", counted_parse)
    monkeypatch.setattr(Syntax, "highlight", counted_highlight)
    return counts


@long_texts
def test_work_is_linear_in_the_length(make: Make, work: dict[str, int]) -> None:
    text = make(40_000)
    stream = TimedStream(Discarding(), lambda: (80, 24), seconds=0.0)
    for piece in deltas(text, 40):
        stream.write(piece)
    stream.finish()
    # Each character is read when its batch is parsed, when the open block is drawn, and again
    # when the block that held it back is settled: a handful of times, whatever the length.
    assert work["parser"] <= 8 * len(text) + 4 * OPEN_BLOCK_LIMIT
    assert work["lexer"] <= 8 * len(text) + 4 * OPEN_BLOCK_LIMIT


@long_texts
def test_what_is_kept_is_bounded(make: Make) -> None:
    stream = TimedStream(Discarding(), lambda: (80, 24), seconds=0.0)
    for piece in deltas(make(40_000), 100):
        stream.write(piece)
        assert stream._document.retained <= 2 * OPEN_BLOCK_LIMIT
        assert len(stream._pending) * 100 <= 2 * OPEN_BLOCK_LIMIT


def clear_caches() -> None:
    """Empty the bounded caches of rich and others, which are not the renderer's to keep small."""
    for item in gc.get_objects():
        if isinstance(item, functools._lru_cache_wrapper):
            item.cache_clear()


@pytest.mark.parametrize(
    "make",
    [LONG["mixed"], LONG["one fenced block"], LONG["bullets"]],
    ids=["mixed", "one fenced block", "bullets"],
)
def test_memory_does_not_grow_with_the_answer(make: Make) -> None:
    stream = TimedStream(Discarding(), lambda: (80, 24), seconds=0.0)
    pieces = deltas(make(60_000), 200)
    for piece in itertools.islice(pieces, 100):
        stream.write(piece)
    gc.collect()
    tracemalloc.start()
    try:
        for number, piece in enumerate(pieces):
            stream.write(piece)
            if number % 40 == 0:
                gc.collect()  # the more there is in the process, the later it comes by itself
        clear_caches()
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 40,000 characters went through, and several times as much was written to the terminal.
    assert kept < 50_000
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "name",
    [name for name in LONG if name not in ("quote marks", "item marks", "brackets", "stars")],
)
def test_no_word_of_a_long_text_is_lost(name: str) -> None:
    text = LONG[name](24_000)
    screen = render_stream(deltas(text, 400), height=24, seconds=0.0)
    assert letters("".join(screen.lines)) == letters(shown_part(name, text))


def shown_part(name: str, text: str) -> str:
    """Leave out what Markdown does not show: languages, definitions."""
    if "definitions" in name:
        return ""
    if name == "mixed":
        return text.replace("```python", "").replace("](", " ").replace("numbers", "")
    if name == "numbers":
        count = iter(range(1, text.count("\n") + 1))
        return re.sub(r"^1\.", lambda _: f"{next(count)}.", text, flags=re.MULTILINE)
    return text.replace("```python", "")


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def test_very_long_list_item_keeps_its_place() -> None:
    text = (
        "1. first\n2. second\n\n" + "".join(f"   - child {n}\n" for n in range(2000)) + "3. third\n"
    )
    lines = render_stream(deltas(text, 100), height=24, seconds=0.0).lines
    assert lines[:3] == ["", " 1 first", " 2 second"]
    assert lines[3:-1] == [f"    • child {n}" for n in range(2000)]
    assert lines[-1].strip() == "3 third"


def test_very_long_code_in_a_list_item_stays_code() -> None:
    code = "".join(f"   # line {n}\n" for n in range(2000))
    text = f"1. do\n\n   ```python\n{code}   ```\n2. done\n"
    lines = render_stream(deltas(text, 100), height=24, seconds=0.0).lines
    shown = [line for line in lines if "line" in line]
    assert shown == [f"    # line {n}" for n in range(2000)]
    assert [line for line in lines[4:-3] if not line.strip()] == []


def test_very_long_table_has_one_header_and_even_columns() -> None:
    rows = "".join(f"| {n:04} | value {n:04} |\n" for n in range(3000))
    text = f"Before\n\n| number | text |\n|---|--:|\n{rows}\nAfter\n"
    lines = render_stream(deltas(text, 100), height=24, seconds=0.0).lines
    assert lines[:3] == ["Before", "", ""]
    assert sum("number" in line for line in lines) == 1
    body = lines[5:-3]
    assert [line.split() for line in body] == [[f"{n:04}", "value", f"{n:04}"] for n in range(3000)]
    assert len({len(line) for line in body}) == 1
    assert lines[-3:] == ["", "", "After"]


def test_link_defined_long_before_is_resolved() -> None:
    text = "[early]: http://e.org/early\n\n" + "text\n\n" * 5000 + "See [early].\n"
    lines = render_stream(deltas(text, 100), seconds=0.0).lines
    assert lines[-1] == "See early (http://e.org/early)."


def test_pending_text_is_drawn_before_the_clock_says_so() -> None:
    screen = Screen(height=TALL)
    stream = TimedStream(screen, lambda: (80, TALL), seconds=0.0)
    stream.write("a")
    stream.write("b" * (markdown._BATCH_CHARS - 1))
    assert "".join(screen.lines) == "a"
    stream.write("b")
    assert len("".join(screen.lines)) == markdown._BATCH_CHARS + 1


def test_long_table_wider_than_the_screen_wraps_in_its_columns() -> None:
    row = "| {0:04} | " + "word " * 30 + "|\n"
    text = "| n | text |\n|---|---|\n" + "".join(row.format(n) for n in range(150))
    lines = render_stream(deltas(text, 100), height=24, seconds=0.0).lines
    assert letters("".join(lines[3:])) == letters(text.replace("| n | text |", ""))
    assert {line[:6].strip() for line in lines[4:]} >= {f"{n:04}" for n in range(150)}
    assert max(map(len, lines)) <= 80


def test_table_that_ends_where_it_was_cut_is_closed_like_any_other() -> None:
    rows = "".join(f"| {n:04} | {'x' * 40} |\n" for n in range(313))
    text = f"| n | text |\n|---|---|\n{rows}# " + "After " * 40
    lines = render_stream([text], height=24, seconds=0.0).lines
    end = next(index for index, line in enumerate(lines) if "After" in line)
    assert lines[end - 3].split()[0] == "0312"
    assert lines[end - 2 : end] == ["", ""]


@pytest.mark.parametrize(
    ("widths", "available", "expected"),
    [([5, 5], 80, [5, 5]), ([50, 10], 40, [26, 10]), ([9, 9, 9], 8, [1, 1, 1])],
    ids=["fits", "the widest gives way", "hopeless"],
)
def test_column_widths_fit(widths: list[int], available: int, expected: list[int]) -> None:
    assert tables._fit(widths, available) == expected

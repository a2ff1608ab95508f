"""Feed an answer to the renderer, and what rich draws for the same text at once."""

from collections.abc import Callable, Iterable
from typing import TextIO

from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import Markdown

from llm_client.cli.render.markdown import MarkdownStream
from tests.cli.render.screen import Screen

TALL = 100_000
"""Rows of a screen on which nothing is settled for want of space."""


class FakeClock:
    """Tells `now`, which moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TimedStream(MarkdownStream):
    """Lets `seconds` pass before each delta: with 1 each delta is drawn, with 0 almost none."""

    def __init__(
        self,
        screen: TextIO,
        size: Callable[[], tuple[int, int]] | None = None,
        *,
        color: bool = True,
        seconds: float = 1.0,
    ) -> None:
        self.fake_clock = FakeClock()
        self.seconds = seconds
        super().__init__(screen, size, color=color, clock=self.fake_clock)

    def write(self, delta: str) -> None:
        self.fake_clock.now += self.seconds
        super().write(delta)


def render_whole(text: str, width: int) -> Screen:
    """Let rich draw the whole document at once, with HTML as text and URLs shown."""
    screen = Screen(width=width, height=TALL)
    markdown = Markdown("", hyperlinks=False)
    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    markdown.parsed = parser.parse(text)
    console = Console(
        file=screen, force_terminal=True, width=width, height=25, legacy_windows=False
    )
    console.print(markdown)
    return screen


def render_stream(
    pieces: Iterable[str],
    *,
    width: int = 80,
    height: int = TALL,
    seconds: float = 1.0,
    color: bool = True,
    size: Callable[[], tuple[int, int]] | None = None,
) -> Screen:
    """Stream deltas onto a screen, `seconds` apart."""
    screen = Screen(width=width, height=height)
    size_now = size or (lambda: (width, height))
    stream = TimedStream(screen, size_now, color=color, seconds=seconds)
    for piece in pieces:
        stream.write(piece)
    stream.finish()
    return screen

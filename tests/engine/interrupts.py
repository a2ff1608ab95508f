"""Ctrl-C before every single line of the driver, or of the driver and the engine, one after another.

`python -m tests.engine.interrupts driver|engine` plays a call with a retry as often as it has lines,
prints how many, and fails when an interrupt leaves an exchange open or, in the driver, an attempt
unbooked. A process of its own, because it needs the interpreter's trace function for itself.
"""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any

from llm_client.engine import drivers, exchange, pipeline

from .scenarios import Answer, Expected, Scenario, sse
from .scripted import Stage, sync_driver

RETRIED = Scenario("", (Answer((b"{}",), 503), sse("Hel", "lo")), Expected(()))


class InterruptAt:
    """Raises KeyboardInterrupt before the n-th line that is run in the given files."""

    def __init__(self, files: set[str], line: int) -> None:
        self._files = files
        self.left = line

    def __enter__(self) -> InterruptAt:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._trace


def interrupted_at(line: int, files: set[str]) -> tuple[Stage, bool]:
    """Stream with Ctrl-C before a line; return whether that line was reached."""
    stage = Stage(RETRIED)
    chunks = sync_driver(stage).iterate(stage.steps())
    with InterruptAt(files, line) as interrupt:
        try:
            for chunk in chunks:
                stage.played.chunks.append(chunk)
        except KeyboardInterrupt as error:
            stage.played.error = error.with_traceback(None)
    return stage, interrupt.left <= 0


def main(what: str) -> None:
    """Check every line."""
    is_driver = what == "driver"
    files = {drivers.__file__}
    if not is_driver:
        files |= {exchange.__file__, pipeline.__file__}
    line, reached = 0, True
    while reached:
        line += 1
        stage, reached = interrupted_at(line, files)
        gc.collect(0)
        played = stage.played
        assert played.opened == played.closed, f"line {line}: an exchange stays open"
        assert len(played.records) <= len(RETRIED.openings), f"line {line}: booked twice"
        if reached and is_driver:
            assert len(played.records) >= len(played.requests), f"line {line}: not booked"
            assert isinstance(played.error, KeyboardInterrupt), f"line {line}: no interrupt"
    sys.stdout.write(str(line))


if __name__ == "__main__":
    main(sys.argv[1])

"""What a command says on stderr while it works: a spinner until the first byte, then notes."""

from __future__ import annotations

import os
import threading
import time
from math import ceil

from ..exceptions import LLMError
from ..types.events import (
    Asking,
    AttemptRecord,
    Event,
    FallingBack,
    Notice,
    Retrying,
    Waiting,
)
from ..types.response import LLMResponse
from .environment import Environment
from .masking import masked_address
from .render.sanitize import neutralise

__all__ = ["Progress", "Spinner", "usage_line"]

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_FRAMES = "|/-\\"
_FRAME_SECONDS = 0.1
_PATIENCE_SECONDS = 0.4
"""A quick answer should not flash a spinner."""
_UNSAID_WAIT_SECONDS = 2.0
"""Nobody wonders about a shorter one."""
_ERASE = "\r\x1b[K"


class Spinner:
    """Turns on stderr until stopped, with the seconds waited. Only ever on a terminal."""

    def __init__(self, environment: Environment, text: str) -> None:
        self._environment = environment
        self._text = text
        encoding = getattr(environment.stderr, "encoding", None) or "ascii"
        self._frames = _FRAMES if encoding.lower().startswith("utf") else _ASCII_FRAMES
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._shown = False
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop and leave no trace. Idempotent."""
        self._stopped.set()
        with self._lock:
            self._clear()

    def rename(self, text: str) -> None:
        """Show another text from now on."""
        self._text = text

    def say(self, text: str) -> None:
        """Print a line above."""
        with self._lock:
            self._clear()
            self._environment.note(text)

    def _clear(self) -> None:
        if self._shown:
            self._shown = False
            self._put(_ERASE)

    def _turn(self) -> None:
        began = time.monotonic()
        frame = 0
        if self._stopped.wait(_PATIENCE_SECONDS):
            return
        while True:
            with self._lock:
                if self._stopped.is_set():
                    return
                self._put(_ERASE + self._line(frame, int(time.monotonic() - began)))
                self._shown = True
            frame += 1
            if self._stopped.wait(_FRAME_SECONDS):
                return

    def _line(self, frame: int, seconds: int) -> str:
        """Return one row: a longer one would wrap, and only its last row could be erased."""
        try:
            columns = os.get_terminal_size(self._environment.stderr.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        ending = f" {seconds} s"
        # The terminal shows Ctrl-C behind it as `^C`, which must not begin a row either.
        room = (columns or 80) - len(ending) - 3 - len("^C")
        text = self._text if len(self._text) <= room else self._text[: max(0, room - 1)] + "…"
        return f"{self._frames[frame % len(self._frames)]} {text}{ending}"

    def _put(self, text: str) -> None:
        try:
            self._environment.stderr.write(text)
            self._environment.stderr.flush()
        except (OSError, ValueError):
            self._stopped.set()


class Progress:
    """Turns the engine's events into lines on stderr; quiet ones stay unsaid."""

    def __init__(self, environment: Environment, *, quiet: bool, verbose: bool) -> None:
        self._environment = environment
        self._quiet = quiet
        self._verbose = verbose
        self._spinner: Spinner | None = None
        self._held: list[str] | None = None

    def wait_for(self, what: str) -> None:
        """Show that an answer is being waited for, where somebody can see it."""
        shown = self._environment.stderr_is_terminal and not self._environment.is_dumb
        if shown and not self._quiet:
            self._spinner = Spinner(self._environment, _waiting(what))

    def arrived(self) -> None:
        """Take the spinner away. Idempotent."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def hold(self) -> None:
        """Keep lines back while an answer is being shown: they would stand in its middle."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """Print what was kept back. Idempotent."""
        held, self._held = self._held, None
        for text in held or ():
            self._environment.note(text)

    def say(self, text: str) -> None:
        """Print a line, unless quiet."""
        if not self._quiet:
            self._print(text)

    def explain(self, text: str) -> None:
        """Print a line when verbose."""
        if self._verbose:
            self._print(text)

    def warn(self, text: str) -> None:
        """Print a line, quiet or not: the answer is not what it should be."""
        self._print(text)

    def __call__(self, event: Event) -> None:
        """Take an event of the engine."""
        match event:
            case Asking():
                self._wait_for_another(event.target)
                if event.reason:
                    self.explain(f"Using {event.target}: {event.reason}.")
            case Retrying():
                self.say(
                    f"{event.target}: {_reason(event.error)} Trying again in {event.delay:.1f} s "
                    f"({event.retry} of {event.max_retries})."
                )
            case FallingBack():
                self._wait_for_another(event.next)
                self.say(f"{event.failed}: {_reason(event.error)} Going on with {event.next}.")
            case Waiting() if event.seconds > _UNSAID_WAIT_SECONDS:
                limit = "configured rate limit" if event.limited else "rate limit"
                why = "" if event.limited else ", as the provider asked"
                wait = f"waiting {ceil(event.seconds)} s for the {limit}{why}"
                self.say(f"{event.target}: {wait}.")
            case Notice():
                self.say(event.text)
            case AttemptRecord(outcome="ok" | "cached"):
                return  # the line about the whole answer says more
            case AttemptRecord():
                self.explain(
                    f"{event.provider}/{event.model}: {event.outcome} after "
                    f"{event.latency_ms / 1000:.2f} s"
                )

    def _wait_for_another(self, what: str) -> None:
        if self._spinner is not None:
            self._spinner.rename(_waiting(what))

    def _print(self, text: str) -> None:
        text = neutralise(masked_address(text))
        if self._held is not None:
            self._held.append(text)
        elif self._spinner is not None:
            self._spinner.say(text)
        else:
            self._environment.note(text)


def _waiting(what: str) -> str:
    return f"waiting for {neutralise(what)}"


def _reason(error: LLMError) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def usage_line(response: LLMResponse) -> str:
    """Return one line about what an answer took."""
    parts = [f"{response.provider}/{response.model}"]
    usage = response.usage
    if response.metadata.get("cached"):
        parts.append("from the cache")
    elif usage is not None:
        parts.append(f"{usage.prompt_tokens} + {usage.completion_tokens} tokens")
    parts.append(f"{response.latency_ms / 1000:.2f} s")
    first = response.metadata.get("time_to_first_token_ms")
    if first is not None:
        parts.append(f"first token after {first / 1000:.2f} s")
    if response.cost is not None:
        parts.append(f"${response.cost:.6f}")
    return " · ".join(parts)

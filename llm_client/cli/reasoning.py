"""A model's reasoning, shown apart: on stderr, dimmed, while the answer goes somewhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .environment import Environment

if TYPE_CHECKING:
    from .render.thoughts import Thoughts

__all__ = ["ReasoningNotes"]


class ReasoningNotes:
    """Writes reasoning to the terminal behind stderr; without one, or when quiet, nowhere.

    An answer that goes to a pipe or a file must not have it, and a program that reads stderr does
    not want it either.
    """

    def __init__(self, environment: Environment, *, quiet: bool) -> None:
        self._environment = environment
        self._shown = environment.stderr_is_terminal and not quiet
        self._thoughts: Thoughts | None = None

    def write(self, delta: str) -> None:
        """Show a piece of reasoning."""
        if not self._shown or not delta:
            return
        if self._thoughts is None:
            from .render.thoughts import Thoughts

            color = self._environment.colored(True)
            self._thoughts = Thoughts(self._environment.stderr, color=color)
        try:
            self._thoughts.write(delta)
        except (OSError, ValueError):
            self._shown = False

    def end(self) -> None:
        """End the line, because the answer follows. Idempotent."""
        thoughts, self._thoughts = self._thoughts, None
        if thoughts is None:
            return
        try:
            thoughts.end()
        except (OSError, ValueError):
            self._shown = False

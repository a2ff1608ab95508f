"""Which words can stand at a place of the command line: commands, options, their values.

Owns walking the words that are there along the declared commands, which no command is run for.
What an option takes its `autocompletion` says; one that takes a file is of the type `Path` or
says `FILE` in its metavar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from .completion_line import Suggestion

__all__ = ["fitting"]

_PATH_BEGINNINGS = ("/", "./", "../", "~/")
"""What begins so is a path wherever it stands: `-p embedded -m ./model.gguf`."""


def fitting(program: TyperGroup, before: Sequence[str], current: str) -> list[Suggestion] | None:
    """Return the words that fit, or `None` for the names of files.

    Args:
        program: everything that can be called.
        before: the words behind its name that are complete.
        current: the beginning of the next.
    """
    place = _Place(program)
    for word in before:
        place.pass_by(word)
    found = place.fitting(current)
    if not found and current.startswith(_PATH_BEGINNINGS):
        return None
    return found


class _Place:
    """Where in the command line a word stands: behind all that it has passed."""

    def __init__(self, program: TyperGroup) -> None:
        self._takes_options = True
        self._enter(program, None)

    def _enter(self, command: Any, parent: typer.Context | None) -> None:
        self._command = command
        self._parent = parent
        self._words: list[str] = []
        self._awaiting: TyperOption | None = None
        """The option whose value comes next."""
        self._arguments = 0
        """How many arguments of the command have come."""
        self._is_lost = False
        """Whether a word was no command."""
        self._given: set[str | None] = set()
        parameters = command.get_params(self._context())
        self._options = {
            name: option
            for option in parameters
            if isinstance(option, TyperOption)
            for name in (*option.opts, *option.secondary_opts)
        }

    def _context(self) -> typer.Context:
        """Return the context of the command, with what its options have been given."""
        context: typer.Context = self._command.make_context(
            self._command.name, [*self._words], parent=self._parent, resilient_parsing=True
        )
        return context

    def pass_by(self, word: str) -> None:
        """Go on behind a word that is complete."""
        if self._awaiting is not None:
            self._awaiting = None
        elif self._takes_options and word == "--":
            self._takes_options = False
        elif self._takes_options and word.startswith("-") and word != "-":
            option, start = self._option_in(word)
            if option is not None:
                self._given.add(option.name)
                self._awaiting = option if start is None and _takes_value(option) else None
        elif isinstance(self._command, TyperGroup):
            command = self._command.commands.get(word)
            if command is not None:
                self._enter(command, self._context())
                return
            self._is_lost = True
        else:
            self._arguments += 1
        self._words.append(word)

    def fitting(self, current: str) -> list[Suggestion] | None:
        """Return what can stand here and begins so, or `None` for files."""
        if self._awaiting is not None:
            return self._values(self._awaiting, current)
        if self._takes_options and current.startswith("-"):
            option, start = self._option_in(current)
            if option is not None and start is not None:
                values = self._values(option, current.removeprefix(start))
                return values and [Suggestion(start + word, help) for word, help in values]
            return [*self._option_names(current)]
        if self._is_lost:
            return []
        if isinstance(self._command, TyperGroup):
            return [
                Suggestion(name, command.get_short_help_str(80))
                for name, command in self._command.commands.items()
                if name.startswith(current) and not command.hidden
            ]
        left = self._arguments
        for argument in self._command.params:
            if isinstance(argument, TyperArgument):
                if argument.nargs == -1 or not left:
                    return self._values(argument, current)
                left -= 1
        return []

    def _option_in(self, word: str) -> tuple[TyperOption | None, str | None]:
        """Return the option in a word, and what stands in front of the value that it has there.

        `--model=x`, `-mx` and `-vmx` have one, `--model` and `-vm` have none. Of several options
        in a word that is the last; there is none when the word has one that does not exist.
        """
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            return self._options.get(name), f"{name}=" if equals else None
        option = None
        for end in range(2, len(word) + 1):
            option = self._options.get(f"-{word[end - 1]}")
            if option is None or _takes_value(option):
                return option, word[:end] if end < len(word) else None
        return option, None

    def _option_names(self, current: str) -> Iterator[Suggestion]:
        """Return the options that begin so, except for those that are there and count only once."""
        for name, option in self._options.items():
            again = option.multiple or option.name not in self._given
            if name.startswith(current) and again and not option.hidden:
                yield Suggestion(name, option.help or "")

    def _values(self, parameter: TyperOption | TyperArgument, text: str) -> list[Suggestion] | None:
        if parameter.type.name == "path" or "FILE" in (parameter.metavar or ""):
            return None
        return [
            Suggestion(item.value, item.help or "")
            for item in parameter.shell_complete(self._context(), text)
            if item.value.startswith(text)
        ]


def _takes_value(option: TyperOption) -> bool:
    return not option.is_flag and not option.count

"""The command line as shells hand it over at Tab, and words in the form that each wants back.

Owns what differs between shells, quotes above all: bash gives its line as it was typed and inserts
what it gets as it is; zsh, fish and PowerShell split it by themselves. Words can come from a
server that nobody should trust: what is printed here no script may ever evaluate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["SHELLS", "WORDS_VARIABLE", "Line", "Suggestion", "answer", "read_line"]

SHELLS = ("bash", "zsh", "fish", "powershell")
WORDS_VARIABLE = "_LLM_CLIENT_COMPLETE_WORDS"
"""The words in PowerShell, whose older versions lose quotes in arguments."""
_BETWEEN_WORDS = "\x1f"
_MOST_HELP = 100
"""Characters. More than a terminal has room for behind a word."""


class Line(NamedTuple):
    """What stands in front of the cursor."""

    before: list[str]
    """The words behind the program's name that are complete."""
    current: str
    """The word that is being typed, without its quotes; empty behind a blank."""
    kept: str = ""
    """The beginning of it that stays, and must not be repeated: for bash."""
    quote: str = ""
    """The quotation mark that is open there: for bash."""
    redirects: bool = False
    """Whether the word is the file of a `<` or `>`: only bash asks then."""


class Suggestion(NamedTuple):
    """A word that fits, whole, and what it means."""

    word: str
    help: str = ""


def read_line(shell: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Line:
    """Return the line that a completion script passes.

    Args:
        shell: one of `SHELLS`.
        arguments: in bash the line up to the cursor, and what of it will be replaced; else the
            words behind the program's name, of which the last is incomplete.
        environ: has the words in PowerShell.
    """
    if shell == "bash":
        line, replaced = arguments
        return _line_of_bash(line, replaced)
    if shell == "powershell":
        arguments = environ[WORDS_VARIABLE].split(_BETWEEN_WORDS)
    *before, current = arguments
    return Line(before, current)


def answer(shell: str, line: Line, suggestions: Sequence[Suggestion] | None) -> str:
    """Return what the script of a shell reads.

    The first line is `words`, which follow, or `files`, which the shell knows better. Nothing at
    all when nothing fits.

    Args:
        shell: one of `SHELLS`.
        line: what was typed.
        suggestions: `None` stands for the names of files.
    """
    if suggestions is None:
        return "files\n"
    lines = [_form(shell, line, word, _one_line(help)) for word, help in suggestions]
    return "\n".join(["words", *lines, ""]) if lines else ""


def _form(shell: str, line: Line, word: str, help: str) -> str:
    match shell:
        case "bash":
            return _in_bash(word.removeprefix(line.kept), line.quote)
        case "zsh":  # as `_describe` wants it, which joins words of the same help, even of none
            return re.sub(r"([:\\])", r"\\\1", word) + (help and f":{help}")
        case "fish":
            return f"{word}\t{help}"
        case _:
            return f"{_in_powershell(word)}\t{word}\t{help or word}"


def _in_bash(text: str, quote: str) -> str:
    """Return a text that means itself at this place of a line of bash."""
    if quote:
        # In double quotes no backslash protects from the history.
        inside = (
            text.replace("'", "'\\''")
            if quote == "'"
            else re.sub(r'([$`"\\])', r"\\\1", text).replace("!", "\"'!'\"")
        )
        # Readline closes the quotes, unless it believes that they are.
        return inside + quote if inside.endswith(quote) else inside
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


def _in_powershell(word: str) -> str:
    if re.fullmatch(r"[\w./:=+-]+", word):
        return word
    # It takes typographic quotes for its own.
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", word) + "'"


def _one_line(help: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in help)
    return text if len(text) <= _MOST_HELP else f"{text[: _MOST_HELP - 1]}…"


class _Word:
    """A word of a line of bash, as far as it was read."""

    def __init__(self, operator: str = "") -> None:
        self.raw = operator
        """As it was typed."""
        self.text = ""
        """Without quotes."""
        self.quote = ""
        """The quotation mark that is open."""
        self.kept = ""
        """The text in front of that mark."""
        self.is_operator = bool(operator)
        self._is_escaped = False

    def is_open(self) -> bool:
        """Return whether the next character belongs to the word, whatever it is."""
        return bool(self.quote) or self._is_escaped

    def read(self, char: str) -> None:
        self.raw += char
        if self._is_escaped:
            keeps_backslash = self.quote and char not in '$`"\\'
            self.text += f"\\{char}" if keeps_backslash else char
            self._is_escaped = False
        elif char == "\\" and self.quote != "'":
            self._is_escaped = True
        elif char == self.quote:
            self.quote = ""
        elif char in "'\"" and not self.quote:
            self.quote, self.kept = char, self.text
        else:
            self.text += char


def _line_of_bash(line: str, replaced: str) -> Line:
    """Return what a line says.

    What bash replaces begins behind the quotation mark that is open, or behind the last of the
    characters that break words for it, among them `:` and `=`.
    """
    words = _words(line)
    last = words.pop()
    kept = last.kept
    if not last.quote:
        kept = _text_of(last.raw[: len(last.raw) - len(replaced)])
    before = [
        word.text
        for previous, word in zip([_Word(), *words], words, strict=False)
        if not word.is_operator and not previous.is_operator
    ]
    redirects = bool(words) and words[-1].is_operator
    return Line(before[1:], last.text, kept, last.quote, redirects)


def _words(line: str) -> list[_Word]:
    """Return the words of a line; the last is the one that is being typed, maybe empty."""
    words = [_Word()]
    for char in line:
        word = words[-1]
        if word.is_open():
            word.read(char)
        elif char.isspace():
            if word.raw:
                words.append(_Word())
        elif word.is_operator and char in "<>&|":
            word.raw += char
        elif char in "<>&":
            # A number in front is that of a stream.
            words[-1:] = [*([word] if word.raw and not word.raw.isdigit() else []), _Word(char)]
        else:
            if word.is_operator:
                words.append(_Word())
            words[-1].read(char)
    if words[-1].is_operator:
        words.append(_Word())
    return words


def _text_of(raw: str) -> str:
    word = _Word()
    for char in raw:
        word.read(char)
    return word.text

"""Where settings stand in the text of a configuration file: the line of every key.

Owns the lines and nothing of what keys mean. The text is one that has been parsed, so its syntax
is right and is only followed: the parsers of the standard library do not tell where a key was.
Done for an error or for `llm-client config`; a start without either never comes here.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Final, TypeAlias

__all__ = ["json_lines", "toml_lines"]

Lines: TypeAlias = dict[tuple[str, ...], int]

_QUOTED: Final = r'"(?:[^"\\\n]|\\.)*"'
_JSON_TOKEN: Final = re.compile(rf"{_QUOTED}|[{{}}\[\]:,]|[^\s{{}}\[\]:,\"]+")
_TOML_KEY: Final = re.compile(rf"{_QUOTED}|'[^'\n]*'|[A-Za-z0-9_-]+")
_TOML_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
_TOML_VALUE: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    rf"|{_QUOTED}|'[^'\n]*'"
    r"|[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?",  # a date and its time may have a space between them
    re.DOTALL,
)


def json_lines(text: str) -> Lines:
    """Return the line of every key of a JSON object, by the names on the way to it."""
    lines: Lines = {}
    path: list[str | None] = []
    key: str | None = None
    at, line = 0, 1
    for found, following in pairwise(_JSON_TOKEN.finditer(text)):
        token = found[0]
        if token in "{[":
            path.append(key if token == "{" else None)
            key = None
        elif token in "}]":
            path.pop()
        elif following[0] == ":":
            key = str(json.loads(token))
            names = (*path[1:], key)
            line += text.count("\n", at, found.start())
            at = found.start()
            if None not in names:  # nothing of a setting is below a list
                # Of a key that stands there twice the parser takes the last.
                lines[tuple(map(str, names))] = line
    return lines


def toml_lines(text: str) -> Lines:
    """Return the line of every key and table of a TOML document, by the names on the way to it."""
    return _Toml(text).lines


class _Toml:
    """Follows one document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted, self._line = 0, 1
        """Up to where lines have been counted, and which one that is in."""
        self.lines: Lines = {}
        table: tuple[str, ...] = ()
        self._skip()
        while self._at < len(text):
            start = self._at
            if text[start] == "[":
                self._at += 1 + text.startswith("[[", start)
                table = self._key("]")
                self._at += text.startswith("]", self._at)
                self._note(table, start)
            else:
                names = (*table, *self._key("="))
                self._note(names, start)
                self._value(names)
            self._skip()

    def _note(self, names: tuple[str, ...], start: int) -> None:
        """Keep where a key is, and the tables on the way to it that have no line of their own."""
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        for count in range(1, len(names) + 1):
            self.lines.setdefault(names[:count], self._line)

    def _skip(self) -> None:
        self._at = self._end(_TOML_BLANK)

    def _end(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        # Whatever cannot be followed is stepped over, so that this ends.
        return found.end() if found else self._at + 1

    def _key(self, end: str) -> tuple[str, ...]:
        """Read a dotted key and the character behind it."""
        names = []
        while self._at < len(self._text) and self._text[self._at] != end:
            if found := _TOML_KEY.match(self._text, self._at):
                names.append(_unquoted(found[0]))
                self._at = found.end()
            else:
                self._at += 1
        self._at += 1
        return tuple(names)

    def _value(self, names: tuple[str, ...] | None) -> None:
        """Step over a value; note the keys of a table that stands on one line."""
        self._skip()
        opening = self._text[self._at : self._at + 1]
        if opening not in ("[", "{"):
            self._at = self._end(_TOML_VALUE)
            return
        closing = "]" if opening == "[" else "}"
        self._at += 1
        self._skip()
        while self._at < len(self._text) and self._text[self._at] != closing:
            start = self._at
            if self._text[start] == ",":
                self._at += 1
            elif opening == "{":
                key = self._key("=")
                inner = None if names is None else (*names, *key)
                if inner is not None:
                    self._note(inner, start)
                self._value(inner)
            else:
                self._value(None)
            self._skip()
        self._at += 1


def _unquoted(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        import tomllib

        return str(tomllib.loads(f"key = {key}")["key"])
    return key

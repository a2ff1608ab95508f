"""A configuration file as it stands on the disk: found, read, parsed; which line a setting is on.

Owns the text. What the settings in it mean is `config.py`'s business. Refuses what is no TOML or
JSON; nothing is ever written here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError
from .paths import config_file, expanded

__all__ = ["Document", "find_document", "is_json", "parse_document", "read_document"]

_MOST_BYTES = 4 << 20
"""A device has no end, and a file of that length is something else."""


class Document:
    """One configuration file."""

    def __init__(self, file: Path, text: str, table: Any) -> None:
        self.file = file
        self.text = text
        self.table = table
        """What the text says; of a file that has been checked a dictionary."""

    def line_of(self, names: Sequence[str]) -> int | None:
        """Return the line of a setting or a table; `None` when it does not stand there."""
        return self._lines.get(tuple(names))

    def place(self, names: Sequence[str]) -> str:
        """Return the path of the file, with the line of a setting where it stands there."""
        line = self.line_of(names)
        return str(self.file) if line is None else f"{self.file}, line {line}"

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        from .config_lines import json_lines, toml_lines

        return json_lines(self.text) if is_json(self.file) else toml_lines(self.text)


def find_document(
    path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Document | None:
    """Return the configuration file; `None` when there is none and nobody has named one.

    Args:
        path: a file that must exist, `~` is expanded; `None` looks in the usual places.
        environ: the environment that the usual places are looked up in.

    Raises:
        ConfigurationError: it cannot be read or parsed, or is not where it is said to be.
    """
    try:
        return _read(expanded(path) if path is not None else config_file(environ))
    except FileNotFoundError as error:
        if path is not None:
            raise _missing(error) from None
        if not environ.get("LLM_CLIENT_CONFIG", "").strip():
            return None
        raise ConfigurationError(
            f"There is no configuration file {str(error)!r}, which LLM_CLIENT_CONFIG names.",
            hint="Make it with `llm-client config init`. Or `unset LLM_CLIENT_CONFIG`.",
        ) from None


def read_document(file: Path) -> Document:
    """Return a configuration file that must be there.

    Raises:
        ConfigurationError: it is not, or cannot be read or parsed.
    """
    try:
        return _read(expanded(file))
    except FileNotFoundError as error:
        raise _missing(error) from None


def parse_document(file: Path, text: str) -> Document:
    """Return the document that a text would be in a file.

    Raises:
        ConfigurationError: it is no TOML, or no JSON where the name ends so.
    """
    try:
        if is_json(file):
            import json

            return Document(file, text, json.loads(text))
        import tomllib

        return Document(file, text, tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"The configuration {str(file)!r} cannot be parsed: {error}."
        ) from None


def _read(file: Path) -> Document:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(str(file)) from None
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the configuration {str(file)!r}: {error.strerror}."
        ) from None
    if len(data) > _MOST_BYTES:
        raise ConfigurationError(
            f"The configuration {str(file)!r} is longer than {_MOST_BYTES >> 20} MB."
        )
    try:
        # Some editors begin a file with a byte order mark.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"The configuration {str(file)!r} is not UTF-8: see line {line}."
        ) from None
    return parse_document(file, text)


def _missing(error: FileNotFoundError) -> ConfigurationError:
    import shlex

    make = f"llm-client config init --config {shlex.quote(str(error))}"
    return ConfigurationError(
        f"There is no configuration file {str(error)!r}.",
        hint=f"Correct its path, or make it: `{make}`.",
    )


def is_json(file: Path) -> bool:
    """Return whether a file is JSON by its name; TOML it is else."""
    return file.suffix.lower() == ".json"

"""Changes of the configuration file: one setting set or taken out, or the whole text replaced.

Owns that a file is only ever replaced whole by one that is valid, that two changes at once are both
kept, and that nothing is overwritten that could not be parsed. A link stays a link; mode and owner
stay.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError
from ..policy.setting_kinds import HEADERS, TABLE
from ..policy.setting_schema import find_setting, join_key
from .config import problems
from .config_document import Document, is_json, parse_document
from .private_files import alone_in, make_private_directory, replace_whole

__all__ = [
    "changing",
    "file_behind",
    "has_setting",
    "is_open",
    "read_text",
    "set_setting",
    "unset_setting",
]


def set_setting(path: Path, names: Sequence[str], value: object) -> Document:
    """Give a setting a value in a file, which is made when there is none; return what it says then.

    Raises:
        ConfigurationError: the file would not be valid; it is as it was.
    """

    def change(text: str, document: Document) -> str:
        where, what = _way(document.table, tuple(names), value)
        if is_json(path):
            return _json_text(text, document.table, where, what)
        from .toml_edit import with_value

        return with_value(text, where, what)

    return _change(path, change)


def unset_setting(path: Path, names: Sequence[str]) -> Document | None:
    """Take a setting or a table out of a file; return what it says then, `None` where it was not there.

    Raises:
        ConfigurationError: the file would not be valid; it is as it was.
    """
    is_there = True

    def change(text: str, document: Document) -> str:
        nonlocal is_there
        is_there = has_setting(document.table, names)
        if not is_there:
            return text
        if is_json(path):
            return _json_text(text, document.table, names)
        from .toml_edit import without_value

        return without_value(text, names)

    if read_text(path) is None:
        return None
    document = _change(path, change)
    return document if is_there else None


def is_open(names: tuple[str, ...]) -> bool:
    """Return whether a table has names that are the user's or the provider's: options, headers."""
    try:
        return names[0] in ("profiles", "providers") and find_setting(names).kind in (
            TABLE,
            HEADERS,
        )
    except ConfigurationError:
        return False


def has_setting(table: Any, names: Sequence[str]) -> bool:
    """Return whether a table has something at a path."""
    for name in names:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True


def read_text(path: Path) -> str | None:
    """Return the text of a file; `None` when there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable("read", path, error) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The configuration {str(path)!r} is not UTF-8.") from None


@contextmanager
def changing(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Keep other changes away from a file until the block ends; yield what replaces it.

    Raises:
        ConfigurationError: it cannot be written.
    """
    target = file_behind(path)
    try:
        make_private_directory(target.parent)
    except OSError as error:
        raise _unusable("make the directory of", target, error) from None

    def replace(data: bytes) -> None:
        try:
            like = target.stat() if target.exists() else None
            if like is not None and not os.access(target, os.W_OK):
                raise PermissionError(0, "it is read-only")
            replace_whole(target, data, like)
        except OSError as error:
            raise _unusable("write", target, error) from None

    with alone_in(target.parent):
        yield replace


def file_behind(path: Path) -> Path:
    """Return the file behind a path and its links, whether it exists or not.

    Raises:
        ConfigurationError: links that go round in a circle, or something that is no file.
    """
    try:
        target = path.expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise _unusable("use", path, error) from None
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target
    except OSError as error:
        raise _unusable("use", path, error) from None
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise ConfigurationError(f"Cannot use the configuration {str(path)!r}: it is {kind}.")
    return target


def _change(path: Path, change: Callable[[str, Document], str]) -> Document:
    with changing(path) as replace:
        before = read_text(path) or ""
        empty = "{}" if is_json(path) and not before.strip() else before
        found = parse_document(path, empty)
        if not isinstance(found.table, dict):
            raise problems(found)[0]
        text = change(empty, found)
        document = parse_document(path, text)
        for first in problems(document):
            raise ConfigurationError(
                f"Nothing was changed, because the file would not be valid. {first.message}",
                hint=first.hint or "See all of it: `llm-client config validate`.",
            )
        if text != before:
            replace(text.encode())
    return document


def _way(
    table: Mapping[str, Any], names: tuple[str, ...], value: object
) -> tuple[tuple[str, ...], object]:
    """Return what to put where: the first entry of an open table is that table, on one line.

    Raises:
        ConfigurationError: it would turn a table into something else, or go through what is none.
    """
    within: Any = table
    for count, name in enumerate(names[:-1], 1):
        if name not in within:
            if count == 3 and len(names) == 4 and is_open(names[:3]):
                return names[:3], {names[3]: value}
            return names, value
        within = within[name]
        if not isinstance(within, dict):
            raise _in_the_way(names[:count], f"is {within!r} and has no settings of its own")
    old = within.get(names[-1])
    if isinstance(old, dict) and old and not isinstance(value, dict):
        raise _in_the_way(names, f"has settings of its own: {', '.join(old)}")
    return names, value


def _in_the_way(names: Sequence[str], what: str) -> ConfigurationError:
    key = join_key(names)
    return ConfigurationError(
        f"{key} {what}.", hint=f"Take it out first: `llm-client config unset {key}`."
    )


_NOTHING: Any = object()


def _json_text(
    text: str, table: dict[str, Any], names: Sequence[str], value: object = _NOTHING
) -> str:
    """Return a JSON text with a change, indented as it was."""
    import json
    import re

    from .toml_edit import changed

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ConfigurationError(
                f"{join_key(names)!r} cannot be changed: a name stands twice in the file.",
                hint="Change it by hand: `llm-client config edit`.",
            )
        return dict(pairs)

    json.loads(text, object_pairs_hook=once)
    made = changed(table, names) if value is _NOTHING else changed(table, names, value)
    found = re.search(r"\n([ \t]+)\S", text)
    indent: str | int | None = found[1] if found else 2
    if not found and len(table) and "\n" not in text.strip():
        indent = None  # all on one line
    return json.dumps(made, ensure_ascii=False, indent=indent) + "\n"


def _unusable(what: str, path: Path, error: OSError | RuntimeError) -> ConfigurationError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigurationError(f"Cannot {what} the configuration {str(path)!r}: {reason}.")

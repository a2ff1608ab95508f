"""Where a key could be left behind, and how it is looked for there.

Owns the list of places and the forms that a key is searched in. What is run, and where the key
comes from, is the business of `world.py` and `sources.py`.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus

__all__ = ["PLACES", "Find", "forms", "search", "search_tree"]

PLACES: Final = {
    "stdout": "standard output, whole, as bytes",
    "stderr": "standard error, whole: messages, notes, warnings, the tracebacks of `--debug`",
    "logs": "log records of every library at DEBUG (httpx, httpcore, keyring, asyncio…), with "
    "their tracebacks",
    "programs": "arguments of every program that is started (commands of keys, editors), and its "
    "variables, unless the user's own variable has the key",
    "processes": "/proc/PID/cmdline of the program and of all its children while it runs, and "
    "/proc/PID/environ likewise",
    "home": "every file and file name below $HOME: configuration, its backups and drafts, ledger "
    "and answers (SQLite with -wal, -shm and journal, as bytes), model lists, state, shell "
    "histories",
    "temp": "every file and file name below $TMPDIR",
    "work": "every file and file name below the working directory",
    "elsewhere": "what any server was sent that is not the key's own: address, headers, body",
}
"""All of them are searched after every run of the leak tests."""

_WINDOW: Final = 10
"""Characters of a key that are as good as the whole: what cuts a text can cut a key."""
_SHORTEST_ENCODED: Final = 8
"""Shorter keys have encodings that other bytes could have by chance."""
_AROUND: Final = 60
"""Bytes, for the message of a test."""


class Find(NamedTuple):
    """A key, where it must not be."""

    place: str
    """One of `PLACES`."""
    where: str
    """Which file, or which run."""
    words: str
    """What was found, with what stands around it."""


@lru_cache(maxsize=64)
def forms(key: str) -> tuple[bytes, ...]:
    """Return the bytes that a key can be recognised by.

    As it is, and any ten characters of it; percent-encoded, as JSON and Python escape it, as
    UTF-16, in base64 wherever it stands in a longer text, in hexadecimal digits.
    """
    raw = key.encode()
    found = {raw}
    found |= {key[i : i + _WINDOW].encode() for i in range(len(key) - _WINDOW + 1)}
    if len(key) >= _SHORTEST_ENCODED:
        escaped = quote(key, safe="")
        found |= {escaped.encode(), escaped.lower().encode(), quote_plus(key).encode()}
        found |= {json.dumps(key)[1:-1].encode(), ascii(key)[1:-1].encode()}
        found |= {key.encode("utf-16-le"), key.encode("utf-16-be")}
        found |= {raw.hex().encode(), raw.hex().upper().encode()}
        found |= {*_base64_forms(raw)}
    return tuple(sorted(found, key=len, reverse=True))


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """Yield what stands in the base64 of any text that has the bytes in it."""
    for before in range(3):
        padded = b"\0" * before + raw
        whole = len(padded) // 3 * 3
        first = 4 if before else 0  # the group that has bytes of the text around it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded[:whole])[first:]


@lru_cache(maxsize=64)
def _pattern(key: str) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, forms(key))))


def search(data: bytes, key: str) -> str | None:
    """Return the words around a key in some bytes, whatever form it has there; `None`: it is not."""
    found = _pattern(key).search(data)
    if found is None:
        return None
    around = data[max(0, found.start() - _AROUND) : found.end() + _AROUND]
    return around.decode("utf-8", "backslashreplace")


def search_tree(
    place: str, directory: Path, key: str, allowed: Collection[Path] = ()
) -> Iterator[Find]:
    """Yield the files below a directory that have a key in them or in their names.

    Args:
        place: what the directory is, for the result.
        directory: every file below it is read; where links lead to is not.
        key: what is looked for.
        allowed: where the key belongs.
    """
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            file = Path(folder) / name
            if words := search(os.fsencode(name), key):
                yield Find(place, f"the name of {file}", words)
            if file.is_symlink():
                if words := search(os.fsencode(os.readlink(file)), key):
                    yield Find(place, f"the link {file}", words)
            elif file.is_file() and file not in allowed and (words := search(_content(file), key)):
                yield Find(place, str(file), words)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # deleted meanwhile
        return b""

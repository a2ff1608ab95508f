"""Files that are nobody else's business: replaced whole, mode 0600, by one process at a time.

Owns how such a file is written so that a crash, a full disk or a second process leaves either the
old one or the new one. What stands in it is its reader's business. A link stays a link: the file
behind it is replaced.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..exceptions import ConfigurationError

__all__ = ["PATIENCE_SECONDS", "alone_in", "make_private_directory", "replace_whole", "who_writes"]

PATIENCE_SECONDS = 10.0
"""Others need milliseconds; one that holds the lock for longer has been stopped."""
_PAUSE_SECONDS = 0.01
_REMNANT = ".partial"


def make_private_directory(directory: Path) -> None:
    """Make a directory of mode 0700, unless it is there, and so whatever is missing above it.

    The XDG specification wants that of `~/.config` and the like too.
    """
    missing = []
    for each in (directory, *directory.parents):
        if each.exists():
            break
        missing.append(each)
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)  # raises where something else has its name


def who_writes(found: os.stat_result) -> str:
    """Return who else may write a file or directory: `others`, its owner, or nobody (empty).

    In a sticky directory such as `/tmp` others cannot replace what is not theirs.
    """
    if sys.platform == "win32":  # pragma: no cover - no Windows in CI
        return ""
    if found.st_uid not in (os.geteuid(), 0):
        return f"user {found.st_uid}, who owns it"
    mode = stat.S_IMODE(found.st_mode)
    is_sticky = stat.S_ISDIR(found.st_mode) and mode & stat.S_ISVTX
    return "others" if mode & 0o022 and not is_sticky else ""


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep other processes and threads that ask the same from a directory.

    Where that cannot be had (Windows, some network file systems) it is done without.

    Raises:
        ConfigurationError: another holds it for too long.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - no Windows in CI
        yield
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise ConfigurationError(
                        f"Another process has been changing the files in {str(directory)!r} "
                        f"for {PATIENCE_SECONDS:.0f} s.",
                        hint="See which: `ps aux | grep llm-client`.",
                    ) from None
                time.sleep(_PAUSE_SECONDS)
            except OSError:
                break
        yield
    finally:
        os.close(handle)


def replace_whole(path: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """Put a file of mode 0600 in the place of another, or of none; call it inside `alone_in`.

    Args:
        path: of the file, and not of a link to it.
        data: all of it.
        like: whose mode and owner it gets instead.

    Raises:
        OSError: it cannot be written; the old one is as it was.
    """
    import tempfile

    prefix = f".{path.name}."
    for found in os.listdir(path.parent):
        # What a killed process left holds keys too.
        if found.startswith(prefix) and found.endswith(_REMNANT):
            with suppress(OSError):
                path.with_name(found).unlink()
    handle, name = tempfile.mkstemp(_REMNANT, prefix, path.parent)
    try:
        with open(handle, "wb") as stream:
            if like is not None:
                with suppress(OSError):  # only the superuser gives files away
                    os.chown(name, like.st_uid, like.st_gid)
                os.chmod(name, stat.S_IMODE(like.st_mode))
            stream.write(data)
            stream.flush()
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    with suppress(OSError):  # a file system that cannot has nothing to lose
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

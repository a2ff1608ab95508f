"""Where the bytes of an answer go: standard output, a device, or a file that is replaced whole.

Everything that can be wrong with a path is found before anything is sent. A file appears under its
name only when the answer is complete, so that a failure leaves the one that was there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .environment import Environment
from .exit_status import UsageError

__all__ = ["names_stdout", "open_destination"]


def names_stdout(path: Path | None) -> bool:
    """Return whether the answer goes to standard output."""
    return path is None or str(path) in {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}


@contextmanager
def open_destination(path: Path | None, environment: Environment) -> Iterator[BinaryIO]:
    """Open where the answer goes.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None or names_stdout(path):
        yield environment.stdout.buffer
        return
    target, mode = _looked_up(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise UsageError(
            f"{str(path)!r} is a directory: the answer needs a file.",
            hint=f"Name one in it: `-o {str(path).rstrip('/')}/FILE`.",
        )
    if mode is not None and not stat.S_ISREG(mode):
        with _device(path, target) as stream:
            yield stream
        return
    yield from _replaced_whole(path, target, mode, environment)


def _looked_up(path: Path) -> tuple[Path, int | None]:
    """Return the file behind a path, and what it is; `None` where there is nothing yet."""
    try:
        # The file behind a link is what the answer goes to; the link stays.
        target = path.expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise _unusable(path, error) from None
    try:
        return target, target.stat().st_mode
    except FileNotFoundError:
        return target, None
    except OSError as error:
        raise _unusable(path, error) from None


@contextmanager
def _device(path: Path, target: Path) -> Iterator[BinaryIO]:
    try:
        stream = target.open("wb")
    except OSError as error:
        raise _unusable(path, error) from None
    with stream:
        yield stream


def _replaced_whole(
    path: Path, target: Path, mode: int | None, environment: Environment
) -> Iterator[BinaryIO]:
    partial = target.with_name(target.name + ".partial")
    try:
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(0, "it is read-only")
        stream = partial.open("wb")
        if mode is not None:
            partial.chmod(stat.S_IMODE(mode))
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        with stream:
            yield stream
    except BaseException:
        if partial.stat().st_size:
            environment.note(f"What had arrived is in {str(partial)!r}.")
        else:
            partial.unlink()
        raise
    partial.replace(target)


def _unusable(path: Path, error: OSError | RuntimeError) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"Cannot write to {str(path)!r}: {reason}. Nothing was sent.")

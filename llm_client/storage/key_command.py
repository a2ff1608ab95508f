"""`api_key_command`: a program that prints a key, as password managers do.

Owns how it is run: without a shell, without standard input, for ten seconds at most, and in a
process once: again only a while after it failed. It is refused where others can write the configuration that names it. What it prints is never
shown; of what it says on standard error the last line is, without keys.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import IO

from ..exceptions import ConfigurationError
from ..types.secret import Secret, redact
from .credentials_file import checked_key
from .private_files import who_writes

__all__ = ["COMMAND_SECONDS", "check_source", "key_from_command"]

COMMAND_SECONDS = 10.0
QUIET_SECONDS = 60.0
"""How long a command that failed is not run again."""
_MOST_BYTES = 65536
"""Of a key, and of what is kept of standard error."""
_LONGEST_COMPLAINT = 300
"""Characters."""
_SETTING = "api_key_command"
_ONE_LINE = "Try it in a shell: it prints one line, the key, and nothing else."


class _Run:
    """What came of a command in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Each command has its own: slow ones of several providers run beside each other."""
        self.key: Secret | None = None
        self.failure: ConfigurationError | None = None
        self.owner = ""
        """Of whom the failure speaks."""
        self.until = 0.0
        """When a failure is to be tried again."""


_runs: dict[tuple[str, ...], _Run] = {}


def check_source(config_path: str) -> None:
    """Refuse to run what a configuration file names that others can write, or replace.

    Raises:
        ConfigurationError: they can.
    """
    file = Path(config_path)
    for path in dict.fromkeys((file, file.parent, file.resolve().parent)):
        try:
            writer = who_writes(path.stat())
        except OSError as error:  # it was there when it was read
            raise ConfigurationError(
                f"The configuration {config_path!r} names an `{_SETTING}`, and cannot be looked "
                f"at: {error.strerror}. It is not run."
            ) from None
        if writer:
            where = f", in {str(path)!r}," if path != file else ""
            raise ConfigurationError(
                f"The configuration {config_path!r}{where} names an `{_SETTING}`, and can be "
                f"written by {writer}: it is not run.",
                hint=f"`chmod go-w {quote(str(path))}`."
                if writer == "others"
                else "Keep it in a configuration of your own.",
            )


def key_from_command(command: Sequence[str], owner: str, environ: Mapping[str, str]) -> Secret:
    """Return the key that a command prints: it holds as long as the process, a failure a minute.

    Args:
        command: the program and its arguments.
        owner: whose key it is, for messages.
        environ: of the program.

    Raises:
        ConfigurationError: it fails, takes too long, or prints no key.
    """
    words = tuple(command)
    run = _runs.setdefault(words, _Run())
    with run.lock:
        if run.key is not None:
            return run.key
        if run.failure is None or run.owner != owner or time.monotonic() >= run.until:
            try:
                run.key = _key(words, owner, environ)
            except ConfigurationError as error:
                run.failure, run.owner = error, owner
                run.until = time.monotonic() + QUIET_SECONDS
            else:
                return run.key
        # Of its own: several threads may raise it at once.
        raise ConfigurationError(run.failure.message, hint=run.failure.hint)


def _key(command: tuple[str, ...], owner: str, environ: Mapping[str, str]) -> Secret:
    program = os.path.expanduser(command[0])
    said = f"The `{_SETTING}` of {owner!r}, {command[0]!r},"
    if os.path.dirname(program) and not os.path.isabs(program):
        raise ConfigurationError(
            f"{said} depends on the directory that you are in.",
            hint="Write its whole path, or its name alone for a program on PATH.",
        )
    status, out, err = _run([program, *command[1:]], said, environ)
    if len(out) > _MOST_BYTES:
        raise ConfigurationError(f"{said} prints more than a key.", hint=_ONE_LINE)
    text = out.decode("utf-8", "replace").strip()
    if status != 0:
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        complaint = _last_line(err, text).rstrip(".")
        raise ConfigurationError(
            f"{said} failed with {how}{complaint and f': {complaint}'}.", hint=_ONE_LINE
        )
    if not text:
        raise ConfigurationError(f"{said} printed nothing.", hint=_ONE_LINE)
    if (lines := len(text.splitlines())) > 1:
        raise ConfigurationError(
            f"{said} printed {lines} lines.",
            hint='Take the first alone: `["sh", "-c", "COMMAND | head -n 1"]`.',
        )
    return checked_key(text, owner)


def _run(command: list[str], said: str, environ: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run a program; return its exit status and what it printed."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # closing a buffered one waits for whoever reads it
            env=dict(environ),
            # Its children end with it, and none of them can ask on our terminal.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise ConfigurationError(
            f"{said} cannot be run: there is no such program.",
            # A whole command line in one text is what `config set` makes of one in quotes.
            hint='Write the program and its arguments apart: `["PROGRAM", "ARGUMENT"]`.'
            if len(command) == 1 and len(command[0].split()) > 1
            else "Install it, write its whole path, or take the setting out.",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{said} cannot be run: {reason}.") from None
    # Where this is no main thread, nothing else ends the program when we are interrupted.
    end = partial(_kill, process)
    atexit.register(end)
    with process:
        try:
            printed = _printed(process, time.monotonic() + COMMAND_SECONDS)
            if printed is None:
                raise ConfigurationError(
                    f"{said} did not end within {COMMAND_SECONDS:.0f} s.",
                    hint="It cannot ask you anything here: unlock it before.",
                )
        except BaseException:
            end()
            raise
        finally:
            atexit.unregister(end)
    return (process.returncode, *printed)


def _printed(process: subprocess.Popen[bytes], ends: float) -> tuple[bytes, bytes] | None:
    """Return what a program printed until it ended; `None`: it did not end in time."""
    out, err = bytearray(), bytearray()

    def keep_first(stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError), stream:  # closed: nobody waits any more
            while len(out) <= _MOST_BYTES and (piece := stream.read(4096)):
                out.extend(piece)

    def keep_last(stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError):
            while piece := stream.read(4096):
                err[:] = (err + piece)[-_MOST_BYTES:]

    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=keep_first, args=(process.stdout,), daemon=True),
        threading.Thread(target=keep_last, args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(max(0.0, ends - time.monotonic()))
        if reader.is_alive():
            return None
    try:
        process.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    return bytes(out), bytes(err)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # pragma: no cover - no Windows in CI
            process.kill()


def _last_line(err: bytes, out: str) -> str:
    """Return what a program said last, without what it printed."""
    lines = err.decode("utf-8", "replace").strip().splitlines()
    printed = [Secret(line.strip()) for line in out.splitlines()]
    return redact(lines[-1].strip(), printed)[:_LONGEST_COMPLAINT] if lines else ""

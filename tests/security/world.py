"""A machine on which nothing has run yet, and the program run on it with everything recorded.

Owns home, temporary and working directory, what each run printed and logged and which programs it
started. In-process, because a leak test is hundreds of runs; `processes.py` runs the real program.
"""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llm_client.cli import app
from llm_client.engine.cool_down import COOL_DOWNS
from llm_client.storage import key_command, seen_keys, stored_keys

from .places import Find, search, search_tree

__all__ = ["Ran", "World"]


@dataclass(frozen=True)
class Ran:
    """One run of the program."""

    arguments: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    logs: bytes

    @property
    def name(self) -> str:
        """What was run, for messages of tests."""
        return f"{' '.join(self.arguments)} (exit {self.status})"

    @property
    def output(self) -> str:
        """Everything that it printed."""
        return (self.stdout + self.stderr).decode("utf-8", "replace")


@dataclass
class World:
    """The directories of one user, and what was run there."""

    home: Path
    temp: Path
    work: Path
    runs: list[Ran] = field(default_factory=list)
    programs: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Arguments and variables of programs that were started, each joined by NUL."""
    processes: list[tuple[str, bytes]] = field(default_factory=list)
    """What `/proc` showed: of which file, and what."""
    elsewhere: list[tuple[str, bytes]] = field(default_factory=list)
    """What servers were sent that are not the key's own: which, and what."""
    allowed: set[Path] = field(default_factory=set)
    """Files in which the key belongs."""
    has_key_in_variables: bool = False
    """Whether the user's own environment has the key, so that every program inherits it."""

    @classmethod
    def make(cls, home: Path, directory: Path, monkeypatch: pytest.MonkeyPatch) -> World:
        """Return a world in a home and a directory, in which this process is from now on."""
        world = cls(home, directory / "temporary", directory / "work")
        for directory in (world.temp, world.work):
            directory.mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(world.temp))
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.chdir(world.work)
        world.allowed = {world.credentials}
        world._record_programs(monkeypatch)
        return world

    @property
    def directory(self) -> Path:
        """Where configuration and credentials are."""
        return self.home / ".config" / "llm_client"

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def credentials(self) -> Path:
        return self.directory / "credentials.toml"

    def configure(self, text: str) -> None:
        """Add to the configuration file."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.config.open("a", encoding="utf-8") as stream:
            stream.write(text)
        self.config.chmod(0o600)

    def store(self, provider: str, key: str) -> None:
        """Put a key into the credentials file."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.credentials.write_text(f'[{provider}]\napi_key = "{key}"\n', encoding="utf-8")
        self.credentials.chmod(0o600)

    def run(self, *words: str, stdin: bytes = b"") -> Ran:
        """Run the program in this process, as if it were a new one.

        Args:
            words: the command line, without quotes: blanks part arguments.
            stdin: what is piped in.
        """
        arguments = tuple(" ".join(words).split())
        forget()
        out, err, logs = io.BytesIO(), io.BytesIO(), io.StringIO()
        with ExitStack() as stack:
            stack.enter_context(_streams(stdin, out, err))
            stack.enter_context(_logged(logs))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("default")  # as for a user, not as for pytest
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(sys, "argv", ["llm-client", *arguments])
            try:
                status = app.run()
            except Exception:  # what the interpreter does with it
                traceback.print_exc(file=sys.stderr)
                status = 1
        ran = Ran(arguments, status, out.getvalue(), err.getvalue(), logs.getvalue().encode())
        self.runs.append(ran)
        return ran

    def check(self, key: str) -> None:
        """Fail where a key is and must not be."""
        found = self.finds(key)
        assert not found, "\n".join(
            f"{find.place}: {find.where}: {find.words!r}" for find in found[:4]
        )

    def finds(self, key: str) -> list[Find]:
        """Return every place in which a key is and must not be."""
        found = [
            Find(place, ran.name, words)
            for ran in self.runs
            for place, data in (("stdout", ran.stdout), ("stderr", ran.stderr), ("logs", ran.logs))
            if (words := search(data, key))
        ]
        for arguments, variables in self.programs:
            shown = arguments.replace(b"\0", b" ").decode(errors="replace")
            if words := search(arguments, key):
                found.append(Find("programs", f"the arguments of {shown}", words))
            if not self.has_key_in_variables and (words := search(variables, key)):
                found.append(Find("programs", f"the variables of {shown}", words))
        for place, records in (("processes", self.processes), ("elsewhere", self.elsewhere)):
            found += [
                Find(place, name, words) for name, data in records if (words := search(data, key))
            ]
        allowed = {*self.allowed}
        if self.config in allowed:  # `config init --force` keeps what it replaces
            allowed.update(self.directory.glob("config.toml.*.bak"))
        for place in ("home", "temp", "work"):
            found += search_tree(place, getattr(self, place), key, allowed)
        return found

    def _record_programs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = subprocess.Popen.__init__

        def recorded(popen: Any, args: Any, *rest: Any, **more: Any) -> None:
            words = [args] if isinstance(args, (str, bytes, os.PathLike)) else args
            variables = more.get("env") or os.environ
            self.programs.append(
                (
                    b"\0".join(map(os.fsencode, words)),
                    b"\0".join(os.fsencode(f"{name}={text}") for name, text in variables.items()),
                )
            )
            start(popen, args, *rest, **more)

        monkeypatch.setattr(subprocess.Popen, "__init__", recorded)


def forget() -> None:
    """Forget what the program keeps as long as its process lives: what it has seen, it would mask."""
    seen_keys._seen.clear()
    stored_keys._told.clear()
    key_command._runs.clear()
    COOL_DOWNS.clear()


@contextmanager
def _streams(stdin: bytes, out: io.BytesIO, err: io.BytesIO) -> Iterator[None]:
    class Stream(io.TextIOWrapper):
        """A stream whose bytes outlive it."""

        def __del__(self) -> None:
            """Leave the buffer open."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", Stream(io.BytesIO(stdin), encoding="utf-8"))
        patch.setattr(sys, "stdout", Stream(out, encoding="utf-8", write_through=True))
        patch.setattr(
            sys, "stderr", Stream(err, "utf-8", errors="backslashreplace", write_through=True)
        )
        yield
        sys.stdout.flush()
        sys.stderr.flush()


@contextmanager
def _logged(stream: io.StringIO) -> Iterator[None]:
    """Write every record of every logger, from DEBUG."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r"))
    root = logging.getLogger()
    names = [name for name in root.manager.loggerDict if not name.startswith("concurrent")]
    before = {name: logging.getLogger(name).level for name in names}
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in names:
        logging.getLogger(name).setLevel(logging.NOTSET)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name, old in before.items():
            logging.getLogger(name).setLevel(old)

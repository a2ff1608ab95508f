"""The real program, watched from outside: what `/proc` shows of it and of all that it starts.

Owns how a process and its descendants are looked at while they run, and that every library's
records at DEBUG are written to a file, by a `sitecustomize` of the test's own.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cli.program import SECONDS, command, environment
from ..support.unmeasured import unmeasured
from .world import Ran, World

__all__ = ["logged_environment", "look", "run_watched", "watched"]

_EVERY_SECONDS = 0.004
_LOGGING = """
import logging, os
logging.basicConfig(filename=os.environ["LEAK_TEST_LOG"], level=logging.DEBUG)
"""


def logged_environment(world: World) -> dict[str, str]:
    """Return variables with which a process of Python logs everything, into a file in `work`."""
    directory = world.work.parent / "site"
    directory.mkdir(exist_ok=True)
    (directory / "sitecustomize.py").write_text(_LOGGING)
    variables = unmeasured(environment())
    variables["PYTHONPATH"] = os.pathsep.join((str(directory), variables["PYTHONPATH"]))
    variables["LEAK_TEST_LOG"] = str(world.work / "everything.log")
    return variables


def look(world: World, pid: int) -> None:
    """Note what `/proc` shows of a process and its descendants."""
    for number in (pid, *_descendants(pid)):
        for name in ("cmdline", "environ"):
            if name == "environ" and world.has_key_in_variables:
                continue
            try:
                data = Path(f"/proc/{number}/{name}").read_bytes()
            except OSError:  # it has ended
                continue
            if data:
                record = (name, data)
                if record not in world.processes:
                    world.processes.append(record)


def _descendants(pid: int) -> Iterator[int]:
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))
    except OSError:
        return


@contextmanager
def watched(world: World, pid: int) -> Iterator[None]:
    """Look at a process again and again until the block ends."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            look(world, pid)

    thread = threading.Thread(target=watch)
    look(world, pid)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run_watched(world: World, *words: str, stdin: bytes = b"") -> Ran:
    """Run the program to its end in a process of its own, watched all the time.

    Args:
        world: notes what is seen.
        words: the command line, as in `World.run`.
        stdin: what is piped in.
    """
    arguments = tuple(" ".join(words).split())
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=logged_environment(world),
    ) as process:
        try:
            with watched(world, process.pid):
                out, err = process.communicate(stdin, SECONDS)
        finally:
            process.kill()
    ran = Ran(arguments, process.returncode, out, err, b"")
    world.runs.append(ran)
    return ran

"""Arguments, order, and the exit status of a run."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .books import books
from .commands import one_shot, start_up
from .crowds import crowds
from .decoding import decoding
from .environments import PACKAGES, REPOSITORY, Environment, Unavailable, here, install
from .heavy import large_input, terminal
from .measure import Lab, pin_apart
from .serving import running_server
from .streams import streams
from .table import Section, render

__all__ = ["main"]

SCENARIOS: dict[str, Callable[[Lab], Section | list[Section]]] = {
    "one-shot": one_shot,
    "start-up": start_up,
    "streams": streams,
    "decoding": decoding,
    "crowds": crowds,
    "books": books,
    "terminal": terminal,
    "large-input": large_input,
}
_NEEDED = ("ours", "httpx")
_UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Distort every figure; children never see them, and neither does the server."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return 1 when a target is missed."""
    options = _parse(arguments)
    for name in _UNWANTED:
        os.environ.pop(name, None)
    try:
        environments, notes = _environments(options)
    except Unavailable as error:
        print(f"Cannot install what is to be measured: {error}", file=sys.stderr)
        return 2
    sections: list[Section] = []
    with tempfile.TemporaryDirectory() as home, running_server() as (server, pid):
        if not pin_apart(pid):
            notes.append("client and server share their CPUs: this system cannot pin them")
        lab = Lab(environments, server, Path(home), options.repeats, options.quick)
        for name in options.scenarios or SCENARIOS:
            print(f"{name} …", file=sys.stderr, flush=True)
            found = SCENARIOS[name](lab)
            sections += found if isinstance(found, list) else [found]
    print(render(sections))
    for note in notes:
        print(f"· {note}")
    missed = sum(not check.met for section in sections for check in section.checks)
    if options.quick:
        print("· --quick: the figures mean nothing")
        return 0
    print(f"{missed} targets missed" if missed else "every target met")
    return 1 if missed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="see whether it runs at all")
    parser.add_argument("--repeats", type=int, help="runs per contender; 7, or 1 with --quick")
    parser.add_argument(
        "--environments",
        type=Path,
        default=REPOSITORY / ".venv",
        help="where the contenders' environments are kept",
    )
    options = parser.parse_args(arguments)
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    if options.repeats is None:
        options.repeats = 1 if options.quick else 7
    if options.repeats < 1:
        parser.error("--repeats must be 1 or more")
    return options


def _environments(options: argparse.Namespace) -> tuple[dict[str, Environment], list[str]]:
    """Return the environments there are, and a note for each that there is not.

    Raises:
        Unavailable: one without which there is nothing to compare.
    """
    if options.quick:
        return dict.fromkeys(_NEEDED, here()), ["peers are left out: --quick installs nothing"]
    found: dict[str, Environment] = {}
    notes: list[str] = []
    for name in (*_NEEDED, *(name for name in PACKAGES if name not in _NEEDED)):
        print(f"installing {name} …", file=sys.stderr, flush=True)
        try:
            found[name] = install(name, options.environments)
        except Unavailable as error:
            if name in _NEEDED:
                raise
            notes.append(f"{name} is left out, it cannot be installed: {error}")
    return found, notes

"""Ctrl-C before every single line of the stores, one after another.

`python -m tests.storage.interrupts settle|release|reserve|begin` does one thing with a ledger as
often as it has lines, does it again after the interrupt as the engine does, prints how many
interrupts there were, and fails when the books are not exact then. A process of its own, because it
needs the interpreter's trace function for itself.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from llm_client.storage import database, ledger, reservations, slots
from llm_client.storage.ledger import Ledger

from ..engine.interrupts import InterruptAt
from .ledger_work import a_claim, a_record

FILES = {str(module.__file__) for module in (database, ledger, reservations, slots)}


def interrupted(line: int, action: Callable[[], object]) -> bool:
    """Do something with Ctrl-C before a line, and again if it came; return whether it came."""
    with InterruptAt(FILES, line) as interrupt:
        try:
            action()
        except KeyboardInterrupt:
            sys.settrace(None)
            # While the first one is still being handled, as in the engine.
            action()
    return interrupt.left <= 0


def counts(books: Ledger) -> tuple[int, int, int]:
    """Return how many rows and reservations there are, and what was spent."""

    def work(connection: database.Connection) -> tuple[int, int, int]:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return (
            connection.execute("SELECT count(*) FROM attempts").fetchone()[0],
            connection.execute("SELECT count(*) FROM reservations").fetchone()[0],
            connection.execute("SELECT coalesce(sum(cost), 0) FROM spending").fetchone()[0],
        )

    return books.database.read(work)


def main(what: str) -> None:
    directory = Path(tempfile.mkdtemp())
    books = Ledger(directory / "ledger.db")
    line, came = 0, True
    while came:
        line += 1
        call_id = f"call {line}"
        reserve = partial(books.reserve, a_claim(call_id))
        settle = partial(books.settle, a_record(call_id), "openai", 0.0)
        release = partial(books.release, call_id, 1)
        expected = (0, line, 0)
        match what:
            case "begin":
                books.close()
                shutil.rmtree(directory)
                came, expected = interrupted(line, reserve), (0, 1, 0)
            case "reserve":
                came = interrupted(line, reserve)
            case "release":
                reserve()
                came, expected = interrupted(line, release), (0, 0, 0)
            case _:
                reserve()
                came, expected = interrupted(line, settle), (line, 0, line * 1_000_000)
        assert counts(books) == expected, (line, counts(books))
    books.close()
    shutil.rmtree(directory)
    print(line - 1)


if __name__ == "__main__":
    main(sys.argv[1])

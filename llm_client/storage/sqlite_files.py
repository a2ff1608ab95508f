"""One SQLite file: how it is opened here, whether it is damaged, and how it is put aside then.

Owns nothing that lasts; `database.py` keeps the connection, and sees to it that nobody else moves
the file meanwhile.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["CHECKPOINTS", "DAMAGED", "code_of", "connected", "discard", "set_aside"]

CHECKPOINTS: Final = "PRAGMA wal_autocheckpoint=500"
"""After how many pages (2 MB) the log is written back. The next process to open the file reads the
whole log: 0.7 ms; with SQLite's own 1000 it takes twice that, with fewer every writer pays."""
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def connected(path: Path) -> sqlite3.Connection:
    """Return a connection to a file, which is made when it is missing."""
    # Without a timeout: waiting inside SQLite holds back Ctrl-C, and gets longer and longer.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        if sys.version_info >= (3, 12):
            # Whoever is last would write the log back: 1 ms and two waits for the disk.
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        connection.execute(CHECKPOINTS)
    except BaseException:
        connection.close()
        raise
    return connection


def code_of(error: Exception) -> int:
    """Return SQLite's primary code of an error; 0 when Python found it itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def set_aside(path: Path, newest: int) -> Path | None:
    """Rename a file if it is damaged, and return its new name.

    Args:
        path: of the file.
        newest: version that is known; what a newer one looks like when it is whole is not known.
    """
    if not _is_damaged(path, newest):
        return None
    aside = _unused(path)
    # The log first: next to an empty database SQLite would delete it.
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def discard(aside: Path) -> None:
    """Delete a file that was set aside; what cannot be deleted stays."""
    for suffix in ("-wal", "-shm", ""):
        with suppress(OSError):
            Path(f"{aside}{suffix}").unlink()


def _is_damaged(path: Path, newest: int) -> bool:
    connection = connected(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > newest:
            return False
        found: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if code_of(error) not in DAMAGED:
            raise
        return True
    finally:
        connection.close()
    return found != "ok"


def _unused(path: Path) -> Path:
    """Return a name for a damaged file that no other has."""
    aside = first = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    number = 1
    while aside.exists():
        number += 1
        aside = first.with_name(f"{first.name}-{number}")
    return aside

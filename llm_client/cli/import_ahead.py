"""Imports done while the request is under way, so that the wait for the answer hides them.

What draws Markdown takes 100 ms to import. In a thread of its own that would still delay the
request, because both need the interpreter: so the thread starts late and yields often.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from importlib import import_module

__all__ = ["import_ahead"]

HEAD_START_SECONDS = 0.02
"""For the request to be on its way: making it and connecting on loopback takes 5 to 10 ms."""
_SWITCH_SECONDS = 0.0005
"""How long the import may keep the interpreter from whoever wants it; the default is ten times
as long, and a connection over TLS takes several turns."""


def import_ahead(module: str) -> threading.Thread:
    """Import a module in the background, soon. Whoever needs it earlier imports it himself."""
    thread = threading.Thread(target=_import, args=(module,), daemon=True)
    thread.start()
    return thread


def _import(module: str) -> None:
    time.sleep(HEAD_START_SECONDS)
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        # A failure shows again, and better, where the module is used.
        with suppress(Exception):
            import_module(module)
    finally:
        sys.setswitchinterval(before)

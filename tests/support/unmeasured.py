"""Programs that are sent signals run without coverage.py.

Its tracer takes a lock in Python code, and an interrupt that arrives there leaves it locked for
ever: the program under test hangs in the tool, not in itself (coverage 7.15, seen 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["unmeasured"]


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a new process is not measured."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE_")}

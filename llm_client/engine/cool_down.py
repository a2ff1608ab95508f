"""Which providers failed a moment ago, so that calls with another choice ask that first.

Owns the memory of one process. What counts as a failure, and for how long, is `policy/retry.py`'s
business.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TypeAlias

from ..exceptions import LLMError
from ..types.secret import Secret
from ..types.target import Target

__all__ = ["COOL_DOWNS", "CoolDowns"]

_MOST = 1000
"""A service that passes its users' keys on must not remember each of them for ever."""
_Identity: TypeAlias = tuple[str, str, Secret | None, Secret | None]


class CoolDowns:
    """Providers that are passed over for a while. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[_Identity, tuple[float, LLMError]] = {}

    def failed(self, target: Target, error: LLMError, until: float) -> None:
        """Remember that a target's provider failed, up to a time on the engine's clock."""
        remembered = _without_frames(error)
        with self._lock:
            self._failures.pop(_identity(target), None)  # it becomes the newest
            if len(self._failures) >= _MOST:
                del self._failures[next(iter(self._failures))]
            self._failures[_identity(target)] = until, remembered

    def succeeded(self, target: Target) -> None:
        """Forget the failure of a target's provider."""
        if self._failures:
            with self._lock:
                self._failures.pop(_identity(target), None)

    def order(self, route: Sequence[Target], now: float) -> tuple[list[int], LLMError | None]:
        """Return the positions of a route in the order in which to ask.

        Those whose provider failed come last: when nobody else answers they are asked all the same.
        With it comes why the first choice is not the first, `None` if it is.
        """
        order = list(range(len(route)))
        if not self._failures or len(route) < 2:
            return order, None
        with self._lock:
            known = [self._failures.get(_identity(target)) for target in route]
        failures = [None if entry is None or entry[0] <= now else entry[1] for entry in known]
        order.sort(key=lambda position: failures[position] is not None)
        return order, failures[0] if order[0] != 0 else None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._failures.clear()


def _identity(target: Target) -> _Identity:
    """Return whose failure it is: another key or address may fare better, another model not."""
    return target.provider.name, target.base_url, target.api_key, target.basic_auth


def _without_frames(error: LLMError) -> LLMError:
    """Return a copy of an error that keeps nothing alive, neither frames nor what was answered."""
    import copy  # only where something failed

    remembered = copy.copy(error)
    remembered.partial = ""
    return remembered


COOL_DOWNS = CoolDowns()
"""Of this process."""

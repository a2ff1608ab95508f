"""A keyring of the test's own in the place of the system's, and stores that start anew.

Owns what stands in for the `keyring` package's backend; the real Secret Service is in
`keyring_session.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keyring
import keyring.errors
import pytest

from llm_client.storage import key_command, keyring_store, stored_keys

BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
"""Variables with which a keyring may exist, as far as can be seen from here."""


class FakeKeyring:
    """Keeps passwords in a dictionary; fails as it is told."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.failure: Exception | None = None
        self.before: Callable[[], Any] = lambda: None
        self.asked: list[tuple[str, str]] = []
        self.only_reads = False
        self.loses = False
        self.never_deletes = False

    def get_password(self, service: str, user: str) -> str | None:
        self._begin("get", user)
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self._begin("set", user)
        if self.only_reads:
            raise NotImplementedError
        if not self.loses:
            self.kept[service, user] = password

    def delete_password(self, service: str, user: str) -> None:
        self._begin("delete", user)
        if self.never_deletes:
            raise keyring.errors.PasswordDeleteError("no")
        del self.kept[service, user]

    def _begin(self, what: str, user: str) -> None:
        self.asked.append((what, user))
        self.before()
        if self.failure is not None:
            raise self.failure


def use_keyring(patch: pytest.MonkeyPatch, backend: object) -> None:
    """Make the `keyring` package choose a backend."""
    patch.setattr(keyring, "get_keyring", lambda: backend)
    for name, value in BUS.items():
        patch.setenv(name, value)


def forget_stores(patch: pytest.MonkeyPatch) -> None:
    """Make the stores forget what happened in other tests of this process."""
    patch.setattr(keyring_store._State, "trouble", None)
    patch.setattr(keyring_store._State, "until", 0.0)
    patch.setattr(key_command, "_runs", {})
    patch.setattr(stored_keys, "_told", {})
    patch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    patch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    patch.delenv("DISPLAY", raising=False)
    patch.delenv("WAYLAND_DISPLAY", raising=False)

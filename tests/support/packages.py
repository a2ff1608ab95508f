"""Programs of the system that a test needs: shells, a Secret Service.

They are installed by `.ci/packages`. Where they are absent a developer's test is skipped; in CI,
which sets the variable `CI`, it fails, so that an installation that failed cannot hide.
"""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["PACKAGES", "needs"]

PACKAGES = {
    "gnome-keyring-daemon": "gnome-keyring",
    "dbus-daemon": "dbus-x11",
    "dbus-send": "dbus-x11",
    "zsh": "zsh",
    "fish": "fish",
}
"""The programs that `.ci/packages` brings, and the packages that it installs for them."""


def needs(*programs: str) -> None:
    """Skip the test where a program is absent; in CI, fail it."""
    assert {*programs} <= {*PACKAGES, "bash"}, "CI would not have it: add it to `.ci/packages`"
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    message = f"not installed: {', '.join(missing)}; on Debian run `.ci/packages`"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)

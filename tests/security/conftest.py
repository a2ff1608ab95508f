"""The world of each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from .world import World


@pytest.fixture
def world(clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine on which nothing has run yet."""
    return World.make(clean_environment, tmp_path, monkeypatch)

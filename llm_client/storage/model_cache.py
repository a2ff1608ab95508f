"""The model lists of providers, kept on disk for a while and shared by all processes.

One small JSON file per provider and address. Anything wrong with a file means only that the list
is fetched again; a directory that cannot be written costs the cache, never the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError
from ..types.models import ModelInfo
from ..types.target import Target

__all__ = ["ModelCache"]


class ModelCache:
    """Model lists with an age limit."""

    def __init__(
        self, directory: Path, ttl: float, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Keep lists under `directory` for `ttl` seconds; 0 or less keeps none."""
        self._directory = directory
        self._ttl = ttl
        self._wall_clock = wall_clock

    def load(self, target: Target) -> list[ModelInfo] | None:
        """Return the list of a target, if a fresh one is there."""
        try:
            stored = json.loads(self._path(target).read_bytes())
            age = self._wall_clock() - stored["time"]
            if 0 <= age < self._ttl:
                return [_model(row) for row in stored["models"]]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return None

    def store(self, target: Target, models: list[ModelInfo]) -> None:
        """Keep the list of a target."""
        if self._ttl <= 0:
            return
        content = {"time": self._wall_clock(), "models": [asdict(model) for model in models]}
        path = self._path(target)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        except OSError:
            return
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)

    def invalidate(self) -> None:
        """Forget every list.

        Raises:
            ConfigurationError: one cannot be deleted.
        """
        for path in self._directory.glob("*.json"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"Cannot delete the cached model list {str(path)!r}: {error.strerror}."
                ) from None

    def _path(self, target: Target) -> Path:
        key = target.api_key.reveal() if target.api_key else ""
        provider = target.provider
        identity = "\n".join((provider.name, provider.dialect, target.base_url, target.query, key))
        digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]
        return self._directory / f"{target.provider.name}-{digest}.json"


def _model(row: dict[str, Any]) -> ModelInfo:
    model = ModelInfo(**row)
    # JSON has no tuples.
    return (
        model
        if model.capabilities is None
        else replace(model, capabilities=tuple(model.capabilities))
    )

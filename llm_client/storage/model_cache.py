"""The model lists of providers, kept on disk for a while and shared by all processes.

One small JSON file per provider, address and account. Anything wrong with a file means only that
the list is fetched again; a directory that cannot be written costs the cache, never the answer.
What a list is good for once it is old is for its reader to say: none is thrown away for its age.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from ..types.config import Settings
from ..types.models import ModelInfo
from ..types.target import Target
from .paths import cache_dir
from .private_files import make_private_directory

__all__ = ["ModelCache", "StoredList", "open_model_cache"]

_DAMAGE = (OSError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a file can raise that is torn, foreign or of another version."""


class StoredList(NamedTuple):
    """A model list as it was found."""

    models: list[ModelInfo]
    age: float | None
    """Seconds since the provider sent it; `None` when the clock was changed meanwhile."""
    is_fresh: bool


class ModelCache:
    """Model lists with an age limit."""

    def __init__(
        self, directory: Path, ttl: float, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Keep lists under `directory`, fresh for `ttl` seconds; 0 or less keeps none."""
        self._directory = directory
        self._ttl = ttl
        self._wall_clock = wall_clock

    def load(self, target: Target) -> StoredList | None:
        """Return the list of a target, fresh or not, if there is one."""
        if self._ttl <= 0:
            return None
        try:
            stored = json.loads(self._path(target).read_bytes())
            age = self._wall_clock() - stored["time"]
            models = _models(stored["models"])
        except _DAMAGE:
            return None
        if not math.isfinite(age):
            return None
        return StoredList(models, age if age >= 0 else None, 0 <= age < self._ttl)

    def store(self, target: Target, models: list[ModelInfo]) -> None:
        """Keep the list of a target."""
        if self._ttl <= 0:
            return
        content = {"time": self._wall_clock(), "models": [asdict(model) for model in models]}
        path = self._path(target)
        try:
            make_private_directory(path.parent)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        except OSError:
            return
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(content))
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def stored_models(self, provider: str | None = None) -> Iterator[ModelInfo]:
        """Yield what all lists have, fresh or not, or those of one provider."""
        prefix = None if provider is None else _file_name(provider)
        for path in sorted(self._directory.glob("*.json")):
            if prefix is not None and path.stem.rpartition("-")[0] != prefix:
                continue
            try:
                models = _models(json.loads(path.read_bytes())["models"])
            except _DAMAGE:
                continue
            yield from models

    def invalidate(self) -> None:
        """Forget every list, and what processes that were killed have left.

        Raises:
            ConfigurationError: one cannot be deleted.
        """
        for path in [*self._directory.glob("*.json"), *self._directory.glob("*.tmp")]:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"Cannot delete the cached model list {str(path)!r}: {error.strerror}."
                ) from None

    def _path(self, target: Target) -> Path:
        provider = target.provider
        # What may make a provider show another list: the account, and who is said to ask.
        account = [
            secret.reveal() if secret else "" for secret in (target.api_key, target.basic_auth)
        ]
        said = (provider.name, provider.dialect, target.base_url, target.query, *account)
        identity = json.dumps([*said, *map(list, target.headers)])
        digest = hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]
        return self._directory / f"{_file_name(provider.name)}-{digest}.json"


def open_model_cache(
    settings: Settings, environ: Mapping[str, str], *, ttl: float | None = None
) -> ModelCache:
    """Return the cache of this user.

    Args:
        settings: of configuration file and environment.
        environ: may say where it is.
        ttl: seconds, over the settings.
    """
    directory = cache_dir(environ) / "models"
    return ModelCache(directory, settings.models_ttl if ttl is None else ttl)


def _file_name(provider: str) -> str:
    """Return a provider's name, which the user may have chosen, as a part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in provider)


def _models(rows: list[dict[str, Any]]) -> list[ModelInfo]:
    return [_model(row) for row in rows]


def _model(row: dict[str, Any]) -> ModelInfo:
    if not all(isinstance(row[name], str) for name in ("id", "provider")):
        raise TypeError("a model without a name")
    model = ModelInfo(**row)
    # JSON has no tuples.
    return (
        model
        if model.capabilities is None
        else replace(model, capabilities=tuple(model.capabilities))
    )

"""Where files live: configuration under `~/.config`, data and caches where the platform puts them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..exceptions import ConfigurationError

__all__ = ["APP_NAME", "cache_dir", "config_file", "credentials_path", "data_dir", "expanded"]

APP_NAME = "llm_client"


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the configuration file, whether it exists or not.

    `$LLM_CLIENT_CONFIG`, else `config.toml` under `$XDG_CONFIG_HOME/llm_client`, else under
    `~/.config/llm_client`; on Windows where the platform wants it.

    Raises:
        ConfigurationError: there is no home directory, or not that of the user who is named.
    """
    if (named := _named("LLM_CLIENT_CONFIG", environ)) is not None:
        return named
    if sys.platform == "win32" and not environ.get("XDG_CONFIG_HOME"):  # pragma: no cover
        import platformdirs

        return platformdirs.user_config_path(APP_NAME, appauthor=False) / "config.toml"
    return _xdg_dir(environ, "XDG_CONFIG_HOME", ".config") / "config.toml"


def credentials_path(source: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the file of keys: `$LLM_CLIENT_CREDENTIALS`, else beside the configuration.

    Args:
        source: the configuration file that was read; `None`: there is none.
        environ: the environment that the usual places are looked up in.

    Raises:
        ConfigurationError: as for `config_file`.
    """
    if (named := _named("LLM_CLIENT_CREDENTIALS", environ)) is not None:
        return named
    beside = config_file(environ) if source is None else Path(source)
    return beside.with_name("credentials.toml")


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what can be made again: `$LLM_CLIENT_CACHE_DIR`, else the platform's.

    It need not exist yet.

    Raises:
        ConfigurationError: as for `config_file`.
    """
    if (named := _named("LLM_CLIENT_CACHE_DIR", environ)) is not None:
        return named
    if sys.platform != "linux":  # pragma: no cover - only Linux in CI
        import platformdirs

        return platformdirs.user_cache_path(APP_NAME, appauthor=False)
    return _xdg_dir(environ, "XDG_CACHE_HOME", ".cache")


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what cannot be made again: `$LLM_CLIENT_DATA_DIR`, else the platform's.

    It need not exist yet.

    Raises:
        ConfigurationError: as for `config_file`.
    """
    if (named := _named("LLM_CLIENT_DATA_DIR", environ)) is not None:
        return named
    if sys.platform != "linux":  # pragma: no cover - only Linux in CI
        import platformdirs

        return platformdirs.user_data_path(APP_NAME, appauthor=False)
    return _xdg_dir(environ, "XDG_DATA_HOME", ".local/share")


def expanded(path: str | Path) -> Path:
    """Return a path as users write it, with the home directory in the place of its `~`.

    Raises:
        ConfigurationError: nobody has that home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f"There is no home directory for the path {str(path)!r}.",
            hint="Write it without the `~`.",
        ) from None


def _named(variable: str, environ: Mapping[str, str]) -> Path | None:
    """Return the path that a variable has; `None` when it is not set."""
    text = environ.get(variable, "")
    if not text.strip():
        return None
    try:
        return expanded(text)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"In {variable}: {error.message}", hint=f"{error.hint} Or `unset {variable}`."
        ) from None


def _xdg_dir(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return what platformdirs says on Linux; importing it takes 16 ms."""
    named = environ.get(variable, "")
    # The specification wants relative ones ignored.
    if os.path.isabs(named):
        return Path(named) / APP_NAME
    home = environ.get("HOME")
    try:
        return (Path(home) if home else Path.home()) / default / APP_NAME
    except RuntimeError:
        raise ConfigurationError(
            "Nothing says where your home directory is.", hint="Set it: `export HOME=/somewhere`."
        ) from None

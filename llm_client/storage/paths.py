"""Where files live: configuration under `~/.config`, data and caches where the platform puts them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["APP_NAME", "cache_dir", "config_file", "data_dir"]

APP_NAME = "llm_client"


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the configuration file, whether it exists or not.

    `$LLM_CLIENT_CONFIG`, else `config.toml` under `$XDG_CONFIG_HOME/llm_client`, else under
    `~/.config/llm_client`; on Windows where the platform wants it.
    """
    if named := environ.get("LLM_CLIENT_CONFIG"):
        return Path(named).expanduser()
    if xdg := environ.get("XDG_CONFIG_HOME"):
        return Path(xdg) / APP_NAME / "config.toml"
    if sys.platform == "win32":  # pragma: no cover - no Windows in CI
        import platformdirs

        return platformdirs.user_config_path(APP_NAME, appauthor=False) / "config.toml"
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".config" / APP_NAME / "config.toml"


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what can be made again: `$LLM_CLIENT_CACHE_DIR`, else the platform's.

    It need not exist yet.
    """
    if named := environ.get("LLM_CLIENT_CACHE_DIR"):
        return Path(named).expanduser()
    if sys.platform != "linux":  # pragma: no cover - only Linux in CI
        import platformdirs

        return platformdirs.user_cache_path(APP_NAME, appauthor=False)
    return _xdg_dir(environ, "XDG_CACHE_HOME", ".cache")


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory for what cannot be made again: `$LLM_CLIENT_DATA_DIR`, else the platform's.

    It need not exist yet.
    """
    if named := environ.get("LLM_CLIENT_DATA_DIR"):
        return Path(named).expanduser()
    if sys.platform != "linux":  # pragma: no cover - only Linux in CI
        import platformdirs

        return platformdirs.user_data_path(APP_NAME, appauthor=False)
    return _xdg_dir(environ, "XDG_DATA_HOME", ".local/share")


def _xdg_dir(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return what platformdirs says on Linux; importing it takes 16 ms."""
    named = environ.get(variable, "")
    # The specification wants relative ones ignored.
    if os.path.isabs(named):
        return Path(named) / APP_NAME
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / default / APP_NAME

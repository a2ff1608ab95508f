"""Where data and caches live: as platformdirs says, without importing it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from llm_client.storage.paths import APP_NAME, cache_dir, data_dir


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_DATA_HOME": "/somewhere/data", "XDG_CACHE_HOME": "/somewhere/cache"},
        {"XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""},
        {"XDG_DATA_HOME": "relative/data", "XDG_CACHE_HOME": "relative/cache"},
        {"HOME": "/home/of/somebody"},
        {"HOME": None},
    ],
    ids=["home", "xdg", "empty", "relative", "another home", "no home"],
)
def test_directories_are_those_of_platformdirs(
    variables: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "LLM_CLIENT_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert data_dir() == platformdirs.user_data_path(APP_NAME, appauthor=False)
    assert cache_dir() == platformdirs.user_cache_path(APP_NAME, appauthor=False)


def test_own_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"LLM_CLIENT_DATA_DIR": "~/data", "LLM_CLIENT_CACHE_DIR": "/cache"}
    assert data_dir(environ) == Path.home() / "data"
    assert cache_dir(environ) == Path("/cache")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_platformdirs_is_not_imported() -> None:
    code = (
        "import sys; from llm_client.storage.paths import cache_dir, data_dir\n"
        "cache_dir({}), data_dir({})\n"
        "assert 'platformdirs' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0

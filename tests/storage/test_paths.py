"""Where data and caches live: as platformdirs says, without importing it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import platformdirs
import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.paths import APP_NAME, cache_dir, config_file, credentials_path, data_dir


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


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("LLM_CLIENT_CONFIG", config_file),
        ("LLM_CLIENT_CREDENTIALS", partial(credentials_path, None)),
        ("LLM_CLIENT_CACHE_DIR", cache_dir),
        ("LLM_CLIENT_DATA_DIR", data_dir),
    ],
)
def test_blank_variable_names_no_place_and_home_of_nobody_is_told(
    variable: str, place: Callable[[Mapping[str, str]], Path], tmp_path: Path
) -> None:
    usual = {"HOME": str(tmp_path)}

    assert place({**usual, variable: " "}) == place(usual)
    with pytest.raises(ConfigurationError) as caught:
        place({variable: "~nobody-of-this-name/x"})
    assert caught.value.message == (
        f"In {variable}: There is no home directory for the path '~nobody-of-this-name/x'."
    )
    assert (caught.value.hint or "").endswith(f"Or `unset {variable}`.")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("place", [config_file, cache_dir, data_dir])
def test_user_without_a_home_is_told_to_name_one(
    place: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under a number which no user has."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54_321)

    with pytest.raises(ConfigurationError, match="Nothing says where your home directory is"):
        place({})
    assert place({"HOME": "/h"}).is_relative_to("/h")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_platformdirs_is_not_imported() -> None:
    code = (
        "import sys; from llm_client.storage.paths import cache_dir, data_dir\n"
        "cache_dir({}), data_dir({})\n"
        "assert 'platformdirs' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0

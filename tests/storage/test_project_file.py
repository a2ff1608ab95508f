"""`.llm_client.toml`: what it may say, and that what lies behind it never shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.layers import PROFILE_PLACE
from llm_client.storage import project_file
from llm_client.storage.project_file import ProjectFile

SECRET = "sk-proj-Zm9vYmFyYmF6cXV4"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".llm_client.toml"


def test_three_settings_are_read_with_their_lines(path: Path) -> None:
    path.write_text(
        '# ours\nprofile = "fast"\n\nproject = "web"\nsystem = """\nprofile = no\n"""\n'
    )
    found = ProjectFile.read(str(path))
    assert found is not None
    assert found.said == {"profile": "fast", "project": "web", "system": "profile = no\n"}
    assert found.lines == {"profile": 2, "project": 4, "system": 5}
    assert found.place("project") == f"{path}, line 4"


def test_it_speaks_for_variables_that_are_not_set(path: Path) -> None:
    path.write_text('profile = "fast"\nproject = "web"\nsystem = " "\n')
    found = ProjectFile.read(str(path))
    assert found is not None
    environ = {"HOME": "/h", "LLM_CLIENT_PROJECT": "mine", "LLM_CLIENT_PROFILE": " "}
    place = {PROFILE_PLACE: f"{path}, line 1"}
    assert found.over(environ) == {**environ, "LLM_CLIENT_PROFILE": "fast", **place}
    assert found.without_profile().over(environ) == environ
    assert environ["LLM_CLIENT_PROFILE"] == " "


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ('base_url = "http://evil/v1"', 1, "base_url"),
        ('\n[providers.openai]\nbase_url = "http://evil/v1"', 2, "providers"),
        ('[providers]\nx.api_key_command = ["sh", "-c", "evil"]', 1, "providers"),
        ('api_key = "evil"', 1, "api_key"),
        ('model = "evil/m"', 1, "model"),
        ("[profiles.a]\nfallback = ['evil/m']", 1, "profiles"),
        ("[tools]\nallow = ['*']", 1, "tools"),
        ("[credentials]\nstore = 'file'", 1, "credentials"),
        ("verify_ssl = false", 1, "verify_ssl"),
    ],
    ids=lambda value: value if isinstance(value, str) and "=" not in value else "",
)
def test_what_reaches_further_is_refused_by_name(
    path: Path, text: str, line: int, name: str
) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        ProjectFile.read(str(path))
    assert str(caught.value) == (
        f"In the project file {path}, line {line}: {name!r} can never be set there, "
        "only profile, project, system."
    )
    assert "`llm-client config set KEY VALUE`" in str(caught.value.hint)


def test_misspelt_name_is_told(path: Path) -> None:
    path.write_text('projct = "x"')
    with pytest.raises(ConfigurationError) as caught:
        ProjectFile.read(str(path))
    assert caught.value.hint == "Did you mean 'project'?"


def test_value_of_a_wrong_type_does_not_show(path: Path) -> None:
    path.write_text(f"profile = ['{SECRET}']")
    with pytest.raises(ConfigurationError, match=r"line 1: profile must be a text") as caught:
        ProjectFile.read(str(path))
    assert SECRET not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SECRET.encode(), "is no TOML: "),
        (f'a = 1\nb = "{SECRET}\n'.encode(), "is no TOML: see line 2"),
        (f"[{SECRET}]\n[{SECRET}]\n".encode(), "is no TOML: see line 2"),
        (b"a = 1\n# \xff" + SECRET.encode(), "is not UTF-8: see line 2"),
        (b"a = " + b"[" * 3000, "is no TOML: "),
        (b"#" * 65537, "is longer than 64 kB"),
    ],
    ids=["text", "open text", "twice", "bytes", "deep", "long"],
)
def test_what_is_no_project_file_does_not_show(path: Path, data: bytes, reason: str) -> None:
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        ProjectFile.read(str(path))
    assert reason in str(caught.value)
    assert SECRET not in f"{caught.value}{caught.value.hint}"


def test_longest_that_is_read(path: Path) -> None:
    path.write_text('project = "x"\n' + "#" * (65536 - 14))
    found = ProjectFile.read(str(path))
    assert found is not None
    assert found.said == {"project": "x"}


def test_link_is_never_followed(path: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.toml"
    credentials.write_text(f'profile = "{SECRET}"\n')
    path.symlink_to(credentials)
    with pytest.raises(ConfigurationError, match="is a link, which is never followed") as caught:
        ProjectFile.read(str(path))
    assert "LLM_CLIENT_PROJECT_FILE=off" in str(caught.value.hint)
    assert SECRET not in str(caught.value)


def test_link_that_comes_between_two_looks_is_not_followed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials.toml"
    credentials.write_text(f'profile = "{SECRET}"\n')
    path.symlink_to(credentials)
    monkeypatch.setattr(os, "lstat", os.stat)
    with pytest.raises(ConfigurationError, match="Cannot read the project file"):
        ProjectFile.read(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "directory"])
def test_what_is_no_regular_file_is_refused_at_once(path: Path, make: object) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(ConfigurationError, match="is no regular file"):
        ProjectFile.read(str(path))


def test_file_of_another_user_where_everybody_may_write_is_not_read(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text('system = "Obey."\n')
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    monkeypatch.setattr(project_file, "_SUPERUSER", -1)
    found = ProjectFile.read(str(path))
    assert found is not None  # the directory is its owner's alone: who goes there, means it
    tmp_path.chmod(0o1777)
    assert ProjectFile.read(str(path)) is None

"""The configuration file changed on the disk: whole or not at all, and by one process at a time."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage import config_edit
from llm_client.storage.config_edit import (
    changing,
    file_behind,
    read_text,
    set_setting,
    unset_setting,
)

from ..cli.program import ROOT

VALID = "# mine\n[retry]\nmax_retries = 1 # few\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_missing_file_is_made_for_this_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    document = set_setting(file, ("retry", "delay"), 2.0)
    assert file.read_text() == "[retry]\ndelay = 2.0\n" == document.text
    assert (mode_of(file), mode_of(file.parent)) == (0o600, 0o700)


def test_mode_of_the_file_and_the_link_to_it_stay(tmp_path: Path, file: Path) -> None:
    file.write_text(VALID)
    file.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    set_setting(link, ("retry", "max_retries"), 2)
    assert link.is_symlink()
    assert file.read_text() == VALID.replace("= 1", "= 2")
    assert mode_of(file) == 0o640


def test_link_to_nothing_is_filled(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    set_setting(link, ("retry", "max_retries"), 2)
    assert link.is_symlink()
    assert file.read_text() == "[retry]\nmax_retries = 2\n"


@pytest.mark.parametrize(
    ("before", "names", "value", "message"),
    [
        (VALID, ("retry", "max_retries"), "x", "retry.max_retries must be a whole number"),
        (VALID, ("retry", "many"), 1, "there is no setting 'retry.many'"),
        (VALID, ("default_profile",), "gone", "'gone', and there is no such profile"),
        (VALID + "[nonsense]\n", ("retry", "delay"), 1, "there is no setting 'nonsense'"),
        ("[retry\n", ("retry", "delay"), 1, "cannot be parsed"),
    ],
    ids=["wrong value", "unknown", "dangling", "wrong already", "broken already"],
)
def test_change_that_makes_no_valid_file_leaves_every_byte(
    file: Path, before: str, names: tuple[str, ...], value: object, message: str
) -> None:
    file.write_text(before)
    stamp = file.stat().st_mtime_ns
    with pytest.raises(ConfigurationError, match=message):
        set_setting(file, names, value)
    assert (file.read_text(), file.stat().st_mtime_ns) == (before, stamp)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_not_utf8_is_left_alone(file: Path) -> None:
    file.write_bytes(b"[retry] # \xff\n")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        set_setting(file, ("retry", "delay"), 1)
    assert file.read_bytes() == b"[retry] # \xff\n"


def test_unknown_setting_that_breaks_the_file_can_be_taken_out(file: Path) -> None:
    file.write_text(VALID + "many = 3\n")
    assert unset_setting(file, ("retry", "many")) is not None
    assert file.read_text() == VALID


def test_unsetting_what_is_not_there_writes_nothing(tmp_path: Path, file: Path) -> None:
    assert unset_setting(tmp_path / "none" / "config.toml", ("retry",)) is None
    assert not (tmp_path / "none").exists()
    file.write_text(VALID)
    stamp = file.stat().st_mtime_ns
    assert unset_setting(file, ("cache",)) is None
    assert unset_setting(file, ("retry", "max_retries", "more")) is None
    assert file.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "retry": {\n    "delay": 2\n  }\n}\n'),
        ('{"retry": {"max_retries": 1}}', '{"retry": {"max_retries": 1, "delay": 2}}\n'),
        (
            '{\n    "retry": {\n        "max_retries": 1\n    }\n}\n',
            '{\n    "retry": {\n        "max_retries": 1,\n        "delay": 2\n    }\n}\n',
        ),
        ('{\n\t"retry": {}\n}\n', '{\n\t"retry": {\n\t\t"delay": 2\n\t}\n}\n'),
    ],
    ids=["new", "one line", "four blanks", "tab"],
)
def test_json_keeps_its_indentation(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "config.json"
    if before:
        file.write_text(before)
    set_setting(file, ("retry", "delay"), 2)
    assert file.read_text() == after


def test_json_is_known_by_its_ending_in_any_case(tmp_path: Path) -> None:
    file = tmp_path / "config.JSON"
    set_setting(file, ("retry", "delay"), 2)
    unset_setting(file, ("retry", "delay"))
    assert json.loads(file.read_text()) == {"retry": {}}


def test_json_setting_is_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"retry": {"delay": 2, "max_retries": 1}}')
    unset_setting(file, ("retry", "delay"))
    assert json.loads(file.read_text()) == {"retry": {"max_retries": 1}}


def test_json_with_a_name_twice_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"retry": {"delay": 2, "delay": 3}}')
    with pytest.raises(ConfigurationError, match="a name stands twice"):
        set_setting(file, ("retry", "max_retries"), 2)
    assert file.read_text() == '{"retry": {"delay": 2, "delay": 3}}'


def test_two_processes_at_once_lose_nothing(file: Path) -> None:
    script = (
        "import sys; from pathlib import Path; "
        "from llm_client.storage.config_edit import set_setting\n"
        "for n in range(8): "
        "set_setting(Path(sys.argv[1]), ('pricing', f'{sys.argv[2]}/m{n}', 'input'), n)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(file), name], env=environment)
        for name in ("a", "b", "c")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    import tomllib

    assert len(tomllib.loads(file.read_text())["pricing"]) == 24
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "it is a directory"),
        (lambda path: os.mkfifo(path), "it is no regular file"),
        (lambda path: path.symlink_to(path.name), "Cannot use"),
    ],
    ids=["directory", "pipe", "circle"],
)
def test_what_is_no_file_is_refused(file: Path, make: object, reason: str) -> None:
    assert callable(make)
    make(file)
    with pytest.raises(ConfigurationError, match=reason):
        set_setting(file, ("retry", "delay"), 1)


def test_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Cannot make the directory"):
        set_setting(tmp_path / "file" / "below" / "config.toml", ("retry", "delay"), 1)


def test_read_only_file_is_told_and_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(VALID)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root may write anything
    with pytest.raises(ConfigurationError, match="it is read-only"):
        set_setting(file, ("retry", "delay"), 1)
    assert file.read_text() == VALID


def test_unreadable_file_is_told(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigurationError, match="Cannot read the configuration"):
        read_text(file)


def test_failed_write_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(VALID)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config_edit, "replace_whole", fail)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        set_setting(file, ("retry", "delay"), 1)
    assert file.read_text() == VALID


def test_change_goes_behind_all_links(tmp_path: Path, file: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(file.name)
    assert file_behind(tmp_path / "one") == file.resolve()
    with changing(tmp_path / "one") as replace:
        replace(b"x")
    assert file.read_bytes() == b"x"

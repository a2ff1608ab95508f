"""What tests need from the system: skipped where it is absent, never in CI; how CI installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .support.packages import PACKAGES, needs

SCRIPT = Path(__file__).parent.parent / ".ci" / "packages"
SECONDS = 60.0

on_posix = pytest.mark.skipif(
    sys.platform == "win32" or not SCRIPT.exists() or shutil.which("bash") is None,
    reason="needs bash, and the project around the package",
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_program_that_is_absent_skips_the_test(
    value: str | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path / "zsh", "exit 0")
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)
    with pytest.raises(pytest.skip.Exception, match=r"not installed: fish; .*packages"):
        needs("zsh", "fish")


def test_program_that_is_absent_in_ci_fails_the_test(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not installed: zsh, fish"):
        needs("zsh", "fish")


def test_programs_that_are_there_are_enough(path: Path) -> None:
    program(path / "fish", "exit 0")
    needs("fish")


def test_program_that_ci_does_not_install_is_not_to_be_needed() -> None:
    with pytest.raises(AssertionError, match="add it"):
        needs(Path(sys.executable).name)


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(directory: Path) -> Any:
    """Run the script on a machine that has only what is in a directory, and the barest tools."""
    for name in ("mktemp", "tail", "rm", "env"):
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(found)
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, str(SCRIPT)],
        capture_output=True,
        text=True,
        env={"PATH": str(directory), "TMPDIR": str(directory)},
        timeout=SECONDS,
    )


APT = 'echo "$@" >> "${0%/*}/asked"; echo noise; '


@on_posix
def test_nothing_is_installed_where_nothing_is_missing(tmp_path: Path) -> None:
    for name in PACKAGES:
        program(tmp_path / name, "exit 0")
    program(tmp_path / "apt-get", f"{APT} exit 1")
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "asked").exists()


@on_posix
def test_only_what_is_missing_is_installed_without_a_word(tmp_path: Path) -> None:
    for name in {*PACKAGES} - {"zsh", "fish"}:
        program(tmp_path / name, "exit 0")
    program(tmp_path / "apt-get", APT)
    program(tmp_path / "sudo", 'shift; exec "$@"')  # where this is not root
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "asked").read_text().splitlines() == [
        "update",
        "install --yes --no-install-recommends zsh fish",
    ]
    assert {path.name for path in tmp_path.glob("tmp*")} == set()


@on_posix
def test_installation_that_fails_says_why(tmp_path: Path) -> None:
    program(tmp_path / "apt-get", f"{APT} echo 'no network' >&2; exit 100")
    program(tmp_path / "sudo", 'shift; exec "$@"')
    done = run(tmp_path)
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "Cannot install gnome-keyring dbus-x11" in done.stderr


@on_posix
def test_source_that_cannot_be_reached_is_not_the_end(tmp_path: Path) -> None:
    program(tmp_path / "apt-get", f'{APT} test "$1" = install')
    program(tmp_path / "sudo", 'shift; exec "$@"')
    assert run(tmp_path).returncode == 0
    assert len((tmp_path / "asked").read_text().splitlines()) == 2


@on_posix
def test_machine_without_apt_is_told_what_to_install(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    packages = " ".join(dict.fromkeys(PACKAGES.values()))
    assert done.stderr == f"Some tests need programs of the system: install {packages}.\n"


@on_posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root needs nobody's leave")
def test_user_without_rights_is_told_what_to_install(tmp_path: Path) -> None:
    program(tmp_path / "apt-get", APT)
    program(tmp_path / "sudo", "exit 1")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "install gnome-keyring" in done.stderr
    assert not (tmp_path / "asked").exists()

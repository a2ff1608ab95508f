"""What the program writes is nobody else's to read, whatever the umask is.

Modes are read by `stat`: the tests may run as root, whom no mode keeps out.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .servers import ANSWERS
from .sources import UNSHAPED
from .test_leaks import keyed
from .world import World

UMASKS = pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids="{:03o}".format)

COMMANDS = {
    "config init": "config init --yes",
    "config set": "config set retry.max_retries 1",
    "config set json": "config set retry.max_retries 1 --config {home}/made/config.json",
    "creds set": "creds set openai --store file",
    "generate": "generate -m openai/m --retries 0 --no-stdin hi",
    "cached": "generate -m openai/m --retries 0 --no-stdin --cache hi",
    "models": "models -p openai",
    "health": "health -p openai --deep -m m",
}
"""What writes, each on a machine of its own."""
AFTERWARDS = (
    "usage",
    "usage prune --older-than 0d --yes",
    "models --refresh",
    "config init --yes --force",
    "creds remove openai",
)


@contextmanager
def masking(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def modes(home: Path) -> dict[str, int]:
    """Return the modes of everything below a home."""
    found = {}
    for folder, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(folder) / name
            found[str(path.relative_to(home))] = stat.S_IMODE(path.lstat().st_mode)
    return found


def wrong(home: Path) -> dict[str, str]:
    """Return what is not as it has to be: directories 0700, files 0600."""
    return {
        name: f"{mode:04o}"
        for name, mode in modes(home).items()
        if mode != (0o700 if (home / name).is_dir() else 0o600)
    }


@UMASKS
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_makes_is_private(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, umask: int
) -> None:
    with keyed(world, monkeypatch, "own-variable", UNSHAPED, ANSWERS), masking(umask):
        command = COMMANDS[name].format(home=world.home)
        ran = world.run(command, stdin=b"sk-a-key-0123456789\n")
    assert ran.status == 0, ran.output
    assert modes(world.home), "it made nothing"
    assert wrong(world.home) == {}


@UMASKS
def test_everything_together_is_private(
    world: World, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    with keyed(world, monkeypatch, "own-variable", UNSHAPED, ANSWERS), masking(umask):
        for command in [*COMMANDS.values(), *AFTERWARDS]:
            world.run(command.format(home=world.home), stdin=b"sk-a-key-0123456789\n")
    assert wrong(world.home) == {}


def test_temporary_files_are_gone_and_drafts_private(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = world.work.parent / "editor.sh"
    editor.write_text('stat -c %a "$1" "$(dirname "$1")" >> modes; echo "wrong = 1" >> "$1"\n')
    monkeypatch.setenv("EDITOR", f"sh {editor}")
    world.configure("[retry]\nmax_retries = 1\n")
    assert world.run("config", "edit").status == 3
    assert (world.work / "modes").read_text().split() == ["600", "700"]
    drafts = [path for path in world.directory.iterdir() if "draft" in path.name]
    assert [stat.S_IMODE(path.stat().st_mode) for path in drafts] == [0o600]
    assert [*world.temp.iterdir()] == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_configuration_keeps_the_mode_that_the_user_gave_it(world: World, mode: int) -> None:
    world.configure("# mine\n")
    world.config.chmod(mode)
    world.run("config", "set", "retry.max_retries", "1")
    assert stat.S_IMODE(world.config.stat().st_mode) == mode


def test_backup_of_a_configuration_is_no_wider_than_it(world: World) -> None:
    world.configure('[providers.work]\nheaders = { x = "secret" }\n')
    world.config.chmod(0o600)
    with masking(0o000):
        assert world.run("config", "init", "--yes", "--force").status == 0
    backups = [*world.directory.glob("config.toml.*")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in backups] == [0o600]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o666, 0o602, 0o777])
def test_credentials_that_others_can_use_are_refused_with_the_fix(world: World, mode: int) -> None:
    world.store("openai", UNSHAPED)
    world.credentials.chmod(mode)
    ran = world.run("generate -m openai/m --no-stdin --retries 0 --debug hi")
    assert ran.status == 3
    assert f"`chmod 600 {world.credentials}`" in ran.output
    for command in ("creds list", "creds set openai --store file", "creds remove openai"):
        assert world.run(command, stdin=b"sk-a-key-0123456789").status == 3
    assert stat.S_IMODE(world.credentials.stat().st_mode) == mode
    world.check(UNSHAPED)


@pytest.mark.parametrize("mode", [0o707, 0o770, 0o777, 0o720])
def test_credentials_in_a_directory_that_others_can_write_are_refused(
    world: World, mode: int
) -> None:
    world.store("openai", UNSHAPED)
    world.directory.chmod(mode)
    ran = world.run("generate -m openai/m --no-stdin --retries 0 --debug hi")
    assert ran.status == 3
    assert "can be written by others" in ran.output
    assert f"`chmod go-w {world.directory}`" in ran.output
    world.check(UNSHAPED)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_credentials_of_another_user_are_refused(world: World, what: str) -> None:
    world.store("openai", UNSHAPED)
    os.chown(world.credentials if what == "file" else world.directory, 12345, -1)
    ran = world.run("generate -m openai/m --no-stdin --retries 0 --debug hi")
    assert ran.status == 3
    assert "12345" in ran.output
    world.check(UNSHAPED)


@pytest.mark.parametrize("mode", [0o622, 0o666, 0o620])
def test_command_of_a_configuration_that_others_can_write_is_not_run(
    world: World, mode: int
) -> None:
    command = json.dumps(["touch", str(world.work / "ran")])
    world.configure(f"[providers.openai]\napi_key_command = {command}\n")
    world.config.chmod(mode)
    for line in ("generate -m openai/m --no-stdin hi", "creds list --run", "creds test openai"):
        assert "can be written by others" in world.run(line).output
    assert [*world.work.iterdir()] == []
    assert world.programs == []


def test_command_in_a_directory_that_others_can_write_is_not_run(world: World) -> None:
    command = json.dumps(["touch", str(world.work / "ran")])
    world.configure(f"[providers.openai]\napi_key_command = {command}\n")
    world.directory.chmod(0o777)
    ran = world.run("generate -m openai/m --no-stdin hi")
    assert ran.status == 3
    assert "can be written by others" in ran.output
    assert [*world.work.iterdir()] == []

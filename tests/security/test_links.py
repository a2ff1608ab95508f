"""Configuration and credentials behind links: followed, kept as links, and trusted no further."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from .sources import UNSHAPED
from .world import World

GENERATE = "generate -m openai/m --no-stdin --dry-run --debug hi"


def linked(world: World, name: str, mode: int = 0o700) -> Path:
    """Put a link in the place of a file; return where it leads."""
    target = world.work.parent / "dotfiles"
    target.mkdir(mode=mode)
    target.chmod(mode)
    world.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (world.directory / name).symlink_to(target / name)
    return target / name


def fill(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.lstat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_configuration_behind_a_link_is_changed_there(world: World, mode: int) -> None:
    target = linked(world, "config.toml")
    fill(target, "# mine\n", mode)
    assert world.run("config set retry.max_retries 1").status == 0
    assert world.config.is_symlink()
    assert target.read_text().startswith("# mine\n")
    assert "max_retries = 1" in target.read_text()
    assert mode_of(target) == mode
    assert world.run("config", "validate").status == 0


def test_dangling_link_is_filled_where_it_leads(world: World) -> None:
    target = linked(world, "config.toml")
    assert world.run("config set retry.max_retries 1").status == 0
    assert world.config.is_symlink()
    assert mode_of(target) == 0o600


@pytest.mark.parametrize("name", ["config.toml", "credentials.toml"])
def test_link_in_a_circle_is_an_error_in_words(world: World, name: str) -> None:
    world.directory.mkdir(mode=0o700, parents=True)
    file, other = world.directory / name, world.directory / "other"
    file.symlink_to(other)
    other.symlink_to(file)
    for command in (
        GENERATE,
        "creds list",
        "creds set openai --store file",
        "config show",
        "config set retry.max_retries 1" if name == "config.toml" else "creds remove openai",
    ):
        ran = world.run(command, stdin=b"sk-a-key-0123456789")
        assert ran.status == 3 or (name, command) == ("credentials.toml", "config show"), ran.output
        assert "unforeseen" not in ran.output
    assert file.is_symlink()


def test_credentials_behind_a_link_are_read_and_written_there(world: World) -> None:
    target = linked(world, "credentials.toml")
    fill(target, f'[openai]\napi_key = "{UNSHAPED}"\n')
    world.allowed.add(target)
    assert world.run(GENERATE).status == 0
    done = world.run("creds set groq --store file", stdin=b"gsk_a-key-0123456789")
    assert done.status == 0, done.output
    assert world.credentials.is_symlink()
    assert mode_of(target) == 0o600
    assert "gsk_a-key-0123456789" in target.read_text()
    world.check(UNSHAPED)


def test_dangling_link_gets_credentials_that_are_private(world: World) -> None:
    target = linked(world, "credentials.toml")
    done = world.run("creds set openai --store file", stdin=UNSHAPED.encode())
    assert done.status == 0, done.output
    assert world.credentials.is_symlink()
    assert mode_of(target) == 0o600
    world.allowed.add(target)
    world.check(UNSHAPED)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_credentials_behind_a_link_that_others_can_read_are_refused(
    world: World, mode: int
) -> None:
    target = linked(world, "credentials.toml")
    fill(target, f'[openai]\napi_key = "{UNSHAPED}"\n', mode)
    ran = world.run(GENERATE)
    assert ran.status == 3
    assert "Others can read the credentials" in ran.output


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_link_into_a_directory_that_others_can_write_is_refused(world: World, mode: int) -> None:
    target = linked(world, "credentials.toml", mode)
    fill(target, f'[openai]\napi_key = "{UNSHAPED}"\n')
    for command in (GENERATE, "creds list", "creds set openai --store file"):
        ran = world.run(command, stdin=b"sk-a-key-0123456789")
        assert ran.status == 3
        assert "can be written by others" in ran.output
    assert target.read_text() == f'[openai]\napi_key = "{UNSHAPED}"\n'


def test_link_into_a_directory_that_others_can_write_gets_no_key(world: World) -> None:
    target = linked(world, "credentials.toml", 0o777)
    done = world.run("creds set openai --store file", stdin=UNSHAPED.encode())
    assert done.status == 3
    assert [*target.parent.iterdir()] == []
    world.check(UNSHAPED)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_link_into_the_directory_of_another_user_is_refused(world: World) -> None:
    target = linked(world, "credentials.toml")
    fill(target, f'[openai]\napi_key = "{UNSHAPED}"\n')
    os.chown(target.parent, 12345, -1)
    ran = world.run(GENERATE)
    assert ran.status == 3
    assert "user 12345" in ran.output


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        # A pipe as the configuration is waited for: `--config <(pass show llm)`.
        ("config.toml", "directory"),
        ("config.toml", "device"),
        ("credentials.toml", "pipe"),
        ("credentials.toml", "directory"),
        ("credentials.toml", "device"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting(world: World, name: str, kind: str) -> None:
    world.directory.mkdir(mode=0o700, parents=True)
    path = world.directory / name
    match kind:
        case "pipe":
            os.mkfifo(path, 0o600)
        case "directory":
            path.mkdir(mode=0o700)
        case _:
            path.symlink_to("/dev/zero")
    commands = [GENERATE, "creds list", "creds set openai --store file", "config show"]
    if name == "config.toml":
        commands += ["config set retry.max_retries 1", "config validate", "config init --yes"]
    for command in commands:
        ran = world.run(command, stdin=b"sk-a-key-0123456789")
        assert ran.status == 3 or (name, command) == ("credentials.toml", "config show"), command
        assert "unforeseen" not in ran.output


def test_temporary_name_that_somebody_guessed_is_not_followed(world: World) -> None:
    # What is written goes into a new file of a random name, never through a link.
    victim = world.work.parent / "victim"
    victim.write_text("untouched")
    world.configure("")
    for name in ("credentials.toml.tmp", ".credentials.toml.tmp", "credentials.toml~"):
        (world.directory / name).symlink_to(victim)
    done = world.run("creds set openai --store file", stdin=UNSHAPED.encode())
    assert done.status == 0, done.output
    assert victim.read_text() == "untouched"

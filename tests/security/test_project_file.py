"""`.llm_client.toml` comes with whatever was cloned: it may say three harmless things, and no more."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from llm_client.policy.setting_schema import OTHER_VARIABLES, SETTINGS
from llm_client.providers.catalog import CATALOG
from llm_client.storage.project_file import PROJECT_VARIABLES

from .sources import UNSHAPED
from .world import World

DRY: tuple[str, ...] = ("generate", "-m", "openai/m", "--no-stdin", "--dry-run", "--json", "hi")
HARMLESS = {"profile", "project", "system"}
NAMES = sorted({setting.path for setting in SETTINGS})
FIELDS = sorted(
    {f"providers.{row.name}.{field.name}" for row in CATALOG.values() for field in row.fields}
)
OTHERS = [
    "api_key",
    "base_url",
    "config",
    "allow_tools",
    "tools",
    "tools.allow",
    "tools.bash.permission",
    "permissions",
    "env",
    "include",
    "project_file",
    "PROFILE",
    "Profile",
    "profile.model",
    "system.file",
    *OTHER_VARIABLES,
    *(variable for setting in SETTINGS if (variable := setting.variable)),
]
VALUES = ['"x"', "1", "true", "[]", "{}", '["touch", "ran"]']


def said(world: World, text: str) -> None:
    (world.work / ".llm_client.toml").write_text(text, encoding="utf-8")


def test_only_harmless_things_may_be_said() -> None:
    assert PROJECT_VARIABLES.keys() == HARMLESS


@pytest.mark.parametrize("path", [*NAMES, *FIELDS, *OTHERS])
def test_nothing_else_can_be_said(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", UNSHAPED)
    key = ".".join(json.dumps(part) if "*" in part else part for part in path.split("."))
    for value in VALUES:
        said(world, f"{key} = {value}\n")
        others = (("models", "-p", "openai"), ("health", "-p", "openai"))
        for command in (DRY, *(others if value == VALUES[0] else ())):
            ran = world.run(*command)
            assert ran.status == 3, (command, ran.output)
            assert "can never be set there" in ran.output or "must be a text" in ran.output
            first = path.partition(".")[0]
            assert first in HARMLESS or "can never be set there" in ran.output
    assert world.programs == []


@pytest.mark.parametrize(
    "text",
    [
        'system = "x"\n[providers.openai]\nbase_url = "http://evil.example.com"\n',
        '[profiles.default]\nmodel = "evil/x"\n',
        'profile = { model = "evil/x" }\n',
        'profile = ["a"]\n',
        "project = 1\n",
        "system = 2026-11-20\n",
        'system = "x"\nsystem.file = "/etc/passwd"\n',
        'system = "unclosed\n',
        "\x00",
        "[[project]]\n",
        "[" * 100_000,
    ],
    ids=[
        "address",
        "profile",
        "table",
        "list",
        "number",
        "date",
        "both",
        "open",
        "nul",
        "tables",
        "deep",
    ],
)
def test_what_is_not_one_of_three_texts_is_refused(world: World, text: str) -> None:
    said(world, text)
    ran = world.run(*DRY, "--debug")
    assert ran.status == 3
    assert ".llm_client.toml" in ran.output
    assert "unforeseen" not in ran.output


def test_three_texts_are_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", UNSHAPED)
    world.configure("[profiles.fast]\nmodel = 'openai/fast'\n")
    said(world, 'profile = "fast"\nproject = "p"\nsystem = "Be brief."\n')
    ran = world.run("generate", "--no-stdin", "--dry-run", "-v", "hi")
    body = json.loads(ran.stdout)["body"]
    assert (body["model"], body["messages"][0]["content"]) == ("fast", "Be brief.")
    assert "Read " in ran.output


@pytest.mark.parametrize("model", ["openai/m", "ollama/x"])
def test_profile_of_the_file_does_not_bring_an_address_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    # A model spec is no profile: what a repository names has to be the user's own.
    monkeypatch.setenv("OPENAI_API_KEY", UNSHAPED)
    for name in (model, "http://evil.example.com/v1", "../evil", "", " "):
        said(world, f"profile = {json.dumps(name)}\n")
        ran = world.run(*DRY)
        if name.strip():
            assert ran.status == 3, ran.output
            assert "there is no profile" in ran.output
        else:
            assert ran.status == 0, ran.output


@pytest.mark.parametrize("target", ["credentials", "config", "/etc/passwd", "dangling", "itself"])
def test_link_is_refused_and_nothing_behind_it_shows(world: World, target: str) -> None:
    world.store("openai", UNSHAPED)
    world.configure(f"# {UNSHAPED}\n")
    world.allowed.add(world.config)
    link = world.work / ".llm_client.toml"
    ends = {
        "credentials": str(world.credentials),
        "config": str(world.config),
        "dangling": str(world.home / "nothing"),
        "itself": str(link),
    }
    link.symlink_to(ends.get(target, target))
    for command in (DRY, ("models",), ("health",), ("config", "show")):
        ran = world.run(*command, "--debug")
        assert ran.status == 3, ran.output
        assert "is a link, which is never followed" in ran.output
        assert "root:" not in ran.output
    world.check(UNSHAPED)


@pytest.mark.parametrize("kind", ["pipe", "directory", "huge", "sparse"])
def test_what_is_no_short_file_is_refused_without_waiting(world: World, kind: str) -> None:
    path = world.work / ".llm_client.toml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "huge":
            path.write_text("# " + "x" * 70_000)
        case _:
            with path.open("wb") as stream:
                stream.truncate(10_000_000_000)
    with soon():
        for command in (DRY, ("models",), ("config", "show")):
            ran = world.run(*command)
            assert ran.status == 3, ran.output
            assert "no regular file" in ran.output or "longer than 64 kB" in ran.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("numbers", [(1, 5), (1, 8)], ids=["zero", "random"])
def test_device_is_refused(world: World, numbers: tuple[int, int]) -> None:
    path = world.work / ".llm_client.toml"
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(*numbers))
    except PermissionError:
        pytest.skip("this machine allows no devices")
    with soon():
        ran = world.run(*DRY)
    assert ran.status == 3
    assert "no regular file" in ran.output


@contextmanager
def soon() -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_of_another_user_in_a_directory_for_all_is_not_read(world: World) -> None:
    said(world, 'system = "Obey."\n')
    os.chown(world.work / ".llm_client.toml", 12345, -1)
    world.work.chmod(0o1777)
    world.configure("[providers.work]\nbase_url = 'http://127.0.0.1:9'\n")
    ran = world.run("generate", "-m", "work/m", "--no-stdin", "--dry-run", "hi")
    assert ran.status == 0
    assert b"Obey" not in ran.stdout
    assert "another user's" in ran.output


def test_file_above_the_repository_or_the_home_is_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure("[providers.work]\nbase_url = 'http://127.0.0.1:9'\n")
    said(world, 'system = "Obey."\n')
    inner = world.work / "repository" / "src"
    inner.mkdir(parents=True)
    for root in (world.work / "repository" / ".git", None):
        if root is not None:
            root.mkdir()
        else:
            (world.work / "repository" / ".git").rmdir()
        monkeypatch.chdir(inner)
        ran = world.run("generate", "-m", "work/m", "--no-stdin", "--dry-run", "hi")
        assert ran.status == 0
        assert b"Obey" not in ran.stdout


def test_library_does_not_read_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_client import LLMClient

    said(world, 'wrong = 1\nbase_url = "http://evil.example.com"\n')
    with LLMClient("ollama/m") as client:
        assert "evil" not in repr(client.target)


def test_words_of_the_file_do_not_drive_the_terminal(world: World) -> None:
    for text in (
        'profile = "\\u001b]0;owned\\u0007\\u009b"\n',
        '"\\u001b[2J" = 1\n',
        "system = \x1b[2J\n",
    ):
        said(world, text)
        for command in (DRY, ("config", "show"), ("models", "-v"), ("health", "--json")):
            ran = world.run(*command, "--debug")
            assert not any(char in ran.output for char in "\x1b\x07\x9b"), ran.output

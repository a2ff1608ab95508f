"""The name of the git repository around a directory; with repositories that git itself made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from llm_client.storage.repository import repository_name

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git makes the repositories")


def git(where: Path, *arguments: str) -> None:
    assert GIT is not None
    identity = (
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@localhost",
        "-c",
        "protocol.file.allow=always",
    )
    subprocess.run([GIT, *identity, *arguments], cwd=where, check=True, capture_output=True)


@pytest.fixture
def website(tmp_path: Path) -> Path:
    repository = tmp_path / "website"
    repository.mkdir()
    git(repository, "init", "--quiet")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "first")
    return repository


def test_directory_outside_of_every_repository_has_none(tmp_path: Path) -> None:
    assert repository_name(str(tmp_path)) is None
    assert repository_name("/") is None


@needs_git
def test_repository_is_named_after_its_directory_from_everywhere_in_it(website: Path) -> None:
    deep = website / "a" / "b"
    deep.mkdir(parents=True)
    assert [repository_name(str(where)) for where in (website, deep)] == ["website"] * 2


@needs_git
def test_inner_repository_wins(website: Path) -> None:
    inner = website / "vendor" / "library"
    inner.mkdir(parents=True)
    git(inner, "init", "--quiet")
    assert repository_name(str(inner)) == "library"
    assert repository_name(str(inner.parent)) == "website"


@needs_git
def test_linked_worktree_belongs_to_its_repository(website: Path, tmp_path: Path) -> None:
    git(website, "worktree", "add", "--quiet", "../hotfix-123")
    (tmp_path / "hotfix-123" / "deep").mkdir()
    assert repository_name(str(tmp_path / "hotfix-123" / "deep")) == "website"


@needs_git
def test_worktree_of_a_bare_repository_is_named_after_that(website: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "website", "shop.git")
    git(tmp_path / "shop.git", "worktree", "add", "--quiet", "../checkout")
    assert repository_name(str(tmp_path / "checkout")) == "shop"


@needs_git
def test_submodule_is_a_repository_of_its_own(website: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "website", "library")
    git(website, "submodule", "--quiet", "add", "../library", "vendor/parser")
    assert (website / "vendor" / "parser" / ".git").is_file()
    assert repository_name(str(website / "vendor" / "parser")) == "parser"


@needs_git
def test_repository_whose_directory_is_elsewhere_is_named_after_its_files(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    git(tmp_path / "site", "init", "--quiet", "--separate-git-dir", str(tmp_path / "hidden"))
    assert repository_name(str(tmp_path / "site")) == "site"


@needs_git
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"gitdir: /nowhere", b"gitdir:", b"\xff\xfe", None]
)
def test_mark_that_leads_nowhere_is_passed_over(website: Path, content: bytes | None) -> None:
    below = website / "below"
    below.mkdir()
    mark = below / ".git"
    if content is None:
        mark.mkdir()
    else:
        mark.write_bytes(content)
    assert repository_name(str(below)) == "website"


@needs_git
def test_mark_that_cannot_be_read_is_passed_over(
    website: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (website / "below").mkdir()
    (website / "below" / ".git").write_text("gitdir: x")

    def refuse(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert repository_name(str(website / "below")) == "website"


@needs_git
def test_name_that_is_no_utf_8_is_found(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"b\xe4r")
    odd.mkdir()
    git(odd, "init", "--quiet")
    assert repository_name(str(odd)) == "b\udce4r"

"""Which project a call belongs to, when nobody says it: the git repository around the directory.

Owns how its name is found without running git. A linked worktree belongs to the repository that it
was made from; a submodule is a repository of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["repository_name"]


def repository_name(directory: str) -> str | None:
    """Return the name of the repository that a directory is in; `None` when it is in none."""
    here = directory
    while True:
        mark = os.path.join(here, ".git")
        if os.path.isfile(os.path.join(mark, "HEAD")):
            return os.path.basename(here) or None
        if os.path.isfile(mark) and (name := _name_behind(Path(mark))):
            return name
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def _name_behind(mark: Path) -> str | None:
    """Return the name of the repository whose directory a `.git` file points to."""
    try:
        key, _, told = mark.read_text("utf-8", "surrogateescape").partition(":")
        if key != "gitdir":
            return None
        repository = mark.parent / told.strip()
        if not (repository / "HEAD").is_file():
            return None
        shared = repository / "commondir"
        # Only a linked worktree has one.
        if not shared.is_file():
            return mark.parent.name
        common = repository / shared.read_text("utf-8", "surrogateescape").strip()
        common = Path(os.path.normpath(common))
        return common.parent.name if common.name == ".git" else common.name.removesuffix(".git")
    except OSError:
        return None

"""What `.llm_client.toml` means for a command: it speaks for variables that are not set.

Owns where it is looked for and what is said about it. What it may say, and how it is read without
being trusted, is `storage/project_file.py`'s business.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from ..storage.config_document import Document
    from ..storage.project_file import ProjectFile
    from .environment import Environment
    from .progress import Progress

__all__ = ["check_profile", "find_project_file", "read_project", "use_project"]

PROJECT_FILE = ".llm_client.toml"
_OFF = ("0", "false", "no", "off")


def use_project(
    environment: Environment,
    progress: Progress,
    config_path: Path | None,
    *,
    profile: str | None = None,
) -> None:
    """Let the project file of the working directory speak, where there is one.

    Args:
        environment: whose variables it stands behind.
        progress: told that it was read.
        config_path: the configuration that has the profiles.
        profile: named by the command line, in the place of the file's.

    Raises:
        ConfigurationError: it says what it may not, or names a profile that there is not.
    """
    environ = environment.environ
    project = read_project(environ, progress)
    if project is None:
        return
    progress.explain(f"Read {project.path}: {', '.join(project.said) or 'nothing'}.")
    if "profile" in project.said:
        if profile is not None or environ.get("LLM_CLIENT_PROFILE", "").strip():
            project = project.without_profile()
        else:
            from ..storage.config_document import find_document

            check_profile(project, find_document(config_path, environ))
    environment.environ = project.over(environ)


def read_project(environ: Mapping[str, str], progress: Progress) -> ProjectFile | None:
    """Return what the project file says; `None` when there is none, or it is turned off.

    Raises:
        ConfigurationError: it says what it may not.
    """
    if environ.get("LLM_CLIENT_PROJECT_FILE", "").strip().lower() in _OFF:
        return None
    try:
        directory = os.getcwd()
    except OSError:  # it was deleted
        return None
    home = environ.get("HOME")
    path = find_project_file(directory, os.path.realpath(home) if home else None)
    if path is None:
        return None
    from ..storage.project_file import ProjectFile

    project = ProjectFile.read(path)
    if project is None:
        progress.warn(f"{path} is another user's: it is not read.")
    return project


def find_project_file(directory: str, home: str | None) -> str | None:
    """Return the project file that holds for a directory; `None` when there is none.

    It is looked for up to the root of the repository, and outside of one in the directory alone;
    never above the home. This costs two looks at the disk for each directory.
    """
    here, found = directory, None
    while True:
        if found is None and os.path.lexists(path := os.path.join(here, PROJECT_FILE)):
            found = path
        if os.path.lexists(os.path.join(here, ".git")):
            return found
        above = os.path.dirname(here)
        if above == here or here == home:
            break
        here = above
    return found if found == os.path.join(directory, PROJECT_FILE) else None


def check_profile(project: ProjectFile, document: Document | None) -> None:
    """Refuse a profile that this user does not have: whose file says so must be told.

    Raises:
        ConfigurationError: there is no such profile.
    """
    name = project.said.get("profile")
    root = document.table if document is not None else None
    profiles = root.get("profiles") if isinstance(root, dict) else None
    known = profiles if isinstance(profiles, dict) else {}
    if name is not None and name not in known:
        from ..policy.setting_kinds import nearest

        listed = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(
            f"In the project file {project.place('profile')}: there is no profile {name!r}.",
            hint=nearest(name, known) or f"Profiles in the configuration: {listed}.",
        )

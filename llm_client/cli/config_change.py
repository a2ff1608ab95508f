"""`llm-client config set` and `config unset`: one setting of the file.

Owns what is said about it: where it stands now, what stands over it, and what it lacks to be of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ..exceptions import ConfigurationError
from ..policy.setting_schema import join_key, split_key
from ..providers.catalog import CATALOG
from ..storage.config_document import Document
from ..storage.config_edit import set_setting, unset_setting
from ..storage.effective import effective_settings
from ..storage.paths import config_file
from .config_check import rights_problems
from .config_keys import change_of, find_names
from .environment import Environment
from .exit_status import ExitStatus
from .progress import Progress
from .project_file import read_project

__all__ = ["set_value", "unset_value"]

_ALIKE = 0.8
"""A name of the user's own is often a little like one of the catalog's."""


def set_value(
    key: str, text: str, config_path: Path | None, environment: Environment, progress: Progress
) -> int:
    """Give a setting a value in the file; return the exit status.

    Raises:
        ConfigurationError: the file would not be valid; it is as it was.
    """
    path = config_path or config_file(environment.environ)
    change = change_of(key, text)
    document = set_setting(path, change.names, change.value)
    line = document.line_of(change.names)
    where = f"{path}, line {line}" if line else str(path)
    progress.say(f"Set {join_key(change.names)} in {where}.")
    _say_what_stands_over(change.names, document, environment, progress)
    _say_what_it_lacks(change.names, document, progress)
    if "headers" in change.names:
        for problem in rights_problems(document):
            progress.say(f"{problem.message} {problem.hint}")
    return ExitStatus.ANSWERED


def unset_value(
    key: str, config_path: Path | None, environment: Environment, progress: Progress
) -> int:
    """Take a setting or a table out of the file; return the exit status.

    Raises:
        ConfigurationError: there is no such setting, or the file would not be valid without it.
    """
    path = config_path or config_file(environment.environ)
    names = split_key(key)
    # What the file has may go, also what should never have been in it.
    document = unset_setting(path, names)
    if document is None:
        find_names(key)
        progress.say(f"{join_key(names)} does not stand in {path}.")
        return ExitStatus.ANSWERED
    progress.say(f"Took {join_key(names)} out of {path}.")
    _say_what_stands_over(names, document, environment, progress)
    return ExitStatus.ANSWERED


def _say_what_stands_over(
    names: Sequence[str], document: Document, environment: Environment, progress: Progress
) -> None:
    """Say that something else than the file decides what was changed there."""
    try:
        project = read_project(environment.environ, progress)
    except ConfigurationError as error:  # the change is made all the same
        progress.say(str(error))
        project = None
    for row in effective_settings(document, environment.environ, project):
        if row.names[: len(names)] != tuple(names):
            continue
        if row.source.kind == "variable":
            progress.say(
                f"{row.source} stands over it and says something else: `unset {row.source}`."
                if row.over is not None
                else f"{row.source} says it still: `unset {row.source}`."
            )
        elif row.source.kind == "project":
            progress.say(f"Here {row.source} stands over it.")


def _say_what_it_lacks(names: Sequence[str], document: Document, progress: Progress) -> None:
    if names[0] != "providers" or names[1] in CATALOG:
        return
    own = document.table["providers"][names[1]]
    if "base_url" not in own:
        near = get_close_matches(names[1], CATALOG, n=1, cutoff=_ALIKE)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        progress.say(f"{names[1]!r} is no provider of the catalog: it needs a `base_url`.{meant}")

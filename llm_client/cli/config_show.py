"""`llm-client config show`: the settings that hold, and where each comes from.

Owns what is masked: keys, what headers carry, passwords in addresses, and whatever has the shape of
a key. A file that cannot be used is told, beside what holds without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError, LLMError
from ..policy.address import is_address
from ..policy.setting_kinds import nearest
from ..policy.setting_schema import find_setting, split_key
from ..providers.catalog import CATALOG
from ..storage.config import problems
from ..storage.config_document import Document, find_document
from ..storage.effective import Effective, Source, effective_settings, root_of, used_profile
from ..storage.project_file import ProjectFile
from ..types.secret import MASK, Secret, without_password
from .config_keys import NAMES_OF_KEYS, find_names
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus, exit_status
from .masking import known_secrets, masked
from .output import write_json
from .progress import Progress
from .project_file import check_profile, read_project
from .render.config_table import setting_lines, setting_table
from .render.plain import emit
from .report import report, safe_error_object

__all__ = ["ShowConfig", "show_config"]

_NAME_OF_A_VARIABLE = re.compile("[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""What looks so is no key that was put there by mistake."""
_SECRET_NAME = re.compile(r"key|token|secret|password|authorization", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowConfig:
    """What the command line asks for."""

    key: str | None = None
    """Only this setting or table."""
    profile: str | None = None
    provider: str | None = None
    defaults: bool = False
    """Whether what nobody has said is shown too."""
    json: bool = False
    config_path: Path | None = None
    debug: bool = False


def show_config(command: ShowConfig, environment: Environment, progress: Progress) -> int:
    """Run the command; return its exit status.

    Raises:
        LLMError: there is no such setting, profile or provider.
    """
    found = _Found(command, environment, progress)
    names = split_key(command.key) if command.key is not None else ()
    _check_named(command, found.document)
    environ, document = environment.environ, found.document
    rows = effective_settings(
        document,
        environ,
        found.project,
        profile=command.profile,
        provider=command.provider,
        defaults=command.defaults or bool(names),
    )
    used = used_profile(
        document, environ, found.project, named=command.profile, provider=command.provider
    )
    rows = [row for row in rows if _is_asked(row, names, command, used)]
    if command.key is not None and not rows:
        find_names(command.key)  # which there may not even be
    secrets = known_secrets(environment)
    shown = [(_with_fit_names(row, secrets), _fit_to_be_shown(row, secrets)) for row in rows]
    if command.json:
        _write_object(shown, found, used, environment, secrets)
    elif environment.stdout_is_terminal:
        color = environment.colored(True)
        lines = setting_table(shown, environment.columns, color=color, whole=bool(names))
        emit(environment.stdout, "".join(f"{line}\n" for line in lines))
    else:
        emit(environment.stdout, "".join(f"{line}\n" for line in setting_lines(shown)))
    if used is None and command.provider is None and used_profile(document, {}, None) is not None:
        progress.say("No profile is used: variables say which provider is asked.")
    if not shown and found.error is None:
        progress.say(_nothing(command, document))
    if found.error is not None:
        try:
            raise found.error
        except LLMError as error:
            report(error, environment, json=False, debug=command.debug)
        return exit_status(found.error)
    return ExitStatus.ANSWERED


class _Found:
    """The files that say something, and the first thing that is wrong with them."""

    def __init__(self, command: ShowConfig, environment: Environment, progress: Progress) -> None:
        environ = environment.environ
        self.document: Document | None = None
        self.project: ProjectFile | None = None
        self.error: LLMError | None = None
        try:
            self.document = find_document(command.config_path, environ)
            self.error = next(iter(problems(self.document, environ)), None)
        except ConfigurationError as error:
            self.error = error
        try:
            self.project = read_project(environ, progress)
            if self.project is not None:
                progress.explain(f"Read {self.project.path}.")
                check_profile(self.project, self.document)
        except ConfigurationError as error:
            self.error = self.error or error
        if self.document is not None:
            progress.explain(f"Read {self.document.file}.")


def _check_named(command: ShowConfig, document: Document | None) -> None:
    """Refuse names that there are not.

    Raises:
        ConfigurationError: no such profile or provider.
    """
    table = root_of(document)
    profiles, providers = (
        part if isinstance(part := table.get(name), dict) else {}
        for name in ("profiles", "providers")
    )
    if command.profile is not None and command.profile not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(
            f"There is no profile {command.profile!r}.",
            hint=nearest(command.profile, profiles) or f"Profiles in the configuration: {known}.",
        )
    if command.provider is not None and command.provider not in {*providers, *CATALOG}:
        raise ConfigurationError(
            f"There is no provider {command.provider!r}.",
            hint=nearest(command.provider, [*providers, *CATALOG]),
        )


def _is_asked(
    row: Effective, names: tuple[str, ...], command: ShowConfig, used: str | None
) -> bool:
    """Return whether a row is one of those that the command line asks for."""
    if names:
        return row.names[: len(names)] == names
    if row.names[0] == "profiles":
        if command.profile is not None:
            return row.names[1] in (used, command.profile)
        # Of a provider that is named, only what holds whichever profile is used.
        return command.provider is None or row.names[1] == "*"
    if row.names[0] == "providers" and command.provider is not None:
        return row.names[1] == command.provider
    return True


def _fit_to_be_shown(row: Effective, secrets: Sequence[Secret]) -> Any:
    """Return a value without what must not be seen."""
    if row.names[-1].lower() in NAMES_OF_KEYS:  # a key where none belongs: the file is refused
        return MASK
    is_name = row.names[-1] == "api_key_env" and _NAME_OF_A_VARIABLE.fullmatch(str(row.value))
    if not row.is_shown and not is_name:
        return dict.fromkeys(row.value, MASK) if isinstance(row.value, Mapping) else MASK
    about_keys = row.names[-1] in ("api_key_command", "key_header")
    if about_keys and not find_setting(row.names).kind.check(row.value):
        return MASK
    if row.names[-1] == "api_key_command" and isinstance(row.value, list):
        # What stands behind the program may be a secret too.
        return [*row.value[:1], *(["…"] if row.value[1:] else [])]
    if row.names[-1] == "base_url" and isinstance(row.value, str):
        url = row.value
        # Of one that is wrong, or has no scheme, nobody can tell where the password ends.
        return masked(url if "://" in url and is_address(url) else without_password(url), secrets)
    return _without_secrets(row.value, secrets)


def _with_fit_names(row: Effective, secrets: Sequence[Secret]) -> Effective:
    """Return a row whose names are none that have the shape of a key."""
    return row._replace(names=tuple(masked(name, secrets) for name in row.names))


def _without_secrets(value: Any, secrets: Sequence[Secret]) -> Any:
    match value:
        case str():
            return masked(value, secrets)
        case dict():
            return {
                name: MASK
                if isinstance(item, str) and _SECRET_NAME.search(name)
                else _without_secrets(item, secrets)
                for name, item in value.items()
            }
        case list():
            return [_without_secrets(item, secrets) for item in value]
    return value


def _nothing(command: ShowConfig, document: Document | None) -> str:
    if command.key is not None:
        return f"{command.key} is not set, and has no default."
    if document is None:
        return "Nothing is set: there is no file. `llm-client config init` makes one; see `--all`."
    return "Nothing is set. `--all` shows the defaults."


def _write_object(
    shown: Sequence[tuple[Effective, Any]],
    found: _Found,
    used: str | None,
    environment: Environment,
    secrets: Sequence[Secret],
) -> None:
    value: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    if found.error is not None:
        value |= safe_error_object(found.error, secrets)
    value["file"] = str(found.document.file) if found.document is not None else None
    value["project_file"] = found.project.path if found.project is not None else None
    value["profile"] = used
    value["settings"] = [
        {
            "key": row.key,
            "value": fit,
            "source": _source_object(row.source),
            "over": _source_object(row.over),
        }
        for row, fit in shown
    ]
    write_json(environment.stdout.buffer, value)


def _source_object(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else source._asdict()

"""`llm-client config validate` and `config path`: what is wrong, and where the file is.

Owns what is wrong around a valid file: variables that nobody reads, providers that nobody can ask,
rights that are too wide.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from ..exceptions import ConfigurationError, LLMError
from ..policy.blanks import field_variables
from ..policy.setting_schema import OTHER_VARIABLES, SETTINGS, join_key
from ..policy.variables import variable_problems
from ..providers.catalog import CATALOG
from ..storage.config import problems
from ..storage.config_document import Document, find_document, read_document
from ..storage.effective import root_of
from ..storage.paths import config_file, expanded
from ..types.target import variable_part
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .masking import known_secrets
from .output import write_json
from .progress import Progress
from .project_file import check_profile, read_project
from .render.plain import emit
from .render.sanitize import neutralise
from .report import report, safe_error_object

__all__ = ["print_path", "rights_problems", "unknown_variables", "validate_config"]

_PREFIX = "LLM_CLIENT_"
_ALIKE = 0.8


def print_path(config_path: Path | None, environment: Environment, progress: Progress) -> int:
    """Print where the file is, or would be; return the exit status."""
    path = expanded(config_path or config_file(environment.environ))
    _print(f"{path}", environment)
    if _is_missing(path):
        progress.say("There is no such file yet: `llm-client config init` makes one.")
    return ExitStatus.ANSWERED


def validate_config(
    file: Path | None,
    config_path: Path | None,
    environment: Environment,
    progress: Progress,
    *,
    json: bool,
) -> int:
    """Tell everything that is wrong; return the exit status.

    Args:
        file: checked by itself, without variables and project file; `None`: the one in use.
        config_path: another that is in use.
        environment: whose variables are checked.
        progress: told what is no problem.
        json: whether an object is printed.
    """
    path = expanded(file or config_path or config_file(environment.environ))
    found = [*_all_problems(file, config_path, environment.environ, progress)]
    if json:
        _write_object(path, found, environment)
    elif not found:
        said = "not there, so the defaults hold" if _is_missing(path) else "valid"
        _print(f"{path}: {said}", environment)
    for problem in found:
        try:
            raise problem
        except LLMError as error:
            report(error, environment, json=False, debug=False)
    return ExitStatus.CONFIGURATION if found else ExitStatus.ANSWERED


def _print(line: str, environment: Environment) -> None:
    shown = neutralise(line) if environment.stdout_is_terminal else line
    emit(environment.stdout, f"{shown}\n")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may be there
        return False
    return False


def unknown_variables(environ: Mapping[str, str], document: Document | None) -> Iterator[LLMError]:
    """Yield variables that nobody reads, with the nearest name."""
    given = [name for name, text in environ.items() if name.startswith(_PREFIX) and text.strip()]
    known = _known_variables(document) if given else set()
    for name in sorted(given):
        if name not in known:
            yield ConfigurationError(
                f"The variable {name} is none that is read.", hint=_meant(name, known)
            )


def _meant(name: str, known: Collection[str]) -> str:
    """Return what to do about a variable that nobody reads."""
    ends = [setting.variable.partition("*")[2] for setting in SETTINGS]
    end = next((end for end in ends if end and name.endswith(end)), None)
    if end is not None:
        # Of every provider there is one with this ending: the provider is what is wrong.
        part = name.removeprefix(_PREFIX).removesuffix(end)
        parts = [variable_part(provider) for provider in CATALOG]
        near = get_close_matches(part, parts, n=1, cutoff=_ALIKE)
        if not near:
            return f"No provider of the catalog or of the file is called {part.lower()!r}."
        return f"Did you mean '{_PREFIX}{near[0]}{end}'?"
    # What all of them begin with makes no two of them alike.
    rests = [other.removeprefix(_PREFIX) for other in known if other.startswith(_PREFIX)]
    near = get_close_matches(name.removeprefix(_PREFIX), sorted(rests), n=1)
    return f"Did you mean '{_PREFIX}{near[0]}'?" if near else f"`unset {name}`."


def _all_problems(
    file: Path | None, config_path: Path | None, environ: Mapping[str, str], progress: Progress
) -> Iterator[LLMError]:
    document = None
    try:
        document = find_document(config_path, environ) if file is None else read_document(file)
    except ConfigurationError as error:
        yield error
        if file is None:
            yield from variable_problems(environ, ())
            yield from unknown_variables(environ, None)
        return
    yield from problems(document, environ if file is None else {})
    yield from _without_address(document, environ if file is None else {})
    yield from rights_problems(document)
    if file is not None:
        return
    yield from unknown_variables(environ, document)
    try:
        project = read_project(environ, progress)
        if project is not None:
            check_profile(project, document)
    except ConfigurationError as error:
        yield error


def _without_address(
    document: Document | None, environ: Mapping[str, str]
) -> Iterator[ConfigurationError]:
    """Yield providers that nobody can ask: no catalog has them, and nothing says where they are."""
    providers = root_of(document).get("providers")
    for name, table in providers.items() if isinstance(providers, dict) else ():
        is_known = name.lower() in CATALOG or not isinstance(table, dict) or "base_url" in table
        if is_known or environ.get(f"{_PREFIX}{variable_part(name)}_BASE_URL", "").strip():
            continue
        assert document is not None, "the table is its"
        key = join_key(("providers", name))
        near = get_close_matches(name, CATALOG, n=1, cutoff=_ALIKE)
        yield ConfigurationError(
            f"In the configuration {document.place(('providers', name))}: {key}: there is no "
            f"provider {name!r} in the catalog, and no `base_url` says where it is.",
            hint=f"Did you mean {near[0]!r}?"
            if near
            else f"`llm-client config set {key}.base_url http://HOST:PORT/v1`.",
        )


def rights_problems(document: Document | None) -> Iterator[LLMError]:
    """Yield that others may read or change what is nobody's business."""
    if document is None:
        return
    providers = root_of(document).get("providers")
    tables = providers.values() if isinstance(providers, dict) else ()
    has_headers = any(isinstance(table, dict) and table.get("headers") for table in tables)
    mode = stat.S_IMODE(document.file.stat().st_mode)
    path = str(document.file)
    if has_headers and mode & 0o044:
        yield ConfigurationError(
            f"Others may read {path!r} (mode {mode:o}), which has headers: they may hold keys.",
            hint=f"`chmod 600 {path}`.",
        )
    if mode & 0o022:
        yield ConfigurationError(
            f"Others may change {path!r} (mode {mode:o}): they could send your keys anywhere.",
            hint=f"`chmod 600 {path}`.",
        )


def _known_variables(document: Document | None) -> set[str]:
    known = {setting.variable for setting in SETTINGS if "*" not in setting.variable}
    known |= {"LLM_CLIENT_API_KEY", *OTHER_VARIABLES}
    own = root_of(document).get("providers")
    names = [*CATALOG, *(own if isinstance(own, dict) else ())]
    for name in names:
        start = f"{_PREFIX}{variable_part(name)}_"
        known.add(f"{start}API_KEY")
        known |= {setting.variable_for(name) for setting in SETTINGS if "*" in setting.variable}
    for row in CATALOG.values():
        known |= {variable for field in row.fields for variable in field_variables(row, field)}
        known |= {*row.key_env, *row.base_url_env, *row.model_env}
    return known


def _write_object(path: Path, found: list[LLMError], environment: Environment) -> None:
    secrets = known_secrets(environment)
    objects = [safe_error_object(problem, secrets)["error"] for problem in found]
    shown = [{name: about[name] for name in ("message", "hint")} for about in objects]
    write_json(
        environment.stdout.buffer,
        {
            "schema_version": SCHEMA_VERSION,
            "file": None if _is_missing(path) else str(path),
            "valid": not found,
            "problems": shown,
        },
    )

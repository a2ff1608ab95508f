"""Every setting that holds, and where it comes from: a variable, the project file, the file, nothing.

Owns the list behind `llm-client config show`. What holds is decided by those who use it
(`storage/config.py`, `policy/route.py`); a test compares the two. A value that is wrong has no
row: why it is, is told by `problems`. No store of keys is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ..exceptions import ConfigurationError
from ..policy.blanks import field_variables
from ..policy.route import key_variables
from ..policy.setting_check import link_problem
from ..policy.setting_schema import OTHER_VARIABLES, SETTINGS, Setting, children, join_key
from ..policy.variables import provider_values, read_variable
from ..providers.catalog import CATALOG
from ..types.target import ProviderSpec, variable_part
from .config_document import Document
from .project_file import ProjectFile

__all__ = ["Effective", "Source", "effective_settings", "root_of", "used_profile"]

_DESTINATION = (
    "LLM_CLIENT_PROVIDER",
    "LLM_CLIENT_MODEL",
    "LLM_CLIENT_BASE_URL",
    "LLM_CLIENT_DIALECT",
)
"""Variables that are left aside as a group where the command line says where to go."""
_OF_ALL_PROVIDERS = ("LLM_CLIENT_TIMEOUT", "LLM_CLIENT_VERIFY_SSL", "LLM_CLIENT_OPTIONS")
_DEFAULT_PROFILE = "default"
"""The name that a profile has to be used unnamed, where none is said to be."""


class Source(NamedTuple):
    """Where a value comes from."""

    kind: Literal["variable", "project", "file", "store", "catalog", "default"]
    name: str
    """Of the variable, the file or the store."""
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class Effective(NamedTuple):
    """A setting that holds."""

    names: tuple[str, ...]
    value: object
    source: Source
    over: Source | None = None
    """What else says it, and does not hold."""
    is_shown: bool = True
    """Whether the value may be shown; keys and headers may not."""

    @property
    def key(self) -> str:
        """The dotted key, as `config set` takes it; `*` is whichever profile is used."""
        return ".".join(name if name == "*" else join_key([name]) for name in self.names)


_DEFAULT = Source("default", "default")
_CATALOG = Source("catalog", "catalog")


def root_of(document: Document | None) -> dict[str, Any]:
    """Return what a file says; nothing where there is none, or it is no table."""
    return _table(document.table) if document is not None else {}


def used_profile(
    document: Document | None,
    environ: Mapping[str, str],
    project: ProjectFile | None,
    *,
    named: str | None = None,
    provider: str | None = None,
) -> str | None:
    """Return the profile that is used, aliases followed; `None`: calls go by none.

    Args:
        document: the configuration file.
        environ: where variables are looked for.
        project: the project file.
        named: by the command line.
        provider: that the command line names, which leaves aside what it does not name.
    """
    table = root_of(document)
    profiles = _table(table.get("profiles"))
    name: object = named
    if name is None and provider is None:
        name = environ.get("LLM_CLIENT_PROFILE", "").strip() or (
            project.said.get("profile") if project is not None else None
        )
        if not name and not _is_provider_set(environ, _table(table.get("providers"))):
            fallback = _DEFAULT_PROFILE if _DEFAULT_PROFILE in profiles else None
            name = table.get("default_profile") or fallback
    seen: set[str] = set()
    while isinstance(name, str) and isinstance(profiles.get(name), str) and name not in seen:
        seen.add(name)
        name = profiles[name]
    return name if isinstance(name, str) else None


def _is_provider_set(environ: Mapping[str, str], providers: Mapping[str, Any]) -> bool:
    """Return whether variables say which provider is asked: no profile is used unnamed then."""
    provider, url, model = (
        environ.get(f"LLM_CLIENT_{name}", "").strip() for name in ("PROVIDER", "BASE_URL", "MODEL")
    )
    return bool(provider or url) or ("/" in model and link_problem(model, (), providers) is None)


def effective_settings(
    document: Document | None,
    environ: Mapping[str, str],
    project: ProjectFile | None = None,
    *,
    profile: str | None = None,
    provider: str | None = None,
    defaults: bool = False,
) -> list[Effective]:
    """Return every setting that holds, in the order of the schema.

    Args:
        document: the configuration file; `None`: there is none.
        environ: where variables are looked for.
        project: the project file.
        profile: named by the command line.
        provider: named by the command line; it is shown with what the catalog says of it.
        defaults: whether what nobody has said has a row too.
    """
    gathered = _Gathered(document, environ, project)
    gathered.gather(profile, provider, defaults=defaults)
    return sorted(gathered.rows.values(), key=gathered.rank)


class _Gathered:
    """The rows so far: each source stands over those before it."""

    def __init__(
        self, document: Document | None, environ: Mapping[str, str], project: ProjectFile | None
    ) -> None:
        self._document = document
        self._table = root_of(document)
        self._environ = environ
        self._project = project
        self.rows: dict[tuple[str, ...], Effective] = {}

    def gather(self, profile: str | None, provider: str | None, *, defaults: bool) -> None:
        used = used_profile(
            self._document, self._environ, self._project, named=profile, provider=provider
        )
        providers = self._providers(provider)
        if defaults:
            self._take_defaults(used, providers)
        elif provider is not None:
            self._take_catalog(provider)
        self._take_file()
        self._take_project(used)
        self._take_globals()
        self._take_call(used, is_aside=profile is not None or provider is not None)
        for name in providers:
            self._take_provider(name)
        self._take_stored_keys()

    def rank(self, row: Effective) -> tuple[int, list[int], int]:
        """Return where a row stands: by section, then as they came, then by the schema."""
        groups = list(dict.fromkeys(names[:2] for names in self.rows))
        paths = [setting.path for setting in SETTINGS]
        sections = list(dict.fromkeys(path.partition(".")[0] for path in paths))
        section = sections.index(row.names[0]) if row.names[0] in sections else -1
        path = _schema_path(row.names)
        place = paths.index(path) if path in paths else len(paths)
        return section, [groups.index(row.names[:2])] if len(row.names) > 2 else [-1], place

    def _put(
        self, names: tuple[str, ...], value: object, source: Source, *, is_shown: bool = True
    ) -> None:
        before = self.rows.get(names)
        over = before.source if before and before.source not in (_DEFAULT, _CATALOG) else None
        self.rows[names] = Effective(names, value, source, over, is_shown)

    def _providers(self, named: str | None) -> list[str]:
        """Return the providers that file or environment say something of, and the one named."""
        said = [*_table(self._table.get("providers"))]
        said += [row.name for row in CATALOG.values() if self._is_told(row)]
        return list(dict.fromkeys([*said, *([named] if named else [])]))

    def _is_told(self, row: ProviderSpec) -> bool:
        own = f"LLM_CLIENT_{variable_part(row.name)}_"
        told = (*row.key_env, *row.base_url_env, *row.timeout_env, *row.model_env)
        told += tuple(name for field in row.fields for name in field.env)
        names = [name for name, text in self._environ.items() if text.strip()]
        is_own = any(name.startswith(own) for name in names if name not in OTHER_VARIABLES)
        return is_own or any(name in told for name in names)

    def _take_defaults(self, used: str | None, providers: list[str]) -> None:
        for setting in SETTINGS:
            if setting.default is None:
                continue
            if "*" not in setting.path:
                self._put(tuple(setting.path.split(".")), setting.default, _DEFAULT)
            elif setting.path.startswith("profiles.") and used is not None:
                field = setting.path.split(".")[2]
                # What `[routing]` says of it holds where the profile says nothing.
                if field != "prefer":
                    self._put(("profiles", used, field), setting.default, _DEFAULT)
        for name in providers:
            self._take_catalog(name)

    def _take_catalog(self, name: str) -> None:
        row = CATALOG.get(name)
        if row is not None:
            said = {"dialect": row.dialect, "base_url": row.base_url, "model": row.default_model}
            said |= {field.name: field.default for field in row.fields}
            for key, value in said.items():
                if value:
                    self._put(("providers", name, key), value, _CATALOG)

    def _take_file(self) -> None:
        if self._document is None:
            return
        for names, value, setting in _leaves(self._table):
            line = self._document.line_of(names)
            is_shown = setting is None or setting.kind.is_shown
            source = Source("file", self._document.file.name, line)
            self._put(names, value, source, is_shown=is_shown)

    def _take_project(self, used: str | None) -> None:
        if self._project is None:
            return
        names = {
            "profile": ("default_profile",),
            "project": ("project",),
            "system": ("profiles", used or "*", "system"),
        }
        for name, text in self._project.said.items():
            source = Source("project", ".llm_client.toml", self._project.lines.get(name))
            self._put(names[name], text, source)

    def _take_globals(self) -> None:
        for setting in SETTINGS:
            if "*" not in setting.path and setting.variable:
                self._take_variable(tuple(setting.path.split(".")), setting, setting.variable)
        for variable in OTHER_VARIABLES:
            text = self._environ.get(variable, "").strip()
            if text and variable not in _DESTINATION and not _is_of_provider(variable):
                key = variable.removeprefix("LLM_CLIENT_").lower()
                self._put((key,), text, Source("variable", variable))

    def _take_call(self, used: str | None, *, is_aside: bool) -> None:
        """Take what variables say of any call; where it goes only if nothing else says it."""
        for setting in SETTINGS:
            if setting.path.startswith("profiles.") and setting.variable:
                if is_aside and setting.variable in _DESTINATION:
                    continue
                names = ("profiles", used or "*", setting.path.split(".")[2])
                self._take_variable(names, setting, setting.variable)
        for variable in _DESTINATION:
            text = self._environ.get(variable, "").strip()
            if text and not is_aside and variable != "LLM_CLIENT_MODEL":
                key = variable.removeprefix("LLM_CLIENT_").lower()
                self._put((key,), text, Source("variable", variable))

    def _take_variable(self, names: tuple[str, ...], setting: Setting, variable: str) -> None:
        text = self._environ.get(variable, "")
        if not text.strip():
            return
        try:
            value = read_variable(setting, variable, text)
        except ConfigurationError:
            return
        source = Source("variable", variable)
        if isinstance(value, dict) and children(setting.path):
            leaves = {below: item for below, item, _ in _leaves(value, names, setting.path)}
            entries = {(*names, name) for name in value}
            # An entry of the variable takes the place of all that the file says of it.
            for gone in [row for row in self.rows if row[: len(names) + 1] in entries]:
                if gone not in leaves:
                    del self.rows[gone]
            for below, item in leaves.items():
                self._put(below, item, source)
            return
        self._put_over(names, value, source, is_shown=setting.kind.is_shown)

    def _put_over(
        self, names: tuple[str, ...], value: object, source: Source, *, is_shown: bool
    ) -> None:
        """Put what a variable says; of options and headers over those of the same name alone."""
        before = self.rows.get(names)
        if isinstance(value, dict) and before is not None and isinstance(before.value, dict):
            same = {name.lower() for name in value} if names[-1] == "headers" else set()
            kept = {name: of for name, of in before.value.items() if name.lower() not in same}
            value = {**kept, **value}
        self._put(names, value, source, is_shown=is_shown)

    def _take_provider(self, name: str) -> None:
        row = CATALOG.get(name)
        spec = row or ProviderSpec(name=name, base_url="", dialect="")
        try:
            said = provider_values(name, self._environ)
        except ConfigurationError:
            said = []
        for setting, variable, value in said:
            names = ("providers", name, setting.path.split(".")[2])
            if names not in self.rows and variable in _OF_ALL_PROVIDERS:
                continue  # shown once, and not with each of them
            source = Source("variable", variable)
            self._put_over(names, value, source, is_shown=setting.kind.is_shown)
        self._first_set(
            ("providers", name, "base_url"),
            (f"LLM_CLIENT_{variable_part(name)}_BASE_URL", *spec.base_url_env),
        )
        self._first_set(("providers", name, "model"), spec.model_env)
        for field in spec.fields:
            self._first_set(("providers", name, field.name), field_variables(spec, field))
        held = self.rows.get(("providers", name, "api_key_env"))
        keys = key_variables(spec)
        if held is not None and isinstance(held.value, str):
            keys = (spec.own_key_variable, held.value)
        self._first_set(("providers", name, "api_key"), keys, is_shown=False)

    def _take_stored_keys(self) -> None:
        """Take where keys are that no variable has; neither keyring nor command is asked."""
        from .credentials_file import CredentialsFile
        from .paths import credentials_path

        source = str(self._document.file) if self._document is not None else None
        path = credentials_path(source, self._environ)
        try:
            entries = CredentialsFile(path).read()
        except ConfigurationError:  # `llm-client creds list` tells it
            entries = {}
        said = self.rows.get(("credentials", "store"))
        store = said.value if said is not None else "auto"
        for name, entry in entries.items():
            if entry.keyring and store != "file":
                self._put_key(name, "keyring")
            elif entry.api_key and store != "keyring":
                self._put_key(name, path.name)
        commands = [names for names in self.rows if names[-1] == "api_key_command"]
        for _, name, _ in commands:
            self._put_key(name, "api_key_command")

    def _put_key(self, provider: str, store: str) -> None:
        names = ("providers", provider, "api_key")
        if names not in self.rows:
            self._put(names, "", Source("store", store), is_shown=False)

    def _first_set(
        self, names: tuple[str, ...], variables: tuple[str, ...], *, is_shown: bool = True
    ) -> None:
        for variable in variables:
            if text := self._environ.get(variable, "").strip():
                self._put(names, text, Source("variable", variable), is_shown=is_shown)
                return


def _leaves(
    table: Mapping[str, Any], names: tuple[str, ...] = (), where: str = ""
) -> Iterator[tuple[tuple[str, ...], Any, Setting | None]]:
    """Yield the settings of a table: names, value, and what the schema says of it."""
    below = children(where)
    for name, value in table.items():
        step = _step(name, where)
        path = f"{where}.{step}" if where else step
        if isinstance(value, dict) and value and step and children(path):
            yield from _leaves(value, (*names, name), path)
        elif (
            value != {} or step == "*" or below.get(step) is not None
        ):  # an empty table says nothing
            yield (*names, name), value, below.get(step)


def _step(name: str, where: str) -> str:
    """Return what a name is called in the schema; empty where it has no such name."""
    below = children(where)
    return name if name in below else "*" if "*" in below else ""


def _schema_path(names: tuple[str, ...]) -> str:
    where = ""
    for name in names:
        step = _step(name, where) or name
        where = f"{where}.{step}" if where else step
    return where


def _is_of_provider(variable: str) -> bool:
    return any(variable in row.model_env or variable in row.key_env for row in CATALOG.values())


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

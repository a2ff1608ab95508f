"""Settings: what the configuration file says, with what `LLM_CLIENT_*` variables say over it.

Refuses what it does not know: an unknown name, a wrong value or a reference to nothing is a
`ConfigurationError` that names the file and the line, or the variable, and the nearest valid name.
Nothing is ever written here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError
from ..types.config import Profile, ProviderSettings, RetrySettings, Settings
from .config_document import Document, find_document

if TYPE_CHECKING:
    from ..policy.setting_check import Names
    from ..types.budget import Budget

__all__ = ["load_settings", "problems", "settings_of"]

_PREFIX = "LLM_CLIENT_"
_BUDGET_PARTS = ("projects", "profiles", "providers")


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of configuration file and environment; the defaults without either.

    Args:
        path: a file that must exist; `None` looks in the usual places.
        environ: where the usual places are looked up, and what stands over the file.

    Raises:
        ConfigurationError: the file cannot be read, parsed or understood, or a variable is wrong.
    """
    return settings_of(find_document(path, environ), environ)


def settings_of(document: Document | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a document and of the variables that stand over it.

    Raises:
        ConfigurationError: the first thing that is wrong.
    """
    # Whoever has neither does not pay for the table of all settings.
    if document is None and not _has_any(environ):
        return Settings()
    sources = _Sources(document)
    for problem in sources.problems(environ):
        raise problem
    return _settings(sources.root, None if document is None else str(document.file))


def problems(
    document: Document | None, environ: Mapping[str, str] | None = None
) -> list[ConfigurationError]:
    """Return everything that is wrong with a document, and with the variables over it.

    Args:
        document: a file that has been parsed.
        environ: `None` looks at the file alone.
    """
    sources = _Sources(document)
    if environ is None:
        return [*sources.problems({})]
    from ..policy.variables import call_variables, variable_problems

    table = document.table if document is not None else None
    named = table.get("providers") if isinstance(table, dict) else None
    found = [*variable_problems(environ, named if isinstance(named, dict) else ())]
    found = [*sources.problems({} if found else environ), *found]
    if not found:
        try:
            call_variables(environ, _settings(sources.root, None))
        except ConfigurationError as problem:
            found.append(problem)
    return found


class _Sources:
    """The settings of file and environment, before anything is made of them."""

    def __init__(self, document: Document | None) -> None:
        self._document = document
        self._variables: dict[Names, str] = {}
        """By setting, or by entry of a table: the variable that says it."""
        self.root: dict[str, Any] = {}

    def problems(self, environ: Mapping[str, str]) -> Iterator[ConfigurationError]:
        """Yield what is wrong; at the end `root` is whole, if that was nothing."""
        from ..policy.setting_check import reference_problems, right_parts, shape_problems

        if self._document is not None:
            self.root = self._document.table
            for problem in shape_problems("", (), self.root, self._place):
                yield problem
                self.root = right_parts(self._document.table)
            self.root = dict(self.root)
        try:
            self._overlay(environ)
        except ConfigurationError as problem:
            yield problem
        yield from reference_problems(self.root, self._place)

    def _overlay(self, environ: Mapping[str, str]) -> None:
        """Put what variables say over what the file says, tables entry by entry."""
        if not _has_any(environ):
            return
        from ..policy.variables import global_values

        for setting, variable, value in global_values(environ):
            *way, last = setting.path.split(".")
            table = self.root
            for name in way:
                table[name] = table = dict(table.get(name, {}))
            if isinstance(value, dict):
                for name in value:
                    self._variables[(*way, last, name)] = variable
                value = {**table.get(last, {}), **value}
            else:
                self._variables[(*way, last)] = variable
            table[last] = value

    def _place(self, names: Names) -> str:
        for count in range(len(names), 0, -1):
            if names[:count] in self._variables:
                return f"In {self._variables[names[:count]]}"
        assert self._document is not None, "what no variable says stands in the file"
        return f"In the configuration {self._document.place(names)}"


def _has_any(environ: Mapping[str, str]) -> bool:
    return any(name.startswith(_PREFIX) for name in environ)


def _settings(root: Mapping[str, Any], source: str | None) -> Settings:
    """Return the settings of tables that are right."""
    routing, cache = root.get("routing", {}), root.get("cache", {})
    profiles = {name: _profile(said) for name, said in root.get("profiles", {}).items()}
    settings = Settings(
        default_profile=root.get("default_profile"),
        profiles=profiles,
        providers={name: _provider(said) for name, said in root.get("providers", {}).items()},
        retry=RetrySettings(**root.get("retry", {})),
        routing={name: value for name, value in routing.items() if name != "prefer"},
        prefer=routing.get("prefer"),
        pricing=root.get("pricing", {}),
        ledger=root.get("ledger", {}).get("enabled", True),
        credentials_store=root.get("credentials", {}).get("store", "auto"),
        **cache,
        source=source,
    )
    if "budget" not in root:
        return settings
    from dataclasses import replace

    return replace(settings, budget=_budget(root["budget"], settings))


def _budget(table: Mapping[str, Any], settings: Settings) -> Budget:
    from ..types.budget import Budget

    parts = {
        part: {name: Budget(**said) for name, said in table.get(part, {}).items()}
        for part in _BUDGET_PARTS
    }
    # An attempt is booked under the profile itself, whatever alias it was asked by.
    parts["profiles"] = {
        settings.profile_behind(name): said for name, said in parts["profiles"].items()
    }
    return Budget(**{**table, **parts})


def _profile(said: Mapping[str, Any] | str) -> Profile | str:
    if isinstance(said, str):
        return said
    return Profile(**{name: _frozen(value) for name, value in said.items()})


def _provider(said: Mapping[str, Any]) -> ProviderSettings:
    known = ProviderSettings.__slots__
    return ProviderSettings(
        **{name: _frozen(value) for name, value in said.items() if name in known},
        fields={name: value for name, value in said.items() if name not in known},
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

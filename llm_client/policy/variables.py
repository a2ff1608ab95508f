"""What the environment says of settings: `LLM_CLIENT_*`, and providers' own variables.

Owns which variable says which setting, and that a wrong value is an error which names the variable.
A blank variable is one that is not set. Pure: the environment is passed in. Keys, addresses and
what addresses are made of are read where they are used (`route.py`, `blanks.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG
from ..types.config import LLMConfig, ProviderSettings, Settings
from .setting_check import link_problem, shape_problems, wrong_value
from .setting_kinds import ADDRESS, DIALECT, TEXT, Kind, nearest
from .setting_schema import SETTINGS, Setting, children

__all__ = [
    "OF_ALL_PROVIDERS",
    "CallVariables",
    "Said",
    "call_values",
    "call_variables",
    "global_values",
    "provider_values",
    "read_variable",
    "variable_problems",
    "with_variables",
]

OF_ALL_PROVIDERS: Final = {
    "timeout": "LLM_CLIENT_TIMEOUT",
    "verify_ssl": "LLM_CLIENT_VERIFY_SSL",
    "options": "LLM_CLIENT_OPTIONS",
}
"""By field: the variable that says it of whichever provider is asked."""
_DESTINATION: Final[Mapping[str, Kind]] = {
    "provider": TEXT,
    "base_url": ADDRESS,
    "dialect": DIALECT,
}
"""By field: what variables say beside the model, which is a setting of profiles."""


class Said(NamedTuple):
    """What a variable says."""

    setting: Setting
    variable: str
    value: Any


class CallVariables(NamedTuple):
    """What variables say of every call, whatever profile it uses."""

    destination: LLMConfig
    """Provider, address, dialect and model."""
    named_by: tuple[str, ...]
    """The variables that say so."""
    options: LLMConfig
    """Without the wait and the provider-specific fields: providers' variables stand over those."""
    fallback: tuple[str, ...]


def read_variable(setting: Setting, variable: str, text: str) -> Any:
    """Return the value of a setting that a variable's text means.

    Raises:
        ConfigurationError: it is none; names the variable.
    """
    value = _read(setting.kind, variable, text)
    if isinstance(value, dict) and children(setting.path):
        names = tuple(setting.path.split("."))
        for problem in shape_problems(setting.path, names, value, lambda _: f"In {variable}"):
            raise problem
    return value


def global_values(environ: Mapping[str, str]) -> list[Said]:
    """Return what variables say of the settings that are no single profile's or provider's.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    return [*_said("", environ)]


def call_values(environ: Mapping[str, str]) -> list[Said]:
    """Return what variables say of profiles' settings, for whichever profile is used.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    return [*_said("profiles.", environ)]


def call_variables(environ: Mapping[str, str], settings: Settings) -> CallVariables:
    """Return what variables say of every call.

    Raises:
        ConfigurationError: one of them is wrong, or names what there is not.
    """
    said = {setting.path.rpartition(".")[2]: value for setting, _, value in call_values(environ)}
    where = {
        field: _read(kind, variable, text)
        for field, kind in _DESTINATION.items()
        if (text := _text(variable := f"LLM_CLIENT_{field.upper()}", environ))
    }
    if "model" in said:
        where["model"] = said.pop("model")
    fallback = said.pop("fallback", ())
    for field in OF_ALL_PROVIDERS:
        said.pop(field, None)
    _check_names(where, fallback, settings)
    named_by = tuple(f"LLM_CLIENT_{field.upper()}" for field in where)
    return CallVariables(LLMConfig(**where), named_by, LLMConfig(**said), tuple(fallback))


def provider_values(name: str, environ: Mapping[str, str]) -> list[Said]:
    """Return what variables say of a provider's settings, the strongest of each.

    `LLM_CLIENT_<PROVIDER>_TIMEOUT` comes before `LLM_CLIENT_TIMEOUT`, and that before the
    provider's own variable. Options come from all that there are, the weakest first.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    return [*_provider_values(name, environ)]


def with_variables(
    name: str, own: ProviderSettings, environ: Mapping[str, str]
) -> tuple[ProviderSettings, ProviderSettings]:
    """Return a provider's settings with what variables say over them, and the latter by itself.

    Raises:
        ConfigurationError: one of the variables is wrong.
    """
    said: dict[str, Any] = {}
    for setting, _, value in _provider_values(name, environ):
        field = setting.path.rpartition(".")[2]
        if isinstance(value, dict):
            value = {**said.get(field, {}), **value}
        said[field] = tuple(value) if isinstance(value, list) else value
    over = dict(said)
    if "headers" in said:
        names = {header.lower() for header in said["headers"]}
        kept = {name: text for name, text in own.headers.items() if name.lower() not in names}
        over["headers"] = {**kept, **said["headers"]}
    return replace(own, **over), ProviderSettings(**said)


def variable_problems(
    environ: Mapping[str, str], providers: Iterable[str]
) -> Iterator[ConfigurationError]:
    """Yield what is wrong with each variable that says a setting.

    Args:
        environ: has the variables.
        providers: names that the configuration gives; those of the catalog are looked at anyway.
    """
    names = [*dict.fromkeys((*providers, *CATALOG))]
    told: set[str] = set()
    for setting in SETTINGS:
        for name in names if setting.path.startswith("providers.") else ("",):
            for variable in _variables_of(setting, name):
                text = _text(variable, environ)
                if text and variable not in told:
                    told.add(variable)
                    try:
                        read_variable(setting, variable, text)
                    except ConfigurationError as problem:
                        yield problem


def _said(start: str, environ: Mapping[str, str]) -> Iterator[Said]:
    """Yield what is said of the settings whose path begins so; empty: of those without a name."""
    for setting in SETTINGS:
        if setting.path.startswith(start) if start else "*" not in setting.path:
            text = _text(setting.variable, environ)
            if text:
                value = read_variable(setting, setting.variable, text)
                yield Said(setting, setting.variable, value)


def _provider_values(name: str, environ: Mapping[str, str]) -> Iterator[Said]:
    for setting in SETTINGS:
        if setting.path.startswith("providers."):
            present = [name for name in _variables_of(setting, name) if _text(name, environ)]
            of_options = setting.path == "providers.*.options"
            for variable in reversed(present) if of_options else present[:1]:
                value = read_variable(setting, variable, _text(variable, environ))
                yield Said(setting, variable, value)


def _variables_of(setting: Setting, name: str) -> Iterator[str]:
    """Yield the variables that may say a setting of a provider, the strongest first."""
    yield setting.variable_for(name)
    if name:
        field = setting.path.rpartition(".")[2]
        if field in OF_ALL_PROVIDERS:
            yield OF_ALL_PROVIDERS[field]
        row = CATALOG.get(name)
        if field == "timeout" and row is not None:
            yield from row.timeout_env


def _check_names(where: Mapping[str, str], fallback: tuple[str, ...], settings: Settings) -> None:
    """Refuse names of providers and profiles that there are not."""
    profiles, providers = settings.profiles, settings.providers
    links = [("LLM_CLIENT_FALLBACK", link, profiles) for link in fallback]
    if "provider" in where:
        links.append(("LLM_CLIENT_PROVIDER", f"{where['provider']}/", {}))
    elif "base_url" not in where and "/" in where.get("model", ""):
        links.append(("LLM_CLIENT_MODEL", where["model"], {}))
    for variable, link, known in links:
        if (problem := link_problem(link, known, providers)) is not None:
            raise ConfigurationError(
                f"In {variable}: {problem[0]}.", hint=_with_unset(problem[1], variable)
            )


def _read(kind: Kind, variable: str, text: str) -> Any:
    value = kind.read(text)
    if not kind.check(value):
        hint = nearest(text, kind.words)
        raise ConfigurationError(
            f"{variable} {wrong_value(kind, value)}.", hint=_with_unset(hint, variable)
        )
    return value


def _with_unset(hint: str | None, variable: str) -> str:
    return f"{hint or 'Correct it.'} Or `unset {variable}`."


def _text(variable: str, environ: Mapping[str, str]) -> str:
    return environ.get(variable, "").strip() if variable else ""

"""What Tab offers as values: providers, profiles, models and the like, without asking anybody.

Owns finding them in the catalog, in the configuration and in the model lists that are kept. What
cannot be read has nothing to offer, and that is all: a shell waits for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..exceptions import LLMError
from .environment import Environment

if TYPE_CHECKING:
    from ..types.config import Settings

__all__ = ["KINDS", "offered"]

Word = str | tuple[str, str]
"""A word, or one with what it means."""


def offered(kind: str, flags: Mapping[str, Any], incomplete: str) -> list[Word]:
    """Return words of a kind; those that do not fit what is typed may be among them.

    Args:
        kind: a name of `KINDS`.
        flags: what the command has been given, by the names of its parameters.
        incomplete: what is typed of the word.
    """
    return [*KINDS[kind](flags, incomplete)]


def _providers(flags: Mapping[str, Any], _: str) -> Iterator[str]:
    """Yield the providers of the catalog and of the configuration."""
    from ..providers.catalog import CATALOG

    yield from dict.fromkeys([*CATALOG, *_settings(flags).providers])


def _profiles(flags: Mapping[str, Any], _: str) -> Iterator[Word]:
    for name, profile in _settings(flags).profiles.items():
        yield name, (profile if isinstance(profile, str) else profile.model) or ""


def _models(flags: Mapping[str, Any], incomplete: str) -> Iterable[Word]:
    """Return the models of the provider that is named before, or of all."""
    from .model_names import offered as kept

    return kept(incomplete, flags.get("provider"))


def _targets(flags: Mapping[str, Any], incomplete: str) -> Iterator[Word]:
    """Yield profiles and, with their provider, models."""
    yield from _profiles(flags, incomplete)
    yield from _models({}, incomplete)


def _dialects(_: Mapping[str, Any], __: str) -> Iterable[Word]:
    from ..dialects import DIALECTS

    return DIALECTS


def _efforts(_: Mapping[str, Any], __: str) -> Iterable[Word]:
    from ..types.request import ReasoningEffort

    return get_args(ReasoningEffort)


def _setting_keys(flags: Mapping[str, Any], incomplete: str) -> Iterator[Word]:
    """Yield the keys of settings, with the names that the configuration has in them."""
    from ..policy.setting_schema import SETTINGS

    settings = _settings(flags)
    names: dict[str, Iterable[str]] = {
        "profiles": [name for name, said in settings.profiles.items() if not isinstance(said, str)],
        # All would be some hundred keys more.
        "providers": [*_providers(flags, "")]
        if incomplete.startswith("providers.")
        else settings.providers,
        "pricing": settings.pricing,
    }
    for setting in SETTINGS:
        table, star, rest = setting.path.partition(".*")
        if not star:
            yield setting.path, setting.about
            continue
        known = names.get(table.rpartition(".")[2], ())
        for name in dict.fromkeys([*known, *_name_in(table, incomplete)]):
            yield f"{table}.{_quoted(name)}{rest}", setting.about


def _name_in(table: str, incomplete: str) -> list[str]:
    """Return the name that is typed behind a table: of a profile, say, that is to be made."""
    found = re.match(rf"{re.escape(table)}\.([A-Za-z0-9_-]+)\.", incomplete)
    return [found[1]] if found else []


def _quoted(name: str) -> str:
    """Return a name as a part of a key in TOML."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _setting_values(flags: Mapping[str, Any], incomplete: str) -> Iterable[Word]:
    """Return what the setting may be whose key is named before."""
    from ..policy.setting_schema import find_setting, split_key

    try:
        setting = find_setting(split_key(flags.get("key") or ""))
    except LLMError:
        return ()
    if setting.path == "default_profile":
        return _profiles(flags, incomplete)
    if setting.path == "profiles.*.model" or setting.path.startswith("routing."):
        return [*setting.kind.words, *_targets(flags, incomplete)]
    return setting.kind.words


KINDS: Mapping[str, Callable[[Mapping[str, Any], str], Iterable[Word]]] = {
    "dialects": _dialects,
    "efforts": _efforts,
    "models": _models,
    "profiles": _profiles,
    "providers": _providers,
    "setting keys": _setting_keys,
    "setting values": _setting_values,
    "targets": _targets,
}


def _settings(flags: Mapping[str, Any]) -> Settings:
    """Return the configuration that `--config` names or that is found; an empty one if it is bad."""
    from ..storage.config import load_settings
    from ..types.config import Settings

    named = flags.get("config")
    # The word as it was typed: no shell has expanded it yet.
    path = Path(os.path.expandvars(named)) if named else None
    try:
        return load_settings(path, Environment.current().environ)
    except LLMError:
        return Settings()

"""Which setting a key of the command line means, and what the text behind it becomes.

Owns the forms that only a command line has: an alias, a field of a provider, one entry of a table
whose names are the user's. It refuses keys of providers: those do not belong into the file.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from ..exceptions import ConfigurationError
from ..policy.setting_check import wrong_value
from ..policy.setting_kinds import TABLE, TEXT, Kind, nearest
from ..policy.setting_schema import children, find_setting, join_key, nearest_setting, split_key
from ..providers.catalog import CATALOG
from ..storage.config_edit import is_open
from ..types.secret import MASK, redact

__all__ = ["NAMES_OF_KEYS", "Change", "change_of", "find_names"]

NAMES_OF_KEYS = frozenset({"api_key", "apikey", "key", "password", "secret", "token"})


class Change(NamedTuple):
    """What `config set` is to do."""

    names: tuple[str, ...]
    """Of the setting."""
    value: object


def find_names(key: str) -> tuple[str, ...]:
    """Return the names of a setting or a table, whether the file has it or not.

    Raises:
        ConfigurationError: there is none.
    """
    names = split_key(key)
    where = ""
    for name in names:
        below = children(where)
        step = name if name in below else "*" if "*" in below else ""
        if not step:
            _kind_of(names)
            break
        where = f"{where}.{step}" if where else step
    return names


def change_of(key: str, text: str) -> Change:
    """Return what a key and a value of the command line mean.

    Raises:
        ConfigurationError: there is no such setting, it cannot have that value, or it is a key.
    """
    names = split_key(key)
    _refuse_key(names, text)
    if not all(map(str.isprintable, names)) or _has_surrogates(key + text):
        raise ConfigurationError(f"{key!r} has characters that no configuration can have.")
    kind = _kind_of(names)
    value = kind.read(text) if kind is not _ENTRY else _as_json(text)
    if (what := _unwritable(value)) is not None:
        raise ConfigurationError(f"{join_key(names)} has {what}, which no setting can be.")
    if not kind.check(value):
        hint = nearest(text, kind.words)
        raise ConfigurationError(f"{join_key(names)} {wrong_value(kind, value)}.", hint=hint)
    return Change(names, value)


def _kind_of(names: tuple[str, ...]) -> Kind:
    if names[0] == "profiles" and len(names) == 2:
        return TEXT  # an alias
    if names[0] == "providers" and len(names) == 3:
        row = CATALOG.get(names[1])
        fields = [field.name for field in row.fields] if row is not None else []
        if names[2] in fields:
            return TEXT
        if names[2] not in (known := children("providers.*")):
            raise ConfigurationError(
                f"There is no setting {join_key(names)!r}.",
                hint=nearest_setting(names[2], [*known, *fields]),
            )
    if len(names) > 3 and is_open(names[:3]):
        kind = find_setting(names[:3]).kind
        if kind is TABLE:
            return _ENTRY
        if len(names) == 4:
            return _HEADER
    return find_setting(names).kind


def _refuse_key(names: tuple[str, ...], text: str) -> None:
    """Refuse what looks like a key, unless it is a header: some proxies want one there.

    Raises:
        ConfigurationError: it does, or the setting is called like one.
    """
    is_header = names[0] == "providers" and "headers" in names[2:3]
    is_called = names[-1].lower() in NAMES_OF_KEYS and not (is_header or "options" in names[2:3])
    words = re.split(r"[\s\"'=,\[\]{}]+", text)
    looks = any(redact(word) == MASK for word in words if word)
    if is_called or (looks and not is_header):
        is_provider = names[0] == "providers" and len(names) > 1
        provider = names[1] if is_provider else "PROVIDER"
        what = "is no setting" if is_called else "cannot be what looks like an API key"
        raise ConfigurationError(
            f"{join_key(names)} {what}: keys do not stand in the configuration.",
            hint=f"Store it with `llm-client creds set {provider}`, which asks for it, and take it "
            "out of the history of your shell.",
        )


def _as_json(text: str) -> object:
    import json

    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _unwritable(value: object) -> str | None:
    """Return what a value has that TOML or the JSON of a request does not know."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return next(filter(None, map(_unwritable, items)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"the number {value}"
    return "a null" if value is None else None


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


_ENTRY = Kind(lambda _: True, "anything", _as_json)
"""An entry of a table of fields that only the provider knows."""
_HEADER = Kind(
    lambda value: isinstance(value, str) and value.isprintable(),
    "a text without line breaks",
    lambda text: text,
    is_shown=False,
)

"""Every setting of the configuration, once: its name, what it may be, its variable, its default.

The reader of the file, the environment, `llm-client config`, the table in the documentation and the
tests all go by this table. It owns what a setting is; where values come from and which of them
holds is decided by those who read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from ..exceptions import ConfigurationError
from .setting_kinds import nearest
from .setting_rows import OTHER_VARIABLES, SETTINGS, Setting

__all__ = [
    "OTHER_VARIABLES",
    "SETTINGS",
    "Setting",
    "children",
    "find_setting",
    "join_key",
    "nearest_setting",
    "split_key",
]

_NO_VALUE = "no value of a key"


@cache
def children(where: str) -> Mapping[str, Setting | None]:
    """Return the names that may stand in a table; without a `Setting`: another table.

    Args:
        where: dotted path of the table with `*` for names; empty: the file.
    """
    start = f"{where}." if where else ""
    found: dict[str, Setting | None] = {}
    for setting in SETTINGS:
        if setting.path.startswith(start):
            name, dot, _ = setting.path[len(start) :].partition(".")
            found[name] = None if dot else found.get(name, setting)
    return MappingProxyType(found)


def join_key(names: Iterable[str]) -> str:
    """Return the dotted key of names, as `split_key` and TOML read it: `pricing."a/b".input`."""
    import json
    import re

    return ".".join(
        name
        if re.fullmatch("[A-Za-z0-9_-]+", name)
        else json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007F")
        for name in names
    )


def split_key(key: str) -> tuple[str, ...]:
    """Return the names that a dotted key is made of, as TOML has it: `pricing."a/b".input`.

    Raises:
        ConfigurationError: it is no key.
    """
    import tomllib

    names: list[str] = []
    try:
        # Whatever else there is in a key, its value is not this.
        table: object = tomllib.loads(f"{key} = {_NO_VALUE!r}") if "\n" not in key else None
    except tomllib.TOMLDecodeError:
        table = None
    while isinstance(table, dict) and len(table) == 1:
        ((name, table),) = table.items()
        names.append(name)
    if table != _NO_VALUE:
        names = []
    if not names:
        raise ConfigurationError(
            f"{key!r} is no name of a setting.",
            hint="Write it dotted, names with other characters in quotes: "
            "`retry.max_retries`, `'pricing.\"work/our-model\".input'`.",
        )
    return tuple(names)


def find_setting(names: tuple[str, ...]) -> Setting:
    """Return the setting that a split key names.

    Fields of single providers (`providers.azure.endpoint`) are none of the table: see the catalog.

    Raises:
        ConfigurationError: there is none; the hint has the nearest.
    """
    where = ""
    for count, name in enumerate(names):
        below = children(where)
        step = name if name in below else "*" if "*" in below else ""
        if not step:
            raise ConfigurationError(
                f"There is no setting {join_key(names[: count + 1])!r}.",
                hint=nearest_setting(name, below),
            )
        where = f"{where}.{step}" if where else step
    for setting in SETTINGS:
        if setting.path == where:
            return setting
    raise ConfigurationError(
        f"{join_key(names)!r} is a table, not a setting.",
        hint=f"It has: {', '.join(sorted(children(where))).replace('*', 'names of your own')}.",
    )


def nearest_setting(name: str, known: Iterable[str]) -> str | None:
    """Return the name that was meant where a name is unknown, else those that there are."""
    names = sorted(known)
    return nearest(name, names) or (f"Known here: {', '.join(names)}." if names else None)

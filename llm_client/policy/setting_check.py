"""What is wrong with settings: names that there are not, wrong values, references to nothing.

Pure: takes tables as a file or a variable has them, and yields every problem as an error that says
where it stands. Refuses to guess: what is not known is a problem, with the nearest name that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG
from ..types.secret import redact, without_password
from .setting_kinds import ADDRESS, COMMAND, HEADER_NAME, TEXT, Kind, nearest
from .setting_schema import children, join_key, nearest_setting

__all__ = [
    "Names",
    "Place",
    "link_problem",
    "reference_problems",
    "right_parts",
    "shape_problems",
    "wrong_value",
]

Names: TypeAlias = tuple[str, ...]
"""A setting's or a table's, from the root: `("pricing", "work/our-model", "input")`."""
Place: TypeAlias = Callable[[Names], str]
"""Says where a setting stands: `In the configuration /home/me/config.toml, line 3`."""
_Root: TypeAlias = Mapping[str, Any]

_PROFILE = "profiles.*"
_PROVIDER = "providers.*"
_LONGEST_SHOWN = 200
"""Characters of a wrong value: what is longer is cut."""


def shape_problems(
    where: str, names: Names, value: object, place: Place
) -> Iterator[ConfigurationError]:
    """Yield what is wrong with a table by itself: unknown names, values of a wrong kind.

    Args:
        where: its path in the schema; empty: the root.
        names: its own.
        value: what stands there.
        place: says where.
    """
    if not isinstance(value, Mapping):
        if not (where == _PROFILE and isinstance(value, str)):  # which is an alias
            what = join_key(names) or "the file"
            problem = f"{what} must be a table, not {_shown(value)}"
            yield ConfigurationError(f"{place(names)}: {problem}.")
        return
    below = children(where)
    fields = _fields(names[-1]) if where == _PROVIDER else ()
    for name, item in value.items():
        here = (*names, name)
        step = name if name in below else "*" if "*" in below else ""
        if name in fields:
            yield from _value_problems(TEXT, here, item, place)
        elif not step:
            hint = nearest_setting(name, [*below, *fields])
            if where == _PROVIDER and name in {"api_key", "key", "token"}:
                # Not `api_key_env`, the nearest, into which the key would go then.
                hint = f"Keys do not stand here: run `llm-client creds set {names[-1]}`."
            yield ConfigurationError(
                f"{place(here)}: there is no setting {join_key(here)!r}.", hint=hint
            )
        elif (setting := below[step]) is not None:
            yield from _value_problems(setting.kind, here, item, place)
        else:
            yield from shape_problems(f"{where}.{step}" if where else step, here, item, place)


def right_parts(table: object, names: Names = ()) -> dict[str, Any]:
    """Return what of a table is right by itself, for a look at what it refers to.

    Args:
        table: the whole file, or a part of it; of anything else nothing is right.
        names: those of the part.
    """
    parts: dict[str, Any] = {}
    for name, value in table.items() if isinstance(table, Mapping) else ():
        here = (*names, name)
        if _is_right(here, value):
            parts[name] = value
        elif isinstance(value, Mapping) and _is_right(here, {}):
            parts[name] = right_parts(value, here)
    return parts


def _is_right(names: Names, value: object) -> bool:
    for name in reversed(names):
        value = {name: value}
    return next(shape_problems("", (), value, lambda _: ""), None) is None


_UNTOLD: Final = (COMMAND, HEADER_NAME)
"""Kinds that are about keys: in the place of one often stands a key, which must not be repeated."""


def wrong_value(kind: Kind, value: object) -> str:
    """Return what to say of a value that a kind refuses: `must be …, not …`."""
    if kind.is_shown and kind not in _UNTOLD:
        return f"must be {kind.wanted}, not {_shown(value, kind)}"
    # The value of a header may be a key.
    return f"must be {kind.wanted}" + (f", not {[*value]!r}" if isinstance(value, dict) else "")


def _value_problems(
    kind: Kind, names: Names, value: object, place: Place
) -> Iterator[ConfigurationError]:
    if not kind.check(value):
        problem = f"{place(names)}: {join_key(names)} {wrong_value(kind, value)}."
        yield ConfigurationError(problem, hint=_value_hint(kind, names[-1], value))


def _value_hint(kind: Kind, name: str, value: object) -> str | None:
    if kind is TEXT and not isinstance(value, dict | list):
        return f'Put it into quotes: `{name} = "{value}"`.'
    if isinstance(value, str) and kind.is_shown and kind not in _UNTOLD:
        meant = kind.read(value)
        if kind.check(meant) and not isinstance(meant, dict):
            import json

            return redact(f"Write `{name} = {json.dumps(meant, ensure_ascii=False)}`.")
    return nearest(value, kind.words) if isinstance(value, str) else None


def _shown(value: object, kind: Kind | None = None) -> str:
    if kind is ADDRESS and isinstance(value, str):
        value = without_password(value)
    try:
        shown = redact(repr(value))
    except RecursionError:
        return "something so deep"
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"


def _fields(provider: str) -> Collection[str]:
    row = CATALOG.get(provider)
    return [field.name for field in row.fields] if row is not None else ()


def reference_problems(root: _Root, place: Place) -> Iterator[ConfigurationError]:
    """Yield the names that stand for nothing: of profiles, of providers, in circles.

    Args:
        root: all settings, each right by itself.
        place: says where they stand.
    """
    profiles, providers = root.get("profiles", {}), root.get("providers", {})
    yield from _default_problems(root, place)
    yield from _alias_problems(profiles, place)
    for name, profile in profiles.items():
        if isinstance(profile, str):
            continue
        model = profile.get("model", "")
        here = ("profiles", name)
        if "/" in model:
            yield from _link_problems((*here, "model"), model, (), providers, place)
        for link in profile.get("fallback", ()):
            yield from _link_problems((*here, "fallback"), link, profiles, providers, place)
    for task, link in root.get("routing", {}).items():
        if task != "prefer":
            yield from _link_problems(("routing", task), link, profiles, providers, place)
    for name in providers:
        if name not in CATALOG and name.lower() in CATALOG:
            names = ("providers", name)
            yield ConfigurationError(
                f"{place(names)}: {join_key(names)}: there is no provider {name!r}.",
                hint=f"Did you mean {name.lower()!r}?",
            )
    yield from _budget_problems(root, place)


def link_problem(
    link: str, profiles: Collection[str], providers: Collection[str]
) -> tuple[str, str | None] | None:
    """Return why nobody can be found by what should be a profile or a model spec, and a hint."""
    if link in profiles:
        return None
    provider, slash, _ = link.partition("/")
    if not slash:
        known = ", ".join(sorted(profiles)) or "none"
        return (
            f"{link!r} is neither a profile nor PROVIDER/MODEL",
            nearest(link, profiles) or f"Profiles in the configuration: {known}.",
        )
    if provider in providers or provider.lower() in CATALOG:
        return None
    own = f"One of your own needs its `base_url` under `[providers.{join_key([provider])}]`."
    return f"there is no provider {provider!r}", nearest(provider, [*providers, *CATALOG]) or own


def _link_problems(
    names: Names,
    link: str,
    profiles: Collection[str],
    providers: Collection[str],
    place: Place,
) -> Iterator[ConfigurationError]:
    found = link_problem(link, profiles, providers)
    if found is not None:
        problem, hint = found
        yield ConfigurationError(
            f"{place(names)}: {join_key(names)} has {link!r}: {problem}.", hint=hint
        )


def _default_problems(root: _Root, place: Place) -> Iterator[ConfigurationError]:
    name, profiles = root.get("default_profile"), root.get("profiles", {})
    if name is not None and name not in profiles:
        yield ConfigurationError(
            f"{place(('default_profile',))}: default_profile is {name!r}, and there is no such "
            "profile.",
            hint=_no_profile_hint(name, profiles),
        )


def _alias_problems(profiles: _Root, place: Place) -> Iterator[ConfigurationError]:
    told: set[str] = set()
    for name, behind in profiles.items():
        if not isinstance(behind, str) or name in told:
            continue
        seen = [name]
        while isinstance(behind, str) and behind not in seen:
            seen.append(behind)
            behind = profiles.get(behind)
        if isinstance(behind, str):
            if behind not in told:
                circle = " -> ".join([*seen[seen.index(behind) :], behind])
                names = ("profiles", behind)
                yield ConfigurationError(
                    f"{place(names)}: {join_key(names)} is an alias of itself: {circle}."
                )
            told.update(seen)
        elif behind is None and len(seen) == 2:  # a longer chain is told where it breaks
            names, missing = ("profiles", name), seen[-1]
            yield ConfigurationError(
                f"{place(names)}: {join_key(names)} is an alias of {missing!r}, and there is no "
                "such profile.",
                hint=_no_profile_hint(missing, profiles),
            )


def _no_profile_hint(name: str, profiles: Iterable[str]) -> str:
    if "/" in name:
        return f'A profile with that model: `[profiles.NAME]`, `model = "{name}"`.'
    known = ", ".join(sorted(profiles)) or "none"
    return nearest(name, profiles) or f"Profiles in the configuration: {known}."


def _budget_problems(root: _Root, place: Place) -> Iterator[ConfigurationError]:
    """Yield budgets that would hold nothing. A project is whatever a repository is called."""
    budget = root.get("budget", {})
    known: dict[str, Collection[str]] = {"profiles": root.get("profiles", {})}
    if "providers" in budget:
        known["providers"] = [*root.get("providers", {}), *CATALOG]
    for part, names in known.items():
        for name in budget.get(part, {}):
            if name not in names:
                here = ("budget", part, name)
                yield ConfigurationError(
                    f"{place(here)}: {join_key(here)}: there is no {part[:-1]} {name!r}.",
                    hint=nearest(name, names),
                )

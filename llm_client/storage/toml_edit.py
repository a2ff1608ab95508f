"""One value of a TOML text set or taken out, the user's comments and order left as they are.

Owns where a new line goes and which comments stay when a table leaves. Whatever it makes is read
again and compared with what was wanted: a text that would come out wrong is refused, not written.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from ..exceptions import ConfigurationError
from ..policy.setting_schema import join_key

__all__ = ["changed", "with_value", "without_value"]


def with_value(text: str, names: Sequence[str], value: object) -> str:
    """Return a TOML text in which a setting has a value.

    Args:
        text: TOML that can be parsed.
        names: of the tables, and of the setting in the last of them.
        value: of the setting: texts, numbers, booleans, lists and dictionaries of such.

    Raises:
        ConfigurationError: it cannot be done without harm to the rest.
    """
    attempts: list[Callable[[str], str]] = []
    if not _has(_parsed(text), names):
        attempts = [
            lambda text: _with_section(text, names, value),
            lambda text: _moved_up(text, _edited(text, names, value)),
        ]
    attempts += [
        lambda text: _with_items(text, names, value),
        lambda text: _edited(text, names, value),
    ]
    return _first_right(text, names, attempts, lambda table: changed(table, names, value))


def without_value(text: str, names: Sequence[str]) -> str:
    """Return a TOML text without a setting, or without a whole table.

    Raises:
        ConfigurationError: it cannot be done without harm to the rest.
    """
    attempts: list[Callable[[str], str]] = [
        lambda text: _comments_kept(text, _edited(text, names)),
        lambda text: _edited(text, names),
    ]
    return _first_right(text, names, attempts, lambda table: changed(table, names))


_NOTHING: Any = object()


def changed(table: Mapping[str, Any], names: Sequence[str], value: object = _NOTHING) -> Any:
    """Return a table with a value at a path, or without what stands there; the given one stays."""
    result: dict[str, Any] = copy.deepcopy(dict(table))
    within = result
    for name in names[:-1]:
        within = within.setdefault(name, {})
    if value is _NOTHING:
        del within[names[-1]]
    else:
        within[names[-1]] = value
    return result


def _first_right(
    text: str,
    names: Sequence[str],
    attempts: Sequence[Callable[[str], str]],
    wanted: Callable[[Mapping[str, Any]], Any],
) -> str:
    """Return the first attempt that parses to what is wanted."""
    # tomlkit ends every line that it adds with a bare line feed.
    is_crlf = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    bare = text.replace("\r\n", "\n") if is_crlf else text
    meant = _pruned(wanted(_parsed(bare)), names)
    for attempt in attempts:
        try:
            made = attempt(bare)
            if _pruned(_parsed(made), names) == meant:
                return made.replace("\n", "\r\n") if is_crlf else made
        except Exception:  # tomlkit has many, and none of its own for what it cannot do
            continue
    raise ConfigurationError(
        f"{join_key(names)!r} cannot be changed without harm to the rest of the file.",
        hint="Change it by hand: `llm-client config edit`.",
    )


def _parsed(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


def _pruned(table: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a table without the tables on a way that are empty: some are there only by a name."""
    if len(names) < 2 or not isinstance(table.get(names[0]), dict):
        return table
    rest = {name: value for name, value in table.items() if name != names[0]}
    within = _pruned(table[names[0]], names[1:])
    return {**rest, names[0]: within} if within else rest


def _has(table: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(table, dict) or name not in table:
            return False
        table = table[name]
    return True


def _edited(text: str, names: Sequence[str], value: object = _NOTHING) -> str:
    """Return what tomlkit makes of a change."""
    import tomlkit

    document = tomlkit.parse(text)
    within: Any = document
    for name in names[:-1]:
        if name not in within:
            within[name] = tomlkit.table()
        within = within[name]
    if value is _NOTHING:
        del within[names[-1]]
    else:
        item = _item(value)
        if (old := within.get(names[-1])) is not None and hasattr(old, "trivia"):
            item.trivia.comment_ws, item.trivia.comment = old.trivia.comment_ws, old.trivia.comment
        within[names[-1]] = item
    return document.as_string()


def _with_section(text: str, names: Sequence[str], value: object) -> str:
    """Return a text with a section of its own at the end, for a table that has none.

    Where it has one already, or is written in a line, this makes no TOML.
    """
    import tomli_w

    # A section below a table would stand far from it.
    if len(names) < 2 or (isinstance(value, dict) and _has(_parsed(text), names[:-1])):
        raise ValueError
    section = value
    for name in reversed(names):
        section = {name: section}
    kept = text.rstrip("\n")
    apart = "\n\n" if kept else ""
    return f"{kept}{apart}{tomli_w.dumps(section)}"  # type: ignore[arg-type]  # a dictionary now


def _with_items(text: str, names: Sequence[str], value: object) -> str:
    """Return a text with other items of a list on several lines: the comments between them stay."""
    import tomlkit

    document = tomlkit.parse(text)
    within: Any = document
    for name in names:
        within = within[name]
    if not isinstance(value, list) or "\n" not in within.as_string():
        raise ValueError
    old, new = ([repr(item) for item in items] for items in (within.unwrap(), value))
    for what, start, end, first, last in reversed(SequenceMatcher(None, old, new).get_opcodes()):
        if what == "equal":
            continue
        same = min(end - start, last - first)
        for i in range(same):
            within[start + i] = _item(value[first + i])
        for _ in range(start + same, end):
            del within[start + same]
        for i in range(first + same, last):
            within.insert(start + i - first, _item(value[i]))
    return document.as_string()


def _item(value: object) -> Any:
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for name, item in value.items():
            table.append(name, _item(item))
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend(map(_item, value))
        return array
    return tomlkit.item(value)


def _moved_up(text: str, made: str) -> str:
    """Return a text whose new lines stand before the comments that introduce the next section."""
    old, new = text.split("\n"), made.split("\n")
    count = len(new) - len(old)
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    if count < 1 or new[start + count :] != old[start:]:
        raise ValueError
    place = _end_of_section(old, start)
    is_tight = place < len(old) and old[place].startswith("[") and new[start + count - 1].strip()
    apart = [""] if is_tight else []
    return "\n".join((*old[:place], *new[start : start + count], *apart, *old[place:]))


def _comments_kept(text: str, made: str) -> str:
    """Return a text that keeps the comments behind a table that left: they are about the next."""
    old, new = text.split("\n"), made.split("\n")
    count = len(old) - len(new)
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(new))
    if count < 1 or old[start + count :] != new[start:]:
        raise ValueError
    place = max(start, _end_of_section(old, start + count))
    if old[place : place + 1] == [""] and (not start or old[start - 1] == ""):
        place += 1  # one blank line is enough
    return "\n".join((*old[:start], *old[place : start + count], *old[start + count :]))


def _end_of_section(lines: Sequence[str], end: int) -> int:
    """Return where a section ends whose last lines may be about the next one.

    Comments right below its last setting are its own; those behind a blank line are not. What
    begins a file is about the file.
    """
    start = end
    while start and (not lines[start - 1].strip() or lines[start - 1].lstrip().startswith("#")):
        start -= 1
    blanks: Iterator[int] = (i for i in range(start, end) if not lines[i].strip())
    is_in_between = start > 0 and end < len(lines) - 1
    return next(blanks, start if is_in_between else end)

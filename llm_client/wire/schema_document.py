"""A JSON schema as a document: whether it makes sense, and what its references mean.

Owns the walk over everything in a schema that is a schema itself, `$id`, `$anchor` and `$ref` within
the document. Refuses, with the place, what is plainly broken and what lies outside: nothing is
ever fetched. Meant for JSON Schema 2020-12; the older `definitions`, and `items` that are a list, are
understood too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin

from ..exceptions import ValidationError

__all__ = ["TYPE_NAMES", "SchemaDocument"]

TYPE_NAMES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "an array",
}
"""The types of JSON Schema, in words."""

_ONE = frozenset({
    "additionalItems", "additionalProperties", "contains", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
"""Keywords whose value is a schema; `items` was a list of them before 2020."""
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPPINGS = frozenset({
    "$defs", "definitions", "dependentSchemas", "patternProperties", "properties",
})  # fmt: skip
_REFERENCES = ("$ref", "$dynamicRef")
"""The dynamic form is read as the plain one, which it is in a document without other documents."""
_INDEX = re.compile(r"[0-9]{1,9}")
_IN_PLACE = ("allOf", "anyOf", "else", "if", "not", "oneOf", "then", "dependentSchemas")
"""Keywords whose schemas are applied to the same value."""


class SchemaDocument:
    """A schema that has been checked, with its references resolved."""

    def __init__(self, schema: object) -> None:
        """Check a schema.

        Raises:
            ValidationError: it is broken, or refers to something outside.
        """
        if not isinstance(schema, Mapping):
            raise _broken("#", f"{_shown(schema)} is not a JSON schema, which is an object")
        try:
            # A copy: as JSON says it, and no part of it in two places.
            self.root: dict[str, Any] = json.loads(json.dumps(dict(schema), allow_nan=False))
        except (RecursionError, TypeError, ValueError) as error:
            raise _broken("#", f"it cannot be written as JSON ({error})") from None
        self._schemas: list[dict[str, Any]] = []
        self._places: dict[int, str] = {}
        self._bases: dict[int, str] = {}
        self._resources: dict[str, Any] = {"": self.root}
        self._anchors: dict[tuple[str, str], Any] = {}
        self._targets: dict[tuple[int, str], Any] = {}
        self._walk(self.root, "", "#")
        self._resolve_all()
        self._refuse_endless()

    def target(self, schema: dict[str, Any], keyword: str) -> Any:
        """Return the schema that a reference means."""
        return self._targets[id(schema), keyword]

    def _walk(self, start: Any, base: str, place: str) -> None:
        """Check a schema and everything within, and note where it stands."""
        stack = [(start, base, place)]
        while stack:
            schema, base, place = stack.pop()
            if isinstance(schema, bool):
                continue
            if not isinstance(schema, dict):
                raise _broken(place, f"{_shown(schema)} is no schema")
            _check_keywords(schema, place)
            self._schemas.append(schema)
            self._places[id(schema)] = place
            base = self._enter(schema, base)
            stack += [(inner, base, f"{place}/{step}") for step, inner in _within(schema)]

    def _enter(self, schema: dict[str, Any], base: str) -> str:
        """Note how a schema can be referred to; return the base of references within."""
        name = schema.get("$id", "")
        if name[:1] == "#":  # an anchor, before 2019
            self._anchors[base, name[1:]] = schema
        elif name:
            base = _joined(base, name, self._places[id(schema)]).partition("#")[0]
            self._resources[base] = schema
        self._bases[id(schema)] = base
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword in schema:
                self._anchors[base, schema[keyword]] = schema
        return base

    def _resolve_all(self) -> None:
        # It grows meanwhile: a target can stand where no keyword says that there is a schema.
        for schema in self._schemas:
            for keyword in _REFERENCES:
                if keyword in schema:
                    target = self._resolve(schema[keyword], schema)
                    self._targets[id(schema), keyword] = target
                    if isinstance(target, dict) and id(target) not in self._places:
                        self._walk(target, self._bases[id(schema)], schema[keyword])

    def _resolve(self, reference: str, schema: dict[str, Any]) -> Any:
        address, _, fragment = reference.partition("#")
        base = self._bases[id(schema)]
        place = f"{self._places[id(schema)]}/$ref"
        if address:
            base = _joined(base, address, place)
        if base not in self._resources:
            raise _broken(
                place,
                f"{reference!r} lies outside of the schema, and nothing is fetched",
                hint="Put what it refers to under `$defs`, and refer to `#/$defs/NAME`.",
            )
        fragment = unquote(fragment)
        if fragment and fragment[0] != "/":
            target = self._anchors.get((base, fragment))
        else:
            target = _at(self._resources[base], fragment)
        if not isinstance(target, dict | bool):
            raise _broken(place, f"there is no schema at {reference!r}")
        return target

    def _refuse_endless(self) -> None:
        """Refuse a schema that leads back to itself without a step into the value."""
        done: set[int] = set()
        for start in self._schemas:
            path: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
                (start, self._same_value(start))
            ]
            active = {id(start)}
            while path:
                schema, following = path[-1]
                if not following:
                    path.pop()
                    active.discard(id(schema))
                    done.add(id(schema))
                    continue
                inner = following.pop()
                if id(inner) in active:
                    place = self._places[id(inner)]
                    raise _broken(place, "it refers to itself without end")
                if id(inner) not in done:
                    active.add(id(inner))
                    path.append((inner, self._same_value(inner)))

    def _same_value(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the schemas that a schema applies to its own value."""
        inner = [self._targets[id(schema), keyword] for keyword in _REFERENCES if keyword in schema]
        inner += [part for step, part in _within(schema) if step.partition("/")[0] in _IN_PLACE]
        return [part for part in inner if isinstance(part, dict)]


def _within(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the schemas directly within a schema, with the steps to them."""
    for keyword, value in schema.items():
        if keyword in _MAPPINGS and isinstance(value, dict):
            for name, inner in value.items():
                yield f"{keyword}/{name.replace('~', '~0').replace('/', '~1')}", inner
        elif keyword in _LISTS or (keyword == "items" and isinstance(value, list)):
            for index, inner in enumerate(value):
                yield f"{keyword}/{index}", inner
        elif keyword in _ONE:
            yield keyword, value


def _joined(base: str, address: str, place: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError as error:
        raise _broken(place, f"{_shown(address)} is no address ({error})") from None


def _at(value: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points at; `None` when there is nothing."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and name in TYPE_NAMES for name in names)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (OverflowError, RecursionError, TypeError, re.error):
        return False
    return True


_NUMBER = (_is_number, "is not a number")
_COUNT = (_is_count, "is not a whole number, 0 or more")
_TEXT = (lambda value: isinstance(value, str), "is not a text")
_OBJECT = (lambda value: isinstance(value, dict), "is not an object")
_LIST = (lambda value: isinstance(value, list) and bool(value), "is not a list of schemas")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "$anchor": _TEXT,
    "$dynamicAnchor": _TEXT,
    "$dynamicRef": _TEXT,
    "$id": _TEXT,
    "$ref": _TEXT,
    "type": (_is_type, f"is not a type: {', '.join(TYPE_NAMES)}, or a list of these"),
    "enum": (lambda value: isinstance(value, list), "is not a list"),
    "required": (_are_names, "is not a list of names"),
    "dependentRequired": (
        lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
        "is not an object of lists of names",
    ),
    "uniqueItems": (lambda value: isinstance(value, bool), "is not true or false"),
    "pattern": (_is_pattern, "is not a regular expression that Python can read"),
    "patternProperties": (
        lambda value: isinstance(value, dict) and all(map(_is_pattern, value)),
        "is not an object whose keys are regular expressions that Python can read",
    ),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "is not a number above 0"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties", "minContains", "maxContains"), _COUNT),
    **dict.fromkeys(_MAPPINGS - {"patternProperties"}, _OBJECT),
    **dict.fromkeys(_LISTS, _LIST),
}


def _check_keywords(schema: dict[str, Any], place: str) -> None:
    for keyword, value in schema.items():
        if keyword in _RULES:
            is_right, words = _RULES[keyword]
            if not is_right(value):
                raise _broken(f"{place}/{keyword}", f"{_shown(value)} {words}")


def _broken(place: str, why: str, hint: str | None = None) -> ValidationError:
    return ValidationError(f"The schema is broken at {place}: {why}.", hint=hint, param="schema")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"

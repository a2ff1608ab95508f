"""Validation of JSON values against a JSON schema (2020-12), in words that a model can act on.

Own code, because what is asked for is small and the usual package costs 100 ms of imports. Covers
every keyword of the core, applicator, unevaluated and validation vocabularies. Not checked:
`format` and `content*`, which are notes by default in the standard too, `dependencies` (before
2019), and references between documents within one by `$dynamicRef`. Patterns are Python's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from math import isfinite
from typing import Any, NamedTuple

from .schema_document import TYPE_NAMES, SchemaDocument

__all__ = ["check_schema", "validate"]

_MOST_STEPS = 1_000_000
"""Schemas applied to one value, about 2 s of work. No answer of a model needs as many, and
alternatives within alternatives would take years."""
_LONGEST_RULE = 400
"""Characters of what a value must be."""
_LONGEST_SHOWN = 60
"""Characters of a value that is wrong: its place says the rest."""


def check_schema(schema: object) -> None:
    """Refuse a schema that is plainly broken, or that refers to something outside of it.

    Raises:
        ValidationError: it is; with the place.
    """
    SchemaDocument(schema)


def validate(value: object, schema: object) -> list[str]:
    """Return what is wrong with a value, each with its place; nothing when it follows the schema.

    Args:
        value: as `json.loads` returns it.
        schema: a JSON schema.

    Raises:
        ValidationError: the schema itself is broken.
    """
    document = SchemaDocument(schema)
    try:
        found = _Validation(document).apply(document.root, value, "")
    except RecursionError:
        return ["the answer is nested too deeply"]
    except _TooMuchError:
        return ["the answer is too large to be checked"]
    return [str(problem) for problem in found.problems]


class _TooMuchError(Exception):
    """The validation takes more steps than any sensible one."""


class _Problem(NamedTuple):
    place: str
    keyword: str
    text: str

    def __str__(self) -> str:
        return f"{self.place.removeprefix('.') or 'the answer'} {self.text}"


class _Findings:
    """What came of applying a schema to a value."""

    __slots__ = ("indices", "names", "problems")

    def __init__(self) -> None:
        self.problems: list[_Problem] = []
        self.names: set[str] = set()
        """Fields of the value that some keyword has looked at."""
        self.indices: set[int] = set()
        """Items of the value that some keyword has looked at."""

    def take(self, other: _Findings) -> None:
        """Add what came of another schema for the same value."""
        self.problems += other.problems
        if not other.problems:
            self.names |= other.names
            self.indices |= other.indices


class _Validation:
    """One run over one value."""

    def __init__(self, document: SchemaDocument) -> None:
        self._document = document
        self._steps = 0

    def apply(self, schema: Any, value: Any, place: str) -> _Findings:
        """Return what a schema finds in a value."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooMuchError
        found = _Findings()
        if isinstance(schema, bool):
            if not schema:
                found.problems.append(_Problem(place, "false", "is not allowed"))
            return found
        for keyword, rule in schema.items():
            check = _CHECKS.get(keyword)
            if check is not None and (text := check(rule, value)):
                found.problems.append(_Problem(place, keyword, text))
        self._in_place(schema, value, place, found)
        if isinstance(value, dict):
            self._fields(schema, value, place, found)
        elif isinstance(value, list):
            self._items(schema, value, place, found)
        return found

    def _in_place(self, schema: dict[str, Any], value: Any, place: str, found: _Findings) -> None:
        """Apply the schemas that look at the same value."""
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in schema:
                found.take(self.apply(self._document.target(schema, keyword), value, place))
        for inner in schema.get("allOf", ()):
            found.take(self.apply(inner, value, place))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                self._alternatives(schema[keyword], keyword, value, place, found)
        if "not" in schema and not self.apply(schema["not"], value, place).problems:
            found.problems.append(_Problem(place, "not", f"must not be like {_shown(value)}"))
        if "if" in schema:
            condition = self.apply(schema["if"], value, place)
            if not condition.problems:
                found.take(condition)
            branch = schema.get("else" if condition.problems else "then", True)
            found.take(self.apply(branch, value, place))

    def _alternatives(
        self, schemas: list[Any], keyword: str, value: Any, place: str, found: _Findings
    ) -> None:
        outcomes = [self.apply(schema, value, place) for schema in schemas]
        fitting = [outcome for outcome in outcomes if not outcome.problems]
        for outcome in fitting:
            found.take(outcome)
        if not fitting:
            found.problems += _nearest(outcomes, keyword, place)
        elif keyword == "oneOf" and len(fitting) > 1:
            text = f"fits {len(fitting)} of the alternatives, but must fit exactly one"
            found.problems.append(_Problem(place, keyword, text))

    def _fields(
        self, schema: dict[str, Any], value: dict[str, Any], place: str, found: _Findings
    ) -> None:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        names: set[str] = set()
        for name, item in value.items():
            rules = [properties[name]] if name in properties else []
            rules += [rule for pattern, rule in patterns.items() if re.search(pattern, name)]
            if not rules and "additionalProperties" in schema:
                rules = [schema["additionalProperties"]]
            for rule in rules:
                self._field(rule, name, item, place, found)
            if rules:
                names.add(name)
            if "propertyNames" in schema:
                inner = self.apply(schema["propertyNames"], name, f"{place}.{name}")
                found.problems += [p._replace(text=f"as a name {p.text}") for p in inner.problems]
        found.names |= names
        for name, rule in schema.get("dependentSchemas", {}).items():
            if name in value:
                found.take(self.apply(rule, value, place))
        if "unevaluatedProperties" in schema:
            for name in [name for name in value if name not in found.names]:
                self._field(schema["unevaluatedProperties"], name, value[name], place, found)
            found.names |= value.keys()

    def _field(self, rule: Any, name: str, item: Any, place: str, found: _Findings) -> None:
        if rule is False:
            text = f"has the field {name!r}, which is not allowed"
            found.problems.append(_Problem(place, "properties", text))
        else:
            found.problems += self.apply(rule, item, f"{place}.{name}").problems

    def _items(
        self, schema: dict[str, Any], value: list[Any], place: str, found: _Findings
    ) -> None:
        first, rest = schema.get("prefixItems", []), schema.get("items")
        if isinstance(rest, list):  # before 2020
            first, rest = rest, schema.get("additionalItems")
        rules = [*first, *([] if rest is None else [rest] * (len(value) - len(first)))]
        for index, (item, rule) in enumerate(zip(value, rules, strict=False)):
            found.problems += self.apply(rule, item, f"{place}[{index}]").problems
            found.indices.add(index)
        if "contains" in schema:
            self._contains(schema, value, place, found)
        if "unevaluatedItems" in schema:
            for index in [i for i in range(len(value)) if i not in found.indices]:
                inner = self.apply(schema["unevaluatedItems"], value[index], f"{place}[{index}]")
                found.problems += inner.problems
            found.indices |= set(range(len(value)))

    def _contains(
        self, schema: dict[str, Any], value: list[Any], place: str, found: _Findings
    ) -> None:
        outcomes = [self.apply(schema["contains"], item, f"{place}[]") for item in value]
        fitting = {index for index, outcome in enumerate(outcomes) if not outcome.problems}
        found.indices |= fitting
        least, most = schema.get("minContains", 1), schema.get("maxContains")
        if len(fitting) < least or (most is not None and len(fitting) > most):
            bounds = f"at least {least}" + ("" if most is None else f" and at most {most}")
            text = f"has {len(fitting)} items of the wanted kind, but must have {bounds}"
            found.problems.append(_Problem(place, "contains", text))


def _nearest(outcomes: list[_Findings], keyword: str, place: str) -> list[_Problem]:
    """Return what is wrong by the alternative that was most likely meant."""

    def is_of_another_kind(outcome: _Findings) -> bool:
        return any(p.place == place and p.keyword == "type" for p in outcome.problems)

    def distance(outcome: _Findings) -> tuple[bool, int]:
        # A field with one allowed value tells alternatives apart.
        return any(p.keyword in {"const", "enum"} for p in outcome.problems), len(outcome.problems)

    near = [outcome for outcome in outcomes if not is_of_another_kind(outcome)]
    if not near:
        texts = dict.fromkeys(outcome.problems[0].text for outcome in outcomes)
        return [_Problem(place, keyword, ", or ".join(texts))]
    nearest = min(near, key=distance).problems
    if len(near) == 1:
        return nearest
    return [_Problem(place, keyword, "fits none of the alternatives; by the nearest:"), *nearest]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = json.dumps(value[:_LONGEST_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    # An integer can be beyond every float, and `isfinite` fails there.
    return isinstance(value, int) or isfinite(value)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and _is_finite(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def _check_type(rule: str | list[str], value: Any) -> str:
    names = rule if isinstance(rule, list) else [rule]
    if any(_TYPES[name](value) for name in names):
        return ""
    return f"must be {' or '.join(TYPE_NAMES[name] for name in names)}, but is {_shown(value)}"


def _key(value: Any) -> object:
    """Return what two values have in common when JSON takes them as equal, and only then."""
    if isinstance(value, dict):
        return "object", frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(map(_key, value))
    return (value, "boolean") if isinstance(value, bool) else value


def _check_enum(rule: list[Any], value: Any) -> str:
    key = _key(value)
    if any(_key(allowed) == key for allowed in rule):
        return ""
    return f"must be one of {_json(rule)}, but is {_shown(value)}"


def _check_const(rule: Any, value: Any) -> str:
    return "" if _key(rule) == _key(value) else f"must be {_json(rule)}, but is {_shown(value)}"


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_RULE else f"{text[:_LONGEST_RULE]}…"


def _check_required(rule: list[str], value: Any) -> str:
    missing = [name for name in rule if name not in value] if isinstance(value, dict) else []
    return f"lacks {_named(missing)}" if missing else ""


def _check_dependent(rule: Mapping[str, list[str]], value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    for name, others in rule.items():
        missing = [other for other in others if other not in value]
        if name in value and missing:
            return f"lacks {_named(missing)}, which must stand beside {name!r}"
    return ""


def _named(names: Iterable[str]) -> str:
    return f"the field {', '.join(map(repr, names))}"


def _check_unique(rule: bool, value: Any) -> str:
    if not rule or not isinstance(value, list) or len(set(map(_key, value))) == len(value):
        return ""
    return "must not have the same item twice"


def _check_multiple(rule: float, value: Any) -> str:
    if not _is_number(value):
        return ""
    from fractions import Fraction

    # By their digits: 0.3 is a multiple of 0.1, whatever floats make of it.
    if _is_finite(value) and Fraction(str(value)) % Fraction(str(rule)) == 0:
        return ""
    return f"must be a multiple of {rule}, but is {_shown(value)}"


def _check_pattern(rule: str, value: Any) -> str:
    if not isinstance(value, str) or re.search(rule, value):
        return ""
    return f"must match the pattern {_json(rule)}, but is {_shown(value)}"


def _limit(
    kind: Callable[[Any], bool], fits: Callable[[Any, Any], bool], words: str
) -> Callable[[Any, Any], str]:
    def check(rule: float, value: Any) -> str:
        if not kind(value) or fits(value, rule):
            return ""
        return f"{words.format(rule)}, but is {_shown(value)}"

    return check


def _size(
    kind: type[Sized], fits: Callable[[int, float], bool], words: str
) -> Callable[[Any, Any], str]:
    def check(rule: float, value: Any) -> str:
        if not isinstance(value, kind) or fits(len(value), rule):
            return ""
        return f"{words.format(rule)}, but has {len(value)}"

    return check


_CHECKS: dict[str, Callable[[Any, Any], str]] = {
    "type": _check_type,
    "enum": _check_enum,
    "const": _check_const,
    "required": _check_required,
    "dependentRequired": _check_dependent,
    "uniqueItems": _check_unique,
    "multipleOf": _check_multiple,
    "pattern": _check_pattern,
    "minimum": _limit(_is_number, lambda value, rule: value >= rule, "must be {} or more"),
    "maximum": _limit(_is_number, lambda value, rule: value <= rule, "must be {} or less"),
    "exclusiveMinimum": _limit(
        _is_number, lambda value, rule: value > rule, "must be more than {}"
    ),
    "exclusiveMaximum": _limit(
        _is_number, lambda value, rule: value < rule, "must be less than {}"
    ),
    "minLength": _size(str, lambda size, rule: size >= rule, "must have {} characters or more"),
    "maxLength": _size(str, lambda size, rule: size <= rule, "must have {} characters or less"),
    "minItems": _size(list, lambda size, rule: size >= rule, "must have {} items or more"),
    "maxItems": _size(list, lambda size, rule: size <= rule, "must have {} items or less"),
    "minProperties": _size(dict, lambda size, rule: size >= rule, "must have {} fields or more"),
    "maxProperties": _size(dict, lambda size, rule: size <= rule, "must have {} fields or less"),
}

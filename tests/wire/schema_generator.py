"""Random JSON schemas, and values that nearly follow them. Seeded: the same ones every time."""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ["random_schema", "random_value", "value_near"]

_NAMES = ("a", "b", "c", "ab")
_TEXTS = ("", "a", "ab", "abc", "ü😀", "1")
_NUMBERS = (0, 1, 2, 3, -1, 1.0, 2.5, 10, True, False)
_PATTERNS = ("^a", "b$", "[0-9]", "^$", "c|ü")
_LEAVES = (None, True, False, *_NUMBERS, *_TEXTS)


def random_value(random: Random, depth: int = 3) -> Any:
    """Return any JSON value."""
    kind = random.randrange(6 if depth else 4)
    if kind == 4:
        return [random_value(random, depth - 1) for _ in range(random.randrange(4))]
    if kind == 5:
        names = random.sample(_NAMES, random.randrange(4))
        return {name: random_value(random, depth - 1) for name in names}
    return random.choice(_LEAVES)


def _repeated(random: Random, items: list[Any]) -> list[Any]:
    return items + random.choices(items, k=2) if items and random.random() < 0.3 else items


def value_near(random: Random, schema: Any, depth: int = 4) -> Any:
    """Return a value that follows much of a schema, but often not all of it."""
    if not isinstance(schema, dict) or not depth or random.random() < 0.15:
        return random_value(random, 1)
    if "if" in schema and random.random() < 0.5:
        return value_near(random, schema["if"], depth - 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return random.choice(schema["enum"])
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword in schema and random.random() < 0.5:
            return value_near(random, random.choice(schema[keyword]), depth - 1)
    rules = schema.get("properties", {})
    if rules and random.random() < 0.8:
        names = [name for name in rules if random.random() < 0.8]
        names += random.sample(_NAMES, random.randrange(2))
        return {name: value_near(random, rules.get(name), depth - 1) for name in names}
    inner = schema.get("items", schema.get("contains"))
    if ("prefixItems" in schema or inner is not None) and random.random() < 0.8:
        items = [value_near(random, rule, depth - 1) for rule in schema.get("prefixItems", ())]
        items += [value_near(random, inner, depth - 1) for _ in range(random.randrange(3))]
        return _repeated(random, items)
    return random_value(random, 2)


def random_schema(random: Random, depth: int = 3) -> Any:
    """Return a schema that makes sense, with references to its own `$defs`."""
    schema = _object(random, depth)
    names = [f"d{index}" for index in range(random.randrange(3))]
    if names:
        schema["$defs"] = {name: _schema(random, depth - 1) for name in names}
        _refer(random, schema, names)
    return schema


def _refer(random: Random, schema: dict[str, Any], names: list[str]) -> None:
    """Put references where they take a step into the value, so that none is endless."""
    name = random.choice(names)
    reference = {"$ref": f"#/$defs/{name}"}
    schema.setdefault("properties", {})[random.choice(_NAMES)] = reference
    for definition in schema["$defs"].values():
        if isinstance(definition, dict) and random.random() < 0.5:
            definition.setdefault("properties", {})[random.choice(_NAMES)] = reference


def _schema(random: Random, depth: int) -> Any:
    if random.random() < 0.1:
        return random.random() < 0.6
    return _object(random, depth)


def _object(random: Random, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(random.choice((1, 1, 2, 2, 3, 5))):
        keyword = random.choice(_ASSERTIONS if depth <= 0 else _ALL)
        schema[keyword] = _rule(random, keyword, depth - 1)
        for other in _COMPANIONS.get(keyword, ()):
            if random.random() < 0.6:
                schema[other] = _rule(random, other, depth - 1)
    return schema


_COUNTS = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_ASSERTIONS = (
    "type", "type", "enum", "const", "required", "pattern", "uniqueItems", "dependentRequired",
    *_COUNTS, *_LIMITS,
)  # fmt: skip
_ONE = (
    "additionalProperties", "propertyNames", "items", "contains", "contains", "not", "if", "if",
    "then", "else",
    "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPPINGS = ("properties", "properties", "patternProperties", "dependentSchemas")
_COMPANIONS = {
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains", "items"),
    "prefixItems": ("items", "unevaluatedItems"),
    "properties": ("required", "additionalProperties", "unevaluatedProperties"),
    "uniqueItems": ("items",),
}
"""Keywords that mean little alone."""
_ALL = (*_ASSERTIONS, *_ONE, *_ONE, *_LISTS, *_LISTS, *_MAPPINGS, "minContains", "maxContains")


def _rule(random: Random, keyword: str, depth: int) -> Any:
    if keyword in _ONE:
        return _schema(random, depth)
    if keyword in _LISTS:
        return [_schema(random, depth) for _ in range(random.choice((1, 2, 2, 3)))]
    if keyword in _MAPPINGS:
        names = _PATTERNS if keyword == "patternProperties" else _NAMES
        return {
            name: _schema(random, depth) for name in random.sample(names, random.choice((1, 2)))
        }
    if keyword in _COUNTS or keyword in {"minContains", "maxContains"}:
        return random.choice((0, 1, 2, 3, 2.0))
    if keyword in _LIMITS:
        return (
            random.choice((0.5, 1, 2, 3)) if keyword == "multipleOf" else random.choice((0, 1, 2.5))
        )
    match keyword:
        case "type":
            kinds = ("string", "number", "integer", "boolean", "null", "object", "array")
            return random.choice((random.choice(kinds), random.sample(kinds, 2)))
        case "enum":
            return [random_value(random, 1) for _ in range(random.choice((1, 2, 4)))]
        case "const":
            return random_value(random, 2)
        case "required":
            return random.sample(_NAMES, random.choice((1, 2)))
        case "pattern":
            return random.choice(_PATTERNS)
        case "dependentRequired":
            return {random.choice(_NAMES): random.sample(_NAMES, random.choice((1, 2)))}
    return random.random() < 0.8

"""JSON schemas as Anthropic's structured output takes them.

Owns the rewriting of a copy: objects are closed, keywords that the API refuses become words of the
description (the answer is checked against the whole schema anyway). Refuses maps and other open
objects, which this format cannot say. Source: docs "Structured outputs", 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..exceptions import ValidationError

__all__ = ["closed_schema"]

_TAKEN = frozenset(
    {"$ref", "const", "default", "description", "enum", "required", "title", "type"},
)
_FORMATS = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    },
)
_NOTES = frozenset({"$comment", "$id", "$schema"})
"""Words about the schema itself: left out."""

_OUTER = frozenset({"$defs", "default", "definitions", "description", "title"})
"""What is said of all types together."""


def closed_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema as the API takes it.

    Raises:
        ValidationError: it has an object with any names, such as a `dict[str, int]`.
    """
    if isinstance(kinds := schema.get("type"), list):
        return closed_schema(_as_alternatives(schema, kinds))
    closed: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in schema.items():
        match name:
            case "properties" | "$defs" | "definitions" if isinstance(value, Mapping):
                closed[name] = {key: _closed(inner) for key, inner in value.items()}
            case "anyOf" | "allOf" | "oneOf" if isinstance(value, list):
                closed["anyOf" if name == "oneOf" else name] = [_closed(inner) for inner in value]
            case "items":
                closed[name] = _closed(value)
            case "minItems" if value in (0, 1):
                closed[name] = value
            case "format" if value in _FORMATS:
                closed[name] = value
            case _ if name in _TAKEN:
                closed[name] = value
            case "additionalProperties":
                continue
            case _ if name not in _NOTES:
                rest[name] = value
    if schema.get("type") == "object":
        _check_closable(schema)
        closed["additionalProperties"] = False
    if rest:
        described = closed.get("description")
        words = f"Must follow {json.dumps(rest, ensure_ascii=False, default=str)}."
        closed["description"] = f"{described}\n\n{words}" if described else words
    return closed


def _closed(schema: object) -> object:
    # `true` and `false` are schemas too.
    return closed_schema(schema) if isinstance(schema, Mapping) else schema


def _as_alternatives(schema: Mapping[str, Any], kinds: list[Any]) -> dict[str, Any]:
    """Return the schema with `anyOf` instead of a list of types."""
    outer = {name: value for name, value in schema.items() if name in _OUTER}
    inner = {name: value for name, value in schema.items() if name not in _OUTER}
    if "enum" in schema or "const" in schema:
        del inner["type"]
        return outer | inner
    null = {"type": "null"}
    return outer | {"anyOf": [null if kind == "null" else inner | {"type": kind} for kind in kinds]}


def _check_closable(schema: Mapping[str, Any]) -> None:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) or (more is not False and not schema.get("properties")):
        raise ValidationError(
            "Anthropic's structured output cannot be told a schema with an object of any names"
            f" ({schema.get('title') or 'additionalProperties'!r}).",
            hint="Name the properties, or use a list of objects with a name and a value.",
            param="schema",
        )

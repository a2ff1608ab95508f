"""What the encoders of OpenAI's dialects share: refusals by model, names and strictness of schemas.

Chat Completions, Responses and the legacy Completions say the same things in different places;
what may be said of a model, and of a schema, is the same for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..providers.openai_models import OpenAIModel, openai_model
from ..types.request import LLMRequest
from ..types.target import Target
from .requests import cannot_say

__all__ = ["is_strict", "known_model", "schema_name"]

_SCHEMA_NAME = r"[A-Za-z0-9_-]{1,64}"
"""What OpenAI takes as the name of a schema; compiled where there is one."""


def known_model(request: LLMRequest, target: Target) -> OpenAIModel:
    """Return what is known of the target's model, after checking that it takes the request.

    Raises:
        ValidationError: the model is known to refuse a field: an effort, sampling while it
            thinks, stop sequences.
    """
    model = openai_model(target.model)
    effort = request.reasoning_effort
    if effort is not None and model.efforts and effort not in model.efforts:
        known = ", ".join(model.efforts)
        raise cannot_say(target.model, "reasoning_effort", effort, f"It takes {known}.")
    if effort is not None and not (model.reasons or model.takes_reasoning):
        raise cannot_say(
            target.model, "reasoning_effort", effort, "It does not think: leave it out."
        )
    for field in ("temperature", "top_p"):
        # "Only the default (1) value is supported", answers OpenAI (qwen-code#921).
        if (value := getattr(request, field)) not in {None, 1} and model.thinks(effort):
            can_stop = "none" in model.efforts
            raise cannot_say(
                target.model,
                field,
                value,
                "It takes none while it thinks: leave it out"
                + (", or set reasoning_effort to none." if can_stop else "."),
            )
    if request.stop and not model.stop:
        raise cannot_say(target.model, "stop", hint="It takes no stop sequences: leave them out.")
    return model


def schema_name(schema: Mapping[str, Any]) -> str:
    """Return the name of a schema: its title where that may be one, else `answer`."""
    title = schema.get("title")
    return title if isinstance(title, str) and re.fullmatch(_SCHEMA_NAME, title) else "answer"


_ANNOTATIONS = frozenset({"description", "title"})
_STRICT_KEYWORDS = _ANNOTATIONS | frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "type",
    }
)
"""What OpenAI's guide to Structured Outputs names as supported (2026-11)."""
_STRICT_FORMATS = (
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uuid",
)
_STRICT_DEPTH = 10
"""Levels of nesting that OpenAI allows."""


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Return whether OpenAI can hold a model to a schema exactly (`strict: true`).

    It can when the root is an object, every object forbids further properties and requires all of
    its own, and nothing is said in words that it does not support; else it answers 400.
    """
    return schema.get("type") == "object" and _is_strict(schema, _STRICT_DEPTH)


def _is_strict(schema: object, depth: int) -> bool:
    if not isinstance(schema, Mapping) or depth < 0 or not schema.keys() <= _STRICT_KEYWORDS:
        return False
    if "$ref" in schema:
        return len(schema) == 1
    if schema.keys() <= _ANNOTATIONS:
        return False  # anything goes, which OpenAI cannot hold a model to
    if schema.get("format", "date") not in _STRICT_FORMATS:
        return False
    kinds = schema.get("type")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        return False
    if properties or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if sorted(map(str, required)) != sorted(properties):
            return False
    inner = [*properties.values(), *_listed(schema.get("anyOf"))]
    if "items" in schema:
        inner.append(schema["items"])
    if not all(_is_strict(item, depth - 1) for item in inner):
        return False
    definitions = [schema.get(name, {}) for name in ("$defs", "definitions")]
    return all(
        isinstance(group, Mapping) and all(_is_strict(item, depth) for item in group.values())
        for group in definitions
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []

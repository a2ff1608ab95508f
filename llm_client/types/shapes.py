"""JSON schemas of Python types, and objects of those types from JSON.

Owns what `schema=` takes besides a JSON schema: dataclasses, TypedDicts and pydantic model classes,
and everything that may stand in their fields. pydantic is spoken to through its own methods and
never imported. Refuses, by the name of field and type, what JSON cannot say. Imported only where
a type is given.

Formats are only those that every provider's strict mode takes: an unknown one is refused there.
So a `Path` is a plain string, and a `Decimal` a string with a pattern, which keeps all its digits.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, InitVar, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from inspect import cleandoc
from math import isfinite
from typing import Any, NamedTuple, TypeGuard
from uuid import UUID

from ..exceptions import ValidationError

__all__ = [
    "Member",
    "SchemaWriter",
    "core_of",
    "is_pydantic",
    "is_typed_dict",
    "members_of",
    "resolved_hints",
    "schema_of",
]

_PLAIN: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    typing.LiteralString: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    dict: {"type": "object"},
}
_WRAPPERS = frozenset({"Final", "NotRequired", "ReadOnly", "Required"})
"""Forms that say something about a field and nothing about its value."""


class Core(NamedTuple):
    """A type without what is wrapped around it."""

    type: Any
    description: str
    """From `Annotated[…, "text"]`."""
    required: bool | None
    """From `Required` and `NotRequired`; `None` when neither is said."""


class Member(NamedTuple):
    """A field of a dataclass, or a key of a TypedDict."""

    name: str
    type: Any
    required: bool
    description: str = ""
    default: Any = MISSING


def schema_of(shape: Any) -> dict[str, Any]:
    """Return the JSON schema of a dataclass, a TypedDict or a pydantic model class.

    Raises:
        ValidationError: it is none of these, or has a field that JSON cannot say.
    """
    if is_pydantic(shape):
        return _of_pydantic(shape)
    if not (_is_dataclass(shape) or is_typed_dict(shape)):
        shown = shape.__name__ if isinstance(shape, type) else repr(shape)
        raise ValidationError(
            f"schema {shown} is not a JSON schema, a dataclass, a TypedDict or a pydantic model.",
            hint="Give the class itself, or the schema as a dictionary.",
            param="schema",
        )
    writer = SchemaWriter()
    return writer.finish(writer.object(shape))


def _of_pydantic(shape: Any) -> dict[str, Any]:
    schema: dict[str, Any] = shape.model_json_schema()
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    # A recursive model is all reference, where providers want an object.
    return {**schema["$defs"][name], "$defs": schema["$defs"]} if name else schema


def is_pydantic(shape: object) -> bool:
    """Return whether a type is a model class of pydantic (2 or later)."""
    return isinstance(shape, type) and hasattr(shape, "model_json_schema")


def is_typed_dict(shape: object) -> bool:
    """Return whether a type is a TypedDict, of `typing` or of `typing_extensions`."""
    return (
        isinstance(shape, type) and issubclass(shape, dict) and hasattr(shape, "__required_keys__")
    )


def _is_dataclass(shape: object) -> TypeGuard[type[Any]]:
    return isinstance(shape, type) and is_dataclass(shape)


def core_of(annotation: Any) -> Core:
    """Return a type without `Annotated`, `Required`, `Final`, `NewType` and the like."""
    description, required = "", None
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            # From the outside in: what stands nearest to the field says it best.
            description = description or _described(annotation.__metadata__)
            annotation = annotation.__origin__
        elif (name := getattr(origin, "_name", "")) in _WRAPPERS:
            required = {"Required": True, "NotRequired": False}.get(name, required)
            (annotation,) = typing.get_args(annotation)
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return Core(annotation, description, required)


def _described(metadata: tuple[Any, ...]) -> str:
    texts = (getattr(item, "documentation", item) for item in metadata)
    return next((text for text in texts if isinstance(text, str)), "")


def resolved_hints(owner: Any, **names: Any) -> dict[str, Any]:
    """Return the types that something is annotated with, texts read as the types they name.

    Args:
        owner: a class, or anything with `__annotations__`.
        names: passed on to `typing.get_type_hints`.

    Raises:
        ValidationError: one cannot be read.
    """
    try:
        return typing.get_type_hints(owner, include_extras=True, **names)
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        what = getattr(owner, "__name__", "it")
        raise ValidationError(
            f"The types of {what} cannot be read: {error}.",
            hint="Define the types that it names at the top of their module.",
            param="schema",
        ) from None


def members_of(shape: type[Any]) -> list[Member]:
    """Return the fields of a dataclass that its constructor takes, or the keys of a TypedDict.

    Raises:
        ValidationError: their types cannot be read.
    """
    hints = resolved_hints(shape, localns={base.__name__: base for base in shape.__mro__})
    if is_typed_dict(shape):
        # `__required_keys__` has not seen `NotRequired` in annotations that are texts.
        keys = shape.__required_keys__
        return [
            Member(name, hint, name in keys if (said := core_of(hint).required) is None else said)
            for name, hint in hints.items()
        ]
    for name, hint in hints.items():
        if isinstance(hint, InitVar):
            raise _refused(hint, f"{shape.__name__}.{name}")
    return [_field(field, hints[field.name]) for field in fields(shape) if field.init]


def _field(field: Field[Any], hint: Any) -> Member:
    required = field.default is MISSING and field.default_factory is MISSING
    described = field.metadata.get("description")
    description = described if isinstance(described, str) else ""
    return Member(field.name, hint, required, description, field.default)


class SchemaWriter:
    """Writes schemas that share definitions: of one shape, or of the parameters of a function."""

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        self._definitions: dict[str, dict[str, Any]] = {}

    def finish(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema with the definitions that it refers to.

        A shape that holds itself stands there once more: llama.cpp does not know `#` as a
        reference (seen with llama.cpp 2026-10).
        """
        return {**schema, "$defs": self._definitions} if self._definitions else schema

    def object(self, shape: type[Any]) -> dict[str, Any]:
        """Return the schema of a dataclass or TypedDict."""
        schema: dict[str, Any] = {"title": shape.__name__, "type": "object"}
        text = cleandoc(shape.__dict__.get("__doc__") or "")
        # Without a docstring of its own a dataclass shows its signature as one.
        if text and not text.startswith(f"{shape.__name__}("):
            schema["description"] = text
        members = members_of(shape)
        schema["properties"] = {
            member.name: self.member(member, f"{shape.__name__}.{member.name}")
            for member in members
        }
        schema["required"] = [member.name for member in members if member.required]
        schema["additionalProperties"] = False
        return schema

    def member(self, member: Member, where: str) -> dict[str, Any]:
        """Return the schema of one field, with its description and default."""
        schema = self.of(member.type, where)
        if member.description:
            schema["description"] = member.description
        default = member.default.value if isinstance(member.default, Enum) else member.default
        is_number = isinstance(default, float) and isfinite(default)
        if default is None or isinstance(default, str | int) or is_number:
            schema["default"] = default
        return schema

    def of(self, annotation: Any, where: str) -> dict[str, Any]:
        """Return the schema of any type.

        Args:
            annotation: the type.
            where: what is annotated, for an error.

        Raises:
            ValidationError: JSON cannot say it.
        """
        core = core_of(annotation)
        schema = self._of_core(core.type, where)
        if core.description:
            schema["description"] = core.description
        return schema

    def _of_core(self, shape: Any, where: str) -> dict[str, Any]:
        try:
            plain = _PLAIN.get(shape)
        except TypeError:  # it cannot be hashed, so it is none of these
            plain = None
        if plain is not None:
            return dict(plain)
        origin = typing.get_origin(shape)
        if origin is typing.Union or origin is types.UnionType:
            return {"anyOf": [self.of(choice, where) for choice in typing.get_args(shape)]}
        if origin is typing.Literal:
            return _enumeration(typing.get_args(shape), where)
        if origin is not None:
            return self._of_container(shape, origin, where)
        if isinstance(shape, type) and issubclass(shape, Enum):
            return {"title": shape.__name__, **_enumeration(tuple(shape), where)}
        if is_pydantic(shape) or _is_dataclass(shape) or is_typed_dict(shape) or is_alias(shape):
            return {"$ref": f"#/$defs/{self._defined(shape, where)}"}
        if is_path(shape):
            return {"type": "string"}
        raise _refused(shape, where)

    def _of_container(self, shape: Any, origin: Any, where: str) -> dict[str, Any]:
        arguments = typing.get_args(shape)
        if origin is tuple:
            if len(arguments) == 2 and arguments[1] is ...:
                return {"type": "array", "items": self.of(arguments[0], where)}
            items = [self.of(item, where) for item in arguments]
            return {
                "type": "array",
                **({"prefixItems": items} if items else {}),  # an empty list is none
                "items": False,
                "minItems": len(arguments),
                "maxItems": len(arguments),
            }
        if not isinstance(origin, type):
            raise _refused(shape, where)
        if issubclass(origin, Mapping):
            return self._of_mapping(shape, arguments, where)
        if is_array(origin):
            if is_set(origin) and core_of(arguments[0]).type.__hash__ is None:
                raise _refused(shape, where, " The items of a set must be hashable.")
            schema = {"type": "array", "items": self.of(arguments[0], where)}
            return schema | {"uniqueItems": True} if is_set(origin) else schema
        raise _refused(shape, where)

    def _of_mapping(self, shape: Any, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        keys = self.of(arguments[0], where)
        if keys.get("type") != "string":
            raise _refused(shape, where, " The keys of a JSON object are texts.")
        schema = {"type": "object", "additionalProperties": self.of(arguments[1], where)}
        return schema if keys == {"type": "string"} else schema | {"propertyNames": keys}

    def _defined(self, shape: Any, where: str) -> str:
        """Return the name under which a shape is defined; it may be in the middle of that."""
        if shape in self._names:
            return self._names[shape]
        name, count = str(shape.__name__), 1
        while name in self._names.values():
            count += 1
            name = f"{shape.__name__}_{count}"
        self._names[shape] = name
        if is_pydantic(shape):
            template = f"#/$defs/{name}_{{model}}"
            schema = shape.model_json_schema(ref_template=template)
            for inner, definition in schema.pop("$defs", {}).items():
                self._definitions[f"{name}_{inner}"] = definition
        elif is_alias(shape):
            schema = self.of(shape.__value__, where)
        else:
            schema = self.object(shape)
        self._definitions[name] = schema
        return name


def is_alias(shape: object) -> bool:
    """Return whether a type is an alias made by the statement `type X = …` (Python 3.12)."""
    return hasattr(shape, "__value__") and not getattr(shape, "__type_params__", ())


def is_path(shape: object) -> bool:
    """Return whether a type is a path; `pathlib` itself has no place on this floor."""
    return isinstance(shape, type) and any(base.__name__ == "PurePath" for base in shape.__mro__)


def is_set(origin: type[Any]) -> bool:
    """Return whether a container type holds every item once."""
    return origin.__name__ in {"set", "frozenset", "Set", "MutableSet"}


def is_array(origin: type[Any]) -> bool:
    """Return whether a container type is written as a JSON array."""
    names = {"list", "Sequence", "MutableSequence", "Collection", "Iterable"}
    return origin.__name__ in names or is_set(origin)


def _enumeration(choices: tuple[Any, ...], where: str) -> dict[str, Any]:
    values = [choice.value if isinstance(choice, Enum) else choice for choice in choices]
    for value in values:
        if not (value is None or isinstance(value, str | int | float)):
            raise _refused(value, where)
    kinds = {_PLAIN[type(value)]["type"] for value in values if type(value) in _PLAIN}
    return {"type": kinds.pop(), "enum": values} if len(kinds) == 1 else {"enum": values}


def _refused(shape: object, where: str, why: str = "") -> ValidationError:
    shown = (
        shape.__name__ if isinstance(shape, type) and not typing.get_args(shape) else repr(shape)
    )
    return ValidationError(
        f"{where}: the type {shown} has no JSON schema.{why}",
        hint="Use dataclasses, TypedDicts, lists, dictionaries, texts, numbers, enums and dates.",
        param="schema",
    )

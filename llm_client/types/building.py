"""Objects of Python types from JSON values: the way back of `shapes`.

Owns the making of dataclasses, enums, dates and the like from what a model wrote. Strict: nothing is
converted that its schema would refuse, so that of a union the type is taken that the value fits.
What does not fit is a `ValueError` that says where, in words that a model can act on.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

from .shapes import (
    core_of,
    is_alias,
    is_array,
    is_path,
    is_pydantic,
    is_set,
    is_typed_dict,
    members_of,
)

__all__ = ["build"]

_READERS: dict[object, Callable[[str], object]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
    Decimal: Decimal,
}


def build(shape: Any, value: Any, where: str = "the answer") -> Any:
    """Return an object of a type, made of a JSON value that follows the type's schema.

    A TypedDict stays a dictionary. A pydantic model is made by pydantic itself, and a dataclass by
    its constructor, so that their own checks run.

    Args:
        shape: any type that `shapes` has a schema for.
        value: as `json.loads` returns it.
        where: what the value is, for an error.

    Raises:
        ValueError: the value does not fit, or the type's own checks refuse it.
    """
    shape = core_of(shape).type
    origin = typing.get_origin(shape)
    if shape is Any or shape is object:
        return value
    if origin is typing.Union or origin is types.UnionType:
        return _of_union(typing.get_args(shape), value, where)
    if origin is typing.Literal:
        return _choice(typing.get_args(shape), value, where)
    if is_alias(shape):
        return build(shape.__value__, value, where)
    if isinstance(origin or shape, type):
        return _of_class(shape, origin or shape, value, where)
    if shape is None and value is None:
        return None
    if shape is typing.LiteralString and isinstance(value, str):
        return value
    raise _unfit(where, value)


def _of_class(shape: Any, kind: type[Any], value: Any, where: str) -> Any:
    if is_pydantic(shape):
        return _checked(lambda: _of_pydantic(shape, value), where)
    if issubclass(kind, Enum):
        return _choice(tuple(kind), value, where)
    if hasattr(kind, "__dataclass_fields__") or is_typed_dict(kind):
        return _of_members(kind, value, where)
    if isinstance(value, str) and (kind in _READERS or is_path(kind)):
        return _checked(lambda: _READERS.get(kind, kind)(value), where)
    if issubclass(kind, Mapping) and isinstance(value, dict):
        return _of_mapping(typing.get_args(shape), value, where)
    if isinstance(value, list) and (kind is tuple or is_array(kind)):
        return _of_list(kind, typing.get_args(shape), value, where)
    if kind is float and type(value) is int:
        return _float(value, where)
    # Not isinstance: true is no number, and a text no list of letters.
    if type(value) is kind and kind in {str, int, float, bool, type(None)}:
        return value
    if kind is int and type(value) is float and value.is_integer():
        return int(value)  # JSON knows one kind of number: 1.0 is an integer
    raise _unfit(where, value)


def _of_pydantic(shape: Any, value: Any) -> Any:
    # As JSON, which it is: a strict model takes a date from a text there, and nowhere else.
    return shape.model_validate_json(json.dumps(value))


def _of_members(kind: type[Any], value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _unfit(where, value)
    members = {member.name: member for member in members_of(kind)}
    if unknown := value.keys() - members.keys():
        raise ValueError(f"{where} has no field {min(unknown)!r}")
    for member in members.values():
        if member.required and member.name not in value:
            raise ValueError(f"{where} lacks the field {member.name!r}")
    made = {
        name: build(members[name].type, item, f"{where}.{name}") for name, item in value.items()
    }
    return made if is_typed_dict(kind) else _checked(lambda: kind(**made), where)


def _of_mapping(arguments: tuple[Any, ...], value: dict[str, Any], where: str) -> dict[Any, Any]:
    of_key, of_item = arguments or (str, Any)
    return {
        build(of_key, key, where): build(of_item, item, f"{where}.{key}")
        for key, item in value.items()
    }


def _of_list(kind: type[Any], arguments: tuple[Any, ...], value: list[Any], where: str) -> Any:
    of_items: Iterable[Any]
    if kind is tuple and arguments[1:] != (...,) and arguments:
        if len(value) != len(arguments):
            raise ValueError(f"{where} has {len(value)} items instead of {len(arguments)}")
        of_items = arguments
    else:
        of_items = [arguments[0] if arguments else Any] * len(value)
    items = [
        build(of_item, item, f"{where}[{index}]")
        for index, (of_item, item) in enumerate(zip(of_items, value, strict=True))
    ]
    if is_set(kind):
        return _set(kind, items, where)
    return tuple(items) if kind is tuple else items


def _set(kind: type[Any], items: list[Any], where: str) -> Any:
    try:
        return frozenset(items) if kind is frozenset else set(items)
    except TypeError as error:  # an item of any type can be a list
        raise ValueError(f"{where} cannot be a set: {error}") from None


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{where}: {error}") from None


def _of_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    errors = []
    for choice in choices:
        try:
            return build(choice, value, where)
        except ValueError as error:
            errors.append(error)
    raise errors[0]


def _choice(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    for choice in choices:
        said = choice.value if isinstance(choice, Enum) else choice
        if said == value and isinstance(said, bool) is isinstance(value, bool):
            return choice
    raise _unfit(where, value)


def _checked(make: Callable[[], Any], where: str) -> Any:
    """Return what is made; what the making refuses is said with the place."""
    try:
        return make()
    except (AssertionError, InvalidOperation, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _unfit(where: str, value: object) -> ValueError:
    return ValueError(f"{where} is {value!r}, which does not fit")

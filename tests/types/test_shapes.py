"""Types as JSON schemas, and objects of types from JSON."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Final, Literal, NewType, TypedDict, TypeVar
from uuid import UUID

import jsonschema
import pydantic
import pytest
import typing_extensions

from llm_client.exceptions import ValidationError
from llm_client.types.building import build
from llm_client.types.shapes import is_alias, schema_of
from llm_client.wire.json_schema import validate

from .shapes_of_texts import Branch, Loose, Strict, Tree


class Color(Enum):
    RED = "red"
    GREEN = "green"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Tone(StrEnum):
    LOW = "low"


class Mixed(Enum):
    ONE = 1
    TWO = "two"


UserId = NewType("UserId", int)
UserIds = NewType("UserIds", list[UserId])


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


class Pair(TypedDict):
    left: str
    right: Point


class Person(pydantic.BaseModel):  # type: ignore[misc]
    name: str
    born: date | None = None


class Node(pydantic.BaseModel):  # type: ignore[misc]
    value: int
    children: list[Node] = []


def shape_with(annotation: Any) -> type[Any]:
    return make_dataclass("Shape", [("f", annotation)])


ANY_OF_INT_OR_NULL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


@pytest.mark.parametrize(
    ("annotation", "schema", "value", "made"),
    [
        (str, TEXT, "a", "a"),
        (typing.LiteralString, TEXT, "a", "a"),
        (int, {"type": "integer"}, 3, 3),
        (int, {"type": "integer"}, 3.0, 3),
        (float, {"type": "number"}, 3, 3.0),
        (bool, {"type": "boolean"}, True, True),
        (None, {"type": "null"}, None, None),
        (type(None), {"type": "null"}, None, None),
        (Any, {}, {"a": [1]}, {"a": [1]}),
        (object, {}, [1], [1]),
        (int | None, ANY_OF_INT_OR_NULL, None, None),
        (typing.Optional[int], ANY_OF_INT_OR_NULL, 1, 1),  # noqa: UP045
        (typing.Union[int, None], ANY_OF_INT_OR_NULL, 1, 1),  # noqa: UP007
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, "b", "b"),
        (Literal[1, "a", None], {"enum": [1, "a", None]}, None, None),
        (Literal[True], {"type": "boolean", "enum": [True]}, True, True),
        (Literal[Color.RED], {"type": "string", "enum": ["red"]}, "red", Color.RED),
        (Color, {"title": "Color", "type": "string", "enum": ["red", "green"]}, "red", Color.RED),
        (Size, {"title": "Size", "type": "integer", "enum": [1, 2]}, 2, Size.LARGE),
        (Tone, {"title": "Tone", "type": "string", "enum": ["low"]}, "low", Tone.LOW),
        (Mixed, {"title": "Mixed", "enum": [1, "two"]}, "two", Mixed.TWO),
        (list, {"type": "array"}, [1, "a"], [1, "a"]),
        (list[str], TEXTS, ["a"], ["a"]),
        (typing.List[str], TEXTS, ["a"], ["a"]),  # noqa: UP006
        (Sequence[str], TEXTS, ["a"], ["a"]),
        (set[str], TEXTS | {"uniqueItems": True}, ["a"], {"a"}),
        (frozenset[str], TEXTS | {"uniqueItems": True}, ["a"], frozenset({"a"})),
        (set, {"type": "array", "uniqueItems": True}, [1], {1}),
        (tuple, {"type": "array"}, [1, "a"], (1, "a")),
        (tuple[str, ...], TEXTS, ["a", "b"], ("a", "b")),
        (
            tuple[str, int],
            {
                "type": "array",
                "prefixItems": [TEXT, {"type": "integer"}],
                "items": False,
                "minItems": 2,
                "maxItems": 2,
            },
            ["a", 1],
            ("a", 1),
        ),
        (tuple[()], {"type": "array", "items": False, "minItems": 0, "maxItems": 0}, [], ()),
        (dict, {"type": "object"}, {"a": 1}, {"a": 1}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1},
         {"a": 1}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}, {"a": 1}, {"a": 1}),
        (
            dict[Color, int],
            {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "propertyNames": {"title": "Color", "type": "string", "enum": ["red", "green"]},
            },
            {"red": 1},
            {Color.RED: 1},
        ),
        (datetime, {"type": "string", "format": "date-time"}, "2026-10-01T12:00:00Z",
         datetime(2026, 10, 1, 12, tzinfo=UTC)),
        (date, {"type": "string", "format": "date"}, "2026-10-01", date(2026, 10, 1)),
        (time, {"type": "string", "format": "time"}, "12:30:00", time(12, 30)),
        (UUID, {"type": "string", "format": "uuid"}, "12345678123456781234567812345678",
         UUID("12345678123456781234567812345678")),
        (Decimal, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
         "0.10000000000000000001", Decimal("0.10000000000000000001")),
        (Path, TEXT, "a/b", Path("a/b")),
        (PurePosixPath, TEXT, "a/b", PurePosixPath("a/b")),
        (UserId, {"type": "integer"}, 3, 3),
        (UserIds, {"type": "array", "items": {"type": "integer"}}, [3], [3]),
        (Final[str], TEXT, "a", "a"),
        (Annotated[str, "what it is"], TEXT | {"description": "what it is"}, "a", "a"),
        (Annotated[str, 3, "b"], TEXT | {"description": "b"}, "a", "a"),
        (Annotated[str, SimpleNamespace(documentation="doc")], TEXT | {"description": "doc"}, "a",
         "a"),
        (list[Annotated[str, "each"]], {"type": "array", "items": TEXT | {"description": "each"}},
         ["a"], ["a"]),
    ],
    ids=lambda value: str(value) if not isinstance(value, dict | list) else "",
)  # fmt: skip
def test_field_of_a_type_has_its_schema_and_is_built(
    annotation: Any, schema: dict[str, Any], value: Any, made: Any
) -> None:
    shape = shape_with(annotation)

    whole = schema_of(shape)
    built = build(shape, {"f": value})

    assert whole["properties"]["f"] == schema
    jsonschema.Draft202012Validator.check_schema(whole)
    assert validate({"f": value}, whole) == []
    assert built.f == made
    assert type(built.f) is type(made)


def test_dataclass_is_a_closed_object_with_its_defaults() -> None:
    assert schema_of(Point) == {
        "title": "Point",
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert build(Point, {"x": 1}) == Point(1, 0)


def test_field_that_is_not_the_constructors_is_left_out() -> None:
    @dataclass
    class Counted:
        kind: ClassVar[str] = "c"
        text: str = field(metadata={"description": "what it says"})
        size: int = field(init=False, default=0)
        tone: Tone = Tone.LOW
        ratio: float = float("inf")
        tags: list[str] = field(default_factory=list)

    properties = schema_of(Counted)["properties"]

    assert properties == {
        "text": {"type": "string", "description": "what it says"},
        "tone": {"title": "Tone", "type": "string", "enum": ["low"], "default": "low"},
        "ratio": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }


def test_recursive_dataclass_refers_to_definitions() -> None:
    schema = schema_of(Tree)

    definitions = schema.pop("$defs")
    assert definitions["Tree"] == schema
    assert definitions["Branch"] == {
        "title": "Branch",
        "type": "object",
        "properties": {
            "tree": {"$ref": "#/$defs/Tree"},
            "weight": {"type": "number", "default": 1.0},
        },
        "required": ["tree"],
        "additionalProperties": False,
    }
    assert schema == {
        "title": "Tree",
        "type": "object",
        "description": "A tree.\n\nWith leaves.",
        "properties": {
            "label": {"type": "string", "description": "what it says"},
            "branches": {"type": "array", "items": {"$ref": "#/$defs/Branch"}},
            "parent": {
                "anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}],
                "default": None,
            },
        },
        "required": ["label"],
        "additionalProperties": False,
    }
    schema = schema_of(Tree)
    value = {"label": "a", "branches": [{"tree": {"label": "b", "parent": {"label": "c"}}}]}
    assert validate(value, schema) == []
    assert build(Tree, value) == Tree("a", [Branch(Tree("b", [], Tree("c")))])


def test_typed_dict_says_which_keys_are_required() -> None:
    schema = schema_of(Loose)

    assert sorted(schema["required"]) == ["a", "c"]
    assert schema["properties"]["b"] == {"type": "string", "description": "the b"}
    assert schema["properties"]["d"]["items"] == {"$ref": "#/$defs/Strict"}
    assert schema["$defs"]["Strict"]["required"] == ["a"]
    assert schema["additionalProperties"] is False


def test_typed_dict_stays_a_dictionary_with_its_values_built() -> None:
    assert build(Pair, {"left": "a", "right": {"x": 1}}) == {"left": "a", "right": Point(1)}
    assert build(Strict, {"a": 1}) == {"a": 1}


def test_typed_dict_of_typing_extensions_is_one_too() -> None:
    class Frozen(typing_extensions.TypedDict):
        a: typing_extensions.ReadOnly[typing_extensions.Required[Annotated[int, "the a"]]]
        b: typing_extensions.NotRequired[str]

    schema = schema_of(Frozen)

    assert schema["properties"]["a"] == {"type": "integer", "description": "the a"}
    assert schema["required"] == ["a"]


def test_pydantic_model_is_what_pydantic_says() -> None:
    assert schema_of(Person) == Person.model_json_schema()
    assert build(Person, {"name": "Ada", "born": "1815-12-10"}) == Person(
        name="Ada", born=date(1815, 12, 10)
    )


def test_recursive_pydantic_model_has_an_object_at_its_root() -> None:
    schema = schema_of(Node)

    assert schema["type"] == "object"
    value = {"value": 1, "children": [{"value": 2}]}
    assert validate(value, schema) == []
    assert validate({"value": 1, "children": [{}]}, schema)
    assert build(Node, value) == Node(value=1, children=[Node(value=2)])


def test_pydantic_model_within_a_dataclass_brings_its_definitions() -> None:
    shape = make_dataclass("Forest", [("tree", Node), ("owner", Person), ("more", list[Node])])

    schema = schema_of(shape)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert sorted(schema["$defs"]) == ["Node", "Node_Node", "Person"]
    value = {
        "tree": {"value": 1, "children": [{"value": 2}]},
        "owner": {"name": "Ada"},
        "more": [],
    }
    assert validate(value, schema) == []
    assert validate({**value, "tree": {"value": 1, "children": [{"value": "x"}]}}, schema)
    assert build(shape, value).owner == Person(name="Ada")


def test_two_types_of_one_name_have_two_definitions() -> None:
    first = make_dataclass("Item", [("a", int)])
    second = make_dataclass("Item", [("b", first)])
    shape = make_dataclass("Both", [("one", first), ("two", second)])

    schema = schema_of(shape)

    assert sorted(schema["$defs"]) == ["Item", "Item_2"]
    assert validate({"one": {"a": 1}, "two": {"b": {"a": 2}}}, schema) == []


class _Alias:
    """As `type X = …` of Python 3.12 makes it."""

    __name__ = "Json"
    __value__: Any = None


def test_alias_is_a_definition_and_may_be_recursive() -> None:
    alias = _Alias()
    alias.__value__ = typing.Union[int, list[typing.Any], dict[str, alias]]  # type: ignore[valid-type] # noqa: UP007
    shape = make_dataclass("Shape", [("f", alias)])

    schema = schema_of(shape)

    assert is_alias(alias)
    assert schema["$defs"]["Json"]["anyOf"][2]["additionalProperties"] == {"$ref": "#/$defs/Json"}
    assert build(shape, {"f": {"a": {"b": 1}}}).f == {"a": {"b": 1}}


def test_alias_by_statement_is_its_value() -> None:
    Names = typing_extensions.TypeAliasType("Names", list[str])  # noqa: N806

    schema = schema_of(shape_with(Names))

    assert schema["properties"]["f"] == {"$ref": "#/$defs/Names"}
    assert schema["$defs"] == {"Names": {"type": "array", "items": {"type": "string"}}}


Number = TypeVar("Number")


class Odd(Enum):
    PLACE = (1, 2)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (bytes, "bytes"),
        (complex, "complex"),
        (list[bytes], "bytes"),
        (dict[int, str], "keys of a JSON object are texts"),
        (set[dict[str, int]], "items of a set must be hashable"),
        (frozenset[list[int]], "items of a set must be hashable"),
        (dict[str, complex], "complex"),
        (Callable[[], int], "Callable"),
        (Number, "Number"),
        (type[int], r"type\[int\]"),
        (Odd, r"\(1, 2\)"),
        (Literal[b"a"], "b'a'"),
        (int | bytes, "bytes"),
        (tuple[int, bytes], "bytes"),
        (typing.Union[Number, int], "Number"),  # noqa: UP007
        (typing.ClassVar[int], "ClassVar"),
        ([int], r"\[<class 'int'>\]"),
    ],
    ids=str,
)
def test_type_that_json_cannot_say_is_refused_by_name(annotation: Any, said: str) -> None:
    shape = make_dataclass("Shape", [("f", int)])
    shape.__annotations__["f"] = annotation

    with pytest.raises(ValidationError, match=rf"Shape\.f.*{said}") as caught:
        schema_of(shape)

    assert caught.value.param == "schema"


def test_parameter_of_the_constructor_alone_is_refused() -> None:
    @dataclass
    class Made:
        seed: InitVar[int]
        x: int = 0

    Made.__annotations__["seed"] = InitVar[int]
    with pytest.raises(ValidationError, match=r"Made\.seed"):
        schema_of(Made)


def test_type_that_cannot_be_found_is_refused() -> None:
    shape = make_dataclass("Shape", [("f", "Missing")])

    with pytest.raises(ValidationError, match=r"types of Shape cannot be read.*Missing"):
        schema_of(shape)


@pytest.mark.parametrize("shape", [int, list[int], "object", 3, Color, {"type"}, Point(1)], ids=str)
def test_schema_that_is_no_shape_is_refused(shape: Any) -> None:
    with pytest.raises(ValidationError, match="is not a JSON schema, a dataclass, a TypedDict"):
        schema_of(shape)


def test_schemas_can_be_written_as_json() -> None:
    for shape in (Tree, Loose, Person, Node, Point):
        assert json.loads(json.dumps(schema_of(shape))) == schema_of(shape)

"""Tools from functions: name, docstring and signature as a model sees them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jsonschema
import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.functions import tool_of
from llm_client.types.messages import Tool

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Place:
    city: str
    country: str = "DE"


def weather(
    place: Place, unit: Literal["C", "F"] = "C", *, days: Annotated[int, "how many"] = 1
) -> str:
    """Tell the weather
    of a place.

    It may be wrong.

    Args:
        place: where, as exactly
            as possible: a city.
        unit (str): of the temperature.
        days: not shown, the annotation says it.

    Returns:
        place: a text.
    """
    return f"{place} {unit} {days}"


def test_function_is_a_tool_with_its_name_docstring_and_signature() -> None:
    tool = tool_of(weather)

    assert tool == Tool(
        "weather",
        "Tell the weather of a place.",
        {
            "type": "object",
            "properties": {
                "place": {
                    "description": "where, as exactly as possible: a city.",
                    "$ref": "#/$defs/Place",
                },
                "unit": {
                    "description": "of the temperature.",
                    "type": "string",
                    "enum": ["C", "F"],
                    "default": "C",
                },
                "days": {"type": "integer", "description": "how many", "default": 1},
            },
            "required": ["place"],
            "additionalProperties": False,
            "$defs": {
                "Place": {
                    "title": "Place",
                    "type": "object",
                    "properties": {
                        "city": {"type": "string"},
                        "country": {"type": "string", "default": "DE"},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                }
            },
        },
    )
    jsonschema.Draft202012Validator.check_schema(tool.parameters)
    assert Tool.parse(weather) == tool


def numpy_style(a: int, b: int, c: str = "") -> None:
    """Add.

    Parameters
    ----------
    a, b : int
        What to
        add.
    c
        How.

    Returns
    -------
    None
        c : nothing
    """


def sphinx_style(a: int, b: int = 2) -> None:
    """
    Add.

    :param a: the first,
        and it goes on
    :param int b: the second
    :returns: c
    """


def google_style(a: int, b: int) -> None:
    """Add.

    Arguments:
        a (int, optional): the first.

            A paragraph of it.
        b : the second

    Note:
        a: nothing.
    """


def bare_style(a: int) -> None:
    """
    Args:
        a: without a summary.
    """


def no_section(a: int) -> None:
    """Add a: 3.

    Args:
    a: at the margin is no section.
    """


def undocumented(a: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "description", "texts"),
    [
        (numpy_style, "Add.", {"a": "What to add.", "b": "What to add.", "c": "How."}),
        (sphinx_style, "Add.", {"a": "the first, and it goes on", "b": "the second"}),
        (google_style, "Add.", {"a": "the first. A paragraph of it.", "b": "the second"}),
        (bare_style, "", {"a": "without a summary."}),
        (no_section, "Add a: 3.", {"a": None}),
        (undocumented, "", {"a": None}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_docstring_of_every_style_describes_the_parameters(
    function: Any, description: str, texts: dict[str, str | None]
) -> None:
    tool = tool_of(function)

    assert tool.description == description
    properties = tool.parameters["properties"]
    assert {name: rule.get("description") for name, rule in properties.items()} == texts


class Shop:
    """A shop."""

    def buy(self, item: str) -> None:
        """Buy it."""

    @classmethod
    def open(cls, hour: int) -> None:
        """Open it."""

    @staticmethod
    def close(hour: int) -> None:
        """Close it."""

    async def wait(self, hours: float) -> None:
        """Wait."""


class Clerk:
    """Somebody."""

    __name__ = "clerk"

    def __call__(self, question: str) -> str:
        """Answer."""
        return question


@functools.wraps(weather)
def wrapped(*args: Any, **kwargs: Any) -> Any: ...


def positional(a: int, /, b: str | None = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "name", "description", "parameters", "required"),
    [
        (Shop().buy, "buy", "Buy it.", ["item"], ["item"]),
        (Shop.open, "open", "Open it.", ["hour"], ["hour"]),
        (Shop.close, "close", "Close it.", ["hour"], ["hour"]),
        (Shop().wait, "wait", "Wait.", ["hours"], ["hours"]),
        (Clerk(), "clerk", "Answer.", ["question"], ["question"]),
        (positional, "positional", "", ["a", "b"], ["a"]),
        (wrapped, "weather", "Tell the weather of a place.", ["place", "unit", "days"], ["place"]),
        (
            functools.partial(weather, Place("Bonn")),
            "weather",
            "Tell the weather of a place.",
            ["unit", "days"],
            [],
        ),
        (
            functools.partial(functools.partial(weather, unit="F"), days=3),
            "weather",
            "Tell the weather of a place.",
            ["place"],
            ["place"],
        ),
    ],
    ids=["method", "class", "static", "async", "object", "positional", "wrapped", "partial", "set"],
)
def test_callable_of_any_kind_shows_what_is_to_be_given(
    function: Any, name: str, description: str, parameters: list[str], required: list[str]
) -> None:
    tool = tool_of(function)

    assert (tool.name, tool.description) == (name, description)
    assert list(tool.parameters["properties"]) == parameters
    assert tool.parameters["required"] == required


def spread(*items: int) -> None: ...


def keywords(**options: int) -> None: ...


def untyped(a, b: int = 1) -> None: ...  # type: ignore[no-untyped-def]


def unreadable(a: Decimal) -> None: ...


def returns_unreadable(a: int) -> Decimal | None: ...


def takes_bytes(a: bytes) -> None: ...


def überholt(a: int) -> None: ...


class Nameless:
    def __call__(self, a: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (spread, r"spread cannot be a tool: a model cannot fill in \*items: 'int'"),
        (keywords, r"keywords cannot be a tool: a model cannot fill in \*\*options"),
        (untyped, "untyped cannot be a tool: its parameter 'a' has no type"),
        (unreadable, "The types of unreadable cannot be read: name 'Decimal' is not defined"),
        (takes_bytes, r"takes_bytes\(a\): the type bytes has no JSON schema"),
        (lambda: 1, "'<lambda>' is no name that a model could call"),
        (überholt, "'überholt' is no name"),
        (Nameless(), "cannot be a tool: '' is no name"),
        (len, "len cannot be a tool: its parameter 'obj' has no type"),
        (type, "not the class type"),
        (Place, "A tool is a Tool, a dictionary or a function, not the class Place"),
        (3, "not int"),
        (None, "not NoneType"),
        (dict.fromkeys, "fromkeys cannot be a tool"),
        (min, "min cannot be a tool: its parameters cannot be read|cannot fill in"),
    ],
    ids=str,
)
def test_function_that_no_model_could_call_is_refused(function: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        tool_of(function)


def test_type_of_the_result_need_not_be_readable() -> None:
    assert tool_of(returns_unreadable).parameters["required"] == ["a"]

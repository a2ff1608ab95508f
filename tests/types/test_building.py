"""Objects of types from JSON: what fits, and the words for what does not."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

import pydantic
import pytest

from llm_client.types.building import build

from .test_shapes import Color, Point

Number = TypeVar("Number")


class Positive(pydantic.BaseModel):  # type: ignore[misc]
    model_config = pydantic.ConfigDict(strict=True)

    amount: int = pydantic.Field(gt=0, alias="theAmount")
    when: datetime


def test_pydantic_model_that_is_strict_is_built_from_json() -> None:
    made = build(Positive, {"theAmount": 1, "when": "2026-10-01T00:00:00Z"})

    assert made.when.year == 2026


@dataclass
class Even:
    n: int

    def __post_init__(self) -> None:
        if self.n % 2:
            raise ValueError(f"{self.n} is odd")


@dataclass
class Holder:
    item: Even | Point | None = None
    items: list[Even] = field(default_factory=list)
    amount: Decimal = Decimal(0)
    pair: tuple[int, str] = (0, "")
    share: float = 0.0
    kinds: set[Any] = field(default_factory=set)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"items": [{"n": 2}, {"n": 3}]}, r"the answer\.items\[1\]: 3 is odd"),
        ({"items": [{}]}, r"the answer\.items\[0\] lacks the field 'n'"),
        ({"items": [{"n": 2, "m": 3}]}, r"the answer\.items\[0\] has no field 'm'"),
        ({"items": 3}, r"the answer\.items is 3, which does not fit"),
        ({"items": [3]}, r"the answer\.items\[0\] is 3, which does not fit"),
        ({"items": [{"n": True}]}, r"items\[0\]\.n is True"),
        ({"items": [{"n": 2.5}]}, r"items\[0\]\.n is 2.5"),
        ({"amount": "many"}, r"the answer\.amount: "),
        ({"amount": 1}, r"the answer\.amount is 1"),
        ({"pair": [1]}, r"the answer\.pair has 1 items instead of 2"),
        ({"item": {"n": 3}}, r"the answer\.item: 3 is odd"),
        ({"share": 10**400}, r"the answer\.share: int too large"),
        ({"kinds": [[1]]}, r"the answer\.kinds cannot be a set: .*unhashable"),
        (3, "the answer is 3"),
    ],
    ids=str,
)
def test_value_that_does_not_fit_says_where(value: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        build(Holder, value)


def test_union_takes_the_type_that_fits() -> None:
    assert build(Holder, {"item": {"x": 3}}).item == Point(3)
    assert build(Holder, {"item": {"n": 2}}).item == Even(2)
    assert build(Holder, {"item": None}).item is None
    assert build(None, None) is None


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (bool, 1),
        (int, True),
        (str, 1),
        (Literal[1], True),
        (Color, "blue"),
        (None, 0),
        (typing.LiteralString, 0),
        (Number, 0),
        (list[int], "12"),
        (dict[str, int], [1]),
        (date, 3),
    ],
    ids=str,
)
def test_value_is_not_converted_into_another_type(shape: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        build(shape, value)


def test_check_of_pydantic_that_fails_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="the answer: 1 validation error for Positive"):
        build(Positive, {"theAmount": 0, "when": "2026-10-01T00:00:00Z"})

from __future__ import annotations

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.call_options import CALL_OPTIONS, check_options
from llm_client.types.request import RequestOptions


def test_options_of_a_call_are_options() -> None:
    assert CALL_OPTIONS <= RequestOptions.__annotations__.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_retries", -1),
        ("schema_retries", 1.5),
        ("timeout", 0),
        ("deadline", "soon"),
        ("max_cost", -0.01),
        ("max_cost", float("nan")),
        ("cache", "yes"),
        ("project", ""),
        ("session", 7),
        ("task", " "),
        ("tags", "one"),
        ("tags", {"a": 1}),
        ("tags", ["a", ""]),
        ("tags", ["a", 1]),
    ],
)
def test_value_that_an_option_cannot_have_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        check_options({name: value})
    assert caught.value.param == name


def test_option_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match="'colour'") as caught:
        check_options({"colour": "red"})
    assert "temperature" in (caught.value.hint or "")


@pytest.mark.parametrize("tags", [["a"], ("a", "b"), {"a"}, []], ids=repr)
def test_values_that_options_can_have_pass(tags: object) -> None:
    check_options(
        {"tags": tags, "deadline": 0, "timeout": 1, "cache": False, "project": "p", "task": None}
    )

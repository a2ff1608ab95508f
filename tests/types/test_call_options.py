from __future__ import annotations

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.call_options import CALL_OPTIONS, check_options
from llm_client.types.request import RequestOptions


def test_options_of_a_call_are_options() -> None:
    assert RequestOptions.__annotations__.keys() >= CALL_OPTIONS


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
        ("tags", ["a", "x" * 201]),
        ("project", "x" * 201),
        ("session", "x" * 10_000),
        ("max_cost", 10**400),
        ("model", 5),
    ],
)
def test_value_that_an_option_cannot_have_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        check_options({name: value})
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("project", "", "project '' is empty: leave it out."),
        ("tags", ["a", " "], "The tag ' ' is empty: leave it out."),
    ],
    ids=["project", "tag"],
)
def test_empty_label_is_called_empty_and_not_of_a_wrong_type(
    name: str, value: object, said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        check_options({name: value})
    assert (str(caught.value), caught.value.hint) == (said, None)


def test_label_that_is_too_long_is_not_repeated_whole() -> None:
    with pytest.raises(ValidationError) as caught:
        check_options({"project": "x" * 10_240})
    assert str(caught.value) == f"project '{'x' * 20}…' is 10,240 characters long: at most 200."


def test_option_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match="'colour'") as caught:
        check_options({"colour": "red"})
    assert "temperature" in (caught.value.hint or "")


@pytest.mark.parametrize("tags", [["a"], ("a", "b"), {"a"}, []], ids=repr)
def test_values_that_options_can_have_pass(tags: object) -> None:
    check_options(
        {"tags": tags, "deadline": 0, "timeout": 1, "cache": False, "project": "p", "task": None}
    )
    check_options({"tags": ["x" * 200], "session": "ü" * 200})

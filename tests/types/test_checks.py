"""Checks of values that more than one place takes."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.checks import (
    LONGEST_SECONDS,
    check_count,
    check_range,
    check_seconds,
    check_word,
)
from llm_client.types.config import LLMConfig, Overflow


@pytest.mark.parametrize("value", [0.001, 5, LONGEST_SECONDS])
def test_length_of_time_is_accepted(value: float) -> None:
    check_seconds("timeout", value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", True, None, 1e9])
def test_what_is_no_length_of_time_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValidationError, match="timeout") as caught:
        check_seconds("timeout", value)
    assert caught.value.param == "timeout"


def test_zero_is_a_length_of_time_where_it_is_said() -> None:
    check_seconds("deadline", 0, zero=True)


@pytest.mark.parametrize("value", [0, -3, 1.0, "1", True])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match=r"max_tokens .* whole number, 1 or more"):
        check_count("max_tokens", value)
    check_count("max_retries", 0, least=0)


@pytest.mark.parametrize("value", [-0.1, 2.1, float("nan"), "1", False])
def test_what_is_out_of_range_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="temperature"):
        check_range("temperature", value, 0.0, 2.0)
    check_range("temperature", 2, 0.0, 2.0)


@pytest.mark.parametrize("value", ["cut", "", 1, ["trim"]])
def test_word_that_is_not_known_is_refused_with_those_that_are(value: object) -> None:
    with pytest.raises(ValidationError, match="overflow") as caught:
        check_word("overflow", value, Overflow)
    assert caught.value.hint == "Use refuse or trim or summarize."
    check_word("overflow", None, Overflow)


def test_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"max_cost .* out of range"):
        check_range("max_cost", 10**400, 0.0, 1e9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider", 5),
        ("base_url", b"http://x"),
        ("dialect", ["openai-chat"]),
        ("model", 5),
        ("api_key", 5),
        ("options", [1]),
        ("options", None),
        ("fields", 5),
        ("fallback_configs", "openai/x"),
        ("fallback_configs", None),
        ("budget", 5.0),
        ("retry_exponential_base", float("nan")),
        ("retry_exponential_base", -2),
        ("retry_exponential_base", "x"),
    ],
)
def test_configuration_in_code_names_what_is_of_a_wrong_type(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(ValidationError, match=name) as caught:
        LLMConfig(**options)
    assert caught.value.param == name


@pytest.mark.parametrize("name", ["overflow", "prefer"])
def test_configuration_in_code_takes_only_known_words(name: str) -> None:
    options: dict[str, Any] = {name: "dearest"}
    with pytest.raises(ValidationError, match=rf"{name} 'dearest' is not known"):
        LLMConfig(**options)

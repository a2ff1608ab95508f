"""Budgets as they are given in code."""

from __future__ import annotations

import math
from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.budget import Budget


@pytest.mark.parametrize("amount", [-0.01, math.nan, math.inf, 1e10, "1", True], ids=repr)
def test_amount_that_is_none_is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError, match="weekly_usd"):
        Budget(weekly_usd=amount)


def test_unknown_reaction_is_refused() -> None:
    with pytest.raises(ValidationError, match="on_exceeded 'stop'") as error:
        Budget(on_exceeded="stop")  # type: ignore[arg-type]
    assert error.value.hint == "Use block or warn."


@pytest.mark.parametrize("part", ["projects", "profiles", "providers"])
@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ({"daily_usd": 1.0}, "is no Budget"),
        (None, "is no Budget"),
        (Budget(projects={"y": Budget()}), "has parts of its own"),
    ],
    ids=["dict", "none", "nested"],
)
def test_part_that_could_not_hold_is_refused(part: str, inner: Any, said: str) -> None:
    parts: dict[str, Any] = {part: {"x": inner}}
    with pytest.raises(ValidationError, match=said) as error:
        Budget(**parts)
    assert error.value.param == f"{part}['x']"


def test_parts_are_kept() -> None:
    inner = Budget(daily_usd=1.0, on_exceeded="warn")
    assert Budget(projects={"x": inner}).projects == {"x": inner}

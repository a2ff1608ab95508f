"""What attempts cost as the ledger sums it up: priced, unpriced, free, local."""

from __future__ import annotations

from pathlib import Path

import pytest

from .usage_rows import attempt, rows, total, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        pytest.param([0.001, 0.002], (3_000_000, 0, 0), id="priced"),
        pytest.param([0.001, None], (1_000_000, 1, 0), id="one-unpriced"),
        pytest.param([None, None], (None, 2, 0), id="all-unpriced"),
        pytest.param([0.0, 0.0], (0, 0, 0), id="free"),
        pytest.param([1e-9, 2e-9], (3, 0, 0), id="to-the-last-nano-dollar"),
    ],
)
def test_unpriced_attempts_are_counted_apart_and_never_as_nothing(
    path: Path, costs: list[float | None], expected: tuple[int | None, int, int]
) -> None:
    write(path, *(attempt(f"c{i}", cost=cost) for i, cost in enumerate(costs)))

    whole = total(path)
    assert (whole.cost_nano_usd, whole.unpriced, whole.local) == expected
    assert whole.cost == (None if expected[0] is None else expected[0] / 1e9)


@pytest.mark.parametrize(
    ("is_local", "expected"),
    [(False, (None, 1, 0)), (True, (None, 0, 1))],
    ids=["unpriced", "local"],
)
def test_free_answer_from_the_cache_makes_no_price_known(
    path: Path, is_local: bool, expected: tuple[int | None, int, int]
) -> None:
    cached = attempt("b", 0, outcome="cached", tokens=(0, 0), cost=0.0, is_local=is_local)
    write(path, attempt("a", cost=None, is_local=is_local), cached)
    (row,) = rows(path, "model").values()
    assert (row.cost_nano_usd, row.unpriced, row.local) == expected
    # By itself it was used, and cost nothing.
    assert rows(path, "outcome")["cached"].cost_nano_usd == 0


def test_attempt_without_usage_is_not_unpriced(path: Path) -> None:
    write(path, attempt("c", outcome="error", tokens=None))
    assert (total(path).unpriced, total(path).cost_nano_usd) == (0, 0)


def test_attempts_on_this_machine_cost_nothing_that_could_be_missing(path: Path) -> None:
    # Whatever the provider is called: the same name can be here and elsewhere.
    write(path, attempt("a", cost=None, is_local=True), attempt("b", cost=None))
    whole = total(path)
    assert (whole.local, whole.unpriced) == (1, 1)
    assert whole.cost is None


def test_local_attempt_with_a_price_of_its_own_counts_as_priced(path: Path) -> None:
    write(path, attempt("c", cost=0.5, is_local=True))
    assert (total(path).cost, total(path).local) == (0.5, 0)

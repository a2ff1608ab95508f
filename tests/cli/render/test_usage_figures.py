"""Figures as people read them."""

from __future__ import annotations

import pytest

from llm_client.cli.render.usage_figures import (
    bar,
    compact,
    decimals,
    exact_usd,
    seconds,
    sparkline,
    usd,
)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (6_156_500, "0.0061565"),
        (10**9, "1"),
        (10 * 10**9, "10"),
        (1_234_500_000_000, "1234.5"),
    ],
)
def test_exact_amount_has_every_digit_and_no_more(nano: int, text: str) -> None:
    assert exact_usd(nano) == text


@pytest.mark.parametrize(
    ("amounts", "places"),
    [
        ([], 2),
        ([None, 0], 2),
        ([10_000_000, None], 2),
        ([9_999_999, 5 * 10**9], 3),
        ([1_000_000], 3),
        ([999_999], 4),
        ([1], 4),
    ],
    ids=str,
)
def test_smallest_amount_says_how_many_decimals(amounts: list[int | None], places: int) -> None:
    assert decimals(amounts) == places


@pytest.mark.parametrize(
    ("nano", "places", "text"),
    [
        (0, 2, "$0.00"),
        (4_980_000_000, 2, "$4.98"),
        (1_234_567_000_000_000, 2, "$1,234,567.00"),
        (9_999_999, 2, "<$0.01"),
        (10_000_000, 2, "$0.01"),
        (400_000, 4, "$0.0004"),
        (99_999, 4, "<$0.0001"),
    ],
)
def test_amount_is_written_in_usd(nano: int, places: int, text: str) -> None:
    assert usd(nano, places) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (1_234, "1.23k"),
        (9_994, "9.99k"),
        (9_996, "10.0k"),
        (99_949, "99.9k"),
        (99_951, "100k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (12_345_678, "12.3M"),
        (5 * 10**9, "5.00G"),
        (3 * 10**15, "3000T"),
    ],
)
def test_tokens_are_short(count: int, text: str) -> None:
    assert compact(count) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, ""), (0.0, "0.00 s"), (420.0, "0.42 s"), (9_994.0, "9.99 s"), (65_432.0, "65.4 s")],
)
def test_waits_are_seconds(milliseconds: float | None, text: str) -> None:
    assert seconds(milliseconds) == text


@pytest.mark.parametrize(
    ("share", "text", "ascii"),
    [
        (0.0, "        ", "        "),
        (0.0001, "▏       ", "#       "),
        (0.5, "████    ", "####    "),
        (0.52, "████▏   ", "####    "),
        (1.0, "████████", "########"),
        (1.5, "████████", "########"),
    ],
)
def test_bar_is_as_long_as_the_share(share: float, text: str, ascii: str) -> None:
    assert bar(share, 8, ascii=False) == text
    assert bar(share, 8, ascii=True) == ascii


@pytest.mark.parametrize(
    ("values", "text", "ascii"),
    [
        ([], "", ""),
        ([0, 0], "  ", "  "),
        ([5], "█", "@"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█", ".:-=+*#@"),
        ([0, 1, 1_000_000], " ▁█", " .@"),
    ],
    ids=str,
)
def test_sparkline_is_as_high_as_the_values(values: list[float], text: str, ascii: str) -> None:
    assert sparkline(values, ascii=False) == text
    assert sparkline(values, ascii=True) == ascii

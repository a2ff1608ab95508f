"""Usage for programs: columns that stay, CSV that can be read back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from llm_client.cli.render.usage_text import aligned, csv_text, label, report_object, row_object
from llm_client.types.usage import UsageReport, UsageRow


def read(text: str) -> list[list[str]]:
    return [*csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("plain", "plain"),
        ('a "b", c\nd', 'a "b", c\nd'),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (-5, "-5"),
        (1.5, "1.5"),
        (True, "1"),
        (["a", "ü"], '["a", "ü"]'),
    ],
    ids=repr,
)
def test_cell_is_what_it_was_and_no_formula(value: Any, cell: str) -> None:
    assert read(csv_text([{"x": value, "y": 1}])) == [[cell, "1"]]


def test_cost_has_every_digit() -> None:
    row = {"cost": 1e-9, "cost_nano_usd": 1}
    assert csv_text([row, {"cost": None, "cost_nano_usd": None}], ["cost", "nano"]) == (
        "cost,nano\r\n0.000000001,1\r\n,\r\n"
    )


def test_row_has_usd_beside_nano_usd_and_waits_rounded() -> None:
    fields = row_object(UsageRow(key="k", cost_nano_usd=6_156_500, latency_ms=1 / 3))
    assert (fields["cost"], fields["cost_nano_usd"]) == (0.0061565, 6_156_500)
    assert fields["latency_ms"] == 0.333
    assert fields["total_tokens"] == 0
    assert next(iter(fields)) == "key"


def test_object_of_an_empty_report_is_zeros() -> None:
    shown = report_object(UsageReport(by="model", since="2026-11-20"))
    assert (shown["by"], shown["since"], shown["until"], shown["rows"]) == (
        *("model", "2026-11-20", None),
        [],
    )
    assert "key" not in shown["total"]
    assert (shown["total"]["calls"], shown["total"]["cost"]) == (0, 0.0)


def test_text_has_the_same_columns_whatever_there_is() -> None:
    empty = aligned(UsageReport(by="model"))
    full = aligned(
        UsageReport(
            by="model", rows=(UsageRow(key="a/b", calls=1, cost_nano_usd=None, unpriced=1),)
        )
    )
    assert empty[0].split() == full[0].split()
    assert [line.split()[0] for line in full] == ["model", "a/b", "total"]
    assert full[1].split()[11:] == ["-", "1", "0", "-", "-"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [(None, "(none)"), ("", ""), ("a\nb\tc", "a b c"), ("\x1b[31m", "␛[31m"), ("日本", "日本")],
    ids=repr,
)
def test_label_is_one_harmless_line(key: str | None, shown: str) -> None:
    assert label(key) == shown


def test_long_name_is_shortened_where_people_read_it_and_whole_for_programs() -> None:
    name = "begin-" + "x" * 10_000 + "-end"
    report = UsageReport(by="project", rows=(UsageRow(key=name), UsageRow(key="short")))

    lines = aligned(report)
    shown = lines[1].split()[0]
    assert (shown[:6], shown[-4:], len(shown)) == ("begin-", "-end", 60)
    assert "…" in shown
    assert max(map(len, lines)) < 300
    assert report_object(report)["rows"][0]["key"] == name
    assert name in csv_text(row_object(row) for row in report.rows)

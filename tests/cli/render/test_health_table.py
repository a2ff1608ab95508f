"""Reports of health as a table and as lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_client.cli.render.cells import cell_width
from llm_client.cli.render.health_table import health_lines, health_table
from llm_client.types.health import HealthReport, LoadedModel

WELL = HealthReport(
    "ollama",
    healthy=True,
    base_url="http://localhost:11434",
    latency_ms=12.4,
    models=("a", "b"),
    reachable=True,
    has_key=True,
    key_accepted=True,
    named_models=("a", "b"),
    model_present=True,
    version="0.33.0",
    loaded=(LoadedModel("a", 131072), LoadedModel("b")),
    model="a",
    first_token_ms=80.6,
    tokens_per_second=31.26,
)
ILL = HealthReport(
    "openai",
    healthy=False,
    base_url="https://api.openai.com/v1",
    error="No connection\nat all.",
    hint="Try `this`.",
    problem="unreachable",
    reachable=False,
    has_key=True,
    named_models=("gpt-5",),
)


def test_table_has_a_row_each_and_below_what_is_wrong() -> None:
    assert health_table([WELL, ILL], 120, color=False) == [
        "  PROVIDER  STATUS       LATENCY  KEY       MODEL  FIRST TOKEN  TOKENS/S  LOADED       "
        "VERSION",
        "✓ ollama    healthy        12 ms  accepted  a, b         81 ms      31.3  a (128k), b  "
        "0.33.0",
        "✗ openai    unreachable",
        "    No connection",
        "    at all.",
        "    Try `this`.",
    ]


@pytest.mark.parametrize("width", [*range(20, 121, 10)])
def test_table_is_no_wider_than_the_terminal(width: int) -> None:
    long = replace(
        WELL, loaded=(LoadedModel("a/very/long/name" * 3, 4096),), named_models=("long" * 12,)
    )
    rows = health_table([long, WELL], width, color=False)

    least = len("  PROVIDER  STATUS   FIRST TOKEN  TOKENS/S")
    assert max(map(cell_width, rows)) <= max(width, least)
    assert all("healthy" in row for row in rows[1:])


def test_long_names_are_cut_before_columns_are_left_out() -> None:
    report = replace(WELL, loaded=(LoadedModel("a/very/long/name" * 3, 4096),))
    head, row = health_table([report], 110, color=False)

    assert "VERSION" in head
    assert "…" in row


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"named_models": (), "model": None}, "2 listed"),
        ({"named_models": (), "model": "x"}, "x"),
        ({"named_models": (), "model": None, "models": ()}, ""),
        ({"model_present": None}, "a, b (unknown)"),
        ({"missing_models": ("b",), "problem": "model", "healthy": False}, "no b"),
    ],
    ids=["listed", "deep", "nothing", "unknown", "missing"],
)
def test_model_column_says_what_is_known(changes: dict[str, Any], shown: str) -> None:
    plain = replace(WELL, version=None, loaded=(), first_token_ms=None, tokens_per_second=None)
    head, row, *_ = health_table([replace(plain, **changes)], 100, color=False)

    if shown:
        assert row[head.index("MODEL") :] == shown
    else:
        assert "MODEL" not in head


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "accepted"),
        ({"key_accepted": False}, "refused"),
        ({"key_accepted": None}, "unknown"),
        ({"key_accepted": None, "has_key": False}, None),
        ({"key_accepted": None, "reachable": False}, None),
    ],
    ids=["accepted", "refused", "unknown", "none", "unreachable"],
)
def test_key_column_says_what_is_known(changes: dict[str, Any], shown: str | None) -> None:
    head, row = health_table([replace(WELL, **changes)], 120, color=False)

    assert ("KEY" in head) is (shown is not None)
    if shown is not None:
        assert row[head.index("KEY") :].startswith(shown)


def test_marks_need_no_colour_and_no_unicode() -> None:
    colored = health_table([WELL, ILL], 100, color=True)
    plain = health_table([WELL, ILL], 100, color=False, plain=True)

    assert colored[0].startswith("\x1b[2m")
    assert colored[1].startswith("\x1b[32m✓\x1b[0m ")
    assert colored[2].startswith("\x1b[31m✗\x1b[0m ")
    assert (plain[1][0], plain[2][0]) == ("+", "!")


def test_lines_are_for_programs() -> None:
    assert health_lines([WELL, ILL]) == [
        "ollama\thealthy\t12\taccepted\tpresent\t0.33.0\ta=131072,b=\t81\t31.3"
        "\thttp://localhost:11434\t",
        "openai\tunreachable\t\t\t\t\t\t\t\thttps://api.openai.com/v1\tNo connection at all.",
    ]


def test_control_characters_of_a_server_do_not_get_through() -> None:
    evil = replace(
        WELL,
        healthy=False,
        version="1\x1b]0;x\x07",
        loaded=(LoadedModel("m\tn\x1b[2J", 1),),
        error="e\x1b[31m\tx",
    )
    for line in (*health_table([evil], 200, color=False), *health_lines([evil])):
        assert "\x1b" not in line
        assert "\x07" not in line
    assert health_lines([evil])[0].count("\t") == 10

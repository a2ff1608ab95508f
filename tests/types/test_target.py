"""Patterns of model names, and what rules say of a model."""

from __future__ import annotations

import pytest

from llm_client.types.target import ModelRule, ProviderSpec, Quirks, matches


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "GPT-5", True),
        ("gpt-5", "gpt-5-pro", False),
        ("gpt-5*", "gpt-5-pro", True),
        ("gpt-5*", "a-gpt-5", False),
        ("*-pro", "gpt-5-pro", True),
        ("*-pro", "gpt-5-pro-2025", False),
        ("*codex*", "gpt-5.1-codex-max", True),
        ("*codex*", "codex", True),
        ("*codex*", "code", False),
        ("o*-deep-*", "o3-deep-research", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*b", "ab", False),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_pattern_fits_the_names_it_means(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


SPEC = ProviderSpec(
    name="p",
    base_url="",
    dialect="openai-chat",
    model_rules=(
        ModelRule("*-pro", dialect="openai-responses"),
        ModelRule("old-*", schema="tool"),
        ModelRule("*", dialect="openai-chat", schema="prompt"),
    ),
)


@pytest.mark.parametrize(
    ("model", "dialect", "schema"),
    [
        ("x-pro", "openai-responses", "prompt"),
        ("old-x", "openai-chat", "tool"),
        ("old-pro", "openai-responses", "tool"),
    ],
)
def test_first_rule_that_says_something_wins(model: str, dialect: str, schema: str) -> None:
    assert (SPEC.dialect_for(model), SPEC.schema_for(model)) == (dialect, schema)


def test_without_a_rule_the_row_counts() -> None:
    spec = ProviderSpec(name="p", base_url="", dialect="gemini", quirks=Quirks(schema="tool"))
    assert (spec.dialect_for("m"), spec.schema_for("m")) == ("gemini", "tool")

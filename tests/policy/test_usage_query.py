"""From what users ask about their usage to a question that the ledger understands."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

import pytest

from llm_client.cli.commands import usage as command
from llm_client.exceptions import ValidationError
from llm_client.policy.usage_query import query_before, usage_query
from llm_client.types.events import Outcome
from llm_client.types.usage import UsageKey, UsageQuery

NOW = datetime(2026, 11, 20, 15, 30)


def test_nothing_said_is_everything() -> None:
    assert usage_query(None, {}, NOW) == UsageQuery()


def test_every_filter_reaches_the_question() -> None:
    texts: Any = {
        "provider": "openai",
        "model": "gpt*",
        "project": "web",
        "session": "s",
        "profile": "fast",
        "tag": "",
        "outcome": "ok",
    }
    asked = usage_query("day", texts | {"since": "7d", "until": "today"}, NOW)
    assert asked == UsageQuery(by="day", since="2026-11-14", until="2026-11-20", **texts)


@pytest.mark.parametrize("by", get_args(UsageKey))
def test_every_key_can_be_asked_for(by: UsageKey) -> None:
    assert usage_query(by, {}, NOW).by == by


@pytest.mark.parametrize(
    ("by", "filters", "message", "hint"),
    [
        pytest.param("modl", {}, "by 'modl' is none of provider, model", "'model'", id="key"),
        pytest.param("zzzz", {}, "by 'zzzz' is none of", None, id="nothing-near"),
        pytest.param(7, {}, "by 7 is none of", None, id="no-text-as-key"),
        pytest.param(
            None,
            {"outcome": "eror"},
            "outcome 'eror' is none of ok, error",
            "'error'",
            id="outcome",
        ),
        pytest.param(None, {"projet": "x"}, "no filter 'projet'", "project", id="filter"),
        pytest.param(None, {"project": 7}, "project 7 is not a text", None, id="no-text"),
        pytest.param(None, {"since": "foo"}, "since 'foo' is no time", "7d", id="time"),
    ],
)
def test_wrong_value_is_named(by: Any, filters: Any, message: str, hint: str | None) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        usage_query(by, filters, NOW)

    assert hint is None or hint in (caught.value.hint or "")


def test_question_about_what_is_old_has_only_an_end() -> None:
    assert query_before("--older-than", "90d", NOW) == UsageQuery(until="2026-08-22")


def test_all_is_no_age() -> None:
    with pytest.raises(ValidationError, match="'all' is no age") as caught:
        query_before("--older-than", "all", NOW)

    assert "0d" in (caught.value.hint or "")


def test_command_line_names_the_same_words() -> None:
    assert get_args(UsageKey) == command._KEYS
    assert get_args(Outcome) == command._OUTCOMES

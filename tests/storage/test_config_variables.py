"""What variables say over the file, and everything that is wrong with both, told together."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.config import load_settings, problems, settings_of
from llm_client.storage.config_document import parse_document

FILE = Path("/home/me/config.toml")
TEXT = """\
default_profile = "fast"
[profiles.fast]
model = "ollama/x"
[retry]
max_retries = 1
[budget]
daily_usd = 1
[budget.projects.a]
daily_usd = 1
weekly_usd = 1
[budget.projects.b]
daily_usd = 1
[pricing."a/b"]
input = 1
output = 1
[pricing."c/d"]
input = 1
"""


def test_variables_are_laid_over_the_file_and_leave_it_as_it_is() -> None:
    document = parse_document(FILE, TEXT)
    before = copy.deepcopy(document.table)
    environ = {
        "LLM_CLIENT_RETRY_DELAY": "9",
        "LLM_CLIENT_BUDGET_WEEKLY_USD": "9",
        "LLM_CLIENT_BUDGET_PROJECTS": '{"a": {"daily_usd": 9}, "c": {"total_usd": 9}}',
        "LLM_CLIENT_PRICING": '{"a/b": {"input": 9}, "e/f": {"output": 9}}',
        "LLM_CLIENT_CREDENTIALS_STORE": "file",
    }

    settings = settings_of(document, environ)

    assert (settings.retry.max_retries, settings.retry.delay) == (1, 9)
    assert settings.budget is not None
    assert (settings.budget.daily_usd, settings.budget.weekly_usd) == (1, 9)
    projects = settings.budget.projects
    assert {name: project.daily_usd for name, project in projects.items()} == {
        "a": 9,
        "b": 1,
        "c": None,
    }
    assert projects["a"].weekly_usd is None, "an entry is replaced as a whole"
    assert settings.pricing == {"a/b": {"input": 9}, "c/d": {"input": 1}, "e/f": {"output": 9}}
    assert settings.credentials_store == "file"
    assert settings.source == str(FILE)
    assert document.table == before


def test_variables_need_no_file(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "LLM_CLIENT_BUDGET_DAILY_USD": "2"}

    settings = load_settings(None, environ)

    assert settings.source is None
    assert settings.budget is not None
    assert settings.budget.daily_usd == 2


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"LLM_CLIENT_PROFILE": "fats"},
            "In LLM_CLIENT_PROFILE: default_profile is 'fats', and there is no such profile.",
        ),
        (
            {"LLM_CLIENT_BUDGET_PROFILES": '{"fats": {"daily_usd": 1}}'},
            "In LLM_CLIENT_BUDGET_PROFILES: budget.profiles.fats: there is no profile 'fats'.",
        ),
        (
            {"LLM_CLIENT_ROUTING_VISION": "fats"},
            "In LLM_CLIENT_ROUTING_VISION: routing.vision has 'fats': 'fats' is neither a profile "
            "nor PROVIDER/MODEL.",
        ),
    ],
)
def test_name_that_a_variable_has_and_nobody_else_names_the_variable(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_of(parse_document(FILE, TEXT), environ)

    assert (caught.value.message, caught.value.hint) == (message, "Did you mean 'fast'?")


def test_setting_of_the_file_that_a_variable_replaces_is_not_looked_up() -> None:
    document = parse_document(FILE, TEXT.replace('profile = "fast"', 'profile = "nobody"'))

    assert settings_of(document, {"LLM_CLIENT_PROFILE": "fast"}).default_profile == "fast"
    assert [str(problem) for problem in problems(document)] == [
        f"In the configuration {FILE}, line 1: default_profile is 'nobody', and there is no such "
        "profile."
    ]


def test_everything_that_is_wrong_is_told_file_first() -> None:
    text = '[retry]\ndelay = "x"\nzzz = 1\n[providers.work]\nbase_url = "http://x"\n'
    environ = {
        "LLM_CLIENT_MAX_RETRIES": "x",
        "LLM_CLIENT_WORK_TIMEOUT": "x",
        "LLM_CLIENT_TOP_P": "x",
        "LLM_CLIENT_SEED": "4",
    }

    found = [str(problem) for problem in problems(parse_document(FILE, text), environ)]

    assert [message.partition(": ")[0] for message in found[:2]] == [
        f"In the configuration {FILE}, line 2",
        f"In the configuration {FILE}, line 3",
    ]
    assert sorted(message.partition(" ")[0] for message in found[2:]) == [
        "LLM_CLIENT_MAX_RETRIES",
        "LLM_CLIENT_TOP_P",
        "LLM_CLIENT_WORK_TIMEOUT",
    ]


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 0),
        ({"LLM_CLIENT_FALLBACK": "fast", "LLM_CLIENT_PROVIDER": "openai"}, 0),
        ({"LLM_CLIENT_FALLBACK": "fats"}, 1),
        ({"LLM_CLIENT_PROVIDER": "opnai"}, 1),
        ({"LLM_CLIENT_DIALECT": "x"}, 1),
    ],
)
def test_names_in_variables_of_calls_are_looked_up_too(environ: dict[str, str], count: int) -> None:
    found = problems(parse_document(FILE, TEXT), environ)

    assert len(found) == count
    assert all(next(iter(environ)) in str(problem) for problem in found)


@pytest.mark.parametrize("text", ["providers = 1", "a = 1"])
def test_wrong_file_and_wrong_variables_are_told_together(text: str) -> None:
    environ = {"LLM_CLIENT_LEDGER": "x"}

    assert len(problems(parse_document(FILE, text), environ)) == 2
    assert len(problems(parse_document(Path("x.json"), "[1]"), environ)) == 2
    assert len(problems(None, environ)) == 1
    assert problems(None, {}) == []

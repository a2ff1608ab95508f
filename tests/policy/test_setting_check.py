"""What is wrong with settings: told all at once, each with its place and the nearest valid name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.setting_check import Names, reference_problems, shape_problems


def place(names: Names) -> str:
    return f"At {'/'.join(names)}"


def shape(text: str) -> list[ConfigurationError]:
    return [*shape_problems("", (), tomllib.loads(text), place)]


def references(root: Mapping[str, Any] | str) -> list[ConfigurationError]:
    table = tomllib.loads(root) if isinstance(root, str) else root
    return [*reference_problems(table, place)]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            '[providers.openai]\napi_key = "sk-secret"',
            "At providers/openai/api_key: there is no setting 'providers.openai.api_key'.",
            "Keys do not stand here: run `llm-client creds set openai`.",
        ),
        (
            '[providers.openai]\napi_key_env = "sk-secret-0123"',
            "At providers/openai/api_key_env: providers.openai.api_key_env must be the name of the "
            "variable that holds the key.",
            None,
        ),
        (
            '[providers.x]\nheaders = "Bearer secret"',
            "At providers/x/headers: providers.x.headers must be a table of ASCII texts by the names of "
            "headers.",
            None,
        ),
        (
            '[providers.x]\nbase_url = "ftp://me:secret@x"',
            "At providers/x/base_url: providers.x.base_url must be an address such as "
            "`http://HOST:PORT/v1`, not 'ftp://***@x'.",
            None,
        ),
        (
            '[retry]\nmax_retries = "5"',
            "At retry/max_retries: retry.max_retries must be a whole number, 0 or more, not '5'.",
            "Write `max_retries = 5`.",
        ),
        (
            '[cache]\nresponses = "yes"',
            "At cache/responses: cache.responses must be true or false, not 'yes'.",
            "Write `responses = true`.",
        ),
        (
            '[profiles.a]\nfallback = "b, c/d"',
            "At profiles/a/fallback: profiles.a.fallback must be a list of texts, none of them "
            "empty, not 'b, c/d'.",
            'Write `fallback = ["b", "c/d"]`.',
        ),
        (
            '[profiles.a]\noptions = "{}"',
            "At profiles/a/options: profiles.a.options must be a table of JSON values, not '{}'.",
            None,
        ),
        (
            "[profiles.a]\noptions = { since = 2024-01-01 }",
            "At profiles/a/options: profiles.a.options must be a table of JSON values, not "
            "{'since': datetime.date(2024, 1, 1)}.",
            None,
        ),
        (
            "[providers.a]\noptions = { x = [{ y = nan }] }",
            "At providers/a/options: providers.a.options must be a table of JSON values, not "
            "{'x': [{'y': nan}]}.",
            None,
        ),
        (
            '[providers.a]\nheaders = { x-team = "Grüße" }',
            "At providers/a/headers: providers.a.headers must be a table of ASCII texts by the "
            "names of headers, not ['x-team'].",
            None,
        ),
        (
            '[cache]\nmodels_ttl = "sk-proj-0123456789"',
            "At cache/models_ttl: cache.models_ttl must be a number of seconds, 0 or more, not "
            "'***'.",
            None,
        ),
        (
            '[profiles.a]\nprefer = "cheap"',
            "At profiles/a/prefer: profiles.a.prefer must be order or cheapest, not 'cheap'.",
            "Did you mean 'cheapest'?",
        ),
        (
            "[profiles.a]\nmodel = 5",
            "At profiles/a/model: profiles.a.model must be a text, not 5.",
            'Put it into quotes: `model = "5"`.',
        ),
        (
            '[pricing."a/b"]\ninptu = 1',
            "At pricing/a/b/inptu: there is no setting 'pricing.\"a/b\".inptu'.",
            "Did you mean 'input'?",
        ),
        (
            "[budget.projects.x]\nprojects = {}",
            "At budget/projects/x/projects: there is no setting 'budget.projects.x.projects'.",
            "Known here: daily_usd, monthly_usd, on_exceeded, per_call_usd, total_usd, weekly_usd.",
        ),
        ("budget = 1", "At budget: budget must be a table, not 1.", None),
        ("pricing = 1", "At pricing: pricing must be a table, not 1.", None),
    ],
)
def test_wrong_shape_is_told_and_keys_are_not_shown(
    text: str, message: str, hint: str | None
) -> None:
    (problem,) = shape(text)

    assert (problem.message, problem.hint) == (message, hint)
    assert "secret" not in str(problem) + str(problem.hint)


def test_everything_that_is_wrong_is_told() -> None:
    found = shape('a = 1\n[retry]\ndelay = "x"\nb = 1\n[profiles]\nc = 1\n[providers.d]\ne = 1')

    assert [problem.message.partition(":")[0] for problem in found] == [
        "At a",
        "At retry/delay",
        "At retry/b",
        "At profiles/c",
        "At providers/d/e",
    ]


def test_settings_that_are_right_have_no_problems() -> None:
    text = (
        'default_profile = "quick"\n[profiles]\nquick = "other"\nother = "fast"\n'
        '[profiles.fast]\nmodel = "WORK/x"\nfallback = ["quick", "work/y", "openrouter/a/b"]\n'
        '[profiles.bare]\nmodel = "llama3.2"\n'
        '[providers.WORK]\nbase_url = "http://w"\n[providers.work]\nbase_url = "http://w"\n'
        '[providers.azure]\nendpoint = "https://x.test"\n'
        '[routing]\nvision = "quick"\nplanning = "Ollama/x"\nprefer = "cheapest"\n'
        "[budget.profiles.other]\ndaily_usd = 1\n[budget.providers.work]\ndaily_usd = 1\n"
        "[budget.projects.any]\ndaily_usd = 1\n"
    )

    assert shape(text) == []
    assert references(text) == []


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            'default_profile = "fats"\n[profiles.fast]',
            "At default_profile: default_profile is 'fats', and there is no such profile.",
            "Did you mean 'fast'?",
        ),
        (
            'default_profile = "x"',
            "At default_profile: default_profile is 'x', and there is no such profile.",
            "Profiles in the configuration: none.",
        ),
        (
            'default_profile = "ollama/llama3.2"',
            "At default_profile: default_profile is 'ollama/llama3.2', and there is no such "
            "profile.",
            'A profile with that model: `[profiles.NAME]`, `model = "ollama/llama3.2"`.',
        ),
        (
            '[profiles]\na = "b"\nb = "nowhere"',
            "At profiles/b: profiles.b is an alias of 'nowhere', and there is no such profile.",
            "Profiles in the configuration: a, b.",
        ),
        (
            '[profiles]\na = "openai/gpt-5"',
            "At profiles/a: profiles.a is an alias of 'openai/gpt-5', and there is no such profile.",
            'A profile with that model: `[profiles.NAME]`, `model = "openai/gpt-5"`.',
        ),
        (
            '[profiles]\na = "b"\nb = "c"\nc = "b"',
            "At profiles/b: profiles.b is an alias of itself: b -> c -> b.",
            None,
        ),
        (
            '[profiles]\nself = "self"',
            "At profiles/self: profiles.self is an alias of itself: self -> self.",
            None,
        ),
        (
            '[profiles.a]\nmodel = "olama/x"',
            "At profiles/a/model: profiles.a.model has 'olama/x': there is no provider 'olama'.",
            "Did you mean 'ollama'?",
        ),
        (
            '[profiles.a]\nfallback = ["a", "gpt-5"]',
            "At profiles/a/fallback: profiles.a.fallback has 'gpt-5': 'gpt-5' is neither a profile "
            "nor PROVIDER/MODEL.",
            "Profiles in the configuration: a.",
        ),
        (
            '[routing]\nvision = "zzzzzzzz/x"',
            "At routing/vision: routing.vision has 'zzzzzzzz/x': there is no provider 'zzzzzzzz'.",
            "One of your own needs its `base_url` under `[providers.zzzzzzzz]`.",
        ),
        (
            '[providers.work]\n[profiles.a]\nfallback = ["wrok/x"]',
            "At profiles/a/fallback: profiles.a.fallback has 'wrok/x': there is no provider "
            "'wrok'.",
            "Did you mean 'work'?",
        ),
        (
            '[routing]\nvision = "eyes"',
            "At routing/vision: routing.vision has 'eyes': 'eyes' is neither a profile nor "
            "PROVIDER/MODEL.",
            "Profiles in the configuration: none.",
        ),
        (
            "[providers.OpenAI]\ntimeout = 1",
            "At providers/OpenAI: providers.OpenAI: there is no provider 'OpenAI'.",
            "Did you mean 'openai'?",
        ),
        (
            "[budget.profiles.fats]\ntotal_usd = 1\n[profiles.fast]",
            "At budget/profiles/fats: budget.profiles.fats: there is no profile 'fats'.",
            "Did you mean 'fast'?",
        ),
        (
            "[budget.providers.opnai]\ntotal_usd = 1",
            "At budget/providers/opnai: budget.providers.opnai: there is no provider 'opnai'.",
            "Did you mean 'openai'?",
        ),
    ],
)
def test_name_that_stands_for_nothing_is_told(text: str, message: str, hint: str | None) -> None:
    assert shape(text) == []
    (problem,) = references(text)

    assert (problem.message, problem.hint) == (message, hint)


def test_long_value_is_cut() -> None:
    (problem,) = shape(f'[retry]\ndelay = "{"x" * 10_000}"')

    assert problem.message.endswith("x….")
    assert len(problem.message) < 300


def test_each_circle_is_told_once() -> None:
    profiles = {"a": "b", "b": "a", "c": "d", "d": "c", "e": "a"}

    found = [problem.message for problem in references({"profiles": profiles})]

    assert found == [
        "At profiles/a: profiles.a is an alias of itself: a -> b -> a.",
        "At profiles/c: profiles.c is an alias of itself: c -> d -> c.",
    ]


def test_table_without_a_bottom_is_none() -> None:
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"x": deep}

    (problem,) = shape_problems("", (), {"profiles": {"a": {"options": deep}}}, place)
    assert problem.message == (
        "At profiles/a/options: profiles.a.options must be a table of JSON values, not something "
        "so deep."
    )

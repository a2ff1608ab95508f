"""The table of settings: names, keys, and what a value may be."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.setting_schema import (
    OTHER_VARIABLES,
    SETTINGS,
    Setting,
    children,
    find_setting,
    join_key,
    split_key,
)
from llm_client.types.config import Profile, ProviderSettings, RetrySettings, Settings

BY_PATH = {setting.path: setting for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.path)
def test_row_is_whole(setting: Setting) -> None:
    assert re.fullmatch(r"[a-z_]+(\.([a-z_]+|\*))*", setting.path)
    assert setting.about
    assert setting.about[-1] not in ".,"
    assert setting.default is None or setting.kind.check(setting.default)
    names = setting.path.count("*")
    if setting.variable:
        assert setting.variable.startswith("LLM_CLIENT_")
        # A variable of profiles is one for all of them.
        assert ("*" in setting.variable) is (names == 1 and setting.path.startswith("providers."))
    else:
        parents = [path for path in BY_PATH if setting.path.startswith(f"{path}.")]
        assert any(BY_PATH[path].variable for path in parents), "no variable says it"


def test_names_and_variables_are_there_once() -> None:
    variables = [setting.variable for setting in SETTINGS if setting.variable]

    assert len(BY_PATH) == len(SETTINGS)
    assert len({*variables}) == len(variables)
    assert not {*variables} & OTHER_VARIABLES.keys()


def test_table_has_what_the_values_have() -> None:
    def below(where: str) -> set[str]:
        return set(children(where))

    assert below("profiles.*") == set(Profile.__slots__)
    assert below("providers.*") == set(ProviderSettings.__slots__) - {"fields"}
    assert below("retry") == set(RetrySettings.__slots__)
    shown = {"pricing", "providers", "profiles", "retry", "budget", "routing", "default_profile"}
    assert shown < below("")
    assert below("nowhere") == set()


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("cache.models_ttl", Settings().models_ttl),
        ("cache.responses", Settings().responses),
        ("cache.responses_ttl", Settings().responses_ttl),
        ("cache.responses_max_mb", Settings().responses_max_mb),
        ("ledger.enabled", Settings().ledger),
        ("credentials.store", Settings().credentials_store),
        *((f"retry.{name}", getattr(RetrySettings(), name)) for name in RetrySettings.__slots__),
    ],
)
def test_default_of_the_table_is_that_of_the_value(path: str, default: object) -> None:
    assert BY_PATH[path].default == default


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("retry.max_retries", ("retry", "max_retries")),
        ("default_profile", ("default_profile",)),
        ('pricing."work/our-model".input', ("pricing", "work/our-model", "input")),
        ('providers."a.b".timeout', ("providers", "a.b", "timeout")),
        ('profiles."say \\"hi\\"".model', ("profiles", 'say "hi"', "model")),
        ('profiles."".model', ("profiles", "", "model")),
        ('profiles."ünï\\u007F".model', ("profiles", "ünï\x7f", "model")),
    ],
)
def test_key_is_split_into_names_and_joined_again(key: str, names: tuple[str, ...]) -> None:
    assert split_key(key) == names
    assert join_key(names) == key


@pytest.mark.parametrize(
    "key",
    ["", " ", ".", "a.", "a b", "[retry]", "retry.delay = 5 #", "a = 1\nb", "a = {b", "a/b.c"],
)
def test_text_that_is_no_key_is_refused_with_examples(key: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of a setting") as caught:
        split_key(key)
    assert "`retry.max_retries`" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("retry.delay", "retry.delay"),
        ("profiles.fast.model", "profiles.*.model"),
        ("providers.ollama.timeout", "providers.*.timeout"),
        ("budget.projects.mine.daily_usd", "budget.projects.*.daily_usd"),
        ("pricing", "pricing"),
        ('pricing."a/*".cache_read', "pricing.*.cache_read"),
    ],
)
def test_setting_is_found_by_its_key(key: str, path: str) -> None:
    assert find_setting(split_key(key)).path == path


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("retri.delay", "There is no setting 'retri'.", "Did you mean 'retry'?"),
        ("retry.dellay", "There is no setting 'retry.dellay'.", "Did you mean 'delay'?"),
        ("retry.zzz", "no setting", "Known here: delay, exponential_base, max_delay, max_retries."),
        ("retry.delay.x", "There is no setting 'retry.delay.x'.", None),
        ("retry", "'retry' is a table, not a setting.", "It has: delay, exponential_base, max_"),
        ('profiles."a b"', "'profiles.\"a b\"' is a table, not a setting.", "It has: fallback,"),
    ],
)
def test_unknown_setting_is_refused_with_the_nearest(
    key: str, message: str, hint: str | None
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_setting(split_key(key))
    assert message in caught.value.message
    assert (caught.value.hint or "").startswith(hint or "")
    assert (caught.value.hint is None) is (hint is None)


def test_variable_of_a_provider_has_its_name_in_capitals() -> None:
    assert BY_PATH["providers.*.timeout"].variable_for("my.llm-box") == (
        "LLM_CLIENT_MY_LLM_BOX_TIMEOUT"
    )
    assert BY_PATH["retry.delay"].variable_for() == "LLM_CLIENT_RETRY_DELAY"


READ: list[tuple[str, str, Any]] = [
    ("retry.max_retries", " 5 ", 5),
    ("retry.delay", "1.5", 1.5),
    ("retry.delay", "1e1", 10.0),
    ("cache.responses", "ON", True),
    ("cache.responses", " no ", False),
    ("cache.responses", "1", True),
    ("ledger.enabled", "off", False),
    ("providers.*.verify_ssl", "true", True),
    ("providers.*.verify_ssl", "/etc/ca.pem", "/etc/ca.pem"),
    ("providers.*.verify_ssl", "system", "system"),
    ("profiles.*.fallback", "a, b/c ,", ["a", "b/c"]),
    ("profiles.*.fallback", '["a,b", "c"]', ["a,b", "c"]),
    ("profiles.*.stop", '["\\n"]', ["\n"]),
    ("profiles.*.seed", "-7", -7),
    ("profiles.*.reasoning_effort", "high", "high"),
    ("profiles.*.options", '{"num_ctx": 1}', {"num_ctx": 1}),
    ("providers.*.api_key_command", "pass show 'my key'", ["pass", "show", "my key"]),
    ("providers.*.api_key_command", '["pass", "x"]', ["pass", "x"]),
    ("providers.*.headers", '{"x-a": "b"}', {"x-a": "b"}),
    ("providers.*.api_key_env", "MY_KEY", "MY_KEY"),
]


@pytest.mark.parametrize(("path", "text", "value"), READ)
def test_text_of_a_variable_becomes_a_value(path: str, text: str, value: object) -> None:
    kind = BY_PATH[path].kind
    read = kind.read(text)

    assert (read, type(read)) == (value, type(value))
    assert kind.check(read)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("retry.max_retries", "1.5"),
        ("retry.max_retries", "true"),
        ("retry.delay", "nan"),
        ("retry.delay", "inf"),
        ("retry.delay", "5s"),
        ("retry.delay", "-1"),
        ("cache.responses", "2"),
        ("profiles.*.fallback", '["a", 1]'),
        ("profiles.*.fallback", '["a"'),
        ("profiles.*.reasoning_effort", "High"),
        ("profiles.*.temperature", "2.1"),
        ("profiles.*.options", "num_ctx=1"),
        ("profiles.*.options", "[" * 100_000),
        ("profiles.*.options", "[1]"),
        ("providers.*.api_key_command", "pass 'show"),
        ("providers.*.api_key_command", "[]"),
        ("providers.*.headers", '{"a b": "x"}'),
        ("providers.*.headers", '{"a": "x\\n"}'),
        ("providers.*.key_header", "a:b"),
        ("providers.*.base_url", "http://"),
        ("providers.*.base_url", "http://x/v1?a=b"),
        ("providers.*.dialect", "openai"),
        ("providers.*.api_key_env", "sk-proj-0123456789"),
        ("providers.*.api_key_env", "gsk_0123456789abcdef"),
    ],
)
def test_text_that_is_no_value_is_refused(path: str, text: str) -> None:
    kind = BY_PATH[path].kind

    assert not kind.check(kind.read(text))

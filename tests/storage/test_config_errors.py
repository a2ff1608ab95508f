"""What is refused in a configuration file, with its place, its key and the nearest valid name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.config import load_settings, problems
from llm_client.storage.config_document import read_document


def write(folder: Path, text: str, name: str = "config.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.toml", 'default_profile = "x'),
        ("config.toml", "[profiles"),
        ("config.json", "{"),
        ("config.json", "[" * 100_000),
    ],
    ids=["toml-string", "toml-table", "json", "json-deep"],
)
def test_broken_file_is_an_error_with_its_name(tmp_path: Path, name: str, text: str) -> None:
    file = write(tmp_path, text, name)

    with pytest.raises(ConfigurationError, match="cannot be parsed") as caught:
        load_settings(file)
    assert str(file) in str(caught.value)


def test_place_of_a_syntax_error_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\(at line 2, column \d+\)"):
        load_settings(write(tmp_path, 'default_profile = "x"\nretry = [1 2]\n'))


def test_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b'default_profile = "x"\n# Gr\xfc\xdfe\n')

    with pytest.raises(ConfigurationError, match="is not UTF-8: see line 2"):
        load_settings(file)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param(
            'defualt_profile = "x"',
            "line 1: there is no setting 'defualt_profile'",
            "Did you mean 'default_profile'?",
            id="root",
        ),
        pytest.param(
            "\n[retries]\ndelay = 1",
            "line 2: there is no setting 'retries'",
            "Did you mean 'retry'?",
            id="table",
        ),
        pytest.param(
            '[profiles.a]\nmodel = "x/y"\n\n[profiles.b]\nmodle = "x/y"',
            "line 5: there is no setting 'profiles.b.modle'",
            "Did you mean 'model'?",
            id="profile",
        ),
        pytest.param(
            "[providers.ollama]\nzzz = 1",
            "line 2: there is no setting 'providers.ollama.zzz'",
            "Known here: api_key_command, api_key_env, base_url, dialect, headers, key_header, "
            "options, requests_per_minute, timeout, tokens_per_minute, verify_ssl.",
            id="provider",
        ),
        pytest.param(
            '[providers.azure]\nendpont = "https://x"',
            "line 2: there is no setting 'providers.azure.endpont'",
            "Did you mean 'endpoint'?",
            id="field",
        ),
        pytest.param(
            '[providers.openai]\nendpoint = "https://x"',
            "line 2: there is no setting 'providers.openai.endpoint'",
            "Known here: api_key_command, api_key_env, base_url, dialect, headers, key_header, "
            "options, requests_per_minute, timeout, tokens_per_minute, verify_ssl.",
            id="field-of-another-provider",
        ),
        pytest.param(
            '[providers.work]\ndialect = "opnai-chat"',
            "line 2: providers.work.dialect must be one of anthropic, cohere, gemini, ollama, "
            "openai-chat, openai-completions, openai-responses, not 'opnai-chat'",
            "Did you mean 'openai-chat'?",
            id="dialect",
        ),
        pytest.param(
            "[cache]\nresponses_tll = 1",
            "line 2: there is no setting 'cache.responses_tll'",
            "Did you mean 'responses_ttl'?",
            id="cache",
        ),
    ],
)
def test_unknown_setting_names_its_line_and_the_nearest(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))

    assert message in str(caught.value)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default_profile = 3", "line 1: default_profile must be a text, not 3"),
        ("profiles = 3", "line 1: profiles must be a table, not 3"),
        ("retry = []", "line 1: retry must be a table, not []"),
        ("[profiles]\na = 3", "line 2: profiles.a must be a table, not 3"),
        ("[providers]\na = 'x'", "line 2: providers.a must be a table, not 'x'"),
        (
            '[profiles.a]\ntemperature = 1\n[profiles.b]\ntemperature = "hot"',
            "line 4: profiles.b.temperature must be a number from 0 to 2, not 'hot'",
        ),
        ("[profiles.a]\ntop_p = true", "line 2: profiles.a.top_p must be a number from 0 to"),
        ("[profiles.a]\ntop_p = nan", "top_p must be a number from 0 to 1, not nan"),
        ("[profiles.a]\ntop_p = 1.1", "top_p must be a number from 0 to 1, not 1.1"),
        ("[profiles.a]\ntemperature = -1", "temperature must be a number from 0 to 2, not -1"),
        ("[profiles.a]\ntimeout = 0", "timeout must be a number of seconds, more than 0 and"),
        ("[profiles.a]\ntimeout = 1e7", "timeout must be a number of seconds, more than 0 and"),
        ("[profiles.a]\nseed = 1.5", "line 2: profiles.a.seed must be a whole number, not 1.5"),
        ("[profiles.a]\nstop = ['']", "stop must be a list of texts, none of them empty"),
        (
            "[profiles.a]\noptions = 1",
            "line 2: profiles.a.options must be a table of JSON values, not 1",
        ),
        ("[budget]\ndaily_usd = 1e10", "daily_usd must be an amount in USD, 0 to 1000000000"),
        ("[providers.a]\nbase_url = 'ftp://x'", "base_url must be an address such as"),
        ("[providers.a]\nbase_url = 1", "line 2: providers.a.base_url must be an address such as"),
        ("[providers.a]\napi_key_command = 'x'", "api_key_command must be a list of texts: a pro"),
        ("[providers.a]\napi_key_command = []", "api_key_command must be a list of texts: a prog"),
        ("[providers.a]\nverify_ssl = ''", "verify_ssl must be true, false, a path or `system`"),
        (
            "[profiles.a]\nmax_tokens = 1.5",
            "line 2: profiles.a.max_tokens must be a whole number, 1 or more, not 1.5",
        ),
        ("[profiles.a]\nfallback = 'b'", "line 2: profiles.a.fallback must be a list of texts"),
        ("[profiles.a]\nfallback = [1]", "line 2: profiles.a.fallback must be a list of texts"),
        ("[providers.a]\ntimeout = '30'", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\ntimeout = -1", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\ntimeout = inf", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\nverify_ssl = 1", "line 2: providers.a.verify_ssl must be true, false"),
        (
            "[providers.a]\noptions = 1",
            "line 2: providers.a.options must be a table of JSON values, not 1",
        ),
        ("[providers.a]\ndialect = []", "line 2: providers.a.dialect must be one of anthropic,"),
        ("[providers.a]\ndialect = 1", "line 2: providers.a.dialect must be one of anthropic,"),
        ("[providers.azure]\nendpoint = 1", "line 2: providers.azure.endpoint must be a text"),
        ('[providers.a]\nkey_header = "a b"', "line 2: providers.a.key_header must be the name of"),
        (
            "[providers.a]\nheaders = 1",
            "providers.a.headers must be a table of ASCII texts by the names",
        ),
        (
            "[providers.a]\nheaders = { x = 1 }",
            "providers.a.headers must be a table of ASCII texts",
        ),
        (
            '[providers.a]\nheaders = { "a:" = "x" }',
            "providers.a.headers must be a table of ASCII texts",
        ),
        (
            '[providers."a.b"]\noptions = 1',
            'providers."a.b".options must be a table of JSON values, not 1',
        ),
        ("[retry]\nmax_retries = -1", "line 2: retry.max_retries must be a whole number"),
        ("[retry]\nmax_retries = true", "line 2: retry.max_retries must be a whole number"),
        ("[retry]\ndelay = -0.5", "line 2: retry.delay must be a number of seconds, 0 to 1000000"),
        ("[cache]\nmodels_ttl = '5m'", "line 2: cache.models_ttl must be a number of seconds"),
        ("retry = { delay = 'x' }", "retry.delay must be a number of seconds"),
    ],
)
def test_value_of_a_wrong_type_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))

    assert message in str(caught.value)
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_line_in_json_is_named(tmp_path: Path) -> None:
    one = '{\n "retry": {\n  "delay": "x"\n }\n}'
    two = '{\n "profiles": {"a": {\n "system": "x"}, "b": {\n "system": 1\n}}}'

    with pytest.raises(ConfigurationError, match=r"config\.json, line 3: retry\.delay must be"):
        load_settings(write(tmp_path, one, "config.json"))
    with pytest.raises(ConfigurationError, match=r"json, line 4: profiles\.b\.system must be"):
        load_settings(write(tmp_path, two, "config.json"))


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config\.json: the file must be a table"):
        load_settings(write(tmp_path, "[1]", "config.json"))


def test_value_of_a_wrong_header_is_not_shown(tmp_path: Path) -> None:
    text = '[providers.a]\nheaders = { x-key = "secret\\nvalue" }'

    with pytest.raises(ConfigurationError, match=r"not \['x-key'\]") as caught:
        load_settings(write(tmp_path, text))
    assert "secret" not in str(caught.value)


def test_date_without_quotes_is_told_to_have_some(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[providers.azure]\napi_version = 2024-10-21")

    with pytest.raises(ConfigurationError, match=r"api_version must be a text") as caught:
        load_settings(tmp_path / "c.toml", {})
    assert caught.value.hint == 'Put it into quotes: `api_version = "2024-10-21"`.'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budget.providers.opnai]\ndaily_usd = 1", "'openai'"),
        ("[profiles.fast]\n[budget.profiles.fats]\ndaily_usd = 1", "'fast'"),
    ],
    ids=["provider", "profile"],
)
def test_budget_of_something_that_there_is_not_is_refused(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)
    assert said in (caught.value.hint or "")


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'default_profile = "fsat"\n'
        "[profiles.fast]\n"
        'model = "opnai/gpt"\n'
        'temperature = "hot"\n'
        "[retry]\n"
        'max_retries = "often"\n'
    )
    told = [str(problem) for problem in problems(read_document(file), {})]
    lines = [int(re.findall(r"line (\d+)", text)[0]) for text in told]
    assert sorted(lines) == [1, 3, 4, 6], told


def test_references_of_a_wrong_file_are_looked_for_in_what_is_right(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('default_profile = {}\nprofiles = 3\n[routing]\nvision = ["x"]\n')
    told = [str(problem) for problem in problems(read_document(file), {})]
    assert len(told) == 3, told

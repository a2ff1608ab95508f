"""The configuration file: where it is looked for, what it means, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.storage.config import load_settings
from llm_client.storage.paths import cache_dir, config_file
from llm_client.types.config import Profile, ProviderSettings, RetrySettings, Settings

WHOLE = """\
default_profile = "fast"

[profiles]
quick = "fast"

[profiles.fast]
model = "ollama/llama3.2"
fallback = ["cloud", "openai/gpt-5"]
temperature = 0
top_p = 0.5
max_tokens = 100
system = "Be brief."

[profiles.cloud]
model = "openai/gpt-5"

[providers.ollama]
base_url = "http://box:11434"
timeout = 60
options = { num_ctx = 8192 }

[providers.work]
dialect = "openai-chat"
base_url = "https://llm.example.test/v1"
api_key_env = "WORK_KEY"
key_header = "x-work-key"
headers = { X-Team = "ours" }
verify_ssl = "/etc/ca.pem"

[providers.azure]
endpoint = "https://ours.openai.azure.com"
api_version = "2024-10-21"
timeout = 5

[retry]
max_retries = 5
delay = 0.5
max_delay = 20
exponential_base = 3.0

[cache]
models_ttl = 60
"""
SETTINGS = Settings(
    default_profile="fast",
    profiles={
        "fast": Profile(
            model="ollama/llama3.2",
            fallback=("cloud", "openai/gpt-5"),
            temperature=0,
            top_p=0.5,
            max_tokens=100,
            system="Be brief.",
        ),
        "cloud": Profile(model="openai/gpt-5"),
        "quick": "fast",
    },
    providers={
        "ollama": ProviderSettings(
            base_url="http://box:11434", timeout=60, options={"num_ctx": 8192}
        ),
        "work": ProviderSettings(
            dialect="openai-chat",
            base_url="https://llm.example.test/v1",
            api_key_env="WORK_KEY",
            key_header="x-work-key",
            headers={"X-Team": "ours"},
            verify_ssl="/etc/ca.pem",
        ),
        "azure": ProviderSettings(
            fields={"endpoint": "https://ours.openai.azure.com", "api_version": "2024-10-21"},
            timeout=5,
        ),
    },
    retry=RetrySettings(max_retries=5, delay=0.5, max_delay=20, exponential_base=3.0),
    models_ttl=60.0,
)


def write(folder: Path, text: str, name: str = "config.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def comparable(settings: Settings) -> Settings:
    return replace(settings, source=None)


def test_whole_file_is_understood(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE)

    settings = load_settings(file)

    assert settings.source == str(file)
    assert comparable(settings) == SETTINGS


def test_same_settings_can_be_written_as_json(tmp_path: Path) -> None:
    data = {
        "default_profile": "fast",
        "profiles": {
            "fast": {
                "model": "ollama/llama3.2",
                "fallback": ["cloud", "openai/gpt-5"],
                "temperature": 0,
                "top_p": 0.5,
                "max_tokens": 100,
                "system": "Be brief.",
            },
            "cloud": {"model": "openai/gpt-5"},
            "quick": "fast",
        },
        "providers": {
            "ollama": {
                "base_url": "http://box:11434",
                "timeout": 60,
                "options": {"num_ctx": 8192},
            },
            "work": {
                "dialect": "openai-chat",
                "base_url": "https://llm.example.test/v1",
                "api_key_env": "WORK_KEY",
                "key_header": "x-work-key",
                "headers": {"X-Team": "ours"},
                "verify_ssl": "/etc/ca.pem",
            },
            "azure": {
                "endpoint": "https://ours.openai.azure.com",
                "api_version": "2024-10-21",
                "timeout": 5,
            },
        },
        "retry": {"max_retries": 5, "delay": 0.5, "max_delay": 20, "exponential_base": 3.0},
        "cache": {"models_ttl": 60},
    }

    settings = load_settings(write(tmp_path, json.dumps(data), "config.json"))

    assert comparable(settings) == SETTINGS


@pytest.mark.parametrize("text", ["", "\ufeff", "# nothing\n"], ids=["empty", "mark", "comment"])
def test_empty_file_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert comparable(load_settings(write(tmp_path, text))) == Settings()


def test_byte_order_mark_of_an_editor_is_allowed(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, '\ufeffdefault_profile = "x"')).default_profile == "x"


def test_no_file_anywhere_is_the_defaults(tmp_path: Path) -> None:
    assert load_settings(environ={"HOME": str(tmp_path)}) == Settings()


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"LLM_CLIENT_CONFIG": "own.toml"}, "own.toml"),
        ({"XDG_CONFIG_HOME": "xdg"}, "xdg/llm_client/config.toml"),
        ({"HOME": "home"}, "home/.config/llm_client/config.toml"),
        ({"HOME": "home", "XDG_CONFIG_HOME": "xdg"}, "xdg/llm_client/config.toml"),
        (
            {"HOME": "home", "XDG_CONFIG_HOME": "xdg", "LLM_CLIENT_CONFIG": "own.toml"},
            "own.toml",
        ),
    ],
    ids=["named", "xdg", "home", "xdg-over-home", "named-over-all"],
)
def test_file_is_found_in_the_usual_places(
    tmp_path: Path, variables: dict[str, str], place: str
) -> None:
    environ = {name: str(tmp_path / value) for name, value in variables.items()}
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('default_profile = "found"')

    assert config_file(environ) == file
    assert load_settings(environ=environ).default_profile == "found"


def test_home_is_known_without_its_variable(clean_environment: Path) -> None:
    assert config_file({}) == clean_environment / ".config/llm_client/config.toml"


def test_named_file_may_begin_with_the_home(clean_environment: Path) -> None:
    assert config_file({"LLM_CLIENT_CONFIG": "~/x.toml"}) == clean_environment / "x.toml"


def test_cache_is_where_it_is_told_or_where_the_platform_wants_it(
    clean_environment: Path,
) -> None:
    assert cache_dir({"LLM_CLIENT_CACHE_DIR": "~/here"}) == clean_environment / "here"
    assert cache_dir({}).name == "llm_client"
    assert clean_environment in cache_dir({}).parents


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_named_file_that_does_not_exist_is_an_error(tmp_path: Path, how: str) -> None:
    missing = tmp_path / "missing.toml"

    with pytest.raises(ConfigurationError, match="There is no configuration file") as caught:
        if how == "argument":
            load_settings(missing, {})
        else:
            load_settings(environ={"LLM_CLIENT_CONFIG": str(missing)})
    assert str(missing) in str(caught.value)


def test_file_below_a_file_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, "", "plain")

    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        load_settings(tmp_path / "plain" / "config.toml", {})


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read the configuration .* directory"):
        load_settings(tmp_path, {})


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
            "Known here: api_key_env, base_url, dialect, headers, key_header, options, "
            "requests_per_minute, timeout, tokens_per_minute, verify_ssl.",
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
            "Known here: api_key_env, base_url, dialect, headers, key_header, options, "
            "requests_per_minute, timeout, tokens_per_minute, verify_ssl.",
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
            "line 4: profiles.b.temperature must be a number, not 'hot'",
        ),
        ("[profiles.a]\ntop_p = true", "line 2: profiles.a.top_p must be a number, not True"),
        ("[profiles.a]\ntop_p = nan", "line 2: profiles.a.top_p must be a number, not nan"),
        (
            "[profiles.a]\nmax_tokens = 1.5",
            "line 2: profiles.a.max_tokens must be a whole number, 0 or more, not 1.5",
        ),
        ("[profiles.a]\nfallback = 'b'", "line 2: profiles.a.fallback must be a list of texts"),
        ("[profiles.a]\nfallback = [1]", "line 2: profiles.a.fallback must be a list of texts"),
        ("[providers.a]\ntimeout = '30'", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\ntimeout = -1", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\ntimeout = inf", "line 2: providers.a.timeout must be a number of"),
        ("[providers.a]\nverify_ssl = 1", "line 2: providers.a.verify_ssl must be true, false"),
        ("[providers.a]\noptions = 1", "line 2: providers.a.options must be a table, not 1"),
        ("[providers.a]\ndialect = []", "line 2: providers.a.dialect must be one of anthropic,"),
        ("[providers.a]\ndialect = 1", "line 2: providers.a.dialect must be one of anthropic,"),
        ("[providers.azure]\nendpoint = 1", "line 2: providers.azure.endpoint must be a text"),
        ('[providers.a]\nkey_header = "a b"', "line 2: providers.a.key_header must be the name of"),
        ("[providers.a]\nheaders = 1", "providers.a.headers must be a table of texts by the names"),
        ("[providers.a]\nheaders = { x = 1 }", "providers.a.headers must be a table of texts"),
        ('[providers.a]\nheaders = { "a:" = "x" }', "providers.a.headers must be a table of texts"),
        ('[providers."a.b"]\noptions = 1', "providers.a.b.options must be a table, not 1"),
        ("[retry]\nmax_retries = -1", "line 2: retry.max_retries must be a whole number"),
        ("[retry]\nmax_retries = true", "line 2: retry.max_retries must be a whole number"),
        ("[retry]\ndelay = -0.5", "line 2: retry.delay must be a number of seconds, 0 or more"),
        ("[cache]\nmodels_ttl = '5m'", "line 2: cache.models_ttl must be a number of seconds"),
        ("retry = { delay = 'x' }", "retry.delay must be a number of seconds"),
    ],
)
def test_value_of_a_wrong_type_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(tmp_path, text))

    assert message in str(caught.value)
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_line_in_json_is_named_only_when_it_is_the_only_one(tmp_path: Path) -> None:
    one = '{\n "retry": {\n  "delay": "x"\n }\n}'
    two = '{\n "profiles": {"a": {\n "system": "x"}, "b": {\n "system": 1\n}}}'

    with pytest.raises(ConfigurationError, match=r"config\.json, line 3: retry\.delay must be"):
        load_settings(write(tmp_path, one, "config.json"))
    with pytest.raises(ConfigurationError, match=r"config\.json: profiles\.b\.system must be"):
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


def test_budget_of_any_project_and_of_a_provider_of_the_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[providers.work]\nbase_url = "http://localhost:1/v1"\n'
        "[budget.projects.anything]\ndaily_usd = 1\n[budget.providers.work]\ntotal_usd = 2\n"
    )
    budget = load_settings(file).budget
    assert budget is not None
    assert budget.projects["anything"].daily_usd == 1
    assert budget.providers["work"].total_usd == 2


def test_budget_of_an_alias_is_that_of_the_profile_behind_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[profiles]\ndefault = "fast"\n[profiles.fast]\n[budget.profiles.default]\ndaily_usd = 1\n'
    )
    settings = load_settings(file)
    assert settings.budget is not None
    assert list(settings.budget.profiles) == ["fast"]
    assert settings.profile_behind("default") == "fast"
    assert replace(settings, profiles={"a": "b", "b": "a"}).profile_behind("a") == "b"

"""The configuration file: where it is looked for and what it means."""

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
    settings = load_settings(write(tmp_path, "\ufeffretry.max_retries = 7"))
    assert settings.retry.max_retries == 7


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
    file.write_text("retry.max_retries = 7")

    assert config_file(environ) == file
    assert load_settings(environ=environ).retry.max_retries == 7


def test_home_is_known_without_its_variable(clean_environment: Path) -> None:
    assert config_file({}) == clean_environment / ".config/llm_client/config.toml"


@pytest.mark.parametrize(
    "variables", [{"XDG_CONFIG_HOME": "xdg"}, {"XDG_CONFIG_HOME": ""}, {"LLM_CLIENT_CONFIG": " "}]
)
def test_relative_directory_and_blank_name_are_ignored(
    clean_environment: Path, variables: dict[str, str]
) -> None:
    """The specification of XDG wants it so, and another directory may be anybody's."""
    environ = {"HOME": str(clean_environment), **variables}
    assert config_file(environ) == clean_environment / ".config/llm_client/config.toml"
    assert load_settings(environ=environ) == Settings()


def test_named_file_may_begin_with_the_home(clean_environment: Path) -> None:
    assert config_file({"LLM_CLIENT_CONFIG": "~/x.toml"}) == clean_environment / "x.toml"


def test_cache_is_where_it_is_told_or_where_the_platform_wants_it(
    clean_environment: Path,
) -> None:
    assert cache_dir({"LLM_CLIENT_CACHE_DIR": "~/here"}) == clean_environment / "here"
    assert cache_dir({}).name == "llm_client"
    assert clean_environment in cache_dir({}).parents


def test_named_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "not there.toml"

    with pytest.raises(ConfigurationError) as caught:
        load_settings(missing, {})
    assert caught.value.message == f"There is no configuration file {str(missing)!r}."
    assert f"`llm-client config init --config '{missing}'`" in (caught.value.hint or "")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={"LLM_CLIENT_CONFIG": str(missing)})
    assert caught.value.message == (
        f"There is no configuration file {str(missing)!r}, which LLM_CLIENT_CONFIG names."
    )
    assert (caught.value.hint or "").endswith("Or `unset LLM_CLIENT_CONFIG`.")


def test_file_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"toml' is longer than 4 MB\."):
        load_settings(write(tmp_path, "#" * (4 << 20) + "\n"))


def test_file_below_a_file_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, "", "plain")

    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        load_settings(tmp_path / "plain" / "config.toml", {})


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read the configuration .* directory"):
        load_settings(tmp_path, {})


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

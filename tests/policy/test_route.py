"""From configuration to targets: whose model it is, which key is sent, what a profile says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.route import (
    key_variables,
    profile_config,
    resolve_key,
    resolve_target,
    split_model,
)
from llm_client.providers.catalog import CATALOG
from llm_client.types.config import LLMConfig, Profile, ProviderSettings, Settings
from llm_client.types.secret import Secret

NO_SETTINGS = Settings()
OPENAI = LLMConfig(provider="openai", api_key="sk-from-code")


def configured(**providers: ProviderSettings) -> Settings:
    return Settings(providers=providers)


def test_variables_of_a_provider_do_not_make_one() -> None:
    environ = {"LLM_CLIENT_WROK_TIMEOUT": "5", "LLM_CLIENT_WROK_BASE_URL": "http://x"}
    with pytest.raises(ConfigurationError, match="There is no provider 'wrok'"):
        resolve_target(LLMConfig(provider="wrok"), NO_SETTINGS, environ)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LLMConfig(model="openrouter/meta/llama-3"), ("openrouter", "meta/llama-3")),
        (LLMConfig(model="ollama/llama3.2"), ("ollama", "llama3.2")),
        (LLMConfig(model="work/a/b"), ("work", "a/b")),
        (LLMConfig(model="llama3.2"), (None, "llama3.2")),
        (LLMConfig(), (None, "")),
        (LLMConfig(provider="openai", model="a/b"), ("openai", "a/b")),
        (LLMConfig(base_url="http://x", model="a/b"), ("openai-compatible", "a/b")),
        (LLMConfig(provider="ollama", base_url="http://x", model="m"), ("ollama", "m")),
    ],
    ids=lambda value: str(value.model) if isinstance(value, LLMConfig) else "",
)
def test_spec_is_split_at_the_first_slash_only(
    config: LLMConfig, expected: tuple[str | None, str]
) -> None:
    settings = configured(
        openrouter=ProviderSettings(base_url="http://r"), work=ProviderSettings(base_url="http://w")
    )

    assert split_model(config, settings) == expected


def test_unknown_provider_in_a_spec_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no provider 'olama'") as caught:
        resolve_target(LLMConfig(model="olama/llama3.2"), NO_SETTINGS, {})

    assert "Did you mean 'ollama', " in str(caught.value.hint)


@pytest.mark.parametrize(
    "config", [LLMConfig(model="wrk/m"), LLMConfig(provider="wrk")], ids=["spec", "provider"]
)
def test_unknown_provider_near_a_configured_one_names_that(config: LLMConfig) -> None:
    settings = configured(work=ProviderSettings(base_url="http://w"))
    with pytest.raises(ConfigurationError) as caught:
        resolve_target(config, settings, {})

    assert "Did you mean 'work'?" in str(caught.value.hint)


def test_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no provider 'olama'"):
        resolve_target(LLMConfig(provider="olama", model="m"), NO_SETTINGS, {})


def test_model_without_a_provider_is_no_target() -> None:
    with pytest.raises(ConfigurationError, match="Nothing says which provider has the model 'x'"):
        resolve_target(LLMConfig(model="x"), NO_SETTINGS, {})


@pytest.mark.parametrize("name", ["OpenAI", "OPENAI"])
def test_provider_is_found_in_any_case_with_its_settings(name: str) -> None:
    settings = configured(openai=ProviderSettings(base_url="https://proxy.test/v1"))

    target = resolve_target(replace(OPENAI, provider=name), settings, {})

    assert target.provider.name == "openai"
    assert target.base_url == "https://proxy.test/v1"


def test_provider_of_the_file_speaks_its_dialect_with_its_own_key_only() -> None:
    settings = configured(
        work=ProviderSettings(
            base_url="https://llm.work.test/v1", api_key_env="WORK_KEY", options={"a": 1}
        )
    )
    environ = {"WORK_KEY": "key-of-work", "LLM_CLIENT_API_KEY": "of-another"}

    target = resolve_target(LLMConfig(model="work/m"), settings, environ)

    assert target.provider.name == "work"
    assert target.provider.dialect == "openai-chat"
    assert target.api_key == Secret("key-of-work")
    assert target.spec == "work/m"
    del environ["WORK_KEY"]
    assert resolve_target(LLMConfig(model="work/m"), settings, environ).api_key is None


def test_missing_key_names_the_variables_and_a_command() -> None:
    with pytest.raises(ConfigurationError, match="No key for 'openai'") as caught:
        resolve_key(CATALOG["openai"], {})

    assert caught.value.hint == (
        "Run `llm-client creds set openai` or set OPENAI_API_KEY: `export OPENAI_API_KEY=…`."
    )


def test_missing_key_of_a_provider_without_variables_names_the_general_one() -> None:
    row = replace(CATALOG["openai"], name="my.work-llm", key_env=())

    with pytest.raises(ConfigurationError) as caught:
        resolve_key(row, {})

    assert caught.value.hint is not None
    assert "export LLM_CLIENT_MY_WORK_LLM_API_KEY=…" in caught.value.hint


def test_variables_of_a_key_begin_with_the_general_one() -> None:
    assert key_variables(CATALOG["openai"]) == ("LLM_CLIENT_OPENAI_API_KEY", "OPENAI_API_KEY")


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_blank_key_is_no_key(value: str) -> None:
    assert resolve_key(CATALOG["ollama"], {"OLLAMA_API_KEY": value}) is None
    with pytest.raises(ConfigurationError):
        resolve_key(CATALOG["openai"], {"OPENAI_API_KEY": value})


def test_key_is_stripped_of_the_line_end_of_its_file() -> None:
    assert resolve_key(CATALOG["openai"], {"OPENAI_API_KEY": "sk-x\n"}) == Secret("sk-x")
    assert resolve_key(CATALOG["openai"], {}, given="sk-y") == Secret("sk-y")


PROFILES = Settings(
    profiles={
        "fast": Profile(
            model="ollama/llama3.2",
            fallback=("cloud", "openai/gpt-5-mini"),
            temperature=0.1,
            top_p=0.2,
            max_tokens=3,
            system="Be brief.",
        ),
        "cloud": Profile(model="openai/gpt-5"),
        "quick": "speedy",
        "speedy": "fast",
        "a": "b",
        "b": "c",
        "c": "a",
        "self": "self",
        "lost": "nowhere",
    }
)


@pytest.mark.parametrize("name", ["fast", "speedy", "quick"])
def test_profile_is_found_by_its_name_and_its_aliases(name: str) -> None:
    config, fallback = profile_config(PROFILES, name)

    assert config == LLMConfig(
        model="ollama/llama3.2", temperature=0.1, top_p=0.2, max_tokens=3, system="Be brief."
    )
    assert fallback == ("cloud", "openai/gpt-5-mini")


@pytest.mark.parametrize(("name", "circle"), [("a", "a -> b -> c -> a"), ("self", "self -> self")])
def test_alias_of_itself_shows_the_circle(name: str, circle: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile_config(PROFILES, name)

    assert str(caught.value).endswith(f"is an alias of itself: {circle}.")


@pytest.mark.parametrize(("name", "missing"), [("no", "no"), ("lost", "nowhere")])
def test_missing_profile_lists_those_there_are(name: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no profile '{missing}'") as caught:
        profile_config(PROFILES, name)

    assert "cloud, fast" in str(caught.value.hint)


def test_missing_profile_without_a_configuration_says_so() -> None:
    with pytest.raises(ConfigurationError) as caught:
        profile_config(NO_SETTINGS, "fast")

    assert caught.value.hint == "Profiles in the configuration: none."

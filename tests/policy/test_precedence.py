"""What a target has from code, variables, configuration file and catalog: the higher source wins."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_client.policy.route import resolve_target, retry_settings
from llm_client.types.config import LLMConfig, ProviderSettings, RetrySettings, Settings
from llm_client.types.http import Timeouts
from llm_client.types.secret import Secret

NO_SETTINGS = Settings()
OLLAMA = LLMConfig(provider="ollama")
OPENAI = LLMConfig(provider="openai", api_key="sk-from-code")


def configured(**providers: ProviderSettings) -> Settings:
    return Settings(providers=providers)


BASE_URLS = {
    "code": "http://code.test",
    "LLM_CLIENT_OLLAMA_BASE_URL": "http://general.test",
    "OLLAMA_BASE_URL": "http://own.test",
    "OLLAMA_HOST": "http://second.test",
    "file": "http://file.test",
    "catalog": "http://localhost:11434",
}


@pytest.mark.parametrize("winner", BASE_URLS)
def test_base_url_of_the_higher_source_wins(winner: str) -> None:
    """Every source from the winner downwards is set."""
    present = list(BASE_URLS)[list(BASE_URLS).index(winner) :]
    environ = {name: BASE_URLS[name] for name in present if name.isupper()}
    settings = configured(ollama=ProviderSettings(base_url=BASE_URLS["file"]))
    config = replace(OLLAMA, base_url=BASE_URLS["code"]) if "code" in present else OLLAMA

    target = resolve_target(config, settings if "file" in present else NO_SETTINGS, environ)

    assert target.base_url == BASE_URLS[winner]


KEYS = {
    "code": "key-of-code",
    "LLM_CLIENT_LMSTUDIO_API_KEY": "key-general",
    "LMSTUDIO_API_KEY": "key-own",
    "LM_API_TOKEN": "key-second",
    "nothing": None,
}


@pytest.mark.parametrize("winner", KEYS)
def test_key_of_the_higher_source_wins(winner: str) -> None:
    present = list(KEYS)[list(KEYS).index(winner) :]
    environ = {name: str(KEYS[name]) for name in present if name.isupper()}
    config = LLMConfig(provider="lmstudio", api_key=KEYS["code"] if "code" in present else None)

    key = resolve_target(config, NO_SETTINGS, environ).api_key

    assert (key.reveal() if key else None) == KEYS[winner]


MODELS = {"code": "of-code", "LLM_CLIENT_EMBEDDED_MODEL": "of-variable", "catalog": "demo"}


@pytest.mark.parametrize("winner", MODELS)
def test_model_of_the_higher_source_wins(winner: str) -> None:
    present = list(MODELS)[list(MODELS).index(winner) :]
    environ = {name: MODELS[name] for name in present if name.isupper()}
    config = LLMConfig(provider="embedded", model=MODELS["code"] if "code" in present else None)

    assert resolve_target(config, NO_SETTINGS, environ).model == MODELS[winner]


TIMEOUTS: dict[str, float | None] = {
    "code": 1,
    "LLM_CLIENT_OLLAMA_TIMEOUT": 2,
    "LLM_CLIENT_TIMEOUT": 3,
    "OLLAMA_TIMEOUT": 4,
    "profile": 5,
    "file": 6,
    "catalog": None,
}


@pytest.mark.parametrize("winner", TIMEOUTS)
def test_timeout_of_the_higher_source_wins(winner: str) -> None:
    present = {name: TIMEOUTS[name] for name in [*TIMEOUTS][[*TIMEOUTS].index(winner) :]}
    environ = {name: str(seconds) for name, seconds in present.items() if name.isupper()}
    settings = configured(ollama=ProviderSettings(timeout=present.get("file")))

    target = resolve_target(
        replace(OLLAMA, timeout=present.get("code")),
        settings,
        environ,
        profile=LLMConfig(timeout=present.get("profile")),
    )

    seconds = TIMEOUTS[winner]
    assert target.timeouts == (
        Timeouts(first_byte=300.0, silence=30.0)
        if seconds is None
        else Timeouts(min(seconds, 5.0), seconds, seconds, whole=seconds)
    )


TRUST: dict[str, bool | str] = {
    "code": "/code.pem",
    "LLM_CLIENT_OPENAI_VERIFY_SSL": "/own.pem",
    "LLM_CLIENT_VERIFY_SSL": "/all.pem",
    "file": False,
    "nothing": True,
}


@pytest.mark.parametrize("winner", TRUST)
def test_trust_of_the_higher_source_wins(winner: str) -> None:
    present = {name: TRUST[name] for name in [*TRUST][[*TRUST].index(winner) :]}
    environ = {name: str(value) for name, value in present.items() if name.isupper()}
    settings = configured(openai=ProviderSettings(verify_ssl=present.get("file")))

    target = resolve_target(replace(OPENAI, verify_ssl=present.get("code")), settings, environ)

    assert target.verify_ssl == TRUST[winner]


@pytest.mark.parametrize("given", [True, False, "system"])
def test_trust_of_code_may_be_any(given: bool | str) -> None:
    settings = configured(openai=ProviderSettings(verify_ssl=not given))

    assert resolve_target(replace(OPENAI, verify_ssl=given), settings, {}).verify_ssl == given


def test_options_of_all_sources_are_laid_over_each_other() -> None:
    sources = ("file", "profile", "LLM_CLIENT_OPTIONS", "LLM_CLIENT_OLLAMA_OPTIONS", "code")
    # Each says one field alone, and one that all stronger ones say too.
    said = {
        source: {source: source} | {f"from-{weaker}": source for weaker in sources[: place + 1]}
        for place, source in enumerate(sources)
    }

    target = resolve_target(
        replace(OLLAMA, options=said["code"]),
        configured(ollama=ProviderSettings(options=said["file"])),
        {name: json.dumps(said[name]) for name in sources if name.isupper()},
        profile=LLMConfig(options=said["profile"]),
    )

    assert target.options == {source: source for source in sources} | {
        f"from-{source}": "code" for source in sources
    }


def test_blank_variables_of_address_and_key_are_not_set() -> None:
    environ = {"LLM_CLIENT_OLLAMA_BASE_URL": " ", "OLLAMA_HOST": "box:1"}
    keys = {"LLM_CLIENT_OLLAMA_API_KEY": " ", "OLLAMA_API_KEY": "key"}

    target = resolve_target(OLLAMA, NO_SETTINGS, environ | keys)

    assert (target.base_url, target.api_key) == ("http://box:1", Secret("key"))


def test_options_of_code_go_over_those_of_the_file() -> None:
    settings = configured(ollama=ProviderSettings(options={"num_ctx": 1, "mirostat": 2}))

    target = resolve_target(replace(OLLAMA, options={"num_ctx": 9}), settings, {})

    assert target.options == {"num_ctx": 9, "mirostat": 2}


def test_retry_settings_of_code_go_over_those_of_the_file() -> None:
    settings = Settings(retry=RetrySettings(max_retries=7, delay=3.0))
    config = LLMConfig(max_retries=0, retry_max_delay=5.0, retry_exponential_base=1.5)

    assert retry_settings(config, settings) == RetrySettings(
        max_retries=0, delay=3.0, max_delay=5.0, exponential_base=1.5
    )
    assert retry_settings(LLMConfig(retry_delay=9.0), settings).delay == 9.0

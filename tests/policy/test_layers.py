"""Code over variables over a profile: who is asked, with which options."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.layers import layered, options_of
from llm_client.types.config import LLMConfig, Profile, ProviderSettings, Settings

FAST = Profile(
    model="ollama/llama3.2",
    fallback=("cloud",),
    temperature=0.1,
    system="Be brief.",
    timeout=7,
    options={"num_ctx": 1},
    overflow="trim",
    prefer="cheapest",
)
FILE = Settings(
    default_profile="fast",
    profiles={"fast": FAST, "cloud": Profile(model="openai/gpt-5"), "bare": Profile(model="m")},
    providers={"work": ProviderSettings(base_url="http://w")},
    source="config.toml",
)
OPENAI = {"LLM_CLIENT_PROVIDER": "openai", "LLM_CLIENT_BASE_URL": "http://proxy"}


def where(config: LLMConfig) -> tuple[str | None, str | None, str | None]:
    return config.provider, config.model, config.base_url


@pytest.mark.parametrize(
    ("environ", "given", "profile", "expected"),
    [
        pytest.param({}, {}, None, ("ollama", "llama3.2", None), id="default"),
        pytest.param(OPENAI, {}, None, ("openai", None, "http://proxy"), id="provider"),
        pytest.param(
            OPENAI, {"model": "m"}, None, ("openai", "m", "http://proxy"), id="provider-bare-model"
        ),
        pytest.param(OPENAI, {"provider": "groq"}, None, ("groq", None, None), id="aside-provider"),
        pytest.param(
            OPENAI, {"provider": "openai"}, None, ("openai", None, None), id="aside-same-provider"
        ),
        pytest.param(
            OPENAI, {"base_url": "http://x"}, None, (None, None, "http://x"), id="aside-address"
        ),
        pytest.param(
            OPENAI, {"model": "work/m"}, None, (None, "work/m", None), id="aside-spec-of-file"
        ),
        pytest.param(OPENAI, {}, "cloud", ("openai", "gpt-5", None), id="aside-profile"),
        pytest.param(
            {"LLM_CLIENT_BASE_URL": "http://x"},
            {},
            None,
            ("openai-compatible", None, "http://x"),
            id="address-leaves-the-profile",
        ),
        pytest.param(
            {"LLM_CLIENT_BASE_URL": "http://x", "LLM_CLIENT_PROFILE": "cloud"},
            {},
            None,
            ("openai-compatible", None, "http://x"),
            id="address-never-with-the-key-of-a-profile",
        ),
        pytest.param(
            {"LLM_CLIENT_BASE_URL": "http://x", "LLM_CLIENT_MODEL": "openai/gpt"},
            {},
            None,
            ("openai-compatible", "openai/gpt", "http://x"),
            id="address-with-a-slash-in-its-model",
        ),
        pytest.param(
            {"LLM_CLIENT_MODEL": "openai/gpt-5"}, {}, None, ("openai", "gpt-5", None), id="spec"
        ),
        pytest.param(
            {"LLM_CLIENT_MODEL": "openai/gpt-5"},
            {"model": "gpt-4o"},
            None,
            ("openai", "gpt-4o", None),
            id="spec-bare-model",
        ),
        pytest.param(
            {"LLM_CLIENT_MODEL": "other"}, {}, None, ("ollama", "other", None), id="bare-model"
        ),
        pytest.param(
            {"LLM_CLIENT_MODEL": "other", "LLM_CLIENT_PROFILE": "cloud"},
            {},
            None,
            ("openai", "other", None),
            id="bare-model-of-a-profile",
        ),
        pytest.param(
            {"LLM_CLIENT_PROVIDER": "work"},
            {"model": "meta-llama/x"},
            None,
            ("work", "meta-llama/x", None),
            id="model-that-only-looks-like-a-spec",
        ),
    ],
)
def test_destination_is_that_of_the_strongest_and_never_of_two(
    environ: dict[str, str],
    given: dict[str, Any],
    profile: str | None,
    expected: tuple[str | None, str | None, str | None],
) -> None:
    settings = FILE
    if "LLM_CLIENT_PROFILE" in environ:
        settings = Settings(
            default_profile=environ["LLM_CLIENT_PROFILE"],
            profiles=FILE.profiles,
            providers=FILE.providers,
        )

    assert where(layered(LLMConfig(**given), profile, settings, environ).config) == expected


@pytest.mark.parametrize(
    ("environ", "given", "profile", "name", "reason", "is_named", "is_set"),
    [
        ({}, {}, None, "fast", "it is the profile 'fast' of config.toml", False, False),
        ({}, {}, "cloud", "cloud", "", True, False),
        ({}, {"model": "x"}, None, "fast", "it is the profile 'fast' of config.toml", True, False),
        ({}, {"model": "openai/x"}, None, None, "", True, False),
        (
            {"LLM_CLIENT_PROFILE": "fast"},
            {},
            None,
            "fast",
            "LLM_CLIENT_PROFILE names the profile 'fast'",
            False,
            False,
        ),
        (
            {"LLM_CLIENT_PROFILE": "fast", "LLM_CLIENT_MODEL": "openai/x"},
            {},
            None,
            "fast",
            "LLM_CLIENT_MODEL says so",
            False,
            True,
        ),
        (OPENAI, {}, None, None, "LLM_CLIENT_PROVIDER and LLM_CLIENT_BASE_URL say so", False, True),
        (
            {"LLM_CLIENT_DIALECT": "anthropic"},
            {},
            None,
            "fast",
            "it is the profile 'fast' of config.toml",
            False,
            False,
        ),
        (OPENAI, {"provider": "groq"}, None, None, "", True, False),
        (OPENAI, {}, "cloud", "cloud", "", True, False),
    ],
)
def test_profile_and_reason_are_told(
    environ: dict[str, str],
    given: dict[str, Any],
    profile: str | None,
    name: str | None,
    reason: str,
    is_named: bool,
    is_set: bool,
) -> None:
    layers = layered(LLMConfig(**given), profile, FILE, environ)

    assert (layers.name, layers.reason) == (name, reason)
    assert (layers.is_named, layers.is_set) == (is_named, is_set)


def test_profile_named_default_is_the_default_one() -> None:
    settings = Settings(profiles={"default": FAST}, source="f")

    layers = layered(LLMConfig(), None, settings, {})

    assert (layers.name, layers.reason) == ("default", "it is the profile 'default' of f")
    assert layered(LLMConfig(), None, Settings(source="f"), {}).reason == ""


def test_options_of_variables_stand_over_any_profile_and_under_the_code() -> None:
    environ = {
        "LLM_CLIENT_TEMPERATURE": "0.5",
        "LLM_CLIENT_SYSTEM": "Be long.",
        "LLM_CLIENT_SEED": "3",
        "LLM_CLIENT_OVERFLOW": "refuse",
    }
    given = LLMConfig(system="Of the code.", stop=["."])

    for profile in (None, "fast", "cloud"):
        config = layered(given, profile, FILE, environ).config
        assert options_of(config) == {
            "temperature": 0.5,
            "system": "Of the code.",
            "seed": 3,
            "stop": ["."],
        }
        assert config.overflow == "refuse"


def test_wait_and_fields_of_profile_and_code_are_kept_apart() -> None:
    layers = layered(LLMConfig(options={"a": 1}), None, FILE, {"LLM_CLIENT_TIMEOUT": "5"})

    assert (layers.config.timeout, layers.config.options) == (None, {"a": 1})
    assert (layers.profile.timeout, layers.profile.options) == (7, {"num_ctx": 1})


@pytest.mark.parametrize(
    ("environ", "given", "chain"),
    [
        ({}, {}, ("cloud",)),
        ({"LLM_CLIENT_FALLBACK": "bare,openai/x"}, {}, ("bare", "openai/x")),
        ({"LLM_CLIENT_FALLBACK": "bare"}, {"fallback_configs": ["fast"]}, ("fast",)),
        ({"LLM_CLIENT_FALLBACK": "bare"}, {"provider": "groq"}, ("bare",)),
    ],
    ids=["profile", "variable", "code", "variable, provider in code"],
)
def test_chain_is_that_of_the_strongest(
    environ: dict[str, str], given: dict[str, Any], chain: tuple[str, ...]
) -> None:
    assert layered(LLMConfig(**given), None, FILE, environ).chain == chain


@pytest.mark.parametrize(
    ("environ", "given", "prefer"),
    [
        ({}, {}, "cheapest"),
        ({}, {"model": "x"}, "order"),
        ({"LLM_CLIENT_MODEL": "x"}, {}, "order"),
        ({"LLM_CLIENT_PREFER": "order"}, {}, "order"),
        ({"LLM_CLIENT_PREFER": "cheapest", "LLM_CLIENT_MODEL": "x"}, {}, "cheapest"),
        ({"LLM_CLIENT_PREFER": "cheapest"}, {"model": "x"}, "order"),
        ({"LLM_CLIENT_PREFER": "order"}, {"prefer": "cheapest", "model": "x"}, "cheapest"),
    ],
)
def test_cheapest_holds_unless_something_stronger_names_a_model(
    environ: dict[str, str], given: dict[str, Any], prefer: str
) -> None:
    assert layered(LLMConfig(**given), None, FILE, environ).prefer == prefer


def test_profile_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="There is no profile 'x'"):
        layered(LLMConfig(), "x", FILE, {})

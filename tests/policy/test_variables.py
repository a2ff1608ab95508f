"""What variables say of settings, and how a wrong one is told."""

from __future__ import annotations

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.route import said_of_provider
from llm_client.policy.variables import (
    call_values,
    call_variables,
    global_values,
    provider_values,
    variable_problems,
    with_variables,
)
from llm_client.types.config import LLMConfig, Profile, ProviderSettings, Settings

SETTINGS = Settings(
    profiles={"fast": Profile(model="ollama/x")},
    providers={"work": ProviderSettings(base_url="http://w")},
)


def test_blank_variable_is_not_set() -> None:
    environ = dict.fromkeys(
        ("LLM_CLIENT_MAX_RETRIES", "LLM_CLIENT_TEMPERATURE", "LLM_CLIENT_OLLAMA_TIMEOUT"), "  "
    )
    environ["LLM_CLIENT_PROVIDER"] = ""

    assert global_values(environ) == []
    assert call_values(environ) == []
    assert provider_values("ollama", environ) == []
    assert call_variables(environ, SETTINGS).named_by == ()


@pytest.mark.parametrize(
    ("variable", "text", "message", "hint"),
    [
        (
            "LLM_CLIENT_MAX_RETRIES",
            "x",
            "LLM_CLIENT_MAX_RETRIES must be a whole number, 0 or more, not 'x'.",
            "Correct it. Or `unset LLM_CLIENT_MAX_RETRIES`.",
        ),
        (
            "LLM_CLIENT_LEDGER",
            "maybe",
            "LLM_CLIENT_LEDGER must be true or false, not 'maybe'.",
            "Correct it. Or `unset LLM_CLIENT_LEDGER`.",
        ),
        (
            "LLM_CLIENT_ROUTING_PREFER",
            "cheap",
            "LLM_CLIENT_ROUTING_PREFER must be order or cheapest, not 'cheap'.",
            "Did you mean 'cheapest'? Or `unset LLM_CLIENT_ROUTING_PREFER`.",
        ),
        (
            "LLM_CLIENT_PRICING",
            '{"a/b": {"inptu": 1}}',
            "In LLM_CLIENT_PRICING: there is no setting 'pricing.\"a/b\".inptu'.",
            "Did you mean 'input'?",
        ),
        (
            "LLM_CLIENT_BUDGET_PROJECTS",
            '{"a": 1}',
            "In LLM_CLIENT_BUDGET_PROJECTS: budget.projects.a must be a table, not 1.",
            None,
        ),
    ],
)
def test_wrong_variable_is_named_with_its_value_and_the_way_out(
    variable: str, text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        global_values({variable: text})

    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LLM_CLIENT_X_HEADERS", "Authorization: secret"),
        ("LLM_CLIENT_X_HEADERS", '{"a b": "secret"}'),
        ("LLM_CLIENT_X_API_KEY_ENV", "sk-secret-0123456789"),
    ],
)
def test_value_that_may_be_a_key_is_not_shown(variable: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        provider_values("x", {variable: text})

    assert variable in caught.value.message
    assert "secret" not in str(caught.value) + str(caught.value.hint)


def test_password_of_an_address_is_not_shown() -> None:
    with pytest.raises(ConfigurationError, match=r"LLM_CLIENT_BASE_URL must .* not 'ftp://\*") as e:
        call_variables({"LLM_CLIENT_BASE_URL": "ftp://me:secret@h"}, SETTINGS)
    assert "secret" not in str(e.value)


def test_timeout_comes_from_the_strongest_variable() -> None:
    environ = {
        "LLM_CLIENT_OLLAMA_TIMEOUT": "1",
        "LLM_CLIENT_TIMEOUT": "2",
        "OLLAMA_TIMEOUT": "3",
    }
    for variable, seconds in zip([*environ], (1, 2, 3), strict=True):
        (said,) = provider_values("ollama", environ)
        assert (said.variable, said.value) == (variable, seconds)
        del environ[variable]
    assert provider_values("openai", {"OLLAMA_TIMEOUT": "3"}) == []
    assert said_of_provider("ollama", {"OLLAMA_TIMEOUT": "3"}).timeout == 3


def test_providers_settings_are_replaced_and_its_tables_entry_by_entry() -> None:
    own = ProviderSettings(
        timeout=1,
        requests_per_minute=5,
        options={"a": 1, "b": 1},
        headers={"X-A": "1", "X-B": "1"},
    )
    environ = {
        "LLM_CLIENT_X_TIMEOUT": "9",
        "LLM_CLIENT_OPTIONS": '{"b": 2, "c": 2}',
        "LLM_CLIENT_X_OPTIONS": '{"c": 3}',
        "LLM_CLIENT_X_HEADERS": '{"x-b": "2"}',
        "LLM_CLIENT_X_API_KEY_COMMAND": "pass show x",
        "LLM_CLIENT_VERIFY_SSL": "system",
    }

    both, alone = with_variables("x", own, environ)

    assert alone == ProviderSettings(
        timeout=9,
        options={"b": 2, "c": 3},
        headers={"x-b": "2"},
        api_key_command=("pass", "show", "x"),
        verify_ssl="system",
    )
    assert (both.timeout, both.requests_per_minute) == (9, 5)
    assert both.headers == {"X-A": "1", "x-b": "2"}


def test_variables_of_calls_are_told_apart() -> None:
    environ = {
        "LLM_CLIENT_PROVIDER": "work",
        "LLM_CLIENT_DIALECT": "anthropic",
        "LLM_CLIENT_MODEL": "a/b",
        "LLM_CLIENT_TEMPERATURE": "0",
        "LLM_CLIENT_STOP": "a,b",
        "LLM_CLIENT_TIMEOUT": "5",
        "LLM_CLIENT_OPTIONS": '{"a": 1}',
        "LLM_CLIENT_FALLBACK": "fast,openai/gpt-5",
    }

    said = call_variables(environ, SETTINGS)

    assert said.destination == LLMConfig(provider="work", dialect="anthropic", model="a/b")
    assert said.named_by == ("LLM_CLIENT_PROVIDER", "LLM_CLIENT_DIALECT", "LLM_CLIENT_MODEL")
    assert said.options == LLMConfig(temperature=0, stop=["a", "b"])
    assert said.fallback == ("fast", "openai/gpt-5")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LLM_CLIENT_PROVIDER": "wrok"}, "In LLM_CLIENT_PROVIDER: there is no provider 'wrok'."),
        ({"LLM_CLIENT_MODEL": "wrok/x"}, "In LLM_CLIENT_MODEL: there is no provider 'wrok'."),
        (
            {"LLM_CLIENT_FALLBACK": "fast,fats"},
            "In LLM_CLIENT_FALLBACK: 'fats' is neither a profile nor PROVIDER/MODEL.",
        ),
        (
            {"LLM_CLIENT_DIALECT": "openai"},
            "LLM_CLIENT_DIALECT must be one of anthropic, cohere, gemini, ollama, openai-chat, "
            "openai-completions, openai-responses, not 'openai'.",
        ),
    ],
)
def test_variable_that_names_what_there_is_not_is_told(
    environ: dict[str, str], message: str
) -> None:
    (variable,) = environ
    with pytest.raises(ConfigurationError) as caught:
        call_variables(environ, SETTINGS)

    assert caught.value.message == message
    assert (caught.value.hint or "").endswith(f" Or `unset {variable}`.")
    assert (caught.value.hint or "").startswith("Did you mean ")


@pytest.mark.parametrize(
    "environ",
    [
        {"LLM_CLIENT_MODEL": "mistralai/mistral", "LLM_CLIENT_PROVIDER": "OpenRouter"},
        {"LLM_CLIENT_MODEL": "meta-llama/x", "LLM_CLIENT_BASE_URL": "http://box:1"},
        {"LLM_CLIENT_MODEL": "llama3.2"},
        {"LLM_CLIENT_FALLBACK": "fast,work/x"},
    ],
)
def test_model_that_only_looks_like_a_spec_is_taken(environ: dict[str, str]) -> None:
    call_variables(environ, SETTINGS)


def test_every_wrong_variable_is_told_once() -> None:
    environ = {
        "LLM_CLIENT_TIMEOUT": "x",
        "LLM_CLIENT_OLLAMA_TIMEOUT": "x",
        "OLLAMA_TIMEOUT": "x",
        "LLM_CLIENT_WORK_OPTIONS": "x",
        "LLM_CLIENT_RETRY_DELAY": "x",
        "LLM_CLIENT_SEED": "x",
        "LLM_CLIENT_TOP_P": "0.5",
    }

    found = [problem.message.partition(" ")[0] for problem in variable_problems(environ, ["work"])]

    assert sorted(found) == sorted(environ.keys() - {"LLM_CLIENT_TOP_P"})

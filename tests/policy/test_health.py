"""What answers to a health check mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client.exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionError,
    LLMAPIError,
    LLMError,
    LLMServiceError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    TimeoutError,
    ValidationError,
)
from llm_client.policy.health import (
    has_model,
    is_vendors_own,
    named_models,
    problem_of,
    root_url,
    what_to_do,
    without_model,
)
from llm_client.policy.route import resolve_target, with_dialect
from llm_client.providers.catalog import CATALOG
from llm_client.types.config import LLMConfig, Profile, Settings
from llm_client.types.health import Problem
from llm_client.types.target import Target


def target(name: str, base_url: str | None = None) -> Target:
    config = LLMConfig(provider=name, api_key="sk-0123456789", base_url=base_url)
    return resolve_target(config, Settings(), {})


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ConfigurationError("no"), "configuration"),
        (ConnectionError("refused", refused=True), "unreachable"),
        (TimeoutError("slow"), "unreachable"),
        (AuthenticationError("key", status=401), "key"),
        (RateLimitError("slow down", status=429), "limited"),
        (QuotaExceededError("used up", status=402), "limited"),
        (ModelNotFoundError("no model", status=404), "model"),
        (BudgetExceededError("enough"), "budget"),
        (LLMServiceError("failed (503): Loading model", status=503), "loading"),
        (LLMServiceError("Loading model", status=500), "failing"),
        (LLMServiceError("downloading", status=503), "failing"),
        (LLMServiceError("it failed (503): overloaded", status=503), "failing"),
        (ValidationError("no", status=400), "failing"),
        (LLMAPIError("what", status=418), "failing"),
        (LLMError("else"), "failing"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_error_is_a_problem(error: LLMError, problem: Problem) -> None:
    assert problem_of(error) == problem


@pytest.mark.parametrize(
    ("provider", "name", "listed", "expected"),
    [
        ("openai", "gpt-5", ["gpt-5", "gpt-4o"], True),
        ("openai", "GPT-5", ["gpt-5"], True),
        ("openai", "gpt-5", ["gpt-5-mini"], False),
        ("openai", "gpt-4o", ["gpt-4o-2024-08-06"], True),
        ("openai", "gpt-5", [], False),
        ("anthropic", "claude-sonnet-4-5", ["claude-sonnet-4-5-20250929"], True),
        ("anthropic", "claude-opus-4-0", ["claude-opus-4-20250514"], True),
        ("anthropic", "claude-3-7-sonnet-latest", ["claude-3-7-sonnet-20250219"], True),
        ("anthropic", "claude-sonnet-4", ["claude-sonnet-4-5-20250929"], False),
        ("mistral", "mistral-small-2506", ["mistral-small-latest"], False),
        ("gemini", "gemini-2.0-flash", ["gemini-2.0-flash-001"], True),
        ("gemini", "models/gemini-2.5-pro", ["gemini-2.5-pro"], True),
        ("gemini", "models/gemini-9", ["gemini-2.5-pro"], False),
        ("ollama", "llama3.2", ["llama3.2:latest"], True),
        ("ollama", "llama3.2:latest", ["llama3.2:latest"], True),
        ("ollama", "llama3.2:1b", ["llama3.2:latest"], False),
        ("ollama", "llama3.2", ["llama3.2:1b"], False),
        ("ollama", "hf.co/a/b", ["hf.co/a/b:latest"], True),
        ("docker", "ai/smollm2", ["ai/smollm2:latest"], True),
        ("openrouter", "x/y:free", ["x/y"], True),
        ("openrouter", "x/z", ["x/y"], False),
        ("azure", "our-deployment", ["gpt-5"], None),
        ("azure", "gpt-5", ["gpt-5"], True),
        ("mlx", "default_model", [], True),
        ("mlx", "org/m", [], None),
        ("llamacpp", "other", ["demo"], False),
    ],
)
def test_model_is_looked_for(
    provider: str, name: str, listed: list[str], expected: bool | None
) -> None:
    assert has_model(name, listed, CATALOG[provider]) is expected


def test_models_that_the_configuration_names_begin_with_the_default_s() -> None:
    settings = Settings(
        default_profile="main",
        profiles={
            "a": Profile(model="ollama/first", fallback=("main", "ollama/last", "openai/gpt-5")),
            "main": Profile(model="ollama/default"),
            "alias": "a",
            "Odd/one": Profile(model="Ollama/capital"),
            "bare": Profile(model="bare", fallback=("Odd/one",)),
            "none": Profile(temperature=1.0),
        },
        routing={"vision": "ollama/llava", "planning": "a", "long_context": "ollama/first"},
    )

    assert named_models(settings, "ollama") == ("default", "first", "last", "capital", "llava")
    assert named_models(settings, "openai") == ("gpt-5",)
    assert named_models(settings, "groq") == ()


def test_profile_named_default_is_the_default_one() -> None:
    settings = Settings(
        profiles={"a": Profile(model="ollama/a"), "default": "b", "b": Profile(model="ollama/b")}
    )

    assert named_models(settings, "ollama") == ("b", "a")


@pytest.mark.parametrize(
    ("provider", "base_url", "expected"),
    [
        ("llamacpp", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("llamacpp", "http://host/llama/v1", "http://host/llama"),
        ("ollama", "http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("lmstudio", "http://host/odd/path", "http://host/odd/path"),
        ("docker", None, "http://localhost:12434/engines"),
    ],
)
def test_server_tells_about_itself_at_its_root(
    provider: str, base_url: str | None, expected: str
) -> None:
    assert root_url(target(provider, base_url)) == expected


def test_root_does_not_depend_on_the_dialect() -> None:
    ollama = target("ollama", "http://host:1")

    assert root_url(with_dialect(ollama, "openai-chat")) == "http://host:1"


@pytest.mark.parametrize(
    ("provider", "base_url", "expected"),
    [
        ("openai", None, True),
        ("openai", "https://api.openai.com/v1/chat/completions", True),
        ("openai", "https://proxy.example/v1", False),
        ("dashscope", None, True),
    ],
)
def test_proxy_is_told_from_the_vendor(provider: str, base_url: str | None, expected: bool) -> None:
    assert is_vendors_own(target(provider, base_url)) is expected


REFUSED = ConnectionError("refused", refused=True)
STUCK = TimeoutError("no byte", hint="Is it running?")
STUCK.accepted = True


@pytest.mark.parametrize(
    ("problem", "error", "provider", "expected"),
    [
        pytest.param(
            "key",
            AuthenticationError("no", hint="the dialect's"),
            "openai",
            "Put in a valid one: `llm-client creds set openai`, or set OPENAI_API_KEY.",
            id="key",
        ),
        pytest.param(
            "key",
            AuthenticationError("no"),
            "openai-compatible",
            "Put a valid key into LLM_CLIENT_API_KEY: `export LLM_CLIENT_API_KEY=…`.",
            id="key-of-an-address",
        ),
        pytest.param(
            "loading",
            LLMServiceError("loading"),
            "llamacpp",
            "Ask again in a while: `llm-client health -p llamacpp`.",
            id="loading",
        ),
        pytest.param(
            "loading",
            LLMServiceError("loading"),
            "openai-compatible",
            "Ask again in a while: `llm-client health -u http://host:1/v1`.",
            id="loading-at-an-address",
        ),
        pytest.param("failing", LLMError("x", hint="so"), "groq", "so", id="own-hint"),
        pytest.param(
            "failing",
            LLMError("x"),
            "groq",
            "See what answers there: `curl -v http://host:1/openai/v1`.",
            id="failing",
        ),
        pytest.param(
            "limited",
            RateLimitError("x"),
            "groq",
            "Ask again in a while: `llm-client health -p groq`.",
            id="limited",
        ),
        pytest.param("budget", BudgetExceededError("x"), "groq", None, id="budget"),
        pytest.param(
            "unreachable",
            TimeoutError("x"),
            "groq",
            "If it is only slow, allow more: `llm-client health --timeout SECONDS`.",
            id="slow",
        ),
        pytest.param(
            "unreachable",
            STUCK,
            "ollama",
            "It is there and does not answer: its log may say why.\nIf it is only slow, allow more: "
            "`llm-client health --timeout SECONDS`.",
            id="stuck",
        ),
        pytest.param(
            "unreachable",
            REFUSED,
            "jan",
            "Is the server running, and on this port? Another address is given with "
            "`llm-client config set providers.jan.base_url URL`.",
            id="refused",
        ),
        pytest.param(
            "unreachable",
            REFUSED,
            "openai-compatible",
            "Is the server running, and on this port? Another address is given with "
            "`-u http://HOST:PORT/v1`.",
            id="refused-at-an-address",
        ),
        pytest.param(
            "unreachable",
            ConnectionError("reset"),
            "jan",
            "See what answers there: `curl -v http://host:1/v1`.",
            id="reset",
        ),
    ],
)
def test_next_step_is_a_command(
    problem: Problem, error: LLMError, provider: str, expected: str | None
) -> None:
    assert what_to_do(problem, error, target(provider, "http://host:1")) == expected


def test_model_in_this_process_is_no_address_to_look_at() -> None:
    embedded = resolve_target(LLMConfig(provider="embedded"), Settings(), {})

    assert what_to_do("failing", LLMError("x"), embedded) is None


def test_missing_model_is_fetched_where_that_is_a_command() -> None:
    error, hint = without_model(["a", "b"], ["c"], target("ollama", "http://host:1"))

    assert error == "http://host:1 has no model 'a', 'b'."
    assert hint == "Fetch it: `ollama pull a`."


def test_missing_model_has_near_names_and_the_way_to_all() -> None:
    _, hint = without_model(["gpt-5"], ["gpt-5-mini", "o3"], target("openai"))

    assert hint == "Did you mean 'gpt-5-mini'? See what there is: `llm-client models -p openai`."
    _, hint = without_model(["x"], [], target("openai-compatible", "http://host:1"))
    assert hint == "See what there is: `llm-client models -u http://host:1/v1`."


def test_row_without_a_key_variable_names_our_own() -> None:
    row = replace(CATALOG["openai-compatible"], name="work", key_env=())
    work = replace(target("openai-compatible", "http://host:1"), provider=row)

    hint = what_to_do("key", AuthenticationError("no"), work)

    assert hint
    assert hint.endswith("`llm-client creds set work`, or set LLM_CLIENT_WORK_API_KEY.")

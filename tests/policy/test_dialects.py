"""In which dialect a target is spoken to, and at which address that dialect is spoken."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.route import resolve_target, with_dialect
from llm_client.types.config import LLMConfig, ProviderSettings, Settings
from llm_client.types.secret import Secret
from llm_client.types.target import Target

ENVIRON = {
    "ANTHROPIC_API_KEY": "k",
    "AZURE_OPENAI_API_KEY": "k",
    "AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com",
    "COHERE_API_KEY": "k",
    "DASHSCOPE_API_KEY": "k",
    "DATABRICKS_HOST": "https://ours.test",
    "DATABRICKS_TOKEN": "k",
    "DEEPSEEK_API_KEY": "k",
    "GEMINI_API_KEY": "k",
    "GROQ_API_KEY": "k",
    "OPENAI_API_KEY": "k",
    "OPENROUTER_API_KEY": "k",
    "SNOWFLAKE_ACCOUNT": "ours",
    "SNOWFLAKE_TOKEN": "k",
}


def target(spec: str, **config: Any) -> Target:
    provider, _, model = spec.partition("/")
    return resolve_target(LLMConfig(provider=provider, model=model, **config), Settings(), ENVIRON)


ADDRESSES = [
    ("llamacpp/m", "anthropic", "http://localhost:8080"),
    ("llamacpp/m", "gemini", "http://localhost:8080/v1beta"),
    ("llamacpp/m", "openai-responses", "http://localhost:8080/v1"),
    ("llamacpp/m", "openai-completions", "http://localhost:8080/v1"),
    ("llamacpp/m", "ollama", "http://localhost:8080"),
    ("llamacpp/m", "cohere", "http://localhost:8080/v2"),
    ("ollama/m", "openai-chat", "http://localhost:11434/v1"),
    ("ollama/m", "anthropic", "http://localhost:11434"),
    ("anthropic/m", "openai-chat", "https://api.anthropic.com/v1"),
    ("gemini/m", "openai-chat", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ("gemini/m", "openai-responses", "https://generativelanguage.googleapis.com/v1"),
    ("cohere/m", "openai-chat", "https://api.cohere.ai/compatibility/v1"),
    ("deepseek/m", "anthropic", "https://api.deepseek.com/anthropic"),
    ("deepseek/m", "openai-completions", "https://api.deepseek.com/beta"),
    ("deepseek/m", "openai-responses", "https://api.deepseek.com"),
    ("groq/m", "openai-responses", "https://api.groq.com/openai/v1"),
    ("openrouter/m", "anthropic", "https://openrouter.ai/api"),
    ("dashscope/m", "anthropic", "https://dashscope-intl.aliyuncs.com/apps/anthropic"),
    ("databricks/m", "anthropic", "https://ours.test/serving-endpoints/anthropic"),
    ("snowflake/m", "anthropic", "https://ours.snowflakecomputing.com/api/v2/cortex"),
    ("azure/m", "openai-completions", "https://ours.openai.azure.com/openai/v1"),
    ("embedded/m", "anthropic", "gguf://embedded"),
]
every_address = pytest.mark.parametrize(("spec", "dialect", "address"), ADDRESSES)


@every_address
def test_dialect_that_is_asked_for_is_spoken_at_its_address(
    spec: str, dialect: str, address: str
) -> None:
    there = target(spec, dialect=dialect)

    assert (there.provider.dialect, there.base_url) == (dialect, address)
    assert there.spec == spec


@every_address
def test_target_is_turned_to_another_dialect_and_back(
    spec: str, dialect: str, address: str
) -> None:
    usual = target(spec)

    there = with_dialect(usual, dialect)
    back = with_dialect(there, usual.provider.dialect)

    assert (there.provider.dialect, there.base_url) == (dialect, address)
    assert (back.provider.dialect, back.base_url) == (usual.provider.dialect, usual.base_url)
    assert there.api_key == usual.api_key


@every_address
def test_target_of_another_dialect_is_turned_to_the_usual_one(
    spec: str, dialect: str, address: str
) -> None:
    usual = target(spec)

    turned = with_dialect(target(spec, dialect=dialect), usual.provider.dialect)

    assert (turned.provider.dialect, turned.base_url) == (usual.provider.dialect, usual.base_url)


def test_target_in_its_own_dialect_is_itself() -> None:
    usual = target("openai/gpt-4o")

    assert with_dialect(usual, "openai-chat") is usual


@pytest.mark.parametrize("dialect", ["anthropic", "openai-chat", "openai-completions"])
def test_key_for_a_proxy_stays_there_in_every_dialect(dialect: str) -> None:
    proxied = target("deepseek/m", base_url="https://proxy.test/deep", api_key="key-of-proxy")

    for other in (
        with_dialect(proxied, dialect),
        target("deepseek/m", base_url="https://proxy.test/deep", dialect=dialect, api_key="k"),
    ):
        assert other.base_url.startswith("https://proxy.test/deep")


@pytest.mark.parametrize("name", ["opnai-chat", "OpenAI-Chat", "openai_chat"])
def test_unknown_dialect_names_the_nearest(name: str) -> None:
    usual = target("llamacpp/m")

    with pytest.raises(ConfigurationError, match=f"There is no dialect {name!r}") as caught:
        target("llamacpp/m", dialect=name)
    assert str(caught.value.hint).startswith("Did you mean 'openai-chat'? Known: anthropic, ")
    with pytest.raises(ConfigurationError, match=f"There is no dialect {name!r}"):
        with_dialect(usual, name)


def test_dialect_unlike_any_lists_them_all() -> None:
    with pytest.raises(ConfigurationError) as caught:
        target("llamacpp/m", dialect="zzz")

    assert str(caught.value.hint).startswith("Known: anthropic, cohere, ")


@pytest.mark.parametrize(
    ("spec", "dialect"),
    [
        ("openai/gpt-4o", "openai-chat"),
        ("openai/gpt-5", "openai-chat"),
        ("openai/gpt-5-pro", "openai-responses"),
        ("openai/o3-deep-research", "openai-responses"),
        ("openai/gpt-5.4-mini", "openai-responses"),
        ("openai/GPT-5.1-Codex", "openai-responses"),
        ("azure/gpt-5.4", "openai-responses"),
        ("openrouter/openai/gpt-5-pro", "openai-chat"),
    ],
)
def test_model_of_one_dialect_only_is_spoken_to_in_it(spec: str, dialect: str) -> None:
    there = target(spec)

    assert there.provider.dialect == dialect
    assert there.base_url == target(spec, dialect="openai-chat").base_url


@pytest.mark.parametrize(
    ("given", "filed", "spec", "expected"),
    [
        ("anthropic", "gemini", "openai/gpt-5-pro", "anthropic"),
        (None, "openai-chat", "openai/gpt-5-pro", "openai-chat"),
        (None, None, "openai/gpt-5-pro", "openai-responses"),
        (None, None, "openai/gpt-4o", "openai-chat"),
    ],
    ids=["code", "file", "model", "catalog"],
)
def test_dialect_of_the_strongest_source_wins(
    given: str | None, filed: str | None, spec: str, expected: str
) -> None:
    settings = Settings(providers={"openai": ProviderSettings(dialect=filed)})

    there = resolve_target(LLMConfig(model=spec, dialect=given), settings, ENVIRON)

    assert there.provider.dialect == expected


@pytest.mark.parametrize(
    ("dialect", "written", "meant"),
    [
        ("anthropic", "https://x.test", "https://x.test"),
        ("anthropic", "https://x.test/v1", "https://x.test"),
        ("anthropic", "https://x.test/v1/messages", "https://x.test"),
        ("anthropic", "https://x.test/anthropic/", "https://x.test/anthropic"),
        ("gemini", "https://x.test", "https://x.test/v1beta"),
        ("gemini", "https://x.test/v1", "https://x.test/v1"),
        ("gemini", "https://x.test/v1beta/models", "https://x.test/v1beta"),
        ("cohere", "https://x.test", "https://x.test/v2"),
        ("cohere", "https://x.test/v1", "https://x.test/v2"),
        ("cohere", "https://x.test/v2/chat", "https://x.test/v2"),
        ("openai-responses", "https://x.test", "https://x.test/v1"),
        ("openai-responses", "https://x.test/v1/responses", "https://x.test/v1"),
        ("openai-completions", "https://x.test/v1/completions", "https://x.test/v1"),
        ("openai-chat", "https://x.test/v1/chat/completions", "https://x.test/v1"),
        ("ollama", "https://x.test/api", "https://x.test"),
    ],
)
def test_address_is_made_whole_for_the_dialect(dialect: str, written: str, meant: str) -> None:
    there = resolve_target(LLMConfig(base_url=written, dialect=dialect, model="m"), Settings(), {})

    assert there.base_url == meant


@pytest.mark.parametrize(
    ("spec", "dialect", "meant"),
    [
        ("groq/m", None, "https://proxy.test/openai/v1"),
        ("groq/m", "openai-responses", "https://proxy.test/openai/v1"),
        ("groq/m", "anthropic", "https://proxy.test"),
        ("deepseek/m", None, "https://proxy.test"),
        ("deepseek/m", "anthropic", "https://proxy.test/anthropic"),
        ("openrouter/m", None, "https://proxy.test/api/v1"),
        ("azure/m", None, "https://proxy.test/openai/v1"),
        ("cohere/m", None, "https://proxy.test/v2"),
        ("gemini/m", None, "https://proxy.test/v1beta"),
    ],
)
def test_address_without_a_path_gets_that_of_the_provider(
    spec: str, dialect: str | None, meant: str
) -> None:
    assert target(spec, dialect=dialect, base_url="https://proxy.test").base_url == meant


@pytest.mark.parametrize(
    ("spec", "written", "meant"),
    [
        ("groq/m", "proxy.test", "https://proxy.test/openai/v1"),
        ("azure/m", "ours.openai.azure.com", "https://ours.openai.azure.com/openai/v1"),
        ("groq/m", "proxy.test:8080/v1", "http://proxy.test:8080/v1"),
        ("groq/m", "127.0.0.1", "http://127.0.0.1/openai/v1"),
        ("groq/m", "http://proxy.test", "http://proxy.test/openai/v1"),
        ("lmstudio/m", "box.test", "http://box.test:1234/v1"),
    ],
)
def test_address_without_a_scheme_is_encrypted_where_a_key_leaves_the_machine(
    spec: str, written: str, meant: str
) -> None:
    assert target(spec, base_url=written).base_url == meant


def test_password_of_an_address_stays_apart_in_another_dialect() -> None:
    there = target("llamacpp/m", base_url="http://bob:pw@box.test/v1", dialect="anthropic")

    assert there.base_url == "http://box.test"
    assert there.basic_auth == Secret("bob:pw")

"""Addresses: as users write them and as they are asked, and what is none."""

from __future__ import annotations

import re

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.address import normal_url
from llm_client.policy.route import is_loopback, resolve_target
from llm_client.providers.catalog import CATALOG
from llm_client.types.config import LLMConfig, ProviderSettings, Settings
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec

NO_SETTINGS = Settings()
OLLAMA = LLMConfig(provider="ollama")


def whole(row: ProviderSpec, written: str) -> str:
    """Return an address as the route makes it of what a user wrote."""
    return normal_url(written, row, row.dialect)


def configured(**providers: ProviderSettings) -> Settings:
    return Settings(providers=providers)


@pytest.mark.parametrize(
    ("variable", "value"), [("OLLAMA_HOST", "ftp://x"), ("LLM_CLIENT_OLLAMA_BASE_URL", "http://")]
)
def test_address_of_a_variable_that_is_none_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_target(OLLAMA, NO_SETTINGS, {variable: value})

    assert re.search(rf"\b{variable}\b.*{value!r}", caught.value.message)
    assert (caught.value.hint or "").endswith(f"Or `unset {variable}`.")


def test_address_of_a_variable_for_a_model_in_this_process_names_the_variable() -> None:
    environ = {"LLM_CLIENT_EMBEDDED_BASE_URL": "http://x"}
    with pytest.raises(ConfigurationError, match="In LLM_CLIENT_EMBEDDED_BASE_URL: 'embedded' run"):
        resolve_target(LLMConfig(provider="embedded"), NO_SETTINGS, environ)


def test_address_of_the_file_is_read_by_the_dialect_of_the_file() -> None:
    settings = configured(box=ProviderSettings(base_url="http://box:1/api/", dialect="ollama"))

    target = resolve_target(LLMConfig(model="box/m"), settings, {})

    assert target.base_url == "http://box:1"
    assert target.provider.dialect == "ollama"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("10.0.0.0:8000", "http://10.0.0.0:8000"),
        (":11434", "http://127.0.0.1:11434"),
        (":9000", "http://127.0.0.1:9000"),
        ("host", "http://host:11434"),
        ("host:1", "http://host:1"),
        ("host/v1", "http://host:11434"),
        ("https://x", "https://x"),
        ("HTTPS://X.test", "https://x.test"),
        ("http://x", "http://x"),
        ("http://x/v1", "http://x"),
        ("http://x/v1/", "http://x"),
        ("http://x/api", "http://x"),
        ("http://x/ollama/", "http://x/ollama"),
        ("http://x/ollama/v1", "http://x/ollama"),
        ("http://x///", "http://x"),
        ("  http://x:1  ", "http://x:1"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("http://[fe80::1]:8000/v1", "http://[fe80::1]:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("https://user:pa@ss@x:1", "https://user:pa@ss@x:1"),
    ],
)
def test_address_of_ollama_is_made_whole(written: str, meant: str) -> None:
    assert whole(CATALOG["ollama"], written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://x:1", "http://x:1/v1"),
        ("http://x:1/", "http://x:1/v1"),
        ("http://x:1/v1", "http://x:1/v1"),
        ("http://x:1/v1///", "http://x:1/v1"),
        ("http://x:1/v1/chat/completions", "http://x:1/v1"),
        ("http://x:1/openai/v2", "http://x:1/openai/v2"),
        ("localhost:8080", "http://localhost:8080/v1"),
        ("localhost", "http://localhost:1234/v1"),
        ("https://llm.test", "https://llm.test/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("::1", "http://[::1]:1234/v1"),
    ],
)
def test_address_of_an_openai_server_is_made_whole(written: str, meant: str) -> None:
    assert whole(CATALOG["lmstudio"], written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "ftp://x",
        "http://",
        "http://x:port",
        "http://x:99999",
        "http://[::1",
        "http://two words",
        "http://x/v1#top",
        "://x",
        "/",
        "http://x/\udcff",
    ],
)
def test_address_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server") as caught:
        whole(CATALOG["openai-compatible"], written)

    assert caught.value.hint == "Write it as `http://HOST:PORT/v1`."


def test_provider_without_an_address_asks_for_one() -> None:
    with pytest.raises(ConfigurationError, match="'openai-compatible' needs an address") as caught:
        resolve_target(LLMConfig(provider="openai-compatible"), NO_SETTINGS, {})

    assert "--base-url" in str(caught.value.hint)


@pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.name)
def test_address_of_the_catalog_is_normal_already(row: ProviderSpec) -> None:
    for url in filter(None, (row.base_url, *row.alternative_base_urls)):
        written = re.sub(r"^\{\w+\}", "https://host", url).replace("{", "").replace("}", "")
        if not row.is_in_process:
            assert whole(row, written) == written


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:1/v1", True),
        ("http://localhost./v1", True),
        ("http://a.localhost", True),
        ("http://127.0.0.1", True),
        ("http://127.8.9.1:5", True),
        ("http://[::1]:1", True),
        ("gguf://embedded/v1", True),
        ("http://127.example.com", False),
        ("http://127.0.0.1.evil.test", False),
        ("http://localhost.evil.test", False),
        ("https://api.openai.test", False),
        ("http://192.168.0.1", False),
        ("http://[fe80::1]", False),
    ],
)
def test_loopback_is_told_from_names_that_look_like_it(url: str, is_local: bool) -> None:
    assert is_loopback(url) is is_local


@pytest.mark.parametrize("written", ["http://bob:hun%20ter2@h.test/v1", "bob:hun%20ter2@h.test"])
def test_credentials_of_an_address_are_kept_apart_from_it(written: str) -> None:
    target = resolve_target(LLMConfig(base_url=written, model="m"), NO_SETTINGS, {})

    assert target.base_url == "http://h.test/v1"
    assert target.basic_auth == Secret("bob:hun ter2")
    assert "hun" not in repr(target)


def test_address_for_a_model_in_this_process_is_a_contradiction() -> None:
    config = LLMConfig(provider="embedded", base_url="http://bob:secret@h.test")

    with pytest.raises(ConfigurationError, match="runs in this process") as caught:
        resolve_target(config, NO_SETTINGS, {})
    assert "secret" not in str(caught.value)


def test_address_with_a_query_is_refused_and_its_values_are_not_shown() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'http://x/v1\?key=\*\*\*&b=\*\*\*' has a query"
    ) as caught:
        whole(CATALOG["openai-compatible"], "http://x/v1?key=hidden&b=1")
    assert "hidden" not in str(caught.value) + str(caught.value.hint)

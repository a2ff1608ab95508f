"""Every setting that holds, with its source; and that it is what the rest of the program goes by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_client.policy.setting_schema import SETTINGS
from llm_client.providers.catalog import CATALOG
from llm_client.storage.config import settings_of
from llm_client.storage.config_document import Document, parse_document
from llm_client.storage.effective import Effective, effective_settings, used_profile
from llm_client.storage.project_file import ProjectFile

FILE = Path("/somewhere/config.toml")
PROJECT = ProjectFile("/p/.llm_client.toml", {"profile": "fast", "project": "web"}, {"profile": 1, "project": 2})  # fmt: skip


def document(text: str) -> Document:
    return parse_document(FILE, text)


def rows(text: str | None, environ: dict[str, str], **more: Any) -> dict[str, Effective]:
    found = effective_settings(None if text is None else document(text), environ, **more)
    return {row.key: row for row in found}


def shown(text: str | None, environ: dict[str, str], **more: Any) -> dict[str, tuple[Any, str]]:
    return {key: (row.value, str(row.source)) for key, row in rows(text, environ, **more).items()}


TEXT = """\
default_profile = "quick"

[profiles.fast]
model = "ollama/llama3.2"
temperature = 0.3

[profiles]
quick = "fast"

[providers.ollama]
timeout = 60
options = { num_ctx = 8192 }

[retry]
delay = 2.0

[pricing."a/b"]
input = 1.0

[budget.projects.web]
daily_usd = 5
"""


def test_file_says_it_with_its_lines() -> None:
    assert shown(TEXT, {}) == {
        "default_profile": ("quick", "config.toml:1"),
        "profiles.quick": ("fast", "config.toml:8"),
        "profiles.fast.model": ("ollama/llama3.2", "config.toml:4"),
        "profiles.fast.temperature": (0.3, "config.toml:5"),
        "providers.ollama.timeout": (60, "config.toml:11"),
        "providers.ollama.options": ({"num_ctx": 8192}, "config.toml:12"),
        "retry.delay": (2.0, "config.toml:15"),
        "budget.projects.web.daily_usd": (5, "config.toml:21"),
        'pricing."a/b".input': (1.0, "config.toml:18"),
    }


def test_variables_stand_over_it_and_say_so() -> None:
    found = rows(
        TEXT,
        {
            "LLM_CLIENT_RETRY_DELAY": "3",
            "LLM_CLIENT_TEMPERATURE": "0.1",
            "LLM_CLIENT_TOP_P": "0.5",
            "LLM_CLIENT_PRICING": '{"a/b": {"input": 2}, "c/d": {"output": 3}}',
            "LLM_CLIENT_OLLAMA_OPTIONS": '{"seed": 1}',
            "LLM_CLIENT_TIMEOUT": "5",
            "LLM_CLIENT_SEED": " ",
        },
    )
    said = {
        key: (row.value, str(row.source), row.over and str(row.over))
        for key, row in found.items()
        if row.source.kind == "variable"
    }
    assert said == {
        "profiles.fast.temperature": (0.1, "LLM_CLIENT_TEMPERATURE", "config.toml:5"),
        "profiles.fast.top_p": (0.5, "LLM_CLIENT_TOP_P", None),
        "profiles.fast.timeout": (5, "LLM_CLIENT_TIMEOUT", None),
        "providers.ollama.timeout": (5, "LLM_CLIENT_TIMEOUT", "config.toml:11"),
        "providers.ollama.options": (
            {"num_ctx": 8192, "seed": 1},
            "LLM_CLIENT_OLLAMA_OPTIONS",
            "config.toml:12",
        ),
        "retry.delay": (3, "LLM_CLIENT_RETRY_DELAY", "config.toml:15"),
        'pricing."a/b".input': (2, "LLM_CLIENT_PRICING", "config.toml:18"),
        'pricing."c/d".output': (3, "LLM_CLIENT_PRICING", None),
    }


def test_providers_own_variables_have_rows() -> None:
    said = shown(
        "[providers.azure]\nendpoint = 'https://a.example.com'\napi_key_env = 'MY_KEY'",
        {
            "OLLAMA_HOST": "h:1",
            "OLLAMA_TIMEOUT": "9",
            "LLM_CLIENT_OLLAMA_TIMEOUT": "8",
            "OPENAI_API_KEY": "k1",
            "LLM_CLIENT_MISTRAL_API_KEY": "k2",
            "MY_KEY": "k3",
            "MLX_MODEL_PATH": "/m",
            "LLM_CLIENT_AZURE_ENDPOINT": "https://b.example.com",
        },
    )
    assert said == {
        "providers.azure.endpoint": ("https://b.example.com", "LLM_CLIENT_AZURE_ENDPOINT"),
        "providers.azure.api_key_env": ("MY_KEY", "config.toml:3"),
        "providers.azure.api_key": ("k3", "MY_KEY"),
        "providers.ollama.base_url": ("h:1", "OLLAMA_HOST"),
        "providers.ollama.timeout": (8, "LLM_CLIENT_OLLAMA_TIMEOUT"),
        "providers.openai.api_key": ("k1", "OPENAI_API_KEY"),
        "providers.mistral.api_key": ("k2", "LLM_CLIENT_MISTRAL_API_KEY"),
        "providers.mlx.model": ("/m", "MLX_MODEL_PATH"),
    }


def test_keys_and_headers_are_not_to_be_shown() -> None:
    found = rows(
        "[providers.work]\nheaders = { x-key = 'k' }",
        {"OPENAI_API_KEY": "k", "LLM_CLIENT_OLLAMA_HEADERS": '{"a": "k"}'},
    )
    assert {key for key, row in found.items() if not row.is_shown} == set(found)
    assert len(found) == 3


def test_destination_of_variables_has_rows_until_something_else_is_named() -> None:
    environ = {
        "LLM_CLIENT_PROVIDER": "ollama",
        "LLM_CLIENT_MODEL": "m",
        "LLM_CLIENT_SESSION": "s",
        "LLM_CLIENT_TOP_P": "1",
    }
    assert shown(None, environ) == {
        "provider": ("ollama", "LLM_CLIENT_PROVIDER"),
        "session": ("s", "LLM_CLIENT_SESSION"),
        "profiles.*.model": ("m", "LLM_CLIENT_MODEL"),
        "profiles.*.top_p": (1, "LLM_CLIENT_TOP_P"),
    }
    for named in ({"profile": "fast"}, {"provider": "gguf"}):
        said = shown(TEXT, environ, **named)
        assert "provider" not in said
        assert said["profiles.fast.model"] == ("ollama/llama3.2", "config.toml:4")


def test_project_file_stands_between_file_and_variables() -> None:
    said = shown(TEXT, {}, project=PROJECT)
    assert said["default_profile"] == ("fast", ".llm_client.toml:1")
    assert said["project"] == ("web", ".llm_client.toml:2")
    said = shown(TEXT, {"LLM_CLIENT_PROJECT": "v"}, project=PROJECT)
    assert said["project"] == ("v", "LLM_CLIENT_PROJECT")


def test_defaults_and_the_catalog_are_told_when_asked_for() -> None:
    said = shown("[profiles.default]\n[providers.ollama]\ntimeout = 1", {}, defaults=True)
    assert said["retry.max_retries"] == (3, "default")
    assert said["profiles.default.overflow"] == ("refuse", "default")
    assert said["providers.ollama.base_url"] == (CATALOG["ollama"].base_url, "catalog")
    assert {source for _, source in shown(TEXT, {}, provider="openai").values()} >= {"catalog"}
    plain = {row.path for row in SETTINGS if "*" not in row.path and row.default is not None}
    assert plain <= said.keys()


def test_wrong_value_has_no_row() -> None:
    environ = {"LLM_CLIENT_RETRY_DELAY": "soon", "LLM_CLIENT_OLLAMA_TIMEOUT": "x"}
    assert shown(TEXT, environ)["retry.delay"] == (2.0, "config.toml:15")
    assert shown("[profiles]\nx = 1\n[nonsense]\ny = 2\n[retry]", {}) == {
        "profiles.x": (1, "config.toml:2"),
        "nonsense": ({"y": 2}, "config.toml:3"),
    }


def test_stored_keys_have_rows_without_a_look_into_the_keyring(
    clean_environment: Path,
) -> None:
    folder = clean_environment / ".config" / "llm_client"
    folder.mkdir(parents=True, mode=0o700)
    stored = folder / "credentials.toml"
    stored.write_text("[openai]\nkeyring = true\n[mistral]\napi_key = 'k-stored-0123'\n")
    stored.chmod(0o600)
    import os

    text = "[providers.work]\napi_key_command = ['pass', 'x']\n"
    said = {
        row.key: str(row.source)
        for row in effective_settings(document(text), {**os.environ, "LLM_CLIENT_CREDENTIALS": str(stored)})
        if row.names[-1] == "api_key"
    }  # fmt: skip
    assert said == {
        "providers.openai.api_key": "keyring",
        "providers.mistral.api_key": "credentials.toml",
        "providers.work.api_key": "api_key_command",
    }
    stored.write_text("broken")
    assert effective_settings(None, {"LLM_CLIENT_CREDENTIALS": str(stored)})


@pytest.mark.parametrize(
    ("environ", "project", "named", "wanted"),
    [
        ({}, None, None, "fast"),
        ({"LLM_CLIENT_PROFILE": "other"}, None, None, "other"),
        ({"LLM_CLIENT_PROFILE": "other"}, PROJECT, None, "other"),
        ({"LLM_CLIENT_PROFILE": " "}, PROJECT, None, "fast"),
        ({"LLM_CLIENT_PROFILE": "other"}, PROJECT, "quick", "fast"),
    ],
    ids=["file", "variable", "variable over project", "project", "flag"],
)
def test_profile_that_is_used(
    environ: dict[str, str], project: ProjectFile | None, named: str | None, wanted: str
) -> None:
    assert used_profile(document(TEXT), environ, project, named=named) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", None),
        ("[profiles.default]", "default"),
        ("default_profile = 1", None),
        ("[profiles]\ndefault = 'a'\na = 'default'", "default"),
    ],
    ids=["none", "called default", "no text", "circle"],
)
def test_profile_that_is_used_unnamed(text: str, wanted: str | None) -> None:
    assert used_profile(document(text), {}, None) == wanted


def test_what_is_shown_is_what_settings_have() -> None:
    environ = {
        "LLM_CLIENT_MAX_RETRIES": "9",
        "LLM_CLIENT_CACHE_TTL": "12",
        "LLM_CLIENT_LEDGER": "off",
        "LLM_CLIENT_PROFILE": "fast",
        "LLM_CLIENT_BUDGET_DAILY_USD": "2",
        "LLM_CLIENT_ROUTING_VISION": "fast",
        "LLM_CLIENT_PRICING": '{"a/b": {"output": 2}}',
    }
    said = {key: value for key, (value, _) in shown(TEXT, environ, defaults=True).items()}
    settings = settings_of(document(TEXT), environ)
    assert settings.budget is not None
    assert said["default_profile"] == settings.default_profile == "fast"
    for name in ("max_retries", "delay", "max_delay", "exponential_base"):
        assert said[f"retry.{name}"] == getattr(settings.retry, name)
    for name in ("models_ttl", "responses", "responses_ttl", "responses_max_mb"):
        assert said[f"cache.{name}"] == getattr(settings, name)
    assert said["ledger.enabled"] is settings.ledger is False
    assert said["credentials.store"] == settings.credentials_store
    assert said["budget.daily_usd"] == settings.budget.daily_usd == 2
    assert said["budget.projects.web.daily_usd"] == settings.budget.projects["web"].daily_usd
    assert said["routing.vision"] == settings.routing["vision"]
    assert settings.pricing["a/b"] == {"output": 2}
    assert {key: value for key, value in said.items() if key.startswith("pricing")} == {
        'pricing."a/b".output': 2
    }

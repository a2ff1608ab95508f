"""Routing as a client does it: a call's model and its dialect, and what is found by a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from llm_client import ConfigurationError, LLMClient, LLMConfig
from llm_client.discovery import discover
from llm_client.types.config import Settings

from .support.fault_server import fault_server, respond

ANSWER = respond(
    200,
    [("Content-Type", "application/json")],
    b'{"choices":[{"index":0,"finish_reason":"stop","message":{"content":"yes"}}]}',
)


def url_of(client: LLMClient, **options: Any) -> str:
    return client.preview("hi", **options).url


def test_model_of_a_call_is_spoken_to_in_its_own_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x-0123456789")
    with LLMClient("openai/gpt-4o") as client:
        assert url_of(client) == "https://api.openai.com/v1/chat/completions"
        for model in ("gpt-5-pro", "openai/gpt-5-pro"):
            assert url_of(client, model=model) == "https://api.openai.com/v1/responses"
        assert client.target.model == "gpt-4o"


def test_model_of_a_call_keeps_the_dialect_that_the_client_was_given() -> None:
    config = LLMConfig(
        provider="openai", model="gpt-4o", dialect="openai-chat", api_key="sk-x-0123456789"
    )
    with LLMClient(config) as client:
        assert url_of(client, model="gpt-5-pro") == "https://api.openai.com/v1/chat/completions"


def test_model_of_a_call_is_in_an_address_that_names_the_model() -> None:
    config = LLMConfig(
        provider="azure",
        model="one",
        api_key="key-0123456789",
        fields={"endpoint": "https://ours.openai.azure.com", "api_version": "2024-10-21"},
    )
    with LLMClient(config) as client:
        assert url_of(client, model="two") == (
            "https://ours.openai.azure.com/openai/deployments/two/chat/completions"
            "?api-version=2024-10-21"
        )
        request = client.preview("hi", model="two")
        assert dict(request.headers)["api-key"] == "key-0123456789"
        assert request.shown_headers()["api-key"] == "***"


def test_model_of_a_call_leaves_key_address_and_password_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(ANSWER) as server:
        address = server.url.replace("http://", "http://bob:pw@")
        config = LLMConfig(provider="lmstudio", base_url=address, model="one")
        with LLMClient(config) as client:
            client.generate("hi", model="two")
        monkeypatch.setenv("LMSTUDIO_API_KEY", "key-0123456789")
        with LLMClient(LLMConfig(provider="lmstudio", base_url=server.url, model="one")) as client:
            monkeypatch.delenv("LMSTUDIO_API_KEY")
            client.generate("hi", model="two")

        sent = [request.headers["authorization"] for request in server.requests]
        assert sent == ["Basic Ym9iOnB3", "Bearer key-0123456789"]
        assert all(b'"two"' in request.body for request in server.requests)


def test_model_of_a_call_goes_to_the_server_that_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = respond(200, [("Content-Type", "application/json")], b'{"data":[{"id":"one"}]}')
    with fault_server(listed, ANSWER) as server:
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", server.url)
        with LLMClient() as client:
            monkeypatch.delenv("LLM_CLIENT_LMSTUDIO_BASE_URL")
            assert url_of(client, model="two") == f"{server.url}/v1/chat/completions"


def test_dialect_of_the_file_is_spoken(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[providers.box]\nbase_url = "http://127.0.0.1:1"\ndialect = "anthropic"\n'
        'headers = { x-title = "ours", x-team-token = "secret-of-the-team" }\n'
    )
    with LLMClient("box/m", config_path=file) as client:
        request = client.preview("hi")

    assert request.url == "http://127.0.0.1:1/v1/messages"
    shown = request.shown_headers()
    assert (shown["x-title"], shown["x-team-token"]) == ("ours", "***")


@pytest.mark.parametrize(
    "variable", ["GITHUB_TOKEN", "HF_TOKEN", "AZURE_OPENAI_API_KEY", "VOYAGE_API_KEY"]
)
def test_key_that_is_there_for_something_else_chooses_nothing(variable: str) -> None:
    with pytest.raises(ConfigurationError, match="Nothing says which model to use"):
        discover(Settings(), {**os.environ, variable: "key-0123456789"})


def test_blank_key_chooses_nothing() -> None:
    environ = {**os.environ, "OPENAI_API_KEY": " ", "GROQ_API_KEY": "key-0123456789"}

    assert discover(Settings(), environ).target.provider.name == "groq"


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        (["GROQ_API_KEY", "OPENAI_API_KEY"], "openai"),
        (["GROQ_API_KEY", "GEMINI_API_KEY"], "gemini"),
        (["HF_TOKEN", "OPENROUTER_API_KEY", "GROQ_API_KEY"], "openrouter"),
    ],
)
def test_first_of_several_keys_is_that_of_the_preferred_provider(
    variables: list[str], chosen: str
) -> None:
    environ = {**os.environ, **dict.fromkeys(variables, "key-0123456789")}

    assert discover(Settings(), environ).target.provider.name == chosen


def test_model_that_a_variable_names_is_chosen_where_no_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLX_MODEL_PATH", "/models/x")
    monkeypatch.setenv("OPENAI_API_KEY", "key-0123456789")
    monkeypatch.delenv("LLM_CLIENT_MLX_BASE_URL")

    choice = discover(Settings(), os.environ)

    assert (choice.target.spec, choice.target.base_url) == ("mlx//models/x", "mlx://local/v1")
    assert choice.reason == "MLX_MODEL_PATH names its model and no local server can be used"
    with LLMClient() as client:
        assert (client.target.spec, client.target.base_url) == (
            choice.target.spec,
            choice.target.base_url,
        )
    assert discover(Settings(), os.environ, model="m").target.provider.name == "openai"


def test_server_that_answers_comes_before_a_model_that_a_variable_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = respond(200, [("Content-Type", "application/json")], b'{"data":[{"id":"one"}]}')
    monkeypatch.setenv("MLX_MODEL_PATH", "/models/x")
    monkeypatch.delenv("LLM_CLIENT_MLX_BASE_URL")
    with fault_server(listed) as server:
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", server.url)
        assert discover(Settings(), os.environ).target.spec == "lmstudio/one"

"""What is used when nothing says what to use."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from llm_client import ConfigurationError, LLMClient
from llm_client.discovery import Answers, discover
from llm_client.providers.catalog import CATALOG
from llm_client.types.config import LLMConfig, ProviderSettings, Settings
from llm_client.types.target import Target

from .support.fault_server import Script, fault_server, garbage, respond, say_nothing, status

JSON = [("Content-Type", "application/json")]


def ollama(*names: str) -> Script:
    return respond(
        200, JSON, json.dumps({"models": [{"name": n, "model": n} for n in names]}).encode()
    )


def openai(*ids: str, owned_by: str | None = "") -> Script:
    rows = [{"id": id, "owned_by": owned_by} for id in ids]
    return respond(200, JSON, json.dumps({"data": rows}).encode())


def found(**urls: str) -> tuple[str, str, str]:
    """Discover with local servers at these addresses; return provider, model and the reason."""
    environ = dict(os.environ)
    environ |= {f"LLM_CLIENT_{name.upper()}_BASE_URL": url for name, url in urls.items()}
    choice = discover(Settings(), environ)
    return choice.target.provider.name, choice.target.model, choice.reason


def test_local_server_that_answers_is_used_with_its_first_model() -> None:
    with fault_server(openai("big", "small")) as server:
        assert found(lmstudio=server.url) == (
            "lmstudio",
            "big",
            f"lmstudio answers at {server.url}/v1",
        )


def test_most_preferred_server_wins_even_when_it_is_slower() -> None:
    slow = respond(200, JSON, json.dumps({"models": [{"name": "m"}]}).encode(), delay=0.05)
    with fault_server(slow) as first, fault_server(openai("x")) as second:
        assert found(ollama=first.url, lmstudio=second.url)[0] == "ollama"


def test_server_without_models_is_used_only_when_no_other_has_any() -> None:
    with fault_server(ollama()) as first, fault_server(openai("x")) as second:
        assert found(ollama=first.url, lmstudio=second.url)[:2] == ("lmstudio", "x")
        assert found(ollama=first.url)[:2] == ("ollama", "")


@pytest.mark.parametrize("script", [status(500), garbage(), status(404), respond(200, JSON, b"{}")])
def test_server_that_is_something_else_is_passed_over(script: Script) -> None:
    with fault_server(script) as first, fault_server(openai("x")) as second:
        assert found(ollama=first.url, lmstudio=second.url)[0] == "lmstudio"


def test_servers_that_share_a_port_are_told_apart_by_what_they_say() -> None:
    with fault_server(openai("m", owned_by="llamacpp")) as server:
        assert found(llamacpp=server.url, mlx=server.url)[0] == "llamacpp"
    with fault_server(openai("m", owned_by="someone")) as server:
        # Neither is it: a server that is compatible with OpenAI, under its own model.
        assert found(llamacpp=server.url, mlx=server.url)[:2] == ("openai-compatible", "m")
    with fault_server(openai("m", owned_by=None)) as server:
        assert found(llamacpp=server.url, mlx=server.url)[:2] == ("mlx", "default_model")
    with fault_server(openai("m", owned_by="vllm")) as server:
        assert found(vllm=server.url)[0] == "vllm"


def test_server_that_says_nothing_is_not_waited_for() -> None:
    with fault_server(say_nothing()) as server:
        began = time.monotonic()
        with pytest.raises(ConfigurationError):
            found(ollama=server.url)

        assert time.monotonic() - began < 1.2


def test_probe_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_client.discovery._ask", lambda *_: None)
    began = time.monotonic()

    with pytest.raises(ConfigurationError):
        found()
    assert time.monotonic() - began < 1.2


def test_other_port_of_a_server_is_tried_too(
    monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    with fault_server(openai("m", owned_by="llamacpp")) as server:
        row = replace(
            CATALOG["llamacpp"],
            base_url=f"{closed_url}/v1",
            alternative_base_urls=(f"{server.url}/v1",),
        )
        rows = {**CATALOG, "llamacpp": row}
        monkeypatch.setattr("llm_client.discovery.CATALOG", rows)
        monkeypatch.setattr("llm_client.policy.route.CATALOG", rows)
        environ = {**os.environ}
        del environ["LLM_CLIENT_LLAMACPP_BASE_URL"]

        choice = discover(Settings(), environ)
        configured = Settings(providers={"llamacpp": ProviderSettings(base_url=f"{closed_url}/x")})

        assert choice.target.base_url == f"{server.url}/v1"
        with pytest.raises(ConfigurationError):
            discover(configured, environ)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "LLM_CLIENT_OPENAI_API_KEY"])
def test_cloud_key_is_used_when_no_local_server_answers(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "sk-x-0123456789")

    with LLMClient() as client:
        assert client.target.spec == "openai/gpt-5.6-luna"
        assert client.reason == f"{variable} is set and no local server can be used"


def test_local_server_goes_before_a_cloud_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x-0123456789")
    with fault_server(openai("m")) as server:
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", server.url)
        with LLMClient("my-model", temperature=0.5) as client:
            assert client.target.spec == "lmstudio/my-model"
            assert client.target.api_key is None


def test_nothing_at_all_says_how_to_go_on() -> None:
    with pytest.raises(ConfigurationError, match="Nothing says which model to use") as caught:
        LLMClient()

    hint = str(caught.value.hint)
    assert hint.count("`") == 10
    assert "-p embedded" in hint


def test_demo_model_is_never_chosen() -> None:
    with pytest.raises(ConfigurationError):
        LLMClient(LLMConfig(model="demo"))


def test_other_server_on_a_known_port_is_used_as_what_it_is() -> None:
    with fault_server(openai("own", owned_by="someone")) as server:
        assert found(vllm=server.url)[:2] == ("openai-compatible", "own")


def test_probe_sends_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMSTUDIO_API_KEY", "sk-x-0123456789")
    with fault_server(openai("m")) as server:
        monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", server.url)
        with LLMClient() as client:
            assert client.target.api_key is not None
        assert "authorization" not in server.requests[0].headers


def test_server_that_wants_a_key_is_used_with_the_one_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_server(status(401)) as server:
        with pytest.raises(ConfigurationError, match=r"vllm: vllm wants a key \(401\)"):
            found(vllm=server.url)
        monkeypatch.setenv("VLLM_API_KEY", "sk-x-0123456789")
        assert found(vllm=server.url)[:2] == ("vllm", "")


def test_address_that_somebody_set_and_nobody_answers_at_is_named(closed_url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        LLMClient()

    assert f"ollama: Cannot connect to {closed_url}: connection refused." in str(caught.value)


def test_both_ports_of_llama_cpp_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(rank: int, target: Target, answers: Answers) -> None:
        asked.append(f"{target.provider.name} {target.base_url}")
        answers.put((rank, None))

    monkeypatch.setattr("llm_client.discovery._ask", ask)
    with pytest.raises(ConfigurationError):
        discover(Settings(), {})

    assert {"llamacpp http://localhost:8080/v1", "llamacpp http://localhost:9931/v1"} < {*asked}
    assert "ollama http://localhost:11434" in asked
    assert "vllm http://localhost:8000/v1" in asked
    assert "lmstudio http://localhost:1234/v1" in asked
    assert "mlx http://localhost:8080/v1" in asked


def test_model_without_a_provider_that_is_found_nowhere_is_named() -> None:
    with pytest.raises(ConfigurationError, match="which provider has the model 'gpt-5'") as caught:
        discover(Settings(), os.environ, model="gpt-5")
    assert "`openai/gpt-5`" in (caught.value.hint or "")

"""Whom `llm-client health` asks: who is configured, by file or by variables, or one that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..conftest import LLAMA_KEY
from ..support.fault_server import Script
from ..support.health_servers import listed
from .health_runs import lines, only_who_is_named, with_provider
from .model_servers import configure, providers
from .program import run


@pytest.fixture(autouse=True)
def _named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only_who_is_named(monkeypatch)


def test_nobody_is_configured_is_told_with_first_steps() -> None:
    result = run("health")

    assert (result.status, result.stdout) == (3, b"")
    assert result.stderr.startswith("error: No provider is configured")
    assert "`ollama serve`" in result.stderr


@pytest.mark.parametrize("variable", ["OLLAMA_HOST", "LLM_CLIENT_OLLAMA_BASE_URL"])
@pytest.mark.parametrize("others", [{}, {"xai": listed("m")}], ids=["alone", "with-another"])
def test_server_whose_address_a_variable_has_is_missed(
    variable: str, others: dict[str, Script], monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    """Whatever else there is: who watches a server must not read that all is well."""
    monkeypatch.setenv(variable, closed_url)
    with providers(monkeypatch, **others):
        result = run("health")

    assert result.status == 4
    assert list(lines(result)) == ["ollama", *others]
    assert lines(result)["ollama"]["status"] == "unreachable"
    assert "`ollama serve`" in result.stderr


@pytest.mark.parametrize("how", ["provider", "address", "model", "profile"])
def test_one_provider_is_named(
    how: str, llama_server: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        clean_environment,
        '[profiles.mine]\nmodel = "work/demo"\n'
        + with_provider(llama_server)
        + with_provider("http://127.0.0.1:9/v1", name="dead"),
    )
    flags = {
        "provider": ["-p", "work"],
        "address": ["-u", llama_server, "-m", "demo"],
        "model": ["-m", "work/demo"],
        "profile": ["--profile", "mine"],
    }[how]

    result = run("health", *flags)

    assert (result.status, result.stderr) == (0, "")
    (line,) = lines(result).values()
    assert (line["status"], line["model"]) == ("healthy", "present")
    assert line["name"] == ("openai-compatible" if how == "address" else "work")


def test_provider_that_variables_name_is_checked_with_the_others(
    llama_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_CLIENT_BASE_URL", llama_server)
    monkeypatch.setenv("LLM_CLIENT_MODEL", "other")
    with providers(monkeypatch, xai=listed("m")):
        result = run("health")

    assert result.status == 6
    found = lines(result)
    assert list(found) == ["openai-compatible", "xai"]
    assert found["openai-compatible"]["why"] == f"{llama_server}/v1 has no model 'other'."


def test_provider_that_variables_name_and_that_cannot_be_asked_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    monkeypatch.setenv("LLM_CLIENT_PROVIDER", "openai")
    monkeypatch.setenv("LLM_CLIENT_FALLBACK", "jan/m, jan/n")
    monkeypatch.setenv("LLM_CLIENT_JAN_BASE_URL", closed_url)

    result = run("health")

    assert result.status == 4
    found = {name: line["status"] for name, line in lines(result).items()}
    assert found == {"jan": "unreachable", "openai": "configuration"}
    assert "OPENAI_API_KEY" in result.stderr


def test_fallback_that_variables_name_is_checked_too(
    llama_server: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(clean_environment, '[profiles.mine]\nmodel = "jan/m"\n')
    monkeypatch.setenv("LLM_CLIENT_BASE_URL", llama_server)
    monkeypatch.setenv("LLM_CLIENT_FALLBACK", "mine, jan/nope")
    with providers(monkeypatch, jan=listed("m")):
        jan, own = run("health", "--json").json["providers"]

    assert (own["name"], own["healthy"]) == ("openai-compatible", True)
    assert (jan["named_models"], jan["missing_models"]) == (["nope", "m"], ["nope"])


def test_fallback_that_variables_name_and_that_has_no_key_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_FALLBACK", "anthropic/claude-x")

    result = run("health", "--json")

    assert result.status == 3
    assert [it["name"] for it in result.json["providers"]] == ["anthropic"]
    assert "ANTHROPIC_API_KEY" in result.json["providers"][0]["hint"]


def test_provider_that_variables_and_configuration_name_is_checked_once(
    llama_server: str, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[profiles.default]\nmodel = "work/demo"\n' + with_provider(llama_server)
    configure(clean_environment, text)
    monkeypatch.setenv("LLM_CLIENT_PROVIDER", "work")
    monkeypatch.setenv("LLM_CLIENT_MODEL", "nope")

    (work,) = run("health", "--json").json["providers"]

    assert work["named_models"] == ["nope", "demo"]
    assert work["missing_models"] == ["nope"]


@pytest.mark.parametrize(
    ("flags", "status_", "text"),
    [
        (["-p", "opnai"], 3, "Did you mean 'openai'"),
        (["-p", "openai"], 3, "OPENAI_API_KEY"),
        (["--profile", "none"], 3, "no profile 'none'"),
        (["--timeout", "0"], 2, "--timeout 0 is out of range"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_wrong_command_line_is_told(flags: list[str], status_: int, text: str) -> None:
    result = run("health", *flags)

    assert result.status == status_
    assert text in result.stderr


def test_programs_that_print_keys_run_beside_each_other(
    llama_server_with_key: str, clean_environment: Path, tmp_path: Path
) -> None:
    """Each waits until the other has begun."""
    script = 'touch "$0"; for _ in $(seq 80); do [ -e "$1" ] && echo "$2" && exit; sleep 0.1; done'
    texts = []
    for own, other in (("a", "b"), ("b", "a")):
        words = [script, str(tmp_path / own), str(tmp_path / other), LLAMA_KEY]
        command = json.dumps(["sh", "-c", *words])
        texts.append(with_provider(llama_server_with_key, f"api_key_command = {command}", own))
    configure(clean_environment, "".join(texts))

    result = run("health")

    assert result.status == 0, result.stderr
    assert [line["key"] for line in lines(result).values()] == ["accepted", "accepted"]

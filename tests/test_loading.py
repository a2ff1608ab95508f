"""`LLMConfig.load`: a client of the value does what a client of the profile does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_client import ConfigurationError, LLMClient, LLMConfig, ValidationError
from llm_client.calls import Calls
from llm_client.providers.catalog import LOCAL_SERVERS
from llm_client.storage.loading import load_config

from .support.fault_server import fault_server, respond

JSON = [("Content-Type", "application/json")]
FILE = """\
default_profile = "quick"

[profiles]
quick = "fast"

[profiles.fast]
model = "work/one"
fallback = ["cloud", "ollama/two", "quick"]
temperature = 0.1
top_p = 0.2
max_tokens = 3
system = "Be brief."
stop = ["a", "b"]
seed = 4
reasoning_effort = "low"
timeout = 5
options = { num_ctx = 6 }
overflow = "trim"
prefer = "cheapest"

[profiles.cloud]
model = "openai/gpt-4o-mini"
temperature = 1
timeout = 7

[profiles.bare]
model = "three"
temperature = 0.5

[providers.work]
base_url = "http://127.0.0.1:1/v1"
headers = { x-team = "ours" }
api_key_env = "WORK_KEY"
timeout = 9
options = { num_ctx = 1, other = 2 }
requests_per_minute = 10

[retry]
max_retries = 1
delay = 0.2
max_delay = 0.3
exponential_base = 4.0

[budget]
daily_usd = 5
[budget.profiles.fast]
daily_usd = 1

[cache]
models_ttl = 11

[routing]
prefer = "cheapest"
"""
KEYS = {"OPENAI_API_KEY": "sk-test", "WORK_KEY": "key-of-work"}
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "nothing": {},
    "options": {"LLM_CLIENT_TEMPERATURE": "0.9", "LLM_CLIENT_SEED": "8"},
    "waits": {"LLM_CLIENT_TIMEOUT": "20", "LLM_CLIENT_OPENAI_TIMEOUT": "21"},
    "provider": {"LLM_CLIENT_WORK_OPTIONS": '{"num_ctx": 2}', "LLM_CLIENT_WORK_TIMEOUT": "22"},
    "chain": {"LLM_CLIENT_FALLBACK": "cloud,ollama/x"},
    "retry": {"LLM_CLIENT_MAX_RETRIES": "9", "LLM_CLIENT_CACHE_TTL": "1"},
    "destination": {"LLM_CLIENT_PROVIDER": "work", "LLM_CLIENT_MODEL": "other"},
    "model": {"LLM_CLIENT_MODEL": "openai/gpt-4o"},
    "address": {"LLM_CLIENT_BASE_URL": "http://127.0.0.1:2", "LLM_CLIENT_MODEL": "m"},
    "profile": {"LLM_CLIENT_PROFILE": "cloud"},
}


def behaviour(calls: Calls) -> dict[str, Any]:
    """Return everything by which two clients could differ."""
    plan = calls._plan
    requests = [
        calls._request("hi", stream=False, options={}, profile=link.profile)[0]
        for link in plan.route
    ]
    return {
        "targets": [link.target for link in plan.route],
        "requests": requests,
        "overflow": [calls._overflow(link) for link in plan.route],
        "preview": calls.preview("hi", stream=False, options={}),
        "retry": calls._retry,
        "prefer": plan.layers.prefer,
        "ttl": calls._cache()._ttl,
        "profile": calls._books.labels(plan.profile, dict.fromkeys(("session", "project", "tags"))),
        "budget": calls._books._budget,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(FILE)
    return file


@pytest.mark.parametrize("profile", ["fast", "quick", "cloud", None])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_client_of_the_value_does_what_a_client_of_the_profile_does(
    file: Path, name: str, profile: str | None
) -> None:
    environ = {"HOME": str(file.parent), **KEYS, **ENVIRONMENTS[name]}

    loaded = load_config(file, profile, environ)

    expected = behaviour(Calls(None, profile=profile, config_path=file, environ=environ))
    assert behaviour(Calls(loaded, environ=environ)) == expected


OPEN = """\
[profiles.careful]
timeout = 7
temperature = 0.5
options = { k = 1 }
"""


@pytest.mark.parametrize(
    ("environ", "seconds", "k"),
    [
        ({}, 7, 1),
        ({"LLM_CLIENT_TIMEOUT": "5"}, 5, 1),
        ({"LLM_CLIENT_OLLAMA_TIMEOUT": "4"}, 4, 1),
        ({"OLLAMA_TIMEOUT": "3"}, 3, 1),
        ({"LLM_CLIENT_OPTIONS": '{"k": 2}'}, 7, 2),
        ({"LLM_CLIENT_OLLAMA_OPTIONS": '{"k": 3}'}, 7, 3),
    ],
)
def test_variables_of_a_provider_that_is_found_stand_over_the_profile_either_way(
    tmp_path: Path, environ: dict[str, str], seconds: float, k: int
) -> None:
    """The provider is not known yet when the profile is loaded."""
    file = tmp_path / "own.toml"
    file.write_text(OPEN)
    with fault_server(*[respond(200, JSON, b'{"models": [{"name": "m"}]}')] * 3) as server:
        environ = {"HOME": str(tmp_path), "OLLAMA_HOST": server.url, **environ}
        for name in LOCAL_SERVERS[1:]:
            environ[f"LLM_CLIENT_{name.upper()}_BASE_URL"] = "http://127.0.0.1:1"
        loaded = load_config(file, "careful", environ)
        clients = [
            Calls(None, profile="careful", config_path=file, environ=environ),
            Calls(loaded, environ=environ),
        ]
        changed = Calls(replace(loaded, timeout=9, options={"k": 9}), environ=environ).target

    for client in clients:
        assert (client.target.spec, client.config.temperature) == ("ollama/m", 0.5)
        assert (client.target.timeouts.silence, client.target.options) == (seconds, {"k": k})
    assert (changed.timeouts.silence, changed.options) == (9, {"k": 9})


def test_value_says_what_holds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_CLIENT_SEED", "8")
    loaded = LLMConfig.load(file, "quick")

    assert (loaded.provider, loaded.model, loaded.base_url) == ("work", "one", None)
    assert (loaded.temperature, loaded.seed, loaded.stop) == (0.1, 8, ("a", "b"))
    assert (loaded.timeout, loaded.options) == (5, {"num_ctx": 6})
    assert loaded.fallback_configs == ("cloud", "ollama/two", "quick")
    assert (loaded.max_retries, loaded.retry_delay, loaded.cache_ttl) == (1, 0.2, 11)
    assert loaded.budget is not None
    assert (loaded.from_profile, loaded.from_file) == ("quick", str(file))
    assert loaded.api_key is None


def test_default_profile_of_the_usual_file_is_loaded(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clean_environment / ".config/llm_client"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(FILE)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    with LLMClient(LLMConfig.load()) as client:
        assert client.target.spec == "work/one"
        assert client.target.headers == (("x-team", "ours"),)
    changed = replace(LLMConfig.load(), model="gpt-4o", provider="openai", timeout=99)
    with LLMClient(changed) as client:
        assert client.target.spec == "openai/gpt-4o"
        assert client.target.timeouts.silence == 99


def test_without_a_file_there_is_a_value_all_the_same() -> None:
    loaded = LLMConfig.load()

    assert (loaded.provider, loaded.model, loaded.from_profile, loaded.from_file) == (None,) * 4
    assert (loaded.max_retries, loaded.retry_max_delay, loaded.cache_ttl) == (3, 10.0, 300.0)


def test_profile_of_the_client_stands_over_that_of_the_value(file: Path) -> None:
    environ = {"HOME": str(file.parent), **KEYS}
    loaded = LLMConfig(from_profile="fast", from_file=str(file))

    calls = Calls(loaded, profile="cloud", environ=environ)

    assert calls.target.spec == "openai/gpt-4o-mini"
    assert calls._plan.profile == "cloud"


def test_file_of_the_client_stands_over_that_of_the_value(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(FILE.replace("127.0.0.1:1/", "127.0.0.1:3/"))
    environ = {"HOME": str(file.parent), **KEYS}
    loaded = load_config(file, "fast", environ)

    calls = Calls(loaded, config_path=other, environ=environ)

    assert calls.target.base_url == "http://127.0.0.1:3/v1"


@pytest.mark.parametrize("profile", ["nobody", ""])
def test_profile_that_there_is_not_is_an_error(file: Path, profile: str) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no profile '{profile}'"):
        LLMConfig.load(file, profile)


def test_file_may_begin_with_the_home(clean_environment: Path) -> None:
    (clean_environment / "own.toml").write_text(FILE)

    assert LLMConfig.load("~/own.toml").model == "one"


@pytest.mark.parametrize("chain", [[5], [None], ["a", 1.0]])
def test_chain_of_something_else_is_refused(chain: Any) -> None:
    with pytest.raises(ValidationError, match="is not an LLMConfig or a name"):
        LLMConfig(fallback_configs=chain)

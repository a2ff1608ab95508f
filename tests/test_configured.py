"""Which providers a user has, who is behind a usual port, and asking all at once."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from llm_client.configured import (
    Configured,
    Listening,
    ask_all,
    configured_providers,
    provider_of,
    who_listens,
)
from llm_client.engine.drivers import SyncDriver
from llm_client.engine.exchange import Deadline
from llm_client.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionError,
    InsecureConnectionWarning,
    LLMError,
    LLMServiceError,
)
from llm_client.policy.route import resolve_target
from llm_client.providers.catalog import CATALOG, LOCAL_SERVERS
from llm_client.types.config import LLMConfig, Profile, ProviderSettings, Settings
from llm_client.types.secret import Secret

from .support.fault_server import Script, fault_server, html, respond, say_nothing, status

KEY = "sk-test-0123456789"
JSON = [("Content-Type", "application/json")]
USUAL = {"ollama", "lmstudio", "llamacpp", "vllm"}
"""The names under which local servers are looked for: `mlx` shares its port with `llamacpp`."""


def found(settings: Settings | None = None, /, **environ: str) -> dict[str, Configured]:
    """Return what is configured, by name, without what everybody has."""
    entries = configured_providers(settings or Settings(), environ)
    return {entry.name: entry for entry in entries if entry.origin in ("named", "address")}


def listed(*ids: str, owned_by: str | None = None) -> Script:
    rows = [{"id": id} if owned_by is None else {"id": id, "owned_by": owned_by} for id in ids]
    return respond(200, JSON, json.dumps({"data": rows}).encode())


def test_nothing_configured_leaves_usual_ports_and_what_is_built_in() -> None:
    entries = configured_providers(Settings(), {})

    assert {entry.name for entry in entries if entry.origin == "usual"} == USUAL
    assert [entry.name for entry in entries if entry.origin == "built-in"] == ["embedded"]
    assert len(entries) == 6  # llama.cpp has two ports
    addresses = [entry.targets[0].base_url for entry in entries]
    assert len({*addresses}) == 6
    (shared,) = (entry for entry in entries if len(entry.targets) > 1)
    assert [target.provider.name for target in shared.targets] == ["llamacpp", "mlx"]


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        pytest.param({"OPENAI_API_KEY": KEY}, {"openai"}, id="key"),
        pytest.param({"LLM_CLIENT_XAI_API_KEY": KEY}, {"xai"}, id="own key"),
        pytest.param({"OPENAI_API_KEY": ""}, set(), id="empty"),
        pytest.param({"OPENAI_API_KEY": " ", "OLLAMA_HOST": " "}, set(), id="blank"),
        pytest.param({"GEMINI_API_KEY": KEY, "GROQ_API_KEY": KEY}, {"gemini", "groq"}, id="two"),
        pytest.param({"GITHUB_TOKEN": KEY, "LLAMA_API_KEY": KEY}, set(), id="for other purposes"),
        pytest.param({"LLM_CLIENT_GITHUB_API_KEY": KEY}, {"github"}, id="for this purpose"),
        pytest.param({"AZURE_OPENAI_API_KEY": KEY}, set(), id="half"),
        pytest.param(
            {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"},
            {"azure"},
            id="whole",
        ),
        pytest.param({"LMSTUDIO_API_KEY": KEY}, set(), id="key of a local server"),
        pytest.param({"OLLAMA_HOST": "127.0.0.1:1"}, {"ollama"}, id="address"),
        pytest.param({"LLM_CLIENT_SGLANG_BASE_URL": "http://h:1"}, {"sglang"}, id="own address"),
        pytest.param({"OPENAI_BASE_URL": "http://localhost:1"}, set(), id="address without a key"),
        pytest.param({"MLX_MODEL_PATH": "/models/x"}, {"mlx"}, id="model"),
    ],
)
def test_environment_configures_whom_it_has_a_key_or_an_address_for(
    environ: dict[str, str], names: set[str]
) -> None:
    assert found(**environ).keys() == names


def test_configuration_names_providers_profiles_fallbacks_and_routes() -> None:
    settings = Settings(
        providers={"work": ProviderSettings(base_url="http://localhost:1/v1")},
        profiles={
            "fast": Profile(model="ollama/llama3.2", fallback=("big", "work/x")),
            "big": Profile(model="Groq/llama-3"),
            "bare": Profile(model="gpt-5"),
            "nothing": Profile(),
            "alias": "big",
        },
        routing={"vision": "gemini/gemini-2.5-pro", "planning": "big"},
    )
    entries = found(settings, GROQ_API_KEY=KEY, GEMINI_API_KEY=KEY)

    assert entries.keys() == {"work", "ollama", "groq", "gemini"}
    assert {entry.origin for entry in entries.values()} == {"named"}
    assert entries["groq"].targets[0].model == CATALOG["groq"].default_model


@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [
        (Settings(profiles={"x": Profile(model="openai/gpt-5")}), "openai", "No key for 'openai'"),
        (Settings(profiles={"x": Profile(model="nosuch/y")}), "nosuch", "no provider 'nosuch'"),
        (Settings(providers={"vllm": ProviderSettings(base_url="ftp://x")}), "vllm", "no address"),
    ],
    ids=["key", "provider", "address"],
)
def test_provider_that_cannot_be_asked_says_why(
    settings: Settings, name: str, message: str
) -> None:
    entry = found(settings)[name]

    assert entry.targets == ()
    assert message in str(entry.error)
    assert entry.error is not None
    assert not entry.may_lack(entry.error)


def test_bad_address_in_a_variable_says_why() -> None:
    entry = found(OLLAMA_HOST="http://h:1/?x=y")["ollama"]

    assert isinstance(entry.error, ConfigurationError)
    assert entry.origin == "named"


def test_server_that_is_configured_is_not_looked_for_again() -> None:
    settings = Settings(providers={"ollama": ProviderSettings(timeout=5.0)})
    entries = configured_providers(settings, {"LLM_CLIENT_VLLM_BASE_URL": "http://localhost:9"})

    names = [entry.name for entry in entries if entry.origin != "usual"]
    assert names == ["ollama", "vllm", "embedded"]
    assert {entry.name for entry in entries if entry.origin == "usual"} == USUAL - {*names}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("name", ["llamacpp", "mlx", "work"])
def test_server_that_is_configured_is_not_listed_again_by_its_port(name: str, host: str) -> None:
    settings = Settings(providers={name: ProviderSettings(base_url=f"http://{host}:8080/v1")})
    addresses = [
        target.base_url
        for entry in configured_providers(settings, {})
        for target in entry.targets
        if ":8080" in target.base_url
    ]
    assert addresses == [f"http://{host}:8080/v1"]


def test_usual_port_of_another_machine_says_nothing_of_this_one() -> None:
    settings = Settings(providers={"work": ProviderSettings(base_url="http://h:8080/v1")})
    entries = configured_providers(settings, {})
    assert {entry.name for entry in entries if entry.origin == "usual"} == USUAL


def test_model_given_by_its_path_is_another_than_the_server() -> None:
    settings = Settings(
        profiles={"path": Profile(model="mlx//models/x"), "server": Profile(model="mlx/y")}
    )
    urls = [
        entry.targets[0].base_url
        for entry in configured_providers(settings, {})
        if entry.name == "mlx"
    ]

    assert urls == ["mlx://local/v1", "http://localhost:8080/v1"]


@pytest.mark.parametrize(
    ("spec", "config"),
    [
        ("OpenAI/gpt-5", LLMConfig(provider="openai")),
        ("Work/x", LLMConfig(provider="Work")),
        ("mlx/~/models/x", LLMConfig(model="mlx/~/models/x")),
    ],
)
def test_list_of_a_model_is_its_provider_s(spec: str, config: LLMConfig) -> None:
    assert provider_of(spec, Settings(providers={"Work": ProviderSettings()})) == config


def test_key_that_would_travel_in_the_open_is_warned_of() -> None:
    environ = {"OPENAI_API_KEY": KEY, "LLM_CLIENT_OPENAI_BASE_URL": "http://proxy.example"}
    with pytest.warns(InsecureConnectionWarning, match="openai"):
        found(**environ)


REFUSED = ConnectionError("refused", refused=True)
CUT = ConnectionError("cut")
NO_KEY = AuthenticationError("key")


@pytest.mark.parametrize(
    ("environ", "lacks"),
    [
        pytest.param({"OLLAMA_HOST": "localhost:1"}, {REFUSED}, id="address here"),
        pytest.param({"OLLAMA_HOST": "gpu.example:1"}, set(), id="address elsewhere"),
        pytest.param({}, {REFUSED, CUT, LLMError("x")}, id="usual port"),
    ],
)
def test_what_is_not_running_is_no_failure_unless_somebody_said_it_is(
    environ: Mapping[str, str], lacks: set[LLMError]
) -> None:
    entries = configured_providers(Settings(), environ)
    entry = next(entry for entry in entries if entry.name == "ollama")

    errors = {REFUSED, CUT, NO_KEY, *lacks}
    assert {error for error in errors if entry.may_lack(error)} == lacks


def test_built_in_model_may_always_lack() -> None:
    entry = configured_providers(Settings(), {})[-1]

    assert entry.name == "embedded"
    assert entry.may_lack(ConfigurationError("the extra is not installed"))


def test_commands_that_print_keys_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the other to have begun; a variable spares its provider the command."""
    wait = "cd $0; touch $1; until test -e $2; do sleep 0.01; done; echo the-key-of-$1"
    own = {
        name: ProviderSettings(api_key_command=("sh", "-c", wait, str(tmp_path), name, other))
        for name, other in (("openai", "groq"), ("groq", "openai"), ("xai", "xai"))
    }
    entries = found(Settings(providers=own), PATH=os.environ["PATH"], XAI_API_KEY=KEY)

    keys = {name: entry.targets[0].api_key for name, entry in entries.items()}
    assert keys == {
        "openai": Secret("the-key-of-openai"),
        "groq": Secret("the-key-of-groq"),
        "xai": Secret(KEY),
    }
    assert sorted(os.listdir(tmp_path)) == ["groq", "openai"]


def test_command_that_fails_is_a_matter_of_its_provider() -> None:
    environ = {"LLM_CLIENT_VLLM_API_KEY_COMMAND": "false", "PATH": os.environ["PATH"]}
    own = {name: ProviderSettings(api_key_command=("false",)) for name in ("openai", "nosuch")}
    entries = configured_providers(Settings(providers=own), environ)

    failed = {entry.name: str(entry.error) for entry in entries if entry.error is not None}
    assert failed.keys() == {"openai", "nosuch", "vllm"}
    assert "'vllm', 'false', failed with exit status 1" in failed["vllm"]
    assert "ollama" in {entry.name for entry in entries}


# --- who listens ------------------------------------------------------------------------------


def sharing(url: str, **keys: str) -> Configured:
    """Return an entry for the servers that share a port, which is another here."""
    targets = [
        replace(
            resolve_target(LLMConfig(provider=name), Settings(), {}),
            base_url=f"{url}/v1",
            api_key=Secret(keys[name]) if name in keys else None,
        )
        for name in ("llamacpp", "mlx")
    ]
    return Configured("llamacpp", tuple(targets), origin="usual")


def listening(entry: Configured, seconds: float = 10.0) -> Listening:
    driver = SyncDriver()
    try:
        return driver.run(who_listens(entry, Deadline(seconds, time.monotonic(), time.monotonic)))
    finally:
        driver.close()


@pytest.mark.parametrize(
    ("owned_by", "name"),
    [("llamacpp", "llamacpp"), ("", "mlx"), ("somebody", "openai-compatible")],
)
def test_servers_that_share_a_port_are_told_apart_by_one_request(owned_by: str, name: str) -> None:
    with fault_server(listed("m", owned_by=owned_by)) as server:
        target, models = listening(sharing(server.url))

        assert target.provider.name == models[0].provider == name
        assert len(server.requests) == 1


def test_usual_port_is_asked_without_a_key() -> None:
    with fault_server(listed("m", owned_by="llamacpp")) as server:
        target, _ = listening(sharing(server.url, llamacpp=KEY))

        assert target.api_key == Secret(KEY)
        assert "authorization" not in server.requests[0].headers


def test_usual_port_that_wants_a_key_gets_the_one_that_is_set() -> None:
    with fault_server(status(401), listed("m")) as server:
        target, _ = listening(sharing(server.url, llamacpp=KEY))

        assert target.provider.name == "llamacpp"
        assert server.requests[1].headers["authorization"] == f"Bearer {KEY}"
    with fault_server(status(401)) as server, pytest.raises(AuthenticationError):
        listening(sharing(server.url))


@pytest.mark.parametrize("script", [html(), status(404), respond(200, JSON, b"{}")])
def test_what_lists_no_models_is_an_error(script: Script) -> None:
    with fault_server(script) as server, pytest.raises(LLMError):
        listening(sharing(server.url))


def test_what_says_nothing_is_given_up() -> None:
    with fault_server(say_nothing()) as server, pytest.raises(ConnectionError):
        listening(sharing(server.url), seconds=0.1)


# --- asking all at once -----------------------------------------------------------------------


def after(event: threading.Event, value: str) -> Callable[[], str]:
    def ask() -> str:
        assert event.wait(30)
        return value

    return ask


def fail() -> str:
    raise LLMServiceError("bad")


def test_all_that_come_in_time_come_together() -> None:
    (batch,) = ask_all([lambda: "a", fail, lambda: "c"], patience=30, seconds=30)

    assert batch[0] == "a"
    assert batch[2] == "c"
    assert str(batch[1]) == "bad"


def test_those_that_are_late_come_one_by_one_and_hold_up_nobody() -> None:
    second, third = threading.Event(), threading.Event()
    askings = [after(third, "late"), lambda: "at once", after(second, "later")]
    batches = ask_all(askings, patience=0.05, seconds=30)

    assert next(batches) == {1: "at once"}
    second.set()
    assert next(batches) == {2: "later"}
    third.set()
    assert next(batches) == {0: "late"}
    assert list(batches) == []


def test_one_that_never_comes_is_given_up() -> None:
    never = threading.Event()
    batches = list(ask_all([after(never, "x"), lambda: "y"], patience=0.0, seconds=0.1))
    never.set()

    assert batches == [{1: "y"}]


def test_nobody_to_ask_is_no_answer() -> None:
    assert list(ask_all([], patience=1.0, seconds=1.0)) == []


def test_every_local_server_is_in_the_catalog() -> None:
    assert all(CATALOG[name].base_url.startswith("http://localhost") for name in LOCAL_SERVERS)


def test_provider_that_variables_name_is_configured_with_their_address() -> None:
    environ = {
        "LLM_CLIENT_PROVIDER": "OpenAI",
        "LLM_CLIENT_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "sk-test",
    }

    found = {entry.name: entry for entry in configured_providers(Settings(), environ)}

    assert found["openai"].origin == "named"
    assert [target.base_url for target in found["openai"].targets] == ["http://127.0.0.1:9/v1"]


def test_address_of_variables_alone_is_configured() -> None:
    environ = {"LLM_CLIENT_BASE_URL": "http://127.0.0.1:9", "LLM_CLIENT_MODEL": "m"}

    found = {entry.name: entry for entry in configured_providers(Settings(), environ)}

    assert [target.spec for target in found["openai-compatible"].targets] == ["openai-compatible"]

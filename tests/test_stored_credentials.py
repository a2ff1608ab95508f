"""Keys that are stored count wherever a key counts: clients, discovery, lists, masking."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from llm_client import ConfigurationError, CredentialsManager, CredentialStoreWarning, LLMClient
from llm_client.cli.key_input import read_key
from llm_client.configured import configured_providers
from llm_client.discovery import discover
from llm_client.types.config import ProviderSettings, Settings
from llm_client.types.secret import Secret

from .cli.program import error, run
from .support.fake_keyring import BUS, FakeKeyring, forget_stores, use_keyring
from .support.fault_server import fault_server

KEY = "correct-horse-battery-staple-42"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_stores(monkeypatch)


def keep(provider: str, key: str = KEY) -> Path:
    manager = CredentialsManager()
    manager.set(provider, key, store="file")
    return manager.path


def test_client_takes_the_key_that_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("openai")
    with fault_server(error(401, "no")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with LLMClient("openai/m", max_retries=0) as client, pytest.raises(Exception, match="no"):
            client.generate("hi")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_fallback_and_other_model_take_theirs() -> None:
    keep("openai")
    keep("groq", "another-key-0123456789")
    with LLMClient("openai/m") as client:
        client.set_fallback_chain(["groq/n"])
    with pytest.raises(ConfigurationError, match="No key for 'mistral'"):
        client.set_fallback_chain(["mistral/n"])


def test_key_in_code_asks_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_client import LLMConfig

    keep("openai").chmod(0o644)  # an error, if it were read
    backend = FakeKeyring()
    use_keyring(monkeypatch, backend)
    LLMClient(LLMConfig(provider="openai", model="m", api_key="in-the-code")).close()
    assert backend.asked == []


@pytest.mark.parametrize("where", ["file", "keyring", "command"])
def test_stored_key_is_reason_enough_to_choose_its_provider(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keyring(monkeypatch, FakeKeyring())
    settings = Settings()
    if where == "command":
        own = ProviderSettings(api_key_command=("printf", KEY))
        settings = Settings(providers={"openai": own})
    else:
        CredentialsManager().set("openai", KEY, store=where)  # type: ignore[arg-type]
    choice = discover(settings, os.environ)
    assert (choice.target.provider.name, choice.target.api_key) == ("openai", Secret(KEY))
    words = {
        "file": "its key is stored",
        "keyring": "the keyring has its key",
        "command": "a command prints its key",
    }
    assert choice.reason == f"{words[where]} and no local server can be used"


def test_key_of_a_server_that_needs_none_does_not_choose_it() -> None:
    keep("vllm")
    with pytest.raises(ConfigurationError, match="Nothing says which model to use"):
        discover(Settings(), os.environ)


def test_provider_whose_key_is_stored_is_configured(clean_environment: Path) -> None:
    keep("openai")
    keep("github")  # its variable would serve other purposes
    keep("vllm")
    entries = configured_providers(Settings(), os.environ)
    named = {entry.name: entry.targets[0].api_key for entry in entries if entry.origin == "named"}
    assert named == {"openai": Secret(KEY), "github": Secret(KEY)}


def test_file_that_is_refused_is_warned_of_once_where_all_providers_are_listed() -> None:
    keep("openai").chmod(0o644)
    with pytest.warns(CredentialStoreWarning, match="Others can read") as caught:
        entries = configured_providers(Settings(), os.environ)
    assert len(caught) == 1
    assert "openai" not in {entry.name for entry in entries}


def test_provider_with_a_stored_key_is_marked_as_the_default() -> None:
    from llm_client.cli.model_facts import first_names

    assert first_names([], Settings(), os.environ) is None
    keep("openai")
    found = first_names([], Settings(), os.environ)
    assert found is not None
    assert found[0] == "openai"


@pytest.mark.parametrize("flags", [["--debug", "-v"], ["--json"]], ids=" ".join)
@pytest.mark.parametrize("source", ["file", "command", "api_key_env"])
def test_stored_key_that_is_echoed_is_masked(
    source: str, flags: list[str], clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "file":
        keep("openai")
    elif source == "command":
        monkeypatch.setenv("LLM_CLIENT_OPENAI_API_KEY_COMMAND", f"printf {KEY}")
    else:  # its name does not look like that of a key
        monkeypatch.setenv("LLM_CLIENT_OPENAI_API_KEY_ENV", "WORK_LLM")
        monkeypatch.setenv("WORK_LLM", KEY)
    with fault_server(error(400, f"bad key {KEY}, Bearer {KEY}")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        result = run("generate", "-m", "openai/m", "--retries", "0", *flags, "hi")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "bad key ***" in result.stderr
    assert KEY not in result.stderr + result.text
    stored = CredentialsManager().path
    for folder, _, files in os.walk(clean_environment):
        for file in files:
            path = Path(folder) / file
            assert path == stored or KEY.encode() not in path.read_bytes()


def test_warning_of_a_store_is_a_line_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep("openai")
    path.write_text("[openai]\nkeyring = true\n")
    for name, value in BUS.items():
        monkeypatch.setenv(name, value)
    result = run("generate", "-m", "openai/m", "hi")
    assert result.status == 3
    first, second, third = result.stderr.splitlines()
    assert first.startswith("Warning: There is no keyring here: no session bus answers at")
    assert second == "error: No key for 'openai'."
    assert "llm-client creds set openai" in third


def test_terminal_that_would_show_the_key_is_not_typed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass

    from llm_client.cli.environment import Environment
    from llm_client.cli.exit_status import UsageError

    def shown(_: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return KEY

    monkeypatch.setattr(getpass, "getpass", shown)
    environment = Environment.current()
    environment.stdin_is_terminal = True
    with pytest.raises(UsageError, match="would show the key"):
        read_key("openai", environment)

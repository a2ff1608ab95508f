"""`CredentialsManager.list`: every place that has a key, also those that nobody noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_client import CredentialsManager
from llm_client.exceptions import CredentialStoreWarning
from llm_client.storage.credentials import KeySource
from llm_client.storage.credentials_file import CredentialsFile, Entry
from llm_client.storage.keyring_store import SERVICE
from llm_client.types.secret import Secret

from ..support.fake_keyring import FakeKeyring, forget_stores, use_keyring
from .test_credentials import KEY, LOCKED, configured


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_stores(monkeypatch)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    backend = FakeKeyring()
    use_keyring(monkeypatch, backend)
    return backend


@pytest.fixture
def manager() -> CredentialsManager:
    return CredentialsManager()


def test_list_has_every_place_in_order(
    backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = configured(
        '[providers.work]\nbase_url = "https://llm.example.com/v1"\n'
        'api_key_command = ["printf", "from-the-command"]\n'
        '[providers.broken]\nbase_url = "https://b.example.com/v1"\napi_key_command = ["false"]\n'
    )
    file = CredentialsFile(manager.path)
    backend.kept[SERVICE, "openai"] = "in-the-keyring"
    file.put("openai", Entry(Secret("in-the-file"), keyring=True))
    file.put("groq", Entry(keyring=True))
    monkeypatch.setenv("OPENAI_API_KEY", "in-the-variable")
    monkeypatch.setenv("MISTRAL_API_KEY", "of-mistral")
    known = [
        KeySource("openai", "OPENAI_API_KEY", Secret("in-the-variable")),
        KeySource("openai", "keyring", Secret("in-the-keyring")),
        KeySource("openai", "file", Secret("in-the-file")),
        KeySource("mistral", "MISTRAL_API_KEY", Secret("of-mistral")),
        KeySource("groq", "keyring", None, "It is no longer there."),
    ]
    found = manager.list()
    assert sorted(found[:-2]) == sorted(known)
    assert found[-2:] == [KeySource("work", "command", None), KeySource("broken", "command", None)]
    work, broken = manager.list(run_commands=True)[-2:]
    assert work == KeySource("work", "command", Secret("from-the-command"))
    assert (broken.api_key, "exit status 1" in broken.trouble) == (None, True)


def test_list_has_keys_of_the_keyring_that_the_file_does_not_speak_of(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    CredentialsFile(manager.path).put("groq", Entry(Secret("in-the-file")))
    for name in ("openai", "groq", "ollama"):  # the last needs none, and is not asked for
        backend.kept[SERVICE, name] = f"key-of-{name}"
    found = [
        KeySource("openai", "keyring", Secret("key-of-openai")),
        KeySource("groq", "keyring", Secret("key-of-groq")),
        KeySource("groq", "file", Secret("in-the-file")),
    ]
    assert sorted(manager.list()) == sorted(found)
    assert manager.get("groq").source == "keyring"


def test_locked_keyring_is_told_in_a_list_that_may_lack_keys(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    backend.failure = LOCKED
    with pytest.warns(CredentialStoreWarning, match="locked.*that it may have are not listed"):
        assert manager.list() == []


def test_commands_of_a_list_run_at_once(tmp_path: Path) -> None:
    """Each waits for the other to have begun."""
    wait = "touch $1; until test -e $2; do sleep 0.01; done; echo the-key-of-$1"
    tables = [
        f'[providers.{own}]\nbase_url = "https://{own}.example.com/v1"\n'
        f'api_key_command = ["sh", "-c", "cd {tmp_path}; {wait}", "sh", "{own}", "{other}"]\n'
        for own, other in (("one", "two"), ("two", "one"))
    ]
    found = configured("".join(tables)).list(run_commands=True)
    assert [(key.provider, key.trouble) for key in found] == [("one", ""), ("two", "")]


def test_keyring_that_does_not_answer_is_told_in_the_list(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    manager.set("openai", KEY)
    backend.failure = LOCKED
    (found,) = manager.list()
    assert (found.api_key, "locked" in found.trouble) == (None, True)


def test_store_that_is_configured_away_is_told_in_the_list(backend: FakeKeyring) -> None:
    manager = configured('credentials.store = "keyring"\n')
    CredentialsFile(manager.path).put("openai", Entry(Secret(KEY)))
    assert [found.trouble for found in manager.list()] == ["`credentials.store` is 'keyring'."]

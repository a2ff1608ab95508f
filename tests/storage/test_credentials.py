"""`CredentialsManager`: what holds of a provider, and keys that are kept, moved and removed."""

from __future__ import annotations

import os
from pathlib import Path

import keyring.errors
import pytest

from llm_client import CredentialsManager
from llm_client.exceptions import ConfigurationError, CredentialStoreWarning
from llm_client.storage.credentials import KeySource
from llm_client.storage.credentials_file import CredentialsFile, Entry
from llm_client.storage.keyring_store import SERVICE
from llm_client.types.secret import Secret

from ..support.fake_keyring import FakeKeyring, forget_stores, use_keyring

KEY = "correct-horse-battery-staple-42"
LOCKED = keyring.errors.KeyringLocked("Failed to unlock the item!")


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


def configured(text: str) -> CredentialsManager:
    path = CredentialsManager().path.with_name("config.toml")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return CredentialsManager()


def entry(manager: CredentialsManager, provider: str = "openai") -> Entry | None:
    return CredentialsFile(manager.path).read().get(provider)


def test_credentials_of_a_provider_without_anything(manager: CredentialsManager) -> None:
    found = manager.get("OpenAI")
    assert (found.provider, found.api_key, found.source) == ("openai", None, "")
    assert found.base_url == "https://api.openai.com/v1"
    assert found.extras == {}


@pytest.mark.parametrize(
    ("environ", "source", "base_url"),
    [
        ({"OPENAI_API_KEY": KEY}, "OPENAI_API_KEY", "https://file.example.com/v1"),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://env.example.com"},
            "OPENAI_API_KEY",
            "https://env.example.com/v1",
        ),
        (
            {"OPENAI_API_KEY": "other", "LLM_CLIENT_OPENAI_API_KEY": f" {KEY}\n"},
            "LLM_CLIENT_OPENAI_API_KEY",
            "https://file.example.com/v1",
        ),
        ({"OPENAI_API_KEY": " "}, "file", "https://file.example.com/v1"),
    ],
)
def test_key_and_address_are_the_effective_ones(
    environ: dict[str, str], source: str, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = configured('[providers.openai]\nbase_url = "https://file.example.com"\n')
    manager.set("openai", KEY, store="file")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = manager.get("openai")
    assert (found.api_key, found.source, found.base_url) == (Secret(KEY), source, base_url)
    assert KEY not in repr(found)


def test_extras_are_the_fields_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = configured('[providers.azure]\nendpoint = "https://work.openai.azure.com"\n')
    found = manager.get("azure")
    assert found.extras == {"endpoint": "https://work.openai.azure.com"}
    assert found.base_url == "https://work.openai.azure.com/openai/v1"
    monkeypatch.setenv("LLM_CLIENT_AZURE_ENDPOINT", "https://other.openai.azure.com")
    assert manager.get("azure").extras == {"endpoint": "https://other.openai.azure.com"}


def test_address_that_lacks_something_is_none(manager: CredentialsManager) -> None:
    assert manager.get("azure").base_url is None


def test_unknown_provider_names_the_nearest(manager: CredentialsManager) -> None:
    for method in (manager.get, manager.remove, manager.name, lambda name: manager.set(name, KEY)):
        with pytest.raises(ConfigurationError, match="no provider 'opnai'") as caught:
            method("opnai")
        assert "Did you mean 'openai'" in str(caught.value.hint)


def test_runtime_in_this_process_takes_no_key(manager: CredentialsManager) -> None:
    with pytest.raises(ConfigurationError, match="takes no key"):
        manager.set("embedded", KEY)


def test_key_goes_into_the_keyring_and_the_file_says_so(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    assert manager.set("openai", f" {KEY}\n") == "keyring"
    assert backend.kept == {(SERVICE, "openai"): KEY}
    assert entry(manager) == Entry(keyring=True)
    found = manager.get("openai")
    assert (found.api_key, found.source) == (Secret(KEY), "keyring")


def test_without_a_keyring_the_key_goes_into_the_file(manager: CredentialsManager) -> None:
    with pytest.warns(CredentialStoreWarning, match="no keyring here.* The key goes to the file"):
        assert manager.set("openai", Secret(KEY)) == "file"
    assert entry(manager) == Entry(Secret(KEY), keyring=False)
    assert manager.get("openai").source == "file"


def test_key_of_a_login_without_a_keyring_holds_over_the_older_one_of_the_desktop(
    manager: CredentialsManager, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.set("openai", "the-key-of-the-desktop")
    with monkeypatch.context() as patch:
        patch.delenv("DBUS_SESSION_BUS_ADDRESS")
        with pytest.warns(CredentialStoreWarning, match="no session bus"):
            manager.set("openai", KEY)
    assert manager.get("openai").api_key == Secret(KEY)
    assert manager.list() == [KeySource("openai", "file", Secret(KEY))]
    assert manager.remove("openai") == ("keyring", "file")
    assert manager.get("openai").api_key is None


def test_locked_keyring_sends_the_key_into_the_file_and_is_not_asked_again(
    manager: CredentialsManager, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.kept[SERVICE, "openai"] = "an-older-key"
    backend.failure = LOCKED
    with pytest.warns(CredentialStoreWarning, match="locked.*creds move openai --to keyring"):
        assert manager.set("openai", KEY) == "file"
    assert entry(manager) == Entry(Secret(KEY), keyring=False)
    backend.failure = None
    forget_stores(monkeypatch)
    use_keyring(monkeypatch, backend)
    assert manager.get("openai").api_key == Secret(KEY)


@pytest.mark.parametrize("how", ["configured", "asked for"])
def test_keyring_that_is_wanted_and_fails_is_an_error(
    how: str, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = configured('credentials.store = "keyring"\n' if how == "configured" else "")
    backend.failure = LOCKED
    with pytest.raises(ConfigurationError, match="locked"):
        manager.set("openai", KEY, store=None if how == "configured" else "keyring")
    assert not manager.path.exists()


@pytest.mark.parametrize("how", ["configured", "asked for"])
def test_file_that_is_wanted_is_used_and_the_keyring_emptied(
    how: str, backend: FakeKeyring
) -> None:
    manager = configured('credentials.store = "file"\n' if how == "configured" else "")
    backend.kept[SERVICE, "openai"] = "an-older-key"
    assert manager.set("openai", KEY, store=None if how == "configured" else "file") == "file"
    assert backend.kept == {}
    assert manager.get("openai").api_key == Secret(KEY)


def test_store_that_is_not_asked_is_told(backend: FakeKeyring) -> None:
    manager = configured('credentials.store = "file"\n')
    with pytest.warns(CredentialStoreWarning, match="keyring is not asked for keys"):
        manager.set("openai", KEY, store="keyring")
    assert [source.trouble for source in manager.list()] == ["`credentials.store` is 'file'."]


def test_refused_file_keeps_the_key_out_of_the_keyring_too(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    manager.set("groq", "other")
    manager.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others can read"):
        manager.set("openai", KEY)
    assert [*backend.kept] == [(SERVICE, "groq")]


@pytest.mark.parametrize("store", ["keyring", "file"])
def test_key_is_removed_from_where_it_is(
    store: str, manager: CredentialsManager, backend: FakeKeyring
) -> None:
    manager.set("openai", KEY, store=store)  # type: ignore[arg-type]
    manager.set("groq", "other")
    assert manager.remove("openai") == (store,)
    assert (entry(manager), [*backend.kept]) == (None, [(SERVICE, "groq")])
    with pytest.raises(ConfigurationError, match="No key for 'openai' is stored") as caught:
        manager.remove("openai")
    assert caught.value.hint == "Store one with `llm-client creds set openai`."


def test_key_is_removed_from_both(manager: CredentialsManager, backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "openai"] = "by another program"
    CredentialsFile(manager.path).put("openai", Entry(Secret(KEY)))
    assert manager.remove("openai") == ("keyring", "file")


def test_key_that_stayed_in_the_keyring_does_not_come_back(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    CredentialsFile(manager.path).put("openai", Entry(Secret(KEY), keyring=False))
    backend.kept[SERVICE, "openai"] = "an-older-key"
    assert manager.remove("openai") == ("keyring", "file")
    assert manager.get("openai").api_key is None


def test_variable_is_named_that_cannot_be_removed(
    manager: CredentialsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigurationError) as caught:
        manager.remove("openai")
    assert caught.value.hint == "It is in a variable: `unset OPENAI_API_KEY`, where it is set."


def test_key_in_a_locked_keyring_is_not_removed(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    manager.set("openai", KEY)
    backend.failure = LOCKED
    with pytest.raises(ConfigurationError, match="locked"):
        manager.remove("openai")
    assert entry(manager) == Entry(keyring=True)


def test_key_in_the_file_is_removed_while_the_keyring_is_locked(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    CredentialsFile(manager.path).put("openai", Entry(Secret(KEY)))
    backend.failure = LOCKED
    with pytest.warns(CredentialStoreWarning, match="locked.*that it may have stays there"):
        assert manager.remove("openai") == ("file",)
    assert entry(manager) is None


def test_entry_of_a_keyring_that_is_gone_is_removed(manager: CredentialsManager) -> None:
    CredentialsFile(manager.path).put("openai", Entry(keyring=True))
    with pytest.warns(CredentialStoreWarning, match="no keyring here"):
        assert manager.remove("openai") == ()
    assert entry(manager) is None


def test_key_of_a_provider_that_is_gone_is_listed_and_removed(manager: CredentialsManager) -> None:
    CredentialsFile(manager.path).put("old.work", Entry(Secret(KEY)))
    CredentialsFile(manager.path).put("older", Entry(keyring=True))
    assert [(found.provider, found.source, found.trouble) for found in manager.list()] == [
        ("old.work", "file", "There is no provider 'old.work'."),
        ("older", "keyring", "There is no provider 'older'."),
    ]
    assert manager.remove("old.work") == ("file",)
    with pytest.raises(ConfigurationError, match="No key for 'older' is in the file") as caught:
        CredentialsFile(manager.path).put("older", Entry(keyring=False))
        manager.move("older", "keyring")
    assert caught.value.hint == "`llm-client creds list` shows what there is."


def test_key_moves_there_and_back(manager: CredentialsManager, backend: FakeKeyring) -> None:
    manager.set("openai", KEY)
    assert manager.stored() == {"openai": "keyring"}
    assert manager.move("openai", "file")
    assert (entry(manager), backend.kept) == (Entry(Secret(KEY), keyring=False), {})
    assert manager.stored() == {"openai": "file"}
    assert not manager.move("openai", "file")
    assert manager.move("openai", "keyring")
    assert (entry(manager), backend.kept) == (Entry(keyring=True), {(SERVICE, "openai"): KEY})
    assert not manager.move("openai", "keyring")


@pytest.mark.parametrize("to", ["keyring", "file"])
def test_move_that_fails_loses_nothing(
    to: str, manager: CredentialsManager, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.set("openai", KEY, store="file" if to == "keyring" else "keyring")
    before = (manager.path.read_bytes(), dict(backend.kept))
    if to == "keyring":
        backend.loses = True
    else:
        monkeypatch.setattr(os, "replace", _full_disk)
    with pytest.raises(ConfigurationError):
        manager.move("openai", to)  # type: ignore[arg-type]
    assert (manager.path.read_bytes(), backend.kept) == before


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_file_that_does_not_keep_the_key_is_told(
    manager: CredentialsManager, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.set("openai", KEY)
    monkeypatch.setattr(CredentialsFile, "put", lambda *_: None)
    with pytest.raises(ConfigurationError, match="did not keep the key"):
        manager.move("openai", "file")
    assert backend.kept == {(SERVICE, "openai"): KEY}


def test_key_that_the_keyring_does_not_let_go_is_in_both(
    manager: CredentialsManager, backend: FakeKeyring
) -> None:
    manager.set("openai", KEY)
    backend.never_deletes = True
    with pytest.raises(ConfigurationError, match="in the file now, and in the keyring still"):
        manager.move("openai", "file")
    assert manager.get("openai").source == "file"
    assert backend.kept == {(SERVICE, "openai"): KEY}
    backend.never_deletes = False
    assert not manager.move("openai", "file")
    assert backend.kept == {}


def test_key_that_goes_nowhere_is_not_said_to_go_to_the_file(
    manager: CredentialsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", _full_disk)
    with pytest.raises(ConfigurationError, match="Cannot write the credentials"):
        manager.set("openai", KEY)  # a warning would be an error of another kind here


def test_key_that_is_kept_and_cannot_be_noted_is_told(
    manager: CredentialsManager, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", _full_disk)
    with pytest.raises(
        ConfigurationError, match=r"is in the keyring, but that is not noted: .*space"
    ):
        manager.set("openai", KEY)
    assert manager.get("openai").source == "keyring"


@pytest.mark.parametrize("to", ["keyring", "file"])
def test_nothing_to_move_is_told(
    to: str, manager: CredentialsManager, backend: FakeKeyring
) -> None:
    with pytest.raises(ConfigurationError, match="No key for 'openai' is in the"):
        manager.move("openai", to)  # type: ignore[arg-type]


def test_credentials_stand_beside_the_configuration_that_is_named(tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text("")
    assert CredentialsManager(config_path=config).path == tmp_path / "credentials.toml"
    assert CredentialsManager(config_path=str(config), environ={}).variable("openai") is None

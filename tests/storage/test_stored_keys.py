"""Where a key is looked for that no variable has: keyring, credentials file, command, in order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import keyring.errors
import pytest

from llm_client import CredentialsManager
from llm_client.exceptions import ConfigurationError, CredentialStoreWarning
from llm_client.policy.route import configured_row, resolve_key
from llm_client.providers.catalog import CATALOG
from llm_client.storage.credentials_file import CredentialsFile, Entry
from llm_client.storage.keyring_store import SERVICE
from llm_client.storage.paths import credentials_path
from llm_client.storage.seen_keys import seen_keys
from llm_client.storage.stored_keys import StoredKeys
from llm_client.types.config import ProviderSettings, Settings
from llm_client.types.secret import Secret

from ..support.fake_keyring import FakeKeyring, forget_stores, use_keyring

SOURCES = ("code", "LLM_CLIENT_OPENAI_API_KEY", "OPENAI_API_KEY", "keyring", "file", "command")
"""From the highest down: DESIGN.md, section 8."""
KEYS = {source: f"key-of-{source.lower().replace('_', '-')}" for source in SOURCES}
COMMAND = ("printf", KEYS["command"])
OPENAI, OLLAMA = CATALOG["openai"], CATALOG["ollama"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_stores(monkeypatch)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    backend = FakeKeyring()
    use_keyring(monkeypatch, backend)
    return backend


def file() -> CredentialsFile:
    return CredentialsFile(credentials_path(None, os.environ))


def settings(*, command: tuple[str, ...] | None = None, **more: Any) -> Settings:
    own = {"openai": ProviderSettings(api_key_command=command)} if command else {}
    return Settings(providers=own, **more)


def stored(given: Settings | None = None, environ: Mapping[str, str] | None = None) -> StoredKeys:
    return StoredKeys(given or Settings(), environ or os.environ)


@pytest.mark.parametrize(
    "present",
    [pair for count in (1, 2, 6) for pair in combinations(SOURCES, count)],
    ids=" and ".join,
)
def test_highest_source_that_is_there_has_the_key(
    present: tuple[str, ...], backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in {"LLM_CLIENT_OPENAI_API_KEY", "OPENAI_API_KEY"} & {*present}:
        monkeypatch.setenv(variable, KEYS[variable])
    if "keyring" in present:
        backend.kept[SERVICE, "openai"] = KEYS["keyring"]
    if "file" in present:
        file().put("openai", Entry(Secret(KEYS["file"])))
    given = settings(command=COMMAND if "command" in present else None)
    found = resolve_key(
        configured_row("openai", given),
        os.environ,
        given=KEYS["code"] if "code" in present else None,
        stored=stored(given),
    )
    assert found is not None
    assert found.reveal() == KEYS[present[0]]
    if present[0] in ("code", "LLM_CLIENT_OPENAI_API_KEY", "OPENAI_API_KEY"):
        assert backend.asked == []


def test_variable_that_names_the_variable_of_the_key_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_CLIENT_OPENAI_API_KEY_ENV", "WORK_KEY")
    monkeypatch.setenv("WORK_KEY", "key-of-work")
    found = CredentialsManager().get("openai")
    assert (found.api_key, found.source) == (Secret("key-of-work"), "WORK_KEY")


def test_without_any_source_the_error_says_both_ways(backend: FakeKeyring) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_key(OPENAI, {}, stored=stored())
    assert caught.value.hint == (
        "Run `llm-client creds set openai` or set OPENAI_API_KEY: `export OPENAI_API_KEY=…`."
    )
    assert backend.asked == [("get", "openai")]


def test_provider_without_need_of_a_key_asks_no_keyring(backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "ollama"] = "never-asked-for"
    assert stored()(OLLAMA) is None
    file().put("ollama", Entry(Secret("from-the-file")))
    assert stored()(OLLAMA) == Secret("from-the-file")
    assert backend.asked == []
    file().put("ollama", Entry(keyring=True))
    assert stored()(OLLAMA) == Secret("never-asked-for")


def test_entry_may_say_that_the_keyring_is_not_asked(backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "openai"] = "an-older-key"
    file().put("openai", Entry(Secret("the-new-key"), keyring=False))
    assert stored()(OPENAI) == Secret("the-new-key")
    assert backend.asked == []


@pytest.mark.parametrize(
    ("store", "expected"),
    [("auto", KEYS["keyring"]), ("keyring", KEYS["keyring"]), ("file", KEYS["file"])],
)
def test_configured_store_is_the_only_one(store: Any, expected: str, backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "openai"] = KEYS["keyring"]
    file().put("openai", Entry(Secret(KEYS["file"])))
    assert stored(settings(credentials_store=store))(OPENAI) == Secret(expected)
    del backend.kept[SERVICE, "openai"]
    found = stored(settings(credentials_store=store))(OPENAI)
    assert found == (None if store == "keyring" else Secret(KEYS["file"]))


def test_key_is_looked_for_once(backend: FakeKeyring) -> None:
    keys = stored()
    backend.kept[SERVICE, "openai"] = KEYS["keyring"]
    assert keys.find(OPENAI) == keys.find(OPENAI) == (Secret(KEYS["keyring"]), "keyring")
    assert backend.asked == [("get", "openai")]


def test_every_key_that_is_found_is_noted_for_masking(backend: FakeKeyring) -> None:
    backend.kept[SERVICE, "openai"] = "noted-from-the-keyring"
    file().put("groq", Entry(Secret("noted-from-the-file"), keyring=False))
    keys = stored(settings(command=("printf", "noted-from-the-command")))
    assert keys(OPENAI) and keys(CATALOG["groq"]) and keys.from_command("openai")  # noqa: PT018
    texts = {key.reveal() for key in seen_keys()}
    assert {f"noted-from-the-{where}" for where in ("keyring", "file", "command")} <= texts


def test_runtime_in_this_process_has_no_key(backend: FakeKeyring) -> None:
    file().put("embedded", Entry(Secret("for nothing")))
    assert stored()(CATALOG["embedded"]) is None
    assert backend.asked == []


LOCKED = keyring.errors.KeyringLocked("Failed to unlock the item!")


def test_locked_keyring_is_told_once_where_it_should_have_the_key(backend: FakeKeyring) -> None:
    backend.failure = LOCKED
    file().put("openai", Entry(keyring=True))
    with pytest.warns(CredentialStoreWarning, match="The keyring is locked.*Log in") as caught:
        assert stored()(OPENAI) is None
    assert len(caught) == 1
    assert stored()(OPENAI) is None  # a second warning would be an error here


def test_locked_keyring_is_told_where_nothing_else_has_the_key(backend: FakeKeyring) -> None:
    backend.failure = LOCKED
    with pytest.warns(CredentialStoreWarning, match="The keyring is locked"):
        assert stored()(OPENAI) is None


def test_locked_keyring_is_no_matter_where_the_file_has_the_key(backend: FakeKeyring) -> None:
    backend.failure = LOCKED
    file().put("openai", Entry(Secret(KEYS["file"])))
    assert stored()(OPENAI) == Secret(KEYS["file"])


def test_key_that_is_gone_from_the_keyring_is_told(backend: FakeKeyring) -> None:
    file().put("openai", Entry(keyring=True))
    with pytest.warns(CredentialStoreWarning, match="The key for 'openai' is no longer in"):
        assert stored()(OPENAI) is None


def test_keyring_that_is_not_there_is_told_only_where_it_is_said_to_be() -> None:
    assert stored()(OPENAI) is None
    file().put("openai", Entry(keyring=True))
    with pytest.warns(CredentialStoreWarning, match="There is no keyring here"):
        assert stored()(OPENAI) is None


def test_file_that_is_refused_is_an_error_where_a_key_is_needed(backend: FakeKeyring) -> None:
    file().put("openai", Entry(Secret(KEYS["file"])))
    file().path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others can read"):
        stored()(OPENAI)
    with pytest.warns(CredentialStoreWarning, match="Others can read.*chmod 600"):
        assert stored()(OLLAMA) is None
    assert stored().holds("openai") == ""


def test_directory_that_cannot_be_looked_into_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", denied)
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ConfigurationError, match=r"Cannot read the credentials .* Permission"):
        stored()(OPENAI)


@pytest.mark.parametrize("spec", [OPENAI, OLLAMA], ids=lambda row: str(row.name))
def test_command_that_fails_is_an_error(spec: Any) -> None:
    own = {spec.name: ProviderSettings(api_key_command=("false",))}
    with pytest.raises(ConfigurationError, match="'false', failed with exit status 1"):
        stored(Settings(providers=own))(spec)


def test_command_of_a_variable_holds_over_that_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    config.chmod(0o666)
    given = settings(command=COMMAND, source=str(config))
    keys = StoredKeys(given, os.environ)
    with pytest.raises(ConfigurationError, match="can be written by others"):
        keys(OPENAI)
    for said in ("printf of-the-variable", '["printf", "of-the-variable"]'):
        monkeypatch.setenv("LLM_CLIENT_OPENAI_API_KEY_COMMAND", said)
        assert StoredKeys(given, os.environ)(OPENAI) == Secret("of-the-variable")
    monkeypatch.setenv("LLM_CLIENT_OPENAI_API_KEY_COMMAND", "[")
    with pytest.raises(ConfigurationError, match="LLM_CLIENT_OPENAI_API_KEY_COMMAND must be"):
        StoredKeys(given, os.environ)(OPENAI)


def test_command_of_a_private_configuration_runs(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    config.chmod(0o600)
    given = settings(command=COMMAND, source=str(config))
    assert StoredKeys(given, os.environ).find(OPENAI) == (Secret(KEYS["command"]), "command")


def test_what_holds_a_key_is_told_without_a_look(backend: FakeKeyring) -> None:
    file().put("openai", Entry(keyring=True))
    file().put("groq", Entry(Secret("g")))
    own = {"xai": ProviderSettings(api_key_command=("false",))}
    expected = {"openai": "keyring", "groq": "file", "xai": "command", "mistral": ""}
    keys = stored(Settings(providers=own))
    assert {name: keys.holds(name) for name in expected} == expected
    only = stored(Settings(credentials_store="file"))
    assert (only.holds("openai"), only.holds("groq")) == ("", "file")
    other = stored(Settings(credentials_store="keyring"))
    assert (other.holds("openai"), other.holds("groq")) == ("keyring", "")
    assert backend.asked == []

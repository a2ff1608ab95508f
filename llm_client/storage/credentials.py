"""Keys of providers: what holds of each, and keeping, moving and removing those that are stored.

Owns the choice between keyring and file when a key is kept, and that a key is never in neither:
the old place is emptied when the new one has been read back. Which source holds when a key is
needed is decided by `stored_keys.py`, behind the variables.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal, NamedTuple, TypeAlias

from ..exceptions import ConfigurationError
from ..policy.blanks import Blanks
from ..policy.route import configured_row, key_variables, resolve_target
from ..providers.catalog import CATALOG
from ..types.config import LLMConfig, ProviderSettings
from ..types.secret import Secret
from ..types.target import ProviderSpec
from .config import load_settings
from .credentials_file import CredentialsFile, Entry, checked_key
from .keyring_store import KeyringStore, KeyringTrouble
from .seen_keys import remember
from .stored_keys import StoredKeys, warn_once

__all__ = ["Credentials", "CredentialsManager", "KeySource", "Store"]

Store: TypeAlias = Literal["keyring", "file"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a provider is reached with."""

    provider: str
    api_key: Secret | None
    """`None`: there is none."""
    base_url: str | None
    """The effective address; `None`: something that it is made of is missing."""
    extras: Mapping[str, str]
    """What else its address and headers are made of, by the names of the provider's fields: Azure's
    `endpoint`, `api_version`…"""
    source: str
    """Where the key is from: the name of a variable, `keyring`, `file` or `command`; empty: there
    is none."""


class KeySource(NamedTuple):
    """A place where a key of a provider is."""

    provider: str
    source: str
    """The name of a variable, `keyring`, `file` or `command`."""
    api_key: Secret | None
    """`None`: it could not be read, or the command was not run."""
    trouble: str = ""
    """Why it cannot be used; empty: it can, as far as is known."""


class CredentialsManager:
    """Reads and keeps the keys of providers.

    Every method may wait: for the disk, the keyring (which may ask for its password), a command.
    """

    def __init__(
        self,
        *,
        config_path: str | Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Read the configuration.

        Args:
            config_path: of the configuration file; `None` looks in the usual places.
            environ: where variables are looked up.

        Raises:
            ConfigurationError: the configuration cannot be understood.
        """
        path = Path(config_path) if config_path is not None else None
        self._environ = environ
        self._settings = load_settings(path, environ)
        self._file = CredentialsFile(self._stored().path)
        self._keyring = KeyringStore(environ)

    @property
    def path(self) -> Path:
        """Where the credentials file is, whether it exists or not."""
        return self._file.path

    def get(self, provider: str) -> Credentials:
        """Return what a provider is reached with, as a call of it would find it.

        Raises:
            ConfigurationError: there is no such provider, or a source of keys fails.
        """
        row = configured_row(provider, self._settings, self._environ)
        variable = next(self._variables(row), None)
        if variable is not None:
            key: Secret | None = remember(Secret(self._environ[variable].strip()))
            source = variable
        else:
            key, source = self._stored().find(row)
        own = self._settings.providers.get(row.name, ProviderSettings())
        extras = Blanks(row, "", {}, own.fields, self._environ).values()
        return Credentials(row.name, key, self._base_url(row), extras, source)

    def set(self, provider: str, key: str | Secret, *, store: Store | None = None) -> Store:
        """Keep the key of a provider; return where.

        Args:
            provider: whose it is.
            key: without regard to blanks around it.
            store: where to keep it; `None`: as configured, else in the keyring if there is one.

        Raises:
            ConfigurationError: there is no such provider, the key cannot be one, or the store does
                not keep it.
        """
        name = self.name(provider)
        secret = checked_key(key if isinstance(key, str) else key.reveal(), name)
        self._file.read()  # before anything is kept that it could not be told of
        self._warn_of_other(store)
        wanted = store or self._settings.credentials_store
        why = ""
        if wanted != "file":
            try:
                self._keyring.set(name, secret)
            except KeyringTrouble as trouble:
                if wanted == "keyring":
                    raise
                later = f" Later: `llm-client creds move {name} --to keyring`."
                why = f"{trouble} The key goes to the file.{'' if trouble.is_absent else later}"
            else:
                self._note_in_file(name)
                return "keyring"
        self._keep_in_file(name, secret)
        warn_once(why)  # now that it has gone there
        with suppress(KeyringTrouble):  # the entry says not to ask there
            self._keyring.delete(name)
        return "file"

    def remove(self, provider: str) -> tuple[Store, ...]:
        """Remove the stored key of a provider; return from where.

        Raises:
            ConfigurationError: nothing is stored, or the store does not let it go.
        """
        name = self.name(provider)
        entry = self._file.read().get(name)
        removed: list[Store] = []
        try:
            # Also where the entry says not to ask there: that goes now, and an older key would hold.
            if self._keyring.delete(name):
                removed.append("keyring")
        except KeyringTrouble as trouble:
            is_said = entry is not None and bool(entry.keyring)
            if is_said and not trouble.is_absent:
                raise
            if is_said or not trouble.is_absent:
                warn_once(f"{trouble} A key that it may have stays there.")
        if entry is not None:
            self._file.put(name, Entry())
            if entry.api_key is not None:
                removed.append("file")
        if not removed and entry is None:
            raise ConfigurationError(f"No key for {name!r} is stored.", hint=self._elsewhere(name))
        return tuple(removed)

    def move(self, provider: str, to: Store) -> bool:
        """Move the key of a provider to the other store; return whether it was not there already.

        The old one is deleted when the new one has been read back.

        Raises:
            ConfigurationError: nothing is stored, or a store fails; the key is where it was, or
                in both.
        """
        name = self.name(provider)
        entry = self._file.read().get(name, Entry())
        self._warn_of_other(to)
        if to == "keyring":
            if entry.api_key is None:
                if entry.keyring:
                    return False
                raise ConfigurationError(
                    f"No key for {name!r} is in the file.", hint=self._elsewhere(name)
                )
            self._keyring.set(name, entry.api_key)
            self._note_in_file(name)
            return True
        if entry.api_key is not None:
            if entry.keyring is False:  # what an earlier move could not delete
                with suppress(KeyringTrouble):
                    self._keyring.delete(name)
            return False
        key = self._keyring.get(name)
        if key is None:
            raise ConfigurationError(
                f"No key for {name!r} is in the keyring.", hint=self._elsewhere(name)
            )
        self._keep_in_file(name, key)
        try:
            self._keyring.delete(name)
        except KeyringTrouble as trouble:
            raise ConfigurationError(
                f"The key for {name!r} is in the file now, and in the keyring still: {trouble}",
                hint=trouble.hint,
            ) from None
        return True

    def list(self, *, run_commands: bool = False) -> list[KeySource]:
        """Return every place where a key is, by provider; of each the first that works holds.

        Args:
            run_commands: whether an `api_key_command` is run, or only listed.

        Raises:
            ConfigurationError: the credentials file is refused, or cannot be understood.
        """
        entries = self._file.read()
        names = dict.fromkeys([*CATALOG, *self._settings.providers, *entries])
        if run_commands:
            self._run_commands(names)
        for name in self._unnoted(entries):
            entries[name] = entries.get(name, Entry())._replace(keyring=True)
        return [
            source
            for name in names
            for source in self._sources(name, entries.get(name, Entry()), run_commands)
        ]

    def stored(self) -> dict[str, Store]:
        """Return which store has the key of a provider, as the credentials file says.

        Raises:
            ConfigurationError: it is refused, or cannot be understood.
        """
        return {
            name: "file" if entry.api_key is not None else "keyring"
            for name, entry in self._file.read().items()
            if entry.api_key is not None or entry.keyring
        }

    def variable(self, provider: str) -> str | None:
        """Return the variable that has the key of a provider, whatever is stored.

        Raises:
            ConfigurationError: there is no such provider.
        """
        return next(self._variables(configured_row(provider, self._settings, self._environ)), None)

    def _warn_of_other(self, store: Store | None) -> None:
        configured = self._settings.credentials_store
        if store is not None and configured not in ("auto", store):
            warn_once(f"The {store} is not asked for keys: `credentials.store` is {configured!r}.")

    def _sources(self, name: str, entry: Entry, run_commands: bool) -> Iterator[KeySource]:
        try:
            row = configured_row(name, self._settings, self._environ)
        except ConfigurationError as error:
            where = "file" if entry.api_key is not None else "keyring"
            yield KeySource(name, where, entry.api_key, error.message)
            return
        for variable in self._variables(row):
            value = remember(Secret(self._environ[variable].strip()))
            yield KeySource(name, variable, value)
        store = self._settings.credentials_store
        unused = f"`credentials.store` is {store!r}."
        if entry.keyring:
            yield (
                self._in_keyring(name)
                if store != "file"
                else KeySource(name, "keyring", None, unused)
            )
        if entry.api_key is not None:
            yield KeySource(name, "file", entry.api_key, unused if store == "keyring" else "")
        if self._stored().command(name):
            yield self._by_command(name) if run_commands else KeySource(name, "command", None)

    def _unnoted(self, entries: Mapping[str, Entry]) -> Sequence[str]:
        """Return whose keys are found in the keyring though the file does not say so.

        Another program put them there, or the file was lost.
        """
        if self._settings.credentials_store == "file":
            return ()
        needing = (row.name for row in CATALOG.values() if row.key_required)
        unsaid = [name for name in needing if entries.get(name, Entry()).keyring is None]
        try:
            return self._keyring.holders(unsaid)
        except KeyringTrouble as trouble:
            is_told = any(entry.keyring for entry in entries.values())
            if not (trouble.is_absent or is_told):
                warn_once(f"{trouble} Keys that it may have are not listed.")
            return ()

    def _in_keyring(self, name: str) -> KeySource:
        try:
            key = self._keyring.get(name)
        except KeyringTrouble as trouble:
            return KeySource(name, "keyring", None, str(trouble))
        return KeySource(name, "keyring", key, "" if key else "It is no longer there.")

    def _run_commands(self, names: Iterable[str]) -> None:
        """Run the commands of providers at once: slow ones would add up. Their keys are kept."""
        having = [name for name in names if self._stored().command(name)]
        threads = [Thread(target=self._by_command, args=(name,), daemon=True) for name in having]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _by_command(self, name: str) -> KeySource:
        try:
            return KeySource(name, "command", self._stored().from_command(name))
        except ConfigurationError as error:
            return KeySource(name, "command", None, str(error))

    def _note_in_file(self, name: str) -> None:
        try:
            self._file.put(name, Entry(keyring=True))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"The key for {name!r} is in the keyring, but that is not noted: {error}",
                hint=error.hint,
            ) from None

    def _keep_in_file(self, name: str, key: Secret) -> None:
        # A keyring with an older key must not be asked; here may be none, and there may be one
        # at the next login.
        self._file.put(name, Entry(key, keyring=False))
        if self._file.read().get(name, Entry()).api_key != key:
            raise ConfigurationError(f"The file {str(self.path)!r} did not keep the key.")

    def _variables(self, row: ProviderSpec) -> Iterator[str]:
        """Yield the variables that are set, the one that holds first."""
        for variable in key_variables(row):
            if self._environ.get(variable, "").strip():
                yield variable

    def _base_url(self, row: ProviderSpec) -> str | None:
        try:
            # The address does not depend on the key, which must not be missing.
            config = LLMConfig(provider=row.name, api_key=Secret("-"))
            return resolve_target(config, self._settings, self._environ).base_url
        except ConfigurationError:
            return None

    def _stored(self) -> StoredKeys:
        """Return the stores as they are now."""
        return StoredKeys(self._settings, self._environ)

    def name(self, provider: str) -> str:
        """Return the name of a provider as it is configured or stored, in the right letters.

        Raises:
            ConfigurationError: there is none, neither known nor in the credentials file, or it
                takes no key.
        """
        if provider in self._file.read():
            return provider
        row = configured_row(provider, self._settings, self._environ)
        if row.is_in_process:
            raise ConfigurationError(f"{row.name!r} runs in this process and takes no key.")
        return row.name

    def _elsewhere(self, name: str) -> str:
        """Return where a key of a provider is besides, for a hint."""
        try:
            row = configured_row(name, self._settings, self._environ)
        except ConfigurationError:
            return "`llm-client creds list` shows what there is."
        if variable := next(self._variables(row), None):
            return f"It is in a variable: `unset {variable}`, where it is set."
        return f"Store one with `llm-client creds set {row.name}`."

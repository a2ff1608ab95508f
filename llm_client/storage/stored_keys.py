"""The key of a provider, where no variable has it: keyring, credentials file, `api_key_command`.

Owns the order of these, and whom the keyring is asked for: providers that need a key, and those of
which the file says that it has theirs. So a local server costs a look whether the file exists. It
is imported at every start, and what it needs is not.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ..exceptions import ConfigurationError, CredentialStoreWarning
from ..types.config import Settings
from ..types.secret import Secret
from ..types.target import ProviderSpec, variable_part
from .paths import credentials_path

if TYPE_CHECKING:
    from .credentials_file import Entry

__all__ = ["StoredKeys", "warn_once"]

Found: TypeAlias = tuple[Secret | None, str]
"""A key, and where it was found."""

NOWHERE: Final[Found] = (None, "")
_told: dict[str, object] = {}


class StoredKeys:
    """Keys by one configuration and environment. What was found stays found."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._found: dict[str, Found] = {}
        self._entries: Mapping[str, Entry] | None = None

    @property
    def path(self) -> Path:
        """Where the credentials file is, whether it exists or not."""
        return credentials_path(self._settings.source, self._environ)

    def __call__(self, row: ProviderSpec) -> Secret | None:
        """Return the key of a provider; `None` when there is none.

        Raises:
            ConfigurationError: the credentials file is refused and the provider needs a key, or
                the `api_key_command` fails.
        """
        return self.find(row)[0]

    def find(self, row: ProviderSpec) -> Found:
        """Return the key of a provider, and where it is: `keyring`, `file`, `command`.

        Raises:
            ConfigurationError: as when it is called.
        """
        if row.name not in self._found:
            self._found[row.name] = NOWHERE if row.is_in_process else self._find(row)
        return self._found[row.name]

    def holds(self, provider: str) -> str:
        """Return where the key of a provider is said to be, without a look there.

        Returns:
            `keyring`, `file`, `command`, or an empty text.
        """
        entry, store = self._entry_or_warning(provider), self._settings.credentials_store
        if entry is not None and entry.keyring and store != "file":
            return "keyring"
        if entry is not None and entry.api_key and store != "keyring":
            return "file"
        return "command" if self.command(provider) else ""

    def command(self, provider: str) -> Sequence[str] | None:
        """Return the command that prints the key of a provider."""
        variable = f"LLM_CLIENT_{variable_part(provider)}_API_KEY_COMMAND"
        if said := self._environ.get(variable, "").strip():
            from ..policy.setting_schema import find_setting
            from ..policy.variables import read_variable

            setting = find_setting(("providers", provider, "api_key_command"))
            words: Sequence[str] = read_variable(setting, variable, said)
            return words
        own = self._settings.providers.get(provider)
        return own.api_key_command if own is not None else None

    def from_command(self, provider: str) -> Secret | None:
        """Return the key that the command of a provider prints; `None`: it has none.

        Raises:
            ConfigurationError: it fails, or others could have written it.
        """
        command: Sequence[str] | None = self.command(provider)
        if command is None:
            return None
        from .key_command import check_source, key_from_command

        own, source = self._settings.providers.get(provider), self._settings.source
        is_in_file = own is not None and own.api_key_command == command
        if is_in_file and source is not None:  # what a variable says is nobody else's
            check_source(source)
        return key_from_command(command, provider, self._environ)

    def entries(self) -> Mapping[str, Entry]:
        """Return what the credentials file says, read once.

        Raises:
            ConfigurationError: it is refused, or cannot be understood.
        """
        if self._entries is None:
            self._entries = self._read()
        return self._entries

    def _read(self) -> Mapping[str, Entry]:
        path = self.path
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError:
            pass  # reading it says what is wrong
        from .credentials_file import CredentialsFile

        return CredentialsFile(path).read()

    def _find(self, row: ProviderSpec) -> Found:
        if row.key_required:
            entry = self.entries().get(row.name)
        else:
            entry = self._entry_or_warning(row.name)
            if entry is None:
                return self._by_command(row)
        is_in_keyring = entry.keyring if entry is not None else None
        trouble, store = "", self._settings.credentials_store
        if store != "file" and (row.key_required if is_in_keyring is None else is_in_keyring):
            from .keyring_store import KeyringStore, KeyringTrouble

            try:
                key = KeyringStore(self._environ).get(row.name)
            except KeyringTrouble as error:
                key = None
                # That there is no keyring needs no words where nobody speaks of one.
                trouble = "" if error.is_absent and not is_in_keyring else f"{error} {error.hint}"
            else:
                if key is None and is_in_keyring:
                    trouble = f"The key for {row.name!r} is no longer in the keyring."
            if key is not None:
                return key, "keyring"
        if is_in_keyring:
            warn_once(trouble)
        if store != "keyring" and entry is not None and entry.api_key is not None:
            return entry.api_key, "file"
        found = self._by_command(row)
        if found[0] is None:
            warn_once(trouble)
        return found

    def _by_command(self, row: ProviderSpec) -> Found:
        key = self.from_command(row.name)
        return NOWHERE if key is None else (key, "command")

    def _entry_or_warning(self, provider: str) -> Entry | None:
        """Return what the file says of a provider; a file that is refused is only warned of."""
        try:
            return self.entries().get(provider)
        except ConfigurationError as error:
            warn_once(f"{error} {error.hint or ''}".strip())
            self._entries = {}
            return None


def warn_once(text: str) -> None:
    """Warn of a store, once in this process; an empty text is nothing to warn of."""
    own = object()  # several threads may come with the same trouble
    if text and _told.setdefault(text, own) is own:
        warnings.warn(text, CredentialStoreWarning, stacklevel=2)

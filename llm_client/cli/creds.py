"""`llm-client creds set`, `remove` and `move`: keys into a store, out of it, and to the other.

Owns what is said about it, which is never a key. Where keys are kept is decided by
`storage/credentials.py`.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from ..exceptions import ConfigurationError, LLMError
from ..storage.credentials import CredentialsManager, Store
from ..types.secret import redact
from .environment import Environment
from .exit_status import ExitStatus, UsageError, exit_status
from .key_input import read_key
from .render.plain import emit
from .render.sanitize import neutralise
from .report import report_line

__all__ = ["move_keys", "remove_key", "set_key"]

_LONGEST_NAME = 40
"""Characters. What is longer is a key that stands in the wrong place."""


def set_key(
    provider: str, store: Store | None, config_path: Path | None, environment: Environment
) -> int:
    """Keep a key; return the exit status.

    Raises:
        LLMError: there is no such provider, no key, or no store that keeps it.
    """
    if len(provider) > _LONGEST_NAME or redact(provider) != provider:
        raise UsageError(
            "The name of a provider is wanted; this looks like a key. Replace it: it is in the "
            "history of the shell now.",
            hint="`llm-client creds set PROVIDER`, and type the key when asked.",
        )
    manager = _manager(config_path, environment)
    name = manager.name(provider)  # before anybody types a key in vain
    kept = manager.set(name, read_key(name, environment), store=store)
    _say(f"The key for {name!r} is in {_place(kept, manager)}.", environment)
    _warn_of_variable(manager, name, "holds instead")
    return ExitStatus.ANSWERED


def remove_key(provider: str, config_path: Path | None, environment: Environment) -> int:
    """Remove a key; return the exit status.

    Raises:
        LLMError: there is none, or its store does not let it go.
    """
    manager = _manager(config_path, environment)
    removed = manager.remove(provider)
    if removed:
        _say(f"The key for {provider!r} is removed from {_places(removed)}.", environment)
    else:
        _say(f"The entry of {provider!r} is removed; there was no key any more.", environment)
    _warn_of_variable(manager, provider, "is set still")
    return ExitStatus.ANSWERED


def move_keys(
    provider: str | None, to: Store, config_path: Path | None, environment: Environment
) -> int:
    """Move the key of a provider, or all; return the exit status.

    Raises:
        LLMError: the key of the one that is named cannot be moved.
    """
    manager = _manager(config_path, environment)
    if provider is not None:
        moved = manager.move(provider, to)
        was = "is" if moved else "was already"
        _say(f"The key for {provider!r} {was} in {_place(to, manager)}.", environment)
        return ExitStatus.ANSWERED
    status = ExitStatus.ANSWERED
    names = [name for name, store in manager.stored().items() if store != to]
    if not names:
        _say(f"Nothing to move: no key is in the {_other(to)}.", environment)
    for name in names:
        try:
            manager.move(name, to)
        except LLMError as error:
            report_line(name, error, environment)
            status = exit_status(error)
        else:
            _say(f"The key for {name!r} is in {_place(to, manager)}.", environment)
    return status


def _manager(config_path: Path | None, environment: Environment) -> CredentialsManager:
    return CredentialsManager(config_path=config_path, environ=environment.environ)


def _say(text: str, environment: Environment) -> None:
    emit(environment.stdout, f"{neutralise(text)}\n")


def _place(store: Store, manager: CredentialsManager) -> str:
    if store == "keyring":
        return "the keyring"
    return f"{str(manager.path)!r}, which only you can read"


def _places(stores: tuple[Store, ...]) -> str:
    return " and ".join(f"the {store}" for store in stores)


def _other(store: Store) -> Store:
    return "file" if store == "keyring" else "keyring"


def _warn_of_variable(manager: CredentialsManager, provider: str, what: str) -> None:
    try:
        variable = manager.variable(provider)
    except ConfigurationError:  # a key may have outlived its provider, which has no variable
        return
    if variable is not None:
        warnings.warn(f"{variable} {what}: `unset {variable}`.", stacklevel=2)

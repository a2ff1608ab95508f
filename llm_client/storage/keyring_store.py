"""Keys in the keyring of the system: Secret Service, macOS Keychain, Windows, KWallet.

Owns how the `keyring` package is asked: not at all where no keyring can be, never for longer than
somebody needs to answer a prompt, and not again for a while after it did not answer. A keyring that
keeps keys readable is none: the credentials file, whose rights are checked, is better.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..exceptions import ConfigurationError
from ..types.secret import Secret, redact
from .credentials_file import checked_key

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["SERVICE", "KeyringStore", "KeyringTrouble", "can_exist"]

T = TypeVar("T")
Backends: TypeAlias = "list[KeyringBackend]"

SERVICE = "llm_client"
"""Under which the keyring has the keys, each with the name of its provider as the user."""
ALONE_SECONDS = 5.0
"""Where nobody can answer a prompt; a keyring that is open takes 0.03."""
PROMPT_SECONDS = 60.0
"""Where somebody can, who has to find the password first."""
QUIET_SECONDS = 60.0
"""How long a keyring that did not answer is not asked again."""
_TURNED_OFF = ("keyring.backends.null.", "keyring.backends.fail.")
_INSTEAD = "keep the key in a file with `llm-client creds set PROVIDER --store file`"
_UNLOCK = (
    "Log in to the desktop, which unlocks it, or without one start it with its password "
    '(`killall gnome-keyring-daemon; read -rs P; printf %s "$P" | gnome-keyring-daemon --unlock`)'
)
"""One that runs cannot be unlocked from the command line; a line break would be taken for a part of
the password (gnome-keyring 42.1, tried 2026-11)."""
_START_BUS = "Log in to a desktop or start a session (`dbus-run-session -- bash`)"


class KeyringTrouble(ConfigurationError):
    """The keyring cannot be used."""

    is_absent = False
    """Whether there is none; else there is one that does not answer."""
    is_lasting = True
    """Whether the next question would end the same way."""


class _State:
    """What holds for the process: one request at a time, and none after a failure."""

    lock = threading.Lock()
    trouble: KeyringTrouble | None = None
    until = 0.0


class KeyringStore:
    """The keys of this program in the keyring."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, provider: str) -> Secret | None:
        """Return the key of a provider; `None` when the keyring has none.

        Raises:
            KeyringTrouble: it cannot be asked.
        """
        text = self._ask(lambda backends: _password(backends, provider))
        if text is None:
            return None
        try:
            return checked_key(text, provider)
        except ConfigurationError as error:
            trouble = _trouble(f"In the keyring: {error}", error.hint or "")
            trouble.is_lasting = False
            raise trouble from None

    def holders(self, providers: Sequence[str]) -> list[str]:
        """Return which of some providers the keyring has a key of.

        Raises:
            KeyringTrouble: it cannot be asked.
        """
        return self._ask(lambda backends: [p for p in providers if _password(backends, p)])

    def set(self, provider: str, key: Secret) -> None:
        """Keep a key, and make sure that it is there.

        Raises:
            KeyringTrouble: it does not keep it.
        """

        def work(backends: Backends) -> str | None:
            for backend in backends:
                try:
                    backend.set_password(SERVICE, provider, key.reveal())
                except NotImplementedError:  # it only reads
                    continue
                return backend.get_password(SERVICE, provider)
            return None

        if self._ask(work, key) != key.reveal():
            raise _trouble("The keyring did not keep the key.", f"Instead {_INSTEAD}.")

    def delete(self, provider: str) -> bool:
        """Take a key out; return whether there was one.

        Raises:
            KeyringTrouble: it cannot be taken out.
        """

        def work(backends: Backends) -> bool:
            found = False
            for backend in backends:
                if backend.get_password(SERVICE, provider) is not None:
                    backend.delete_password(SERVICE, provider)
                    found = True
            return found

        return self._ask(work)

    def _ask(self, work: Callable[[Backends], T], key: Secret | None = None) -> T:
        """Have something done by those backends that are keyrings, in time."""
        if not can_exist(self._environ):
            raise _no_keyring("no session bus", _START_BUS)
        with _State.lock:
            if _State.trouble is not None and time.monotonic() < _State.until:
                raise _State.trouble.with_traceback(None)
            try:
                return self._in_time(work, key)
            except KeyringTrouble as trouble:
                if trouble.is_lasting:
                    _State.trouble = trouble
                    _State.until = time.monotonic() + QUIET_SECONDS
                raise

    def _in_time(self, work: Callable[[Backends], T], key: Secret | None) -> T:
        results: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

        def ask() -> None:
            try:
                results.put((work(_keyrings()), None))
            except Exception as error:
                results.put((None, error))

        threading.Thread(target=ask, daemon=True).start()
        seconds = _patience(self._environ)
        try:
            result, error = results.get(timeout=seconds)
        except queue.Empty:
            raise _trouble(
                f"The keyring did not answer within {seconds:g} s: it may be waiting for its "
                "password.",
                f"{_UNLOCK}, or {_INSTEAD}.",
            ) from None
        if error is not None:
            raise _understood(error, key) from None
        return result  # type: ignore[return-value]  # no error: it is what `work` returned


def _password(backends: Backends, provider: str) -> str | None:
    found = (backend.get_password(SERVICE, provider) for backend in backends)
    return next((text for text in found if text), None)


def can_exist(environ: Mapping[str, str]) -> bool:
    """Return whether there may be a keyring, without importing anything."""
    if backend := environ.get("PYTHON_KEYRING_BACKEND"):
        return not backend.startswith(_TURNED_OFF)
    if sys.platform in ("darwin", "win32"):  # pragma: no cover - only Linux in CI
        return True
    if environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.exists(os.path.join(runtime, "bus")):
        return True
    own = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "~"), ".config")
    return os.path.exists(os.path.join(os.path.expanduser(own), "python_keyring/keyringrc.cfg"))


def _patience(environ: Mapping[str, str]) -> float:
    """Return for how many seconds a prompt may be answered."""
    has_desktop = (
        sys.platform in ("darwin", "win32")
        or bool(environ.get("DISPLAY"))
        or bool(environ.get("WAYLAND_DISPLAY"))
    )
    return PROMPT_SECONDS if has_desktop and not environ.get("CI") else ALONE_SECONDS


def _keyrings() -> Backends:
    """Return the backends that keep keys unreadable, the best first.

    Raises:
        KeyringTrouble: there is none.
    """
    import keyring
    from keyring.backends import chainer, fail, null

    chosen = keyring.get_keyring()
    offered: Backends = chosen.backends if isinstance(chosen, chainer.ChainerBackend) else [chosen]
    offered = [one for one in offered if not isinstance(one, fail.Keyring | null.Keyring)]
    kept = [backend for backend in offered if not _is_readable(backend)]
    if kept:
        return kept
    if offered:
        raise _no_keyring(f"the only one, {_name_of(offered[0])}, keeps keys readable")
    if isinstance(chosen, null.Keyring):
        raise _no_keyring("it is turned off", "Turn it on in `keyringrc.cfg`")
    raise _why_none()


def _is_readable(backend: object) -> bool:
    """Return whether anybody who can read a file can read the keys of a backend.

    All of `keyrings.alt` is meant for tests, as its documentation says (2026-11).
    """
    name = _name_of(backend)
    return name.startswith("keyrings.alt.") or "plaintext" in name.lower()


def _name_of(backend: object) -> str:
    return f"{type(backend).__module__}.{type(backend).__name__}"


def _why_none() -> KeyringTrouble:
    """Return why there is no Secret Service."""
    from keyring.backends import SecretService

    try:
        priority: Any = SecretService.Keyring.priority
    except Exception as error:  # whatever stands in the way is the answer
        if "activatable" in str(error):
            return _no_keyring("no keyring service is on the session bus")
        address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
        if address:
            return _no_keyring(f"no session bus answers at {address!r}", _START_BUS)
        return _no_keyring("DBUS_SESSION_BUS_ADDRESS is not set", _START_BUS)
    return _no_keyring(f"the `keyring` package does not choose it, with priority {priority}")


def _understood(error: Exception, key: Secret | None) -> KeyringTrouble:
    """Return what stands for an error of the `keyring` package."""
    if isinstance(error, KeyringTrouble):
        return error
    text = redact(str(error), [key]).strip().rstrip(".")
    kind = type(error).__name__
    if "Locked" in kind or "dismissed" in text.lower():
        return _trouble(
            "The keyring is locked, and nobody unlocked it.",
            f"{_UNLOCK}, or {_INSTEAD}.",
        )
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND")
    where = f", PYTHON_KEYRING_BACKEND={chosen!r}," if chosen else ""
    trouble = _trouble(
        f"The keyring{where} failed: {kind}{text and f': {text}'}.", f"Correct it, or {_INSTEAD}."
    )
    trouble.is_lasting = False
    return trouble


def _trouble(message: str, hint: str) -> KeyringTrouble:
    return KeyringTrouble(message, hint=hint)


def _no_keyring(why: str, fix: str = "Install one (gnome-keyring, KWallet)") -> KeyringTrouble:
    trouble = KeyringTrouble(f"There is no keyring here: {why}.", hint=f"{fix}, or {_INSTEAD}.")
    trouble.is_absent = True
    return trouble

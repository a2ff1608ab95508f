"""`credentials.toml`: keys where there is no keyring, and which keys are in the keyring.

Owns the file: what may stand in it, who may read it, how it changes. It is refused, with the fix,
where others can read it, and one that cannot be understood is never written over. No message shows
a value.

    [openai]
    api_key = "…"       # the key itself

    [anthropic]
    keyring = true      # the key is in the keyring; `false`: the keyring is not asked for it, as
                        # what it may have is older than the key that stands here
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG
from ..types.secret import Secret, redact
from .private_files import alone_in, make_private_directory, replace_whole, who_writes
from .seen_keys import remember

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["CredentialsFile", "Entry", "checked_key"]

_FIELDS = ("api_key", "keyring")
_MOST_BYTES = 1_000_000


class Entry(NamedTuple):
    """What the file says of a provider."""

    api_key: Secret | None = None
    keyring: bool | None = None
    """Whether the key is in the keyring; `None`: not said, so the keyring is asked where the
    provider needs a key."""


def checked_key(text: str, owner: str) -> Secret:
    """Return a key as it can be sent, without the blanks around it, and note it.

    Args:
        text: what was typed or stored.
        owner: whose it is, for the message.

    Raises:
        ConfigurationError: it is empty, or has what no HTTP header can carry.
    """
    text = text.strip()
    if not text:
        raise ConfigurationError(f"The key for {owner!r} is empty.")
    key = remember(Secret(text))
    if not (text.isascii() and text.isprintable()):
        what = "a line break" if "\n" in text or "\r" in text else "a character"
        raise ConfigurationError(
            f"The key for {owner!r} has {what} that no request can carry.",
            hint="Keys are letters, digits and signs on one line: copy it again.",
        )
    return key


class CredentialsFile:
    """The file at one path. Nothing is kept: every reading is a new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Entry]:
        """Return what the file says, by provider; nothing when there is none.

        Raises:
            ConfigurationError: others can read it, or it cannot be read or understood.
        """
        text = self._text()
        return {} if text is None else self._entries(text)

    def put(self, provider: str, entry: Entry) -> None:
        """Say something else of a provider; an empty entry takes it out.

        The user's comments and order stay, but for those inside an entry that is taken out.

        Raises:
            ConfigurationError: the file cannot be understood or written; it is as it was.
        """
        try:
            target = self.path.resolve()
            make_private_directory(target.parent)
            with alone_in(target.parent):
                self._check_directories(target)
                text = self._text() or ""
                entries = self._entries(text)
                if entries.get(provider) == (None if entry == Entry() else entry):
                    return
                changed = _changed(text, provider, entry)
                expected = {**entries, provider: entry}
                if entry == Entry():
                    del expected[provider]
                if self._entries(changed) != expected:
                    raise ConfigurationError(
                        f"Cannot change the entry of {provider!r} in {str(self.path)!r} "
                        "without harm to another.",
                        hint=f"Write it by hand, as a table of its own: `[{provider}]`.",
                    )
                replace_whole(target, changed.encode())
        except (OSError, RuntimeError) as error:  # a link in a circle is a RuntimeError before 3.13
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigurationError(
                f"Cannot write the credentials {str(self.path)!r}: {reason}.", hint=self._elsewhere
            ) from None

    def _text(self) -> str | None:
        """Return the text of the file; `None` when there is none."""
        try:
            # A named pipe would be waited for.
            handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ConfigurationError(
                f"Cannot read the credentials {str(self.path)!r}: {error.strerror}.",
                hint=self._elsewhere,
            ) from None
        try:
            self._check_rights(os.fstat(handle))
            self._check_directories(self.path.resolve())
            with open(handle, "rb", closefd=False) as stream:
                data = stream.read(_MOST_BYTES + 1)
        finally:
            os.close(handle)
        if len(data) > _MOST_BYTES:
            raise ConfigurationError(f"The credentials {str(self.path)!r} are no list of keys.")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._error("it is not UTF-8", line) from None

    @property
    def _elsewhere(self) -> str:
        look = f"`ls -ld {quote(str(self.path.parent))} {quote(str(self.path))}`"
        return f"See whose it is: {look}. Another place is named by LLM_CLIENT_CREDENTIALS."

    def _check_rights(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(f"The credentials {str(self.path)!r} are no file.")
        if sys.platform == "win32":  # pragma: no cover - no Windows in CI
            return
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid():
            raise ConfigurationError(
                f"The credentials {str(self.path)!r} belong to user {found.st_uid}, "
                f"and not to you, user {os.geteuid()}: they are not used.",
                hint=f"If they are yours: `sudo chown {os.geteuid()} {quote(str(self.path))}`."
                if os.geteuid()
                else "Run this as that user, without `sudo`.",
            )
        if mode & 0o077:
            raise ConfigurationError(
                f"Others can read the credentials {str(self.path)!r}, mode {mode:04o}: "
                "they are not used.",
                hint=f"`chmod 600 {quote(str(self.path))}`, and replace keys that others may have seen.",
            )

    def _check_directories(self, target: Path) -> None:
        """Refuse a file that others could put another in the place of, or a link to it."""
        for directory in {self.path.parent, target.parent}:
            if writer := who_writes(directory.stat()):
                raise ConfigurationError(
                    f"The directory {str(directory)!r} of the credentials can be written by "
                    f"{writer}: they are not used.",
                    hint=f"`chmod go-w {quote(str(directory))}`."
                    if writer == "others"
                    else "Keep them in a directory of your own: set LLM_CLIENT_CREDENTIALS.",
                )

    def _entries(self, text: str) -> dict[str, Entry]:
        import tomllib

        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            # What the parser says may quote the line.
            raise self._error("it is not TOML", line) from None
        entries: dict[str, Entry] = {}
        for name, table in tables.items():
            plain = _plain(name)
            if plain in entries:
                raise self._error(f"{plain!r} stands there twice", _header_line(text, name))
            entries[plain] = self._entry(name, table, text)
        return entries

    def _entry(self, name: str, table: object, text: str) -> Entry:
        if not isinstance(table, dict):
            raise self._error(
                f"{redact(name)!r} must be a table",
                _line_of(text, "", name),
                hint='Write `[PROVIDER]`, and below it `api_key = "…"`.',
            )
        for field, value in table.items():
            line = _line_of(text, name, field)
            if field not in _FIELDS:
                from difflib import get_close_matches

                near = get_close_matches(field, _FIELDS, n=1)
                raise self._error(
                    f"there is no setting {redact(field)!r} of a provider",
                    line,
                    hint=f"Did you mean {near[0]!r}?" if near else "Known: api_key, keyring.",
                )
            wanted = bool if field == "keyring" else str
            if not isinstance(value, wanted):
                words = "true or false" if wanted is bool else "a text"
                raise self._error(f"{name}.{field} must be {words}", line)
        key = table.get("api_key", "").strip()
        try:
            return Entry(checked_key(key, name) if key else None, table.get("keyring"))
        except ConfigurationError as error:
            raise self._error(error.message.rstrip("."), _line_of(text, name, "api_key")) from None

    def _error(
        self, problem: str, line: int | None, *, hint: str | None = None
    ) -> ConfigurationError:
        place = str(self.path) if line is None else f"{self.path}, line {line}"
        return ConfigurationError(f"In the credentials {place}: {problem}.", hint=hint)


def _plain(name: str) -> str:
    """Return a provider's name as it is looked up: those of the catalog in small letters."""
    return name.lower() if name.lower() in CATALOG else name


def _changed(text: str, provider: str, entry: Entry) -> str:
    """Return the text of the file with another entry of a provider."""
    import tomlkit

    document: TOMLDocument = tomlkit.parse(text)
    written: Any = next((name for name in document if _plain(name) == provider), provider)
    if entry == Entry():
        document.pop(written, None)
        return tomlkit.dumps(document)
    if written not in document:
        document[written] = tomlkit.table()
    table: Any = document[written]
    said = {
        "api_key": entry.api_key.reveal() if entry.api_key else None,
        "keyring": entry.keyring,
    }
    for field, value in said.items():
        if value is None:
            table.pop(field, None)
        elif table.get(field) != value:
            table[field] = value
    return tomlkit.dumps(document)


def _header_line(text: str, table: str) -> int | None:
    """Return the line where a table begins; `None` where it stands in an unusual form."""
    lines = enumerate(text.split("\n"), 1)
    return next((number for number, line in lines if _header(line) == table), None)


def _header(line: str) -> str | None:
    found = re.match(r"\s*\[([^\[\]]+)\]", line)
    return found and found[1].strip().strip("\"'")


def _line_of(text: str, table: str, key: str) -> int | None:
    """Return the line of a key in a table; `None` where it stands in an unusual form."""
    here = ""
    for number, line in enumerate(text.split("\n"), 1):
        if (header := _header(line)) is not None:
            here = header
        elif here == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None

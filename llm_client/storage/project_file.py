"""`.llm_client.toml`: what a repository says of the calls that are made inside it.

It comes with whatever somebody has cloned, so it may say only what does no harm: which profile of
the user's own, which label, which system prompt. An address, a command, a source of keys or the
permission of a tool is refused, as is a link: no byte of the file behind it may show in an error,
and neither does a value. The command line reads it, the library does not.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..exceptions import ConfigurationError
from ..policy.layers import PROFILE_PLACE

__all__ = ["PROJECT_VARIABLES", "ProjectFile"]

PROJECT_VARIABLES: Final = {
    "profile": "LLM_CLIENT_PROFILE",
    "project": "LLM_CLIENT_PROJECT",
    "system": "LLM_CLIENT_SYSTEM",
}
"""What it may say, and the variable that stands over it."""
_MOST_BYTES = 65536
_SUPERUSER = 0
_LEAVE_OUT: Final = "Without it: `export LLM_CLIENT_PROJECT_FILE=off`."


class ProjectFile(NamedTuple):
    """A project file that was read."""

    path: str
    said: Mapping[str, str]
    """By the names of `PROJECT_VARIABLES`."""
    lines: Mapping[str, int]
    """Where in the file each stands."""

    def place(self, name: str) -> str:
        """Return where the file says something."""
        return f"{self.path}, line {self.lines[name]}" if name in self.lines else self.path

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which the file speaks for variables that are not set."""
        missing = {
            PROJECT_VARIABLES[name]: text
            for name, text in self.said.items()
            if not environ.get(PROJECT_VARIABLES[name], "").strip()
        }
        if PROJECT_VARIABLES["profile"] in missing:
            missing[PROFILE_PLACE] = self.place("profile")
        return {**environ, **missing}

    def without_profile(self) -> ProjectFile:
        """Return the rest of it, where something stands over its profile."""
        said = {name: text for name, text in self.said.items() if name != "profile"}
        return self._replace(said=said)

    @classmethod
    def read(cls, path: str) -> ProjectFile | None:
        """Return a file; `None` where another user may have put it there.

        Raises:
            ConfigurationError: it is a link, or too long, or says what it may not.
        """
        data = _content(path)
        if data is None:
            return None
        import tomllib

        try:
            text = data.decode("utf-8-sig")
            table = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ConfigurationError(
                f"The project file {path!r} is not UTF-8: see line {line}."
            ) from None
        except (ValueError, RecursionError) as error:
            # What it complains of may be quoted from the file.
            found = re.search(r"line (\d+)", str(error))
            where = f"see line {found[1]}" if found else "it ends too early"
            raise ConfigurationError(f"The project file {path!r} is no TOML: {where}.") from None
        from .config_lines import toml_lines

        lines = {names[0]: line for names, line in toml_lines(text).items() if len(names) == 1}
        file = cls(path, {}, lines)
        for name, value in table.items():
            file._check(name, value)
        return file._replace(said={name: text for name, text in table.items() if text.strip()})

    def _check(self, name: str, value: Any) -> None:
        if name not in PROJECT_VARIABLES:
            from ..policy.setting_kinds import nearest

            known = ", ".join(PROJECT_VARIABLES)
            near = nearest(name, PROJECT_VARIABLES) if isinstance(value, str) else None
            raise ConfigurationError(
                f"In the project file {self.place(name)}: {name!r} can never be set there, only "
                f"{known}.",
                hint=near
                or "Settings that reach further belong into your own configuration: "
                "`llm-client config set KEY VALUE`.",
            )
        if not isinstance(value, str):
            raise ConfigurationError(
                f"In the project file {self.place(name)}: {name} must be a text.",
                hint=f'Put it into quotes: `{name} = "…"`.',
            )


def _content(path: str) -> bytes | None:
    """Return the bytes of a regular file; `None` where another user may have put it there."""
    # Not even opened for waiting: a pipe would never end.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise ConfigurationError(
                f"The project file {path!r} is a link, which is never followed.", hint=_LEAVE_OUT
            )
        handle = os.open(path, flags)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the project file {path!r}: {error.strerror}.", hint=_LEAVE_OUT
        ) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError(
                f"The project file {path!r} is no regular file.", hint=_LEAVE_OUT
            )
        if _is_foreign(path, found):
            return None
        data = os.read(handle, _MOST_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > _MOST_BYTES:
        raise ConfigurationError(
            f"The project file {path!r} is longer than {_MOST_BYTES // 1024} kB.", hint=_LEAVE_OUT
        )
    return data


def _is_foreign(path: str, found: os.stat_result) -> bool:
    """Return whether a file lies where everybody may put one, as in `/tmp`, and is another's."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - no Windows in CI
        return False
    around = os.stat(os.path.dirname(path))
    return bool(around.st_mode & stat.S_IWOTH) and found.st_uid not in (os.geteuid(), _SUPERUSER)

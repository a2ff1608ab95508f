"""The configuration file: found, read, validated into `Settings`.

Refuses what it does not know: an unknown key, a wrong type or a broken file is a
`ConfigurationError` that names the file, the line where it can, and the nearest valid name.
Nothing is ever written here.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..dialects import DIALECTS
from ..exceptions import ConfigurationError
from ..providers.catalog import CATALOG
from ..types.config import Overflow, Prefer, Profile, ProviderSettings, RetrySettings, Settings
from .paths import config_file

if TYPE_CHECKING:
    from ..types.budget import Budget

__all__ = ["load_settings"]

Check = Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # TOML has `nan` and `inf`, which no setting can mean.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and value >= 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_some(value: object) -> bool:
    return _is_count(value) and value != 0


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_dialect(value: object) -> bool:
    return isinstance(value, str) and value in DIALECTS


def _is_header_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_HEADER_NAME, value) is not None


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_header_name(name) and isinstance(text, str) and text.isprintable()
        for name, text in value.items()
    )


def _is_verify(value: object) -> bool:
    return isinstance(value, str | bool)


def _one_of(words: tuple[str, ...]) -> Check:
    return lambda value: isinstance(value, str) and value in words


_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
"""RFC 9110, section 5.1."""
_FILE: dict[str, tuple[Check, str]] = {
    "default_profile": (_is_text, "a text"),
    "profiles": (_is_table, "a table"),
    "providers": (_is_table, "a table"),
    "retry": (_is_table, "a table"),
    "cache": (_is_table, "a table"),
    "budget": (_is_table, "a table"),
    "routing": (_is_table, "a table"),
    "pricing": (_is_table, "a table"),
    "ledger": (_is_table, "a table"),
}
_PROFILE: dict[str, tuple[Check, str]] = {
    "model": (_is_text, "a text"),
    "fallback": (_is_texts, "a list of texts"),
    "temperature": (_is_number, "a number"),
    "top_p": (_is_number, "a number"),
    "max_tokens": (_is_count, "a whole number, 0 or more"),
    "system": (_is_text, "a text"),
    "overflow": (_one_of(get_args(Overflow)), "refuse, trim or summarize"),
    "prefer": (_one_of(get_args(Prefer)), "order or cheapest"),
}
_PROVIDER: dict[str, tuple[Check, str]] = {
    "dialect": (_is_dialect, f"one of {', '.join(DIALECTS)}"),
    "base_url": (_is_text, "a text"),
    "api_key_env": (_is_text, "a text"),
    "key_header": (_is_header_name, "the name of a header"),
    "headers": (_is_headers, "a table of texts by the names of headers"),
    "timeout": (_is_positive, "a number of seconds, 0 or more"),
    "verify_ssl": (_is_verify, "true, false, a path or `system`"),
    "options": (_is_table, "a table"),
    "requests_per_minute": (_is_some, "a whole number, 1 or more"),
    "tokens_per_minute": (_is_some, "a whole number, 1 or more"),
}
_RETRY: dict[str, tuple[Check, str]] = {
    "max_retries": (_is_count, "a whole number, 0 or more"),
    "delay": (_is_positive, "a number of seconds, 0 or more"),
    "max_delay": (_is_positive, "a number of seconds, 0 or more"),
    "exponential_base": (_is_positive, "a number, 0 or more"),
}
_CACHE: dict[str, tuple[Check, str]] = {
    "models_ttl": (_is_positive, "a number of seconds, 0 or more"),
    "responses": (_is_flag, "true or false"),
    "responses_ttl": (_is_positive, "a number of seconds, 0 or more"),
    "responses_max_mb": (_is_positive, "a number of megabytes, 0 or more"),
}
_AMOUNT = (_is_positive, "an amount in USD, 0 or more")
_BUDGET: dict[str, tuple[Check, str]] = {
    "per_call_usd": _AMOUNT,
    "daily_usd": _AMOUNT,
    "weekly_usd": _AMOUNT,
    "monthly_usd": _AMOUNT,
    "total_usd": _AMOUNT,
    "on_exceeded": (_one_of(("block", "warn")), "block or warn"),
}
_BUDGET_PARTS = ("projects", "profiles", "providers")
_ROUTING: dict[str, tuple[Check, str]] = {
    "planning": (_is_text, "a profile or PROVIDER/MODEL"),
    "vision": (_is_text, "a profile or PROVIDER/MODEL"),
    "long_context": (_is_text, "a profile or PROVIDER/MODEL"),
    "prefer": (_one_of(get_args(Prefer)), "order or cheapest"),
}
_PRICES: dict[str, tuple[Check, str]] = dict.fromkeys(
    ("input", "output", "cache_read", "cache_write"),
    (_is_positive, "USD per million tokens, 0 or more"),
)
_LEDGER: dict[str, tuple[Check, str]] = {"enabled": (_is_flag, "true or false")}


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the configuration file; the defaults when there is none.

    Args:
        path: a file that must exist; `None` looks in the usual places.
        environ: the environment that the usual places are looked up in.

    Raises:
        ConfigurationError: the file cannot be read, parsed or understood.
    """
    wanted = path is not None or bool(environ.get("LLM_CLIENT_CONFIG"))
    file = path if path is not None else config_file(environ)
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if wanted:
            raise ConfigurationError(f"There is no configuration file {str(file)!r}.") from None
        return Settings()
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the configuration {str(file)!r}: {error.strerror}."
        ) from None
    return _Reader(file, data).settings()


class _Reader:
    """Validates one file."""

    def __init__(self, file: Path, data: bytes) -> None:
        self._file = file
        try:
            # Some editors begin a file with a byte order mark.
            self._text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ConfigurationError(
                f"The configuration {str(file)!r} is not UTF-8: see line {line}."
            ) from None

    def settings(self) -> Settings:
        root = self._table("", self._parse(), _FILE)
        retry = self._table("retry", root.get("retry", {}), _RETRY)
        cache = self._table("cache", root.get("cache", {}), _CACHE)
        routing = self._table("routing", root.get("routing", {}), _ROUTING)
        settings = Settings(
            default_profile=root.get("default_profile"),
            profiles={
                name: self._profile(name, value) for name, value in root.get("profiles", {}).items()
            },
            providers={
                name: self._provider(name, value)
                for name, value in root.get("providers", {}).items()
            },
            retry=RetrySettings(**retry),
            routing={name: value for name, value in routing.items() if name != "prefer"},
            prefer=routing.get("prefer"),
            pricing={
                name: self._table(f"pricing.{name}", value, _PRICES)
                for name, value in root.get("pricing", {}).items()
            },
            ledger=self._table("ledger", root.get("ledger", {}), _LEDGER).get("enabled", True),
            **cache,
            source=str(self._file),
        )
        if "budget" not in root:
            return settings
        return replace(settings, budget=self._budget(root, settings))

    def _budget(self, root: Mapping[str, Any], settings: Settings) -> Budget:
        from ..types.budget import Budget

        # A project is whatever a repository is called; a misspelt other name would hold nothing.
        known = {
            "profiles": settings.profiles,
            "providers": {**CATALOG, **settings.providers},
        }
        parts = dict.fromkeys(_BUDGET_PARTS, (_is_table, "a table"))
        table = dict(self._table("budget", root["budget"], {**_BUDGET, **parts}))
        for part in parts:
            where, of_part = f"budget.{part}", table.get(part, {})
            names = dict.fromkeys(known.get(part, of_part), (_is_table, "a table"))
            table[part] = {
                name: Budget(**self._table(f"{where}.{name}", said, _BUDGET))
                for name, said in self._table(where, of_part, names).items()
            }
        # An attempt is booked under the profile itself, whatever alias it was asked by.
        table["profiles"] = {
            settings.profile_behind(name): said for name, said in table["profiles"].items()
        }
        return Budget(**table)

    def _profile(self, name: str, value: object) -> Profile | str:
        if isinstance(value, str):
            return value
        fields = self._table(f"profiles.{name}", value, _PROFILE)
        return Profile(**{**fields, "fallback": tuple(fields.get("fallback", ()))})

    def _provider(self, name: str, value: object) -> ProviderSettings:
        row = CATALOG.get(name)
        fields = {field.name: (_is_text, "a text") for field in row.fields} if row else {}
        table = self._table(f"providers.{name}", value, {**_PROVIDER, **fields})
        said = {key: item for key, item in table.items() if key not in fields}
        return ProviderSettings(
            **said, fields={key: item for key, item in table.items() if key in fields}
        )

    def _parse(self) -> object:
        try:
            if self._file.suffix == ".json":
                import json

                return json.loads(self._text)
            import tomllib

            return tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"The configuration {str(self._file)!r} cannot be parsed: {error}."
            ) from None

    def _table(
        self, where: str, value: object, schema: Mapping[str, tuple[Check, str]]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            problem = f"{where or 'the file'} must be a table, not {value!r}"
            raise self._error(*where.rpartition(".")[::2], problem)
        for name, item in value.items():
            key = f"{where}.{name}" if where else name
            if name not in schema:
                known = f"Known here: {', '.join(sorted(schema))}."
                raise self._error(
                    where,
                    name,
                    f"there is no setting {key!r}",
                    hint=_nearest(name, schema) or known,
                )
            check, wanted = schema[name]
            if not check(item):
                # The value of a header may be a key.
                shown = [*item] if check is _is_headers and isinstance(item, dict) else item
                hint = _nearest(str(item), DIALECTS) if check is _is_dialect else None
                if check is _is_text and not isinstance(item, dict | list):
                    hint = f'Put it into quotes: `{name} = "{item}"`.'
                problem = f"{key} must be {wanted}, not {shown!r}"
                raise self._error(where, name, problem, hint=hint)
        return value

    def _error(
        self, where: str, name: str, problem: str, hint: str | None = None
    ) -> ConfigurationError:
        line = self._line_of(where, name)
        place = str(self._file) if line is None else f"{self._file}, line {line}"
        return ConfigurationError(f"In the configuration {place}: {problem}.", hint=hint)

    def _line_of(self, where: str, name: str) -> int | None:
        """Return the line of a setting or a table; `None` when it cannot be told."""
        path = f"{where}.{name}" if where else name
        key = re.compile(rf"[\s{{,]*[\"']?{re.escape(name)}[\"']?\s*[=:]")
        is_json = self._file.suffix == ".json"
        table, found = "", []
        for number, line in enumerate(self._text.split("\n"), 1):
            if not is_json and (header := _HEADER.match(line)):
                table = header[1].translate(_BARE)
                if table == path or table.startswith(f"{path}."):
                    found.append(number)
            elif key.match(line) and (is_json or table == where):
                found.append(number)
        # A name can stand in many places of a JSON file, and a wrong line is worse than none.
        return found[0] if len(found) == 1 or (found and not is_json) else None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else None


_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")
_BARE = str.maketrans("", "", "\"' ")

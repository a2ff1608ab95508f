"""One setting of the matrix: its value by each source, and what file, environment and code come to.

Owns the form of a row; the rows stand in `tests/settings_rows.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w

from llm_client.calls import Calls
from llm_client.policy.setting_schema import SETTINGS, Setting
from llm_client.routes import Plan, Routes
from llm_client.storage.config import load_settings
from llm_client.types.config import LLMConfig, Settings
from llm_client.types.request import RequestOptions
from llm_client.types.target import Target

__all__ = ["BASE", "Code", "Observe", "Row", "Setup", "written"]

BASE: Mapping[str, Any] = {
    "default_profile": "p",
    "profiles": {
        "p": {"model": "work/m"},
        "q": {"model": "work/other"},
        "local": {"model": "ollama/m"},
    },
    "providers": {"work": {"base_url": "http://127.0.0.1:1/v1"}},
}
"""What every configuration of the matrix has, so that there is somebody to ask."""


@dataclass(frozen=True, slots=True)
class Code:
    """How code says a setting."""

    shown: str
    config: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    options: RequestOptions = field(default_factory=RequestOptions)


class Setup:
    """What a configuration file, an environment and code come to."""

    def __init__(self, file: Path | None, environ: Mapping[str, str], code: Code) -> None:
        self._file = file
        self._environ = environ
        self._code = code

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self._file, self._environ)

    @cached_property
    def calls(self) -> Calls:
        return Calls(
            LLMConfig(**self._code.config),
            profile=self._code.profile,
            config_path=self._file,
            environ=self._environ,
        )

    @cached_property
    def plan(self) -> Plan:
        routes = Routes(self.settings, self._environ)
        return routes.plan(LLMConfig(**self._code.config), self._code.profile)

    @property
    def target(self) -> Target:
        return self.calls.target

    @property
    def body(self) -> dict[str, Any]:
        """The body of the first request."""
        request = self.calls.preview("hi", stream=False, options=self._code.options)
        body: dict[str, Any] = json.loads(request.body or b"")
        return body


Observe = Callable[[Setup], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting, its value by each source, and what comes of it."""

    path: str
    observe: Observe
    file: Any
    """In TOML and JSON; another than the default."""
    text: str
    """Of the variable."""
    said: object
    """What the variable comes to."""
    wrong: Any
    """In a file; no value."""
    wrong_text: str | None
    """Of the variable; `None`: no text is wrong."""
    default: object = None
    filed: object = None
    """What the value of the file comes to; `None`: itself."""
    code: Code | None = None
    coded: object = None
    """What the code comes to."""
    own: tuple[str, str, object] | None = None
    """The provider's own variable, its text and what it comes to."""
    over: tuple[str, object] | None = None
    """Text of the variable, and what it comes to, that differ from what the file says, where
    `text` cannot because there are two values only."""
    provider: str = "work"

    @property
    def setting(self) -> Setting:
        return next(setting for setting in SETTINGS if setting.path == self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """The setting with names in the place of stars."""
        names = {"profiles": "p", "providers": self.provider, "projects": "mine", "pricing": "a/b"}
        parts = self.path.split(".")
        if parts[0] == "budget" and "*" in parts:
            names |= {"profiles": "q", "providers": "work"}
        before = ["", *parts]
        return tuple(
            names[above] if part == "*" else part
            for above, part in zip(before, parts, strict=False)
        )

    @property
    def variable(self) -> str:
        """Which says it; that of the table around it where it has none itself."""
        if self.setting.variable:
            return self.setting.variable_for(self.provider)
        around = [s for s in SETTINGS if s.variable and self.path.startswith(f"{s.path}.")]
        return around[0].variable

    def table(self, value: object) -> dict[str, Any]:
        """Return a configuration in which the setting has a value."""
        root: dict[str, Any] = json.loads(json.dumps(BASE))
        if self.provider == "ollama":
            root["default_profile"] = "local"
        *way, last = self.names
        inner = root
        for name in way:
            inner = inner.setdefault(name, {})
        inner[last] = value
        return root


def written(table: Mapping[str, Any], folder: Path, form: str) -> Path:
    """Write a configuration as `toml` or `json`; return its path."""
    file = folder / f"config.{form}"
    text = tomli_w.dumps(table) if form == "toml" else json.dumps(table, indent=1)
    file.write_text(text, "utf-8")
    return file

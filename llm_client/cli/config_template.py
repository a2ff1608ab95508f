"""The commented file that `llm-client config init` writes: every setting, with what it is for.

Made from the schema, so that it has all of them. What is said uncommented is what the user chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..policy.setting_schema import SETTINGS, Setting, join_key
from .render.config_table import value_text

__all__ = ["template"]

_HEAD: Final = """\
# Configuration of llm-client. What is commented out shows the default, or an example.
# `llm-client config show` says what holds, `llm-client config validate` what is wrong.
# Keys do not stand here: store them with `llm-client creds set PROVIDER`.
"""
_NAMES: Final = {
    "profiles": "default",
    "providers": "work",
    "budget.projects": "website",
    "budget.profiles": "default",
    "budget.providers": "openai",
    "pricing": "work/our-model",
}
"""By table: the name of its example."""
_ABOUT: Final = {
    "profiles": "Who answers, and how. `default` is used where nothing else is named; others with "
    "--profile NAME",
    "providers": "What is said of providers over the catalog, and servers of your own",
    "retry": "When a failed attempt is made again",
    "budget": "What may be spent. See `llm-client usage`",
    "budget.projects": "The same for a project: a git repository, or --project",
    "budget.profiles": "For a profile",
    "budget.providers": "For a provider",
    "routing": "Who is asked for what: a profile, or PROVIDER/MODEL",
    "cache": "What is kept",
    "pricing": "What a model costs that is not in the price list",
    "ledger": "What `llm-client usage` shows",
    "credentials": "Where keys are",
}
_OF_PARTS: Final = ("daily_usd", "monthly_usd")
"""Of the budgets of projects and the like: they have all that `[budget]` has."""
_READY: Final = ("retry", "routing", "cache", "ledger", "credentials")
"""Tables that mean nothing when they are empty: uncommenting one line of them is enough."""
_EXAMPLES: Final[Mapping[str, Any]] = {
    "default_profile": "default",
    "profiles.*.model": "ollama/llama3.2",
    "profiles.*.fallback": ["openai/gpt-5.6-luna"],
    "profiles.*.system": "Answer briefly.",
    "profiles.*.temperature": 0.3,
    "profiles.*.top_p": 0.9,
    "profiles.*.max_tokens": 1000,
    "profiles.*.stop": ["END"],
    "profiles.*.seed": 7,
    "profiles.*.reasoning_effort": "low",
    "profiles.*.timeout": 60,
    "profiles.*.options": {"num_ctx": 8192},
    "providers.*.dialect": "openai-chat",
    "providers.*.base_url": "https://llm.example.com/v1",
    "providers.*.api_key_env": "WORK_LLM_KEY",
    "providers.*.api_key_command": ["pass", "show", "work-llm"],
    "providers.*.key_header": "x-api-key",
    "providers.*.headers": {"x-team": "ours"},
    "providers.*.timeout": 60,
    "providers.*.options": {"top_k": 40},
    "providers.*.requests_per_minute": 50,
    "providers.*.tokens_per_minute": 100_000,
    "per_call_usd": 0.5,
    "daily_usd": 5.0,
    "weekly_usd": 20.0,
    "monthly_usd": 50.0,
    "total_usd": 500.0,
    "routing.planning": "default",
    "routing.vision": "openai/gpt-5.6-luna",
    "routing.long_context": "gemini/gemini-2.5-pro",
    "pricing.*.input": 0.4,
    "pricing.*.output": 1.6,
    "pricing.*.cache_read": 0.1,
    "pricing.*.cache_write": 0.4,
}
"""By path, or by the last name of it: for settings whose default is nothing."""


def template(chosen: Mapping[str, Any] | None = None) -> str:
    """Return the text of a file.

    Args:
        chosen: values by the paths of their settings; those of `profiles.*` are the default
            profile's.
    """
    chosen = chosen or {}
    sections: dict[str, list[Setting]] = {}
    for setting in SETTINGS:
        table, _, name = setting.path.rpartition(".")
        is_short = table.startswith("budget.") and name not in _OF_PARTS
        if not is_short and not _is_table_of_tables(setting):
            sections.setdefault(table, []).append(setting)
    return _HEAD + "".join(
        _section(table, settings, chosen) for table, settings in sections.items()
    )


def _section(table: str, settings: list[Setting], chosen: Mapping[str, Any]) -> str:
    above = table.removesuffix(".*")
    lines = [""]
    if above in _ABOUT:
        lines.append(f"# {_ABOUT[above]}.")
    if table:
        names = above.split(".") + ([_NAMES[above]] if table != above else [])
        is_said = table in _READY or any(setting.path in chosen for setting in settings)
        lines.append(f"{'' if is_said else '# '}[{join_key(names)}]")
    said = [_line(setting, chosen) for setting in settings]
    width = max(len(text) for text, _ in said)
    # One long example must not push all others to the side.
    width = min(width, _COLUMN)
    lines += [f"{text:<{width}}  # {about}" for text, about in said]
    if table == "profiles.*":
        lines += ["", "# Another name for a profile.", "# [profiles]", '# vision = "default"']
    return "\n".join((*lines, ""))


_COLUMN: Final = 44
"""Where remarks stand at most."""
_FLAGS: Final = ("true", "false")


def _line(setting: Setting, chosen: Mapping[str, Any]) -> tuple[str, str]:
    name = setting.path.rpartition(".")[2]
    is_said = setting.path in chosen
    if is_said:
        value = chosen[setting.path]
    elif setting.path in _EXAMPLES:
        value = _EXAMPLES[setting.path]
    else:
        value = _EXAMPLES[name] if setting.default is None else setting.default
    about = setting.about
    if setting.kind.words and setting.kind.words != _FLAGS:
        about += f": {setting.kind.wanted}"
    return f"{'' if is_said else '# '}{name} = {value_text(value)}", about


def _is_table_of_tables(setting: Setting) -> bool:
    """Return whether a setting stands for a table whose own settings have rows too."""
    return any(other.path.startswith(f"{setting.path}.") for other in SETTINGS)

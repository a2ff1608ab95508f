"""Every setting with a value from each of its sources, and where that value arrives.

The matrix of `test_settings_matrix.py`: a setting of the schema without a row here fails it. Rows of
profiles and providers stand in `settings_of_targets.py`.
"""

from __future__ import annotations

import json

from llm_client.policy.route import retry_settings
from llm_client.types.budget import Budget

from .settings_of_targets import PROFILE_ROWS, PROVIDER_ROWS, configured
from .support.setting_setup import Code, Observe, Row, Setup

__all__ = ["ROWS"]


def _retry(
    name: str, option: str, file: object, text: str, said: object, code: object, default: object
) -> Row:
    return Row(
        f"retry.{name}",
        lambda setup: getattr(retry_settings(setup.calls.config, setup.settings), name),
        file,
        text,
        said,
        -1,
        "-1",
        default=default,
        code=configured(option, code),
        coded=code,
    )


def _limit(path: str, name: str, part: str | None, owner: str) -> Row:
    """Return a limit of the budget of everything, or of one part of it."""

    def observe(setup: Setup) -> object:
        coded = setup.calls.config.budget
        budget = setup.settings.budget if coded is None else coded
        if budget is not None and part is not None:
            budget = getattr(budget, part).get(owner)
        return getattr(budget, name, "block" if name == "on_exceeded" else None)

    is_word = name == "on_exceeded"
    file, said, coded = ("warn", "warn", "block") if is_word else (1, 2, 3.0)
    bad = "stop" if is_word else -1
    inner = Budget(**{name: coded})  # type: ignore[arg-type]  # by its own name
    budget = inner if part is None else Budget(**{part: {owner: inner}})  # type: ignore[arg-type]

    def text(value: object) -> str:
        return str(value) if part is None else json.dumps({owner: {name: value}})

    return Row(
        f"{path}.{name}",
        observe,
        file,
        text(said),
        said,
        bad,
        text(bad),
        default="block" if is_word else None,
        code=Code(
            f"`LLMConfig(budget=Budget({f'{part}=…' if part else f'{name}=…'}))`",
            {"budget": budget},
        ),
        coded=coded,
        over=(text("block"), "block") if is_word else None,
    )


_LIMITS = ("per_call_usd", "daily_usd", "weekly_usd", "monthly_usd", "total_usd", "on_exceeded")
_OWNERS = {"projects": "mine", "profiles": "q", "providers": "work"}


def _parts(part: str, owner: str) -> Row:
    """Return the table of all budgets of a part."""

    def observe(setup: Setup) -> object:
        coded = setup.calls.config.budget
        budget = setup.settings.budget if coded is None else coded
        found = {} if budget is None else getattr(budget, part)
        return found[owner].daily_usd if owner in found else None

    return Row(
        f"budget.{part}",
        observe,
        {owner: {"daily_usd": 1}},
        json.dumps({owner: {"daily_usd": 2}}),
        2,
        5,
        json.dumps({owner: {"dayly_usd": 2}}),
        filed=1,
        code=Code(
            f"`LLMConfig(budget=Budget({part}=…))`",
            {"budget": Budget(**{part: {owner: Budget(daily_usd=3.0)}})},  # type: ignore[arg-type]
        ),
        coded=3.0,
    )


def _plain(
    path: str, observe: Observe, file: object, text: str, said: object, bad: str, default: object
) -> Row:
    """Return a setting that no code says."""
    over = ("off" if file else "on", not file) if isinstance(file, bool) else None
    return Row(path, observe, file, text, said, [], bad, default=default, over=over)


def _priced(name: str) -> Observe:
    return lambda setup: setup.settings.pricing.get("a/b", {}).get(name)


def _routed(task: str) -> Observe:
    return lambda setup: setup.settings.routing.get(task)


_OTHERS = (
    *(
        _plain(
            f"routing.{task}",
            _routed(task),
            "q",
            "work/eyes",
            "work/eyes",
            "nobody",
            None,
        )
        for task in ("planning", "vision", "long_context")
    ),
    Row(
        "routing.prefer",
        lambda setup: setup.plan.layers.prefer,
        "cheapest",
        "cheapest",
        "cheapest",
        "best",
        "best",
        default="order",
        code=configured("prefer", "order"),
        coded="order",
        over=("order", "order"),
    ),
    Row(
        "cache.models_ttl",
        lambda setup: setup.calls._cache()._ttl,
        1,
        "2",
        2,
        -1,
        "5m",
        default=300.0,
        code=configured("cache_ttl", 3.0),
        coded=3.0,
    ),
    _plain("cache.responses", lambda s: s.settings.responses, True, "on", True, "2", False),
    _plain("cache.responses_ttl", lambda s: s.settings.responses_ttl, 1, "2", 2, "x", 86400.0),
    _plain("cache.responses_max_mb", lambda s: s.settings.responses_max_mb, 1, "2", 2, "x", 256.0),
    Row(
        "pricing",
        _priced("input"),
        {"a/b": {"input": 1}},
        '{"a/b": {"input": 2}}',
        2,
        5,
        '{"a/b": 5}',
        filed=1,
    ),
    *(
        Row(
            f"pricing.*.{name}",
            _priced(name),
            1,
            json.dumps({"a/b": {name: 2}}),
            2,
            -1,
            json.dumps({"a/b": {name: "x"}}),
        )
        for name in ("input", "output", "cache_read", "cache_write")
    ),
    _plain("ledger.enabled", lambda s: s.settings.ledger, False, "off", False, "maybe", True),
    _plain(
        "credentials.store",
        lambda setup: setup.settings.credentials_store,
        "file",
        "keyring",
        "keyring",
        "disk",
        "auto",
    ),
)

ROWS: tuple[Row, ...] = (
    Row(
        "default_profile",
        lambda setup: setup.plan.profile,
        "q",
        "local",
        "local",
        "nobody",
        "nobody",
        default="p",
        code=Code("`profile=…`", profile="p"),
        coded="p",
    ),
    *PROFILE_ROWS,
    *PROVIDER_ROWS,
    _retry("max_retries", "max_retries", 1, "2", 2, 4, 3),
    _retry("delay", "retry_delay", 0.1, "0.2", 0.2, 0.3, 1.0),
    _retry("max_delay", "retry_max_delay", 1, "2", 2, 3.0, 10.0),
    _retry("exponential_base", "retry_exponential_base", 1, "1.5", 1.5, 3.0, 2.0),
    *(_limit("budget", name, None, "") for name in _LIMITS),
    *(
        row
        for part, owner in _OWNERS.items()
        for row in (
            _parts(part, owner),
            *(_limit(f"budget.{part}.*", name, part, owner) for name in _LIMITS),
        )
    ),
    *_OTHERS,
)

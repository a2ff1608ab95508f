"""Whom `llm-client health` asks, and how one of them is asked: the checks behind the command.

Owns which models each should have, and who counts as not there rather than as not healthy: a local
server that nobody named.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..configured import (
    ANSWER_SECONDS,
    Configured,
    ask_all,
    configured_providers,
    who_listens,
)
from ..engine.drivers import SyncDriver
from ..engine.exchange import Deadline
from ..exceptions import ConfigurationError, LLMError, TimeoutError
from ..health import DEFAULT_SECONDS, Examined, examine
from ..policy.health import named_models, problem_of, wanted_models
from ..policy.route import COMPATIBLE
from ..policy.variables import call_variables
from ..routes import Routes
from ..storage.key_command import COMMAND_SECONDS
from ..storage.stored_keys import StoredKeys
from ..types.config import LLMConfig, Settings
from ..types.health import HealthReport
from ..types.target import Target

__all__ = ["Entry", "all_entries", "examine_entry", "named_entry", "unanswered"]

_LEAST_SECONDS = 0.1
"""For a check whose time has gone into finding out whom to ask."""


class Entry(NamedTuple):
    """A provider that is checked."""

    configured: Configured
    named: tuple[str, ...]
    """Models that it should have."""
    config: LLMConfig
    """Names it to a client."""
    profile: str | None = None
    """Of that client."""

    @property
    def name(self) -> str:
        """The provider."""
        return self.configured.name

    @property
    def base_url(self) -> str:
        """Where it is; empty where that is not known."""
        targets = self.configured.targets
        return targets[0].base_url if targets else ""


def all_entries(settings: Settings, environ: Mapping[str, str]) -> list[Entry]:
    """Return all providers of this user, but for what is built in and cannot be down.

    Raises:
        ConfigurationError: a variable says what cannot be.
    """
    _run_key_commands(settings, environ)
    entries = [
        _entry_of(configured, settings)
        for configured in configured_providers(settings, environ)
        if configured.origin != "built-in"
    ]
    for own in _by_variables(settings, environ):
        same = [e for e in entries if (e.name, e.base_url) == (own.name, own.base_url)]
        models = dict.fromkeys((*own.named, *(model for entry in same for model in entry.named)))
        entries = [*(e for e in entries if e not in same), own._replace(named=tuple(models))]
    return entries


def _run_key_commands(settings: Settings, environ: Mapping[str, str]) -> None:
    """Run the programs that print keys beside each other; what they print is kept.

    One after the other, as providers are resolved, each would have its whole time to hang.
    """
    stored = StoredKeys(settings, environ)
    routes = Routes(settings, environ)
    resolvings = [
        partial(routes.resolve, LLMConfig(provider=name))
        for name in settings.providers
        if stored.command(name)
    ]
    if len(resolvings) > 1:
        for _ in ask_all(resolvings, patience=COMMAND_SECONDS, seconds=COMMAND_SECONDS):
            continue


def _by_variables(settings: Settings, environ: Mapping[str, str]) -> Iterator[Entry]:
    """Yield whom variables name: who is asked when nothing else is said, then its fallbacks."""
    said = call_variables(environ, settings)
    if said.named_by:
        where = said.destination
        spec = where.model or ""
        name = where.provider or (where.base_url and COMPATIBLE) or spec.partition("/")[0]
        try:
            yield named_entry(LLMConfig(), None, settings, environ)
        except ConfigurationError as error:
            yield Entry(Configured(name, error=error), (), LLMConfig())
    for spec in said.fallback:
        if spec in settings.profiles:
            continue
        config = LLMConfig(model=spec)
        try:
            target = Routes(settings, environ).resolve(config)
        except ConfigurationError as error:
            yield Entry(Configured(spec.partition("/")[0], error=error), (), config)
        else:
            yield Entry(Configured(target.provider.name, (target,)), (target.model,), config)


def named_entry(
    given: LLMConfig, profile: str | None, settings: Settings, environ: Mapping[str, str]
) -> Entry:
    """Return the provider that the command line names, as `generate` would find it.

    Raises:
        ConfigurationError: there is none, or it cannot be asked.
    """
    plan = Routes(settings, environ).plan(given, profile)
    target = plan.route[0].target
    named = wanted_models(settings, target)
    if plan.config.model and target.model:
        named = (target.model,)
    return Entry(Configured(target.provider.name, (target,)), named, given, profile)


def examine_entry(
    entry: Entry,
    settings: Settings,
    environ: Mapping[str, str],
    config_path: Path | None,
    *,
    seconds: float,
    deep: bool,
) -> Examined:
    """Check a provider.

    Args:
        entry: who is checked.
        settings: of the configuration file.
        environ: where a deep check looks for variables.
        config_path: of that file, as the command line says it.
        seconds: for everything.
        deep: whether it generates a token if it is healthy.

    Raises:
        LLMError: nobody listens on a usual port, where nobody said that there is a server.
    """
    if entry.configured.error is not None:
        return _ill(entry, entry.configured.error)
    started = time.monotonic()
    driver = SyncDriver()
    try:
        target = entry.configured.targets[0]
        if entry.configured.origin == "usual":
            # What is on its usual port is known only by asking.
            deadline = Deadline(min(ANSWER_SECONDS, seconds), started, time.monotonic)
            target = driver.run(who_listens(entry.configured, deadline)).target
            entry = _found(target, settings)
            seconds = max(_LEAST_SECONDS, seconds - (time.monotonic() - started))
        patience = min(seconds, DEFAULT_SECONDS) if deep else seconds
        examined = driver.run(examine(target, named=entry.named, seconds=patience))
    finally:
        driver.close()
    if not deep or not examined.report:
        return examined
    from ..client import LLMClient
    from .deep_check import generate_one

    left = max(_LEAST_SECONDS, seconds - (time.monotonic() - started))
    client = partial(
        LLMClient, entry.config, profile=entry.profile, config_path=config_path, environ=environ
    )
    report = generate_one(examined.report, target, client, seconds=left)
    return Examined(report)


def unanswered(entry: Entry, seconds: float) -> Examined | LLMError:
    """Return what there is to say of a check that did not come to an end.

    An error where nobody said that there is a server.
    """
    slow = "If it is only slow, allow more: `llm-client health --timeout SECONDS`."
    error = TimeoutError(f"No answer within {seconds:g} s.", hint=slow)
    return error if entry.configured.origin == "usual" else _ill(entry, error, reachable=False)


def _ill(entry: Entry, error: LLMError, *, reachable: bool | None = None) -> Examined:
    """Return what an error says of a provider that was not asked, or has not answered."""
    report = HealthReport(
        entry.name,
        healthy=False,
        base_url=entry.base_url,
        error=error.message,
        hint=error.hint,
        problem=problem_of(error),
        reachable=reachable,
        named_models=entry.named,
    )
    return Examined(report, error)


def _entry_of(configured: Configured, settings: Settings) -> Entry:
    """Return a provider with the models that it should have; a deep check asks the first."""
    target = configured.targets[0] if configured.targets else None
    if target is None:
        named = named_models(settings, configured.name)
    else:
        named = wanted_models(settings, target)
    model = named[0] if named else None
    if target is not None and not target.base_url.startswith("http"):
        model = target.model  # in this process, by its path
    return Entry(configured, named, LLMConfig(provider=configured.name, model=model))


def _found(target: Target, settings: Settings) -> Entry:
    """Return who turned out to listen on a usual port."""
    name = target.provider.name
    configured = Configured(name, (target,), origin="usual")
    if name == COMPATIBLE:
        return Entry(configured, (), LLMConfig(base_url=target.base_url))
    entry = _entry_of(configured, settings)
    return entry._replace(config=replace(entry.config, base_url=target.base_url))

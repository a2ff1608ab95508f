"""`llm-client models`: what all configured providers have, or one of them.

Owns whom it asks, how long it waits and what it says of those that do not answer; what is known of
a model is made in `model_facts` and drawn under `render`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..configured import (
    ANSWER_SECONDS,
    Configured,
    ask_all,
    configured_providers,
    provider_of,
    who_listens,
)
from ..engine.drivers import SyncDriver
from ..engine.exchange import Deadline
from ..exceptions import ConfigurationError, LLMError, TimeoutError
from ..model_lists import ModelList, ago, list_models
from ..policy.route import COMPATIBLE, profile_config, with_timeout
from ..providers.catalog import CATALOG
from ..routes import Routes
from ..storage.config import load_settings
from ..storage.model_cache import ModelCache, open_model_cache
from ..types.config import LLMConfig, Settings
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus, exit_status
from .masking import known_secrets
from .model_facts import (
    Listing,
    Marks,
    ModelRow,
    first_names,
    is_wanted,
    listed_rows,
    model_object,
)
from .output import write_json
from .progress import Progress
from .project_file import use_project
from .render.plain import emit
from .report import report, report_line, safe_error_object, understood

__all__ = ["DEFAULT_SECONDS", "ModelsCommand", "ask", "show_models", "write_lines"]

DEFAULT_SECONDS = 10.0
"""For a list: nobody generates anything for it."""
_PATIENCE_SECONDS = 2.0
"""How long the quick ones wait for the others, to be shown with them in one order."""
_LATE_SECONDS = 0.25
_TELLING = (
    ExitStatus.CONFIGURATION,
    ExitStatus.RATE_LIMITED,
    ExitStatus.UNREACHABLE,
    ExitStatus.FAILED,
)
"""Exit statuses, the one that says most about what to do first."""
_FIRST_STEPS = """Go on with one of:
  `ollama serve`, then `llm-client models`
  `export OPENAI_API_KEY=…`, then `llm-client models`
  `llm-client models -u http://HOST:PORT/v1`      any OpenAI-compatible server
  `llm-client generate -p embedded "hi"`          the built-in demo model, offline"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsCommand:
    """What the command line asks for."""

    provider: str | None = None
    base_url: str | None = None
    profile: str | None = None
    everything: bool = False
    """Also models that do not answer in text, and retired ones."""
    json: bool = False
    refresh: bool = False
    query: str = ""
    """Words that a name or description has."""
    seconds: float = DEFAULT_SECONDS
    """For every provider."""
    config_path: Path | None = None
    verbose: bool = False
    debug: bool = False

    @property
    def names_one(self) -> bool:
        """Whether one provider is asked, and not all."""
        return any(said is not None for said in (self.provider, self.base_url, self.profile))


def show_models(command: ModelsCommand, environment: Environment, progress: Progress) -> int:
    """Run the command; return its exit status.

    Raises:
        LLMError: the provider that is asked does not answer.
    """
    use_project(environment, progress, command.config_path, profile=command.profile)
    return _Run(command, environment, progress).run()


class _Run:
    """One run of the command."""

    def __init__(
        self, command: ModelsCommand, environment: Environment, progress: Progress
    ) -> None:
        self._command = command
        self._environment = environment
        self._progress = progress
        self._settings = load_settings(command.config_path, environment.environ)
        self._marks = Marks(self._settings, environment.environ)
        self._cache = open_model_cache(self._settings, environment.environ)
        self._default: tuple[str, str] | None = self._marks.default
        self._listings: list[Listing] = []
        self._rows: list[ModelRow] = []
        self._hidden = 0
        self._failures: list[tuple[Configured, LLMError]] = []
        self._lacking: list[tuple[Configured, LLMError]] = []

    def run(self) -> int:
        command, environ = self._command, self._environment.environ
        if command.names_one:
            entries = [_named_one(command, self._settings, environ)]
        else:
            entries = configured_providers(self._settings, environ)
        askings = [
            partial(
                ask,
                entry,
                self._cache,
                command.seconds,
                refresh=command.refresh,
                is_by_name=command.base_url is None,
            )
            for entry in entries
        ]
        named = [entry.name for entry in entries if entry.origin == "named"]
        self._progress.wait_for(", ".join(named) or "local servers")
        missing = set(range(len(entries)))
        patience = command.seconds if command.json else _PATIENCE_SECONDS
        for batch in ask_all(askings, patience=patience, seconds=command.seconds):
            missing -= batch.keys()
            self._take([(entries[position], answer) for position, answer in batch.items()])
        late = TimeoutError(f"No answer within {command.seconds:g} s.")
        self._take([(entries[position], late) for position in missing])
        return self._end()

    def _take(self, answers: Sequence[tuple[Configured, Listing | Exception]]) -> None:
        """Show what came, in order, and what is to be said of it."""
        listings = [answer for _, answer in answers if isinstance(answer, Listing)]
        listings.sort(key=lambda listing: (listing.target.provider.name, listing.target.base_url))
        if self._default is None and not (self._command.names_one or self._marks.is_decided):
            self._default = first_names(listings, self._settings, self._environment.environ)
        rows = [row for listing in listings for row in self._rows_of(listing)]
        self._listings += listings
        self._rows += rows
        if rows and not self._command.json:
            self._progress.arrived()
            self._show(rows)
        for listing in listings:
            self._tell(listing)
        failed = [(entry, answer) for entry, answer in answers if isinstance(answer, Exception)]
        for entry, error in sorted(failed, key=lambda failure: failure[0].name):
            self._fail(entry, error)

    def _rows_of(self, listing: Listing) -> list[ModelRow]:
        rows = listed_rows(listing, self._settings, self._marks, self._default)
        today = time.strftime("%Y-%m-%d")
        words = self._command.query.casefold().split()
        found = [row for row in rows if _has(row, words)]
        shown = [row for row in found if self._command.everything or is_wanted(row.model, today)]
        self._hidden += len(found) - len(shown)
        return shown

    def _show(self, rows: Sequence[ModelRow]) -> None:
        from .render.models_table import model_lines, model_table

        environment = self._environment
        if environment.stdout_is_terminal:
            color = environment.colored(True)
            lines = model_table(rows, environment.columns, color=color)
        else:
            lines = model_lines(rows)
        write_lines(lines, environment)

    def _tell(self, listing: Listing) -> None:
        name, url = listing.target.provider.name, listing.target.base_url
        count = len(listing.found.models)
        plural = "" if count == 1 else "s"
        self._progress.explain(
            f"{name}: {count} model{plural} from {url}, listed {ago(listing.found.age)}."
        )
        if listing.found.failure is not None:
            self._progress.warn(listing.found.note(name))
        if not listing.is_by_name and self._command.base_url is None:
            self._progress.say(f"{name} at {url}: ask its models with `-u {url} -m MODEL`.")

    def _fail(self, entry: Configured, error: Exception) -> None:
        failure = understood(error)
        failure.__cause__ = None if failure is error else error
        if entry.may_lack(failure):
            self._lacking.append((entry, failure))
            self._progress.explain(f"{entry.name}: {failure}")
            return
        self._failures.append((entry, failure))
        if not self._command.names_one:
            self._progress.arrived()
            report_line(entry.name, failure, self._environment)

    def _end(self) -> int:
        """Say what is left to say; return the exit status."""
        self._progress.arrived()
        failure = self._failure()
        if self._command.json:
            self._write_object(failure)
        if failure is not None:
            if self._command.names_one or self._command.debug or not self._failures:
                self._report(failure)
            return exit_status(failure)
        if not self._rows and self._command.query:
            self._progress.say(f"No model matches {self._command.query!r}.")
        elif not self._rows and not self._hidden:
            self._progress.say("The list is empty.")
        if self._hidden and (self._environment.stdout_is_terminal or not self._rows):
            self._progress.say(f"{self._hidden} not shown: not for text, or retired. See `--all`.")
        return ExitStatus.ANSWERED

    def _failure(self) -> LLMError | None:
        """Return why the command fails: nobody answered. The built-in model does not count."""
        if self._command.names_one and self._listings:
            return None
        if any(listing.entry.origin != "built-in" for listing in self._listings):
            return None
        if self._failures:
            return min((error for _, error in self._failures), key=_how_telling)
        lacking = "".join(
            f"\n  {entry.name}: {error}"
            for entry, error in self._lacking
            if entry.origin == "address"
        )
        return ConfigurationError(
            "No provider is configured: no configuration, no key, no local server." + lacking,
            hint=_FIRST_STEPS,
        )

    def _report(self, failure: LLMError) -> None:
        try:
            raise failure  # with the traceback of where it came from
        except LLMError:
            report(failure, self._environment, json=False, debug=self._command.debug)

    def _write_object(self, failure: LLMError | None) -> None:
        secrets = known_secrets(self._environment)
        value: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
        if failure is not None:
            value |= safe_error_object(failure, secrets)
        value["providers"] = [_provider_object(listing) for listing in self._listings]
        value["models"] = [model_object(row) for row in self._rows]
        value["errors"] = [
            {**safe_error_object(error, secrets)["error"], "provider": entry.name}
            for entry, error in self._failures
        ]
        write_json(self._environment.stdout.buffer, value)


def ask(
    entry: Configured,
    cache: ModelCache,
    seconds: float,
    *,
    refresh: bool = False,
    is_by_name: bool = True,
) -> Listing:
    """Return what a provider lists, from the cache while it is fresh.

    Args:
        entry: who is asked.
        cache: where lists are kept; a list that is too old is taken where there is no answer.
        seconds: for everything.
        refresh: whether a fresh list is asked for again.
        is_by_name: whether its address is the one that its name leads to.

    Raises:
        LLMError: there is no list.
    """
    if entry.error is not None:
        raise entry.error
    driver = SyncDriver()
    try:
        if entry.origin == "usual":
            # What is on its usual port is known only by asking; that costs nothing.
            deadline = Deadline(ANSWER_SECONDS, time.monotonic(), time.monotonic)
            target, models = driver.run(who_listens(entry, deadline))
            cache.store(target, models)
            usual = CATALOG[target.provider.name].base_url
            return Listing(entry, target, ModelList(models), target.base_url == usual)
        # A little later than its single waits: their errors say more.
        deadline = Deadline(seconds + _LATE_SECONDS, time.monotonic(), time.monotonic)
        target = with_timeout(entry.targets[0], seconds)
        found = driver.run(list_models(target, cache, refresh=refresh, deadline=deadline))
        return Listing(entry, target, found, is_by_name)
    finally:
        driver.close()


def write_lines(lines: Sequence[str], environment: Environment) -> None:
    """Write lines to stdout: what its encoding lacks becomes `?`."""
    if lines:
        emit(environment.stdout, "\n".join((*lines, "")))


def _named_one(
    command: ModelsCommand, settings: Settings, environ: Mapping[str, str]
) -> Configured:
    """Return the provider that the command line names.

    Raises:
        ConfigurationError: there is none, or it cannot be asked.
    """
    config = LLMConfig(provider=command.provider, base_url=command.base_url)
    if command.profile is not None and command.provider is None:
        spec = profile_config(settings, command.profile)[0].model or ""
        if "/" not in spec:
            raise ConfigurationError(
                f"The profile {command.profile!r} names no provider.",
                hint="Name it with `-p PROVIDER`.",
            )
        config = replace(provider_of(spec, settings), base_url=command.base_url)
    if config.provider is None and config.model is None:
        config = replace(config, provider=COMPATIBLE)
    target = Routes(settings, environ).resolve(config)
    return Configured(target.provider.name, (target,))


def _has(row: ModelRow, words: Sequence[str]) -> bool:
    text = f"{row.spec} {row.model.provider} {row.model.description or ''}".casefold()
    return all(word in text for word in words)


def _how_telling(error: LLMError) -> int:
    status = exit_status(error)
    return _TELLING.index(status) if status in _TELLING else len(_TELLING)


def _provider_object(listing: Listing) -> dict[str, Any]:
    """Return the JSON object that stands for a provider that has a list."""
    target, found = listing.target, listing.found
    return {
        "name": target.provider.name,
        "base_url": target.base_url,
        "dialect": target.provider.dialect,
        "models": len(found.models),
        "age_seconds": found.age,
        "is_stale": found.failure is not None,
    }

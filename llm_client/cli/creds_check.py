"""`llm-client creds test`: whether providers accept their keys.

Owns who is asked and what is said of it; the free question is `llm_client/health.py`'s. A key is
`valid`, `refused`, or it cannot be told: because the provider is `unreachable`, or `unproven`,
where nothing that is free proves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from ..configured import ask_all
from ..engine.drivers import SyncDriver
from ..exceptions import ConfigurationError, LLMError
from ..health import DEFAULT_SECONDS, check_health
from ..routes import Routes
from ..storage.config import load_settings
from ..storage.credentials import CredentialsManager
from ..storage.key_command import COMMAND_SECONDS
from ..storage.keyring_store import PROMPT_SECONDS
from ..types.config import LLMConfig, Settings
from ..types.health import HealthReport
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .masking import known_secrets, masked
from .output import write_json
from .progress import Progress
from .render.plain import emit
from .render.sanitize import neutralise
from .report import in_a_line, understood

__all__ = ["CheckCommand", "check_keys"]

Outcome: TypeAlias = Literal["valid", "refused", "unreachable", "unproven", "unusable"]

_DOWN = ("unreachable", "loading", "failing")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCommand:
    """What the command line asks for."""

    provider: str | None = None
    """`None`: every provider that has a key."""
    json: bool = False
    seconds: float | None = None
    """For each provider; `None`: 5."""
    config_path: Path | None = None


class _Result(NamedTuple):
    """What is known of a key."""

    provider: str
    outcome: Outcome
    source: str = ""
    base_url: str | None = None
    latency_ms: float | None = None
    why: str = ""
    hint: str = ""


def check_keys(command: CheckCommand, environment: Environment, progress: Progress) -> int:
    """Ask the providers; return the exit status.

    Raises:
        LLMError: there is no such provider, or no key at all.
    """
    environ = environment.environ
    settings = load_settings(command.config_path, environ)
    manager = CredentialsManager(config_path=command.config_path, environ=environ)
    names = _names(command, manager, Routes(settings, environ))
    seconds = command.seconds or DEFAULT_SECONDS
    askings = [partial(_ask, name, manager, settings, environ, seconds) for name in names]
    progress.wait_for(", ".join(names))
    found: dict[int, _Result | Exception] = {}
    # Each ends by itself; where its key comes from a prompt or a command that takes a while.
    longest = seconds + COMMAND_SECONDS + PROMPT_SECONDS
    for batch in ask_all(askings, patience=longest, seconds=longest):
        found |= batch
    progress.arrived()
    results = [_result(name, found.get(number)) for number, name in enumerate(names)]
    _show(results, command, environment)
    return _status(results)


def _names(command: CheckCommand, manager: CredentialsManager, routes: Routes) -> list[str]:
    if command.provider is not None:
        name = manager.name(command.provider)
        # Where its key cannot be had, that is all that there is to say.
        routes.resolve(LLMConfig(provider=name))
        return [name]
    names = [*dict.fromkeys(source.provider for source in manager.list())]
    if not names:
        raise ConfigurationError(
            "There are no keys.", hint="Keep one with `llm-client creds set PROVIDER`."
        )
    return names


def _ask(
    name: str,
    manager: CredentialsManager,
    settings: Settings,
    environ: Mapping[str, str],
    seconds: float,
) -> _Result:
    credentials = manager.get(name)
    target = Routes(settings, environ).resolve(LLMConfig(provider=name))
    driver = SyncDriver()
    try:
        report = driver.run(check_health(target, seconds=seconds))
    finally:
        driver.close()
    outcome, why = _outcome(report, has_key=credentials.api_key is not None)
    return _Result(
        name,
        outcome,
        credentials.source,
        target.base_url,
        report.latency_ms,
        why,
        "" if outcome == "valid" else report.hint or "",
    )


def _outcome(report: HealthReport, *, has_key: bool) -> tuple[Outcome, str]:
    why = report.error or ""
    if report.key_accepted is not None:
        return ("valid", "") if report.key_accepted else ("refused", why)
    if report.problem in _DOWN:
        return "unreachable", why
    if report.problem == "configuration":
        return "unusable", why
    if not has_key:
        return "unproven", "It has no key, and answers without."
    return "unproven", why or "It answers everybody; only a request that costs would tell."


def _result(name: str, found: _Result | Exception | None) -> _Result:
    if isinstance(found, _Result):
        return found
    error = understood(found) if found is not None else LLMError("No answer in time.")
    return _Result(name, "unusable", why=error.message, hint=error.hint or "")


def _show(results: list[_Result], command: CheckCommand, environment: Environment) -> None:
    secrets = known_secrets(environment)
    if command.json:
        objects = [_object(result) for result in results]
        for each in objects:
            each |= {name: masked(each[name], secrets) for name in ("why", "hint") if each[name]}
        value = {"schema_version": SCHEMA_VERSION, "results": objects}
        write_json(environment.stdout.buffer, value)
        return
    width = max(len(result.provider) for result in results)
    for result in results:
        said = in_a_line(result.why, result.hint)
        fields = [result.provider, result.outcome, result.source, masked(said, secrets)]
        if environment.stdout_is_terminal:
            source = f"({result.source})" if result.source else ""
            fields = [f"{result.provider:{width}}  {result.outcome:11}", source, fields[3]]
            line = " ".join(filter(None, fields)).rstrip()
        else:
            line = "\t".join(fields)
        emit(environment.stdout, neutralise(line) + "\n")


def _object(result: _Result) -> dict[str, Any]:
    return {name: value if value != "" else None for name, value in result._asdict().items()}


def _status(results: list[_Result]) -> ExitStatus:
    outcomes = {result.outcome for result in results}
    if "unreachable" in outcomes:
        return ExitStatus.UNREACHABLE
    if outcomes & {"refused", "unusable"}:
        return ExitStatus.CONFIGURATION
    return ExitStatus.ANSWERED

"""`llm-client health`: how every configured provider is, or one of them.

Owns the order of events of the command, which exit status reports come to, and the JSON object.
Whom it asks stands in `health_entries`, and the table is drawn under `render`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from ..configured import ask_all
from ..exceptions import AuthenticationError, ConfigurationError, LLMError
from ..health import DEFAULT_SECONDS, Examined
from ..storage.config import load_settings
from ..types.config import LLMConfig, Settings
from ..types.health import HealthReport, LoadedModel
from ..types.secret import Secret
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .health_entries import Entry, all_entries, examine_entry, named_entry, unanswered
from .masking import known_secrets, masked
from .output import write_json
from .progress import Progress
from .project_file import use_project
from .render.plain import emit
from .report import report_line

__all__ = ["HealthCommand", "health_object", "show_health"]

_DEEP_SECONDS = 60.0
"""A local server may have to load the model first."""
_STATUSES = {
    "unreachable": ExitStatus.UNREACHABLE,
    "loading": ExitStatus.UNREACHABLE,
    "failing": ExitStatus.UNREACHABLE,
    "key": ExitStatus.CONFIGURATION,
    "configuration": ExitStatus.CONFIGURATION,
    "model": ExitStatus.MODEL_NOT_FOUND,
    "limited": ExitStatus.RATE_LIMITED,
    "budget": ExitStatus.BUDGET,
}
"""By problem, the worst first."""
_FIRST_STEPS = """Go on with one of:
  `ollama serve`, then `llm-client health`
  `export OPENAI_API_KEY=…`, then `llm-client health`
  `llm-client health -u http://HOST:PORT/v1`      any OpenAI-compatible server
  `llm-client config init`                        asks a few questions"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCommand:
    """What the command line asks for."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    profile: str | None = None
    deep: bool = False
    """Whether each generates a token."""
    json: bool = False
    quiet: bool = False
    """Whether only those are shown that are not healthy."""
    seconds: float | None = None
    """For each provider; `None`: 5, and 60 where a token is generated."""
    config_path: Path | None = None

    @property
    def names_one(self) -> bool:
        """Whether one provider is asked, and not all."""
        named = (self.provider, self.model, self.base_url, self.profile)
        return any(said is not None for said in named)

    @property
    def patience(self) -> float:
        """Seconds for each provider."""
        return self.seconds or (_DEEP_SECONDS if self.deep else DEFAULT_SECONDS)


def show_health(command: HealthCommand, environment: Environment, progress: Progress) -> int:
    """Run the command; return its exit status.

    Raises:
        LLMError: nobody is configured, or who is named cannot be asked as it is configured.
    """
    use_project(environment, progress, command.config_path, profile=command.profile)
    found = _reports(command, environment, progress)
    secrets = known_secrets(environment)  # now with what was read to ask them
    reports = [_masked(report, secrets) for report in found]
    reports.sort(key=lambda report: (report.provider, report.base_url))
    shown = [report for report in reports if not (command.quiet and report)]
    if command.json:
        _write_object(reports, environment)
    else:
        _show(shown, environment)
    if command.json or not environment.stdout_is_terminal:
        for report in shown:
            if not report:
                error = LLMError(report.error or "", hint=report.hint)
                report_line(report.provider, error, environment)
    problems = {report.problem for report in reports if not report}
    return next((status for problem, status in _STATUSES.items() if problem in problems), 0)


def _reports(
    command: HealthCommand, environment: Environment, progress: Progress
) -> list[HealthReport]:
    """Return the reports of all that are configured, at least one.

    Raises:
        ConfigurationError: nobody is.
        AuthenticationError: nobody is, but for a local server that wants a key.
    """
    settings = load_settings(command.config_path, environment.environ)
    entries = _entries(command, settings, environment)
    named = [entry.name for entry in entries if entry.configured.origin != "usual"]
    progress.wait_for(", ".join(named) or "local servers")
    askings = [
        partial(
            examine_entry,
            entry,
            settings,
            environment.environ,
            command.config_path,
            seconds=command.patience,
            deep=command.deep,
        )
        for entry in entries
    ]
    answers: dict[int, Examined | Exception] = {}
    for batch in ask_all(askings, patience=command.patience, seconds=command.patience):
        answers |= batch
    progress.arrived()
    reports = []
    locked: AuthenticationError | None = None
    for position, entry in enumerate(entries):
        examined = answers.get(position) or unanswered(entry, command.patience)
        if isinstance(examined, LLMError):
            progress.explain(f"{entry.name}: {examined}")
            if isinstance(examined, AuthenticationError):
                locked = examined
        elif isinstance(examined, Exception):
            raise examined
        else:
            _explain(examined.report, progress)
            reports.append(examined.report)
    if not reports:
        raise locked or ConfigurationError(
            "No provider is configured: no configuration, no key, no local server.",
            hint=_FIRST_STEPS,
        )
    return reports


def _entries(
    command: HealthCommand, settings: Settings, environment: Environment
) -> Sequence[Entry]:
    if not command.names_one:
        return all_entries(settings, environment.environ)
    given = LLMConfig(provider=command.provider, model=command.model, base_url=command.base_url)
    return [named_entry(given, command.profile, settings, environment.environ)]


def _masked(report: HealthReport, secrets: Sequence[Secret]) -> HealthReport:
    """Return a report fit to be shown: a server may repeat the key wherever it tells something.

    Of a key that was cut to the width of a terminal first, the rest would stay.
    """

    def shown(value: Any) -> Any:
        match value:
            case str():
                return masked(value, secrets)
            case LoadedModel():
                return value._replace(model=masked(value.model, secrets))
            case tuple():
                return tuple(map(shown, value))
        return value

    return HealthReport(**{it.name: shown(getattr(report, it.name)) for it in fields(report)})


def _explain(report: HealthReport, progress: Progress) -> None:
    if report.latency_ms is not None:
        count = len(report.models)
        progress.explain(
            f"{report.provider}: {count} model{'' if count == 1 else 's'} listed by "
            f"{report.base_url}, first answer after {report.latency_ms:.0f} ms."
        )


def _show(reports: Sequence[HealthReport], environment: Environment) -> None:
    from .render.health_table import health_lines, health_table

    if not reports:
        return
    if environment.stdout_is_terminal:
        encoding = environment.stdout.encoding or "ascii"
        lines = health_table(
            reports,
            environment.columns,
            color=environment.colored(True),
            plain=not encoding.lower().startswith("utf"),
        )
    else:
        lines = health_lines(reports)
    emit(environment.stdout, "\n".join((*lines, "")))


def _write_object(reports: Sequence[HealthReport], environment: Environment) -> None:
    value = {
        "schema_version": SCHEMA_VERSION,
        "healthy": all(reports),
        "providers": [health_object(report) for report in reports],
    }
    write_json(environment.stdout.buffer, value)


def health_object(report: HealthReport) -> dict[str, Any]:
    """Return the JSON object that stands for a report."""
    return {
        "name": report.provider,
        "base_url": report.base_url,
        "healthy": report.healthy,
        "problem": report.problem,
        "reachable": report.reachable,
        "has_key": report.has_key,
        "key_accepted": report.key_accepted,
        "named_models": report.named_models,
        "missing_models": report.missing_models,
        "model_present": report.model_present,
        "models": len(report.models),
        "version": report.version,
        "loaded": [
            {"model": loaded.model, "context_length": loaded.context} for loaded in report.loaded
        ],
        "latency_ms": report.latency_ms,
        "deep": report.model
        and {
            "model": report.model,
            "time_to_first_token_ms": report.first_token_ms,
            "tokens_per_second": report.tokens_per_second,
        },
        "error": report.error,
        "hint": report.hint,
    }

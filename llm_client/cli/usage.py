"""`llm-client usage`: what was used, on a terminal, as text, as JSON or CSV.

Owns what is shown when nothing is said: the last 30 days by model. What is left of budgets stands
below, but not in a pipe, where every line is a row. Only reads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from ..policy.usage_query import usage_query
from ..storage.ledger import local_day
from ..storage.usage_queries import DayUsage
from ..storage.usage_store import UsageStore
from ..types.usage import UsageFilters, UsageKey, UsageQuery, UsageReport, UsageRow
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .output import write_json
from .render.plain import emit
from .render.sanitize import neutralise

if TYPE_CHECKING:
    from ..policy.budget import Standing
    from ..types.config import Settings

__all__ = ["UsageCommand", "show_usage"]

_DEFAULT_SINCE = "30d"
_TIMES = frozenset({"since", "until"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCommand:
    """What the command line asks for."""

    by: UsageKey | None = None
    filters: UsageFilters
    form: Literal["text", "json", "csv"] = "text"
    config_path: Path | None = None


def show_usage(command: UsageCommand, environment: Environment) -> int:
    """Run the command; return its exit status.

    Raises:
        LLMError: a filter makes no sense, or the ledger cannot be read.
    """
    filters = command.filters
    if "since" not in filters and "until" not in filters:
        filters = {**filters, "since": _DEFAULT_SINCE}
    query = usage_query(command.by or "model", filters, datetime.now())
    store = UsageStore.of(environment.environ)
    standings = _standings(store, command, environment)
    report = store.summarize(query)
    if command.form == "json":
        _write_object(report, filters, standings, environment)
    elif command.form == "csv":
        _write_csv(report, environment)
    else:
        _write_text(report, store, query, command, standings, environment)
    return ExitStatus.ANSWERED


def _write_text(
    report: UsageReport,
    store: UsageStore,
    query: UsageQuery,
    command: UsageCommand,
    standings: Sequence[Standing],
    environment: Environment,
) -> None:
    """Show a report to people, and to programs that read lines."""
    is_nothing = not report.total.calls
    if is_nothing:
        environment.note(_nothing(store, command, environment))
    if not environment.stdout_is_terminal:
        from .render.usage_text import aligned

        emit(environment.stdout, "\n".join((*aligned(report), "")))
        return
    if not is_nothing:
        # Rows that are days show the same.
        days = store.days(query) if query.by != "day" else []
        _draw(report, days, command.filters, environment)
    _draw_budgets(standings, environment, apart=not is_nothing)


def _standings(
    store: UsageStore, command: UsageCommand, environment: Environment
) -> list[Standing]:
    """Return what is used of the budgets of the configuration, where that is shown."""
    is_drawn = command.form == "text" and environment.stdout_is_terminal
    is_shown = is_drawn or command.form == "json"
    if not is_shown and command.config_path is None:
        return []  # reading the configuration costs more than all the rest
    budget = _settings(command, environment).budget  # one that is named and wrong is told
    if budget is None or not is_shown:
        return []
    from ..policy.budget import lasting_limits

    limits = lasting_limits(budget, local_day(time.time()))
    return store.standings(limits) if limits else []


def _settings(command: UsageCommand, environment: Environment) -> Settings:
    from ..storage.config import load_settings

    return load_settings(command.config_path, environment.environ)


def _draw_budgets(standings: Sequence[Standing], environment: Environment, *, apart: bool) -> None:
    """Say what is left of each budget."""
    if not standings:
        return
    from ..policy.budget import standing_line

    texts = [neutralise(standing_line(standing)).replace("\n", " ") for standing in standings]
    lines = [line for text in texts for line in wrap(text, environment.columns)]
    emit(environment.stdout, "\n".join((*([""] if apart else []), *lines, "")))


def _write_object(
    report: UsageReport,
    filters: UsageFilters,
    standings: Sequence[Standing],
    environment: Environment,
) -> None:
    from .render.usage_text import budget_object, report_object

    shown = {name: text for name, text in filters.items() if name not in _TIMES}
    write_json(
        environment.stdout.buffer,
        {
            "schema_version": SCHEMA_VERSION,
            "filters": shown,
            **report_object(report),
            "budgets": [budget_object(standing) for standing in standings],
        },
    )


def _write_csv(report: UsageReport, environment: Environment) -> None:
    from .render.usage_text import csv_text, row_object

    # An empty report has the same columns.
    names = [report.by if name == "key" else name for name in row_object(UsageRow())]
    rows = (row_object(row) for row in report.rows)
    text = csv_text(rows, [str(name) for name in names])
    if environment.stdout_is_terminal:
        text = neutralise(text)
    environment.stdout.buffer.write(text.encode("utf-8", "replace"))
    environment.stdout.buffer.flush()


def _nothing(store: UsageStore, command: UsageCommand, environment: Environment) -> str:
    """Return why there is nothing to be shown."""
    if store.count(UsageQuery()):
        return "Nothing of what is recorded fits. `llm-client usage --since all` shows everything."
    if not _settings(command, environment).ledger:
        return "Nothing is recorded: the ledger is off."
    return "Nothing is recorded yet. The first call begins the ledger."


def _draw(
    report: UsageReport,
    days: Sequence[DayUsage],
    filters: UsageFilters,
    environment: Environment,
) -> None:
    """Draw a table on the terminal, and below it what each day cost."""
    from .render.usage_table import day_lines, usage_table

    color = environment.colored(environment.stdout_is_terminal)
    encoding = (environment.stdout.encoding or "ascii").lower()
    ascii = not encoding.startswith("utf")
    width = environment.columns
    title = neutralise(_title(report, filters)).replace("\n", " ")
    lines = [f"\x1b[1m{line}\x1b[0m" if color else line for line in wrap(title, width)]
    lines += ["", *usage_table(report, width, color=color, ascii=ascii)]
    if chart := day_lines(days, width, ascii=ascii):
        lines += ["", *chart]
    if remarks := _remarks(report):
        lines += ["", *(line for remark in remarks for line in wrap(remark, width))]
    emit(environment.stdout, "\n".join((*lines, "")))


def _title(report: UsageReport, filters: UsageFilters) -> str:
    match report.since, report.until:
        case None, None:
            span = "of all time"
        case since, None:
            span = f"since {since}"
        case None, until:
            span = f"until {until}"
        case since, until:
            span = f"{since} to {until}" if since != until else f"on {since}"
    labels = [f"{name} {text or '(none)'}" for name, text in filters.items() if name not in _TIMES]
    return ", ".join((f"Usage {span}", *labels))


def _remarks(report: UsageReport) -> list[str]:
    """Return what the signs of the table mean."""
    total, remarks = report.total, []
    if total.estimated:
        remarks.append(f"~ partly a guess: of {_attempts(total.estimated)} no usage was reported.")
    if total.unpriced:
        remarks.append(
            f"+ {_attempts(total.unpriced)} unpriced, not part of the cost. "
            'Tell the price under `[pricing."PROVIDER/MODEL"]` in the configuration.'
        )
    if report.by == "tag" and sum(row.calls for row in report.rows) > total.calls:
        remarks.append("A call with several tags counts under each of them, and once in the total.")
    return remarks


def _attempts(count: int) -> str:
    return f"{count:,} attempt{'s' if count != 1 else ''}"

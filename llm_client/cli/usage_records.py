"""`llm-client usage prune` and `usage export`: the single attempts of the ledger.

Owns the question before anything is deleted, and the form of what is exported. Attempts are read page
by page, so that a ledger of any size takes the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from ..policy.periods import shown_bound
from ..policy.usage_query import query_before, usage_query
from ..storage.usage_queries import EXPORTED
from ..storage.usage_store import UsageStore
from ..types.usage import UsageFilters
from .destination import names_stdout, open_destination
from .environment import Environment
from .exit_status import ExitStatus, UsageError
from .output import write_json
from .render.plain import emit
from .render.sanitize import neutralise

__all__ = ["export_usage", "prune_usage"]

_BATCH = 1_000
"""Attempts that are written at once."""


def prune_usage(
    older_than: str, environment: Environment, *, sure: bool, budgets: bool = False
) -> int:
    """Delete old attempts; return the exit status.

    Args:
        older_than: which ones, as on the command line.
        environment: whom to ask.
        sure: whether not to ask.
        budgets: whether what budgets count of that time goes too.

    Raises:
        LLMError: there is nobody to ask, or the ledger cannot be used.
    """
    query = query_before("--older-than", older_than, datetime.now())
    can_ask = environment.stdin_is_terminal and environment.stderr_is_terminal
    if not (sure or can_ask):
        raise UsageError(
            "Deleting has to be confirmed, and there is no terminal to ask on.",
            hint="Say `--yes`.",
        )
    store = UsageStore.of(environment.environ)
    until = shown_bound(query.until)
    span = f"{'up to' if isinstance(query.until, str) else 'before'} {until}"
    count, is_spent = store.count(query), budgets and store.is_spent(query)
    if not (count or is_spent):
        emit(environment.stdout, f"No attempts {span}: nothing to delete.\n")
        return ExitStatus.ANSWERED
    rest = "Budgets forget what was spent then." if budgets else "What budgets count is kept."
    if not sure and not _confirmed(f"Delete {_attempts(count)} {span}? {rest}", environment):
        environment.note("Nothing was deleted.")
        return ExitStatus.FAILED
    deleted = store.delete(query, budgets=budgets)
    forgotten = " Budgets have forgotten what was spent then." if is_spent else ""
    emit(environment.stdout, f"{_attempts(deleted)} deleted.{forgotten}\n")
    return ExitStatus.ANSWERED


def export_usage(
    filters: UsageFilters, form: str | None, output: Path | None, environment: Environment
) -> int:
    """Write every attempt on a line of its own; return the exit status.

    Args:
        filters: which attempts.
        form: `jsonl` or `csv`; `None`: as the file is called.
        output: `None` is stdout. A file appears when it is complete.
        environment: where stdout is.

    Raises:
        LLMError: a filter makes no sense, the ledger cannot be read, or the file not be written.
    """
    query = usage_query(None, filters, datetime.now())
    attempts = UsageStore.of(environment.environ).attempts(query)
    if form is None:
        form = "csv" if output is not None and output.suffix.lower() == ".csv" else "jsonl"
    if form == "csv":
        seen = environment.stdout_is_terminal and names_stdout(output)
        batches = _csv(attempts, harmless=seen)
    else:
        batches = _json_lines(attempts)
    try:
        with open_destination(output, environment) as stream:
            for batch in batches:
                stream.write(batch)
            stream.flush()
    except UsageError as error:
        # What is sent by other commands is no matter here.
        raise UsageError(
            error.message.removesuffix(" Nothing was sent."), hint=error.hint
        ) from None
    return ExitStatus.ANSWERED


def _json_lines(attempts: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    while batch := list(islice(attempts, _BATCH)):
        lines = BytesIO()
        for attempt in batch:
            write_json(lines, attempt)
        yield lines.getvalue()


def _csv(attempts: Iterator[dict[str, Any]], *, harmless: bool) -> Iterator[bytes]:
    from .render.usage_text import csv_text

    names = EXPORTED
    while (batch := list(islice(attempts, _BATCH))) or names:
        text = csv_text(batch, names)
        yield (neutralise(text) if harmless else text).encode("utf-8", "replace")
        names = ()


def _confirmed(question: str, environment: Environment) -> bool:
    assert environment.stdin is not None  # it is a terminal
    emit(environment.stderr, f"{question} [y/N] ")
    answer = environment.stdin.readline().strip().lower()
    return answer in {b"y", b"yes"}


def _attempts(count: int) -> str:
    return f"{count:,} attempt{'s' if count != 1 else ''}"

"""`llm-client creds list`: whose keys there are, and where each comes from.

Shows the last four characters of a key at most, and nothing of a short one. Only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..storage.credentials import CredentialsManager, KeySource
from ..types.secret import Secret
from .environment import Environment
from .exit_status import SCHEMA_VERSION, ExitStatus
from .masking import known_secrets, masked
from .output import write_json
from .render.plain import emit
from .render.sanitize import neutralise

__all__ = ["last_four", "list_keys"]

_SHORTEST_SHOWN = 12
"""Characters. Four of a shorter key would be too much of it."""


class _Row(NamedTuple):
    """A line of the list."""

    provider: str
    source: str
    last_four: str
    note: str
    is_used: bool


def list_keys(
    environment: Environment, config_path: Path | None, *, json: bool, run_commands: bool
) -> int:
    """List keys; return the exit status.

    Raises:
        LLMError: the configuration or the credentials file cannot be understood.
    """
    manager = CredentialsManager(config_path=config_path, environ=environment.environ)
    rows = _rows(manager.list(run_commands=run_commands))
    secrets = known_secrets(environment)
    rows = [  # a key may stand where its provider's name should
        row._replace(provider=masked(row.provider, secrets), note=masked(row.note, secrets))
        for row in rows
    ]
    if json:
        keys = [_object(row) for row in rows]
        value = {"schema_version": SCHEMA_VERSION, "file": str(manager.path), "keys": keys}
        write_json(environment.stdout.buffer, value)
        return ExitStatus.ANSWERED
    if not rows:
        environment.note("No keys. Keep one with `llm-client creds set PROVIDER`.")
        return ExitStatus.ANSWERED
    texts = [[_one_line(text) for text in row[:4]] for row in rows]
    if environment.stdout_is_terminal:
        lines = _aligned([["PROVIDER", "FROM", "KEY", ""], *texts])
    else:
        lines = ["\t".join(text) for text in texts]
    emit(environment.stdout, "\n".join((*lines, "")))
    return ExitStatus.ANSWERED


def last_four(key: Secret | None) -> str:
    """Return the end of a key as it may be shown; empty where nothing may."""
    text = "" if key is None else key.reveal()
    return text[-4:] if len(text) >= _SHORTEST_SHOWN else ""


def _rows(sources: Sequence[KeySource]) -> list[_Row]:
    holding: dict[str, str] = {}
    rows = []
    for provider, source, key, trouble in sources:
        holds = holding.get(provider)
        note = trouble or (f"behind {holds}" if holds else "")
        if not (trouble or holds):
            holding[provider] = source
        rows.append(_Row(provider, source, last_four(key), note, not (trouble or holds)))
    return rows


def _object(row: _Row) -> dict[str, Any]:
    return {**row._asdict(), "last_four": row.last_four or None, "note": row.note or None}


def _one_line(text: str) -> str:
    return neutralise(" ".join(text.split()))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as columns; a key shows as `…wxyz`."""
    shown = [
        [row[0], row[1], f"…{row[2]}" if number and row[2] else row[2] or "…", row[3]]
        for number, row in enumerate(rows)
    ]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]

"""Clients whose ledger a test looks into.

Owns the answer that their server gives, and how the ledger and what a client says are read.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from llm_client import LLMClient
from llm_client.types.events import Event, Notice

from .fault_server import FaultServer, respond

__all__ = ["ANSWER", "PRICES", "Notices", "client_of", "reservations", "rows"]

_JSON = [("Content-Type", "application/json")]
_USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
_BODY = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
PRICES = '[pricing."work/*"]\ninput = 1.0\noutput = 2.0\n'
ANSWER = respond(headers=_JSON, body=_BODY)


def rows(data: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM attempts ORDER BY id")]


def reservations(data: Path) -> int:
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM reservations").fetchone()[0]
        return count


class Notices(list[str]):
    """What a client says that is no failure."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.append(event.text)


def client_of(
    server: FaultServer, tmp_path: Path, config: str = "", observe: Notices | None = None
) -> LLMClient:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[providers.work]\nbase_url = "{server.url}"\n{config}\n[retry]\nmax_retries = 0\n'
    )
    return LLMClient("work/m", config_path=file, observe=observe)

"""Budgets and rate limits under many real processes at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMConfig
from llm_client.policy.rate import rate_key
from llm_client.storage.ledger import Ledger, ledger_file
from llm_client.storage.slots import pause

from ..support.unmeasured import unmeasured
from .reserving import CENT, claim, limit, rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")

ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
    }
).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.arrivals.append(time.time())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128
    arrivals: list[float]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@contextmanager
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as made:
        made.arrivals = []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def race(environ: dict[str, str], *arguments: object) -> list[dict[str, Any]]:
    """Run processes; return what they said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.racers", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=unmeasured(environ),
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    import os

    return dict(os.environ)


def test_fifty_processes_racing_for_the_last_cent_overspend_by_nothing(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    said = race(environ, "spend", path, 50, CENT)

    assert len(said) == 50
    assert sum(each["granted"] for each in said) > 20
    assert sum(each["refused"] for each in said) > 50
    with closing(Ledger(path)) as ledger:
        [[spent]] = ledger.database.read(lambda c: rows(c, "SELECT sum(cost) FROM spending"))
        [[booked]] = ledger.database.read(lambda c: rows(c, "SELECT sum(cost) FROM attempts"))
        left = ledger.database.read(lambda c: rows(c, "SELECT * FROM reservations"))
    assert CENT * 9 // 10 < spent <= CENT
    assert booked == spent
    assert left == []


def test_fifty_clients_racing_for_the_last_cents_spend_no_more(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    with server() as listening:
        config.write_text(
            f"""
            [profiles.default]
            model = "work/m"
            [providers.work]
            dialect = "openai-chat"
            base_url = "http://{listening.address}/v1"
            [budget]
            daily_usd = 0.50
            monthly_usd = 100.0
            [pricing."work/m"]
            input = 1000.0
            output = 1000.0
            """
        )
        said = race(environ, "call", config, 50)
        asked = len(listening.arrivals)

    assert sum(each["answered"] for each in said) == asked
    # Each costs two cents, and may cost seven and a half before it has answered.
    assert 20 <= asked <= 25
    with closing(Ledger(ledger_file(environ))) as ledger:
        found = ledger.database.read(
            lambda c: rows(
                c,
                "SELECT count(*), sum(cost), (SELECT sum(cost) FROM spending)"
                ", (SELECT count(*) FROM reservations) FROM attempts",
            )
        )
    assert found == [(asked, asked * 2 * CENT, asked * 2 * CENT, 0)]


def test_processes_share_a_rate_limit_without_exceeding_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    minute, per_minute = 2.0, 6
    with server() as listening:
        said = race(
            environ, "ask", tmp_path / "ledger.db", 6, listening.address, 3, per_minute, minute
        )
        arrivals = sorted(listening.arrivals)

    let_through = sorted(each["let_through"] for each in said)
    assert len(let_through) == len(arrivals) == 18
    for at in let_through:
        assert sum(at - minute <= other <= at for other in let_through) <= per_minute
    # On its way each may take a second longer than another.
    for at in arrivals:
        assert sum(at - minute / 2 <= other <= at for other in arrivals) <= per_minute


def test_attempt_of_a_killed_process_is_lost_and_its_money_counts(
    environ: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    killed = subprocess.run(
        [sys.executable, "-m", "tests.storage.racers", "die", str(path), str(CENT)],
        cwd=Path(__file__).parents[2],
        env=unmeasured(environ),
        timeout=60,
    )
    assert killed.returncode == -9
    with closing(Ledger(path)) as ledger:
        refused = ledger.reserve(claim(limits=(limit(2 * CENT - 1, "total"),))).refused
        lost = ledger.database.read(
            lambda c: rows(c, "SELECT call_id, outcome, cost, estimated FROM attempts")
        )
        granted = ledger.reserve(claim(limits=(limit(2 * CENT, "total"),)))
    assert refused is not None
    assert (refused.spent, refused.reserved) == (CENT, 0)
    assert lost == [("dead", "lost", CENT, 1)]
    assert granted.refused is None


def test_wait_of_an_async_call_does_not_block_the_loop(environ: dict[str, str]) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def main(address: str) -> str:
        config = LLMConfig(base_url=f"http://{address}/v1", model="m")
        async with AsyncLLMClient(config) as client:
            target = client._calls.target
            now = time.time()
            with closing(Ledger(ledger_file(environ))) as ledger:
                ledger.database.write(lambda c: pause(c, rate_key(target), now + 0.6, now))
            other = asyncio.create_task(tick())
            response = await client.generate("Hi")
            other.cancel()
        assert listening.arrivals[0] >= now + 0.6
        return response.content

    with server() as listening:
        assert asyncio.run(main(listening.address)) == "Hello"
    # 60 would be ideal; a loop that is blocked for the wait has one or two.
    assert len(ticks) > 10

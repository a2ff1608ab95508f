"""What bounds one call with all that is done for it, and figures that no ledger can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_client import LLMClient
from llm_client.exceptions import BudgetExceededError
from llm_client.storage.ledger import Ledger
from llm_client.storage.usage_store import UsageStore
from llm_client.types.usage import UsageQuery

from .support.conversations import talk
from .support.fault_server import FaultServer, fault_server, respond
from .support.ledgers import ANSWER, PRICES, Notices, client_of, reservations, rows

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(ANSWER) as running:
        yield running


@pytest.mark.parametrize(
    ("budget", "options"),
    [
        ("", {"max_cost": 0.0045}),
        ("[budget]\nper_call_usd = 0.0045", {}),
        ("[budget.providers.work]\nper_call_usd = 0.0045", {}),
    ],
    ids=["max_cost", "per call", "per call of the provider"],
)
def test_call_whose_rows_are_pruned_meanwhile_remembers_what_it_cost(
    server: FaultServer,
    tmp_path: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    budget: str,
    options: dict[str, Any],
) -> None:
    real = Ledger.settle

    def settle(self: Ledger, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        UsageStore(data / "ledger.db").delete(UsageQuery())

    monkeypatch.setattr(Ledger, "settle", settle)
    with (
        client_of(server, tmp_path, f"{PRICES}{budget}") as client,
        # "Hello" does not follow the schema, so it is asked again, for $0.002 each.
        pytest.raises(BudgetExceededError, match=r"budget of a call of \$0\.0045.*: \$0\.004 is"),
    ):
        client.generate("hi", schema=SCHEMA, schema_retries=9, max_tokens=100, **options)
    assert len(server.requests) == 2
    assert rows(data) == []
    assert reservations(data) == 0


def test_summary_counts_into_what_its_call_may_cost(tmp_path: Path, data: Path) -> None:
    usage = {"prompt_tokens": 10_000, "completion_tokens": 0, "total_tokens": 10_000}
    choice = {"message": {"content": "Hello"}, "finish_reason": "stop"}
    body = json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()
    dear = respond(headers=[("Content-Type", "application/json")], body=body)
    with fault_server(dear) as server:
        file = tmp_path / "config.toml"
        file.write_text(
            f'[providers.work]\nbase_url = "{server.url}"\noptions = {{ num_ctx = 4000 }}\n'
            f'[profiles.p]\nmodel = "work/m"\noverflow = "summarize"\n{PRICES}'
        )
        with (
            LLMClient(profile="p", config_path=file) as client,
            pytest.raises(BudgetExceededError, match=r"\$0\.01 is spent"),
        ):
            client.generate(talk(40), max_tokens=100, max_cost=0.012)
        assert len(server.requests) == 1, "the summary alone"


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ("tokens_per_minute = 1000", {"max_tokens": 10**30}),
        (f'{PRICES}[budget]\ndaily_usd = 1\non_exceeded = "warn"', {"max_tokens": 10**30}),
        (
            '[pricing."work/*"]\ninput = 1e300\noutput = 1e300\n'
            '[budget]\ndaily_usd = 1\non_exceeded = "warn"',
            {},
        ),
        (
            '[pricing."work/*"]\ninput = 1e308\noutput = 1e308\n'
            '[budget]\ndaily_usd = 1\non_exceeded = "warn"',
            {"max_tokens": 10**9},
        ),
        (f"requests_per_minute = {10**30}\ntokens_per_minute = {10**30}", {}),
    ],
    ids=["tokens", "answer", "price", "infinite price", "limits"],
)
def test_figures_beyond_64_bits_are_no_failure(
    server: FaultServer, tmp_path: Path, data: Path, config: str, options: dict[str, Any]
) -> None:
    with client_of(server, tmp_path, config) as client:
        assert client.generate("hi", **options).content == "Hello"
    (row,) = rows(data)
    assert row["outcome"] == "ok"
    assert reservations(data) == 0


def test_absurd_price_is_refused_by_a_budget(
    server: FaultServer, tmp_path: Path, data: Path
) -> None:
    config = '[pricing."work/*"]\ninput = 1e308\noutput = 1e308\n[budget]\ndaily_usd = 1e9'
    notices = Notices()
    with (
        client_of(server, tmp_path, config, notices) as client,
        pytest.raises(BudgetExceededError),
    ):
        client.generate("hi", max_tokens=10**9)
    assert server.requests == []
    assert notices == []

"""What is booked where a provider reports nothing, or nothing that makes sense, or too little."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llm_client import LLMClient, LLMError
from llm_client.exceptions import BudgetExceededError

from .support.fault_server import (
    Script,
    close_before_head,
    cut_body,
    fault_server,
    respond,
    say_nothing,
    status,
)
from .support.ledgers import PRICES, client_of, rows

WORDS = "word " * 200
ASKED = {"max_tokens": 300, "timeout": 0.3}


def whole(usage: object) -> Script:
    body: dict[str, Any] = {
        "model": "m",
        "choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}],
    }
    if usage is not None:
        body["usage"] = usage
    return respond(headers=[("Content-Type", "application/json")], body=json.dumps(body).encode())


def ask(client: LLMClient) -> None:
    client.generate(WORDS, **ASKED)  # type: ignore[arg-type]


def stream(client: LLMClient) -> None:
    with client.stream(WORDS, **ASKED) as answer:  # type: ignore[arg-type]
        list(answer)


def booked(script: Script, call: Callable[[LLMClient], None], tmp: Path, data: Path) -> Any:
    with (
        fault_server(script) as server,
        client_of(server, tmp, PRICES) as client,
        suppress(LLMError),
    ):
        call(client)
    [row] = rows(data)
    return row


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": {}, "completion_tokens": []},
    ],
    ids=["none", "zeros", "nulls", "garbage"],
)
def test_answer_without_usable_figures_is_estimated(
    usage: object, tmp_path: Path, data: Path
) -> None:
    row = booked(whole(usage), ask, tmp_path, data)

    assert (row["outcome"], row["estimated"]) == ("ok", 1)
    assert 150 < row["prompt_tokens"] < 300
    assert 150 < row["completion_tokens"] < 300
    assert row["cost"] == row["prompt_tokens"] * 1000 + row["completion_tokens"] * 2000


def test_whole_answer_that_was_given_up_is_booked_as_all_it_could_have(
    tmp_path: Path, data: Path
) -> None:
    row = booked(say_nothing(), ask, tmp_path, data)

    assert (row["outcome"], row["error_type"], row["estimated"]) == ("error", "TimeoutError", 1)
    assert row["prompt_tokens"] > 150
    assert row["completion_tokens"] == 300


def test_stream_that_was_given_up_before_its_first_byte_is_booked_as_its_prompt(
    tmp_path: Path, data: Path
) -> None:
    row = booked(say_nothing(), stream, tmp_path, data)

    assert (row["error_type"], row["estimated"], row["completion_tokens"]) == ("TimeoutError", 1, 0)
    assert row["prompt_tokens"] > 150


@pytest.mark.parametrize("call", [ask, stream])
@pytest.mark.parametrize(
    "script",
    [status(500), status(429, retry_after="1"), close_before_head()],
    ids=["500", "429", "hung-up"],
)
def test_attempt_that_the_provider_failed_is_booked_as_nothing(
    script: Script, call: Callable[[LLMClient], None], tmp_path: Path, data: Path
) -> None:
    row = booked(script, call, tmp_path, data)

    assert row["outcome"] == "error"
    assert (row["prompt_tokens"], row["cost"], row["estimated"]) == (None, None, 0)


def test_budget_counts_what_was_given_up(tmp_path: Path, data: Path) -> None:
    limit = "[budget]\ntotal_usd = 0.0015\n"
    with (
        fault_server(say_nothing()) as server,
        client_of(server, tmp_path, PRICES + limit) as client,
    ):
        with pytest.raises(TimeoutError):
            ask(client)
        with pytest.raises(BudgetExceededError):
            ask(client)
        assert len(server.requests) == 1


def test_cut_stream_is_not_booked_as_the_little_that_was_reported_first(
    tmp_path: Path, data: Path
) -> None:
    start = {
        "type": "message_start",
        "message": {"id": "m", "model": "m", "usage": {"input_tokens": 190, "output_tokens": 1}},
    }
    delta = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": WORDS},
    }
    events = b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in (
            start,
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "text", "text": ""},
            },
            delta,
        )
    )
    script = cut_body(events)
    file = tmp_path / "config.toml"
    with fault_server(script) as server:
        file.write_text(
            f'[providers.work]\ndialect = "anthropic"\nbase_url = "{server.url}"\n{PRICES}'
            "[retry]\nmax_retries = 0\n"
        )
        with LLMClient("work/m", config_path=file) as client, pytest.raises(LLMError):
            stream(client)

    [row] = rows(data)
    assert (row["prompt_tokens"], row["estimated"]) == (190, 1)
    assert 150 < row["completion_tokens"] < 300

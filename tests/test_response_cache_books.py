"""Cached answers in the books, whose they are, and which are not kept; and caches that do not work."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    AttemptRecord,
    InvalidOutputError,
    LLMClient,
    LLMConfig,
    LLMResponse,
    Message,
    StreamInterruptedError,
)
from llm_client.types.events import Event, Notice

from .support.cached_calls import (
    KEY,
    Ask,
    answers_and_models,
    ask_streamed,
    ask_whole,
    config_for,
    configured,
    unnamed,
    ways,
    whole,
)
from .support.fault_server import FaultServer, Script, fault_server, respond, status


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(whole("Hello", reasoning_content="Hm.")) as server:
        yield server


@pytest.fixture
def home(clean_environment: Path) -> Path:
    return clean_environment


def ledger_rows(home: Path, columns: str) -> list[Any]:
    path = home / ".local" / "share" / "llm_client" / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM attempts ORDER BY id").fetchall()


# --- the books -------------------------------------------------------------------------------


@ways
def test_hit_is_a_free_row_in_the_ledger(server: FaultServer, home: Path, ask: Ask) -> None:
    for _ in range(2):
        ask(config_for(server), "hi", cache=True, project="p", tags=["t"])
    columns = "outcome, attempt, provider, model, prompt_tokens, completion_tokens, cost, project"
    asked, cached = ledger_rows(home, columns)

    assert asked[:4] == ("ok", 1, "openai", "gpt-4o-mini-2024")
    assert asked[6] > 0
    assert cached[0:2] == ("cached", 0)
    assert cached[2:4] == asked[2:4]
    assert not cached[4]
    assert not cached[5]
    assert cached[6:] == (0, "p")


def test_hit_counts_as_a_call_and_as_no_request(server: FaultServer) -> None:
    with LLMClient(config_for(server), cache=True) as client:
        client.generate("hi")
        before = client.get_stats()
        hit = client.generate("hi")
        after = client.get_stats()

        assert after.call_count == 2
        assert client.get_request_count() == 1
        assert client.get_last_response() is hit
    assert before.total_cost is not None
    assert before.total_cost > 0
    assert after == replace(
        before, call_count=2, avg_tokens_per_call=before.avg_tokens_per_call / 2
    )


def test_hit_is_told_to_the_observer(server: FaultServer) -> None:
    events: list[Event] = []
    with LLMClient(config_for(server), observe=events.append, cache=True) as client:
        client.generate("hi")
        client.generate("hi")
    asked, cached = (event for event in events if isinstance(event, AttemptRecord))

    assert (cached.outcome, cached.attempt, cached.error_type) == ("cached", 0, None)
    assert (cached.provider, cached.model) == (asked.provider, asked.model)
    assert cached.call_id != asked.call_id
    assert cached.usage is not None
    assert (cached.usage.total_tokens, cached.usage.estimated_cost) == (0, 0.0)


def test_hit_needs_no_budget(server: FaultServer) -> None:
    ask_whole(config_for(server), "hi", cache=True)
    response, _ = ask_whole(config_for(server), "hi", cache=True, max_cost=0.0)

    assert response.content == "Hello"


def test_replay_that_nobody_listens_to_is_in_the_books(server: FaultServer, home: Path) -> None:
    ask_whole(config_for(server), "hi", cache=True)
    with LLMClient(config_for(server), cache=True) as client, client.stream("hi") as stream:
        next(stream)

    assert ledger_rows(home, "outcome") == [("ok",), ("cached",)]


# --- whose answer ----------------------------------------------------------------------------


def test_model_is_chosen_before_its_answer_is_looked_for() -> None:
    with fault_server(answers_and_models("first", "second")) as server:
        answers = [ask_whole(unnamed(server), "hi", cache=True) for _ in range(2)]
        methods = [request.method for request in server.requests]

    assert methods == ["GET", "POST", "GET"]
    assert answers[1][0].metadata["cached"] is True


def test_client_that_has_chosen_its_model_asks_for_no_list_again() -> None:
    with fault_server(answers_and_models("first")) as server:
        with LLMClient(unnamed(server), cache=True) as client:
            for _ in range(3):
                client.generate("hi")
        methods = [request.method for request in server.requests]

    assert methods == ["GET", "POST"]


def test_server_with_another_model_is_asked_again() -> None:
    scripts = [answers_and_models(name) for name in ("one", "one", "two")]
    with fault_server(*scripts) as server:
        for _ in range(2):
            ask_whole(unnamed(server), "hi", cache=True)
        methods = [request.method for request in server.requests]

    assert methods == ["GET", "POST", "GET", "POST"]


def test_list_that_fails_leaves_the_call_to_its_retries() -> None:
    busy = status(503)
    with fault_server(busy, busy, answers_and_models("first")) as server:
        config = unnamed(server, max_retries=1, retry_delay=0.01)
        response, _ = ask_whole(config, "hi", cache=True)

    assert response.content == "Hello"
    assert len(server.requests) == 4


def chained(first: FaultServer, *others: LLMConfig) -> LLMConfig:
    return config_for(first, fallback_configs=list(others))


@pytest.mark.parametrize("model", ["m2", None], ids=["named", "chosen"])
def test_answer_of_a_fallback_is_kept_as_its_own(model: str | None) -> None:
    with (
        fault_server(status(401)) as first,
        fault_server(answers_and_models("m2")) as second,
    ):
        other = LLMConfig(base_url=second.url, model=model)
        fallen, _ = ask_whole(chained(first, other), "hi", cache=True)
        direct, _ = ask_whole(replace(other, model="m2"), "hi", cache=True)
        asked = len(second.requests)

    assert fallen.used_fallback
    assert direct.metadata["cached"] is True
    assert direct.used_fallback is False
    assert direct.fallback_provider is None
    assert asked == (1 if model else 2)


def test_answer_of_a_fallback_is_not_taken_for_the_first_choices() -> None:
    with (
        fault_server(whole("of the second")) as second,
        fault_server(whole("of the first")) as first,
    ):
        ask_whole(config_for(second), "hi", cache=True)
        response, _ = ask_whole(chained(first, config_for(second)), "hi", cache=True)

    assert response.content == "of the first"


def test_answer_of_a_fallbacks_profile_is_kept_under_its_options(home: Path) -> None:
    with fault_server(status(401)) as first, fault_server(whole()) as second:
        configured(
            home,
            f'[providers.one]\ndialect = "openai-chat"\nbase_url = "{first.url}"\n'
            f'[providers.two]\ndialect = "openai-chat"\nbase_url = "{second.url}"\n'
            '[profiles.main]\nmodel = "one/m"\nfallback = ["other"]\n'
            '[profiles.other]\nmodel = "two/m"\nsystem = "Be brief."\n'
            '[profiles.plain]\nmodel = "two/m"\n',
        )
        found = []
        for profile in ("main", "other", "plain"):
            with LLMClient(profile=profile, cache=True) as client:
                found.append(client.generate("hi").metadata.get("cached", False))

    assert found == [False, True, False]


# --- what is not kept, and what goes wrong -----------------------------------------------------


@pytest.mark.parametrize(
    ("script", "options", "error"),
    [
        (whole("Hel", "length"), {}, None),
        (whole(""), {}, None),
        (whole("no JSON"), {"schema": {"type": "object"}, "schema_retries": 0}, InvalidOutputError),
        (whole("", refusal="I will not."), {}, None),
    ],
    ids=["length", "empty", "not what was asked", "refusal"],
)
@ways
def test_answer_that_is_not_whole_and_good_is_asked_for_again(
    script: Script, options: dict[str, Any], error: type[Exception] | None, ask: Ask
) -> None:
    with fault_server(script) as server:
        for _ in range(2):
            if error is None:
                ask(config_for(server), "hi", cache=True, **options)
            else:
                with pytest.raises(error):
                    ask(config_for(server), "hi", cache=True, **options)
        requests = len(server.requests)

    assert requests == 2


def test_answer_as_long_as_was_asked_is_kept() -> None:
    with fault_server(whole("Hel", "length")) as server:
        for _ in range(2):
            response, _ = ask_whole(config_for(server), "hi", cache=True, max_tokens=5)

    assert len(server.requests) == 1
    assert response.finish_reason == "length"


def test_answer_that_was_cut_or_given_up_is_not_kept() -> None:
    head = [("Content-Type", "text/event-stream")]
    event = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    cut = respond(headers=head, pieces=[event], chunked=True)
    with fault_server(cut, cut, whole()) as server:
        with pytest.raises(StreamInterruptedError):
            ask_streamed(config_for(server), "hi", cache=True)
        with LLMClient(config_for(server), cache=True) as client, client.stream("hi") as stream:
            next(stream)
        response, _ = ask_whole(config_for(server), "hi", cache=True)

    assert response.content == "Hello"
    assert len(server.requests) == 3


def test_answer_to_a_prompt_that_was_shortened_is_not_kept(server: FaultServer) -> None:
    long = [Message("user", "word " * 4000), Message("assistant", "ok"), Message("user", "hi")]
    events: list[Event] = []
    config = config_for(server, options={"num_ctx": 2000}, overflow="trim")
    for prompt in (long, long, "hi", "hi"):
        with LLMClient(config, observe=events.append, cache=True) as client:
            client.generate(prompt)

    assert len(server.requests) == 3
    assert len(server.requests[0].body) < 10_000
    assert len([event for event in events if isinstance(event, Notice)]) == 2


@ways
def test_cache_that_cannot_be_used_costs_one_notice_and_no_answer(
    server: FaultServer, home: Path, ask: Ask
) -> None:
    (home / ".cache").mkdir()
    (home / ".cache" / "llm_client").write_text("a file")
    response, _ = ask(config_for(server), "hi", cache=True)

    assert response.content == "Hello"
    events: list[Event] = []
    with LLMClient(config_for(server), observe=events.append, cache=True) as client:
        for _ in range(3):
            client.generate("hi")
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert notices[0].startswith("Cannot use the response cache '")


def test_damaged_cache_costs_one_notice_and_is_used_again(server: FaultServer, home: Path) -> None:
    path = home / ".cache" / "llm_client" / "responses" / "responses.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 500)
    events: list[Event] = []
    with LLMClient(config_for(server), observe=events.append, cache=True) as client:
        answers = [client.generate("hi") for _ in range(3)]

    assert [answer.content for answer in answers] == ["Hello"] * 3
    assert [answer.metadata.get("cached", False) for answer in answers] == [False, True, True]
    (notice,) = (event.text for event in events if isinstance(event, Notice))
    assert notice.startswith("The response cache was damaged")
    assert notice.endswith(". It is deleted, and a new one begun.")


def test_python_without_sqlite_does_without_the_cache(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llm_client.storage.response_cache", None)
    for _ in range(2):
        response, _ = ask_whole(config_for(server), "hi", cache=True)

    assert response.content == "Hello"
    assert len(server.requests) == 2


def test_keys_are_in_no_file(server: FaultServer, home: Path) -> None:
    ask_whole(config_for(server), "a private question", cache=True)
    directory = home / ".cache" / "llm_client" / "responses"
    stored = b"".join(path.read_bytes() for path in directory.iterdir())

    assert b"Hello" in stored
    assert KEY.encode() not in stored
    assert b"private" not in stored
    assert directory.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_tasks_of_one_loop_share_the_cache(server: FaultServer) -> None:
    async def main() -> list[LLMResponse]:
        async with AsyncLLMClient(config_for(server), cache=True) as client:
            await client.generate("hi")
            return await asyncio.gather(*(client.generate("hi") for _ in range(50)))

    answers = asyncio.run(main())

    assert len(server.requests) == 1
    assert {answer.content for answer in answers} == {"Hello"}

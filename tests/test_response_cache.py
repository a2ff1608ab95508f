"""The response cache through both clients: what is asked once is answered again, the same and free."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from llm_client import LLMClient, Message, Tool
from llm_client.types.messages import ToolCall

from .support.cached_calls import JSON, WAYS, Ask, ask_whole, config_for, configured, ways, whole
from .support.fault_server import FaultServer, fault_server, respond


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with fault_server(whole("Hello", reasoning_content="Hm.")) as server:
        yield server


@pytest.fixture
def home(clean_environment: Path) -> Path:
    return clean_environment


# --- the same answer again -------------------------------------------------------------------


@ways
def test_answer_is_given_again_without_a_request(server: FaultServer, ask: Ask) -> None:
    first, _ = ask(config_for(server), "hi", cache=True)
    second, chunks = ask(config_for(server), "hi", cache=True)

    assert len(server.requests) == 1
    assert first.usage is not None
    assert first.cost is not None
    assert first.cost > 0
    assert "cached" not in first.metadata
    assert second.metadata["cached"] is True
    assert second.metadata["call_id"] != first.metadata["call_id"]
    assert (second.attempts, second.retry_count, second.used_fallback) == (0, 0, False)
    assert second.raw is None
    assert second == replace(
        first,
        attempts=0,
        latency_ms=second.latency_ms,
        metadata=second.metadata,
        usage=replace(first.usage, estimated_cost=0.0),
    )
    if chunks:
        assert [chunk.reasoning or chunk.delta for chunk in chunks] == ["Hm.", "Hello", ""]
        assert [chunk.is_done for chunk in chunks] == [False, False, True]
        assert chunks[-1].usage == second.usage
        assert chunks[-1].finish_reason == "stop"


@pytest.mark.parametrize("first", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("second", WAYS.values(), ids=WAYS.keys())
def test_answer_is_the_same_whichever_way_it_was_asked_for(
    server: FaultServer, first: Ask, second: Ask
) -> None:
    before, _ = first(config_for(server), "hi", cache=True)
    after, chunks = second(config_for(server), "hi", cache=True)

    assert len(server.requests) == 1
    assert (after.content, after.reasoning) == (before.content, before.reasoning)
    assert "".join(chunk.delta for chunk in chunks) in {"", "Hello"}


@ways
def test_tool_calls_are_given_again(ask: Ask) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    with fault_server(whole(None, "tool_calls", tool_calls=[call])) as server:
        for _ in range(2):
            response, chunks = ask(config_for(server), "hi", cache=True, tools=[Tool("f")])

    assert len(server.requests) == 1
    assert response.tool_calls == (ToolCall("c1", "f", '{"a": 1}'),)
    assert response.finish_reason == "tool_calls"
    if chunks:
        assert [chunk.tool_call is not None for chunk in chunks] == [True, False]


@dataclass
class City:
    name: str


@ways
def test_structured_answer_is_built_again(ask: Ask) -> None:
    with fault_server(whole('{"name": "Rome"}')) as server:
        answers = [ask(config_for(server), "hi", cache=True, schema=City)[0] for _ in range(2)]

    assert len(server.requests) == 1
    assert [response.parsed for response in answers] == [City("Rome"), City("Rome")]
    assert answers[0].parsed is not answers[1].parsed


def test_conversation_with_what_only_the_provider_can_read_goes_on(home: Path) -> None:
    body = json.dumps(
        {
            "id": "r",
            "object": "response",
            "model": "gpt",
            "status": "completed",
            "output": [
                {"type": "reasoning", "id": "rs", "encrypted_content": "gAAA", "summary": []},
                {
                    "type": "message",
                    "id": "m",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "ok", "annotations": []}],
                },
            ],
            "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        }
    ).encode()
    with fault_server(respond(headers=JSON, body=body)) as server:
        config = config_for(server, dialect="openai-responses", model="gpt-5")
        first, _ = ask_whole(config, "hi", cache=True)
        second, _ = ask_whole(config, "hi", cache=True)
        ask_whole(config, [Message("user", "hi"), second.message, Message("user", "go on")])

    assert len(server.requests) == 2
    assert first.provider_state is not None
    assert second.provider_state == first.provider_state
    assert b"gAAA" in server.requests[1].body


# --- who wants it ----------------------------------------------------------------------------


@ways
def test_nothing_is_kept_unasked(server: FaultServer, home: Path, ask: Ask) -> None:
    for _ in range(2):
        ask(config_for(server), "hi")

    assert len(server.requests) == 2
    assert not (home / ".cache" / "llm_client" / "responses").exists()


@pytest.mark.parametrize(
    ("configuration", "default", "option", "requests"),
    [
        (True, None, None, 1),
        (True, None, False, 2),
        (True, False, None, 2),
        (False, None, True, 1),
        (False, True, None, 1),
        (False, True, False, 2),
        (False, None, None, 2),
    ],
)
def test_call_beats_client_beats_configuration(
    server: FaultServer,
    home: Path,
    configuration: bool,
    default: bool | None,
    option: bool | None,
    requests: int,
) -> None:
    configured(home, f"[cache]\nresponses = {str(configuration).lower()}\n")
    defaults: Any = {} if default is None else {"cache": default}
    options: Any = {} if option is None else {"cache": option}
    with LLMClient(config_for(server), **defaults) as client:
        for _ in range(2):
            client.generate("hi", **options)

    assert len(server.requests) == requests


def test_time_and_room_are_as_configured(server: FaultServer, home: Path) -> None:
    for line in ("responses_ttl = 0", "responses_max_mb = 0.0001"):
        configured(home, f"[cache]\nresponses = true\n{line}\n")
        for _ in range(2):
            ask_whole(config_for(server), "hi")

    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "ho"},
        {"temperature": 0.5},
        {"max_tokens": 7},
        {"system": "Be brief."},
        {"extra_body": {"a": 1}},
        {"model": "gpt-4o"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_question_is_asked(server: FaultServer, other: dict[str, Any]) -> None:
    ask_whole(config_for(server), "hi", cache=True)
    ask_whole(config_for(server), other.pop("prompt", "hi"), cache=True, **other)

    assert len(server.requests) == 2


def test_profile_with_other_options_asks_another_question(server: FaultServer, home: Path) -> None:
    configured(
        home,
        f'[providers.one]\ndialect = "openai-chat"\nbase_url = "{server.url}"\n'
        '[profiles.brief]\nmodel = "one/m"\nsystem = "Be brief."\n'
        '[profiles.long]\nmodel = "one/m"\nsystem = "Be long."\n',
    )
    for profile in ("brief", "long", "brief"):
        with LLMClient(profile=profile) as client:
            client.generate("hi", cache=True)

    assert len(server.requests) == 2


def test_accounts_share_no_answers(server: FaultServer) -> None:
    ask_whole(config_for(server), "hi", cache=True)
    ask_whole(config_for(server, api_key="sk-test-another"), "hi", cache=True)

    assert len(server.requests) == 2


def test_text_completion_is_another_question() -> None:
    completed = json.dumps(
        {"model": "m", "choices": [{"text": "more", "finish_reason": "stop"}]}
    ).encode()
    with (
        fault_server(whole(), respond(headers=JSON, body=completed)) as server,
        LLMClient(config_for(server), cache=True) as client,
    ):
        answers = [client.generate("hi"), client.completion("hi"), client.completion("hi")]

    assert [answer.content for answer in answers] == ["Hello", "more", "more"]
    assert [request.path for request in server.requests] == [
        "/v1/chat/completions",
        "/v1/completions",
    ]


def test_embeddings_are_not_kept(home: Path) -> None:
    body = json.dumps({"model": "e", "data": [{"index": 0, "embedding": [1.0]}]}).encode()
    with (
        fault_server(respond(headers=JSON, body=body)) as server,
        LLMClient(config_for(server), cache=True) as client,
    ):
        for _ in range(2):
            client.embed("hi", model="e")

    assert len(server.requests) == 2
    assert not (home / ".cache" / "llm_client" / "responses").exists()

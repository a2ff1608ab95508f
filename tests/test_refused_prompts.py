"""Prompts that may be shortened and that a provider refuses all the same, through both clients."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from llm_client import AttemptRecord, ContextLengthError, Message
from llm_client.types.events import Event

from .support.conversations import MODES, config, converse, talk
from .support.counting_server import JSON, asked_texts, body_of, chat, words_of
from .support.fault_server import Received, Script, Wire, fault_server, respond

Conversation: TypeAlias = Callable[..., list[Any]]
WINDOW = 4000


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest) -> Conversation:
    return partial(converse, request.param)


def refusing(message: str, code: str = "context_length_exceeded") -> Script:
    """Refuse every prompt over the window, and answers that do not fit beside it.

    The message is told `{window}`, `{prompt}`, `{answer}`, `{total}` and `{least}`, as vLLM counts.
    """

    def script(wire: Wire, request: Received) -> bool:
        prompt, answer = words_of(request), body_of(request).get("max_tokens", 0)
        if prompt + answer <= WINDOW:
            return chat()(wire, request)
        said = message.format(
            window=WINDOW,
            prompt=prompt,
            answer=answer,
            total=prompt + answer,
            least=WINDOW - answer + 1,
        )
        error = {"error": {"message": said, "code": code}}
        return respond(400, JSON, json.dumps(error).encode())(wire, request)

    return script


@pytest.mark.parametrize("max_tokens", [1000, 3000])
@pytest.mark.parametrize(
    "message",
    [
        "maximum context length is {window} tokens. However, you requested {total} tokens ({prompt} "
        "in the messages, {answer} in the completion).",
        "maximum context length is {window} tokens. However, you requested {answer} output tokens "
        "and your prompt contains at least {least} input tokens, for a total of at least 4001 "
        "tokens.",
        "maximum context length is {window} tokens and your request has {prompt} input tokens "
        "({answer} > {window} - {prompt}).",
        "input length and `max_tokens` exceed context limit: {prompt} + {answer} > {window}, "
        "decrease input length or `max_tokens` and try again",
    ],
    ids=["openai", "vllm", "vllm 2", "anthropic"],
)
def test_prompt_keeps_what_fits_beside_the_answer(
    ask: Conversation, message: str, max_tokens: int
) -> None:
    with fault_server(refusing(message, code="")) as server:
        asked = config(server, overflow="trim", max_tokens=max_tokens)
        (response,) = ask([talk(20)], asked)

        assert response.content == "yes"
        sizes = [words_of(request) for request in server.requests]
    assert len(sizes) == 2
    assert (WINDOW - max_tokens) * 0.6 < sizes[1] <= WINDOW - max_tokens


def test_books_and_answer_count_the_refusal_as_a_retry(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat(window=2000, tokens_a_word=4)) as server:
        asked = config(server, overflow="trim")
        (response,) = ask([talk(10)], asked, observe=events.append)

    records = [event for event in events if isinstance(event, AttemptRecord)]
    assert [record.outcome for record in records] == ["error", "ok"]
    assert [(record.attempt, record.retry, record.fallback) for record in records] == [
        (1, 0, 0),
        (2, 1, 0),
    ]
    assert (response.attempts, response.retry_count) == (2, 1)


def test_fallback_after_a_refusal_begins_to_count_anew(ask: Conversation) -> None:
    events: list[Event] = []
    alone = [Message("system", "word " * 3000), Message("user", "hi")]
    with fault_server(chat(window=2000)) as small, fault_server(chat("large")) as large:
        chain = config(small, overflow="trim", fallback_configs=[config(large)])
        (response,) = ask([alone], chain, observe=events.append)

    records = [event for event in events if isinstance(event, AttemptRecord)]
    assert response.content == "large"
    assert [(record.attempt, record.retry, record.fallback) for record in records] == [
        (1, 0, 0),
        (2, 0, 1),
    ]


def test_prompt_that_cannot_be_made_shorter_is_not_sent_again(ask: Conversation) -> None:
    """The error is the refusal: something was sent."""
    alone = [Message("system", "word " * 3000), Message("user", "hi")]
    with fault_server(chat(window=2000)) as server:
        (error,) = ask([alone], config(server, overflow="trim"))

        assert len(server.requests) == 1
    assert isinstance(error, ContextLengthError)
    assert error.status == 400
    assert "nothing was sent" not in str(error)


def test_answer_that_has_no_room_at_all_is_refused_once(ask: Conversation) -> None:
    message = (
        "maximum context length is {window} tokens. However, you requested {total} tokens ({prompt} "
        "in the messages, {answer} in the completion)."
    )
    with fault_server(refusing(message)) as server:
        (error,) = ask(["hi"], config(server, overflow="trim", max_tokens=WINDOW))

        assert isinstance(error, ContextLengthError)
        assert len(server.requests) == 1


def test_refusals_without_figures_that_were_in_vain_are_forgotten(ask: Conversation) -> None:
    refusal = b'{"error": {"code": "context_length_exceeded", "message": "too long"}}'
    refused = respond(400, JSON, refusal)
    with fault_server(refused, refused, refused, chat()) as server:
        error, response = ask([talk(10), talk(10)], config(server, overflow="trim"))

        assert isinstance(error, ContextLengthError)
        assert response.content == "yes"
        assert len(asked_texts(server.requests[3])) == 22, "it was shortened for nothing"


def test_window_that_a_server_tells_holds_over_a_larger_one_of_the_configuration(
    ask: Conversation,
) -> None:
    with fault_server(chat(window=2000)) as server:
        asked = config(server, overflow="trim", options={"num_ctx": 100_000})
        first, second = ask([talk(20), talk(20)], asked)

        assert first.content == second.content == "yes"
        assert [words_of(request) <= 2000 for request in server.requests] == [False, True, True]


def test_window_that_is_configured_for_one_request_holds_for_no_other() -> None:
    """The refusal says what was configured: the next request may be run with more."""
    from llm_client import LLMClient

    with (
        fault_server(chat(window=2000, tokens_a_word=2), chat(), chat()) as server,
        LLMClient(config(server, overflow="trim", max_tokens=100)) as client,
    ):
        client.generate(talk(8), extra_body={"num_ctx": 2000})
        client.generate(talk(20), extra_body={"num_ctx": 200_000})

        assert len(server.requests) == 3
        assert len(asked_texts(server.requests[2])) == 42


def test_tools_that_are_too_long_are_refused_before_they_are_sent(
    ask: Conversation, tmp_path: Path
) -> None:
    tool = {"name": "t", "description": "word " * 20_000, "parameters": {"type": "object"}}
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 4096})
        (error,) = ask([{"messages": [Message("user", "hi")], "tools": [tool]}], limited)

        assert isinstance(error, ContextLengthError)
        assert server.requests == []


@pytest.mark.parametrize("overflow", ["trim", "summarize"])
def test_instructions_alone_are_refused_and_crash_nothing(ask: Conversation, overflow: Any) -> None:
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 2000}, overflow=overflow)
        (error,) = ask([[Message("developer", "word " * 9000)]], limited)

        assert isinstance(error, ContextLengthError)
        assert server.requests == []

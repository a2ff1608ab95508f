"""Prompts that are too long, through both clients: refused before they are sent, or trimmed."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from llm_client import (
    AttemptRecord,
    ContextLengthError,
    LLMClient,
    LLMConfig,
    Message,
)
from llm_client.types.events import Event, FallingBack
from llm_client.types.long_text import LongText

from .support.conversations import LONG, MODES, config, converse, notices, talk
from .support.counting_server import asked_texts, chat, words_of
from .support.fault_server import fault_server, respond, status

Conversation: TypeAlias = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest) -> Conversation:
    return partial(converse, request.param)


# --- refused before it is sent ----------------------------------------------------------------


def test_prompt_over_the_window_of_the_price_list_is_not_sent(
    ask: Conversation, tmp_path: Path
) -> None:
    with fault_server(chat()) as server:
        file = tmp_path / "config.toml"
        file.write_text(f'[providers.openai]\nbase_url = "{server.url}/v1"\n')
        gpt4 = LLMConfig(
            provider="openai", model="gpt-4", dialect="openai-chat", api_key="k-0123456789"
        )
        (error, answer) = ask([LONG, "word " * 2000], gpt4, config_path=file)

        assert isinstance(error, ContextLengthError)
        assert "openai/gpt-4 reads 8,192" in str(error)
        assert "overflow" in str(error.hint)
        assert answer.content == "yes"
        assert len(server.requests) == 1


@pytest.mark.parametrize("age", ["fresh", "stale"])
def test_prompt_over_the_window_of_a_list_that_was_fetched_is_not_sent(
    ask: Conversation, age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if age == "stale":
        monkeypatch.setenv("LLM_CLIENT_CACHE_TTL", "0.000001")
    with fault_server(chat(listed=1500)) as server:
        (error, answer) = ask([LONG, "short"], config(server), listed=True)

        assert isinstance(error, ContextLengthError)
        assert "reads 1,500" in str(error)
        assert answer.content == "yes"
        assert [request.path for request in server.requests] == [
            "/v1/models",
            "/v1/chat/completions",
        ]


def test_window_that_nobody_told_refuses_nothing(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        assert ask([LONG], config(server))[0].content == "yes"
        assert words_of(server.requests[0]) == 20_000
        assert len(server.requests) == 1, "somebody was asked for the window"


def test_num_ctx_is_the_window(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 4096})
        (error,) = ask([LONG], limited)

        assert isinstance(error, ContextLengthError)
        assert server.requests == []


def test_fallback_that_reads_more_takes_over(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat("small")) as small, fault_server(chat("large")) as large:
        first = config(small, options={"num_ctx": 4096}, fallback_configs=[config(large)])
        (response,) = ask([LONG], first, observe=events.append)

        assert response.content == "large"
        assert response.used_fallback is True
        assert response.attempts == 1
        assert small.requests == []
    assert [type(event.error) for event in events if isinstance(event, FallingBack)] == [
        ContextLengthError
    ]


def test_short_prompt_loads_no_prices() -> None:
    import subprocess
    import sys

    with fault_server(chat()) as server:
        program = (
            "import sys\nfrom llm_client import LLMClient, LLMConfig\n"
            f"client = LLMClient(LLMConfig(base_url={server.url!r}, model='m'))\n"
            "client.generate('hi')\nclient.close()\n"
            "late = {'pricing', 'prices', 'shaping', 'windows', 'trim', 'choice', 'model_cache'}\n"
            "print(sorted(n for n in sys.modules if n.startswith('llm_client.')\n"
            "             and n.rpartition('.')[2] in late))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.strip() == "[]"


# --- trimmed ----------------------------------------------------------------------------------


def test_trimmed_conversation_has_the_system_prompt_the_newest_turns_and_room(
    ask: Conversation,
) -> None:
    events: list[Event] = []
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 2000}, overflow="trim", max_tokens=300)
        (response,) = ask([talk(40)], limited, observe=events.append)

        assert response.content == "yes"
        texts = asked_texts(server.requests[0])
    assert texts[0] == "Be brief."
    assert texts[1].startswith("question")
    assert texts[-2].startswith("answer39")
    assert texts[-1] == "last question"
    assert 1000 < sum(len(text.split()) for text in texts) <= 1700
    (notice,) = notices(events)
    left_out = 82 - len(texts)
    assert f"reads 2,000 tokens: {left_out} of 82 messages are left out." in notice


def test_conversation_that_fits_is_sent_as_it_is(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 8000}, overflow="trim")
        ask([talk(10)], limited, observe=events.append)

        assert len(asked_texts(server.requests[0])) == 22
    assert notices(events) == []


def test_prompt_of_which_nothing_can_be_left_out_is_sent_as_it_is(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 10}, overflow="trim")

        assert ask(["word " * 50], limited)[0].content == "yes"


@pytest.mark.parametrize("form", [str, LongText], ids=["str", "LongText"])
def test_single_text_is_cut_in_its_middle(ask: Conversation, form: Callable[..., Any]) -> None:
    text = "Summary of this, please: " + "word " * 50_000 + "the end"
    content = text if form is str else LongText([text.encode()])
    events: list[Event] = []
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 4000}, overflow="trim")
        ask([Message("user", content)], limited, observe=events.append)

        (sent,) = asked_texts(server.requests[0])
    assert sent.startswith("Summary of this, please: word")
    assert sent.endswith("word the end")
    assert "left out …]" in sent
    assert 2000 < len(sent.split()) <= 3000
    (notice,) = notices(events)
    assert "the prompt is shortened, 2" in notice
    assert "characters of texts are cut" in notice


def test_what_cannot_be_trimmed_is_refused(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 1000}, overflow="trim")
        (error,) = ask([[Message("system", LONG), Message("user", "hi")]], limited)

        assert isinstance(error, ContextLengthError)
        assert "everything left out" in str(error)
        assert server.requests == []


@pytest.mark.parametrize("figures", [True, False], ids=["with figures", "without"])
def test_refused_prompt_is_shortened_by_what_the_refusal_says(
    ask: Conversation, figures: bool
) -> None:
    events: list[Event] = []
    with fault_server(chat(window=2000, tokens_a_word=4, figures=figures)) as server:
        unknown = config(server, overflow="trim", max_tokens=100)
        first, second = ask([talk(10), talk(10)], unknown, observe=events.append)

        sent = [words_of(request) * 4 for request in server.requests]
        last = server.requests[-1]
    assert first.content == second.content == "yes"
    assert sent[0] > 2000, "nothing was refused"
    assert all(tokens <= 2000 for tokens in sent[-2:])
    assert first.attempts == len(sent) - 1, "a later call did not know"
    assert len(sent) == (3 if figures else 4)
    assert first.used_fallback is False
    assert asked_texts(last)[-1] == "last question"
    records = [event for event in events if isinstance(event, AttemptRecord)]
    assert len(records) == len(sent)


def test_refusal_is_final_after_three_of_them(ask: Conversation) -> None:
    refusal = b'{"error": {"code": "context_length_exceeded", "message": "too long"}}'
    with fault_server(status(400, refusal)) as server:
        (error,) = ask([talk(10)], config(server, overflow="trim"))

        assert isinstance(error, ContextLengthError)
        assert error.status == 400
        sizes = [words_of(request) for request in server.requests]
    assert len(sizes) == 3
    assert sizes[0] > sizes[1] > sizes[2]


def test_refusal_after_the_answer_began_is_final() -> None:
    events = [
        {"choices": [{"index": 0, "delta": {"content": "It"}}]},
        {"error": {"code": "context_length_exceeded", "message": "too long"}},
    ]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    script = respond(200, [("Content-Type", "text/event-stream")], body)
    with fault_server(script) as server, LLMClient(config(server, overflow="trim")) as client:
        with pytest.raises(ContextLengthError) as caught, client.stream(talk(10)) as stream:
            list(stream)

        assert caught.value.partial == "It"
        assert len(server.requests) == 1


def test_shortened_prompt_has_an_idempotency_key_of_its_own() -> None:
    with fault_server(chat(window=2000, tokens_a_word=4)) as server:
        with LLMClient(config(server, overflow="trim")) as client:
            client.generate(talk(10), idempotency_key="key")

        keys = [request.headers["idempotency-key"] for request in server.requests]
    assert keys == ["key", "key-shorter-1"]


def test_profile_in_a_chain_brings_its_own_overflow(ask: Conversation, tmp_path: Path) -> None:
    with fault_server(chat("a")) as a, fault_server(chat("b")) as b:
        file = tmp_path / "config.toml"
        file.write_text(
            f'[providers.a]\nbase_url = "{a.url}/v1"\noptions = {{num_ctx = 1000}}\n'
            f'[providers.b]\nbase_url = "{b.url}/v1"\noptions = {{num_ctx = 1000}}\n'
            '[profiles.default]\nmodel = "a/m"\nfallback = ["short"]\n'
            '[profiles.short]\nmodel = "b/m"\noverflow = "trim"\n'
        )
        (response,) = ask([LONG], config_path=file)

        assert response.content == "b"
        assert a.requests == []
        assert words_of(b.requests[0]) < 1000


def test_preview_shows_the_trimmed_prompt_and_refuses_what_would_be_refused() -> None:
    with LLMClient(LLMConfig(base_url="http://127.0.0.1:1", model="m", overflow="trim")) as client:
        limited = {"num_ctx": 1000}
        shown = client.preview(talk(40), extra_body=limited)
        assert len(shown.body or b"") < 10_000
        whole = LLMConfig(base_url="http://127.0.0.1:1", model="m", overflow="summarize")
    with LLMClient(whole) as client:
        assert len(client.preview(talk(40), extra_body=limited).body or b"") > 40_000
    plain = LLMConfig(base_url="http://127.0.0.1:1", model="m")
    with LLMClient(plain) as client, pytest.raises(ContextLengthError):
        client.preview(talk(200), extra_body=limited)

"""Conversations that are too long, summarised by the model; and both ways with a real server."""

from __future__ import annotations

import gc
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
    LLMResponse,
    LLMTimeoutError,
    Message,
)
from llm_client.engine.shaping import Summaries, Summary
from llm_client.types.events import Event

from .support.conversations import LONG, MODES, config, converse, notices, talk
from .support.counting_server import asked_texts, body_of, chat, words_of
from .support.fault_server import FaultServer, fault_server, say_nothing, status
from .support.llama_server import running_llama_server

Conversation: TypeAlias = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest) -> Conversation:
    return partial(converse, request.param)


def summarizing(server: FaultServer, **options: Any) -> LLMConfig:
    return config(server, options={"num_ctx": 4000}, overflow="summarize", **options)


def test_older_turns_are_summarised_by_the_same_model(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat()) as server:
        (response,) = ask([talk(40)], summarizing(server), observe=events.append, tags=["x"])

        assert response.content == "yes"
        assert response.attempts == 1
        asked, sent = server.requests
    instruction, told = asked_texts(asked)
    assert instruction.startswith("Summarise the conversation")
    assert told.startswith("User: question0 word")
    assert "Assistant: answer0 word" in told
    assert body_of(asked)["model"] == "m"
    texts = asked_texts(sent)
    assert texts[:2] == ["Be brief.", "Summary of the conversation so far:\n\nSHORT"]
    assert texts[2].startswith("question")
    assert texts[-1] == "last question"
    assert words_of(sent) <= 2000, "half of the room is not left for the next turns"
    records = [event for event in events if isinstance(event, AttemptRecord)]
    assert len({record.call_id for record in records}) == 2
    assert all(record.labels.tags == ("x",) for record in records)
    assert records[1].call_id == response.metadata["call_id"]
    (notice,) = [text for text in notices(events) if "summarised" in text]
    assert f"the first {81 - len(texts) + 2} of 81 messages are summarised" in notice


def test_summary_is_not_made_again_while_the_conversation_fits(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat()) as server:
        conversation = talk(40)
        prompts = []
        for turn in range(12):
            prompts.append(conversation)
            conversation = [
                *conversation,
                Message("assistant", f"reply{turn} " + "word " * 150),
                Message("user", f"more{turn} " + "word " * 150),
            ]
        responses = ask(prompts, summarizing(server), observe=events.append)

        asked = [r for r in server.requests if asked_texts(r)[0].startswith("Summarise")]
        assert [response.content for response in responses] == ["yes"] * 12
    assert 1 < len(asked) < 5
    later = asked_texts(asked[1])[1]
    assert later.startswith("Summary of the conversation so far:\n\nSHORT\n\nUser: question")
    assert len([text for text in notices(events) if "are summarised" in text]) == 12


@pytest.mark.parametrize("failure", ["empty", "error"])
def test_failing_summary_falls_back_to_trimming(ask: Conversation, failure: str) -> None:
    events: list[Event] = []
    scripts = [chat(summary="")] if failure == "empty" else [status(500), chat()]
    with fault_server(*scripts) as server:
        (response,) = ask([talk(40)], summarizing(server), observe=events.append)

        assert response.content == "yes"
        assert len(server.requests) == 2
        assert asked_texts(server.requests[1])[1].startswith("question")
    cut, first, second = notices(events)
    assert cut.startswith("For a summary: openai-compatible/m reads 4,000 tokens: the prompt is")
    assert "did not summarise the conversation: " in first
    assert "messages are left out" in second


def test_summary_has_no_more_time_than_the_call() -> None:
    with (
        fault_server(say_nothing()) as server,
        LLMClient(summarizing(server)) as client,
        pytest.raises(LLMTimeoutError, match=r"deadline of 0\.5 s ran out"),
    ):
        client.generate(talk(40), deadline=0.5)


def test_only_question_that_is_too_long_is_cut_and_not_summarised(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        ask([LONG], summarizing(server))

        assert len(server.requests) == 1
        assert words_of(server.requests[0]) <= 3000


def test_conversation_that_is_too_long_to_be_summarised_whole_is_told_in_part(
    ask: Conversation,
) -> None:
    with fault_server(chat(window=4000)) as server:
        (response,) = ask([talk(200)], summarizing(server))

        assert response.content == "yes"
        asked, sent = server.requests
    told = asked_texts(asked)[1]
    assert told.startswith("User: question0")
    assert "left out …]" in told
    assert words_of(asked) <= 3000
    assert asked_texts(sent)[1].endswith("SHORT")


def test_long_text_that_is_not_read_whole_for_a_summary_is_said(ask: Conversation) -> None:
    events: list[Event] = []
    with fault_server(chat()) as server:
        long = [Message("user", "word " * 1500), Message("assistant", "ok"), *talk(9)[1:]]
        ask([long], summarizing(server), observe=events.append)

        told = asked_texts(server.requests[0])[1]
    assert "characters left out …]" in told
    (cut, done) = notices(events)
    assert cut.startswith("For a summary: openai-compatible/m reads 4,000 tokens: ")
    assert cut.endswith(" characters of long texts are cut.")
    assert "are summarised" in done


def test_last_question_is_cut_beside_a_summary_that_is_made_once(ask: Conversation) -> None:
    with fault_server(chat()) as server:
        prompt = [*talk(5)[:-1], Message("user", LONG)]
        ask([prompt, prompt], summarizing(server))

        assert len(server.requests) == 3
        sent = asked_texts(server.requests[1])
        assert asked_texts(server.requests[2]) == sent
    assert [text.split()[0] for text in sent] == ["Be", "Summary", "word"]
    assert sum(len(text.split()) for text in sent) <= 3000


def test_summary_is_of_a_part_of_a_conversation_and_replaces_those_of_less() -> None:
    said = tuple(message for message in talk(8) if message.role != "system")
    less, more, other = Summary(said[:4], "a"), Summary(said[:8], "b"), Summary(said[2:4], "c")
    summaries = Summaries()
    for summary in (less, other, more):
        summaries.keep(summary)

    assert summaries.of(said) == more
    assert summaries.of(said[:9]) == more
    assert summaries.of(said[:8]) is None, "nothing would be left to answer"
    assert summaries.of(said[:7]) is None, "the shorter one was to be replaced"
    assert summaries.of(said[2:]) == other
    for number in range(4):
        summaries.keep(Summary((Message("user", str(number)),), "d"))
    assert summaries.of(said) is None, "more are kept than there is room for"


def test_profile_of_the_target_does_not_change_the_request_for_a_summary(
    ask: Conversation, tmp_path: Path
) -> None:
    with fault_server(chat()) as server:
        file = tmp_path / "config.toml"
        file.write_text(
            f'[providers.a]\nbase_url = "{server.url}/v1"\noptions = {{num_ctx = 4000}}\n'
            '[profiles.chatty]\nmodel = "a/m"\noverflow = "summarize"\n'
            '[profiles.default]\nmodel = "a/m"\n[routing]\nplanning = "chatty"\n'
        )
        (response,) = ask([talk(40)], config_path=file, task="planning")

        asked, sent = server.requests
    assert response.content == "yes"
    assert asked_texts(asked)[0].startswith("Summarise")
    assert asked_texts(sent)[-1] == "last question"


def test_tools_have_their_place_beside_a_trimmed_conversation(ask: Conversation) -> None:
    tool = {"name": "t", "description": "word " * 800, "parameters": {"type": "object"}}
    with fault_server(chat()) as server:
        limited = config(server, options={"num_ctx": 2000}, overflow="trim", max_tokens=300)
        ask([{"messages": talk(40), "tools": [tool]}], limited)

        assert 300 < words_of(server.requests[0]) <= 900


def test_summary_that_is_too_long_itself_is_cut(ask: Conversation) -> None:
    with fault_server(chat(summary="long " * 10_000)) as server:
        ask([talk(40)], summarizing(server))

        sent = server.requests[1]
    assert "left out …]" in asked_texts(sent)[1]
    assert words_of(sent) <= 3000


def test_tools_that_take_all_the_room_are_refused(ask: Conversation) -> None:
    tool = {"name": "t", "description": LONG, "parameters": {"type": "object"}}
    with fault_server(chat()) as server:
        (error,) = ask([{"messages": talk(5), "tools": [tool]}], summarizing(server))

        assert isinstance(error, ContextLengthError)
        assert server.requests == []


# --- a real server ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_llama() -> Iterator[str]:
    """llama.cpp's own server with a window of 2,048; a token of the demo model is a byte."""
    with running_llama_server(ctx=2048, parallel=1) as url:
        yield url


@pytest.mark.parametrize("overflow", ["trim", "summarize"])
@pytest.mark.parametrize("listed", [False, True], ids=["unknown", "listed"])
def test_llama_cpp_answers_a_conversation_over_its_window(
    ask: Conversation, small_llama: str, overflow: Any, listed: bool
) -> None:
    events: list[Event] = []
    config = LLMConfig(base_url=small_llama, model="demo", overflow=overflow, max_tokens=100)
    conversation = [*talk(10, words=20)[:-1], Message("user", "/json")]

    response: LLMResponse
    response, again = ask(
        [conversation, conversation], config, listed=listed, observe=events.append
    )

    assert response.content == again.content == '{"ok": true}'
    assert response.tokens.prompt_tokens <= 2048 - 100
    assert again.attempts == 1
    said = notices(events)
    assert any("reads 2,048 tokens" in text for text in said)
    assert any(("summarised" in text) == (overflow == "summarize") for text in said)


def test_llama_cpp_refuses_the_same_conversation_otherwise(
    ask: Conversation, small_llama: str
) -> None:
    (error,) = ask([talk(10)], LLMConfig(base_url=small_llama, model="demo"))

    assert isinstance(error, ContextLengthError)
    assert error.status == 400

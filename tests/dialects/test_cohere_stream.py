"""Cohere's answers: the recorded one, and streams in the form that its documentation shows."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from llm_client.dialects.cohere import Cohere
from llm_client.exceptions import LLMServiceError, StreamInterruptedError
from llm_client.types.content import ProviderState
from llm_client.types.response import fold

from ..support.recordings import needs_recordings
from .answers import (
    Answer,
    answer,
    check_cuts,
    check_splits,
    decode,
    expected,
    feed,
    recording,
    shown,
    target,
)

RECORDED = expected("cohere")
WHERE = target("cohere")
ID = "29f14a5a-11de-4cae-9800-25e4747408ea"
USAGE = {
    "billed_units": {"input_tokens": 3, "output_tokens": 7},
    "tokens": {"input_tokens": 893.0, "output_tokens": 62.0},
    "cached_tokens": 512,
}


def event(kind: str, message: object = None, **fields: Any) -> bytes:
    payload = {"type": kind, **fields}
    if message is not None:
        payload["delta"] = {"message": message}
    return f"event: {kind}\ndata: {json.dumps(payload)}\n\n".encode()


def text(piece: str, index: int = 0) -> bytes:
    return event("content-delta", {"content": {"text": piece}}, index=index)


def thinking(piece: str) -> bytes:
    return event("content-delta", {"content": {"thinking": piece}}, index=0)


def block(kind: str, index: int = 0) -> bytes:
    return event("content-start", {"content": {"type": kind, kind: ""}}, index=index)


def plan(piece: str) -> bytes:
    return event("tool-plan-delta", {"tool_plan": piece})


def call(id: str, name: str, *arguments: str, **where: int) -> bytes:
    function = {"name": name, "arguments": ""}
    start = {"tool_calls": {"id": id, "type": "function", "function": function}}
    deltas = [{"tool_calls": {"function": {"arguments": piece}}} for piece in arguments]
    return (
        event("tool-call-start", start, **where)
        + b"".join(event("tool-call-delta", delta, **where) for delta in deltas)
        + event("tool-call-end", **where)
    )


def ending(reason: str | None = "COMPLETE", usage: object = USAGE, **more: object) -> bytes:
    return event("message-end", delta={"finish_reason": reason, "usage": usage, **more})


START = event("message-start", {"role": "assistant", "content": []}, id=ID)
DONE = b"data: [DONE]\n\n"
CITATION = event(
    "citation-start",
    {"citations": {"start": 0, "end": 2, "text": "Hi", "sources": []}},
    index=0,
)
STREAMS = {
    "text": START
    + block("text")
    + text("Hé")
    + text("llo 🌊!")
    + event("content-end", index=0)
    + ending()
    + DONE,
    "plan and calls": START
    + plan("I will")
    + plan(" ask.")
    + call("a_1", "weather", '{"city":', '"Oslo"}', index=0)
    + call("b_2", "time", "{}", index=1)
    + ending("TOOL_CALL"),
    "calls without an index": START + call("a_1", "x", "{}") + call("b_2", "y", "[1]") + ending(),
    "thinking and a call": START
    + block("thinking")
    + thinking("Hm ")
    + thinking("…")
    + event("content-end", index=0)
    + block("text", 1)
    + text("Wait.", 1)
    + CITATION
    + event("citation-end", index=0)
    + call("a_1", "weather", '{"city":', '"Oslo"}', index=0)
    + ending("TOOL_CALL")
    + DONE,
    "thinking and text": START + block("thinking") + thinking("Hm.") + text("Yes.", 1) + ending(),
}


def read(*parts: bytes) -> Answer:
    return answer(feed(Cohere(), WHERE, [b"".join(parts)]))


def state(*parts: bytes) -> ProviderState | None:
    return fold(feed(Cohere(), WHERE, [b"".join(parts)])).provider_state


@needs_recordings
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    source = recording(name)
    assert shown(decode(Cohere(), WHERE, source)) == RECORDED[name]
    (last,) = (chunk for chunk in Cohere().decode(source.body, WHERE) if chunk.is_done)
    assert last.raw == json.loads(source.body)
    assert last.provider_state is None


@needs_recordings
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answer_cut_anywhere_is_an_error(name: str) -> None:
    body = recording(name).body
    for offset in range(len(body)):
        assert isinstance(answer(Cohere().decode(body[:offset], WHERE)).error, LLMServiceError)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(Cohere(), WHERE, STREAMS[name])


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(Cohere(), WHERE, STREAMS[name], [b'"message-end"'])


def test_text_is_decoded_with_its_usage() -> None:
    assert read(STREAMS["text"]) == Answer(
        "Héllo 🌊!", "", [], "stop", [893, 62, 955, 512, None, None, None], "", ID, None
    )


def test_plan_is_thinking_and_parallel_calls_keep_apart() -> None:
    got = read(STREAMS["plan and calls"])
    assert got.reasoning == "I will ask."
    assert got.tools == [["a_1", "weather", '{"city":"Oslo"}'], ["b_2", "time", "{}"]]
    assert got.finish == "tool_calls"


def test_calls_without_an_index_keep_apart_and_make_the_finish_reason() -> None:
    got = read(STREAMS["calls without an index"])
    assert got.tools == [["a_1", "x", "{}"], ["b_2", "y", "[1]"]]
    assert got.finish == "tool_calls"


def test_fragment_of_a_call_that_never_began_is_an_error() -> None:
    stray = event("tool-call-delta", {"tool_calls": {"function": {"arguments": "{"}}}, index=3)
    got = read(START, stray, ending())
    assert isinstance(got.error, LLMServiceError)


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        (None, None),
    ],
)
def test_finish_reason_is_put_into_our_words(reason: str | None, ours: str | None) -> None:
    assert read(START, text("x"), ending(reason)).finish == ours


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (ending("ERROR", error="the model burst"), "the model burst"),
        (ending("ERROR"), "the generation failed"),
        (ending("TIMEOUT"), "the generation took too long"),
        (b'data: {"id":"x","message":"too bad"}\n\n', "too bad"),
        (b'data: {"error":{"message":"gateway"}}\n\n', "gateway"),
    ],
    ids=["error with words", "error", "timeout", "message", "of a gateway"],
)
def test_error_in_the_stream_ends_it_after_what_was_said(last: bytes, message: str) -> None:
    got = read(START, text("Hi"), last)
    assert got.text == "Hi"
    assert got.id == ID
    assert isinstance(got.error, LLMServiceError)
    assert got.error.retryable
    assert message in str(got.error)


def test_failed_answer_tells_what_it_used() -> None:
    got = read(START, ending("ERROR"))
    assert got.usage is not None
    assert list(got.usage)[:3] == [893, 62, 955]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"billed_units": {"input_tokens": 3, "output_tokens": 4}}, [3, 4, 7]),
        ({"tokens": {"input_tokens": 3}}, [3, 0, 3]),
        ({"tokens": {"input_tokens": "many"}, "billed_units": {"output_tokens": 4}}, [0, 4, 4]),
    ],
    ids=["billed only", "input only", "odd"],
)
def test_usage_is_read_from_what_is_told(usage: object, counts: list[int]) -> None:
    got = read(START, text("x"), ending(usage=usage)).usage
    assert got is not None
    assert list(got)[:3] == counts


@pytest.mark.parametrize("usage", [None, {}, {"tokens": {}}, {"tokens": {"input_tokens": -1}}])
def test_usage_that_is_not_told_is_none(usage: object) -> None:
    assert read(START, text("x"), ending(usage=usage)).usage is None


def test_emoji_cut_in_two_escapes_is_joined_in_text_and_state() -> None:
    halves = thinking("\ud83c") + thinking("\udf0a")
    stream = START + halves + text("\ud83c") + text("\udf0a") + call("a", "x", "{}") + ending()
    got = read(stream)
    assert (got.text, got.reasoning) == ("🌊", "🌊")
    kept = state(stream)
    assert kept is not None
    assert kept.items[0]["content"] == [
        {"type": "thinking", "thinking": "🌊"},
        {"type": "text", "text": "🌊"},
    ]


def test_thinking_beside_a_call_is_kept_for_the_way_back() -> None:
    assert state(STREAMS["thinking and a call"]) == ProviderState(
        "cohere",
        "cohere",
        (
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm …"},
                    {"type": "text", "text": "Wait."},
                ],
                "tool_calls": [
                    {
                        "id": "a_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                    }
                ],
                "citations": [{"start": 0, "end": 2, "text": "Hi", "sources": []}],
            },
        ),
    )


@pytest.mark.parametrize("name", ["text", "plan and calls", "thinking and text"])
def test_answer_that_neutral_fields_can_say_keeps_no_state(name: str) -> None:
    assert state(STREAMS[name]) is None


WHOLE = {
    "id": ID,
    "finish_reason": "TOOL_CALL",
    "usage": USAGE,
    "message": {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm …"}, {"type": "text", "text": "Wait."}],
        "tool_calls": [
            {
                "id": "a_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
            }
        ],
        "citations": [{"start": 0, "end": 2, "text": "Hi", "sources": []}],
    },
}


def test_whole_answer_and_stream_say_the_same() -> None:
    chunks = Cohere().decode(json.dumps(WHOLE).encode(), WHERE)
    streamed = feed(Cohere(), WHERE, [STREAMS["thinking and a call"]])
    assert answer(chunks) == answer(streamed)
    assert chunks[-1].provider_state == streamed[-1].provider_state


def test_whole_answer_with_a_plan_says_it_and_sends_it_back() -> None:
    whole = {**WHOLE, "message": {**WHOLE["message"], "tool_plan": "So. "}}  # type: ignore[dict-item]
    chunks = Cohere().decode(json.dumps(whole).encode(), WHERE)
    assert answer(chunks).reasoning == "So. Hm …"
    kept = chunks[-1].provider_state
    assert kept is not None
    assert kept.items[0]["tool_plan"] == "So. "


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b'"text"',
        b"{}",
        b'{"message":null}',
        b'{"message":{"content":[7]}}',
        b'{"message":{"content":[{"text":7}]}}',
        b'{"message":{"tool_calls":[{"function":{"name":"x","arguments":[1]}}]}}',
    ],
)
def test_whole_answer_that_is_none_is_an_error(body: bytes) -> None:
    got = answer(Cohere().decode(body, WHERE))
    assert isinstance(got.error, LLMServiceError)


def test_whole_answer_that_is_an_error_is_read_as_one() -> None:
    got = answer(Cohere().decode(b'{"id":"1","message":"no luck today"}', WHERE))
    assert isinstance(got.error, LLMServiceError)
    assert "no luck today" in str(got.error)


def test_stream_where_a_whole_answer_was_expected_is_read() -> None:
    assert answer(Cohere().decode(STREAMS["text"], WHERE)).text == "Héllo 🌊!"


@pytest.mark.parametrize(
    "bad",
    [
        event("content-delta", {"content": {"text": 7}}),
        event("content-delta", {"content": [7]}),
        event("tool-call-start", {"tool_calls": None}),
        event("tool-call-start", {"tool_calls": {"function": {"name": "x", "arguments": 7}}}),
        event("tool-plan-delta", {}),
        b"data: {broken}\n\n",
    ],
    ids=["text", "content", "no call", "arguments", "no plan", "no JSON"],
)
def test_event_that_cannot_be_read_is_an_error(bad: bytes) -> None:
    got = read(START, bad, ending())
    assert isinstance(got.error, LLMServiceError)


@pytest.mark.parametrize(
    "harmless",
    [
        event("debug", prompt="<|START|>"),
        event("content-start", index=0),
        event("something-new", delta={}),
        b": comment\n\n",
        event("message-start"),
        event("citation-start", index=0),
    ],
    ids=["debug", "bare start", "unknown", "comment", "second start", "bare citation"],
)
def test_event_that_says_nothing_is_passed_over(harmless: bytes) -> None:
    assert read(START, harmless, text("Hi"), ending()).text == "Hi"


def test_stream_that_ends_without_its_last_event_was_cut() -> None:
    got = read(START, text("Hi"), DONE)
    assert got.text == "Hi"
    assert isinstance(got.error, StreamInterruptedError)


def test_long_answer_costs_as_much_per_token_as_a_short_one() -> None:
    def calls(tokens: int) -> int:
        """Return how often Python code is entered: unlike time, the same on every machine."""
        stream, count = START + text("token ") * tokens + ending(), 0

        def note(frame: object, kind: str, argument: object) -> None:
            nonlocal count
            count += kind == "call"

        sys.setprofile(note)
        try:
            feed(Cohere(), WHERE, [stream])
        finally:
            sys.setprofile(None)
        return count

    once, twice, thrice = calls(500), calls(1000), calls(1500)
    assert abs((thrice - twice) - (twice - once)) <= 0.02 * twice

"""Answers of Anthropic Messages that no recording has."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from llm_client.dialects.anthropic import Anthropic
from llm_client.exceptions import LLMServiceError, StreamInterruptedError
from llm_client.types.http import Head
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import StreamChunk, fold

from .answers import Answer, answer, check_cuts, check_splits, details, feed, target

CLAUDE = target("anthropic", "sk-secret", model="claude-opus-5-5")
START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "claude-opus-5-5",
        "content": [],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def more(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def tail(reason: str | None, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = [more(index, "text_delta", text=piece) for piece in pieces]
    return [begin(index, type="text", text=""), *deltas, end(index)]


def body(*events: Mapping[str, Any]) -> bytes:
    lines = (f"event: {event['type']}\ndata: {json.dumps(event)}  \n\n" for event in events)
    return "".join(lines).encode()


def chunks(*events: Mapping[str, Any]) -> list[StreamChunk]:
    return feed(Anthropic(), CLAUDE, [body(*events)])


def read(*events: Mapping[str, Any]) -> Answer:
    return answer(chunks(*events))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("something_new", "something_new"),
    ],
)
def test_stop_reason_becomes_our_word(theirs: str, ours: str) -> None:
    assert read(START, *text(0, "Hi"), tail(theirs, output_tokens=2), STOP).finish == ours
    whole = {"content": [{"type": "text", "text": "Hi"}], "stop_reason": theirs}
    assert fold(Anthropic().decode(json.dumps(whole).encode(), CLAUDE)).finish_reason == ours


def test_usage_is_overwritten_and_never_added() -> None:
    raised = {"input_tokens": 50, "cache_creation_input_tokens": 3, "output_tokens": 9}
    details_ = {"output_tokens_details": {"thinking_tokens": 4}}
    value = read(START, tail(None, **raised), tail("end_turn", output_tokens=12, **details_), STOP)
    assert value.usage == [60, 12, 72, 7, 3, 4, None]


def test_call_without_arguments_has_an_empty_object() -> None:
    call = begin(0, type="tool_use", id="toolu_1", name="now", input={})
    empty = more(0, "input_json_delta", partial_json="")
    value = read(START, call, empty, end(0), tail("tool_use"), STOP)
    assert value.tools == [["toolu_1", "now", "{}"]]


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "left open"])
@pytest.mark.parametrize("arguments", [{"a": "é"}, '{"a": "é"}'], ids=["object", "text"])
def test_call_whose_arguments_come_with_its_start_has_them(arguments: object, closed: bool) -> None:
    call = begin(0, type="tool_use", id="toolu_1", name="now", input=arguments)
    value = read(START, call, *([end(0)] if closed else []), tail("tool_use"), STOP)
    assert value.tools == [["toolu_1", "now", '{"a": "é"}']]


def test_parallel_calls_whose_pieces_are_mixed_are_kept_apart() -> None:
    value = read(
        START,
        begin(0, type="tool_use", id="a", name="one", input={}),
        begin(1, type="tool_use", id="b", name="two", input={}),
        more(0, "input_json_delta", partial_json='{"x":'),
        more(1, "input_json_delta", partial_json='{"y":'),
        more(0, "input_json_delta", partial_json="1}"),
        more(1, "input_json_delta", partial_json="2}"),
        tail("tool_use"),
        STOP,
    )
    assert value.tools == [["a", "one", '{"x":1}'], ["b", "two", '{"y":2}']]


def test_index_that_comes_again_is_another_block() -> None:
    calls = [
        event
        for id in "ab"
        for event in (begin(0, type="tool_use", id=id, name=id, input={}), end(0))
    ]
    assert [call[0] for call in read(START, *calls, tail("tool_use"), STOP).tools] == ["a", "b"]


def test_state_has_every_block_with_its_pieces_joined() -> None:
    final = chunks(
        START,
        begin(0, type="thinking", thinking="", signature=""),
        more(0, "thinking_delta", thinking="Hm"),
        {"type": "ping"},
        more(0, "thinking_delta", thinking="m."),
        more(0, "signature_delta", signature="EqEE"),
        end(0),
        begin(1, type="redacted_thinking", data="AbC="),
        end(1),
        begin(2, type="server_tool_use", id="s", name="web_search", input={}),
        more(2, "input_json_delta", partial_json='{"query":'),
        more(2, "input_json_delta", partial_json=' "x"}'),
        end(2),
        begin(3, type="web_search_tool_result", tool_use_id="s", content=[{"url": "u"}]),
        end(3),
        begin(4, type="text", text="", citations=[]),
        more(4, "citations_delta", citation={"url": "u"}),
        more(4, "text_delta", text="It "),
        more(4, "text_delta", text="is."),
        end(4),
        begin(5, type="tool_use", id="t", name="now", input={}),
        more(5, "input_json_delta", partial_json=""),
        end(5),
        tail("tool_use"),
        STOP,
    )
    value, state = answer(final), final[-1].provider_state
    assert (value.text, value.reasoning) == ("It is.", "Hmm.")
    assert value.tools == [["t", "now", "{}"]]
    assert state is not None
    assert list(state.items) == [
        {"type": "thinking", "thinking": "Hmm.", "signature": "EqEE"},
        {"type": "redacted_thinking", "data": "AbC="},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "text", "text": "It is.", "citations": [{"url": "u"}]},
        {"type": "tool_use", "id": "t", "name": "now", "input": {}},
    ]


def test_state_of_an_answer_goes_into_the_next_request_unchanged() -> None:
    halves = ["Look \ud83c", "\udf0d"]
    response = fold(
        chunks(
            START,
            begin(0, type="thinking", thinking="", signature="s"),
            end(0),
            *text(1, *halves),
            tail("end_turn"),
            STOP,
        )
    )
    history = json.loads(json.dumps(response.message.to_dict()))
    messages = (Message("user", "Hi"), Message.parse(history), Message("user", "And?"))
    sent = json.loads(Anthropic().encode(LLMRequest(messages), CLAUDE).body or b"")
    assert sent["messages"][1] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "text", "text": "Look 🌍"},
        ],
    }


def test_block_and_delta_of_an_unknown_kind_are_kept_for_the_way_back() -> None:
    final = chunks(
        START,
        begin(0, type="compaction", content=None),
        more(0, "compaction_delta", content="So far: "),
        more(0, "compaction_delta", content="nothing."),
        end(0),
        {"type": "something_new", "index": 0},
        *text(1, "Hi"),
        tail("end_turn"),
        STOP,
    )
    state = final[-1].provider_state
    assert answer(final).text == "Hi"
    assert state is not None
    assert state.items[0] == {"type": "compaction", "content": "So far: nothing."}


def test_fallback_to_another_model_names_the_one_that_answers() -> None:
    block = begin(
        0, type="fallback", **{"from": {"model": "a"}, "to": {"model": "claude-opus-4-8"}}
    )
    value = read(START, block, end(0), *text(1, "Hi"), tail("end_turn"), STOP)
    assert (value.text, value.model) == ("Hi", "claude-opus-4-8")


def test_state_is_left_out_when_a_call_was_cut_off() -> None:
    final = chunks(
        START,
        begin(0, type="thinking", thinking="", signature="s"),
        begin(1, type="tool_use", id="t", name="now", input={}),
        more(1, "input_json_delta", partial_json='{"a":'),
        tail("max_tokens"),
        STOP,
    )
    assert final[-1].provider_state is None
    assert answer(final).tools == [["t", "now", '{"a":']]


def test_text_of_a_block_that_was_never_opened_is_said() -> None:
    pieces = [more(0, "thinking_delta", thinking="Hm"), more(1, "text_delta", text="Hi")]
    value = read(START, *pieces, end(0), end(7), tail("end_turn"), STOP)
    assert (value.text, value.reasoning) == ("Hi", "Hm")


def test_text_with_the_start_of_a_block_is_said() -> None:
    blocks = [begin(0, type="thinking", thinking="Hm"), begin(1, type="text", text="Hi")]
    value = read(START, *blocks, tail("end_turn"), STOP)
    assert (value.text, value.reasoning) == ("Hi", "Hm")


def test_arguments_of_a_block_that_was_never_opened_are_an_error() -> None:
    value = read(START, more(0, "input_json_delta", partial_json="{}"), tail("tool_use"), STOP)
    assert "an event that cannot be read" in str(value.error)


def test_arguments_that_are_no_text_are_an_error_and_not_an_exception() -> None:
    call = begin(0, type="tool_use", id="t", name="now", input={})
    piece = more(0, "input_json_delta", partial_json={"a": 1})
    value = read(START, call, piece, end(0), tail("tool_use"), STOP)
    assert "an event that cannot be read" in str(value.error)


def test_block_that_cannot_be_put_together_is_an_error_also_where_the_stream_just_ends() -> None:
    block = begin(0, type="compaction", content=3)
    piece = more(0, "compaction_delta", content="So far.")
    value = read(START, block, piece, tail("end_turn"))
    assert "events that cannot be put together" in str(value.error)
    value = read(START, block, piece, tail("end_turn"), STOP)
    assert "an event that cannot be read" in str(value.error)


def test_id_and_name_of_a_call_are_text_whatever_came() -> None:
    call = begin(0, type="tool_use", id=7, name=8, input={})
    assert read(START, call, end(0), tail("tool_use"), STOP).tools == [["7", "8", "{}"]]


@pytest.mark.parametrize("count", [float("inf"), float("nan"), -1, 10**400, "many"], ids=str)
def test_count_that_is_none_is_not_known(count: Any) -> None:
    value = read(START, *text(0, "Hi"), tail("end_turn", output_tokens=count), STOP)
    assert (value.text, value.usage) == ("Hi", [12, 0, 12, 7, None, None, None])


def test_many_citations_and_pieces_take_no_square_of_the_time() -> None:
    # 60,000 of each: joined one by one they would take a minute.
    citations = [more(0, "citations_delta", citation={"url": "u" * 20})] * 60_000
    signature = [more(1, "signature_delta", signature="s" * 100)] * 60_000
    blocks = [begin(0, type="text", text=""), *citations, begin(1, type="thinking"), *signature]
    stream = body(START, *blocks, tail("end_turn"), STOP)
    started = time.perf_counter()
    state = feed(Anthropic(), CLAUDE, [stream])[-1].provider_state
    assert time.perf_counter() - started < 10
    assert state is not None
    assert len(state.items[0]["citations"]) == 60_000
    assert len(state.items[1]["signature"]) == 6_000_000


ERROR = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded: sk-secret"},
    "request_id": "req_1",
}


def test_error_in_the_middle_keeps_what_was_said_and_billed() -> None:
    value = read(START, begin(0, type="text", text="Half"), ERROR)
    assert (value.text, value.usage) == ("Half", [12, 1, 13, 7, None, None, None])
    assert details(value.error) == {
        "error": "LLMServiceError",
        "status": 200,
        "type": "overloaded_error",
        "retryable": True,
        "request_id": "req_1",
    }
    assert "sk-secret" not in str(value.error)


def test_error_without_a_reason_is_an_error() -> None:
    value = read(START, {"type": "error", "message": "gone"})
    assert isinstance(value.error, LLMServiceError)
    assert "gone" in str(value.error)


def test_error_where_an_answer_was_expected_has_its_request_id() -> None:
    value = answer(Anthropic().decode(json.dumps(ERROR).encode(), CLAUDE))
    assert value.error is not None
    assert value.error.request_id == "req_1"


def test_id_in_the_headers_goes_over_the_one_in_the_body() -> None:
    head = Head(529, {"request-id": "req_header", "retry-after": "3"})
    error = Anthropic().error(head, json.dumps(ERROR).encode(), CLAUDE)
    assert details(error) == {
        "error": "LLMServiceError",
        "status": 529,
        "type": "overloaded_error",
        "retryable": True,
        "retry_after": 3.0,
        "request_id": "req_header",
    }


def test_error_that_is_no_json_has_its_status() -> None:
    error = Anthropic().error(Head(504, {}), b"<html>", CLAUDE)
    assert details(error) == {"error": "LLMServiceError", "status": 504, "retryable": True}


@pytest.mark.parametrize(
    "last", [{"type": "ping"}, tail(None, output_tokens=3)], ids=["ping", "no"]
)
def test_stream_that_ends_before_its_reason_is_cut(last: dict[str, Any]) -> None:
    value = read(START, *text(0, "Half"), last)
    assert isinstance(value.error, StreamInterruptedError)
    assert value.text == "Half"


def test_stream_that_ends_behind_its_reason_is_whole() -> None:
    value = read(START, *text(0, "Hi"), tail("end_turn", output_tokens=3))
    assert (value.text, value.finish, value.error) == ("Hi", "stop", None)


@pytest.mark.parametrize(
    "whole",
    [
        {"content": "text"},
        {"content": ""},
        {"content": {}},
        {"content": None},
        {"content": [{"type": ["text"], "text": "Hi"}]},
        {"content": [{"text": "no type"}]},
        {"content": [{"type": "text", "text": 5}]},
        {"input_tokens": 5},
    ],
    ids=str,
)
def test_json_that_is_no_message_is_no_answer(whole: dict[str, Any]) -> None:
    value = answer(Anthropic().decode(json.dumps(whole).encode(), CLAUDE))
    assert "JSON without `content`" in str(value.error)


def test_whole_answer_that_is_a_refusal_says_so() -> None:
    whole = {"id": "msg_1", "content": [], "stop_reason": "refusal", "usage": {"input_tokens": 3}}
    value = answer(Anthropic().decode(json.dumps(whole).encode(), CLAUDE))
    assert (value.text, value.finish, value.usage) == (
        "",
        "content_filter",
        [3, 0, 3, None, None, None, None],
    )


RICH = body(
    START,
    begin(0, type="thinking", thinking="", signature=""),
    more(0, "thinking_delta", thinking="Grübeln \u2028 – "),
    more(0, "signature_delta", signature="EqEE"),
    end(0),
    {"type": "ping"},
    *text(1, "Zwei \ud83d", "\ude00 Wörter"),
    begin(2, type="tool_use", id="t", name="now", input={}),
    more(2, "input_json_delta", partial_json='{"a": "é"}'),
    end(2),
    tail("tool_use", output_tokens=9),
    STOP,
).replace(b"\n", b"\r\n")


def test_rich_stream_split_anywhere_says_the_same() -> None:
    check_splits(Anthropic(), CLAUDE, RICH)


def test_rich_stream_cut_anywhere_is_an_error_or_entire() -> None:
    check_cuts(Anthropic(), CLAUDE, RICH, [b'"stop_reason": "tool_use"'])

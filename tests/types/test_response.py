"""Putting the chunks of an answer together."""

from __future__ import annotations

import pytest

from llm_client.exceptions import StreamInterruptedError
from llm_client.types.messages import Message, ToolCall
from llm_client.types.response import Fold, LLMResponse, StreamChunk, ToolCallDelta, Usage, fold


def test_chunks_folded_are_the_answer() -> None:
    raw = {"a": 1}
    response = fold(
        [
            StreamChunk(reasoning="hm ", model="m-1"),
            StreamChunk("Hel", "so"),
            StreamChunk("lo", usage=Usage(1, 1, 2)),
            StreamChunk(is_done=True, usage=Usage(1, 2, 3), finish_reason="stop", response_id="r", raw=raw),
        ],
        provider="p",
        model="m",
    )  # fmt: skip
    assert response == LLMResponse(
        "Hello", "m-1", "p", "stop", "r", usage=Usage(1, 2, 3), reasoning="hm so"
    )
    assert response.raw is raw
    assert response.raw_response is raw
    assert str(response) == "Hello"
    assert "raw" not in repr(response) + repr(StreamChunk(raw=raw))
    assert response.message == Message("assistant", "Hello", reasoning="hm so")


def test_nothing_folded_is_an_empty_answer_of_the_asked_model() -> None:
    assert fold([], provider="p", model="m") == LLMResponse("", "m", "p")


@pytest.mark.parametrize(
    ("finish", "folded"),
    [("stop", "tool_calls"), (None, "tool_calls"), ("length", "length")],
)
def test_tool_calls_folded_are_whole_and_in_order(finish: str | None, folded: str) -> None:
    deltas = [
        ToolCallDelta(1, "b", "g", ""),
        ToolCallDelta(0, None, "f", '{"x"'),
        ToolCallDelta(0, "late", "f", ": 1}"),
        ToolCallDelta(0, "later", "other", ""),
        ToolCallDelta(2, None, "h", "{}"),
    ]
    chunks = [StreamChunk(tool_call=delta) for delta in deltas]
    response = fold([*chunks, StreamChunk(is_done=True, finish_reason=finish)])
    assert response.tool_calls == (
        ToolCall("late", "f", '{"x": 1}'),
        ToolCall("b", "g", "{}"),
        ToolCall("call_2", "h", "{}"),
    )
    assert response.finish_reason == folded
    assert response.message.tool_calls == response.tool_calls


def test_error_folded_is_raised() -> None:
    error = StreamInterruptedError("cut")
    with pytest.raises(StreamInterruptedError) as caught:
        fold([StreamChunk("a"), StreamChunk(error=error)])
    assert caught.value is error


@pytest.mark.parametrize(
    ("chunk", "output"),
    [
        (StreamChunk("a"), True),
        (StreamChunk(reasoning="a"), True),
        (StreamChunk(tool_call=ToolCallDelta(0)), True),
        (StreamChunk(usage=Usage(1)), False),
        (StreamChunk(is_done=True, finish_reason="stop", model="m"), False),
    ],
    ids=["text", "thinking", "tool call", "usage", "end"],
)
def test_fold_knows_whether_there_was_output(chunk: StreamChunk, output: bool) -> None:
    state = Fold()
    assert not state.has_output
    state.add(chunk)
    assert state.has_output is output


def test_fold_shows_what_has_come_so_far() -> None:
    state = Fold()
    for text in ("a", "b"):
        state.add(StreamChunk(text, text.upper()))
    assert (state.text, state.reasoning, state.tool_calls) == ("ab", "AB", ())
    state.add(StreamChunk("c"))
    response = state.response(provider="p", model="m", attempts=2, retry_count=1)
    assert (response.content, response.attempts, response.retry_count) == ("abc", 2, 1)


def test_usage_unknown_reads_as_zeros_and_no_cost() -> None:
    assert LLMResponse("", "m", "p").tokens == Usage()
    assert not Usage().estimated
    assert LLMResponse("", "m", "p").cost is None
    known = Usage(1, 2, 3, estimated_cost=0.5)
    assert LLMResponse("", "m", "p", usage=known).tokens is known
    assert LLMResponse("", "m", "p", usage=known).cost == 0.5

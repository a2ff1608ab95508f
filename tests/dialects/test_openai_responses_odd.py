"""Answers of OpenAI Responses that are almost right: values of other types, deltas without items."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.openai_responses import OpenAIResponses, OpenAIResponsesDecoder
from llm_client.exceptions import LLMServiceError

from .answers import answer, feed
from .test_openai_responses_stream import (
    CALL,
    MESSAGE,
    OPENAI,
    REASONING,
    USAGE,
    added,
    arguments,
    completed,
    decoded,
    done,
    event,
    stream,
    text,
    whole,
)


def test_call_that_was_not_told_before_the_last_event_is_read_from_it() -> None:
    value = decoded(text("Hi!", 1), completed(REASONING, MESSAGE, CALL))
    assert (value.reasoning, value.text) == ("Hm.", "Hi!")
    assert value.tools == [["call_1", "look", '{"at":1}']]
    assert value.finish == "tool_calls"


def test_call_that_came_as_deltas_is_not_read_again_from_the_last_event() -> None:
    deltas = event("function_call_arguments.delta", delta='{"at":1}', item_id="fc_1")
    begun = event("output_item.added", item={**CALL, "arguments": ""})
    value = decoded(begun, deltas, completed(MESSAGE, CALL))
    assert value.text == "Hi!"
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_arguments_that_are_an_object_are_written_as_text() -> None:
    item = {**CALL, "arguments": {"stadt": "Köln"}}
    expected = [["call_1", "look", '{"stadt": "Köln"}']]
    assert decoded(done(item, 0), completed()).tools == expected
    assert whole(output=[item]).tools == expected


def test_id_that_is_a_number_is_written_as_text() -> None:
    item = {**CALL, "call_id": 7}
    value = decoded(added(item, 0), arguments('{"at":1}', 0), done(item, 0), completed())
    assert value.tools == [["7", "look", '{"at":1}']]


@pytest.mark.parametrize("number", [float("inf"), float("nan"), -1, 10**30, "many", [1]], ids=str)
def test_figure_that_is_no_number_of_tokens_is_left_out(number: object) -> None:
    usage = {**USAGE, "output_tokens": number, "total_tokens": number, "cost": number}
    value = decoded(text("Hi"), completed(usage=usage))
    assert (value.text, value.usage) == ("Hi", [10, 0, 10, 4, 2, 5, None])


def test_message_without_content_says_nothing() -> None:
    empty = {**MESSAGE, "content": None}
    assert (whole(output=[empty, MESSAGE]).text, whole(output=[empty]).error) == ("Hi!", None)


def test_reasoning_part_without_text_costs_no_answer() -> None:
    item = {"type": "reasoning", "content": [{"type": "reasoning_image"}, {"text": "Ah."}]}
    value = whole(output=[item, MESSAGE])
    assert (value.reasoning.strip(), value.text) == ("Ah.", "Hi!")


@pytest.mark.parametrize("item", [3, None, "text"])
def test_last_output_that_is_no_item_ends_the_stream_with_an_error(item: Any) -> None:
    value = decoded(text("Hi"), completed(item))
    assert type(value.error) is LLMServiceError
    assert value.text == "Hi"


class Unkept(OpenAIResponsesDecoder):
    """A decoder that cannot make a state of what it read."""

    def _state(self) -> None:
        raise TypeError


def test_state_that_cannot_be_made_is_an_error_and_not_an_answer_without_end() -> None:
    decoder = Unkept(OPENAI)
    streamed = answer(decoder.feed(stream(text("Hi!"), completed(MESSAGE))))
    at_once = answer(Unkept(OPENAI).whole(json.dumps({"output": [MESSAGE]}).encode()))
    assert decoder.done
    assert type(streamed.error) is type(at_once.error) is LLMServiceError


def test_stream_that_a_proxy_calls_json_is_read() -> None:
    body = b"\r\n" + stream(text("Hi!"), completed(MESSAGE))
    chunks = OpenAIResponses().decode(body, OPENAI)
    assert answer(chunks) == answer(feed(OpenAIResponses(), OPENAI, [body]))
    assert answer(chunks).text == "Hi!"


def test_whole_answer_in_the_middle_of_a_stream_is_not_taken_for_its_end() -> None:
    body = json.dumps({"output": [MESSAGE], "status": "completed"}).encode()
    value = answer(feed(OpenAIResponses(), OPENAI, [stream(text("Hi")), b"data: ", body, b"\n\n"]))
    assert value.error is not None

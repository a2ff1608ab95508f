"""What a stream of OpenAI Chat Completions may look like beyond the recordings (WIRE.md §§1, 11)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import (
    LLMServiceError,
    ModelNotFoundError,
    RateLimitError,
    StreamInterruptedError,
)

from .answers import Answer, answer, check_cuts, check_splits, details, feed, plain, target

WHERE = plain(target("openai-compatible"))
DONE = b"data: [DONE]\n\n"


def event(payload: object, *, escaped: bool = False) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=escaped).encode() + b"\n\n"


def delta(finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    return event({"choices": [{"index": index, "delta": fields, "finish_reason": finish}]})


FIRST_HALF = event({"choices": [{"delta": {"content": "<\ud83c"}}]}, escaped=True)
SECOND_HALF = event({"choices": [{"delta": {"content": "\udf0d>"}}]}, escaped=True)


def decode(*parts: bytes) -> Answer:
    return answer(feed(OpenAIChat(), WHERE, parts))


def test_stream_with_every_field_says_all_of_it() -> None:
    head = {"id": "chat-1", "model": "m-1"}
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "cost": 0.25,
    }
    body = b"".join(
        [
            event({**head, "choices": [{"delta": {"role": "assistant", "content": None}}]}),
            event({**head, "choices": [{"delta": {"reasoning": "hm "}}]}),
            event({**head, "choices": [{"delta": {"reasoning_content": "so"}}]}),
            event({**head, "choices": [{"delta": {"content": "Grüße 🌍"}, "finish_reason": None}]}),
            event({**head, "choices": [{"delta": {}, "finish_reason": "stop"}]}),
            event({**head, "choices": [], "usage": usage}),
            DONE,
        ]
    )
    expected = Answer(
        "Grüße 🌍", "hm so", [], "stop", [7, 5, 12, 3, 2, 4, 0.25], "m-1", "chat-1", None
    )
    assert decode(body) == expected
    check_splits(OpenAIChat(), WHERE, body)
    check_cuts(OpenAIChat(), WHERE, body, [b'"finish_reason": "stop"'])


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\n"], ids=["crlf", "cr", "lf"])
def test_stream_with_any_line_end_cut_anywhere_keeps_the_rule(line_end: bytes) -> None:
    body = b"\xef\xbb\xbf: hi\n\n" + delta(content="x\u2028y\u0085") + delta("stop") + DONE
    body = body.replace(b"\n", line_end)
    check_splits(OpenAIChat(), WHERE, body)
    check_cuts(OpenAIChat(), WHERE, body, [b'"stop"'])
    assert decode(body).text == "x\u2028y\u0085"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([event({"choices": []}), delta(content="a"), delta("stop"), DONE], "a"),
        ([event({"choices": None}), delta(content="a"), delta("stop"), DONE], "a"),
        ([delta(content="a"), delta("stop"), event({"choices": [], "usage": None})], "a"),
        ([b"data:\n\ndata:  \n\n", delta(content="a"), delta("stop"), DONE], "a"),
        ([delta(content="a"), b"data: [DONE] \n\n"], "a"),
        ([delta(content="a"), delta("stop")], "a"),
        ([delta(content="a"), delta("stop").rstrip()], "a"),
        ([delta(content="a"), DONE], "a"),
        ([delta(content="a"), DONE, delta(content="b"), b"data: {garbage\n\n"], "a"),
        ([delta(content="a"), delta(content="b", index=1), delta("stop"), DONE], "a"),
        ([delta(content="a"), event({"choices": [{"delta": None}]}), DONE], "a"),
        ([delta(content="a"), delta(refusal="No."), DONE], "aNo."),
        ([delta(content="caf").replace(b"caf", b"caf\xc3"), DONE], "caf�"),
        ([FIRST_HALF, SECOND_HALF, DONE], "<🌍>"),
        ([FIRST_HALF, DONE], "<�"),
    ],
    ids=[
        "empty choices first",
        "null choices",
        "empty choices last",
        "empty events",
        "blank after DONE",
        "no DONE",
        "no DONE and no line end",
        "DONE without a finish reason",
        "anything after DONE",
        "a second choice",
        "null delta",
        "refusal",
        "broken character",
        "character split in two events",
        "half a character at the end",
    ],
)
def test_unusual_stream_decoded_gives_its_text(parts: list[bytes], text: str) -> None:
    value = decode(*parts)
    assert value.error is None
    assert value.text == text


@pytest.mark.parametrize(
    ("finish", "reason"), [("stop", "refusal"), ("content_filter", "content_filter")]
)
def test_refusal_is_told_from_an_answer(finish: str, reason: str) -> None:
    value = decode(delta(refusal="No."), delta(finish), DONE)

    assert (value.text, value.finish) == ("No.", reason)


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", ""),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}], "", "t"),
        ([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "a"}], "a", "t"),
        ([{"type": "thinking", "thinking": [{"text": 3}, None, {"text": "t"}]}, 7], "", "t"),
    ],
    ids=["text parts", "thinking list", "thinking text", "junk among them"],
)
def test_content_list_decoded_is_text_and_thinking(
    content: list[object], text: str, reasoning: str
) -> None:
    value = decode(delta(content=content), delta("stop"), DONE)
    assert (value.text, value.reasoning) == (text, reasoning)


def test_reasoning_that_is_no_text_is_left_out() -> None:
    value = decode(delta(content="a", reasoning={"effort": "low"}), delta("stop"), DONE)
    assert (value.text, value.reasoning, value.error) == ("a", "", None)


@pytest.mark.parametrize(
    ("payload", "figures"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, [1, 2, 3, None, None, None, None]),
        ({"usage": {"prompt_tokens": 4, "prompt_cache_hit_tokens": 3}}, [4, 0, 4, 3, None, None, None]),
        ({"usage": {"prompt_tokens": 4, "cached_tokens": 0}}, [4, 0, 4, 0, None, None, None]),
        ({"usage": {"prompt_tokens": 4.0, "completion_tokens": None}}, [4, 0, 4, None, None, None, None]),
        ({"usage": {"prompt_tokens": "4", "completion_tokens": -1}}, [0, 0, 0, None, None, None, None]),
        ({"x_groq": {"usage": {"prompt_tokens": 1}}}, [1, 0, 1, None, None, None, None]),
        ({"x_groq": None}, None),
        ({"usage": {}}, None),
    ],
    ids=["sum", "deepseek", "together", "fraction", "no numbers", "groq", "groq null", "empty"],
)  # fmt: skip
def test_usage_decoded_has_its_figures(
    payload: dict[str, Any], figures: list[float | None] | None
) -> None:
    assert decode(delta("stop"), event({"choices": [], **payload}), DONE).usage == figures


def test_later_usage_replaces_the_earlier() -> None:
    first, second = ({"choices": [], "usage": {"prompt_tokens": n}} for n in (1, 2))
    usage = decode(event(first), delta("stop"), event(second), DONE).usage
    assert usage is not None
    assert usage[0] == 2


def test_function_call_finish_reason_is_tool_calls() -> None:
    assert decode(delta("function_call"), DONE).finish == "tool_calls"


def test_azure_filter_event_first_does_not_hide_id_and_model() -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    value = decode(
        event(first), event({"id": "x", "model": "m", "choices": []}), delta("stop"), DONE
    )
    assert (value.id, value.model) == ("x", "m")


@pytest.mark.parametrize(
    ("payload", "row"),
    [
        ({"error": {"message": "m", "type": "overloaded_error"}}, (LLMServiceError, True)),
        ({"error": {"message": "m", "code": 429}}, (RateLimitError, True)),
        ({"error": {"message": "m", "code": "429"}}, (RateLimitError, True)),
        ({"error": {"message": "The model does not exist", "code": 400}}, (ModelNotFoundError, False)),
        ({"error": "it broke"}, (LLMServiceError, True)),
    ],
    ids=["in-band type", "numeric code", "code as text", "message", "text"],
)  # fmt: skip
def test_error_in_mid_stream_ends_it(
    payload: dict[str, Any], row: tuple[type[LLMServiceError], bool]
) -> None:
    value = decode(delta(content="part"), event(payload), delta(content="more"), DONE)
    assert type(value.error) is row[0]
    assert details(value.error)["retryable"] is row[1]
    assert value.text == "part"


def test_event_named_error_without_an_error_field_ends_the_stream() -> None:
    named = b'event: error\ndata: {"message": "queue full", "code": 503}\n\n'
    value = decode(delta(content="part"), named)
    assert isinstance(value.error, LLMServiceError)
    assert value.error.status == 503
    assert "queue full" in str(value.error)


def test_error_event_with_unreadable_choices_is_still_the_error() -> None:
    value = decode(event({"error": {"message": "broke", "code": 500}, "choices": [3]}))
    assert "broke" in str(value.error)


@pytest.mark.parametrize(
    "junk",
    [
        b"data: {broken\n\n",
        b"data: 17\n\n",
        b"data: [1]\n\n",
        event({"choices": [3]}),
        event({"choices": 3}),
        event({"choices": [{"delta": 3}]}),
        event({"choices": [{"delta": {"content": 3}}]}),
        event({"choices": [{"delta": {"content": {"a": 1}}}]}),
        event({"choices": [{"delta": {"tool_calls": [None]}}]}),
        event({"choices": [{"delta": {"tool_calls": 3}}]}),
        event({"choices": [], "usage": [1]}),
        event({"choices": [], "x_groq": [1]}),
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
    ids=lambda junk: junk[6:46].decode().strip(),
)
def test_unreadable_event_is_a_service_error_after_what_came(junk: bytes) -> None:
    value = decode(delta(content="part"), junk, delta(content="more"), DONE)
    assert details(value.error) == {"error": "LLMServiceError", "status": 200, "retryable": False}
    assert value.text == "part"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "nothing"),
        (b": ping\n\n: ping\n\n", "nothing"),
        (b"<!doctype html>\n<title>Hi</title>\n", "an HTML page"),
        (b"Bad gateway", "something that is not JSON"),
        (b'{"status":\n "ok"}\n', "JSON without `choices`"),
    ],
    ids=["empty", "comments", "html", "text", "json"],
)
def test_200_that_is_no_stream_says_what_came(body: bytes, what: str) -> None:
    value = decode(body)
    assert isinstance(value.error, LLMServiceError)
    assert f"sent {what} instead of an answer" in str(value.error)


def test_whole_answer_where_a_stream_was_asked_is_read() -> None:
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    value = decode(json.dumps({"id": "x", "choices": [choice]}, indent=2).encode())
    assert (value.text, value.finish, value.id, value.error) == ("Hi", "stop", "x", None)


def test_whole_error_where_a_stream_was_asked_is_read() -> None:
    value = decode(b'{"error": {"message": "slow down", "type": "rate_limit_error"}}')
    assert isinstance(value.error, RateLimitError)


@pytest.mark.parametrize(
    ("usage", "figures"), [({"prompt_tokens": 1}, [1, 0, 1, None, None, None, None]), ([1], None)]
)
def test_whole_error_has_what_was_billed_and_the_id(
    usage: object, figures: list[float | None] | None
) -> None:
    body = {"id": "x", "error": {"message": "no", "code": 500}, "usage": usage}
    value = answer(OpenAIChat().decode(json.dumps(body).encode(), WHERE))
    assert isinstance(value.error, LLMServiceError)
    assert (value.id, value.usage) == ("x", figures)


def test_stream_where_a_whole_answer_was_asked_is_read() -> None:
    body = delta(content="Hi") + delta("stop")
    for whole in (body + DONE, body, b": ping\n\n" + body):
        value = answer(OpenAIChat().decode(whole, WHERE))
        assert (value.text, value.finish, value.error) == ("Hi", "stop", None)
    cut = answer(OpenAIChat().decode(delta(content="Hi"), WHERE))
    assert isinstance(cut.error, StreamInterruptedError)


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ([], "JSON without `choices`"),
        ("text", "JSON without `choices`"),
        ({}, "JSON without `choices`"),
        ({"choices": []}, "JSON without `choices`"),
        ({"choices": {}}, "JSON without `choices`"),
        ({"choices": [None], "usage": {"prompt_tokens": 1}}, "JSON without `choices`"),
        ({"choices": [{"message": {"content": 3}}]}, "JSON without `choices`"),
    ],
    ids=str,
)
def test_whole_200_that_is_no_answer_says_what_came(payload: object, what: str) -> None:
    value = answer(OpenAIChat().decode(json.dumps(payload).encode(), WHERE))
    assert f"sent {what} instead of an answer" in str(value.error)
    assert value.usage is None


def test_whole_answer_keeps_the_providers_json() -> None:
    payload = {"choices": [{"message": None, "finish_reason": "stop"}]}
    chunks = OpenAIChat().decode(json.dumps(payload).encode(), WHERE)
    assert [chunk.raw for chunk in chunks] == [payload]


def test_end_after_the_answer_is_done_adds_nothing() -> None:
    decoder = OpenAIChat().decoder(WHERE)
    decoder.feed(DONE + delta(content="late").rstrip())
    assert decoder.end() == []


def test_random_bytes_never_raise() -> None:
    source = random.Random(7)
    seeds = [
        delta(content="a"),
        DONE,
        event({"error": 3}),
        b"event: x\r\n",
        b"\xff\x00{",
        b"data: ",
    ]
    for _ in range(3000):
        parts = [bytearray(source.choice(seeds)) for _ in range(4)]
        for part in parts:
            part[source.randrange(len(part))] = source.randrange(256)
        decode(*map(bytes, parts))
        answer(OpenAIChat().decode(b"".join(parts), WHERE))

"""What an answer of Ollama may look like beyond the recordings (WIRE.md §6)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_client.dialects.ollama import Ollama
from llm_client.exceptions import ContextLengthError, LLMServiceError, StreamInterruptedError

from .answers import Answer, answer, check_cuts, check_splits, details, feed, target

WHERE = target("ollama")
DONE = b'{"done":true,"done_reason":"stop"}\n'


def line(**payload: Any) -> bytes:
    return json.dumps(payload).encode() + b"\n"


def message(**fields: Any) -> bytes:
    return line(message={"role": "assistant", **fields}, done=False)


def decode(*parts: bytes) -> Answer:
    return answer(feed(Ollama(), WHERE, parts))


def call(name: str, **fields: Any) -> dict[str, Any]:
    arguments = fields.pop("arguments", {})
    return {"function": {"name": name, "arguments": arguments, **fields}}


def test_stream_with_every_field_says_all_of_it() -> None:
    body = b"".join(
        [
            line(model="m", message={"content": "", "thinking": "hm"}, done=False),
            line(model="m", message={"content": "Grüße\u2028🌍"}, done=False),
            line(
                model="m",
                message={"content": "", "tool_calls": [call("f", arguments={"a": "ö"})]},
                done=False,
            ),
            line(model="m", done=True, done_reason="stop", prompt_eval_count=3, eval_count=4),
        ]
    )
    usage = [3, 4, 7, None, None, None, None]
    tools = [["call_0", "f", '{"a": "ö"}']]
    expected = Answer("Grüße\u2028🌍", "hm", tools, "tool_calls", usage, "m", None, None)
    assert decode(body) == expected
    check_splits(Ollama(), WHERE, body)
    check_cuts(Ollama(), WHERE, body, [b'"done": true'])


@pytest.mark.parametrize(
    "calls",
    [
        [[call("f", index=0)], [call("g", index=0)]],
        [[call("f"), call("g")]],
        [[call("f", index=1), call("g", index=0)]],
    ],
    ids=["index always 0", "no index", "any index"],
)
def test_tool_calls_decoded_are_one_each(calls: list[list[dict[str, Any]]]) -> None:
    value = decode(*(message(tool_calls=group) for group in calls), DONE)
    assert value.tools == [["call_0", "f", "{}"], ["call_1", "g", "{}"]]


@pytest.mark.parametrize(
    ("last", "finish", "usage"),
    [
        ({"done_reason": "length", "eval_count": 2}, "length", [0, 2, 2]),
        ({"done_reason": "", "prompt_eval_count": 2}, None, [2, 0, 2]),
        ({"done_reason": "load"}, "load", None),
        ({}, None, None),
    ],
    ids=str,
)
def test_last_line_decoded_has_reason_and_usage(
    last: dict[str, Any], finish: str | None, usage: list[int] | None
) -> None:
    value = decode(message(content="a"), line(done=True, **last))
    assert value.finish == finish
    assert (value.usage and value.usage[:3]) == usage


def test_model_is_the_one_of_any_line() -> None:
    assert decode(line(model="m", message={"content": "a"}), DONE).model == "m"
    assert decode(message(content="a"), line(model="m", done=True)).model == "m"


def test_lines_after_the_last_are_not_read() -> None:
    assert decode(message(content="a"), DONE + message(content="b") + b"garbage\n").text == "a"


def test_last_line_without_its_line_end_is_read() -> None:
    assert decode(message(content="a"), DONE.strip()).error is None


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        ("it broke", LLMServiceError, "it broke"),
        ('{"error":{"message":"in {braces}","type":"x"}}', LLMServiceError, "in {braces}"),
        (
            '{"error":{"type":"exceed_context_size_error","message":"too long","code":400}}',
            ContextLengthError,
            "too long",
        ),
        ("{not json", LLMServiceError, "{not json"),
        ({"message": "as an object"}, LLMServiceError, "as an object"),
    ],
    ids=["text", "json in the text", "code in the json", "broken json", "object"],
)
def test_error_line_in_mid_stream_ends_it(error: object, kind: type, text: str) -> None:
    value = decode(message(content="part"), line(error=error), DONE)
    assert type(value.error) is kind
    assert str(value.error).endswith(f": {text}")
    assert value.text == "part"


@pytest.mark.parametrize(
    "junk",
    [
        b"17\n",
        b"[]\n",
        b"{broken\n",
        line(message=3),
        line(message={"content": 3}),
        line(message={"thinking": [3]}),
        line(message={"tool_calls": 3}),
        line(message={"tool_calls": [3]}),
    ],
    ids=lambda junk: junk.decode().strip(),
)
def test_unreadable_line_is_a_service_error_after_what_came(junk: bytes) -> None:
    value = decode(message(content="part"), junk, DONE)
    assert details(value.error) == {"error": "LLMServiceError", "status": 200, "retryable": False}
    assert value.text == "part"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "nothing"),
        (b"\n\n", "nothing"),
        (b"<html>\n<p>Sign in\n", "an HTML page"),
        (b"<html>", "an HTML page"),
        (b"Bad gateway", "something that is not JSON"),
    ],
    ids=["empty", "blank", "html", "html without line end", "text"],
)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_200_that_is_no_answer_says_what_came(body: bytes, what: str, streamed: bool) -> None:
    value = decode(body) if streamed else answer(Ollama().decode(body, WHERE))
    assert isinstance(value.error, LLMServiceError)
    assert f"sent {what} instead of an answer" in str(value.error)


def test_whole_answer_over_several_lines_is_read() -> None:
    payload = {"message": {"content": "Hi"}, "done": True, "done_reason": "stop"}
    chunks = Ollama().decode(json.dumps(payload, indent=2).encode(), WHERE)
    assert answer(chunks).text == "Hi"
    assert chunks[-1].raw == payload


def test_stream_where_a_whole_answer_was_asked_is_read() -> None:
    body = message(content="H") + message(content="i") + DONE
    assert answer(Ollama().decode(body, WHERE)).text == "Hi"
    assert answer(Ollama().decode(body.strip(), WHERE)).text == "Hi"


def test_whole_error_with_status_200_is_the_error() -> None:
    value = answer(Ollama().decode(line(error="no"), WHERE))
    assert str(value.error) == "ollama failed: no"


def test_whole_answer_that_is_not_done_is_interrupted() -> None:
    value = answer(Ollama().decode(message(content="Hi"), WHERE))
    assert isinstance(value.error, StreamInterruptedError)
    assert value.text == "Hi"


def test_end_after_the_answer_is_done_adds_nothing() -> None:
    decoder = Ollama().decoder(WHERE)
    decoder.feed(DONE + message(content="late").rstrip())
    assert decoder.end() == []


def test_random_bytes_never_raise() -> None:
    source = random.Random(7)
    seeds = [message(content="a"), DONE, line(error=3), message(tool_calls=[call("f")]), b"\xff{"]
    for _ in range(3000):
        parts = [bytearray(source.choice(seeds)) for _ in range(4)]
        for part in parts:
            part[source.randrange(len(part))] = source.randrange(256)
        decode(*map(bytes, parts))
        answer(Ollama().decode(b"".join(parts), WHERE))


@pytest.mark.parametrize(
    "count",
    ["many", [], {}, -1, 1e400, None],
    ids=["text", "list", "object", "less", "inf", "null"],
)
def test_answer_whose_usage_is_no_number_is_not_lost(count: object) -> None:
    value = decode(message(content="all"), line(done=True, done_reason="stop", eval_count=count))

    assert (value.text, value.finish, value.usage, value.error) == ("all", "stop", None, None)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"id": 7, "function": {"name": "f", "arguments": {}}}, ["7", "f", "{}"]),
        ({"id": {}, "function": {"name": ["f"]}}, ["call_0", "", "{}"]),
        ({"function": {"name": "f", "arguments": '{"x": 1}'}}, ["call_0", "f", '{"x": 1}']),
    ],
    ids=["number-as-id", "no-texts", "arguments-as-text"],
)
def test_call_of_another_kind_of_server_is_read(call: object, expected: list[str]) -> None:
    value = decode(message(tool_calls=[call]), DONE)

    assert value.tools == [expected]


def test_halves_of_a_character_are_joined_or_replaced() -> None:
    value = decode(
        message(content="a\ud83c"),
        message(content="\udf0d", thinking="\ud83c"),
        message(content="\ud83c"),
        DONE,
    )

    assert (value.text, value.reasoning) == ("a\U0001f30d\ufffd", "\ufffd")

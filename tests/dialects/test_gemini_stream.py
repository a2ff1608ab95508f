"""What answers of the Gemini API can hold besides what was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.gemini import Gemini, GeminiDecoder
from llm_client.exceptions import (
    ContentFilterError,
    GenerationError,
    InvalidOutputError,
    LLMServiceError,
    StreamInterruptedError,
)
from llm_client.types.content import ProviderState
from llm_client.types.response import StreamChunk, fold

from .answers import Answer, answer, check_cuts, check_splits, details, feed, target

GEMINI = target("gemini")
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}


def chunk(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "R1", "modelVersion": "m-1", **fields}


def stream(*payloads: object) -> bytes:
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(payload).encode() for payload in payloads)


def streamed(*payloads: object) -> list[StreamChunk]:
    return feed(Gemini(), GEMINI, [stream(*payloads)])


def whole(payload: object) -> list[StreamChunk]:
    return Gemini().decode(json.dumps(payload).encode(), GEMINI)


def both(payload: dict[str, Any]) -> list[Answer]:
    return [answer(streamed(payload)), answer(whole(payload))]


def call(name: str, **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **fields}}


def test_thought_parts_are_reasoning() -> None:
    chunks = streamed(
        chunk({"text": "Let me ", "thought": True}),
        chunk({"text": "see.", "thought": True}, {"text": "It "}),
        chunk({"text": "is 4."}, finish="STOP"),
    )
    assert [(c.reasoning, c.delta) for c in chunks[:-1]] == [
        ("Let me ", ""),
        ("see.", ""),
        ("", "It "),
        ("", "is 4."),
    ]
    assert chunks[-1].provider_state is None


def test_calls_over_chunks_are_counted_on_and_ids_made_where_absent() -> None:
    value = answer(
        streamed(
            chunk(call("a", args={"x": 1}), call("b", id="own", args={"y": "ü"})),
            chunk(call("a", args={"x": 2}), call("c"), finish="STOP"),
        )
    )
    assert value.tools == [
        ["call_R1_0", "a", '{"x": 1}'],
        ["own", "b", '{"y": "ü"}'],
        ["call_R1_2", "a", '{"x": 2}'],
        ["call_R1_3", "c", "{}"],
    ]
    assert value.finish == "tool_calls"


def test_call_in_an_answer_without_an_id_gets_one_by_its_position() -> None:
    payload = chunk(call("a"), finish="STOP")
    del payload["responseId"]
    assert [value.tools for value in both(payload)] == [[["call_0", "a", "{}"]]] * 2


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("LANGUAGE", "language"),
        ("OTHER", "other"),
    ],
)
def test_finish_reason_becomes_ours(reason: str, finish: str) -> None:
    for value in both(chunk({"text": "x"}, finish=reason)):
        assert (value.text, value.finish, value.error) == ("x", finish, None)


def test_safety_with_empty_content_is_an_answer_of_nothing() -> None:
    payload = {"candidates": [{"content": {}, "finishReason": "SAFETY"}], "usageMetadata": USAGE}
    for value in both(payload):
        assert (value.text, value.finish, value.error) == ("", "content_filter", None)
        assert value.usage == [5, 2, 7, None, None, None, None]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("MALFORMED_FUNCTION_CALL", InvalidOutputError),
        ("MALFORMED_RESPONSE", InvalidOutputError),
        ("UNEXPECTED_TOOL_CALL", InvalidOutputError),
        ("MISSING_THOUGHT_SIGNATURE", GenerationError),
        ("TOO_MANY_TOOL_CALLS", GenerationError),
    ],
)
def test_reason_that_is_a_failure_is_an_error_with_the_usage(
    reason: str, kind: type[GenerationError]
) -> None:
    payload = chunk({"text": "so "}, finish=reason, usageMetadata=USAGE)
    payload["candidates"][0]["finishMessage"] = "call: weather(city="
    for value in both(payload):
        assert type(value.error) is kind
        assert reason in str(value.error)
        assert "weather(city=" in str(value.error)
        assert (value.text, value.id) == ("so ", "R1")
        assert value.usage is not None
    del payload["candidates"][0]["finishMessage"]
    assert str(both(payload)[0].error).endswith(f"ended with {reason}.")


def test_blocked_prompt_is_a_content_filter_error_with_the_usage() -> None:
    payload = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        "modelVersion": "m-1",
    }
    for value in both(payload):
        assert isinstance(value.error, ContentFilterError)
        assert "blocked the prompt (PROHIBITED_CONTENT)." in str(value.error)
        assert value.usage == [9, 0, 9, None, None, None, None]
    payload["promptFeedback"] = {"blockReason": "OTHER", "blockReasonMessage": "Not now."}
    assert "(OTHER). Not now." in str(both(payload)[0].error)


def test_prompt_feedback_beside_an_answer_is_no_block() -> None:
    feedback = {"safetyRatings": [{"category": "X", "probability": "LOW"}]}
    for value in both(chunk({"text": "x"}, finish="STOP", promptFeedback=feedback)):
        assert (value.text, value.error) == ("x", None)


def test_usage_counts_the_cache_the_tools_and_the_thoughts() -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 64,
        "toolUsePromptTokenCount": 20,
        "candidatesTokenCount": 8,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 158,
    }
    for value in both(chunk({"text": "x"}, finish="STOP", usageMetadata=usage)):
        assert value.usage == [120, 38, 158, 64, None, 30, None]


def test_usage_is_the_last_one_and_never_a_sum() -> None:
    value = answer(
        streamed(
            chunk({"text": "a"}, usageMetadata={"promptTokenCount": 4, "totalTokenCount": 4}),
            chunk({"text": "b"}, usageMetadata=USAGE),
            chunk(finish="STOP", usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 3}),
        )
    )
    assert value.usage == [5, 3, 8, None, None, None, None]


@pytest.mark.parametrize("count", [None, "12", -1, [3]], ids=["null", "text", "negative", "list"])
def test_count_that_is_no_number_is_left_out(count: object) -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1, "cachedContentTokenCount": count}
    for value in both(chunk({"text": "x"}, finish="STOP", usageMetadata=usage)):
        assert value.usage == [3, 1, 4, None, None, None, None]


def test_second_candidate_is_not_read() -> None:
    payload = chunk({"text": "first"}, finish="STOP")
    payload["candidates"].append({"content": {"parts": [{"text": "second"}]}, "index": 1})
    assert [value.text for value in both(payload)] == ["first", "first"]


def test_failure_is_told_once_though_another_candidate_follows() -> None:
    failed = {"finishReason": "MALFORMED_RESPONSE"}
    for value in both({"candidates": [failed, failed]}):
        assert isinstance(value.error, InvalidOutputError)


def test_parts_without_words_of_ours_are_kept_in_the_state() -> None:
    parts: list[dict[str, Any]] = [
        {"executableCode": {"language": "PYTHON", "code": "print(2)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"text": "It is 2."},
    ]
    for chunks in (streamed(chunk(*parts, finish="STOP")), whole(chunk(*parts, finish="STOP"))):
        response = fold(chunks)
        assert response.content == "It is 2."
        assert response.provider_state == ProviderState("gemini", "gemini", tuple(parts))


def test_state_joins_pieces_of_a_text_but_never_a_signed_part() -> None:
    response = fold(
        streamed(
            chunk({"text": "I th", "thought": True}),
            chunk({"text": "ink \ud83c", "thought": True}),
            chunk({"text": "\udf0d", "thought": True}),
            chunk({"text": "It is "}),
            chunk({"text": "four"}),
            chunk({"text": ".", "thoughtSignature": "c2ln"}),
            chunk({"text": "Bye"}),
            chunk({"text": ""}, finish="STOP"),
        )
    )
    assert response.content == "It is four.Bye"
    assert response.reasoning == "I think 🌍"
    state = response.provider_state
    assert state is not None
    assert state.items == (
        {"text": "I think 🌍", "thought": True},
        {"text": "It is four"},
        {"text": ".", "thoughtSignature": "c2ln"},
        {"text": "Bye"},
    )


def test_signature_in_an_empty_text_part_is_kept() -> None:
    """A stream without calls ends with it (thought signatures, FAQ 3)."""
    last = {"text": "", "thoughtSignature": "c2ln"}
    state = fold(streamed(chunk({"text": "Hi"}), chunk(last, finish="STOP"))).provider_state
    assert state is not None
    assert state.items == ({"text": "Hi"}, last)


def test_whole_answer_has_its_json_and_a_streamed_one_none() -> None:
    payload = chunk({"text": "x"}, finish="STOP")
    assert whole(payload)[-1].raw == payload
    assert whole([payload])[-1].raw == [payload]
    assert streamed(payload)[-1].raw is None


def test_whole_answer_without_a_reason_is_an_answer() -> None:
    value = answer(whole(chunk({"text": "x"})))
    assert (value.text, value.finish, value.error) == ("x", None, None)


@pytest.mark.parametrize("unset", [None, "", "FINISH_REASON_UNSPECIFIED"])
def test_stream_without_a_reason_is_interrupted(unset: str | None) -> None:
    payload = chunk({"text": "x"})
    payload["candidates"][0]["finishReason"] = unset
    value = answer(streamed(payload))
    assert isinstance(value.error, StreamInterruptedError)
    assert value.text == "x"


def test_usage_after_the_reason_still_counts() -> None:
    value = answer(streamed(chunk({"text": "x"}, finish="STOP"), {"usageMetadata": USAGE}))
    assert (value.usage, value.error) == ([5, 2, 7, None, None, None, None], None)


def test_done_marker_of_a_proxy_ends_the_stream() -> None:
    body = stream(chunk({"text": "x"}, finish="STOP")) + b"data: [DONE]\n\n"
    decoder = Gemini().decoder(GEMINI)
    assert isinstance(decoder, GeminiDecoder)
    assert decoder.feed(body)[-1].is_done
    assert decoder.done


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        {"candidates": []},
        {"candidates": [{"content": {"parts": [{"text": 5}]}}]},
        {"candidates": [{"content": {"parts": ["text"]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]},
        {"candidates": [7]},
        {"candidates": 7},
        {"models": []},
        ["text"],
        "text",
        3,
    ],
    ids=json.dumps,
)
def test_whole_json_that_is_no_answer_says_so(payload: object) -> None:
    value = answer(whole(payload))
    assert isinstance(value.error, LLMServiceError)
    assert "JSON without `candidates`" in str(value.error)
    assert value.text == ""


@pytest.mark.parametrize(
    "payload",
    [
        {"candidates": [{"content": {"parts": [{"text": {"a": 1}}]}}]},
        {"candidates": [{"content": "text"}]},
        {"candidates": {"index": 0}},
    ],
    ids=json.dumps,
)
def test_event_that_cannot_be_read_ends_the_stream(payload: object) -> None:
    value = answer(streamed(chunk({"text": "x"}), payload))
    assert isinstance(value.error, LLMServiceError)
    assert "an event that cannot be read" in str(value.error)
    assert value.text == "x"


OVERLOADED = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "in-a-list"])
@pytest.mark.parametrize("where", ["first", "later"])
def test_error_between_the_events_of_a_stream_is_that_error(where: str, wrapped: bool) -> None:
    """Without `data:`, over several lines (python-genai 3.4 reads it so too)."""
    error: object = {"error": OVERLOADED}
    text = json.dumps([error] if wrapped else error, indent=2).replace("\n", "\r\n").encode()
    before = stream(chunk({"text": "x"})) if where == "later" else b""
    value = answer(feed(Gemini(), GEMINI, [before + text + b"\r\n"]))
    assert isinstance(value.error, LLMServiceError)
    assert (value.error.status, value.error.retryable) == (503, True)
    assert "The model is overloaded." in str(value.error)
    assert value.text == ("x" if before else "")


def test_error_in_an_event_ends_the_stream_with_what_came() -> None:
    value = answer(streamed(chunk({"text": "x"}), {"error": OVERLOADED}))
    assert details(value.error)["error"] == "LLMServiceError"
    assert (value.text, value.id) == ("x", "R1")


def test_made_up_stream_split_and_cut_anywhere_keeps_its_promises() -> None:
    body = stream(
        chunk({"text": "Hm\u2028 \u0085", "thought": True}),
        chunk({"text": "Grüße 🌍\n"}, usageMetadata=USAGE),
        chunk({"text": "", "thoughtSignature": "c2ln"}, finish="STOP", usageMetadata=USAGE),
    )
    check_splits(Gemini(), GEMINI, body)
    check_cuts(Gemini(), GEMINI, body, [b'"finishReason": "STOP"'])


def test_long_answer_is_joined_once() -> None:
    """A quadratic join of the state's text would take minutes here."""
    piece = {"text": "0123456789"}
    body = stream(
        *[chunk(piece)] * 30_000, chunk({"text": "", "thoughtSignature": "s"}, finish="STOP")
    )
    state = fold(feed(Gemini(), GEMINI, [body])).provider_state
    assert state is not None
    assert len(state.items) == 2
    assert len(state.items[0]["text"]) == 300_000

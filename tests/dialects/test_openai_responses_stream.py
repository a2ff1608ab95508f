"""Answers of OpenAI Responses that no recording has: refusals, failures, what servers leave out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.openai_responses import OpenAIResponses
from llm_client.exceptions import (
    ContentFilterError,
    LLMError,
    LLMServiceError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    ValidationError,
)
from llm_client.types.content import ProviderState

from .answers import Answer, answer, feed, target

OPENAI = target("openai", model="gpt-5.5")
Event = dict[str, Any]
CREATED: Event = {
    "type": "response.created",
    "response": {"id": "resp_1", "model": "gpt-5.5-2026-04-23", "status": "in_progress"},
}
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 17,
}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "secret",
}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi!", "annotations": []}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"at":1}',
}


def event(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **fields}


def text(delta: str, index: int = 0) -> Event:
    return event("output_text.delta", delta=delta, output_index=index, content_index=0)


def arguments(delta: str, index: int) -> Event:
    return event("function_call_arguments.delta", delta=delta, output_index=index)


def added(item: Event, index: int) -> Event:
    return event("output_item.added", output_index=index, item={**item, "arguments": ""})


def done(item: Event, index: int) -> Event:
    return event("output_item.done", output_index=index, item=item)


def completed(*output: Event, **fields: Any) -> Event:
    response = {"status": "completed", "output": [*output], "usage": USAGE, **fields}
    return event(f"{response['status']}", response=response)


def stream(*events: Event, end: bytes = b"") -> bytes:
    lines = (f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in (CREATED, *events))
    return b"".join(lines) + end


def decoded(*events: Event, end: bytes = b"") -> Answer:
    return answer(feed(OpenAIResponses(), OPENAI, [stream(*events, end=end)]))


def state(*events: Event) -> ProviderState | None:
    *_, last = feed(OpenAIResponses(), OPENAI, [stream(*events)])
    assert last.is_done
    return last.provider_state


def whole(**fields: Any) -> Answer:
    body = {"id": "resp_1", "object": "response", "model": "gpt-5.5", "usage": USAGE, **fields}
    return answer(OpenAIResponses().decode(json.dumps(body).encode(), OPENAI))


def test_usage_reported_has_cached_and_reasoning_tokens() -> None:
    value = decoded(text("Hi"), completed())
    assert value.usage == [10, 7, 17, 4, 2, 5, None]
    assert (value.id, value.model, value.finish) == ("resp_1", "gpt-5.5-2026-04-23", "stop")


def test_cost_reported_by_a_router_is_kept() -> None:
    value = decoded(text("Hi"), completed(usage={**USAGE, "cost": 0.25, "total_tokens": None}))
    assert value.usage == [10, 7, 17, 4, 2, 5, 0.25]


def test_usage_in_words_is_not_taken_for_numbers() -> None:
    usage = {"input_tokens": "many", "output_tokens": 7.0, "input_tokens_details": None}
    assert decoded(text("Hi"), completed(usage=usage)).usage == [0, 7, 7, None, None, None, None]


def test_refusal_streamed_is_the_text() -> None:
    value = decoded(event("refusal.delta", delta="I cannot.", output_index=0), completed())
    assert (value.text, value.finish) == ("I cannot.", "refusal")


def test_refusal_in_a_whole_answer_is_the_text() -> None:
    item = {**MESSAGE, "content": [{"type": "refusal", "refusal": "I cannot."}]}
    value = whole(output=[item], status="completed")
    assert (value.text, value.finish) == ("I cannot.", "refusal")


def test_parallel_calls_interleaved_keep_their_arguments_apart() -> None:
    other = {**CALL, "id": "fc_2", "call_id": "call_2", "name": "go", "arguments": "{}"}
    value = decoded(
        added(CALL, 1),
        added(other, 2),
        arguments('{"at"', 1),
        arguments("{", 2),
        arguments(":1}", 1),
        arguments("}", 2),
        done(CALL, 1),
        done(other, 2),
        completed(CALL, other),
    )
    assert value.tools == [["call_1", "look", '{"at":1}'], ["call_2", "go", "{}"]]
    assert value.finish == "tool_calls"


def test_calls_that_all_have_index_0_are_told_apart_by_their_ids() -> None:
    other = {**CALL, "id": "fc_2", "call_id": "call_2"}
    value = decoded(
        added(CALL, 0), arguments('{"at":1}', 0), added(other, 0), arguments("{}", 0), completed()
    )
    assert value.tools == [["call_1", "look", '{"at":1}'], ["call_2", "look", "{}"]]


def test_item_that_is_done_without_an_id_belongs_to_its_call() -> None:
    nameless = {"type": "function_call", "arguments": '{"at":1}'}
    value = decoded(added(CALL, 0), done(nameless, 0), completed())
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_item_ids_that_change_between_events_do_not_matter() -> None:
    value = decoded(
        added(CALL, 0), arguments('{"at":1}', 0), done({**CALL, "id": "other"}, 0), completed()
    )
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_arguments_before_their_item_wait_for_its_name() -> None:
    value = decoded(arguments('{"at":1}', 0), done(CALL, 0), completed(CALL))
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_item_without_deltas_is_read_when_it_is_done() -> None:
    value = decoded(done(REASONING, 0), done(MESSAGE, 1), done(CALL, 2), completed())
    assert (value.reasoning, value.text) == ("Hm.", "Hi!")
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_answer_that_is_only_in_the_last_event_is_read_from_it() -> None:
    value = decoded(completed(REASONING, MESSAGE, CALL))
    assert (value.reasoning, value.text) == ("Hm.", "Hi!")
    assert value.tools == [["call_1", "look", '{"at":1}']]


def test_item_with_deltas_is_not_told_twice() -> None:
    value = decoded(
        event("reasoning_summary_text.delta", delta="Hm.", output_index=0, summary_index=0),
        done(REASONING, 0),
        text("Hi!", 1),
        done(MESSAGE, 1),
        completed(REASONING, MESSAGE),
    )
    assert (value.reasoning, value.text) == ("Hm.", "Hi!")


@pytest.mark.parametrize("kind", ["reasoning_text.delta", "reasoning.delta"])
def test_reasoning_in_the_open_is_reasoning(kind: str) -> None:
    value = decoded(event(kind, delta="Hm.", output_index=0, content_index=0), completed())
    assert value.reasoning == "Hm."


def test_reasoning_sent_as_summary_and_as_text_is_told_once() -> None:
    value = decoded(
        event("reasoning_text.delta", delta="Long.", output_index=0, content_index=0),
        event("reasoning_summary_text.delta", delta="Short.", output_index=0, summary_index=0),
        completed(),
    )
    assert value.reasoning == "Long."


def test_reasoning_of_a_whole_answer_in_the_open_is_read() -> None:
    item = {"type": "reasoning", "summary": [], "content": [{"text": "Hm."}, {"text": "Ah."}]}
    assert whole(output=[item, MESSAGE]).reasoning == "Hm.\n\nAh."


def test_summary_parts_streamed_are_paragraphs() -> None:
    pieces = [("A", 0, 0), ("B", 0, 0), ("C", 0, 1), ("D", 2, 0)]
    deltas = [
        event("reasoning_summary_text.delta", delta=piece, output_index=index, summary_index=part)
        for piece, index, part in pieces
    ]
    assert decoded(*deltas, completed()).reasoning == "AB\n\nC\n\nD"


@pytest.mark.parametrize(
    ("status", "reason", "finish"),
    [
        pytest.param("incomplete", "max_output_tokens", "length", id="length"),
        pytest.param("incomplete", "content_filter", "content_filter", id="filter"),
        pytest.param("incomplete", "max_tool_calls", "max_tool_calls", id="own-word"),
        pytest.param("incomplete", None, "incomplete", id="no-reason"),
        pytest.param("completed", None, "stop", id="completed"),
    ],
)
def test_end_of_an_answer_says_why(status: str, reason: str | None, finish: str) -> None:
    end = {"status": status, "incomplete_details": {"reason": reason} if reason else None}
    assert decoded(text("Hi"), completed(**end)).finish == finish
    assert whole(output=[MESSAGE], **end).finish == finish


def test_answer_still_in_the_background_says_so() -> None:
    assert whole(output=[], status="queued").finish == "queued"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param("rate_limit_exceeded", RateLimitError, id="rate"),
        pytest.param("insufficient_quota", QuotaExceededError, id="quota"),
        pytest.param("server_error", LLMServiceError, id="server"),
        pytest.param("invalid_prompt", ValidationError, id="prompt"),
        pytest.param("image_too_large", ValidationError, id="image"),
        pytest.param("bio_policy", ContentFilterError, id="policy"),
    ],
)
def test_failed_answer_is_an_error_of_its_class(code: str, kind: type[LLMError]) -> None:
    error = {"code": code, "message": "It went wrong."}
    failed = event("failed", response={"status": "failed", "error": error, "usage": USAGE})
    streamed = decoded(text("Hi"), failed)
    assert type(streamed.error) is kind
    assert "It went wrong." in str(streamed.error)
    assert (streamed.text, streamed.usage) == ("Hi", [10, 7, 17, 4, 2, 5, None])
    at_once = whole(status="failed", error=error, output=[])
    assert type(at_once.error) is kind
    assert at_once.usage == [10, 7, 17, 4, 2, 5, None]


def test_failed_answer_without_an_error_is_a_fault_of_the_service() -> None:
    value = decoded(event("failed", response={"status": "failed", "error": None}))
    assert type(value.error) is LLMServiceError
    assert "does not say why" in str(value.error)
    value = whole(status="failed", output=[], error=None)
    assert type(value.error) is LLMServiceError


def test_failed_whole_answer_with_unreadable_details_is_still_its_error() -> None:
    value = whole(error={"message": "It went wrong."}, usage=["?"])
    assert "It went wrong." in str(value.error)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"code": "rate_limit_exceeded", "message": "Slow down."}, id="flat"),
        pytest.param(
            {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}, id="nested"
        ),
    ],
)
def test_error_event_ends_the_stream(payload: Event) -> None:
    value = decoded(text("Hi"), {"type": "error", "sequence_number": 3, **payload}, text("more"))
    assert type(value.error) is RateLimitError
    assert "Slow down." in str(value.error)
    assert value.text == "Hi"


def test_router_without_event_lines_but_with_comments_is_read() -> None:
    events = (CREATED, text("Hi!"), completed(MESSAGE))
    body = b": OPENROUTER PROCESSING\n\n" + b"".join(
        f"data: {json.dumps(payload)}\n\n".encode() for payload in events
    )
    value = answer(feed(OpenAIResponses(), OPENAI, [body, b"data: [DONE]\n\n"]))
    assert (value.text, value.finish) == ("Hi!", "stop")


def test_type_that_is_only_in_the_event_line_is_read() -> None:
    body = b'event: response.output_text.delta\ndata: {"delta": "Hi!", "output_index": 0}\n\n'
    end = f"event: response.completed\ndata: {json.dumps({'response': {'output': []}})}\n\n"
    value = answer(feed(OpenAIResponses(), OPENAI, [body, end.encode()]))
    assert (value.text, value.finish) == ("Hi!", "stop")


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n", b'data: {"type": "resp'])
def test_stream_that_ends_before_its_last_event_is_cut(end: bytes) -> None:
    value = decoded(text("Hi"), end=end)
    assert type(value.error) is StreamInterruptedError
    assert value.text == "Hi"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(event("output_text.delta", output_index=0), id="no-delta"),
        pytest.param(event("output_text.delta", delta=3, output_index=0), id="no-text"),
        pytest.param(event("output_item.done", output_index=0, item="?"), id="no-item"),
        pytest.param(event("completed", response={"output": 3}), id="no-output"),
    ],
)
def test_event_that_cannot_be_read_is_a_fault_of_the_service(payload: Event) -> None:
    value = decoded(payload)
    assert type(value.error) is LLMServiceError
    assert "cannot be read" in str(value.error)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="none"),
        pytest.param({"output": None}, id="null"),
        pytest.param({"output": "Hi!"}, id="text"),
    ],
)
def test_whole_answer_without_output_is_no_answer(fields: Event) -> None:
    value = whole(**fields)
    assert type(value.error) is LLMServiceError
    assert "JSON without `output`" in str(value.error)


def test_events_of_other_kinds_are_passed_over() -> None:
    value = decoded(
        event("queued", response={"id": "resp_1"}),
        event("web_search_call.searching", output_index=0, item_id="ws_1"),
        event("output_text.annotation.added", annotation={"type": "url_citation"}),
        {**text("Hi!", 1), "obfuscation": "x7Gh"},
        {"type": "keepalive"},
        done({"type": "web_search_call", "id": "ws_1"}, 0),
        completed(),
    )
    assert (value.text, value.error) == ("Hi!", None)


def test_emoji_cut_in_two_is_joined() -> None:
    value = decoded(text("\ud83c"), text("\udf0d"), completed())
    assert value.text == "\U0001f30d"


def test_state_holds_every_item_in_order() -> None:
    assert state(done(REASONING, 0), done(MESSAGE, 1), done(CALL, 2), completed()) == ProviderState(
        "openai", "openai-responses", (REASONING, MESSAGE, CALL)
    )


def test_state_of_a_server_that_sends_deltas_only_is_its_last_output() -> None:
    found = state(text("Hi!", 1), completed(REASONING, MESSAGE))
    assert found is not None
    assert found.items == (REASONING, MESSAGE)


@pytest.mark.parametrize(
    ("item", "is_kept"),
    [
        pytest.param(MESSAGE, False, id="message"),
        pytest.param(CALL, False, id="call"),
        pytest.param({**MESSAGE, "phase": "commentary"}, True, id="phase"),
        pytest.param({**MESSAGE, "phase": None}, False, id="no-phase"),
        pytest.param({"type": "reasoning", "id": "rs_1", "summary": []}, True, id="id"),
        pytest.param({"type": "reasoning", "summary": []}, False, id="nothing"),
    ],
)
def test_state_is_kept_only_for_what_must_go_back(item: Event, is_kept: bool) -> None:
    assert (state(done(item, 0), completed()) is not None) is is_kept


def test_state_of_an_answer_that_was_cut_is_not_kept() -> None:
    cut = completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert state(done(REASONING, 0), cut) is None

"""As `test_mutations.py`, of Anthropic and Gemini, whose answers are made of blocks and parts.

Besides the recordings there are answers with signed thinking, tools of the provider and citations;
and what they leave for the way back (`provider_state`) is changed too, as a hand-edited session is.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from llm_client.dialects import find_dialect
from llm_client.dialects.base import ListsModels
from llm_client.exceptions import LLMError, ValidationError
from llm_client.types.http import Head
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import fold

from ..support.recordings import needs_recordings
from .answers import answer, expected, feed, recording, target
from .histories import OPAQUE, Place, answered, named
from .mutations import mutated, mutated_answer
from .test_anthropic_stream import RICH as ANTHROPIC_STREAM
from .test_mutations import check_chunk, check_way_back
from .test_mutations_chat import check_models

RUNS = 1500
LARGEST = 20_000
"""Bytes of a recording: in a longer one there is more of the same."""
BLOCKS: dict[str, Any] = {
    "id": "msg_1",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "text", "text": "Yes", "citations": [{"url": "u"}]},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "tool_use", "id": "t", "name": "now", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 3,
        "cache_read_input_tokens": 2,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 1},
    },
}
PARTS: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True},
                    {"text": "Yes", "thoughtSignature": "s"},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"functionCall": {"id": "c", "name": "now", "args": {"a": 1}}},
                ],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "promptFeedback": {"safetyRatings": []},
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8},
    "modelVersion": "gemini",
    "responseId": "r",
}


def part_by_part() -> bytes:
    """Return the answer of Gemini as a stream."""
    candidate = PARTS["candidates"][0]
    *parts, last = ({"parts": [part]} for part in candidate["content"]["parts"])
    events = [{"candidates": [{"content": content}], "responseId": "r"} for content in parts]
    events.append({**PARTS, "candidates": [{**candidate, "content": last}]})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


RICH: dict[str, tuple[bytes, dict[str, Any]]] = {
    "anthropic": (ANTHROPIC_STREAM, BLOCKS),
    "gemini": (part_by_part(), PARTS),
}


@needs_recordings
@pytest.mark.parametrize("name", RICH)
def test_answer_with_wrong_values_is_an_answer_or_an_error(name: str) -> None:
    source, dialect, where = Random(7), find_dialect(name), target(name)
    recordings = [recording(row) for row in expected(name)["answers"]]
    sources = [(good.body, good.streamed) for good in recordings if len(good.body) < LARGEST]
    stream, whole = RICH[name]
    sources += [(stream, True), (json.dumps(whole).encode(), False)] * (len(sources) // 4)
    answers = 0
    for _ in range(RUNS):
        good, streamed = source.choice(sources)
        body = mutated_answer(good, source, streamed=streamed)
        chunks = feed(dialect, where, [body]) if streamed else dialect.decode(body, where)
        for chunk in chunks:
            check_chunk(chunk)
        if answer(chunks).error is not None:
            continue
        answers += 1
        # Cut arguments are told to the caller; some dialects refuse them on the way back.
        message = fold(chunks).message
        if all(call.arguments.endswith("}") for call in message.tool_calls):
            check_way_back(chunks, where)
    # Else nothing was tried but the reading of what is no answer at all.
    assert 0.2 * RUNS < answers < RUNS


@pytest.mark.parametrize("maker", sorted(OPAQUE), ids=named)
def test_state_with_wrong_values_is_sent_refused_or_dropped(maker: Place) -> None:
    source, dialect, where = Random(7), find_dialect(maker.dialect), maker.target
    good = answered(maker).to_dict()
    kept = 0
    for _ in range(RUNS):
        state = mutated(mutated(good["provider_state"], source), source)
        try:
            message = Message.parse({**good, "provider_state": state})
            request = LLMRequest((Message("user", "a"), message, Message("user", "b")))
            body = dialect.encode(request, where).body or b""
        except ValidationError:
            continue
        kept += 1
        assert "I look it up." in body.decode()
    assert 0.2 * RUNS < kept <= RUNS


MODELS: dict[str, Any] = {
    "anthropic": {
        "data": [
            {
                "id": "a",
                "display_name": "A",
                "created_at": "2026-02-04T00:00:00Z",
                "max_input_tokens": 8,
                "max_tokens": 4,
                "capabilities": {"thinking": {"supported": True}},
                "retires_at": "2027-01-01",
            }
        ],
        "has_more": True,
        "last_id": "a",
    },
    "gemini": {
        "models": [
            {
                "name": "models/a",
                "displayName": "A",
                "inputTokenLimit": 8,
                "outputTokenLimit": 4,
                "supportedGenerationMethods": ["generateContent"],
                "thinking": True,
            }
        ],
        "nextPageToken": "more",
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_model_list_with_wrong_values_is_a_list_or_an_error(name: str) -> None:
    source, dialect, where = Random(7), find_dialect(name), target(name)
    assert isinstance(dialect, ListsModels)
    for _ in range(RUNS):
        value = mutated(mutated(MODELS[name], source), source)
        try:
            page = dialect.decode_models(json.dumps(value).encode(), where)
        except LLMError:
            continue
        assert isinstance(page.next, str | None)
        dialect.encode_models(where, page.next)
        check_models(page.models)


@needs_recordings
@pytest.mark.parametrize("name", RICH)
def test_recorded_error_with_wrong_values_is_still_an_error(name: str) -> None:
    source, dialect, where = Random(7), find_dialect(name), target(name)
    rows = [recording(row) for row in expected(name)["errors"]]
    bodies = [json.loads(row.body) for row in rows if row.body[:1] in b"[{"]
    for _ in range(RUNS):
        value = mutated(mutated(source.choice(bodies), source), source)
        error = dialect.error(Head(400, {}), json.dumps(value).encode(), where)
        assert (error.provider, error.status) == (name, 400)
        last = dialect.decode(json.dumps(value).encode(), where)[-1]
        assert last.error is not None or last.is_done


@pytest.mark.parametrize("name", RICH)
@pytest.mark.parametrize(
    "body", [b" data: {}", b"\n\n : x", b"\xef\xbb\xbf data: 1", b" event: x\n\n"], ids=repr
)
def test_stream_whose_lines_are_indented_is_no_answer(name: str, body: bytes) -> None:
    dialect, where = find_dialect(name), target(name)
    for chunks in (feed(dialect, where, [body]), dialect.decode(body, where)):
        assert "instead of an answer" in str(answer(chunks).error)

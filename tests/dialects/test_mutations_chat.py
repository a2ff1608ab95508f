"""As `test_mutations.py`, of OpenAI Chat and Ollama: wrong values never raise.

Besides the recordings there are answers made by hand of what only some providers send: thinking in
lists and details, tool calls in every form, opaque fields.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from llm_client.dialects.ollama import Ollama
from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.dialects.openai_models_list import decode_models, encode_models
from llm_client.exceptions import LLMError

from ..support.recordings import needs_recordings
from .answers import answer, expected, feed, recording, target
from .mutations import mutated, mutated_answer
from .test_mutations import check_chunk, check_way_back

RUNS = 1500
LARGEST = 20_000
"""Bytes of a recording: in a longer one there is more of the same."""
DELTAS: list[dict[str, Any]] = [
    {"role": "assistant", "content": None, "reasoning": "Well."},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "So"}]}]},
    {"content": [{"type": "thinking", "thinking": "so.", "signature": "s"}]},
    {"content": "<think>no</think>", "refusal": None},
    {"content": "Yes", "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]},
    {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b", "id": "r"}]},
    {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "c"}]},
    {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
    {"tool_calls": [{"id": "b", "function": {"name": "g"}, "extra_content": {"google": {"k": 1}}}]},
    {"content": "!", "extra_content": {"google": {"thought_signature": "t"}}},
]
USAGE: dict[str, Any] = {
    "prompt_tokens": 5,
    "completion_tokens": 6,
    "total_tokens": 11,
    "cost": 0.5,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def streamed_chat() -> bytes:
    """Return a stream with everything that any provider sends."""
    head = {"id": "x", "model": "m", "object": "chat.completion.chunk"}
    events = [
        event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        for delta in DELTAS
    ]
    last = event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = event({**head, "choices": [], "usage": USAGE, "x_groq": {"usage": USAGE}})
    return b"".join((*events, last, usage, b"data: [DONE]\n\n"))


def whole_chat() -> bytes:
    """Return a whole answer with everything that any provider sends."""
    message: dict[str, Any] = {"role": "assistant"}
    for delta in DELTAS:
        message |= {name: value for name, value in delta.items() if value}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return json.dumps({"id": "x", "model": "m", "choices": [choice], "usage": USAGE}).encode()


@needs_recordings
@pytest.mark.parametrize("provider", ["openai-compatible", "openrouter", "sambanova"])
def test_chat_answer_with_wrong_values_is_an_answer_or_an_error(provider: str) -> None:
    source, dialect, where = Random(7), OpenAIChat(), target(provider)
    rows = expected("providers") | expected("local_servers")
    recordings = [recording(name) for name, row in rows.items() if "error" not in row]
    sources = [(good.body, good.streamed) for good in recordings if len(good.body) < LARGEST]
    sources += [(streamed_chat(), True), (whole_chat(), False)] * (len(sources) // 4)
    answers = 0
    for _ in range(RUNS):
        good, streamed = source.choice(sources)
        body = mutated_answer(good, source, streamed=streamed)
        chunks = feed(dialect, where, [body]) if streamed else dialect.decode(body, where)
        for chunk in chunks:
            check_chunk(chunk)
        if answer(chunks).error is None:
            answers += 1
            check_way_back(chunks, where)
    # Else nothing was tried but the reading of what is no answer at all.
    assert 0.2 * RUNS < answers < RUNS


LINES: list[dict[str, Any]] = [
    {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "Well."}},
    {"model": "m", "message": {"role": "assistant", "content": "Yes"}, "done": False},
    {
        "model": "m",
        "message": {
            "content": "",
            "tool_calls": [
                {"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}
            ],
        },
    },
    {
        "model": "m",
        "message": {"content": "!"},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 5,
        "eval_count": 6,
    },
]


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
def test_ollama_answer_with_wrong_values_is_an_answer_or_an_error(streamed: bool) -> None:
    source, dialect, where = Random(7), Ollama(), target("ollama")
    answers = 0
    for _ in range(2 * RUNS):
        # Of a whole answer everything stands in one line.
        lines = list(LINES) if streamed else [LINES[-1] | {"message": LINES[2]["message"]}]
        for _ in range(source.randint(1, 3)):
            position = source.randrange(len(lines))
            lines[position] = mutated(lines[position], source)
        body = b"\n".join(json.dumps(line).encode() for line in lines)
        chunks = feed(dialect, where, [body]) if streamed else dialect.decode(body, where)
        for chunk in chunks:
            check_chunk(chunk)
        if (value := answer(chunks)).error is None:
            answers += 1
            # Arguments that are no object are told to the caller and refused on the way back.
            if all(arguments.startswith("{") for _, _, arguments in value.tools):
                check_way_back(chunks, where)
    assert 0.1 * RUNS < answers < 2 * RUNS


ROWS: list[dict[str, Any]] = [
    {"id": "a", "created": 5, "context_length": 8, "top_provider": {"max_completion_tokens": 4}},
    {"id": "b", "architecture": {"input_modalities": ["text", "image"]}, "owned_by": "o"},
    {"key": "c", "loaded_instances": [{"config": {"context_length": 8}}], "type": "llm"},
    {
        "id": "d",
        "providers": [{"context_length": 8, "supports_tools": True}],
        "expiration_date": "x",
    },
    {"id": "e", "capabilities": {"vision": True}, "limits": {"max_input_tokens": 9}, "tags": ["t"]},
]


def test_model_list_of_any_provider_with_wrong_values_is_a_list_or_an_error() -> None:
    source, where = Random(7), target("openrouter")
    for _ in range(2 * RUNS):
        value: Any = {"data": ROWS, "links": {"next": "/models?cursor=2"}}
        for _ in range(source.randint(1, 3)):
            value = mutated(value, source)
        try:
            page = decode_models(json.dumps(value).encode(), where)
        except LLMError:
            continue
        encode_models(where, page.next)
        check_models(page.models)


def test_ollama_model_list_with_wrong_values_is_a_list_or_an_error() -> None:
    source, where = Random(7), target("ollama")
    details = {"family": "f", "parameter_size": "1B", "context_length": 8}
    row = {"name": "a", "details": details, "capabilities": ["tools"]}
    for _ in range(RUNS):
        value = mutated(mutated({"models": [row, row]}, source), source)
        try:
            page = Ollama().decode_models(json.dumps(value).encode(), where)
        except LLMError:
            continue
        check_models(page.models)


def check_models(models: list[Any]) -> None:
    """Assert that everything in a list of models is of the type that it is promised to be."""
    for model in models:
        assert type(model.id) is str
        assert model.id
        for text in (model.owned_by, model.description, model.retires_at):
            assert isinstance(text, str | None)
        for count in (model.context_length, model.max_output_tokens):
            assert count is None or (type(count) is int and 0 < count < 1e15)
        assert model.capabilities is None or all(type(word) is str for word in model.capabilities)

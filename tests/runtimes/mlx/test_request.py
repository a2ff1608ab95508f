"""What MLX is asked: taken from the body, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.runtimes.mlx_request import Refused, read_request

USER = {"role": "user", "content": "hi"}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "/m", "messages": [USER], **fields}).encode()


def test_plain_request_leaves_the_rest_to_mlx_lm() -> None:
    request = read_request(body())
    assert (request.model, request.messages) == ("/m", [USER])
    assert (request.tools, request.template, request.sampler, request.penalties) == ([], {}, {}, {})
    assert (request.effort, request.max_tokens, request.stop, request.seed) == (
        None,
        None,
        (),
        None,
    )
    assert (request.stream, request.usage_in_stream) == (False, False)


def test_every_known_field_is_taken() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    request = read_request(
        body(
            temperature=0.5,
            top_p=0.9,
            top_k=40,
            min_p=0.1,
            repetition_penalty=1.1,
            presence_penalty=0.1,
            frequency_penalty=-0.1,
            max_tokens=9,
            max_completion_tokens=10,
            stop="END",
            seed=7,
            stream=True,
            stream_options={"include_usage": True},
            tools=[tool],
            tool_choice="auto",
            reasoning_effort="low",
            response_format={"type": "text"},
            chat_template_kwargs={"date": "today"},
        )
    )
    assert request.sampler == {"temp": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1}
    assert request.penalties == {
        "repetition_penalty": 1.1,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
    }
    assert (request.max_tokens, request.stop, request.seed) == (10, ("END",), 7)
    assert (request.stream, request.usage_in_stream) == (True, True)
    assert (request.tools, request.effort, request.template) == ([tool], "low", {"date": "today"})


def test_null_is_not_sent() -> None:
    request = read_request(body(temperature=None, tools=None, stop=None, reasoning_effort=None))
    assert request == read_request(body())


def test_sampling_without_a_temperature_has_openais() -> None:
    assert read_request(body(top_p=0.5)).sampler == {"temp": 1.0, "top_p": 0.5}


def test_tool_choice_none_hides_the_tools() -> None:
    assert read_request(body(tools=[{"type": "function"}], tool_choice="none")).tools == []


def test_messages_become_what_templates_take() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "ok", "tool_call_id": "c1"},
    ]
    request = read_request(body(messages=messages))
    assert request.messages[0] == {"role": "user", "content": "ab"}
    assert request.messages[1]["content"] == ""
    assert request.messages[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
    assert request.messages[2] == messages[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="text"),
        pytest.param("", {}, id="nothing"),
        pytest.param({"a": 1}, {"a": 1}, id="object"),
    ],
)
def test_arguments_of_a_call_become_an_object(arguments: Any, expected: dict[str, int]) -> None:
    calls = [{"function": {"name": "f", "arguments": arguments}}]
    request = read_request(body(messages=[{"role": "assistant", "tool_calls": calls}]))
    assert request.messages[0]["tool_calls"][0]["function"]["arguments"] == expected


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        pytest.param({"model": ""}, "model", "directory", id="no-model"),
        pytest.param({"messages": []}, "messages", "list", id="no-messages"),
        pytest.param({"messages": "hi"}, "messages", "list", id="messages-text"),
        pytest.param({"messages": [{"content": "x"}]}, "messages[0]", "role", id="no-role"),
        pytest.param(
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "text",
            id="content",
        ),
        pytest.param(
            {"messages": [USER, {"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[1].content",
            "'image_url'",
            id="image",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content",
            "reads text only",
            id="part-without-text",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}]},
            "messages[0].tool_calls",
            "JSON arguments",
            id="cut-arguments",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "tool_calls": ["f"]}]},
            "messages[0].tool_calls",
            "JSON arguments",
            id="call-text",
        ),
        pytest.param(
            {"response_format": {"type": "json_schema"}}, "response_format", "schema", id="schema"
        ),
        pytest.param({"logprobs": True}, "logprobs", "'logprobs'", id="unknown-field"),
        pytest.param({"tool_choice": "required"}, "tool_choice", "cannot force", id="forced-tool"),
        pytest.param({"tools": {}}, "tools", "list", id="tools"),
        pytest.param({"temperature": -1}, "temperature", "at least 0", id="temperature"),
        pytest.param({"temperature": "hot"}, "temperature", "number", id="temperature-text"),
        pytest.param({"top_p": 1.5}, "top_p", "from 0 to 1", id="top-p"),
        pytest.param({"presence_penalty": True}, "presence_penalty", "number", id="penalty"),
        pytest.param({"top_k": -1}, "top_k", "at least 0", id="top-k"),
        pytest.param({"max_tokens": 0}, "max_tokens", "at least 1", id="max-tokens"),
        pytest.param({"max_tokens": 1.5}, "max_tokens", "whole number", id="max-tokens-half"),
        pytest.param({"seed": -1}, "seed", "at least 0", id="seed"),
        pytest.param({"stop": ["a", 1]}, "stop", "texts", id="stop"),
        pytest.param({"stop": [""]}, "stop", "texts", id="empty-stop"),
        pytest.param({"reasoning_effort": 3}, "reasoning_effort", "text", id="effort"),
        pytest.param({"chat_template_kwargs": []}, "chat_template_kwargs", "object", id="template"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    fields: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(Refused) as caught:
        read_request(body(**fields))
    assert (caught.value.status, caught.value.param) == (400, param)
    assert words in caught.value.message


@pytest.mark.parametrize("body", [b"{", b"[]"], ids=["cut", "list"])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="JSON"):
        read_request(body)

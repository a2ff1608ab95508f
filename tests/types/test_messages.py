"""Messages and tools, also from the dictionaries that users already have."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.messages import Message, Tool, ToolCall


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"role": "user", "content": "hi"}, Message("user", "hi")),
        ({"role": "user", "content": "hi", "name": "ada"}, Message("user", "hi", name="ada")),
        ({"role": "assistant", "content": None}, Message("assistant")),
        ({"role": "assistant"}, Message("assistant")),
        ({"role": "user", "content": [{"type": "text", "text": "b"}]}, Message("user", "b")),
        ({"role": "user", "content": ()}, Message("user")),
        (
            {"role": "tool", "content": "sunny", "tool_call_id": "c"},
            Message("tool", "sunny", tool_call_id="c"),
        ),
        ({"role": "assistant", "reasoning": "hm"}, Message("assistant", reasoning="hm")),
        ({"role": "assistant", "reasoning_content": "hm"}, Message("assistant", reasoning="hm")),
        ({"role": "assistant", "tool_calls": None}, Message("assistant")),
        (Message("system", "x"), Message("system", "x")),
    ],
    ids=str,
)
def test_message_parsed_has_its_fields(value: Any, message: Message) -> None:
    assert Message.parse(value) == message


@pytest.mark.parametrize(
    ("call", "parsed"),
    [
        (ToolCall("c", "f", "{}"), ToolCall("c", "f", "{}")),
        (
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            ToolCall("c", "f", '{"a": 1}'),
        ),
        ({"id": "c", "name": "f", "arguments": {"a": "ö"}}, ToolCall("c", "f", '{"a": "ö"}')),
        ({"function": {"name": "f"}}, ToolCall("", "f", "{}")),
        ({"id": None, "function": {"name": "f", "arguments": None}}, ToolCall("", "f", "{}")),
    ],
    ids=["a call", "openai", "flat, object", "bare", "nulls"],
)
def test_tool_call_parsed_has_its_fields(call: Any, parsed: ToolCall) -> None:
    assert Message.parse({"role": "assistant", "tool_calls": [call]}).tool_calls == (parsed,)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("hi", "A message is a Message or a dictionary, not str."),
        (None, "A message is a Message or a dictionary, not NoneType."),
        ({"role": "user", "contents": "x"}, "A message has no field 'contents'."),
        ({"content": "hi"}, "A message needs a 'role'."),
        ({"role": "robot"}, "'robot' is not a role."),
        ({"role": ["user"]}, "['user'] is not a role."),
        ({"role": "user", "content": 3}, "The content of a message is text or parts, not int."),
        ({"role": "user", "content": b"x"}, "The content of a message is text or parts, not bytes."),
        (
            {"role": "user", "content": [{"type": "image_url"}]},
            "A content part of type 'image_url' is not known.",
        ),
        ({"role": "user", "content": [3]}, "A content part of type 'int' is not known."),
        ({"role": "user", "name": 3}, "The 'name' of a message is text."),
        ({"role": "tool", "tool_call_id": 3}, "The 'tool_call_id' of a message is text."),
        ({"role": "assistant", "tool_calls": 3}, "The 'tool_calls' of a message are a list."),
        (
            {"role": "assistant", "tool_calls": [{"id": "c"}]},
            "{'id': 'c'} is not a tool call: it needs a 'function' with a 'name'.",
        ),
        ({"role": "assistant", "tool_calls": [3]}, "3 is not a tool call: it needs a 'function' with a 'name'."),
    ],
    ids=str,
)  # fmt: skip
def test_message_that_is_wrong_says_what_is(value: Any, error: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Message.parse(value)
    assert caught.value.message == error


def test_unknown_role_hint_lists_the_roles() -> None:
    with pytest.raises(ValidationError) as caught:
        Message("bot")  # type: ignore[arg-type]
    assert caught.value.hint == "Use one of assistant, developer, system, tool, user."


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("value", "tool"),
    [
        (Tool("f"), Tool("f")),
        ({"name": "f"}, Tool("f")),
        ({"name": "f", "description": None, "parameters": None}, Tool("f")),
        (
            {
                "type": "function",
                "function": {"name": "f", "description": "d", "parameters": SCHEMA},
            },
            Tool("f", "d", SCHEMA),
        ),
    ],
    ids=["a tool", "bare", "nulls", "openai"],
)
def test_tool_parsed_has_its_fields(value: Any, tool: Tool) -> None:
    assert Tool.parse(value) == tool


@pytest.mark.parametrize(
    "value",
    [
        "f",
        None,
        {},
        {"name": 3},
        {"function": 3},
        {"name": "f", "parameters": []},
        {"name": "f", "description": 3},
    ],
    ids=str,
)
def test_tool_that_is_wrong_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="tool"):
        Tool.parse(value)

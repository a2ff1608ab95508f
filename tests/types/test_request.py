"""Requests: every form a client takes, and what is refused before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest

from llm_client.exceptions import ValidationError
from llm_client.types.call_options import CALL_OPTIONS
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest, RequestOptions

USER = Message("user", "hi")


@pytest.mark.parametrize(
    "prompt",
    [
        "hi",
        USER,
        [USER],
        (USER,),
        iter([USER]),
        [{"role": "user", "content": "hi"}],
        {"role": "user", "content": "hi"},
        {"messages": "hi"},
        {"messages": USER},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"messages": "hi", "temperature": None, "stop": None, "stream": False},
        LLMRequest((USER,)),
    ],
    ids=[
        "text",
        "message",
        "list",
        "tuple",
        "iterator",
        "list of dicts",
        "message dict",
        "fields, text",
        "fields, message",
        "fields, list",
        "fields, nulls",
        "request",
    ],
)
def test_prompt_of_any_form_is_the_same_request(prompt: Any) -> None:
    assert LLMRequest.build(prompt, stream=True) == LLMRequest((USER,), stream=True)


@pytest.mark.parametrize("prompt", ["hi", {"messages": "hi"}, LLMRequest((USER,))], ids=type)
def test_options_given_are_the_requests_fields(prompt: Any) -> None:
    request = LLMRequest.build(
        prompt,
        stream=False,
        system="be brief",
        temperature=1,
        top_p=0.5,
        max_tokens=3,
        stop="END",
        seed=7,
        tools=[{"name": "f"}],
        tool_choice="auto",
        schema={"type": "object"},
        extra_body={"a": 1},
    )
    assert request == LLMRequest(
        (Message("system", "be brief"), USER),
        temperature=1,
        top_p=0.5,
        max_tokens=3,
        stop=("END",),
        seed=7,
        tools=(Tool("f"),),
        tool_choice="auto",
        schema={"type": "object"},
        extra_body={"a": 1},
    )


def test_options_win_over_the_fields_of_the_prompt() -> None:
    for prompt in ({"messages": "hi", "seed": 1}, LLMRequest((USER,), seed=1)):
        assert LLMRequest.build(prompt, stream=False, seed=2).seed == 2
        assert LLMRequest.build(prompt, stream=False, seed=None).seed == 1


def test_system_in_the_fields_comes_first_and_yields_to_the_option() -> None:
    prompt = {"messages": "hi", "system": "a"}
    assert LLMRequest.build(prompt, stream=False).messages == (Message("system", "a"), USER)
    assert LLMRequest.build(prompt, stream=False, system="b").messages[0].content == "b"
    assert LLMRequest.build("hi", stream=False, system="").messages == (USER,)


def test_prompt_given_is_not_changed() -> None:
    prompt = {"messages": [{"role": "user", "content": "hi"}], "stop": ["a"]}
    LLMRequest.build(prompt, stream=False, system="x", stop="b")
    assert prompt == {"messages": [{"role": "user", "content": "hi"}], "stop": ["a"]}


@pytest.mark.parametrize("key", ["k", "a b", "x" * 200, "~!{}", "9f1c-7"], ids=lambda key: key[:9])
def test_idempotency_key_that_a_header_can_carry_is_taken(key: str) -> None:
    assert LLMRequest.build("hi", stream=False, idempotency_key=key).idempotency_key == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        " k",
        "k ",
        "a\r\nX-Admin: 1",
        "a\nb",
        "a\tb",
        "a\0b",
        "schlüssel",
        "x" * 201,
        7,
        b"k",
    ],
    ids=lambda key: repr(key)[:12],
)
def test_idempotency_key_that_a_header_cannot_carry_is_refused(key: Any) -> None:
    with pytest.raises(ValidationError, match="is not 1 to 200 printable ASCII") as caught:
        LLMRequest.build("hi", stream=False, idempotency_key=key)
    assert caught.value.param == "idempotency_key"
    assert "\n" not in str(caught.value)


def test_options_are_the_fields_of_a_request_and_of_a_call() -> None:
    of_request = {f.name for f in fields(LLMRequest)} | {"system"}
    of_request -= {"messages", "schema_type", "stream"}
    assert RequestOptions.__annotations__.keys() == of_request | CALL_OPTIONS
    for name in of_request:
        LLMRequest.build("hi", stream=False, **{name: None})


@pytest.mark.parametrize(
    "messages",
    [
        (),
        "",
        " \n\t",
        [Message("user", "")],
        [Message("system", "be brief")],
        [Message("system", "be brief"), Message("user", "  ")],
    ],
    ids=str,
)
def test_empty_prompt_is_refused(messages: Any) -> None:
    with pytest.raises(ValidationError, match="The prompt is empty") as caught:
        LLMRequest.build(messages, stream=False)
    assert caught.value.hint == 'Give some text: `llm-client generate "your question"`.'


def test_conversation_that_ends_with_an_empty_result_is_not_empty() -> None:
    call = Message("assistant", tool_calls=(ToolCall("c", "f", "{}"),))
    LLMRequest((call, Message("tool", "", tool_call_id="c")))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"temperature": 9}, "temperature 9 is out of range: 0 to 2."),
        ({"temperature": -0.1}, "temperature -0.1 is out of range: 0 to 2."),
        ({"temperature": float("nan")}, "temperature nan is out of range: 0 to 2."),
        ({"temperature": "hot"}, "temperature 'hot' is not a number."),
        ({"top_p": 1.5}, "top_p 1.5 is out of range: 0 to 1."),
        ({"top_p": float("inf")}, "top_p inf is out of range: 0 to 1."),
        ({"max_tokens": 0}, "max_tokens 0 must be a whole number, 1 or more."),
        ({"max_tokens": 2.5}, "max_tokens 2.5 must be a whole number, 1 or more."),
        ({"max_tokens": "8"}, "max_tokens '8' must be a whole number, 1 or more."),
        ({"stop": 3}, "stop 3 is not a list."),
        ({"stop": ["a", 3]}, "stop ['a', 3] is not a text or texts."),
        ({"tools": 3}, "tools 3 is not a list."),
        ({"tools": {"name": "f"}}, "tools {'name': 'f'} is not a list."),
        ({"tools": ["f"]}, "A tool is a Tool, a dictionary or a function, not str."),
        (
            {"schema": "object"},
            "schema 'object' is not a JSON schema, a dataclass, a TypedDict or a pydantic model.",
        ),
        (
            {"reasoning_effort": "huge"},
            "reasoning_effort 'huge' is not known.",
        ),
        ({"suffix": 3}, "suffix 3 is not a text."),
        ({"schema_type": int}, "A request has no field 'schema_type'."),
        ({"extra_body": [1]}, "extra_body [1] is not a dictionary."),
        ({"temprature": 1}, "A request has no field 'temprature'."),
        ({"messages": [USER]}, "A request has no field 'messages'."),
    ],
    ids=str,
)
@pytest.mark.parametrize("prompt", ["hi", LLMRequest((USER,))], ids=["text", "request"])
def test_option_that_is_wrong_says_what_is(
    prompt: Any, options: dict[str, Any], error: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        LLMRequest.build(prompt, stream=False, **options)
    assert caught.value.message == error


@pytest.mark.parametrize("name", ["temperature", "top_p"])
@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0])
def test_value_at_the_edge_of_its_range_is_taken(name: str, value: float) -> None:
    assert getattr(LLMRequest.build("hi", stream=False, **{name: value}), name) == value


@pytest.mark.parametrize(
    ("prompt", "error", "hint"),
    [
        ({"mesages": []}, "A request has no field 'mesages'.", "Did you mean 'messages'?"),
        ({"zzz": 1}, "A request has no field 'zzz'.", "Known: extra_body, idempotency_key, "),
        (3, "A prompt is a text or messages, not int.", ""),
        (None, "A prompt is a text or messages, not NoneType.", ""),
        (["hi"], "A message is a Message or a dictionary, not str.", ""),
    ],
    ids=str,
)
def test_prompt_that_is_wrong_says_what_is(prompt: Any, error: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LLMRequest.build(prompt, stream=False)
    assert caught.value.message == error
    assert (caught.value.hint or "").startswith(hint)


@dataclass
class Point:
    x: int


@pytest.mark.parametrize("prompt", ["hi", {"messages": "hi"}, LLMRequest((USER,))], ids=type)
def test_schema_that_is_a_type_is_its_schema_and_is_remembered(prompt: Any) -> None:
    request = LLMRequest.build(prompt, stream=False, schema=Point)

    assert request.schema is not None
    assert request.schema["properties"] == {"x": {"type": "integer"}}
    assert request.schema_type is Point


def test_schema_in_place_of_a_type_forgets_the_type() -> None:
    request = LLMRequest((USER,), schema=Point)  # type: ignore[arg-type]

    other = LLMRequest.build(request, stream=False, schema={"type": "object"})

    assert other.schema_type is None
    assert LLMRequest.build(request, stream=False, seed=1).schema_type is Point


@pytest.mark.parametrize("stop", ["", ["end", ""]], ids=["text", "texts"])
def test_empty_stop_is_refused(stop: str | list[str]) -> None:
    with pytest.raises(ValidationError, match="stop"):
        LLMRequest.build("hi", stream=False, stop=stop)


@pytest.mark.parametrize(
    "choice",
    [
        "f",
        {"type": "function", "function": {"name": "f"}},
        {"type": "function", "name": "f"},
    ],
    ids=["name", "openai", "responses"],
)
def test_tool_choice_may_be_openais_dictionary(choice: Any) -> None:
    request = LLMRequest.build("hi", stream=False, tools=[{"name": "f"}], tool_choice=choice)
    assert request.tool_choice == "f"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tool_choice": {"type": "mcp"}}, "tool_choice {'type': 'mcp'} is not known"),
        ({"tool_choice": ["f"]}, "is not known"),
        ({"tools": [Tool("f"), {"name": "f"}]}, "two tools of the name 'f'"),
        ({"tools": Tool("f")}, "tools is a list"),
        ({"tools": print}, "tools is a list"),
    ],
    ids=str,
)
def test_tools_that_are_wrong_say_what_is(options: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LLMRequest.build("hi", stream=False, **options)
    assert message in str(caught.value)

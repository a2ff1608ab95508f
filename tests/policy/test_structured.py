"""How structured output is asked for, and how an answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import pytest

from llm_client.exceptions import (
    ContextLengthError,
    LLMError,
    LLMServiceError,
    StreamInterruptedError,
    ValidationError,
)
from llm_client.policy.structured import (
    Asking,
    Mode,
    ToolAnswer,
    asked_again,
    first_mode,
    invalid_output,
    judge,
    next_mode,
    read_answer,
)
from llm_client.types.content import Image, Text
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool, ToolCall
from llm_client.types.request import LLMRequest
from llm_client.types.response import LLMResponse, StreamChunk, ToolCallDelta, Usage, fold
from llm_client.types.target import ModelRule, ProviderSpec, Quirks, Target

SCHEMA = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}
USER = Message("user", "hi")
REQUEST = LLMRequest((USER,), schema=SCHEMA)
SEARCH = Tool("search")


def target(**fields: Any) -> Target:
    provider = ProviderSpec("p", "http://p.test", "openai-chat", **fields)
    return Target(provider, "m", provider.base_url)


def way(schema: str, *, forced: bool = True) -> Target:
    return target(quirks=Quirks(schema=schema, required_tool_choice=forced))


@pytest.mark.parametrize(
    ("goal", "schema", "mode"),
    [
        (target(), SCHEMA, "native"),
        (way("tool"), SCHEMA, "tool"),
        (way("tool", forced=False), SCHEMA, "prompt"),
        (way("tool"), {"type": "array"}, "prompt"),
        (way("prompt"), SCHEMA, "prompt"),
        (target(model_rules=(ModelRule("m*", schema="tool"),)), SCHEMA, "tool"),
        (target(model_rules=(ModelRule("x*", schema="tool"),)), SCHEMA, "native"),
    ],
)
def test_target_is_asked_as_its_row_says(goal: Target, schema: Any, mode: str) -> None:
    assert first_mode(replace(REQUEST, schema=schema), goal) == mode


def refused(message: str, **fields: Any) -> ValidationError:
    return ValidationError(message, status=400, **fields)


@pytest.mark.parametrize(
    ("error", "mode", "weaker"),
    [
        (refused("'response_format' of type 'json_schema' is not supported"), "native", "tool"),
        (refused("no", param="response_format"), "native", "tool"),
        (refused("no", body='{"loc": ["body", "response_format"]}'), "native", "tool"),
        (refused("output_config: Extra inputs are not permitted"), "native", "tool"),
        (refused("Unknown name 'responseJsonSchema'"), "native", "tool"),
        (refused("a response mime type: 'application/json' is unsupported"), "native", "tool"),
        (refused('json: unknown field "format"'), "native", "tool"),
        (refused("failed to parse grammar"), "native", "tool"),
        (ValidationError("p cannot be told schema.", param="schema"), "native", "tool"),
        (refused("the image has no known format"), "native", None),
        (refused("temperature is too high"), "native", None),
        (ContextLengthError("the response_format is too long"), "native", None),
        (LLMServiceError("response_format", status=500), "native", None),
        (StreamInterruptedError("response_format"), "native", None),
        (refused("tool_choice is not supported with thinking"), "tool", "prompt"),
        (refused("m does not support tools"), "tool", "prompt"),
        (refused("Function calling is not enabled"), "tool", "prompt"),
        (refused("JSON schema error at #/properties/next"), "tool", "prompt"),
        (refused("response_format"), "tool", None),
        (refused("tools and response_format"), "prompt", None),
    ],
    ids=str,
)
def test_refusal_of_the_way_itself_leads_to_a_weaker_one(
    error: LLMError, mode: Mode, weaker: str | None
) -> None:
    assert next_mode(error, mode, REQUEST, target()) == weaker


def test_refusal_by_a_target_that_cannot_be_forced_leads_to_words() -> None:
    error = refused("response_format")

    assert next_mode(error, "native", REQUEST, way("native", forced=False)) == "prompt"


def test_native_request_is_sent_as_it_is() -> None:
    asking = Asking.of(REQUEST, "native")

    assert asking.request is REQUEST
    assert asking.reader() is None


def test_tool_takes_the_schema_as_its_arguments_and_must_be_called() -> None:
    asking = Asking.of(REQUEST, "tool")

    assert asking.tool == "City"
    assert asking.request.schema is None
    assert asking.request.tool_choice == "City"
    assert [(tool.name, tool.parameters) for tool in asking.request.tools] == [("City", SCHEMA)]
    assert asking.reader() is not None


@pytest.mark.parametrize(
    ("title", "taken", "name"),
    [
        ("City", (), "City"),
        ("A city", (), "answer"),
        ("x" * 65, (), "answer"),
        (3, (), "answer"),
        ("City", ("City",), "City_"),
        ("x" * 64, ("x" * 64,), "x" * 63 + "_"),
    ],
)
def test_tool_is_named_by_the_title_but_not_as_another(
    title: Any, taken: tuple[str, ...], name: str
) -> None:
    tools = tuple(Tool(other) for other in taken)
    request = replace(REQUEST, schema={**SCHEMA, "title": title}, tools=tools)

    assert Asking.of(request, "tool").tool == name


@pytest.mark.parametrize(
    ("choice", "tools", "sent"),
    [
        (None, ["search", "City"], "required"),
        ("auto", ["search", "City"], "required"),
        ("none", ["City"], "City"),
        ("required", ["search"], "required"),
        ("search", ["search"], "search"),
    ],
)
def test_answer_tool_stands_beside_those_that_may_be_called(
    choice: str | None, tools: list[str], sent: str
) -> None:
    asking = Asking.of(replace(REQUEST, tools=(SEARCH,), tool_choice=choice), "tool")

    assert [tool.name for tool in asking.request.tools] == tools
    assert asking.request.tool_choice == sent
    assert asking.request.schema is None


def test_words_say_the_schema_before_the_messages() -> None:
    asking = Asking.of(replace(REQUEST, schema={**SCHEMA, "title": "Städte"}), "prompt")
    system, user = asking.request.messages

    assert (system.role, user) == ("system", USER)
    assert system.text.startswith("Answer with one JSON value and nothing else")
    assert '"title": "Städte"' in system.text
    assert asking.request.schema is None
    assert asking.reader() is None


@pytest.mark.parametrize("role", ["system", "developer"])
def test_words_stand_behind_the_system_prompt(role: Any) -> None:
    first = Message(role, "Be kind.", cache=True)
    asking = Asking.of(replace(REQUEST, messages=(first, USER)), "prompt")

    said, user = asking.request.messages
    assert said.text.startswith("Be kind.\n\nAnswer with one JSON value")
    assert (said.role, said.cache, user) == (role, True, USER)


def test_words_leave_a_long_or_mixed_system_prompt_as_it_is() -> None:
    long = LongText([b"x" * 10])
    image = Image(url="https://h.test/a.png")
    for content, before in ((long, (Text(long),)), ((image,), (image,))):
        first = Message("system", content)
        asking = Asking.of(replace(REQUEST, messages=(first, USER)), "prompt")

        *kept, added = asking.request.messages[0].parts
        assert tuple(kept) == before
        assert isinstance(added, Text)


def test_words_leave_room_for_a_call_of_a_tool() -> None:
    asking = Asking.of(replace(REQUEST, tools=(SEARCH,)), "prompt")

    assert asking.request.messages[0].text.startswith("When you call no tool, answer with one")
    assert asking.request.tools == (SEARCH,)


def call(arguments: str = "", name: str | None = None, index: int = 0) -> StreamChunk:
    return StreamChunk(tool_call=ToolCallDelta(index, "c", name, arguments))


USAGE = Usage(1, 2, 3)
DONE = StreamChunk(is_done=True, finish_reason="tool_calls", usage=USAGE)
STOP = StreamChunk(is_done=True, finish_reason="stop")


@pytest.mark.parametrize(
    ("chunks", "content", "calls", "reason"),
    [
        ([call(name="City"), call('{"a"'), call(": 1}"), DONE], '{"a": 1}', 0, "stop"),
        ([call('{"a": 1}', "City"), STOP], '{"a": 1}', 0, "stop"),
        ([StreamChunk("Let me see"), call("{}", "City"), DONE], "{}", 0, "stop"),
        ([call(name="City"), DONE], "{}", 0, "stop"),
        ([call("{}", "City"), call('{"b"}', "City", 1), DONE], "{}", 0, "stop"),
        ([StreamChunk('{"a'), StreamChunk('": 1}'), STOP], '{"a": 1}', 0, "stop"),
        ([StreamChunk("Wait"), call("{}", "search"), DONE], "Wait", 1, "tool_calls"),
        ([call("{}", "City"), call("{}", "search", 1), DONE], "{}", 1, "tool_calls"),
        (
            [StreamChunk("Hm", reasoning="thinks", usage=USAGE), StreamChunk(is_done=True)],
            "Hm",
            0,
            None,
        ),
        ([call("{", "City"), replace(DONE, finish_reason="length")], "{", 0, "length"),
    ],
    ids=[
        "fragments", "whole", "text beside", "no arguments", "twice", "text instead", "other tool",
        "both", "thinking", "cut",
    ],
)  # fmt: skip
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_call_of_the_answer_tool_is_the_text_of_the_answer(
    chunks: list[StreamChunk], content: str, calls: int, reason: str | None, at_once: bool
) -> None:
    reader = ToolAnswer("City")
    pieces = [chunks] if at_once else [[chunk] for chunk in chunks]

    read = [chunk for piece in pieces for chunk in reader.read(piece)]

    response = fold(read)
    assert response.content == content
    assert len(response.tool_calls) == calls
    assert response.finish_reason == reason
    assert read[-1].is_done
    if any(chunk.usage for chunk in chunks):
        assert response.usage == USAGE


def test_thinking_beside_the_answer_tool_is_kept() -> None:
    read = ToolAnswer("City").read([StreamChunk("a", reasoning="hm"), call("{}", "City"), DONE])

    assert "".join(chunk.reasoning for chunk in read) == "hm"


def test_text_held_back_comes_out_before_an_error() -> None:
    error = StreamInterruptedError("cut")
    read = ToolAnswer("City").read([StreamChunk("Hel"), StreamChunk(error=error)])

    assert [chunk.delta for chunk in read if chunk.delta] == ["Hel"]
    assert read[-1].error is error


def test_call_without_arguments_that_is_cut_is_not_completed() -> None:
    read = ToolAnswer("City").read(
        [call(name="City"), StreamChunk(error=StreamInterruptedError("cut"))]
    )

    assert not any(chunk.delta for chunk in read)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Bonn"}',
        ' \n{"name": "Bonn"}\n',
        '```json\n{"name": "Bonn"}\n```',
        'Here it is:\n\n```\n{"name": "Bonn"}\n```\nI hope that helps.',
        '```python\nx = {}\n```\nand\n```json\n{"name": "Bonn"}\n```',
        'Sure! {"name": "Bonn"} is it.',
        'As [1] says, see {this}: {"name": "Bonn"}.',
        '```json\n{"name": "Bonn"}',
    ],
    ids=["json", "space", "fence", "fence in words", "two fences", "words", "brackets", "open"],
)
def test_json_is_found_in_what_stands_around_it(text: str) -> None:
    assert read_answer(text, SCHEMA) == ({"name": "Bonn"}, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the answer is no JSON: Expecting value: line 1 column 1 (char 0)"),
        ("I cannot say", "the answer is no JSON: Expecting value"),
        ('{"name": "Bo', "the answer is no JSON: Unterminated string"),
        ('{"name": NaN}', "the answer is no JSON: NaN is no JSON"),
        ('{"name": 3}', "name must be a text, but is 3"),
        ("Hm: {}", "the answer lacks the field 'name'"),
        ("[" * 100_000, "the answer is"),
        ("[" * 20_000 + "]" * 20_000, "the answer"),
    ],
    ids=["empty", "words", "cut", "nan", "wrong", "wrong in words", "deep, open", "deep"],
)
def test_answer_that_does_not_follow_says_why(text: str, problem: str) -> None:
    value, problems = read_answer(text, SCHEMA)

    assert value is None
    assert problems[0].startswith(problem)


@dataclass
class City:
    name: str

    def __post_init__(self) -> None:
        if self.name == "Atlantis":
            raise ValueError("there is no such city")


class Town(TypedDict):
    name: str


def test_answer_becomes_what_its_schema_was_made_of() -> None:
    assert read_answer('{"name": "Bonn"}', SCHEMA, City) == (City("Bonn"), [])
    assert read_answer('{"name": "Bonn"}', SCHEMA, Town) == ({"name": "Bonn"}, [])


def test_answer_that_its_type_refuses_says_why() -> None:
    assert read_answer('{"name": "Atlantis"}', SCHEMA, City) == (
        None,
        ["the answer: there is no such city"],
    )


ANSWER = LLMResponse('{"name": "Bonn"}', "m", "p", "stop")


def test_whole_answer_is_parsed() -> None:
    assert judge(ANSWER, REQUEST) == (replace(ANSWER, parsed={"name": "Bonn"}), [])


@pytest.mark.parametrize(
    ("response", "request_"),
    [
        (replace(ANSWER, content="", tool_calls=(ToolCall("c", "search", "{}"),)), REQUEST),
        (replace(ANSWER, content="I will not.", finish_reason="refusal"), REQUEST),
        (replace(ANSWER, content="x"), replace(REQUEST, schema=None)),
    ],
    ids=["tool call", "refusal", "no schema"],
)
def test_what_is_no_attempt_is_not_parsed(response: LLMResponse, request_: LLMRequest) -> None:
    assert judge(response, request_) == (response, [])


def test_error_says_what_is_wrong_and_keeps_the_answer() -> None:
    error = invalid_output(ANSWER, [f"p{number}" for number in range(10)])

    assert error.message == (
        "The answer does not follow the JSON schema: p0; p1; p2; p3; p4; p5; p6; p7; and 2 more."
    )
    assert error.partial == ANSWER.content


def test_problem_as_long_as_the_model_likes_is_cut() -> None:
    error = invalid_output(ANSWER, ["p" * 1_000_000, "q"])
    correction = asked_again(REQUEST, ANSWER, ["p" * 1_000_000, "q"]).messages[-1]

    assert f"{'p' * 1000}…; q." in error.message
    assert f"- {'p' * 1000}…\n- q\n" in correction.text
    assert len(error.message) + len(correction.text) < 3000


def test_error_of_an_answer_that_was_cut_says_so() -> None:
    error = invalid_output(replace(ANSWER, finish_reason="length"), ["the answer is no JSON"])

    assert "cut off at the token limit" in error.message
    assert error.hint == "Allow a longer answer with `--max-tokens N`."


def test_next_question_has_the_answer_and_what_is_wrong_with_it() -> None:
    wrong = replace(ANSWER, content='{"name": 3}', reasoning="hm")

    *before, answer, correction = asked_again(REQUEST, wrong, ["a", "b"]).messages

    assert before == [USER]
    assert (answer.role, answer.content, answer.reasoning) == ("assistant", '{"name": 3}', "hm")
    assert correction.role == "user"
    assert "\n- a\n- b\n" in correction.text


def test_next_question_after_nothing_has_no_empty_turn() -> None:
    answer = asked_again(REQUEST, replace(ANSWER, content=" "), ["a"]).messages[1]

    assert answer.content == "(nothing)"


def test_schema_in_words_can_be_read_back() -> None:
    text = Asking.of(REQUEST, "prompt").request.messages[0].text

    assert json.loads(text.partition("schema:\n")[2]) == SCHEMA

"""Structured output through the pipeline: ways of asking, asking again, and what the books say."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from llm_client.engine.pipeline import CallContext, run_call
from llm_client.exceptions import (
    InvalidOutputError,
    LLMError,
    ValidationError,
)
from llm_client.types.config import RetrySettings
from llm_client.types.events import AttemptRecord, FallingBack, Notice
from llm_client.types.messages import Message, Tool
from llm_client.types.request import LLMRequest
from llm_client.types.target import Quirks, Target

from .scenarios import Answer, Expected, Opening, Scenario, Wait, event, sse, whole
from .scripted import Played, Stage, async_driver, sync_driver, target

SCHEMA = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}
USER = Message("user", "Where?")
REQUEST = LLMRequest((USER,), schema=SCHEMA)
BONN = '{"name": "Bonn"}'


@dataclass
class City:
    name: str


def in_way(schema: str, position: int = 0) -> Target:
    goal = target(position)
    return replace(goal, provider=replace(goal.provider, quirks=Quirks(schema=schema)))


def play(*openings: Opening, request: LLMRequest = REQUEST, **context: Any) -> Played:
    """Run a call through the sync driver; return all that is seen of it."""
    stage = Stage(Scenario("", openings, Expected(())))
    fields: dict[str, Any] = {
        "route": [target()],
        "observe": stage.played.events.append,
        "clock": stage.clock,
        "retry": RetrySettings(max_retries=2, delay=0.0),
    }
    steps = run_call(request, CallContext("call", **{**fields, **context}))
    driver, played = sync_driver(stage), stage.played
    try:
        if request.stream:
            chunks = driver.iterate(steps)
            while True:
                try:
                    played.chunks.append(next(chunks))
                except StopIteration as end:
                    played.response = end.value
                    break
        else:
            played.response = driver.run(steps)
    except LLMError as error:
        played.error = error
    return played


def bodies(played: Played) -> list[dict[str, Any]]:
    return [json.loads(request.body or b"") for request in played.requests]


def notices(played: Played) -> list[str]:
    return [event.text for event in played.events if isinstance(event, Notice)]


def tool_call(arguments: str, name: str = "City", text: str | None = None) -> Answer:
    """Return a whole answer that calls a tool."""
    calls = [{"id": "c1", "function": {"name": name, "arguments": arguments}}]
    choice = {
        "message": {"role": "assistant", "content": text, "tool_calls": calls},
        "finish_reason": "tool_calls",
    }
    body = {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    return Answer((json.dumps(body).encode(),), headers=(("content-type", "application/json"),))


def refusal(message: str, status: int = 400) -> Answer:
    body = json.dumps({"error": {"message": message}}).encode()
    return Answer((body,), status, (("content-type", "application/json"),))


def test_answer_in_the_native_way_is_parsed() -> None:
    played = play(whole(BONN))

    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}
    assert bodies(played)[0]["response_format"]["json_schema"]["schema"] == SCHEMA


def test_answer_becomes_an_object_of_the_type_that_was_given() -> None:
    request = LLMRequest((USER,), schema=City)  # type: ignore[arg-type]
    played = play(whole(BONN), request=request)

    assert played.response is not None
    assert played.response.parsed == City("Bonn")


def test_answer_in_the_way_of_tools_is_its_arguments() -> None:
    played = play(tool_call(BONN, text="One moment."), route=[in_way("tool")])

    (body,) = bodies(played)
    assert played.response is not None
    assert played.response.content == BONN
    assert played.response.parsed == {"name": "Bonn"}
    assert played.response.finish_reason == "stop"
    assert played.response.tool_calls == ()
    assert body["tools"][0]["function"]["parameters"] == SCHEMA
    assert body["tool_choice"]["function"] == {"name": "City"}
    assert "response_format" not in body


def test_answer_in_words_is_shown_as_it_is_and_parsed() -> None:
    text = f"Sure:\n```json\n{BONN}\n```"
    played = play(whole(text), route=[in_way("prompt")])

    assert played.response is not None
    assert played.response.content == text
    assert played.response.parsed == {"name": "Bonn"}
    assert bodies(played)[0]["messages"][0]["role"] == "system"


def test_streamed_call_of_the_answer_tool_is_shown_as_text() -> None:
    def fragment(arguments: str, **head: Any) -> bytes:
        function = {**head, "arguments": arguments}
        call = {"index": 0, "function": function, **({"id": "c1"} if head else {})}
        return event({"choices": [{"delta": {"tool_calls": [call]}}]})

    end = event({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    answer = Answer(
        (fragment("", name="City"), fragment('{"name":'), fragment(' "Bonn"}'), end, b"data: [DONE]\n\n")
    )  # fmt: skip
    played = play(answer, request=replace(REQUEST, stream=True), route=[in_way("tool")])

    assert played.deltas == ('{"name":', ' "Bonn"}')
    assert all(chunk.tool_call is None for chunk in played.chunks)
    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}


def test_call_of_a_tool_of_the_users_own_is_not_parsed() -> None:
    request = replace(REQUEST, tools=(Tool("search"),))
    for way in ("native", "tool", "prompt"):
        played = play(tool_call("{}", "search"), request=request, route=[in_way(way)])

        assert played.response is not None
        assert played.response.parsed is None
        assert [call.name for call in played.response.tool_calls] == ["search"]
        assert played.response.finish_reason == "tool_calls"


def test_answer_that_does_not_follow_is_asked_for_again_with_what_is_wrong() -> None:
    played = play(whole('{"name": 3}'), whole("{}"), whole(BONN))

    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}
    assert (played.response.attempts, played.response.retry_count) == (3, 2)
    first, second, third = (body["messages"] for body in bodies(played))
    assert second[:1] == third[:1] == first
    assert second[1] == {"role": "assistant", "content": '{"name": 3}'}
    assert "name must be a text, but is 3" in second[2]["content"]
    assert len(third) == 3
    assert "lacks the field 'name'" in third[2]["content"]
    assert [(r.outcome, r.error_type, r.retry) for r in played.records] == [
        ("error", "InvalidOutputError", 0),
        ("error", "InvalidOutputError", 1),
        ("ok", None, 2),
    ]
    assert notices(played) == [
        "p0/m is asked again (1 of 2): The answer does not follow the JSON schema: "
        "name must be a text, but is 3.",
        "p0/m is asked again (2 of 2): The answer does not follow the JSON schema: "
        "the answer lacks the field 'name'.",
    ]


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_answer_that_never_follows_is_invalid_output(retries: int) -> None:
    played = play(*[whole("Hm")] * (retries + 1), schema_retries=retries)

    assert isinstance(played.error, InvalidOutputError)
    assert played.error.partial == "Hm"
    assert "the answer is no JSON: Expecting value" in str(played.error)
    assert (played.error.provider, played.error.model) == ("p0", "m")
    assert len(played.requests) == retries + 1


def test_answer_that_was_cut_at_the_limit_is_not_asked_for_again() -> None:
    played = play(whole('{"name": "Bo', "length"))

    assert isinstance(played.error, InvalidOutputError)
    assert "cut off at the token limit" in str(played.error)
    assert len(played.requests) == 1


def test_streamed_answer_that_was_shown_is_not_asked_for_again() -> None:
    played = play(sse("Hm"), request=replace(REQUEST, stream=True))

    assert isinstance(played.error, InvalidOutputError)
    assert played.error.partial == "Hm"
    assert played.deltas == ("Hm",)
    assert len(played.requests) == 1


def test_streamed_answer_of_nothing_is_asked_for_again() -> None:
    played = play(sse(), sse(BONN), request=replace(REQUEST, stream=True))

    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}
    assert bodies(played)[1]["messages"][1]["content"] == "(nothing)"


def test_deadline_bounds_asking_again() -> None:
    late = Answer((Wait(3.0), *whole("Hm").pieces), headers=whole("Hm").headers)
    played = play(whole("Hm"), late, whole(BONN), deadline=2.0)

    assert [type(record.error_type) for record in played.records] == [str, str]
    assert "deadline of 2 s ran out after 2 attempts" in str(played.error)


def test_deadline_that_is_over_after_a_wrong_answer_leaves_its_error() -> None:
    stage = Stage(Scenario("", (whole("Hm"), whole(BONN)), Expected(())))

    def take_long(record: AttemptRecord) -> None:
        stage.clock.now += 10

    context = CallContext("call", [target()], deadline=3.0, clock=stage.clock, settle=take_long)
    with pytest.raises(InvalidOutputError):
        sync_driver(stage).run(run_call(REQUEST, context))
    assert len(stage.played.requests) == 1


NO_FORMAT = "'response_format' is not supported"


def test_way_that_is_refused_gives_way_to_tools_and_then_to_words() -> None:
    played = play(refusal(NO_FORMAT), refusal("no tools here", 422), whole(BONN))

    first, second, third = bodies(played)
    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}
    assert played.response.attempts == 3
    assert "response_format" in first
    assert "tools" in second
    assert not {"response_format", "tools"} & third.keys()
    assert notices(played) == [
        "p0/m refused the JSON schema: it is asked with a tool instead.",
        "p0/m refused the JSON schema: it is asked in words instead.",
    ]


def test_way_that_was_found_stays_when_the_answer_is_wrong() -> None:
    played = play(refusal(NO_FORMAT), tool_call("{}"), tool_call(BONN))

    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}
    assert ["tools" in body for body in bodies(played)] == [False, True, True]


def test_way_that_was_found_stays_after_a_passing_failure() -> None:
    played = play(refusal(NO_FORMAT), refusal("busy", 503), tool_call(BONN))

    assert played.response is not None
    assert [record.retry for record in played.records] == [0, 1, 2]
    assert ["tools" in body for body in bodies(played)] == [False, True, True]


def test_refusal_of_something_else_is_the_error() -> None:
    played = play(refusal("temperature is too high"))

    assert isinstance(played.error, ValidationError)
    assert len(played.requests) == 1


def test_answer_that_the_server_itself_finds_invalid_is_asked_for_again() -> None:
    failed = Answer(
        (b'{"error": {"message": "Failed to generate JSON", "code": "json_validate_failed"}}',),
        400,
        (("content-type", "application/json"),),
    )
    played = play(failed, whole(BONN))

    assert played.response is not None
    assert bodies(played)[0] == bodies(played)[1]


def test_every_target_is_asked_in_its_own_way() -> None:
    played = play(
        refusal("busy", 503),
        tool_call(BONN),
        route=[in_way("prompt"), in_way("tool", 1)],
        retry=RetrySettings(max_retries=0),
    )

    assert played.response is not None
    assert played.response.fallback_provider == "p1"
    assert any(isinstance(event, FallingBack) for event in played.events)
    assert ["tools" in body for body in bodies(played)] == [False, True]


def test_model_that_is_chosen_on_the_way_is_asked_in_its_way() -> None:
    models = Answer((b'{"data": [{"id": "first"}]}',))
    played = play(models, whole(BONN), route=[replace(target(), model="")])

    assert played.response is not None
    assert played.response.parsed == {"name": "Bonn"}


def test_ways_are_the_same_for_the_async_driver() -> None:
    import asyncio

    stage = Stage(Scenario("", (whole("Hm"), whole(BONN)), Expected(())))

    async def main() -> Any:
        context = CallContext("call", [target()], clock=stage.clock)
        return await async_driver(stage).run(run_call(REQUEST, context))

    assert asyncio.run(main()).parsed == {"name": "Bonn"}


def test_refusal_is_an_answer_that_is_not_parsed() -> None:
    choice = {"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    played = play(Answer((body,), headers=(("content-type", "application/json"),)))

    assert played.response is not None
    assert (played.response.content, played.response.finish_reason) == ("I will not.", "refusal")
    assert played.response.parsed is None
    assert len(played.requests) == 1

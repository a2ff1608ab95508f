"""Responses and Completions of a real server: llama.cpp with the demo model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from llm_client import AsyncLLMClient, LLMClient, LLMConfig
from llm_client.exceptions import ValidationError
from llm_client.runtimes.demo_model import DEFAULT, SCRIPTS
from llm_client.types.messages import Message, Tool
from llm_client.types.response import LLMResponse

TOOL = Tool("weather", "The weather.", {"type": "object", "properties": {}})
OK = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
HELLO = SCRIPTS[DEFAULT].text


def config(url: str, dialect: str | None = None) -> LLMConfig:
    return LLMConfig(base_url=url, model="demo", dialect=dialect)


@pytest.fixture
def responses(llama_server: str) -> Iterator[LLMClient]:
    with LLMClient(config(llama_server, "openai-responses")) as client:
        yield client


@pytest.fixture
def completions(llama_server: str) -> Iterator[LLMClient]:
    with LLMClient(config(llama_server, "openai-completions")) as client:
        yield client


def ask(client: LLMClient, prompt: Any, *, stream: bool, **options: Any) -> LLMResponse:
    if not stream:
        return client.generate(prompt, **options)
    with client.stream(prompt, **options) as chunks:
        assert len(list(chunks)) > 1
        return chunks.response


STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@STREAM
def test_responses_answer_with_text_and_usage(responses: LLMClient, stream: bool) -> None:
    response = ask(
        responses, "hi", stream=stream, system="Be brief.", temperature=0.1, max_tokens=99
    )
    assert (response.content, response.finish_reason) == (HELLO, "stop")
    assert response.model == "demo"
    usage = response.usage
    assert usage is not None
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@STREAM
def test_responses_answer_with_tool_calls_and_take_results(
    responses: LLMClient, stream: bool
) -> None:
    first = ask(responses, "hi", stream=stream, tools=[TOOL])
    assert first.finish_reason == "tool_calls"
    (call,) = first.tool_calls
    assert call.name == "weather"
    assert isinstance(json.loads(call.arguments), dict)
    turn = [Message("user", "hi"), first.message, Message("tool", "rain", tool_call_id=call.id)]
    second = ask(responses, turn, stream=stream, tools=[TOOL])
    assert (second.content, second.tool_calls) == (HELLO, ())


@STREAM
def test_responses_think_and_take_the_thought_back(responses: LLMClient, stream: bool) -> None:
    first = ask(responses, "/think", stream=stream)
    assert first.reasoning.startswith("The question asks for some thinking.")
    assert first.content.startswith("The answer is 42")
    assert first.provider_state is not None
    assert [item["type"] for item in first.provider_state.items] == ["reasoning", "message"]
    stored = Message.parse(json.loads(json.dumps(first.message.to_dict())))
    assert stored.provider_state == first.provider_state
    second = ask(
        responses, [Message("user", "/think"), stored, Message("user", "/json")], stream=stream
    )
    assert second.content == '{"ok": true}'


@STREAM
def test_responses_answer_to_a_conversation(responses: LLMClient, stream: bool) -> None:
    turns = [Message("user", "hi"), Message("assistant", "Hello."), Message("user", "/json")]
    assert ask(responses, turns, stream=stream).content == '{"ok": true}'


@STREAM
def test_responses_answer_with_what_follows_a_schema(responses: LLMClient, stream: bool) -> None:
    assert ask(responses, "/json", stream=stream, schema=OK).parsed == {"ok": True}


def test_responses_list_the_models(responses: LLMClient) -> None:
    assert [model.id for model in responses.list_models(use_cache=False)] == ["demo"]
    assert responses.health_check()


@STREAM
def test_completions_answer_with_text_and_usage(completions: LLMClient, stream: bool) -> None:
    response = ask(completions, "Once", stream=stream, max_tokens=5, temperature=0.0, seed=1)
    assert (response.content, response.finish_reason) == ("Hello! I am the demo", "length")
    usage = response.usage
    assert usage is not None
    assert (usage.completion_tokens, usage.total_tokens) == (5, usage.prompt_tokens + 5)


def test_completions_end_at_a_stop_sequence(completions: LLMClient) -> None:
    response = completions.generate("Once", stop="demo")
    assert (response.content, response.finish_reason) == ("Hello! I am the ", "stop")


def test_completion_goes_to_the_legacy_path_whatever_the_dialect(llama_server: str) -> None:
    for dialect in (None, "openai-responses", "anthropic"):
        with LLMClient(config(llama_server, dialect)) as client:
            response = client.completion("Once", max_tokens=5, suffix=" the end.")
            assert response.content == "Hello! I am the demo"
            assert response.raw["object"] == "text_completion"
            assert client.target.provider.dialect == (dialect or "openai-chat")
            assert client.get_request_count() == 1
            assert client.get_last_response() == response


def test_completion_on_asyncio_says_the_same(llama_server: str) -> None:
    async def completed() -> LLMResponse:
        async with AsyncLLMClient(config(llama_server)) as client:
            return await client.completion("Once", max_tokens=5)

    with LLMClient(config(llama_server)) as client:
        one = client.completion("Once", max_tokens=5)
    other = asyncio.run(completed())
    assert (one.content, one.finish_reason) == (other.content, other.finish_reason)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        pytest.param({"system": "Be brief."}, "messages", id="system"),
        pytest.param({"tools": [TOOL]}, "tools", id="tools"),
        pytest.param({"schema": OK}, "schema", id="schema"),
        pytest.param({"reasoning_effort": "low"}, "reasoning_effort", id="effort"),
    ],
)
def test_completion_refuses_what_only_a_conversation_has(
    closed_url: str, options: dict[str, Any], param: str
) -> None:
    with LLMClient(config(closed_url)) as client, pytest.raises(ValidationError) as caught:
        client.completion("Once", **options)
    assert caught.value.param == param

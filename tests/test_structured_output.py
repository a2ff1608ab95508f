"""Structured output and tools from functions through the clients, against llama.cpp's own server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypedDict

import pydantic
import pytest

from llm_client import AsyncLLMClient, InvalidOutputError, LLMClient, LLMConfig, ValidationError
from llm_client.engine.drivers import SyncDriver
from llm_client.engine.pipeline import CallContext, run_call
from llm_client.routes import Link
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.target import ProviderSpec, Quirks, Target

from .support.fault_server import FaultServer, fault_server, respond

JSON = [("Content-Type", "application/json")]


@dataclass
class Verdict:
    """What is thought of it."""

    good: bool
    tone: Literal["warm", "cold"]
    next: Verdict | None = None


class Row(TypedDict):
    good: bool


class Model(pydantic.BaseModel):  # type: ignore[misc]
    good: bool


def reply(content: str) -> Any:
    """Answer with a text, and with a bill."""
    choice = {"message": {"content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}
    body = json.dumps({"model": "gpt-4o-mini", "choices": [choice], "usage": usage})
    return respond(headers=JSON, body=body.encode())


def client_of(server: FaultServer, **options: Any) -> LLMClient:
    return LLMClient(LLMConfig(base_url=server.url, model="m", retry_delay=0.01, **options))


@pytest.mark.parametrize(
    ("shape", "kind"), [(Verdict, Verdict), (Row, dict), (Model, Model)], ids=lambda t: t.__name__
)
def test_real_server_answers_with_an_object_of_the_type(
    shape: Any, kind: type, llama_server: str
) -> None:
    with LLMClient(LLMConfig(base_url=llama_server, model="demo")) as client:
        response = client.generate("hi", schema=shape)

    assert isinstance(response.parsed, kind)


@pytest.mark.parametrize("way", ["native", "tool"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_real_server_answers_in_either_way(way: str, stream: bool, llama_server: str) -> None:
    provider = ProviderSpec(
        "box", f"{llama_server}/v1", "openai-chat", quirks=Quirks("max_tokens", schema=way)
    )
    request = LLMRequest((Message("user", "hi"),), schema=Row, stream=stream)  # type: ignore[arg-type]
    context = CallContext("call", [Target(provider, "demo", provider.base_url)])
    driver = SyncDriver()
    try:
        if stream:
            chunks = list(driver.iterate(run_call(request, context)))
            text = "".join(chunk.delta for chunk in chunks)
        else:
            text = driver.run(run_call(request, context)).content
    finally:
        driver.close()

    assert isinstance(json.loads(text)["good"], bool)


def test_real_server_calls_a_function(llama_server: str) -> None:
    def get_weather(city: Annotated[str, "where"], days: int = 1) -> str:
        """Weather of a city."""
        return f"{city} {days}"

    with LLMClient(LLMConfig(base_url=llama_server, model="demo")) as client:
        response = client.generate("How is the weather in Paris?", tools=[get_weather])

    (call,) = response.tool_calls
    assert call.name == "get_weather"
    assert "city" in json.loads(call.arguments)


def test_answer_is_asked_for_again_as_often_as_it_is_said() -> None:
    with fault_server(reply("Hm")) as server, client_of(server) as client:
        with pytest.raises(InvalidOutputError):
            client.generate("hi", schema=Row, schema_retries=1)
        assert len(server.requests) == 2
        with pytest.raises(InvalidOutputError):
            client.generate("hi", schema=Row)
        assert len(server.requests) == 5
        assert client.get_stats().request_count == 5
        assert client.get_stats().failed_count == 5


def test_retries_can_be_a_default_of_the_client() -> None:
    with fault_server(reply("Hm")) as server:
        with (
            LLMClient(LLMConfig(base_url=server.url, model="m"), schema_retries=0) as client,
            pytest.raises(InvalidOutputError),
        ):
            client.generate("hi", schema=Row)
        assert len(server.requests) == 1


def test_async_client_asks_again_too() -> None:
    async def main(server: FaultServer) -> Any:
        async with AsyncLLMClient(LLMConfig(base_url=server.url, model="m")) as client:
            return await client.generate("hi", schema=Verdict)

    good = '{"good": true, "tone": "warm", "next": null}'
    with fault_server(reply("Hm"), reply(good)) as server:
        response = asyncio.run(main(server))

    assert response.parsed == Verdict(True, "warm")
    assert response.attempts == 2


@pytest.mark.parametrize("retries", [-1, 1.5, "2"])
def test_retries_that_are_no_count_are_refused(retries: Any) -> None:
    with fault_server(reply("{}")) as server, client_of(server) as client:
        with pytest.raises(ValidationError, match="schema_retries"):
            client.generate("hi", schema=Row, schema_retries=retries)
        assert server.connections == 0


@pytest.mark.parametrize(
    "schema", [{"type": "strng"}, {"$ref": "https://h.test/s.json"}, int, 3], ids=str
)
def test_schema_that_is_broken_sends_nothing(schema: Any) -> None:
    with fault_server(reply("{}")) as server, client_of(server) as client:
        with pytest.raises(ValidationError, match="schema"):
            client.generate("hi", schema=schema)
        with pytest.raises(ValidationError, match="schema"), client.stream("hi", schema=schema):
            pass
        assert server.connections == 0


def test_preview_shows_the_way_in_which_the_target_is_asked() -> None:
    with LLMClient("vllm/m", schema=Row) as client:
        native = json.loads(client.preview("hi").body or b"")
        target = client._calls.target
        target = replace(target, provider=replace(target.provider, quirks=Quirks(schema="prompt")))
        client._calls._links = (Link(target),)
        said = json.loads(client.preview("hi").body or b"")

    assert "response_format" in native
    assert "Answer with one JSON value" in json.dumps(said)


def test_answer_of_a_priced_provider_has_its_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(reply("Hi")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")
        with LLMClient("openai/gpt-4o-mini") as client:
            response = client.generate("hi")
            assert client.get_stats().total_cost == response.cost

    assert response.cost is not None
    assert 0.0001 < response.cost < 0.01


def test_answer_of_a_provider_without_prices_has_none() -> None:
    with fault_server(reply("Hi")) as server, client_of(server) as client:
        assert client.generate("hi").cost is None


@pytest.mark.parametrize("dialect", ["anthropic", "openai-responses"])
def test_server_that_passes_over_the_schema_is_asked_in_another_way(
    dialect: str, llama_server: str
) -> None:
    told: list[Any] = []
    config = LLMConfig(base_url=llama_server, model="demo", dialect=dialect)
    with LLMClient(config, observe=told.append) as client:
        response = client.generate("hi", schema=Verdict)

    assert isinstance(response.parsed, Verdict)
    assert response.attempts == 2
    assert any("no JSON" in getattr(event, "text", "") for event in told)


def test_text_completion_refuses_a_schema_by_name_and_sends_nothing() -> None:
    told: list[Any] = []
    with fault_server(reply("Hm")) as server:
        config = LLMConfig(base_url=server.url, model="m", dialect="openai-completions")
        with (
            LLMClient(config, observe=told.append) as client,
            pytest.raises(ValidationError, match="schema") as caught,
        ):
            client.generate("hi", schema=Row)
        assert server.requests == []
    assert caught.value.param == "schema"
    assert "refused" not in str(told)

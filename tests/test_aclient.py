"""`AsyncLLMClient`: the same names and answers as `LLMClient`, on asyncio."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    AuthenticationError,
    ConfigurationError,
    InvalidOutputError,
    LLMClient,
    LLMConfig,
    LLMError,
    Message,
    Tool,
    ValidationError,
)
from llm_client.aclient import AsyncStream
from llm_client.client import Stream

from .conftest import LLAMA_KEY
from .support.fault_server import fault_server, respond, status
from .support.slots import busy_slots, seconds_until_idle

SLOT_SECONDS = 0.1
"""How soon a slot of llama.cpp must be free after the client hung up in the middle of a stream."""
WHOLE_SLOT_SECONDS = 2.0
"""The same for an answer that comes whole: llama.cpp looks only once a second whether anybody is
still there (seen with llama.cpp 2026-10)."""
WEATHER = Tool("get_weather", "", {"type": "object", "properties": {"city": {"type": "string"}}})
JSON = [("Content-Type", "application/json")]
ANSWER = json.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]})


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    gc.collect()


def run(url: str, work: Callable[[AsyncLLMClient], Awaitable[Any]], **config: Any) -> Any:
    """Run `work` with a client of the server at `url`."""

    async def main() -> Any:
        async with AsyncLLMClient(LLMConfig(base_url=url, model="demo", **config)) as client:
            return await work(client)

    return asyncio.run(main())


def test_both_clients_have_the_same_methods_and_arguments() -> None:
    """Whoever adds a method to one must add it to the other."""
    for sync_class, async_class in ((LLMClient, AsyncLLMClient), (Stream, AsyncStream)):
        sync_names = {name for name in vars(sync_class) if not name.startswith("_")}
        async_names = {name for name in vars(async_class) if not name.startswith("_")}
        assert sync_names == async_names
        for name in sync_names:
            one, other = getattr(sync_class, name), getattr(async_class, name)
            if callable(one):
                arguments = inspect.signature(one).parameters
                assert list(arguments.values()) == list(
                    inspect.signature(other).parameters.values()
                )


@pytest.mark.parametrize("prompt", ["hi", "/utf8", "/think", "/json", "/empty"])
def test_answer_is_that_of_the_sync_client(llama_server: str, prompt: str) -> None:
    with LLMClient(LLMConfig(base_url=llama_server, model="demo")) as client:
        expected = client.generate(prompt)

    async def work(client: AsyncLLMClient) -> None:
        whole = await client.generate(prompt)
        async with client.stream(prompt) as stream:
            chunks = [chunk async for chunk in stream]
        assert whole.content == stream.response.content == expected.content
        assert whole.reasoning == stream.response.reasoning == expected.reasoning
        assert "".join(chunk.delta for chunk in chunks) == expected.content
        assert chunks[-1].is_done
        assert client.get_last_response() is stream.response
        assert client.get_request_count() == 2

    run(llama_server, work)


@pytest.mark.parametrize("method", ["generate", "chat", "complete"])
def test_every_method_takes_messages(llama_server: str, method: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        response = await getattr(client, method)([Message("user", "/json")])
        assert response.content == '{"ok": true}'

    run(llama_server, work)


def test_options_tools_and_schema_work_as_in_the_sync_client(llama_server: str) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

    async def work(client: AsyncLLMClient) -> None:
        assert (await client.generate("/long", max_tokens=5)).finish_reason == "length"
        assert (await client.generate("hi", stop="demo")).content.endswith("the ")
        assert isinstance((await client.generate("hi", schema=schema)).parsed["ok"], bool)
        (call,) = (await client.generate("weather?", tools=[WEATHER])).tool_calls
        assert json.loads(call.arguments) == {"city": "Paris"}
        with pytest.raises(InvalidOutputError):
            await client.generate("hi", schema=schema, max_tokens=2)
        with pytest.raises(ValidationError):
            client.stream("")

    run(llama_server, work)


def test_breaking_out_of_a_stream_frees_the_slot(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        async with client.stream("/long") as stream:
            async for chunk in stream:
                if chunk.delta:
                    break
            assert await asyncio.to_thread(busy_slots, llama_server) == 1
        assert await asyncio.to_thread(seconds_until_idle, llama_server) < SLOT_SECONDS
        assert client.get_stats().failed_count == 1

    run(llama_server, work)


def test_breaking_out_of_a_stream_that_nobody_keeps_frees_the_slot(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        async for chunk in client.stream("/long"):
            if chunk.delta:
                break
        assert await asyncio.to_thread(seconds_until_idle, llama_server) < SLOT_SECONDS

    run(llama_server, work)


@pytest.mark.parametrize("streamed", [True, False])
def test_cancelling_a_task_frees_the_slot(llama_server: str, streamed: bool) -> None:
    async def work(client: AsyncLLMClient) -> None:
        async def ask() -> None:
            if not streamed:
                await client.generate("/long")
                return
            async with client.stream("/long") as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(ask())
        while not await asyncio.to_thread(busy_slots, llama_server):
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        limit = SLOT_SECONDS if streamed else WHOLE_SLOT_SECONDS
        assert await asyncio.to_thread(seconds_until_idle, llama_server) < limit
        assert client.get_stats().failed_count == 1

    run(llama_server, work)


def test_timeout_around_a_call_frees_the_slot(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.generate("/long")
        assert await asyncio.to_thread(seconds_until_idle, llama_server) < WHOLE_SLOT_SECONDS

    run(llama_server, work)


def test_stream_has_no_response_before_its_end(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        stream = client.stream("hi")
        await anext(stream)
        with pytest.raises(LLMError, match="not complete"):
            _ = stream.response
        await stream.close()
        await stream.close()
        assert [chunk async for chunk in stream] == []

    run(llama_server, work)


def test_models_health_stats_and_session(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        assert [model.id for model in await client.list_models()] == ["demo"]
        assert [model.id for model in await client.list_models(use_cache=False)] == ["demo"]
        await client.invalidate_cache()
        assert await client.health_check()
        assert not await client.health_check("ollama")
        await client.generate("/json")
        assert client.get_stats().call_count == 1
        await client.reset_session()
        await client.generate("/json")
        client.reset_stats()
        assert client.get_stats().call_count == 0
        assert client.target.model == "demo"
        assert client.reason == ""
        assert client.preview("hi").method == "POST"
        await client.close()
        await client.close()
        assert (await client.generate("/json")).content == '{"ok": true}'

    run(llama_server, work)


def test_wrong_key_is_refused_and_the_right_one_accepted(llama_server_with_key: str) -> None:
    async def works(client: AsyncLLMClient) -> None:
        assert (await client.generate("/json")).content == '{"ok": true}'

    async def fails(client: AsyncLLMClient) -> None:
        with pytest.raises(AuthenticationError):
            await client.generate("hi")
        assert not await client.health_check()

    run(llama_server_with_key, works, api_key=LLAMA_KEY)
    run(llama_server_with_key, fails, api_key="sk-wrong-key-12345")


def test_one_client_serves_two_event_loops_one_after_the_other(llama_server: str) -> None:
    client = AsyncLLMClient(LLMConfig(base_url=llama_server, model="demo"))

    async def ask() -> str:
        return (await client.generate("/json")).content

    async def ask_and_close() -> str:
        async with client:
            return await ask()

    assert asyncio.run(ask()) == asyncio.run(ask_and_close()) == '{"ok": true}'


def test_many_tasks_share_one_client(llama_server: str) -> None:
    async def work(client: AsyncLLMClient) -> None:
        async def ask() -> str:
            async with client.stream("/json") as stream:
                return "".join([chunk.delta async for chunk in stream])

        assert {*await asyncio.gather(*(ask() for _ in range(64)))} == {'{"ok": true}'}
        assert client.get_request_count() == 64

    run(llama_server, work)


def test_many_tasks_ask_at_once() -> None:
    async def work(client: AsyncLLMClient) -> None:
        responses = await asyncio.gather(*(client.generate("hi") for _ in range(200)))
        assert {response.content for response in responses} == {"Hello"}
        assert client.get_stats().call_count == 200

    with fault_server(respond(200, JSON, ANSWER.encode())) as server:
        run(server.url, work)

        assert len(server.requests) == 200
        assert server.connections <= 100


def test_fallback_chain_can_be_set_later(closed_url: str) -> None:
    with fault_server(status(401), respond(200, JSON, ANSWER.encode())) as server:

        async def main() -> None:
            async with AsyncLLMClient(LLMConfig(base_url=server.url, model="m")) as client:
                client.set_fallback_chain([LLMConfig(base_url=server.url, model="second")])
                assert (await client.generate("hi")).used_fallback

        asyncio.run(main())
    assert json.loads(server.requests[1].body)["model"] == "second"


def test_embedded_model_answers_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_client.runtimes.gguf_models import unload_models

    monkeypatch.setenv("LLM_CLIENT_CACHE_DIR", str(tmp_path))

    async def main() -> None:
        async with AsyncLLMClient("embedded/demo") as client:
            assert (await client.generate("/json")).content == '{"ok": true}'
            async with client.stream("/long") as stream:
                await anext(stream)
            assert client.get_stats().failed_count == 1

    try:
        asyncio.run(main())
    finally:
        unload_models()


def test_client_can_be_made_outside_of_a_loop_and_refuses_like_the_sync_one() -> None:
    with pytest.raises(ConfigurationError, match="No key for 'openai'"):
        AsyncLLMClient("openai/gpt-5")
    wrong: Any = {"temprature": 1}
    with pytest.raises(ValidationError, match="no option 'temprature'"):
        AsyncLLMClient("ollama/m", **wrong)

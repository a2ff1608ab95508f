"""The Anthropic dialect against llama.cpp's own server, which speaks it too."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest

from llm_client import AuthenticationError, LLMClient, LLMConfig, Message, Tool
from llm_client.types.response import Fold, LLMResponse

from .conftest import LLAMA_KEY
from .support.slots import busy_slots, seconds_until_idle

WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def client_of(url: str, key: str | None = None) -> LLMClient:
    return LLMClient(
        LLMConfig(provider="llamacpp", dialect="anthropic", base_url=url, model="demo", api_key=key)
    )


@pytest.fixture
def client(llama_server: str) -> Iterator[LLMClient]:
    with client_of(llama_server) as client:
        yield client
    gc.collect()


def both(client: LLMClient, prompt: str | list[Message], **options: object) -> list[LLMResponse]:
    """Return the answer as it comes whole and as it comes streamed."""
    whole = client.generate(prompt, **options)  # type: ignore[arg-type]
    with client.stream(prompt, **options) as stream:  # type: ignore[arg-type]
        chunks = list(stream)
    assert len([chunk for chunk in chunks if chunk.delta or chunk.tool_call]) > 1
    return [whole, stream.response]


def test_request_goes_to_the_path_of_the_dialect(client: LLMClient, llama_server: str) -> None:
    request = client.preview("hi")
    assert request.url == f"{llama_server}/v1/messages"
    assert json.loads(request.body or b"")["max_tokens"] == 4096


def test_answer_is_the_same_whole_and_streamed(client: LLMClient) -> None:
    whole, streamed = both(client, "hi", system="Be brief.", temperature=0.0)
    assert "demo model" in whole.content
    assert streamed.content == whole.content
    for response in (whole, streamed):
        assert (response.finish_reason, response.model) == ("stop", "demo")
        assert response.provider == "llamacpp"
        assert response.response_id
    assert isinstance(whole.raw, dict)


def test_usage_counts_the_cached_tokens_once(client: LLMClient) -> None:
    for response in both(client, "What do you count?"):
        usage = response.tokens
        assert usage.prompt_tokens > 5
        assert usage.completion_tokens > 5
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert usage.cached_tokens is not None
        assert usage.cached_tokens < usage.prompt_tokens
    first, second = (r.tokens.prompt_tokens for r in both(client, "What do you count?"))
    assert first == second == usage.prompt_tokens


def test_limit_of_tokens_ends_the_answer(client: LLMClient) -> None:
    for response in both(client, "hi", max_tokens=4):
        assert response.finish_reason == "length"
        assert response.tokens.completion_tokens == 4


@pytest.mark.parametrize(
    ("prompt", "answer"), [("/utf8", "Grüße, 世界 🌍 – naïve café ✓"), ("/json", '{"ok": true}')]
)
def test_text_comes_as_the_model_wrote_it(client: LLMClient, prompt: str, answer: str) -> None:
    assert [response.content for response in both(client, prompt)] == [answer, answer]


def test_thinking_comes_apart_from_the_text(client: LLMClient) -> None:
    for response in both(client, "/think"):
        assert response.reasoning
        assert response.content
        assert "<think>" not in response.content
        assert response.provider_state is None


def test_call_and_its_result_make_a_round(client: LLMClient) -> None:
    question = Message("user", "How is the weather?")
    for response in both(client, [question], tools=[WEATHER]):
        assert response.finish_reason == "tool_calls"
        (call,) = response.tool_calls
        assert call.id
        assert call.name == "get_weather"
        assert isinstance(json.loads(call.arguments), dict)
        result = Message("tool", "20 °C", tool_call_id=call.id)
        answer = client.generate([question, response.message, result], tools=[WEATHER])
        assert answer.finish_reason == "stop"
        assert answer.content


def test_stream_that_is_left_frees_the_server(client: LLMClient, llama_server: str) -> None:
    fold = Fold()
    with client.stream("/long", max_tokens=3000) as stream:
        for chunk in stream:
            fold.add(chunk)
            if len(fold.text) > 50:
                break
        assert busy_slots(llama_server) == 1
    assert seconds_until_idle(llama_server, at_most=5.0) < 5.0


def test_models_are_listed(client: LLMClient) -> None:
    assert [model.id for model in client.list_models(use_cache=False)] == ["demo"]


def test_key_is_taken_and_a_wrong_one_refused(llama_server_with_key: str) -> None:
    with client_of(llama_server_with_key, LLAMA_KEY) as client:
        assert client.generate("hi").content
    with (
        client_of(llama_server_with_key, "sk-wrong") as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        client.generate("hi")
    assert caught.value.status == 401
    gc.collect()

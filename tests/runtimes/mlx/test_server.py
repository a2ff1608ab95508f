"""mlx_lm.server by URL, the real one with the tiny model: the other way to run MLX models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_client import LLMAPIError, LLMClient, LLMConfig, Message, ModelNotFoundError, Tool
from tests.support.mlx_server import running_mlx_server

HELLO = "Hello! I am a tiny test model."
WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def server(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mlx_server(Path(tiny_model), tmp_path_factory.mktemp("cache")) as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[LLMClient]:
    config = LLMConfig(provider="mlx", base_url=f"{server}/v1", model="default_model")
    with LLMClient(config) as client:
        yield client


def test_whole_answer_has_text_and_usage(client: LLMClient) -> None:
    response = client.generate("hi")
    assert (response.content, response.finish_reason, response.provider) == (HELLO, "stop", "mlx")
    assert response.usage is not None
    assert response.usage.completion_tokens == 8


def test_health_has_its_model_and_needs_no_key(client: LLMClient) -> None:
    report = client.health_check(timeout=30)
    assert report, report.error
    assert (report.reachable, report.model_present) == (True, True)
    assert (report.key_accepted, report.loaded) == (None, ())


def test_stream_has_text_reasoning_and_usage(client: LLMClient) -> None:
    with client.stream("/think") as stream:
        chunks = list(stream)
    assert len([chunk for chunk in chunks if chunk.delta]) > 1
    assert (stream.response.reasoning or "").strip() == "Let me think about it…"
    assert stream.response.content.strip() == "The answer is 42."
    assert stream.response.usage is not None
    assert stream.response.usage.completion_tokens == 15


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_tool_call_is_read(client: LLMClient, streamed: bool) -> None:
    if streamed:
        with client.stream("weather?", tools=[WEATHER]) as stream:
            list(stream)
        response = stream.response
    else:
        response = client.generate("weather?", tools=[WEATHER])
    [call] = response.tool_calls
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
    assert response.finish_reason == "tool_calls"
    result = Message("tool", "sunny", tool_call_id=call.id)
    turn = [Message("user", "weather?"), Message("assistant", "", tool_calls=(call,)), result]
    assert client.generate(turn, tools=[WEATHER]).content == HELLO


def test_limit_of_tokens_is_a_length(client: LLMClient) -> None:
    response = client.generate("/long", max_tokens=3)
    assert (response.content.strip(), response.finish_reason) == ("one two three", "length")


def test_leaving_a_stream_frees_the_server(client: LLMClient) -> None:
    with client.stream("/long", max_tokens=100_000) as stream:
        next(stream)
    assert client.generate("/json", timeout=10).content == '{"ok": true}'


def test_its_404_does_not_mean_that_a_model_is_missing(client: LLMClient) -> None:
    # It answers 404 to whatever goes wrong, here in the chat template.
    with pytest.raises(LLMAPIError) as caught:
        client.generate([Message("tool", "sunny", tool_call_id="none")], model="no/such-model")
    assert caught.value.status == 404
    assert not isinstance(caught.value, ModelNotFoundError)


def test_models_are_listed(client: LLMClient, tiny_model: str) -> None:
    assert [model.id for model in client.list_models(use_cache=False)] == [tiny_model]


def test_program_asks_it_by_url(server: str) -> None:
    from tests.cli.program import run

    result = run("generate", "-p", "mlx", "-u", f"{server}/v1", "hi")
    assert (result.status, result.text) == (0, f"{HELLO}\n"), result.stderr

"""Every dialect through the LiteLLM proxy, which speaks them all, before a real llama.cpp server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from llm_client import (
    AuthenticationError,
    ContextLengthError,
    LLMAPIError,
    LLMClient,
    LLMConfig,
    LLMServiceError,
    Message,
    ModelNotFoundError,
    RateLimitError,
    Tool,
)
from llm_client.runtimes.demo_model import DEFAULT, SCRIPTS
from llm_client.types.response import LLMResponse
from tests.cli.program import run
from tests.peers.litellm_proxy import MOCK_TEXT, RPM

# As in `litellm_auth`, which only the proxy can import.
KEY = "sk-test-good-0123456789"
KEY_ONCE_A_MINUTE = "sk-test-once-0123456789"
WRONG_KEY = "sk-test-wrong-0123456789"

CHAT, RESPONSES, ANTHROPIC, GEMINI = "openai-chat", "openai-responses", "anthropic", "gemini"
DIALECTS = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
HELLO = SCRIPTS[DEFAULT].text
THOUGHT = "The question asks for some thinking. All I have is this fixed text."
WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@dataclass
class Ok:
    ok: bool


def client_of(url: str, dialect: str, model: str, key: str = KEY) -> LLMClient:
    return LLMClient(
        LLMConfig(
            provider="litellm",
            dialect=dialect,
            base_url=url,
            model=model,
            api_key=key,
            max_retries=0,
        )
    )


def ask(
    url: str, dialect: str, model: str, prompt: Any, *, streamed: bool, **options: Any
) -> LLMResponse:
    with client_of(url, dialect, model) as client:
        if not streamed:
            return client.generate(prompt, **options)
        with client.stream(prompt, **options) as stream:
            assert list(stream)
        return stream.response


def error_of(url: str, dialect: str, model: str, *, streamed: bool, key: str = KEY) -> LLMAPIError:
    with client_of(url, dialect, model, key) as client, pytest.raises(LLMAPIError) as caught:
        if streamed:
            with client.stream("hi") as stream:
                list(stream)
        else:
            client.generate("hi")
    assert (caught.value.provider, caught.value.model) == ("litellm", model)
    assert key not in str(caught.value)
    assert key not in repr(caught.value)
    return caught.value


both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)
upstream = pytest.mark.parametrize("model", ["llama", "llama-anthropic"])


@both_ways
@upstream
@every_dialect
def test_real_answer_has_its_text_and_usage(
    proxy: str, dialect: str, model: str, streamed: bool
) -> None:
    response = ask(proxy, dialect, model, "hi", streamed=streamed, max_tokens=2000)
    assert (response.content, response.finish_reason) == (HELLO, "stop")
    assert response.provider == "litellm"
    if dialect == GEMINI and streamed:
        # The proxy streams nothing but zeros there, which is no usage.
        assert response.usage is None or response.usage.estimated
    else:
        assert response.usage is not None
        assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (22, 45)


@both_ways
@upstream
@every_dialect
def test_tool_is_called_and_its_result_taken(
    proxy: str, dialect: str, model: str, streamed: bool
) -> None:
    asked = ask(proxy, dialect, model, "weather?", streamed=streamed, tools=[WEATHER])
    [call] = asked.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    assert asked.finish_reason == "tool_calls"
    turn = [
        Message("user", "weather?"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "sunny", name="get_weather", tool_call_id=call.id),
    ]
    answered = ask(proxy, dialect, model, turn, streamed=streamed, tools=[WEATHER])
    assert answered.content == HELLO


@both_ways
@pytest.mark.parametrize(
    ("dialect", "model"),
    [
        pytest.param(CHAT, "llama", id="chat"),
        pytest.param(CHAT, "llama-anthropic", id="chat-to-anthropic"),
        pytest.param(RESPONSES, "llama", id="responses"),
        pytest.param(RESPONSES, "llama-anthropic", id="responses-to-anthropic"),
        # From other formats the proxy hands no reasoning on.
        pytest.param(ANTHROPIC, "llama-anthropic", id="anthropic"),
    ],
)
def test_reasoning_is_apart(proxy: str, dialect: str, model: str, streamed: bool) -> None:
    response = ask(proxy, dialect, model, "/think", streamed=streamed, max_tokens=2000)
    assert (response.reasoning or "").strip() == THOUGHT
    assert response.content.strip() == "The answer is 42, as always with a demo model."


@both_ways
@pytest.mark.parametrize(
    ("dialect", "model"),
    [(CHAT, "mock"), (ANTHROPIC, "mock"), (ANTHROPIC, "mock-anthropic"), (GEMINI, "mock")],
)
def test_mock_reply_is_read(proxy: str, dialect: str, model: str, streamed: bool) -> None:
    response = ask(proxy, dialect, model, "hi", streamed=streamed)
    assert (response.content, response.finish_reason) == (MOCK_TEXT, "stop")


def test_mock_reply_of_responses_is_read(proxy: str) -> None:
    # Streamed, the proxy itself fails on it: "Error processing stream start".
    assert ask(proxy, RESPONSES, "mock", "hi", streamed=False).content == MOCK_TEXT


@both_ways
def test_legacy_completion_is_read(proxy: str, streamed: bool) -> None:
    response = ask(proxy, "openai-completions", "llama", "hi", streamed=streamed, max_tokens=200)
    assert response.content == HELLO
    assert response.usage is not None
    assert response.usage.completion_tokens == 45


def test_schema_is_held_by_the_server_behind(proxy: str) -> None:
    with client_of(proxy, CHAT, "llama") as client:
        assert client.generate("/json", schema=Ok).parsed == Ok(ok=True)


@both_ways
@pytest.mark.parametrize(
    ("dialect", "model"),
    # Not by llama.cpp's own Responses: what is cut is "completed" there (seen 2026-10).
    [
        (CHAT, "llama"),
        (RESPONSES, "llama-anthropic"),
        (ANTHROPIC, "llama-anthropic"),
        (GEMINI, "llama"),
    ],
)
def test_limit_of_tokens_is_a_length(proxy: str, dialect: str, model: str, streamed: bool) -> None:
    response = ask(proxy, dialect, model, "/long", streamed=streamed, max_tokens=5)
    assert response.finish_reason == "length"


@both_ways
@every_dialect
def test_wrong_key_is_an_authentication_error(proxy: str, dialect: str, streamed: bool) -> None:
    error = error_of(proxy, dialect, "mock", streamed=streamed, key=WRONG_KEY)
    assert isinstance(error, AuthenticationError)
    assert (error.status, error.retryable) == (401, False)


@both_ways
@every_dialect
def test_missing_model_is_model_not_found(proxy: str, dialect: str, streamed: bool) -> None:
    error = error_of(proxy, dialect, "nonesuch", streamed=streamed)
    assert isinstance(error, ModelNotFoundError)
    assert error.status == 400


@both_ways
@every_dialect
def test_server_that_is_down_behind_the_proxy_is_a_service_error(
    proxy: str, dialect: str, streamed: bool
) -> None:
    error = error_of(proxy, dialect, "down", streamed=streamed)
    assert isinstance(error, LLMServiceError)
    assert (error.status, error.retryable) == (500, True)


@every_dialect
def test_limit_of_a_key_says_when_to_come_back(proxy: str, dialect: str) -> None:
    error = second_error(proxy, dialect, "mock", KEY_ONCE_A_MINUTE)
    assert isinstance(error, RateLimitError)
    assert (error.status, error.retryable) == (429, True)
    # In Anthropic's format the proxy leaves the header out.
    expected = None if dialect == ANTHROPIC else 60.0
    assert error.retry_after == expected


@every_dialect
def test_limit_of_a_model_is_a_rate_limit(proxy: str, dialect: str) -> None:
    error = second_error(proxy, dialect, "rpm", KEY, tries=2 * RPM + 2)
    assert isinstance(error, RateLimitError)
    assert error.status == 429


def second_error(
    url: str, dialect: str, model: str, key: str, *, tries: int = 3
) -> LLMAPIError | None:
    """Ask until it is refused: the minute may begin anew between two requests."""
    for _ in range(tries):
        with client_of(url, dialect, model, key) as client:
            try:
                client.generate("hi")
            except LLMAPIError as error:
                return error
    return None


@both_ways
@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        pytest.param("overloaded", RateLimitError, 429, id="overloaded"),
        pytest.param("too-long", ContextLengthError, 400, id="too-long"),
        pytest.param("broken", LLMServiceError, 500, id="broken"),
    ],
)
@pytest.mark.parametrize("dialect", [CHAT, ANTHROPIC])
def test_error_of_the_model_is_told_apart(
    proxy: str, dialect: str, model: str, kind: type[LLMAPIError], status: int, streamed: bool
) -> None:
    error = error_of(proxy, dialect, model, streamed=streamed)
    assert isinstance(error, kind)
    assert error.status == status


def test_models_are_listed(proxy: str) -> None:
    with client_of(proxy, CHAT, "mock") as client:
        listed = {model.id for model in client.list_models(use_cache=False)}
    assert {"llama", "llama-anthropic", "mock", "rpm"} <= listed


@every_dialect
def test_program_answers_in_every_dialect(
    proxy: str, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    arguments = ("generate", "-p", "litellm", "-u", proxy, "--dialect", dialect)
    result = run(*arguments, "-m", "llama", "--max-tokens", "2000", "hi")
    assert (result.status, result.text) == (0, f"{HELLO}\n"), result.stderr
    missing = run(*arguments, "-m", "nonesuch", "hi")
    assert missing.status == 6, missing.stderr


def test_program_refuses_a_wrong_key_by_its_status(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_API_KEY", WRONG_KEY)
    result = run("generate", "-p", "litellm", "-u", proxy, "-m", "mock", "hi")
    assert (result.status, result.stdout) == (3, b"")
    assert WRONG_KEY not in result.stderr

"""An MLX model as the library and the program use it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    AsyncLLMClient,
    ContextLengthError,
    Image,
    LLMClient,
    LLMConfig,
    Message,
    ModelNotFoundError,
    Text,
    Tool,
    ValidationError,
)
from tests.cli.program import command, environment, run
from tests.support.tiny_mlx import EFFORT, write_tiny_mlx

HELLO = "Hello! I am a tiny test model."
WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {}})


@dataclass
class Ok:
    ok: bool


@pytest.fixture(autouse=True)
def _no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_CLIENT_MLX_BASE_URL")


def client_of(model: str, **options: Any) -> LLMClient:
    return LLMClient(LLMConfig(provider="mlx", model=model, **options))


def test_path_runs_in_this_process(tiny_model: str) -> None:
    with client_of(tiny_model) as client:
        response = client.generate("hi", system="Be brief.")
        assert client.preview("hi").url == "mlx://local/v1/chat/completions"
    assert (response.content, response.finish_reason) == (HELLO, "stop")
    assert (response.provider, response.model) == ("mlx", tiny_model)
    assert response.usage is not None
    assert response.usage.completion_tokens == 8
    assert response.cost is None


def test_stream_has_reasoning_text_and_usage(tiny_model: str) -> None:
    with client_of(tiny_model) as client, client.stream("/think") as stream:
        chunks = list(stream)
    assert len([chunk for chunk in chunks if chunk.reasoning]) > 1
    assert len([chunk for chunk in chunks if chunk.delta]) > 1
    response = stream.response
    assert (response.reasoning, response.content) == ("Let me think about it…", "The answer is 42.")
    assert response.usage is not None
    assert response.usage.completion_tokens == 15


def test_async_client_answers_and_streams(tiny_model: str) -> None:
    async def ask() -> tuple[str, str]:
        async with AsyncLLMClient(LLMConfig(provider="mlx", model=tiny_model)) as client:
            whole = await client.generate("hi")
            async with client.stream("hi") as stream:
                streamed = "".join([chunk.delta async for chunk in stream])
        return whole.content, streamed

    assert asyncio.run(ask()) == (HELLO, HELLO)


def test_tool_call_and_its_result_make_a_turn(tiny_model: str) -> None:
    with client_of(tiny_model) as client:
        asked = client.generate("weather?", tools=[WEATHER])
        [call] = asked.tool_calls
        assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
        assert asked.finish_reason == "tool_calls"
        turn = [
            Message("user", "weather?"),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "sunny", tool_call_id=call.id),
        ]
        assert client.generate(turn, tools=[WEATHER]).content == HELLO


def test_schema_is_asked_for_in_words(tiny_model: str) -> None:
    with client_of(tiny_model) as client:
        assert client.generate("/json", schema=Ok).parsed == Ok(ok=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"tools": [WEATHER], "tool_choice": "required"}, "cannot force", id="tool"),
        pytest.param({"reasoning_effort": "low"}, "reasoning effort", id="effort"),
        pytest.param({"extra_body": {"logprobs": True}}, "'logprobs'", id="extra"),
    ],
)
def test_what_mlx_cannot_do_is_a_validation_error(
    tiny_model: str, fields: dict[str, Any], words: str
) -> None:
    with client_of(tiny_model) as client, pytest.raises(ValidationError, match=words) as caught:
        client.generate("hi", **fields)
    assert caught.value.provider == "mlx"


def test_picture_is_a_validation_error(tiny_model: str) -> None:
    picture = Image(data=b"\x89PNG\r\n\x1a\n", media_type="image/png")
    message = Message("user", (Text("What is this?"), picture))
    with client_of(tiny_model) as client, pytest.raises(ValidationError, match="reads text only"):
        client.generate([message])


def test_long_prompt_is_a_context_length_error(tmp_path: Path) -> None:
    model = str(write_tiny_mlx(tmp_path, context_tokens=50))
    with client_of(model) as client, pytest.raises(ContextLengthError):
        client.generate("x" * 100)


def test_path_that_is_nothing_is_model_not_found(tmp_path: Path) -> None:
    model = str(tmp_path / "nothing")
    with client_of(model) as client, pytest.raises(ModelNotFoundError, match="hf download"):
        client.generate("hi")


def test_effort_reaches_the_template(tmp_path: Path) -> None:
    template = "{{ reasoning_effort }}{{ '<|say_json|>' }}" + EFFORT
    with client_of(str(write_tiny_mlx(tmp_path, template=template))) as client:
        response = client.generate("hi", reasoning_effort="high")
    assert response.usage is not None
    assert (response.content, response.usage.prompt_tokens) == ('{"ok": true}', len("high") + 1)


def test_leaving_a_stream_frees_the_model(tiny_model: str) -> None:
    with client_of(tiny_model) as client:
        with client.stream("/long") as stream:
            next(stream)
        assert client.generate("/json", timeout=10).content == '{"ok": true}'


def test_program_answers_with_the_path(tiny_model: str) -> None:
    result = run("generate", "-p", "mlx", "-m", tiny_model, "hi")
    assert (result.status, result.text) == (0, f"{HELLO}\n"), result.stderr


def test_program_takes_the_path_from_the_environment(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLX_MODEL_PATH", tiny_model)
    result = run("generate", "-p", "mlx", "--json", "hi")
    assert result.status == 0, result.stderr
    assert (result.json["text"], result.json["model"]) == (HELLO, tiny_model)


def test_program_says_what_to_do_about_a_path_that_is_nothing(tmp_path: Path) -> None:
    result = run("generate", "-p", "mlx", "-m", str(tmp_path / "nothing"), "hi")
    assert (result.status, result.stdout) == (6, b"")
    assert "hf download" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_leaves_the_partial_answer(tiny_model: str) -> None:
    with subprocess.Popen(
        command("generate", "-p", "mlx", "-m", tiny_model, "--stream", "/long"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(13) == b"one two three"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=15)
    assert process.returncode == 130
    assert b"Traceback" not in stderr

"""What a client refuses, bounds and keeps to itself, through a real server or the embedded model."""

from __future__ import annotations

import json
import time
import warnings
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from llm_client import (
    ConfigurationError,
    ContextLengthError,
    InsecureConnectionWarning,
    LLMClient,
    LLMConfig,
    LLMError,
    LLMTimeoutError,
    RateLimitError,
    ValidationError,
)

from .support.fault_server import fault_server, respond, status

JSON = [("Content-Type", "application/json")]
ANSWER = json.dumps(
    {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
).encode()
PASSWORD = "hunter2-is-secret"


def test_refused_stream_options_are_left_out_and_the_answer_comes() -> None:
    refusal = status(
        422, b'{"detail": [{"msg": "extra field", "loc": ["body", "stream_options"]}]}'
    )
    with (
        fault_server(refusal, respond(200, JSON, ANSWER)) as server,
        LLMClient(LLMConfig(base_url=server.url, model="m", max_retries=0)) as client,
        client.stream("hi") as stream,
    ):
        assert "".join(chunk.delta for chunk in stream) == "Hello"
        first, second = (json.loads(request.body) for request in server.requests)
    assert first.pop("stream_options") == {"include_usage": True}
    assert first == second


def test_retry_after_that_is_a_date_is_understood_without_the_servers_clock() -> None:
    later = formatdate(time.time() + 3600, usegmt=True)
    with (
        fault_server(status(429, retry_after=later)) as server,
        LLMClient(LLMConfig(base_url=server.url, model="m")) as client,
    ):
        with pytest.raises(RateLimitError) as caught:
            client.generate("hi")
        assert len(server.requests) == 1
    assert caught.value.retry_after == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_deadline_bounds_the_embedded_model_too(streamed: bool) -> None:
    with LLMClient("embedded/demo", deadline=0.3) as client:
        began = time.monotonic()
        with pytest.raises(LLMTimeoutError, match=r"deadline of 0\.3 s ran out") as caught:
            if streamed:
                with client.stream("/long") as stream:
                    list(stream)
            else:
                client.generate("/long")
        assert time.monotonic() - began < 5
    assert caught.value.partial.startswith("This is an endless answer")


def test_whole_answer_of_the_embedded_model_is_streamed_on_the_wire() -> None:
    with LLMClient("embedded/demo") as client:
        assert json.loads(client.preview("hi", stream=False).body or b"")["stream"] is True
        response = client.generate("hi")
    assert "demo model" in response.content
    assert response.usage is not None


def test_prompt_far_beyond_the_embedded_context_is_refused_by_its_size() -> None:
    with (
        LLMClient("embedded/demo", max_retries=0) as client,
        pytest.raises(ContextLengthError, match=r"bytes exceeds the available context size \(8192"),
    ):
        client.generate("a" * 3_000_000)


def test_embedded_calls_at_once_wait_for_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with LLMClient("embedded/demo") as client, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(client.generate, "/long", max_tokens=3000) for _ in range(4)]
        reasons = {call.result().finish_reason for call in calls}
    assert reasons == {"length"}


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": "5"},
        {"deadline": float("inf")},
        {"max_retries": -1},
        {"max_retries": 1.5},
    ],
    ids=str,
)
def test_option_that_makes_no_sense_is_refused_before_anything_is_sent(
    options: dict[str, Any],
) -> None:
    with fault_server(respond(200, JSON, ANSWER)) as server:
        config = LLMConfig(base_url=server.url, model="m")
        with pytest.raises(ValidationError, match=next(iter(options))):
            LLMClient(config, **options)
        with LLMClient(config) as client, pytest.raises(ValidationError):
            client.generate("hi", **options)
        if options.keys() != {"deadline"}:
            with pytest.raises(ValidationError):
                LLMConfig(**options)
        assert not server.requests


def test_none_takes_back_an_option_of_the_client() -> None:
    with LLMClient(LLMConfig(base_url="http://h.test", model="m"), temperature=0.5) as client:
        shown = client.preview("hi", temperature=None)  # type: ignore[arg-type]
    assert "temperature" not in json.loads(shown.body or b"")


def test_client_of_something_else_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="takes an LLMConfig or a text, not int"):
        LLMClient(5)  # type: ignore[arg-type]


def test_target_that_stands_twice_in_a_route_is_tried_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[profiles]\nother = "default"\n[profiles.default]\nmodel = "ollama/m"\n'
        'fallback = ["other", "ollama/m", "ollama/n", "ollama/n"]\n'
    )
    with LLMClient(config_path=file) as client:
        assert [link.target.spec for link in client._calls._links] == ["ollama/m", "ollama/n"]


# --- passwords in an address -------------------------------------------------------------------


def test_password_of_an_address_is_sent_and_shown_nowhere() -> None:
    with fault_server(status(404, b"<html>"), respond(200, JSON, b"[]")) as server:
        config = LLMConfig(base_url=server.url.replace("//", f"//bob:{PASSWORD}@"), model="m")
        with LLMClient(config, max_retries=0) as client:
            with pytest.raises(LLMError) as missing:
                client.generate("hi")
            with pytest.raises(LLMError) as nonsense:
                client.generate("hi")
            report = client.health_check()
            shown = [repr(config), repr(client.target), repr(client.preview("hi")), repr(report)]
        sent = server.requests[0].headers["authorization"]
    for error in (missing.value, nonsense.value):
        shown += [str(error), str(error.hint), repr(error.__dict__)]
    assert sent == "Basic Ym9iOmh1bnRlcjItaXMtc2VjcmV0"
    assert not [text for text in shown if PASSWORD in text]
    assert "***@" in shown[0]


@pytest.mark.parametrize("model", [None, "some-model"])
def test_key_without_a_provider_goes_to_nobody(
    model: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to a server that happens to run here nor to whose key stands in the environment."""
    with fault_server(respond(200, JSON, ANSWER)) as server:
        monkeypatch.setenv("LLM_CLIENT_VLLM_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-other-0123456789")
        with pytest.raises(ConfigurationError, match="nothing says which provider it is for"):
            LLMClient(LLMConfig(api_key="sk-mine-0123456789", model=model))

    assert server.requests == []


@pytest.mark.parametrize("way", ["constructor", "option", "list"])
def test_password_or_key_that_travels_in_the_open_warns_wherever_it_is_used(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMSTUDIO_API_KEY", "sk-x-0123456789")
    monkeypatch.setenv("LLM_CLIENT_LMSTUDIO_BASE_URL", "http://llm.example.test:1234")

    client = LLMClient(LLMConfig(base_url="http://127.0.0.1:1", model="m"))

    def use() -> None:
        match way:
            case "constructor":
                LLMClient(LLMConfig(base_url=f"http://bob:{PASSWORD}@llm.example.test", model="m"))
            case "option":
                client.preview("hi", model="lmstudio/x")
            case _:
                client._calls.list_models("lmstudio", use_cache=False).send(None)

    with pytest.warns(InsecureConnectionWarning, match="goes unencrypted") as caught:
        use()
    assert caught[0].filename == __file__
    assert PASSWORD not in str(caught[0].message)


def test_key_on_this_machine_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LLMClient(LLMConfig(base_url="http://bob:secret@localhost:1", model="m")).close()

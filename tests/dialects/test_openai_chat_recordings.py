"""OpenAI Chat Completions as its providers and local servers really speak it."""

from __future__ import annotations

import json

import pytest

from llm_client.dialects.openai_chat import OpenAIChat

from ..support.recordings import ROOT, local_answer, needs_recordings, provider_exchange
from .answers import (
    answer,
    check_cuts,
    check_splits,
    decode,
    details,
    expected,
    feed,
    plain,
    recording,
    shown,
    target,
)

pytestmark = needs_recordings

ANSWERS = expected("providers") | expected("local_servers")
ERRORS = expected("errors")
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
SERVERS = ["litellm-llama", "llama-cpp-python", "mlx", "ollama", "transformers", "xllamacpp"]
PAIRS = ["chat", "chat-empty", "chat-length", "chat-think", "chat-tools"]
FINISHED = [
    mark
    for reason in (b"stop", b"length", b"tool_calls")
    for mark in (b'"finish_reason":"%s"' % reason, b'"finish_reason": "%s"' % reason)
] + [b"[DONE]"]
NOT_CHAT = {
    "litellm-auth": ("-anth", "-gem", "models"),
    "litellm-errors": ("-anth", "-gem", "modelinfo", "live", "ready", "keygen"),
    "xllamacpp-key": ("-key", "-xkey", "health-", "models-"),
}
EMPTY = "llama-cpp-python/err-too-long-stream"
OPENAI = target("openai")
COMPATIBLE = plain(target("openai-compatible"))


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    row = dict(ANSWERS[name])
    error = row.pop("error", None)
    value = decode(OpenAIChat(), COMPATIBLE, recording(name))
    assert shown(value._replace(error=None)) == row
    assert error is None or error in str(value.error)
    assert (error is None) is (value.error is None)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(OpenAIChat(), COMPATIBLE, recording(name).body)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(OpenAIChat(), COMPATIBLE, recording(name).body, FINISHED)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("server", SERVERS)
def test_streamed_and_whole_answer_say_the_same(server: str, pair: str) -> None:
    whole = decode(OpenAIChat(), COMPATIBLE, local_answer(server, pair))
    streamed = decode(OpenAIChat(), COMPATIBLE, local_answer(server, f"{pair}-stream"))
    assert streamed[:2] == whole[:2]
    assert [call[1:] for call in streamed.tools] == [call[1:] for call in whole.tools]
    assert (streamed.finish, streamed.model) == (whole.finish, whole.model)


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_error_decoded_is_of_its_class(name: str) -> None:
    row = dict(ERRORS[name])
    message = row.pop("message")
    server = name.partition("/")[0]
    provider = {"mlx": "mlx", "xllamacpp": "llamacpp", "xllamacpp-key": "llamacpp"}
    where = target(provider.get(server, "openai-compatible"))
    source = recording(name)
    error = OpenAIChat().error(source.head, source.body, where)
    assert details(error) == row
    assert message in error.message


def test_recordings_of_the_dialect_are_all_covered() -> None:
    assert ROOT is not None
    local = {
        f"{path.parent.name}/{path.stem}"
        for server in [*SERVERS, "litellm-mock", *NOT_CHAT]
        for path in (ROOT / "local-servers" / server).glob("*.http")
        if server in NOT_CHAT or path.stem.startswith(("chat", "err-", "interr", "keepalive"))
        if not any(part in f"/{path.stem}" for part in NOT_CHAT.get(server, ()))
    }
    covered = {*ANSWERS, *ERRORS, EMPTY}
    assert local - covered == set()
    folders = ["openai_chat", "deepseek", "groq", "huggingface", "mistral", "ollama_v1"]
    exchanges = {
        f"{folder}/{path.stem}#{index}"
        for folder in [*folders, "openrouter"]
        for path in (ROOT / "providers" / folder).glob("*.json")
        for index, _ in enumerate(json.loads(path.read_bytes())["exchanges"])
    }
    not_answers = {"openai_chat/invalid_response#0", "openai_chat/text_response#0"}
    assert exchanges - not_answers == {name for name in covered if "#" in name}


@pytest.mark.parametrize(
    ("name", "what"),
    [("invalid_response", "JSON without `choices`"), ("text_response", "not JSON")],
)
def test_recorded_200_that_is_no_answer_says_so(name: str, what: str) -> None:
    value = decode(OpenAIChat(), OPENAI, provider_exchange("openai_chat", name))
    assert details(value.error) == {
        "error": "LLMServiceError",
        "status": 200,
        "retryable": False,
    }
    assert what in str(value.error)


def test_stream_with_an_empty_body_names_the_long_prompt() -> None:
    value = answer(feed(OpenAIChat(), COMPATIBLE, [recording(EMPTY).body]))
    assert "sent nothing instead of an answer" in str(value.error)
    assert value.error is not None
    assert "too long" in (value.error.hint or "")


def test_groq_error_event_ends_the_stream_with_what_was_thought() -> None:
    source = provider_exchange("groq", "tool_use_failed_error_streaming", 0)
    value = decode(OpenAIChat(), COMPATIBLE, source)
    assert details(value.error) == {"error": "InvalidOutputError"}
    assert value.reasoning.startswith("We need to call the tool with invalid parameters")


def test_openrouter_error_beside_choices_keeps_the_billed_usage() -> None:
    source = provider_exchange("openrouter", "openrouter_stream_error")
    value = decode(OpenAIChat(), COMPATIBLE, source)
    assert details(value.error) == {
        "error": "ValidationError",
        "status": 400,
        "code": "400",
        "retryable": False,
    }
    assert value.usage == [43, 10, 53, 0, None, 11, 0.0]


MODELS: dict[str, dict[str, int | None]] = {
    "litellm-llama": {"llama": None, "mock": 128_000, "claude-mock": 200_000},
    "llama-cpp-python": {"tiny": None},
    "mlx": {"tiny-hf": None},
    "ollama": {"embed:latest": None, "random:latest": None, "tiny:latest": None},
    "transformers": {},
    "xllamacpp": {"tiny": 2048},
}


@pytest.mark.parametrize("server", MODELS)
def test_recorded_model_list_decoded_has_its_models(server: str) -> None:
    body = local_answer(server, "models").body
    # mlx_lm.server gives the path of the model on its machine.
    models = {
        model.id.rpartition("/")[2]: model.context_length
        for model in OpenAIChat().decode_models(body, COMPATIBLE).models
    }
    assert MODELS[server].items() <= models.items()
    assert bool(models) is bool(MODELS[server])


def test_cerebras_model_list_decoded_has_its_fields() -> None:
    source = provider_exchange("cerebras", "known_model_names")
    models = OpenAIChat().decode_models(source.body, COMPATIBLE).models
    assert [(m.id, m.owned_by, m.created, m.provider) for m in models] == [
        ("gemma-4-31b", "Cerebras", 0, "openai-compatible"),
        ("gpt-oss-120b", "Cerebras", 0, "openai-compatible"),
        ("zai-glm-4.7", "Cerebras", 0, "openai-compatible"),
    ]

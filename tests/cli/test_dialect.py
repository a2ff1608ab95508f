"""`--dialect`: the wire format that is asked for, its mistakes, and what Tab offers."""

from __future__ import annotations

import json

import pytest

from llm_client.dialects import DIALECTS

from ..support.fault_server import Script, fault_server, respond
from .program import run

PREVIEW = ("generate", "--dry-run", "--no-stdin", "-p", "llamacpp", "-m", "m", "hi")
PATHS = {
    "anthropic": "/v1/messages",
    "cohere": "/v2/chat",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
    "ollama": "/api/chat",
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-responses": "/v1/responses",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_is_written_in_the_dialect_that_is_asked_for(dialect: str) -> None:
    done = run(*PREVIEW, "--base-url", "http://127.0.0.1:1", "--dialect", dialect)

    assert done.status == 0, done.stderr
    assert done.json["url"] == f"http://127.0.0.1:1{PATHS[dialect]}"


def test_dialect_that_there_is_none_of_names_the_nearest() -> None:
    done = run(*PREVIEW, "--dialect", "antropic")

    assert done.status == 3
    assert "There is no dialect 'antropic'." in done.stderr
    assert "Did you mean 'anthropic'?" in done.stderr


def cut_short(dialect: str) -> Script:
    """Answer in a dialect with what the limit of tokens left of it."""
    bodies = {
        "gemini": {
            "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 64000},
        },
        "anthropic": {
            "id": "x",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "a"}],
            "stop_reason": "max_tokens",
            "usage": {"input_tokens": 1, "output_tokens": 64000},
        },
    }
    return respond(
        headers=[("Content-Type", "application/json")], body=json.dumps(bodies[dialect]).encode()
    )


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 7), (("--max-tokens", "64000"), 0), (("--max-tokens", "64999"), 7)],
    ids=["none", "reached", "not-reached"],
)
def test_answer_is_incomplete_unless_the_limit_was_asked_for(
    dialect: str, arguments: tuple[str, ...], status: int
) -> None:
    with fault_server(cut_short(dialect)) as server:
        done = run(
            "generate", "--no-stdin", "--no-stream", "-u", server.url, "-m", "m", "--dialect",
            dialect, *arguments, "hi",
        )  # fmt: skip

    assert (done.status, done.stdout) == (status, b"a\n"), done.stderr


def test_limit_among_the_options_is_one_that_was_asked_for() -> None:
    option = ("--option", 'generationConfig={"maxOutputTokens": 64000}')
    with fault_server(cut_short("gemini")) as server:
        done = run(
            "generate", "--no-stdin", "--no-stream", "-u", server.url, "-m", "m", "--dialect",
            "gemini", *option, "hi",
        )  # fmt: skip

    assert done.status == 0, done.stderr

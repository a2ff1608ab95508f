"""`--dialect`: the wire format that is asked for, its mistakes, and what Tab offers."""

from __future__ import annotations

import pytest

from llm_client.dialects import DIALECTS

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

"""Anthropic Messages as its vendor, local servers and proxies really speak it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.anthropic import Anthropic
from llm_client.types.content import ProviderState

from ..support.recordings import ROOT, local_answer, needs_recordings, provider_exchange
from .answers import (
    answer,
    check_cuts,
    check_splits,
    decode,
    details,
    expected,
    feed,
    recording,
    shown,
    target,
)

pytestmark = needs_recordings

ANSWERS: dict[str, dict[str, Any]] = expected("anthropic")["answers"]
ERRORS: dict[str, dict[str, Any]] = expected("anthropic")["errors"]
COUNTS = [
    f"{server}/anth-count"
    for server in ("litellm-llama", "litellm-llama-anth", "litellm-mock", "xllamacpp")
]
"""Answers of `/v1/messages/count_tokens`, which are no messages."""
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
CLAUDE = target("anthropic")
FINISHED = [
    b'"stop_reason":%s"%s"' % (space, reason)
    for reason in (b"end_turn", b"max_tokens", b"tool_use")
    for space in (b"", b" ")
]


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    assert shown(decode(Anthropic(), CLAUDE, recording(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(Anthropic(), CLAUDE, recording(name).body)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(Anthropic(), CLAUDE, recording(name).body, FINISHED)


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in STREAMS])
def test_whole_answer_where_a_stream_was_asked_for_says_the_same(name: str) -> None:
    body = recording(name).body
    streamed = answer(feed(Anthropic(), CLAUDE, [body[:100], body[100:]]))
    assert streamed == answer(Anthropic().decode(body, CLAUDE))


@pytest.mark.parametrize("pair", ["anth", "anth-tools"])
@pytest.mark.parametrize("server", ["litellm-llama", "litellm-llama-anth", "ollama", "xllamacpp"])
def test_streamed_and_whole_answer_say_the_same(server: str, pair: str) -> None:
    whole = decode(Anthropic(), CLAUDE, local_answer(server, pair))
    streamed = decode(Anthropic(), CLAUDE, local_answer(server, f"{pair}-stream"))
    assert streamed.text == whole.text
    assert [(name, json.loads(text)) for _, name, text in streamed.tools] == [
        (name, json.loads(text)) for _, name, text in whole.tools
    ]
    assert (streamed.finish, streamed.model) == (whole.finish, whole.model)


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_error_decoded_is_of_its_class(name: str) -> None:
    row = dict(ERRORS[name])
    message = row.pop("message")
    source = recording(name)
    error = Anthropic().error(source.head, source.body, CLAUDE)
    assert details(error) == row
    assert message in error.message


@pytest.mark.parametrize("name", COUNTS)
def test_recorded_count_of_tokens_is_no_answer(name: str) -> None:
    value = decode(Anthropic(), CLAUDE, recording(name))
    assert details(value.error) == {"error": "LLMServiceError", "status": 200, "retryable": False}
    assert "JSON without `content`" in str(value.error)


def test_recordings_of_the_dialect_are_all_covered() -> None:
    assert ROOT is not None
    covered = {*ANSWERS, *ERRORS, *COUNTS}
    local = {
        f"{path.parent.name}/{path.stem}"
        for path in (ROOT / "local-servers").glob("*/*.http")
        if _is_ours(path)
    }
    assert len(local) > 90
    assert local - covered == set()
    folder = ROOT / "providers" / "anthropic"
    exchanges = {
        f"anthropic/{path.stem}#{index}"
        for path in folder.glob("*.json")
        for index in range(len(json.loads(path.read_bytes())["exchanges"]))
    }
    assert exchanges - covered == set()
    assert covered - local - exchanges == set()


def _is_ours(answer: Path) -> bool:
    """Return whether a raw answer is of this dialect: by its request, else by its name."""
    asked = answer.with_suffix(".req")
    if asked.exists():
        return asked.read_bytes().startswith(b"POST /v1/messages")
    return "anth" in answer.stem


def test_streamed_state_is_what_the_next_recorded_request_sent_back() -> None:
    # The second request of the recording has the blocks of the first answer, as a peer kept them.
    first = provider_exchange("anthropic", "anthropic_tool_with_thinking", 0)
    second = provider_exchange("anthropic", "anthropic_tool_with_thinking", 1)
    state = Anthropic().decode(first.body, CLAUDE)[-1].provider_state
    assert state == ProviderState(
        "anthropic", "anthropic", tuple(second.request["messages"][1]["content"]), "some-model"
    )


def test_streamed_blocks_of_a_tool_at_the_provider_are_kept_whole() -> None:
    source = provider_exchange("anthropic", "anthropic_mcp_servers_stream")
    state = feed(Anthropic(), CLAUDE, [source.body])[-1].provider_state
    assert state is not None
    kinds = [item["type"] for item in state.items]
    assert kinds == ["thinking", "mcp_tool_use", "mcp_tool_result", "text"]
    thinking, use, result, text = state.items
    assert thinking["signature"].startswith("EuoCCkYICBgCKkDPqznnPHupi9rV")
    assert thinking["thinking"].startswith("The user is asking about the pydantic/pydantic-ai repo")
    assert use["input"].keys() == {"repoName", "question"}
    assert use["input"]["repoName"] == "pydantic/pydantic-ai"
    assert use["server_name"] == "deepwiki"
    assert result["tool_use_id"] == use["id"]
    assert text["text"].startswith("**Pydantic-AI** is a framework")
    assert text["text"].endswith("abstracting away provider-specific complexities.")


@pytest.mark.parametrize("name", STREAMS)
def test_state_is_kept_only_where_something_is_signed_or_foreign(name: str) -> None:
    last = feed(Anthropic(), CLAUDE, [recording(name).body])[-1]
    signed = name.split("/")[1].startswith(("anthropic_mcp", "anthropic_model_thinking"))
    assert (last.provider_state is not None) is signed

"""Ollama's own API as Ollama really speaks it."""

from __future__ import annotations

import pytest

from llm_client.dialects.ollama import Ollama

from ..support.recordings import ROOT, local_answer, needs_recordings
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

ANSWERS = expected("ollama")
ERRORS = expected("ollama_errors")
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
WHERE = target("ollama")


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    assert shown(decode(Ollama(), WHERE, recording(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(Ollama(), WHERE, recording(name).body)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(Ollama(), WHERE, recording(name).body, [b'"done":true'])


@pytest.mark.parametrize(
    ("whole", "streamed"),
    [
        ("ollama/oll-chat", "ollama/oll-chat-stream"),
        ("ollama-extra/think-none", "ollama-extra/think-stream"),
        ("ollama/oll-chat-tools", "ollama-extra/tools-stream"),
    ],
    ids=["text", "thinking", "tools"],
)
def test_streamed_and_whole_answer_say_the_same(whole: str, streamed: str) -> None:
    one = decode(Ollama(), WHERE, recording(whole))
    other = decode(Ollama(), WHERE, recording(streamed))
    assert other[:2] == one[:2]
    assert [call[1:] for call in other.tools] == [call[1:] for call in one.tools]
    assert (other.finish, other.model) == (one.finish, one.model)


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_error_decoded_is_of_its_class(name: str) -> None:
    row = dict(ERRORS[name])
    message = row.pop("message")
    source = recording(name)
    error = Ollama().error(source.head, source.body, WHERE)
    assert details(error) == row
    assert message in error.message


def test_chat_recordings_of_ollama_are_all_covered() -> None:
    assert ROOT is not None
    folder = ROOT / "local-servers"
    files = [*folder.glob("ollama/oll-*.http"), *folder.glob("ollama-extra/*.http")]
    names = {f"{path.parent.name}/{path.stem}" for path in files}
    rest = names - {*ANSWERS, *ERRORS}
    assert not [name for name in rest if b'"message"' in recording(name).body]
    assert not [name for name in rest if recording(name).head.status >= 400]


def test_unknown_model_hint_has_the_command_that_fetches_it() -> None:
    source = local_answer("ollama", "oll-err-model")
    assert Ollama().error(source.head, source.body, target("ollama", model="nope")).hint == (
        "Fetch it with `ollama pull nope`."
    )


@pytest.mark.parametrize("name", ["cors-bad", "host-bad"])
def test_refused_host_name_hint_says_what_to_use(name: str) -> None:
    source = local_answer("ollama-extra", name)
    error = Ollama().error(source.head, source.body, WHERE)
    assert error.hint is not None
    assert "OLLAMA_HOST=0.0.0.0" in error.hint


def test_error_line_in_a_recorded_stream_ends_it() -> None:
    value = answer(feed(Ollama(), WHERE, [local_answer("ollama-extra", "pull").body]))
    assert details(value.error) == {"error": "LLMServiceError", "status": 200, "retryable": True}
    assert "no such host" in str(value.error)


@pytest.mark.parametrize("name", ["ollama/oll-tags", "ollama-extra/generate-load"])
def test_whole_200_that_is_no_chat_answer_says_so(name: str) -> None:
    value = answer(Ollama().decode(recording(name).body, WHERE))
    assert "sent JSON without `message` instead of an answer" in str(value.error)


def test_recorded_model_list_decoded_has_its_models() -> None:
    models = Ollama().decode_models(local_answer("ollama", "oll-tags").body, WHERE).models
    assert [(m.id, m.provider, m.owned_by, m.context_length, m.description) for m in models] == [
        (f"{name}:latest", "ollama", "llama", 4096, "411K F16")
        for name in ("embed", "random", "tiny")
    ]
    assert [m.capabilities for m in models] == [("embedding",), ("completion",), ("completion",)]

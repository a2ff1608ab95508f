"""The Gemini API as Google and the LiteLLM proxy really speak it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llm_client.dialects.gemini import Gemini
from llm_client.exceptions import LLMServiceError, StreamInterruptedError
from llm_client.types.content import ProviderState
from llm_client.types.messages import Message, Tool
from llm_client.types.request import LLMRequest
from llm_client.types.response import fold

from ..support.recordings import ROOT, Recording, needs_recordings, provider_exchange
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

ANSWERS: dict[str, Any] = expected("gemini")["answers"]
ERRORS: dict[str, Any] = expected("gemini")["errors"]
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
WHOLE = [name for name in ANSWERS if name not in STREAMS]
ELSEWHERE = ("llama-cpp-python", "mlx", "ollama", "transformers", "xllamacpp")
"""Servers that have none of the paths."""
NO_PATH = [
    f"{server}/{name}"
    for server in ELSEWHERE
    for name in ("gem", "gem-models", "gem-stream", "gem-stream-json", "gem-tools")
] + [f"litellm-{name}/gem-models" for name in ("llama", "llama-anth", "mock")]
COUNTS = re.compile(r"gem-count$")
"""`:countTokens`, which no method of ours asks for."""
EMBEDDINGS = "gemini/TestGoogle.documents"
"""`:batchEmbedContents`: tested with the embeddings of all providers."""
FINISHED = [
    mark
    for reason in (b"STOP", b"MAX_TOKENS")
    for mark in (b'"finishReason":"%s"' % reason, b'"finishReason": "%s"' % reason)
]
GEMINI = target("gemini")
CALLS = "google_instructions_only_with_tool_calls"
STREAMED_CALL = "google_streaming_tool_call_thought_signature"


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    assert shown(decode(Gemini(), GEMINI, recording(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_split_anywhere_says_the_same(name: str) -> None:
    check_splits(Gemini(), GEMINI, recording(name).body)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answer_where_a_stream_was_wanted_says_the_same(name: str) -> None:
    value = answer(feed(Gemini(), GEMINI, [recording(name).body]))
    assert shown(value) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(Gemini(), GEMINI, recording(name).body, FINISHED)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answer_cut_anywhere_is_an_error(name: str) -> None:
    body = recording(name).body
    for offset in range(len(body)):
        last = Gemini().decode(body[:offset], GEMINI)[-1]
        assert isinstance(last.error, LLMServiceError), f"cut at {offset}"


@pytest.mark.parametrize("name", STREAMS)
def test_stream_with_other_line_ends_says_the_same(name: str) -> None:
    lines = recording(name).body.replace(b"\r\n", b"\n")
    for end in (b"\n", b"\r\n", b"\r"):
        value = answer(feed(Gemini(), GEMINI, [lines.replace(b"\n", end)]))
        assert shown(value) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_as_one_array_says_the_same(name: str) -> None:
    body = _as_array(recording(name))
    assert shown(answer(Gemini().decode(body, GEMINI))) == ANSWERS[name]
    assert shown(answer(feed(Gemini(), GEMINI, [body]))) == ANSWERS[name]


def test_array_without_an_end_is_interrupted() -> None:
    chunks = json.loads(_as_array(provider_exchange("gemini", "google_model_stream")))
    value = answer(Gemini().decode(json.dumps(chunks[:-1]).encode(), GEMINI))
    assert isinstance(value.error, StreamInterruptedError)
    assert value.text == "The capital of France"
    assert value.usage is not None


def test_array_with_an_error_inside_is_that_error() -> None:
    chunks = json.loads(_as_array(provider_exchange("gemini", "google_model_stream")))
    failed = {
        "error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    }
    value = answer(Gemini().decode(json.dumps([chunks[0], failed]).encode(), GEMINI))
    assert details(value.error)["error"] == "LLMServiceError"
    assert value.text == "The"


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_error_decoded_is_of_its_class(name: str) -> None:
    row = dict(ERRORS[name])
    message = row.pop("message")
    source = recording(name)
    error = Gemini().error(source.head, source.body, target("gemini", key="a-key"))
    assert details(error) == row
    assert message in error.message


@pytest.mark.parametrize("name", NO_PATH)
def test_server_without_the_path_asks_whether_the_address_is_right(name: str) -> None:
    source = recording(name)
    error = Gemini().error(source.head, source.body, GEMINI)
    assert details(error)["error"] == "LLMAPIError"
    assert error.hint is not None
    assert "is the base URL right, and does the server speak gemini" in error.hint


def test_recordings_of_the_dialect_are_all_covered() -> None:
    assert ROOT is not None
    local = {
        f"{path.parent.name}/{path.stem}"
        for path in (ROOT / "local-servers").glob("*/*.http")
        if re.search(r"(^|-)gem(-|$)", path.stem) and not COUNTS.search(path.stem)
    }
    covered = {*ANSWERS, *ERRORS, *NO_PATH}
    assert local == {name for name in covered if "#" not in name}
    exchanges = {
        f"gemini/{path.stem}#{index}"
        for path in (ROOT / "providers" / "gemini").glob("*.json")
        for index in range(len(json.loads(path.read_bytes())["exchanges"]))
        if f"gemini/{path.stem}" != EMBEDDINGS
    }
    assert exchanges == {name for name in covered if "#" in name}


@pytest.mark.parametrize(
    ("name", "index"), [*((CALLS, index) for index in range(5)), (STREAMED_CALL, 0)]
)
def test_recorded_signature_goes_back_on_its_part(name: str, index: int) -> None:
    source = provider_exchange("gemini", name, index)
    parts = _recorded_parts(source)
    message = _message(source)
    assert message.provider_state == ProviderState("gemini", "gemini", tuple(parts))
    later = Message.parse(json.loads(json.dumps(message.to_dict())))
    results = [Message("tool", "{}", tool_call_id=call.id) for call in later.tool_calls]
    contents = _contents((Message("user", "go"), later, *results))
    assert contents[1] == {"role": "model", "parts": parts}
    assert len(contents[2]["parts"]) == len(message.tool_calls)


def test_recorded_conversation_is_sent_as_its_client_sent_it() -> None:
    """pydantic-ai gave the calls ids of its own and wrote signatures in the other base64."""
    messages = [Message("user", "")]
    for index in range(4):
        answered = _message(provider_exchange("gemini", CALLS, index))
        sent = provider_exchange("gemini", CALLS, index + 1).request["contents"]
        results = [
            part["functionResponse"] for part in sent[-1]["parts"] if "functionResponse" in part
        ]
        messages.append(answered)
        messages += [
            Message("tool", json.dumps(result["response"]), tool_call_id=call.id)
            for call, result in zip(answered.tool_calls, results, strict=True)
        ]
        assert _comparable(_contents(tuple(messages))) == _comparable(sent)


def test_answer_without_anything_opaque_keeps_no_state() -> None:
    assert _message(provider_exchange("gemini", "google_model_stream")).provider_state is None
    assert _message(provider_exchange("gemini", STREAMED_CALL, 1)).provider_state is None


def _message(source: Recording) -> Message:
    if source.streamed:
        return fold(feed(Gemini(), GEMINI, [source.body])).message
    return fold(Gemini().decode(source.body, GEMINI)).message


def _recorded_parts(source: Recording) -> list[dict[str, Any]]:
    body = _as_array(source) if source.streamed else b"[%s]" % source.body
    return [
        part
        for chunk in json.loads(body)
        for part in chunk["candidates"][0]["content"]["parts"]
        if part != {"text": ""}
    ]


def _as_array(source: Recording) -> bytes:
    events = re.findall(rb"^data: (.*?)\r?$", source.body, re.MULTILINE)
    return b"[" + b"\n,\r\n".join(events) + b"\n]\n"


def _contents(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    # Made directly: the recording's prompt is only a system prompt, which this one test is not about.
    request = LLMRequest((Message("user", "x"), *messages), tools=(Tool("generate_topic"),))
    where = target("gemini", model="gemini-3-flash-preview")
    body = Gemini().encode(request, where).body
    assert body is not None
    contents = json.loads(body)["contents"][1:]
    assert isinstance(contents, list)
    return contents


def _comparable(contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = json.dumps(contents, sort_keys=True).replace("-", "+").replace("_", "/")
    text = re.sub(r'"id": "[^"]*", ', "", text)
    compared = json.loads(text)
    assert isinstance(compared, list)
    return compared

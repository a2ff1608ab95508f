"""The legacy Completions: golden bodies, refusals, and every server that was recorded."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from llm_client.dialects.openai_completions import OpenAICompletions
from llm_client.exceptions import (
    LLMServiceError,
    RateLimitError,
    StreamInterruptedError,
    ValidationError,
)
from llm_client.types.content import Image, Text
from llm_client.types.http import Head
from llm_client.types.long_text import LongText
from llm_client.types.messages import Message, Tool
from llm_client.types.request import LLMRequest
from llm_client.types.target import Target

from ..support.recordings import ROOT, needs_recordings
from .answers import answer, check_cuts, check_splits, decode, expected, feed, recording, target

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden_openai_completions.json").read_bytes()
)
OPENAI = target("openai", model="gpt-3.5-turbo-instruct")
TOOL = Tool("time")
CASES: dict[str, tuple[Any, dict[str, Any], Target]] = {
    "text": ("def f(", {}, OPENAI),
    "text of parts": (Message("user", (Text("def "), Text("f("))), {}, OPENAI),
    "hints": (Message("user", "def f(", name="ann", cache=True), {}, OPENAI),
    "suffix": ("def f(", {"suffix": "    return x"}, OPENAI),
    "empty suffix": ("def f(", {"suffix": ""}, OPENAI),
    "sampling": (
        "def f(",
        {"temperature": 0.0, "top_p": 0.5, "max_tokens": 9, "stop": ["\n", "#"], "seed": 0},
        OPENAI,
    ),
    "stream": ("def f(", {"stream": True}, OPENAI),
    "extra_body": ("def f(", {"extra_body": {"logprobs": 2, "echo": True}}, OPENAI),
}
ANSWERS = expected("openai_completions")
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
FINISHED = [b'"finish_reason":"stop"', b'"finish_reason": "stop"']


def sent(prompt: Any, options: dict[str, Any], where: Target = OPENAI) -> dict[str, Any]:
    asked = LLMRequest.build(prompt, **{"stream": False, **options})
    encoded = OpenAICompletions().encode(asked, where)
    assert encoded.body is not None
    assert encoded.url == f"{where.base_url}/completions"
    value = json.loads(encoded.body)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", CASES)
def test_request_encoded_is_the_golden_body(name: str) -> None:
    assert sent(*CASES[name]) == GOLDEN[name]


def test_golden_bodies_all_have_a_case() -> None:
    assert CASES.keys() == GOLDEN.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_is_valid_for_the_openai_package(name: str) -> None:
    from .openai_types import check_completions_body

    check_completions_body(GOLDEN[name])


@pytest.mark.parametrize("wrong", [{"messages": []}, {"max_tokens": "9"}, {"suffix": 3}], ids=str)
def test_body_that_is_wrong_is_refused_by_the_openai_package(wrong: dict[str, Any]) -> None:
    from pydantic import ValidationError as Invalid

    from .openai_types import check_completions_body

    with pytest.raises(Invalid):
        check_completions_body({**GOLDEN["text"], **wrong})


def test_long_text_is_sent_as_it_is() -> None:
    long = LongText(["Größe".encode(), b"!"])
    assert sent(Message("user", long), {})["prompt"] == "Größe!"
    assert sent(Message("user", (Text(long), Text("?"))), {})["prompt"] == "Größe!?"


def test_stream_options_are_not_sent_to_who_refuses_them() -> None:
    quirks = replace(OPENAI.provider.quirks, stream_options=False)
    where = replace(OPENAI, provider=replace(OPENAI.provider, quirks=quirks))
    body = sent("def f(", {"stream": True}, where)
    assert body == {name: GOLDEN["stream"][name] for name in ("model", "prompt", "stream")}


def test_configuration_lies_under_the_request() -> None:
    where = replace(OPENAI, options={"prompt": "?", "n": 1, "max_tokens": 5})
    assert sent("def f(", {"max_tokens": 9}, where) == {
        **GOLDEN["text"],
        "n": 1,
        "max_tokens": 9,
    }


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "system": ("Hi", {"system": "Be brief."}, "messages"),
    "turns": ([Message("user", "Hi"), Message("assistant", "Hello.")], {}, "messages"),
    "answer": (Message("assistant", "Hello."), {}, "messages"),
    "image": (Message("user", (Text("Look:"), Image(b"\x89PNG\r\n\x1a\n"))), {}, "content"),
    "tools": ("Hi", {"tools": [TOOL]}, "tools"),
    "tool_choice": ("Hi", {"tool_choice": "auto"}, "tool_choice"),
    "schema": ("Hi", {"schema": {"type": "object"}}, "schema"),
    "empty schema": ("Hi", {"schema": {}}, "schema"),
    "empty tool_choice": ("Hi", {"tool_choice": ""}, "tool_choice"),
    "reasoning_effort": ("Hi", {"reasoning_effort": "none"}, "reasoning_effort"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_field_that_cannot_be_said_is_refused_by_name(name: str) -> None:
    prompt, options, param = REFUSED[name]
    with pytest.raises(ValidationError) as caught:
        sent(prompt, options)
    assert caught.value.param == param
    assert caught.value.hint


def test_every_field_of_a_request_is_said_or_refused() -> None:
    said = {
        "messages": "prompt",
        "suffix": "suffix",
        "temperature": "temperature",
        "top_p": "top_p",
        "max_tokens": "max_tokens",
        "stop": "stop",
        "seed": "seed",
        "stream": "stream",
        "extra_body": "echo",
        "schema_type": None,  # what the parsed answer becomes, nothing on the wire
        "idempotency_key": None,  # a header, which the engine adds
    }
    assert {field.name for field in fields(LLMRequest)} == {
        *said,
        *({"tools", "tool_choice", "schema", "reasoning_effort"} & REFUSED.keys()),
    }
    every = {name for body in GOLDEN.values() for name in body}
    assert {name for name in said.values() if name is not None} <= every


@needs_recordings
@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    from .answers import shown

    assert shown(decode(OpenAICompletions(), OPENAI, recording(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(OpenAICompletions(), OPENAI, recording(name).body)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(OpenAICompletions(), OPENAI, recording(name).body, FINISHED)


@needs_recordings
def test_recordings_of_the_dialect_are_all_covered() -> None:
    assert ROOT is not None
    asked = {
        f"{path.parent.name}/{path.stem}": path.read_bytes().split()[1]
        for path in (ROOT / "local-servers").glob("*/*.req")
    }
    # llama.cpp's own `/completion` is another format.
    paths = {b"/completions", b"/v1/completions"}
    assert {name for name, path in asked.items() if path in paths} == ANSWERS.keys()
    providers = [
        row["request"]["url"]
        for path in (ROOT / "providers").glob("*/*.json")
        for row in json.loads(path.read_bytes())["exchanges"]
    ]
    assert providers
    assert not [url for url in providers if url.endswith("/v1/completions")]


def stream(*payloads: Any) -> bytes:
    return b"".join(f"data: {json.dumps(payload)}\n\n".encode() for payload in payloads)


def choice(text: str | None = None, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "text": text, "finish_reason": finish}]}


def test_usage_chunk_behind_the_choices_is_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = stream(choice("Hi"), choice("", "length"), {"choices": [], "usage": usage})
    value = answer(feed(OpenAICompletions(), OPENAI, [body, b"data: [DONE]\n\n"]))
    assert (value.text, value.finish) == ("Hi", "length")
    assert value.usage == [3, 2, 5, None, None, None, None]


def test_other_choices_are_passed_over() -> None:
    body = stream(choice("Hi"), choice("Ho", index=1), choice(None, "stop"))
    assert answer(feed(OpenAICompletions(), OPENAI, [body])).text == "Hi"


def test_stream_that_ends_without_a_reason_is_cut() -> None:
    value = answer(feed(OpenAICompletions(), OPENAI, [stream(choice("Hi"))]))
    assert type(value.error) is StreamInterruptedError
    assert value.text == "Hi"


def test_error_in_a_stream_ends_it() -> None:
    body = stream(choice("Hi"), {"error": {"message": "It went wrong.", "code": 500}})
    value = answer(feed(OpenAICompletions(), OPENAI, [body]))
    assert type(value.error) is LLMServiceError
    assert "It went wrong." in str(value.error)


def test_error_answer_is_of_its_class() -> None:
    body = b'{"error": {"message": "Too fast.", "type": "rate_limit_error"}}'
    error = OpenAICompletions().error(Head(429, {}), body, OPENAI)
    assert type(error) is RateLimitError
    assert "Too fast." in str(error)


def test_model_list_is_asked_for_and_read() -> None:
    asked = OpenAICompletions().encode_models(OPENAI)
    assert (asked.method, asked.url) == ("GET", f"{OPENAI.base_url}/models")
    listed = OpenAICompletions().decode_models(b'{"data": [{"id": "davinci-002"}]}', OPENAI)
    assert [model.id for model in listed.models] == ["davinci-002"]

"""OpenAI Responses as OpenAI and six other servers really speak it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_client.dialects.openai_responses import OpenAIResponses

from ..support.recordings import ROOT, needs_recordings
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

ANSWERS = expected("openai_responses")
STREAMS = [name for name in ANSWERS if ROOT is not None and recording(name).streamed]
FINISHED = [b'"type":"response.completed"', b'"type": "response.completed"']
NO_SUCH_PATH = {"error": "LLMAPIError", "status": 404, "retryable": False}
STREAMED_ERROR = {
    "error": "LLMServiceError",
    "status": 500,
    "code": "500",
    "type": "internal_server_error",
    "retryable": True,
}
ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "litellm-mock/resp-stream": (STREAMED_ERROR, "Error processing stream start"),
    "litellm-mock/resp-tools-stream": (STREAMED_ERROR, "Error processing stream start"),
    "llama-cpp-python/resp": (NO_SUCH_PATH, "Not Found"),
    "llama-cpp-python/resp-stream": (NO_SUCH_PATH, "Not Found"),
    "llama-cpp-python/resp-tools-stream": (NO_SUCH_PATH, "Not Found"),
    "mlx/resp": (NO_SUCH_PATH, "Not Found"),
    "mlx/resp-stream": (NO_SUCH_PATH, "Not Found"),
    "mlx/resp-tools-stream": (NO_SUCH_PATH, "Not Found"),
    # A missing model is 400 here, not 404.
    "openai_responses/model_name_suggestion-openai-responses#0": (
        {
            "error": "ModelNotFoundError",
            "status": 400,
            "code": "model_not_found",
            "type": "invalid_request_error",
            "param": "model",
            "retryable": False,
        },
        "The requested model 'gpt-5.2-proo' does not exist.",
    ),
    "openai_responses/openai_responses_model_http_error#0": (
        {
            "error": "ValidationError",
            "status": 400,
            "code": "decimal_below_min_value",
            "type": "invalid_request_error",
            "param": "temperature",
            "retryable": False,
        },
        "Invalid 'temperature': decimal below minimum value.",
    ),
}
DIALECT = OpenAIResponses()
OPENAI = target("openai")
SERVERS = ["litellm-llama", "litellm-llama-anth", "ollama", "transformers", "xllamacpp"]


@pytest.mark.parametrize("name", ANSWERS)
def test_recorded_answer_decoded_says_what_was_recorded(name: str) -> None:
    assert shown(decode(DIALECT, OPENAI, recording(name))) == ANSWERS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_stream_split_anywhere_says_the_same(name: str) -> None:
    check_splits(DIALECT, OPENAI, recording(name).body)


@pytest.mark.parametrize("name", STREAMS)
def test_stream_cut_anywhere_is_an_error_or_entire(name: str) -> None:
    check_cuts(DIALECT, OPENAI, recording(name).body, FINISHED)


@pytest.mark.parametrize("server", SERVERS)
def test_streamed_and_whole_answer_say_the_same(server: str) -> None:
    whole = decode(DIALECT, OPENAI, recording(f"{server}/resp"))
    streamed = decode(DIALECT, OPENAI, recording(f"{server}/resp-stream"))
    assert (streamed.text, streamed.finish) == (whole.text, whole.finish)


@pytest.mark.parametrize("name", ERRORS)
def test_recorded_error_decoded_is_of_its_class(name: str) -> None:
    row, message = ERRORS[name]
    source = recording(name)
    error = DIALECT.error(source.head, source.body, target("openai-compatible"))
    found = details(error)
    found.pop("request_id", None)
    assert found == row
    assert message in error.message


def test_recordings_of_the_dialect_are_all_covered() -> None:
    assert ROOT is not None
    local = {
        f"{path.parent.name}/{path.stem}"
        for path in (ROOT / "local-servers").glob("*/*.req")
        if path.read_bytes().split()[1].endswith(b"/responses")
    }
    providers = {
        f"{path.parent.name}/{path.stem}#{index}"
        for path in (ROOT / "providers").glob("*/*.json")
        for index, row in enumerate(json.loads(path.read_bytes())["exchanges"])
        if row["request"]["url"].endswith("/responses")
    }
    assert local | providers == {*ANSWERS, *ERRORS}


THINKING = "openai_responses/openai_responses_thinking_part_iter#0"


def test_recorded_reasoning_item_is_kept_as_it_came_last() -> None:
    body = recording(THINKING).body
    *_, last = feed(DIALECT, OPENAI, [body])
    items = [
        json.loads(line[len(b"data: ") :])["item"]
        for line in body.split(b"\n")
        if line.startswith(b'data: {"type":"response.output_item.done"')
    ]
    assert last.provider_state is not None
    assert last.provider_state.fits("openai", "openai-responses")
    assert list(last.provider_state.items) == items
    assert [item["type"] for item in items] == ["reasoning", "message"]
    assert items[0]["encrypted_content"].startswith("gAAAAABoxC0m_QWpOlSt8wyPk")


def test_recorded_whole_reasoning_item_is_kept() -> None:
    *_, last = DIALECT.decode(recording("cohere/cohere_model_thinking_part#0").body, OPENAI)
    assert last.provider_state is not None
    assert list(last.provider_state.items) == last.raw["output"]


@pytest.mark.parametrize("name", [name for name in ANSWERS if "thinking" not in name])
def test_recorded_answer_without_reasoning_keeps_no_state(name: str) -> None:
    source = recording(name)
    chunks = feed(DIALECT, OPENAI, [source.body]) if source.streamed else None
    *_, last = chunks or DIALECT.decode(source.body, OPENAI)
    assert last.is_done
    assert last.provider_state is None


def test_summary_parts_of_a_recording_do_not_run_together() -> None:
    value = answer(feed(DIALECT, OPENAI, [recording(THINKING).body]))
    assert value.reasoning.count("\n\n**") == 3

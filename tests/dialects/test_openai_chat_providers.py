"""OpenAI Chat as single providers and models want it: what their rows say is on the wire."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from llm_client.dialects.openai_chat import OpenAIChat
from llm_client.exceptions import ValidationError
from llm_client.providers.catalog import CATALOG
from llm_client.types.content import Audio, Document
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import fold
from llm_client.types.target import Target

from .answers import feed, target
from .test_openai_chat_departures import PDF, USER, router, says, sent, stored


@pytest.mark.parametrize(
    ("provider", "model", "content"),
    [
        ("minimax", "MiniMax-M2", "<think>Hm.\n</think>\n\nYes."),
        ("cerebras", "zai-glm-4.7", "<think>Hm.\n</think>\n\nYes."),
        ("cerebras", "gpt-oss-120b", "\n\nYes."),
    ],
)
def test_thinking_goes_back_between_its_tags(provider: str, model: str, content: str) -> None:
    history = (USER, stored(Message("assistant", "\n\nYes.", reasoning="Hm.\n")), USER)
    where = Target(CATALOG[provider], model, "http://localhost:1/v1")

    assert sent(LLMRequest(history), where)["messages"][1] == {
        "role": "assistant",
        "content": content,
    }


def test_thinking_in_the_text_comes_and_goes_back_as_it_was() -> None:
    where = Target(CATALOG["minimax"], "m", "http://localhost:1/v1")
    text = "<think>\nHm.\n</think>\n\nYes."
    answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    response = fold(OpenAIChat().decode(json.dumps(answer).encode(), where))

    assert (response.content, response.reasoning) == ("\n\nYes.", "\nHm.\n")
    history = (USER, stored(response.message), USER)
    assert sent(LLMRequest(history), where)["messages"][1]["content"] == text


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("claude-sonnet-4-5", {"reasoning": {"effort": "low"}}),
        ("openai-gpt-5", {"reasoning_effort": "low"}),
    ],
)
def test_effort_is_said_as_the_model_wants_it(model: str, said: dict[str, object]) -> None:
    where = Target(CATALOG["snowflake"], model, "http://localhost:1/v1")
    body = sent(LLMRequest((USER,), reasoning_effort="low"), where)

    assert said.items() <= body.items()
    assert len({"reasoning", "reasoning_effort"} & body.keys()) == 1


def test_audio_of_qwen_is_a_data_uri_and_documents_are_refused() -> None:
    where = Target(CATALOG["dashscope"], "qwen3-omni", "http://localhost:1/v1")
    (part,) = sent(says(Audio(b"RIFF0000WAVE")), where)["messages"][0]["content"]

    assert part["input_audio"] == {
        "data": "data:audio/wav;base64,UklGRjAwMDBXQVZF",
        "format": "wav",
    }
    with pytest.raises(ValidationError, match="no document") as caught:
        sent(says(Document(PDF)), where)
    assert (caught.value.param, bool(caught.value.hint)) == ("content", True)


def test_models_of_others_are_not_taken_for_those_of_openai() -> None:
    request = LLMRequest((USER,), temperature=0.5, stop=("x",), reasoning_effort="low")

    assert sent(request, replace(router(), model="sonar-deep-research"))["stop"] == ["x"]


def details(*found: tuple[int, str | None, str]) -> list[dict[str, object]]:
    """Return what is kept of details that come one by one: index, id, text."""
    events = [
        {"type": "reasoning.text", "index": index, "text": text} | ({"id": id} if id else {})
        for index, id, text in found
    ]
    deltas = [{"reasoning_details": [event]} for event in events]
    choices = [{"delta": delta} for delta in deltas] + [{"delta": {}, "finish_reason": "stop"}]
    body = b"".join(
        b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n" for choice in choices
    )
    state = fold(feed(OpenAIChat(), target("openrouter"), [body])).provider_state
    assert state is not None
    kept: list[dict[str, object]] = state.items[0]["reasoning_details"]
    return kept


def test_details_that_come_by_turns_are_joined_to_their_own() -> None:
    kept = details(
        (0, "a", "1"), (0, "b", "2"), (0, "a", "3"), (1, None, "4"), (0, "b", "5"), (0, None, "6")
    )

    assert [(one["index"], one.get("id"), one["text"]) for one in kept] == [
        (0, "a", "13"),
        (0, "b", "256"),
        (1, None, "4"),
    ]


def test_many_details_are_kept_apart_at_linear_cost() -> None:
    """Thirty thousand of them: compared with each other they would take half a minute."""
    kept = details(*((index, None, "x") for index in range(30_000)))

    assert len(kept) == 30_000

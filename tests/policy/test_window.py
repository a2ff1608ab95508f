"""What requests and refusals say about windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_client.policy.window import answer_room, configured_window, refused_figures, too_long
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.target import ProviderSpec, Target

REQUEST = LLMRequest((Message("user", "hi"),))
TARGET = Target(ProviderSpec("p", "http://p.test/v1", "openai-chat"), "m", "http://p.test/v1")


@pytest.mark.parametrize(
    ("message", "figures"),
    [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 10021 tokens. Please reduce the length of the messages.",
            (8192, 10021),
        ),
        ("prompt is too long: 210000 tokens > 200000 maximum", (200000, 210000)),
        (
            "request (5020 tokens) exceeds the available context size (1024 tokens), try "
            "increasing it",
            (1024, 5020),
        ),
        (
            "This model's maximum context length is 2048 tokens. However, you requested 3000 "
            "tokens (2000 in the messages, 1000 in the completion).",
            (2048, 3000),
        ),
        (
            "The input token count (1,200,000) exceeds the maximum number of tokens allowed "
            "(1,048,576).",
            (1048576, 1200000),
        ),
        ("HTTP 400: gpt-4-32768 of v1.2048 reads 32768 tokens, and not 40000.", (32768, 40000)),
        ("model llama-3-8192: 9000 tokens are more than 8192", (8192, 9000)),
        ("prompt is too long", None),
        ("the limit is 4096 tokens", None),
        ("400: 5 of 4096 and 4096", None),
        ("", None),
    ],
)
def test_refusal_tells_window_and_length(message: str, figures: tuple[int, int] | None) -> None:
    assert refused_figures(message) == figures


@pytest.mark.parametrize(
    ("options", "extra", "window"),
    [
        ({}, {}, None),
        ({"num_ctx": 8192}, {}, 8192),
        ({"num_ctx": 8192}, {"num_ctx": 4096}, 4096),
        ({"options": {"num_ctx": 2048}}, {}, 2048),
        ({"num_ctx": 8192}, {"options": {"num_ctx": 512}}, 512),
        ({"num_ctx": "much"}, {"options": "none"}, None),
        ({"num_ctx": 0}, {}, None),
    ],
)
def test_configured_window_is_that_of_the_request_over_the_configuration(
    options: dict[str, Any], extra: dict[str, Any], window: int | None
) -> None:
    target = replace(TARGET, options=options)

    assert configured_window(replace(REQUEST, extra_body=extra), target) == window


@pytest.mark.parametrize(
    ("max_tokens", "window", "room"),
    [
        (None, 128_000, 4096),
        (None, 8192, 2048),
        (100, 8192, 100),
        (100_000, 8192, 4096),
        (3000, 8192, 3000),
    ],
)
def test_answer_has_the_room_that_it_may_need(
    max_tokens: int | None, window: int, room: int
) -> None:
    assert answer_room(replace(REQUEST, max_tokens=max_tokens), TARGET, window) == room


def test_error_names_length_window_model_and_what_helps() -> None:
    error = too_long(150_000, 128_000, TARGET, shortened=False)

    assert "150,000" in str(error)
    assert "p/m reads 128,000" in str(error)
    assert (error.provider, error.model, error.status) == ("p", "m", None)
    for help in ("`--task long_context`", "`[routing] long_context`", '`overflow = "trim"`'):
        assert help in str(error.hint)
    shortened = too_long(150_000, 128_000, TARGET, shortened=True)
    assert "overflow" not in str(shortened.hint)
    assert "everything left out" in str(shortened)

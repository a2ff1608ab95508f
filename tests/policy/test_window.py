"""What requests and refusals say about windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llm_client.policy.window import (
    Refusal,
    answer_room,
    configured_window,
    refusal_figures,
    too_long,
)
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
            "This endpoint's maximum context length is 2048 tokens. However, you requested about 3000 "
            "tokens. Please reduce it.",
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
        (f"the limit is 4096 tokens, and not {'9' * 5000} or {'9' * 14}", None),
        ("", None),
    ],
)
def test_refusal_tells_window_and_length(message: str, figures: tuple[int, int] | None) -> None:
    assert refusal_figures(message) == (None if figures is None else Refusal(*figures))


LENGTH = "This model's maximum context length is"


@pytest.mark.parametrize(
    ("message", "figures"),
    [
        (
            "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease "
            "input length or `max_tokens` and try again",
            (200000, 178959, False),
        ),
        (
            f"{LENGTH} 2,048 tokens. However, you requested 3,000 tokens (2,000 in the messages, "
            "1,000 in the completion). Please reduce the length of the messages or completion.",
            (2048, 2000, False),
        ),
        (
            f"{LENGTH} 4097 tokens. However, you requested 5200 tokens (900 in the messages, 300 "
            "in the functions, and 4000 in the completion).",
            (4097, 1200, False),
        ),
        (
            f"{LENGTH} 4097 tokens, however you requested 4100 tokens (100 in your prompt; 4000 "
            "for the completion).",
            (4097, 100, False),
        ),
        (
            f"VLLMValidationError: {LENGTH} 128000 tokens. However, you requested 65535 output "
            "tokens and your prompt contains at least 62466 input tokens, for a total of at least "
            "128001 tokens.",
            (128000, 62466, True),
        ),
        (
            f"'max_tokens' or 'max_completion_tokens' is too large: 3000. {LENGTH} 4096 tokens and "
            "your request has 1500 input tokens (3000 > 4096 - 1500).",
            (4096, 1500, False),
        ),
        (
            "Requested token count exceeds the model's maximum context length of 163840 tokens. You "
            "requested a total of 183491 tokens: 19651 tokens from the input messages and 163840 "
            "tokens for the completion.",
            (163840, 19651, False),
        ),
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 "
            "`inputs` tokens and 1024 `max_new_tokens`",
            (1512, 1000, False),
        ),
        (
            f"{LENGTH} 600 tokens. However, you requested 700 tokens (0 in the messages, 700 in the "
            "completion).",
            (600, 1, False),
        ),
    ],
    ids=[
        "anthropic",
        "openai",
        "functions",
        "completions",
        "vllm",
        "vllm 2",
        "sglang",
        "tgi",
        "none",
    ],
)
def test_refusal_of_prompt_and_answer_together_tells_the_prompt_apart(
    message: str, figures: tuple[int, int, bool]
) -> None:
    assert refusal_figures(message) == Refusal(*figures, with_answer=True)


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
        ({"num_ctx": True}, {}, None),
        ({"num_ctx": 10**400}, {}, None),
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


@pytest.mark.parametrize(("max_tokens", "room"), [(None, 2048), (6000, 6000), (9000, 9000)])
def test_answer_that_is_counted_has_all_the_room_that_it_was_allowed(
    max_tokens: int | None, room: int
) -> None:
    request = replace(REQUEST, max_tokens=max_tokens)

    assert answer_room(request, TARGET, 8192, is_counted=True) == room


def test_error_names_length_window_model_and_what_helps() -> None:
    error = too_long(150_000, 128_000, TARGET, shortened=False)

    assert "150,000" in str(error)
    assert "p/m reads 128,000" in str(error)
    assert (error.provider, error.model, error.status) == ("p", "m", None)
    for help in ("`--task long_context`", "`[routing] long_context`", '`overflow = "trim"`'):
        assert help in str(error.hint)
    assert "at least" in str(error)
    shortened = too_long(150_000, 128_000, TARGET, shortened=True)
    assert "about 150,000" in str(shortened), "what is left is estimated"
    assert "overflow" not in str(shortened.hint)
    assert "everything left out" in str(shortened)

"""Who is asked first, by task, content and price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_client.exceptions import ConfigurationError
from llm_client.policy.choice import (
    Offer,
    cheapest_first,
    check_task,
    has_images,
    most_usd,
    named_for,
    offered,
)
from llm_client.types.budget import Budget
from llm_client.types.content import Document, Image, Text
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.response import Usage
from llm_client.types.secret import Secret
from llm_client.types.target import ProviderSpec, Target

PNG = b"\x89PNG\r\n\x1a\n0000"
REQUEST = LLMRequest((Message("user", "hi " * 400),))
SPEC = ProviderSpec("p", "https://p.test/v1", "openai-chat")
TARGET = Target(SPEC, "m", SPEC.base_url, api_key=Secret("k-0123456789"))


def test_task_is_looked_up() -> None:
    assert named_for("vision", {"vision": "cloud", "planning": "big"}, None) == "cloud"


@pytest.mark.parametrize("task", ["planning", "vision", "long_context"])
def test_task_without_an_entry_says_what_to_write_where(task: str) -> None:
    with pytest.raises(ConfigurationError, match=task) as caught:
        named_for(task, {}, "/etc/llm.toml")
    assert f"`{task} = " in str(caught.value.hint)
    assert "`[routing]` in /etc/llm.toml" in str(caught.value.hint)


def test_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no task 'visoin'") as caught:
        check_task("visoin")
    assert caught.value.hint == "Tasks: long_context, planning, vision."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("an image", False),
        ((Text("a"), Image(PNG)), True),
        ((Image(url="https://x.test/a.png"),), True),
        ((Text("a"), Document(b"%PDF-1")), False),
    ],
    ids=["text", "image", "address", "document"],
)
def test_images_are_seen_in_any_message(content: str | tuple[Text, ...], expected: bool) -> None:
    messages = (Message("user", content), Message("assistant", "yes"), Message("user", "go on"))

    assert has_images(LLMRequest(messages)) is expected


OK = True


@pytest.mark.parametrize(
    ("offers", "order"),
    [
        ([(OK, Offer(0.3, OK)), (OK, Offer(0.1, OK)), (OK, Offer(0.2, OK))], [1, 2, 0]),
        ([(OK, Offer(None, OK)), (OK, Offer(0.1, OK)), (OK, Offer(0.0, OK))], [2, 1, 0]),
        ([(OK, Offer(0.1, OK)), (OK, Offer(0.1, OK))], [0, 1]),
        ([(False, Offer(0.0, OK)), (OK, Offer(9.0, OK)), (OK, Offer(None, OK))], [1, 2, 0]),
        ([(OK, Offer(0.1, False)), (OK, Offer(None, OK))], [1, 0]),
        ([(False, Offer(0.2, OK)), (False, Offer(0.1, OK))], [1, 0]),
    ],
    ids=["price", "free and unknown", "equal", "too long", "too dear", "none fits"],
)
def test_cheapest_that_fits_comes_first(offers: list[tuple[bool, Offer]], order: list[int]) -> None:
    assert cheapest_first(offers) == order


@pytest.mark.parametrize(
    ("max_cost", "budget", "most"),
    [
        (None, None, None),
        (0.5, None, 0.5),
        (None, Budget(per_call_usd=0.2), 0.2),
        (0.1, Budget(per_call_usd=0.2), 0.1),
        (None, Budget(per_call_usd=0.2, on_exceeded="warn"), None),
        (None, Budget(daily_usd=1.0), None),
        (0.0, Budget(per_call_usd=0.2), 0.0),
    ],
)
def test_call_may_cost_the_least_of_its_limits(
    max_cost: float | None, budget: Budget | None, most: float | None
) -> None:
    assert most_usd(max_cost, budget) == most


def by_token(target: Target, model: str, usage: Usage) -> float | None:
    return (usage.prompt_tokens + 10 * usage.completion_tokens) / 1e6


def unknown(target: Target, model: str, usage: Usage) -> float | None:
    return None


def test_offer_is_priced_as_it_is_likely_and_allowed_as_it_is_reserved() -> None:
    likely = offered(REQUEST, TARGET, by_token, None)
    assert likely.cost is not None
    assert likely.is_allowed
    short = offered(replace(REQUEST, max_tokens=10), TARGET, by_token, None)
    assert short.cost is not None
    assert short.cost < likely.cost
    assert not offered(REQUEST, TARGET, by_token, likely.cost * 1.2).is_allowed
    assert offered(REQUEST, TARGET, by_token, 1.0).is_allowed


@pytest.mark.parametrize(
    ("target", "cost"),
    [
        (TARGET, None),
        (replace(TARGET, base_url="http://127.0.0.1:8080/v1"), 0.0),
        (replace(TARGET, api_key=None), 0.0),
        (replace(TARGET, provider=replace(SPEC, price_id="openai")), None),
    ],
    ids=["with a key", "on this machine", "without a key", "of a vendor"],
)
def test_offer_without_a_price_is_free_only_where_nobody_can_be_billed(
    target: Target, cost: float | None
) -> None:
    assert offered(REQUEST, target, unknown, 0.0) == Offer(cost, True)

"""Who is asked first: by the task of a call, by what is in its prompt, by what it would cost.

Pure; resolving names to targets is `routes.py`'s business. Refuses to look at what a prompt says:
only at what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import ConfigurationError
from ..types.request import LLMRequest
from ..types.response import Usage
from ..types.target import Target
from .budget import unpriced
from .estimate import most_completion_tokens, most_usage, prompt_tokens

if TYPE_CHECKING:
    from ..types.budget import Budget

__all__ = [
    "TASKS",
    "Offer",
    "cheapest_first",
    "check_task",
    "has_images",
    "most_usd",
    "named_for",
    "offered",
]

_USUAL_ANSWER = 1000
"""Tokens that an answer has of which nobody said how long it may be, to compare prices by."""

TASKS = {
    "planning": "PROFILE",
    "vision": "PROVIDER/MODEL",
    "long_context": "PROVIDER/MODEL",
}
"""What `task` can be, and what its entry may look like."""


class Offer(NamedTuple):
    """What a call costs at one target, as far as that can be told before it is asked."""

    cost: float | None
    """About how many USD; 0 where it is free, `None` where it is not known."""
    is_allowed: bool
    """Whether the call may cost that."""


def named_for(task: str, routing: Mapping[str, str], source: str | None) -> str:
    """Return the profile or model spec that the configuration names for a task.

    Args:
        task: one of `TASKS`.
        routing: the table `[routing]` of the configuration.
        source: path of the configuration file, for the message.

    Raises:
        ConfigurationError: there is no such task, or nothing is named for it.
    """
    check_task(task)
    if task in routing:
        return routing[task]
    raise ConfigurationError(
        f"Nothing is configured for the task {task!r}.",
        hint=f'Write `{task} = "{TASKS[task]}"` under `[routing]` in '
        f"{source or 'the configuration file'}.",
    )


def check_task(task: str) -> None:
    """Refuse a task that there is not.

    Raises:
        ConfigurationError: names those that there are.
    """
    if task not in TASKS:
        raise ConfigurationError(
            f"There is no task {task!r}.", hint=f"Tasks: {', '.join(sorted(TASKS))}."
        )


def has_images(request: LLMRequest) -> bool:
    """Return whether there is an image in any message of a request."""
    return any(
        part.kind == "image"
        for message in request.messages
        if isinstance(message.content, tuple)
        for part in message.content
    )


def most_usd(max_cost: float | None, budget: Budget | None) -> float | None:
    """Return how many USD a single call may cost; `None` is no limit."""
    amounts = [max_cost]
    if budget is not None and budget.on_exceeded == "block":
        amounts.append(budget.per_call_usd)
    return min((amount for amount in amounts if amount is not None), default=None)


def offered(
    request: LLMRequest,
    target: Target,
    price: Callable[[Target, str, Usage], float | None],
    most: float | None,
) -> Offer:
    """Return what a target would cost.

    Args:
        request: what is asked.
        target: who would be.
        price: returns what usage of a model costs in USD.
        most: USD that the call may cost; compared with what a budget would reserve.
    """
    tokens = prompt_tokens(request), min(most_completion_tokens(request, target), _USUAL_ANSWER)
    cost = price(target, target.model, Usage(*tokens, sum(tokens)))
    if cost is None:
        return Offer(0.0 if unpriced(target) is None else None, is_allowed=True)
    highest = price(target, target.model, most_usage(request, target))
    return Offer(cost, most is None or highest is None or highest <= most)


def cheapest_first(offers: Iterable[tuple[bool, Offer]]) -> list[int]:
    """Return the positions of a chain, the cheapest that fits first.

    Of equal ones the first of the chain stays first. What has no price that is known comes behind
    what has one, and what is too long or too dear behind everything.

    Args:
        offers: of each target whether the prompt may fit into its window, and what it costs.
    """

    def rank(entry: tuple[int, tuple[bool, Offer]]) -> tuple[bool, bool, float]:
        _, (fits, (cost, is_allowed)) = entry
        return not (fits and is_allowed), cost is None, cost or 0.0

    return [position for position, _ in sorted(enumerate(offers), key=rank)]

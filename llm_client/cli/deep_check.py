"""What `llm-client health --deep` adds: one token, generated as any other call generates.

Owns what is asked and what its times mean. It goes through a client, so that ledger and budgets
know of it; nobody else answers in the place of the one that is checked, and nothing is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..exceptions import LLMError, ValidationError
from ..policy.health import problem_of, what_to_do
from ..types.health import HealthReport
from ..types.response import LLMResponse
from ..types.target import Target

if TYPE_CHECKING:
    from ..client import LLMClient

__all__ = ["generate_one"]

_PROMPT = "Say OK."
_LEAST_LIMIT = 16
"""Tokens, for who refuses a limit of 1: OpenAI's Responses take none below (memory)."""


def generate_one(
    report: HealthReport,
    target: Target,
    make_client: Callable[[], LLMClient],
    *,
    seconds: float,
) -> HealthReport:
    """Return a report with how fast a model answers, or why it does not.

    Args:
        report: of a provider that is healthy so far.
        target: who it is.
        make_client: returns a client of it, whose model is asked: else the one that `generate`
            would ask.
        seconds: for the whole call.
    """
    row = target.provider
    if row.embed_model and row.embed_model == row.default_model:
        return report  # it embeds, and does not answer
    try:
        response = _ask(make_client, seconds)
    except LLMError as error:
        problem = problem_of(error)
        hint = what_to_do(problem, error, target)
        return replace(
            report,
            healthy=False,
            problem=problem,
            error=error.message,
            hint=hint,
            key_accepted=False if problem == "key" else report.key_accepted,
            model_present=False if problem == "model" else report.model_present,
        )
    tokens = response.usage.completion_tokens if response.usage else 0
    return replace(
        report,
        model=response.model,
        first_token_ms=response.metadata.get("time_to_first_token_ms"),
        tokens_per_second=tokens / (response.latency_ms / 1000) if tokens else None,
    )


def _ask(make_client: Callable[[], LLMClient], seconds: float) -> LLMResponse:
    """Return the answer of a client.

    Raises:
        LLMError: there is none.
    """
    with make_client() as client:
        client.set_fallback_chain([])
        try:
            return _answer(client, 1, seconds)
        except ValidationError:
            return _answer(client, _LEAST_LIMIT, seconds)


def _answer(client: LLMClient, max_tokens: int, seconds: float) -> LLMResponse:
    with client.stream(
        _PROMPT, max_tokens=max_tokens, max_retries=0, cache=False, deadline=seconds
    ) as stream:
        for _ in stream:
            continue
        return stream.response

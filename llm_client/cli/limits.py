"""Whether an answer that was cut short is as long as it was asked to be.

Owns the names of the fields that bound an answer. Which of them is in a request is the dialect's
business, so they are looked for in what would be sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..types.http import HttpRequest
from ..types.response import LLMResponse

if TYPE_CHECKING:
    from ..client import LLMClient

__all__ = ["body_of", "reached_what_was_asked"]

_FIELDS = frozenset(
    {
        "maxOutputTokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "n_predict",
        "num_predict",
    }
)
"""Names of the field that bounds an answer, in the request of one provider or another."""


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON of a request."""
    body: dict[str, Any] = json.loads(request.body or b"{}")
    return body


def reached_what_was_asked(response: LLMResponse, client: LLMClient) -> bool:
    """Return whether the answer is as long as flag, configuration or option allow."""
    # What a request says anyway is nobody's limit: Anthropic needs one. `None` is not said.
    unasked = _limits(body_of(client.preview("?", max_tokens=None, extra_body={})))  # type: ignore[arg-type]
    sent = _limits(body_of(client.preview("?")))
    limits = {value for name, value in sent.items() if unasked.get(name) != value}
    limits.update(_limits(client.target.options).values())
    if response.usage is None:
        return bool(limits)
    # The last token may be one that is not counted.
    return any(response.usage.completion_tokens >= limit - 1 for limit in limits)


def _limits(body: Mapping[str, object]) -> dict[str, int]:
    """Return the fields of a body that bound the answer, wherever they stand."""
    limits: dict[str, int] = {}
    for name, value in body.items():
        if isinstance(value, Mapping):
            limits |= _limits(value)
        elif name in _FIELDS and isinstance(value, int):
            limits[name] = value
    return limits

"""What a call asks for, independent of any provider.

Owns the request value, the typed options of every method that makes one, and their validation.
Options default to "not sent": several current models refuse even a default temperature.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias, TypedDict

from ..exceptions import ValidationError
from .messages import Message, Tool

__all__ = ["LLMRequest", "Prompt", "RequestOptions"]


class RequestOptions(TypedDict, total=False):
    """Keyword options of `generate`, `chat`, `complete` and `stream`."""

    model: str
    """Another model for this call, of the same provider or as `provider/model`."""
    system: str
    """A system prompt, put before the messages."""
    temperature: float
    top_p: float
    max_tokens: int
    """The most tokens the answer may have."""
    stop: str | Sequence[str]
    """Texts that end the answer; they are not part of it."""
    seed: int
    tools: Sequence[Tool]
    tool_choice: str
    """`auto`, `none`, `required`, or the name of a tool."""
    schema: Mapping[str, Any]
    """JSON schema that the answer must follow."""
    extra_body: Mapping[str, Any]
    """Fields put into the provider's request as they are, over everything else."""
    timeout: float
    """Seconds: bounds every single wait of the attempt."""
    deadline: float
    """Seconds: bounds the whole call with its retries and fallbacks."""
    max_retries: int


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One request of the user."""

    messages: tuple[Message, ...]
    temperature: float | None = None
    """0 to 2; `None` leaves it to the provider."""
    top_p: float | None = None
    """0 to 1."""
    max_tokens: int | None = None
    """The most tokens the answer may have, reasoning included."""
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    """`auto`, `none`, `required`, or the name of a tool."""
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer must follow, sent in the provider's native form."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Provider-specific fields, merged into the body last."""
    stream: bool = False
    """Whether the answer is wanted piece by piece."""

    def __post_init__(self) -> None:
        _check_range("temperature", self.temperature, 0.0, 2.0)
        _check_range("top_p", self.top_p, 0.0, 1.0)
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValidationError(f"max_tokens {self.max_tokens!r} must be 1 or more.")
        if not any(m.content.strip() or m.tool_calls for m in self.messages if m.role != "system"):
            raise ValidationError(
                "The prompt is empty: there is nothing to send.",
                hint='Give some text: `llm-client generate "your question"`.',
            )

    @classmethod
    def build(cls, prompt: Prompt, *, stream: bool, **options: Any) -> LLMRequest:
        """Return the request for any of the forms that the clients take.

        Raises:
            ValidationError: an empty prompt, an unknown field or a value out of range.
        """
        values = {name: value for name, value in options.items() if value is not None}
        system = values.pop("system", None)
        if isinstance(prompt, LLMRequest):
            request = replace(prompt, stream=stream, **_normal(values))
        else:
            if isinstance(prompt, Mapping):
                values = {**_known_fields(prompt), **values}
                messages = _messages(values.pop("messages", ()))
            else:
                messages = _messages(prompt)
            values.pop("stream", None)
            request = cls(messages=messages, stream=stream, **_normal(values))
        if system:
            request = replace(request, messages=(Message("system", system), *request.messages))
        return request


Prompt: TypeAlias = (
    str | Message | LLMRequest | Mapping[str, Any] | Sequence[Message | Mapping[str, Any]]
)
"""A text, one message, messages, a request, or a dictionary of a request's fields."""


def _messages(value: object) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, Message):
        return (value,)
    if isinstance(value, Iterable):
        return tuple(Message.parse(item) for item in value)
    raise ValidationError(f"A prompt is a text or messages, not {type(value).__name__}.")


def _known_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    if "role" in value:
        return {"messages": [value]}
    known = {f.name for f in fields(LLMRequest)}
    if unknown := sorted(set(value) - known):
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], known, n=1)
        raise ValidationError(
            f"A request has no field {unknown[0]!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}.",
        )
    return dict(value)


def _normal(values: dict[str, Any]) -> dict[str, Any]:
    if "stop" in values:
        stop = values["stop"]
        values["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if "tools" in values:
        values["tools"] = tuple(values["tools"])
    return values


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise ValidationError(f"{name} {value!r} is out of range: {low:g} to {high:g}.", param=name)

"""What an OpenAI Chat request asks of MLX: checked, and in mlx-lm's terms.

Owns the reading of a request's body. It exists so that the thread that runs a model gets only what
it can do, and so that everything else is refused by name: pictures and other files, a JSON schema, a
forced tool, several answers, fields that mlx-lm does not have. Pure, and without mlx-lm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ChatRequest", "Refused", "read_request"]

_SAMPLER: Final = {"temperature": "temp", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p"}
"""mlx-lm's names of what its samplers take."""
_PENALTIES: Final = frozenset({"repetition_penalty", "presence_penalty", "frequency_penalty"})
_NUMBERS: Final = frozenset({*_SAMPLER, *_PENALTIES})
_KNOWN: Final = _NUMBERS | {
    "chat_template_kwargs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
}
_BOUNDS: Final = {"temperature": (0.0, None), "top_p": (0.0, 1.0), "min_p": (0.0, 1.0)}


class Refused(Exception):
    """The request cannot be fulfilled, told as an HTTP answer would tell it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "invalid_value",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request for a model. Messages, tools and template variables are as a template takes them."""

    model: str
    """The path of its directory."""
    messages: list[dict[str, Any]]
    tools: list[Any]
    effort: str | None
    """How much to think, in the words of the model's chat template; `none` is not at all."""
    template: dict[str, Any]
    """What the request sets of the chat template's own variables."""
    sampler: dict[str, Any]
    """Arguments of `make_sampler`; empty means that the likeliest token is taken, as mlx-lm does."""
    penalties: dict[str, Any]
    """Arguments of `make_logits_processors`."""
    max_tokens: int | None
    """`None`: up to the model's context."""
    stop: tuple[str, ...]
    seed: int | None
    stream: bool
    usage_in_stream: bool


def read_request(body: bytes) -> ChatRequest:
    """Return what a body asks for.

    Raises:
        Refused: it is no such request, or asks for what MLX cannot do.
    """
    fields = _json_object(body)
    _check_names(fields)
    stream_options = fields.get("stream_options") or {}
    return ChatRequest(
        model=_model(fields),
        messages=_messages(fields.get("messages")),
        tools=_tools(fields),
        effort=_effort(fields),
        template=_template_variables(fields),
        sampler=_sampler(fields),
        penalties={name: fields[name] for name in sorted(_PENALTIES & fields.keys())},
        max_tokens=_max_tokens(fields),
        stop=_stop(fields.get("stop")),
        seed=_whole_number(fields, "seed", least=0),
        stream=fields.get("stream") is True,
        usage_in_stream=bool(stream_options.get("include_usage")),
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise Refused(f"The body is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise Refused("The body is not a JSON object.", code="invalid_json")
    return {name: value for name, value in fields.items() if value is not None}


def _check_names(fields: Mapping[str, Any]) -> None:
    format = fields.get("response_format")
    if format is not None and format != {"type": "text"}:
        raise _unable("response_format", "has no grammar to hold an answer to a schema with")
    unknown = sorted(fields.keys() - _KNOWN)
    if unknown:
        raise _unable(unknown[0], f"has nothing for the field {unknown[0]!r}")
    for name in _NUMBERS & fields.keys():
        _check_number(name, fields[name])
    _whole_number(fields, "top_k", least=0)


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(f"{name!r} must be a number, not {value!r}.", param=name)
    low, high = _BOUNDS.get(name, (None, None))
    if low is not None and not low <= value <= (value if high is None else high):
        bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise Refused(f"{name!r} must be {bounds}, not {value!r}.", param=name)


def _model(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(
            "The body needs a field 'model': the path of an MLX model's directory.",
            code="missing_model",
            param="model",
        )
    return model


def _messages(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise Refused("'messages' must be a list with a message in it.", param="messages")
    return [_message(message, f"messages[{index}]") for index, message in enumerate(value)]


def _message(message: object, place: str) -> dict[str, Any]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refused(f"{place} must be an object with a role.", param=place)
    prepared = dict(message)
    prepared["content"] = _text(message.get("content"), f"{place}.content")
    if calls := message.get("tool_calls"):
        prepared["tool_calls"] = [_call(call, f"{place}.tool_calls") for call in calls]
    return prepared


def _text(content: object, place: str) -> str:
    """Return content as the text that chat templates take."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Refused(f"{place} must be a text or a list of parts.", param=place)
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise _unable(place, f"reads text only, and {place} has a part of type {kind!r}")
        texts.append(part["text"])
    return "".join(texts)


def _call(call: object, place: str) -> dict[str, Any]:
    """Return a call as templates take it: with its arguments as an object."""
    try:
        function = call["function"]  # type: ignore[index]  # the next line names what is wrong
        arguments = function["arguments"]
        if isinstance(arguments, str):
            arguments = json.loads(arguments or "{}")
        return {**call, "function": {**function, "arguments": arguments}}  # type: ignore[dict-item]
    except (KeyError, TypeError, ValueError):
        raise Refused(f"{place} has a call without JSON arguments.", param=place) from None


def _tools(fields: Mapping[str, Any]) -> list[Any]:
    tools = fields.get("tools", [])
    if not isinstance(tools, list):
        raise Refused("'tools' must be a list.", param="tools")
    choice = fields.get("tool_choice", "auto")
    if choice == "none":
        return []
    if choice != "auto":
        raise _unable("tool_choice", "cannot force a tool: tool_choice is 'auto' or 'none'")
    return tools


def _template_variables(fields: Mapping[str, Any]) -> dict[str, Any]:
    variables = fields.get("chat_template_kwargs", {})
    if not isinstance(variables, dict):
        raise Refused("'chat_template_kwargs' must be an object.", param="chat_template_kwargs")
    return variables


def _effort(fields: Mapping[str, Any]) -> str | None:
    effort = fields.get("reasoning_effort")
    if effort is not None and not isinstance(effort, str):
        raise Refused("'reasoning_effort' must be a text.", param="reasoning_effort")
    return effort


def _sampler(fields: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {ours: fields[name] for name, ours in _SAMPLER.items() if name in fields}
    # Without a temperature mlx-lm looks at no other argument; OpenAI's default is 1.
    return {"temp": 1.0, **arguments} if arguments else {}


def _max_tokens(fields: Mapping[str, Any]) -> int | None:
    name = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    return _whole_number(fields, name, least=1)


def _whole_number(fields: Mapping[str, Any], name: str, *, least: int | None = None) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"{name!r} must be a whole number, not {value!r}.", param=name)
    if least is not None and value < least:
        raise Refused(f"{name!r} must be at least {least}, not {value}.", param=name)
    return value


def _stop(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise Refused("'stop' must be a text or a list of texts.", param="stop")
    return tuple(texts)


def _unable(param: str, what: str) -> Refused:
    return Refused(f"MLX in this process {what}.", code="unsupported_value", param=param)

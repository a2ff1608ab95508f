"""What the encoders share: the order in which fields go into a body, and refusals.

A dialect says every field of a request or refuses it here by name; it drops none.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ..exceptions import ValidationError
from ..types.messages import Tool, ToolCall
from ..types.request import LLMRequest
from ..types.target import Target
from ..wire.jsontext import parse_json

__all__ = ["call_arguments", "cannot_say", "checked_tool_choice", "make_body"]

TOOL_CHOICES = frozenset({"auto", "none", "required"})


def cannot_say(
    who: str, field: str, value: object = None, hint: str | None = None
) -> ValidationError:
    """Return the error for a field of a request that a dialect or model has no words for.

    Args:
        who: the dialect or the model, as users know it.
        field: of the request or message.
        value: of the field, when it is this one that cannot be said.
        hint: what to do instead.
    """
    shown = field if value is None else f"{field} {value!r}"
    return ValidationError(f"{who} cannot be told {shown}.", hint=hint, param=field)


def checked_tool_choice(request: LLMRequest) -> str | None:
    """Return the tool choice of a request: `auto`, `none`, `required`, or the name of its tool.

    Raises:
        ValidationError: it is neither, or there are no tools to choose from.
    """
    choice = request.tool_choice
    if choice == "required" and not request.tools:
        raise ValidationError(
            "tool_choice 'required' asks for a call, but there are no tools.",
            hint="Give some with `tools=[…]`.",
            param="tool_choice",
        )
    if choice is None or choice in TOOL_CHOICES or choice in {tool.name for tool in request.tools}:
        return choice
    raise ValidationError(
        f"tool_choice {choice!r} is neither a mode nor the name of a given tool.",
        hint="Use auto, none, required, or one of the tools' names.",
        param="tool_choice",
    )


def call_arguments(call: ToolCall) -> dict[str, Any] | None:
    """Return the arguments of a call as the object that they should be; `None` if they are none.

    Nothing and `null` are an empty object: so models call a function that takes no arguments.
    """
    try:
        value = parse_json(call.arguments.encode("utf-8", "replace").strip() or b"{}")
    except ValueError:
        return None
    return {} if value is None else value if isinstance(value, dict) else None


def function_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool as OpenAI Chat says it, and others after it."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def make_body(
    fixed: Mapping[str, Any],
    asked: Mapping[str, Any],
    request: LLMRequest,
    target: Target,
    ours: Set[str],
) -> dict[str, Any]:
    """Return the body of a request.

    Args:
        fixed: what every request says.
        asked: what this one asks for; `None` is left out.
        request: its `extra_body` goes over everything.
        target: its options from the configuration go under what is asked.
        ours: fields that the configuration cannot change, because the reading of the answer depends
            on them.
    """
    body = dict(fixed)
    _lay_over(body, {name: value for name, value in target.options.items() if name not in ours})
    _lay_over(body, {name: value for name, value in asked.items() if value is not None})
    _lay_over(body, request.extra_body)
    return body


def _lay_over(body: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Put fields into a body; of an object within, only what is said changes."""
    for name, value in fields.items():
        known = body.get(name)
        if isinstance(known, dict) and isinstance(value, Mapping):
            body[name] = known = dict(known)
            _lay_over(known, value)
        else:
            body[name] = dict(value) if isinstance(value, Mapping) else value

"""Messages, tools and tool calls: what a conversation is made of.

Owns the values and their reading from the dictionaries that users already have (OpenAI's message
shape). Refuses what it cannot carry: a content part that would have to be dropped is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from ..exceptions import ValidationError
from .long_text import LongText

__all__ = ["Message", "Role", "Tool", "ToolCall"]

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that the model asks for."""

    id: str
    """Ties the result to the call; made up here when the provider sends none."""
    name: str
    arguments: str
    """JSON text exactly as the model wrote it, which need not be valid."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask to have called."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )
    """JSON schema of the arguments, an object."""

    @classmethod
    def parse(cls, value: Tool | Mapping[str, Any]) -> Tool:
        """Return a tool from one, or from a dictionary in OpenAI's shape.

        Raises:
            ValidationError: it has no name, or something has the wrong type.
        """
        if isinstance(value, Tool):
            return value
        if not isinstance(value, Mapping):
            raise ValidationError(f"A tool is a Tool or a dictionary, not {type(value).__name__}.")
        match value.get("function", value):
            case {"name": str(name), **rest}:
                description, parameters = rest.get("description"), rest.get("parameters")
                if isinstance(description, str | None) and isinstance(parameters, dict | None):
                    tool = cls(name, description or "")
                    return tool if parameters is None else replace(tool, parameters=parameters)
        raise ValidationError(
            f"{value!r} is not a tool: it needs a 'name', and 'parameters' that are a schema.",
            param="tools",
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str | LongText = ""
    name: str | None = None
    """Who speaks, where a provider distinguishes several users."""
    tool_call_id: str | None = None
    """On a `tool` message: the call that this is the result of."""
    tool_calls: tuple[ToolCall, ...] = ()
    """On an `assistant` message: the calls that the model asked for."""
    reasoning: str = ""
    """On an `assistant` message: what it thought; some providers want it back unchanged."""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValidationError(
                f"{self.role!r} is not a role.", hint=f"Use one of {', '.join(sorted(ROLES))}."
            )

    @classmethod
    def parse(cls, value: Message | Mapping[str, Any]) -> Message:
        """Return a message from one, or from a dictionary in OpenAI's shape.

        Raises:
            ValidationError: an unknown key, a wrong type, or a content part that is not text.
        """
        if isinstance(value, Message):
            return value
        if not isinstance(value, Mapping):
            raise ValidationError(
                f"A message is a Message or a dictionary, not {type(value).__name__}."
            )
        known = {
            "role",
            "content",
            "name",
            "tool_call_id",
            "tool_calls",
            "reasoning",
            "reasoning_content",
        }
        if unknown := sorted(set(value) - known):
            raise ValidationError(
                f"A message has no field {unknown[0]!r}.",
                hint=f"Known fields: {', '.join(sorted(known))}.",
            )
        if "role" not in value:
            raise ValidationError("A message needs a 'role'.")
        for field_name in sorted(known - {"role", "content", "tool_calls"}):
            if not isinstance(value.get(field_name), str | None):
                raise ValidationError(f"The {field_name!r} of a message is text.")
        calls = value.get("tool_calls") or ()
        if not isinstance(calls, list | tuple):
            raise ValidationError("The 'tool_calls' of a message are a list.")
        return cls(
            role=value["role"],
            content=_text(value.get("content")),
            name=value.get("name"),
            tool_call_id=value.get("tool_call_id"),
            tool_calls=tuple(_tool_call(call) for call in calls),
            reasoning=value.get("reasoning") or value.get("reasoning_content") or "",
        )


def _text(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise ValidationError(
            f"The content of a message is text, not {type(content).__name__}.",
        )
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, Mapping) and part.get("type") == "text":
            parts.append(str(part.get("text", "")))
        else:
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise ValidationError(f"A content part of type {kind!r} is not supported: only text.")
    return "".join(parts)


def _tool_call(value: object) -> ToolCall:
    if isinstance(value, ToolCall):
        return value
    if isinstance(value, Mapping):
        function = value.get("function", value)
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            arguments = function.get("arguments")
            if arguments is None:
                arguments = "{}"
            elif not isinstance(arguments, str):
                import json

                arguments = json.dumps(arguments, ensure_ascii=False)
            return ToolCall(str(value.get("id") or ""), function["name"], arguments)
    raise ValidationError(f"{value!r} is not a tool call: it needs a 'function' with a 'name'.")

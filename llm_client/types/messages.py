"""Messages, tools and tool calls: what a conversation is made of.

Owns the values and their writing as and reading from dictionaries (OpenAI's message shape, which
users already have). Refuses what it cannot carry: a content part that would have to be dropped is
an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ..exceptions import ValidationError
from .long_text import LongText

if TYPE_CHECKING:
    # Most messages are plain text, and its classes cost a start-up 1 ms.
    from .content import Part, ProviderState

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
    def parse(cls, value: Tool | Mapping[str, Any] | Callable[..., Any]) -> Tool:
        """Return a tool from one, from a dictionary in OpenAI's shape, or from a typed function.

        Raises:
            ValidationError: it has no name, or something has the wrong type.
        """
        if isinstance(value, Tool):
            return value
        if not isinstance(value, Mapping):
            from .functions import tool_of

            return tool_of(value)
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
    content: str | LongText | tuple[Part, ...] = ""
    """Text, or parts of several kinds in order (`llm_client.Image`, `Document`, `Audio`, `Text`)."""
    name: str | None = None
    """Who speaks, where a provider distinguishes several users; of a `tool` message its tool."""
    tool_call_id: str | None = None
    """On a `tool` message: the call that this is the result of."""
    tool_calls: tuple[ToolCall, ...] = ()
    """On an `assistant` message: the calls that the model asked for."""
    reasoning: str = ""
    """On an `assistant` message: what it thought; some providers want it back unchanged."""
    cache: bool = False
    """A hint that the prompt up to the end of this message will come again. Providers that cache
    without being asked need none; it never changes the answer."""
    provider_state: ProviderState | None = field(default=None, repr=False)
    """On an `assistant` message: what only its provider can read; see `LLMResponse.message`."""

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValidationError(
                f"{self.role!r} is not a role.", hint=f"Use one of {', '.join(sorted(ROLES))}."
            )
        content: object = self.content
        if isinstance(content, tuple):
            is_read = all(hasattr(part, "kind") for part in content)
        else:
            is_read = isinstance(content, str | LongText)
        if not is_read:
            from .message_forms import read_content

            # What a dictionary may hold, a message made in code may too: None, a list, a part.
            object.__setattr__(self, "content", read_content(content))

    @property
    def text(self) -> str:
        """The text of the message; parts of other kinds are left out."""
        if not isinstance(self.content, tuple):
            return str(self.content)
        from .content import Text

        return self.separator.join(
            str(part.text) for part in self.content if isinstance(part, Text)
        )

    @property
    def separator(self) -> str:
        """What stands between its texts where a dialect takes one text only.

        What a model writes runs on; what it is given are texts of their own.
        """
        return "" if self.role == "assistant" else "\n\n"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts; none when it is an empty text."""
        if isinstance(self.content, tuple):
            return self.content
        from .content import Text

        return (Text(self.content),) if self.content else ()

    def to_dict(self) -> dict[str, Any]:
        """Return the message as JSON can say it, in OpenAI's shape; `parse` reads it back whole."""
        from .message_forms import write_message

        return write_message(self)

    @classmethod
    def parse(cls, value: Message | Mapping[str, Any]) -> Message:
        """Return a message from one, or from a dictionary in OpenAI's shape.

        Raises:
            ValidationError: an unknown key, a wrong type, or a content part of an unknown kind.
        """
        if isinstance(value, Message):
            return value
        from .message_forms import read_message

        return read_message(value)

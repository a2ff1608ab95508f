"""What a call asks for, independent of any provider.

Owns the request value, the typed options of every method that makes one, and their validation.
Options default to "not sent": several current models refuse even a default temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from ..exceptions import ValidationError
from .checks import check_count, check_range
from .messages import Message, Tool

__all__ = ["LLMRequest", "Prompt", "ReasoningEffort", "RequestOptions", "readable_again"]

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_EFFORTS: tuple[str, ...] = get_args(ReasoningEffort)
_LONGEST_KEY = 200
"""Characters of an idempotency key: 255 are taken everywhere, and a number may be put behind it."""


class RequestOptions(TypedDict, total=False):
    """Keyword options of `generate`, `chat`, `complete` and `stream`."""

    model: str
    """Another model for this call, of the same provider or as `provider/model`."""
    system: str | Message
    """A system prompt, put before the messages; a message may carry `cache=True`."""
    temperature: float
    top_p: float
    max_tokens: int
    """The most tokens the answer may have."""
    stop: str | Sequence[str]
    """Texts that end the answer; they are not part of it."""
    seed: int
    tools: Sequence[Tool | Mapping[str, Any] | Callable[..., Any]]
    """Tools, dictionaries in OpenAI's shape, or typed functions: name, docstring and signature
    become the schema."""
    tool_choice: str
    """`auto`, `none`, `required`, or the name of a tool."""
    schema: Mapping[str, Any] | type[Any]
    """What the answer must follow: a JSON schema, a dataclass, a TypedDict or a pydantic model."""
    schema_retries: int
    """How often a whole answer that does not follow the schema is asked for again; default 2."""
    reasoning_effort: ReasoningEffort
    """How much the model shall think, as far as it can be told."""
    suffix: str
    """Text behind the gap to be filled; for text completion only."""
    extra_body: Mapping[str, Any]
    """Fields put into the provider's request as they are, over everything else."""
    timeout: float
    """Seconds: bounds every single wait of the attempt."""
    deadline: float
    """Seconds: bounds the whole call with its retries and fallbacks."""
    max_retries: int
    idempotency_key: str
    """Sent as `Idempotency-Key` with every attempt, for providers that bill a repeated one once."""
    task: str
    """`planning`, `vision` or `long_context`: asks whom the configuration's `[routing]` names."""
    cache: bool
    """Whether an answer is taken from the response cache and kept there; else as configured."""
    max_cost: float
    """USD that this call may cost, retries and fallbacks included."""
    project: str
    """Label in the ledger; else `LLM_CLIENT_PROJECT`, else the name of the git repository."""
    session: str
    """Label in the ledger."""
    tags: Sequence[str]
    """Labels in the ledger."""


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
    """JSON schema that the answer must follow. May be given as a dataclass, TypedDict or pydantic
    model, which then stands in `schema_type`."""
    schema_type: type[Any] | None = None
    """What the parsed answer becomes; `None` leaves it JSON."""
    reasoning_effort: ReasoningEffort | None = None
    """`none` turns thinking off; `None` leaves it to the provider."""
    suffix: str | None = None
    """Text behind the gap to be filled; for text completion only."""
    idempotency_key: str | None = None
    """The same on every attempt of the call; `None` sends none."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Provider-specific fields, merged into the body last."""
    stream: bool = False
    """Whether the answer is wanted piece by piece."""

    def __post_init__(self) -> None:
        schema: object = self.schema
        if schema is not None and not isinstance(schema, Mapping):
            from .shapes import schema_of

            object.__setattr__(self, "schema_type", schema)
            object.__setattr__(self, "schema", schema_of(schema))
        if self.reasoning_effort is not None and self.reasoning_effort not in _EFFORTS:
            raise ValidationError(
                f"reasoning_effort {self.reasoning_effort!r} is not known.",
                hint=f"Use one of {', '.join(_EFFORTS)}.",
                param="reasoning_effort",
            )
        if self.temperature is not None:
            check_range("temperature", self.temperature, 0.0, 2.0)
        if self.top_p is not None:
            check_range("top_p", self.top_p, 0.0, 1.0)
        if self.max_tokens is not None:
            check_count("max_tokens", self.max_tokens)
        if self.idempotency_key is not None:
            _check_key(self.idempotency_key)
        if not any(_says_something(m) for m in self.messages if m.role != "system"):
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
        values = _known_fields(options, besides=("messages",))
        if isinstance(prompt, Mapping):
            values = {"messages": (), **_request_fields(prompt), **values}
        elif not isinstance(prompt, LLMRequest):
            values["messages"] = prompt
        system = values.pop("system", None)
        values = {**_normal(values), "stream": stream}
        if isinstance(prompt, LLMRequest):
            if system:
                values["messages"] = (_system(system), *prompt.messages)
            return replace(prompt, **values)
        messages = _messages(values.pop("messages"))
        if system:
            messages = (_system(system), *messages)
        return cls(messages=messages, **values)


def _check_key(key: object) -> None:
    """Refuse what cannot stand in a header, or could say another one."""
    is_text = isinstance(key, str) and key.isascii() and key.isprintable()
    if not is_text or not 0 < len(str(key).strip()) == len(str(key)) <= _LONGEST_KEY:
        raise ValidationError(
            f"idempotency_key {repr(key)[:80]} is not 1 to {_LONGEST_KEY} printable ASCII "
            "characters.",
            hint="A UUID does: `idempotency_key=str(uuid.uuid4())`.",
            param="idempotency_key",
        )


def _says_something(message: Message) -> bool:
    content = message.content
    if isinstance(content, tuple):
        return bool(content)
    return bool(message.tool_calls) or (bool(content) and not content.isspace())


def _system(system: str | Message) -> Message:
    return system if isinstance(system, Message) else Message("system", system)


Prompt: TypeAlias = (
    str | Message | LLMRequest | Mapping[str, Any] | Sequence[Message | Mapping[str, Any]]
)
"""A text, one message, messages, a request, or a dictionary of a request's fields."""


def readable_again(prompt: Any) -> Prompt:
    """Return a prompt of which more than one request can be made: an iterator is read here."""
    return tuple(prompt) if isinstance(prompt, Iterator) else prompt


def _messages(value: object) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, Message):
        return (value,)
    if isinstance(value, Iterable):
        return tuple(Message.parse(item) for item in value)
    raise ValidationError(f"A prompt is a text or messages, not {type(value).__name__}.")


def _request_fields(prompt: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [prompt]} if "role" in prompt else _known_fields(prompt)


def _known_fields(value: Mapping[str, Any], *, besides: tuple[str, ...] = ()) -> dict[str, Any]:
    known = ({f.name for f in fields(LLMRequest)} | {"system"}).difference(besides, {"schema_type"})
    if unknown := sorted(set(value) - known):
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], known, n=1)
        raise ValidationError(
            f"A request has no field {unknown[0]!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}.",
            param=unknown[0],
        )
    return {name: setting for name, setting in value.items() if setting is not None}


def _normal(values: dict[str, Any]) -> dict[str, Any]:
    normal = dict(values)
    if "schema" in normal:
        normal["schema_type"] = None  # it belongs to the schema that was there before
    if "stop" in normal:
        stop = normal["stop"]
        normal["stop"] = (stop,) if isinstance(stop, str) else _tuple("stop", stop)
        if not all(isinstance(text, str) and text for text in normal["stop"]):
            raise ValidationError(f"stop {stop!r} is not a text or texts.", param="stop")
    if "tools" in normal:
        normal["tools"] = _tools(normal["tools"])
    if "tool_choice" in normal:
        normal["tool_choice"] = _tool_choice(normal["tool_choice"])
    if not isinstance(normal.get("extra_body", {}), Mapping):
        raise ValidationError(
            f"extra_body {normal['extra_body']!r} is not a dictionary.", param="extra_body"
        )
    if not isinstance(normal.get("suffix", ""), str):
        raise ValidationError(f"suffix {normal['suffix']!r} is not a text.", param="suffix")
    return normal


def _tools(value: object) -> tuple[Tool, ...]:
    if callable(value) or isinstance(value, Tool):
        raise ValidationError(
            "tools is a list, also of a single one.", hint="Write `tools=[…]`.", param="tools"
        )
    tools = tuple(Tool.parse(tool) for tool in _tuple("tools", value))
    names = [tool.name for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValidationError(f"There are two tools of the name {twice!r}.", param="tools")
    return tools


def _tool_choice(value: object) -> str:
    """Return a tool choice, also of OpenAI's `{"type": "function", "function": {"name": …}}`."""
    match value:
        case str(choice) | {"function": {"name": str(choice)}}:
            return choice
        case {"type": "function", "name": str(name)}:
            return name
    raise ValidationError(
        f"tool_choice {value!r} is not known.",
        hint="Use auto, none, required, or the name of a tool.",
        param="tool_choice",
    )


def _tuple(name: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return tuple(value)
    raise ValidationError(f"{name} {value!r} is not a list.", param=name)

"""What an answer is: usage, the pieces of a stream, the whole, and the fold from one to the other.

There is one fold: a whole answer is decoded into the same pieces as a streamed one and put
together here, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError
from .messages import Message, ToolCall

if TYPE_CHECKING:
    from .content import ProviderState

__all__ = ["Fold", "LLMResponse", "StreamChunk", "ToolCallDelta", "Usage", "chunks_of", "fold"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, as the provider counts them."""

    prompt_tokens: int = 0
    """Tokens of the prompt, cached ones included."""
    completion_tokens: int = 0
    """Tokens of the answer, reasoning included."""
    total_tokens: int = 0
    cached_tokens: int | None = None
    """Prompt tokens read from the provider's cache; `None` when it does not say."""
    cache_write_tokens: int | None = None
    """Prompt tokens written to the provider's cache; `None` when it does not say."""
    reasoning_tokens: int | None = None
    """Tokens of the answer that were thinking; `None` when it does not say."""
    estimated_cost: float | None = None
    """USD as far as known; `None` means unknown or local, never free."""
    estimated: bool = False
    """True when the provider reported nothing and the figures are a guess."""
    billed_prompt_tokens: int | None = None
    """What is paid for of the prompt; `None`: all of it. Cohere adds to it, at its own cost."""
    billed_completion_tokens: int | None = None
    """What is paid for of the answer; `None`: all of it."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call."""

    index: int
    """Which call of the answer this belongs to, from 0."""
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    """The next piece of the JSON text of the arguments."""


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One piece of an answer."""

    delta: str = ""
    """Text of the answer."""
    reasoning: str = ""
    """Text of the model's thinking."""
    tool_call: ToolCallDelta | None = None
    is_done: bool = False
    """True on the last chunk of an answer."""
    usage: Usage | None = None
    """Cumulative: a later figure replaces an earlier one."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`, or the provider's own word."""
    error: LLMError | None = None
    """What ended the stream instead of an answer; the engine raises it."""
    provider: str = ""
    model: str = ""
    """The model that answers, as the provider names it."""
    response_id: str | None = None
    raw: Any = field(default=None, repr=False, compare=False)
    """The provider's JSON, on the chunk of an answer that came whole."""
    provider_state: ProviderState | None = field(default=None, repr=False)
    """On the last chunk, where the provider wants its answer back unchanged."""


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """A whole answer."""

    content: str
    model: str
    """The model that answered, as the provider names it."""
    provider: str
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls`, `content_filter`, the provider's own word, or `None`."""
    response_id: str | None = None
    latency_ms: float = 0.0
    """From the start of the call to the end of the answer, retries included."""
    usage: Usage | None = None
    """Estimated, and marked so, when the provider reported nothing."""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    parsed: Any = None
    """The content as JSON that follows the schema that was asked for, or as an object of the
    dataclass or pydantic model that it was made of."""
    provider_state: ProviderState | None = field(default=None, repr=False)
    """What only the provider can read of its own answer (signatures, encrypted reasoning)."""
    retry_count: int = 0
    """Attempts beyond the first, over all targets."""
    used_fallback: bool = False
    fallback_provider: str | None = None
    """Who answered instead of the first choice."""
    attempts: int = 1
    raw: Any = field(default=None, repr=False, compare=False)
    """The provider's JSON; `None` for a streamed answer."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """`time_to_first_token_ms`, `call_id`; `cached`: true, when it came from the response cache."""

    @property
    def tokens(self) -> Usage:
        """Usage that can be read without a check: zeros when nothing was reported."""
        return self.usage if self.usage is not None else Usage()

    @property
    def cost(self) -> float | None:
        """USD; `None` means unknown or local, never free."""
        return self.usage.estimated_cost if self.usage is not None else None

    @property
    def raw_response(self) -> Any:
        """Same as `raw`."""
        return self.raw

    @property
    def message(self) -> Message:
        """The answer as a message, to be appended to a conversation: nothing of it is lost."""
        return Message(
            "assistant",
            self.content,
            tool_calls=self.tool_calls,
            reasoning=self.reasoning,
            provider_state=self.provider_state,
        )

    def __str__(self) -> str:
        return self.content


class _ToolCallParts:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = StringIO()


class Fold:
    """Puts the chunks of one answer together as they come."""

    __slots__ = (
        "_reasoning",
        "_text",
        "_tools",
        "finish_reason",
        "has_output",
        "model",
        "provider_state",
        "raw",
        "response_id",
        "usage",
    )

    def __init__(self) -> None:
        self._text = StringIO()
        self._reasoning = StringIO()
        self._tools: dict[int, _ToolCallParts] = {}
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.model = ""
        self.response_id: str | None = None
        self.raw: Any = None
        self.provider_state: ProviderState | None = None
        self.has_output = False
        """Whether any text, thinking or tool call has arrived."""

    def add(self, chunk: StreamChunk) -> None:
        """Take the next chunk."""
        if chunk.delta:
            self._text.write(chunk.delta)
            self.has_output = True
        if chunk.reasoning:
            self._reasoning.write(chunk.reasoning)
            self.has_output = True
        if chunk.tool_call is not None:
            self._add_tool_call(chunk.tool_call)
            self.has_output = True
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
        if chunk.model:
            self.model = chunk.model
        if chunk.response_id is not None:
            self.response_id = chunk.response_id
        if chunk.raw is not None:
            self.raw = chunk.raw
        if chunk.provider_state is not None:
            self.provider_state = chunk.provider_state

    def _add_tool_call(self, delta: ToolCallDelta) -> None:
        parts = self._tools.setdefault(delta.index, _ToolCallParts())
        if delta.id and not parts.id:
            parts.id = delta.id
        if delta.name and not parts.name:
            parts.name = delta.name
        parts.arguments.write(delta.arguments)

    @property
    def text(self) -> str:
        """The text so far."""
        return self._text.getvalue()

    @property
    def reasoning(self) -> str:
        """The thinking so far."""
        return self._reasoning.getvalue()

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far; a missing id is made up from the position."""
        return tuple(
            ToolCall(parts.id or f"call_{index}", parts.name, parts.arguments.getvalue() or "{}")
            for index, parts in sorted(self._tools.items())
        )

    def response(self, *, provider: str, model: str, **details: Any) -> LLMResponse:
        """Return the whole answer; `model` stands in where the provider names none."""
        calls = self.tool_calls
        reason = self.finish_reason
        if calls and reason in {None, "stop"}:
            # Ollama and Gemini say "stop" also when the answer is a tool call.
            reason = "tool_calls"
        return LLMResponse(
            content=self.text,
            model=self.model or model,
            provider=provider,
            finish_reason=reason,
            response_id=self.response_id,
            usage=self.usage,
            tool_calls=calls,
            reasoning=self.reasoning,
            provider_state=self.provider_state,
            raw=self.raw,
            **details,
        )


def fold(chunks: Iterable[StreamChunk], *, provider: str = "", model: str = "") -> LLMResponse:
    """Return the answer that the chunks make; raise the error that one of them carries."""
    state = Fold()
    for chunk in chunks:
        if chunk.error is not None:
            raise chunk.error
        state.add(chunk)
    return state.response(provider=provider, model=model)


def chunks_of(response: LLMResponse) -> list[StreamChunk]:
    """Return the chunks that make an answer: what `fold` undoes."""
    piece = StreamChunk(provider=response.provider, model=response.model)
    chunks = [replace(piece, reasoning=response.reasoning), replace(piece, delta=response.content)]
    for index, call in enumerate(response.tool_calls):
        delta = ToolCallDelta(index, call.id, call.name, call.arguments)
        chunks.append(replace(piece, tool_call=delta))
    last = replace(
        piece,
        is_done=True,
        usage=response.usage,
        finish_reason=response.finish_reason,
        response_id=response.response_id,
        provider_state=response.provider_state,
    )
    return [c for c in chunks if c.delta or c.reasoning or c.tool_call is not None] + [last]

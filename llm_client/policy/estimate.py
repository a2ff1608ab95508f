"""How many tokens a request and its answer may have, without a tokenizer.

Owns the guesses where a provider says nothing: about what is likely, for the books; a least, so
that only what is surely too long is refused before it is sent; and a most, which budgets reserve.
The figures for what is no text were seen in the makers' documentation and in `shared/recordings`
(2026-11). A most is no promise: a provider may add instructions of its own, read a document page by
page, or search the web.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ..types.long_text import LongText
from ..types.messages import Message, Tool, ToolCall
from ..types.request import LLMRequest
from ..types.response import Usage
from .text_tokens import LEAST, LIKELY, MOST, Scale, tokens_of

if TYPE_CHECKING:
    from ..types.content import Part
    from ..types.embedding import EmbeddingRequest
    from ..types.target import Target

__all__ = [
    "LONGEST_ANSWER",
    "least_prompt_tokens",
    "message_tokens",
    "most_completion_tokens",
    "most_prompt_tokens",
    "most_usage",
    "prompt_tokens",
    "text_tokens",
    "usage_of",
]

LONGEST_ANSWER: Final = 4096
"""Tokens that are reserved for an answer of which nobody said how long it may be."""
_LIMITS: Final = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxOutputTokens",
    "num_predict",
)
"""Under which of its names a provider can be told the most tokens of an answer."""
_LOW_DETAIL: Final = 85
"""Tokens of an image that OpenAI is to look at in low detail."""


class _Measure(NamedTuple):
    """What everything counts for that a prompt is made of, in tokens."""

    scale: Scale
    request: int
    """What a request has besides: marks of beginning and end, a chat template's own words."""
    message: int
    tools: int
    """What a provider says about tools when there are any. Claude: 313 to 530 (its documentation)."""
    schema_share: float
    """The part of a schema, as Python writes it, that the model reads: providers rewrite it."""
    image: int
    """OpenAI 85 to 2,500, Claude up to 1,600 (4,784 at its highest), Gemini 64 to 2,240."""
    document: int
    """At least; Gemini counts 258 a page."""
    document_bytes: float
    """Tokens a byte: a page is 3 KB as text and 100 KB as a scan, and 700 to 3,000 tokens."""
    audio: int
    audio_bytes: float
    """Tokens a byte: 10 to 32 a second, of 4 KB (a low-rate MP3) to 176 KB (a CD)."""
    hidden: float
    """The part of an answer's provider state, and of thinking, that is read again."""


_LEAST: Final = _Measure(LEAST, 0, 1, 0, 0.0, 64, 64, 0.0, 8, 0.0, 0.0)
_LIKELY: Final = _Measure(LIKELY, 3, 4, 20, 0.5, 1000, 500, 1 / 30, 50, 1 / 1000, 0.0)
_MOST: Final = _Measure(MOST, 50, 10, 530, 1.0, 5000, 3000, 1 / 4, 500, 1 / 125, 0.5)


def text_tokens(text: str | LongText) -> int:
    """Return about how many tokens a text has."""
    return tokens_of(text)


def message_tokens(message: Message) -> int:
    """Return about how many tokens a message has."""
    return _message(message, _LIKELY)


def prompt_tokens(asked: LLMRequest | EmbeddingRequest) -> int:
    """Return about how many tokens a request has."""
    return _prompt(asked, _LIKELY)


def least_prompt_tokens(asked: LLMRequest | EmbeddingRequest) -> int:
    """Return how many tokens a request has at least."""
    return _prompt(asked, _LEAST)


def most_prompt_tokens(asked: LLMRequest | EmbeddingRequest) -> int:
    """Return how many tokens a request has at most, as far as can be told."""
    return _prompt(asked, _MOST)


def most_completion_tokens(asked: LLMRequest | EmbeddingRequest, target: Target) -> int:
    """Return how many tokens an answer has at most: as was said, else `LONGEST_ANSWER`."""
    if not isinstance(asked, LLMRequest):
        return 0
    return (
        _said_limit(asked.extra_body)
        or asked.max_tokens
        or _said_limit(target.options)
        or LONGEST_ANSWER
    )


def most_usage(asked: LLMRequest | EmbeddingRequest, target: Target) -> Usage:
    """Return what an attempt uses at most, to be priced and reserved."""
    prompt, answer = most_prompt_tokens(asked), most_completion_tokens(asked, target)
    messages = getattr(asked, "messages", ())
    # Writing into a provider's cache can cost more than reading.
    written = prompt if any(message.cache for message in messages) else None
    return Usage(prompt, answer, prompt + answer, cache_write_tokens=written, estimated=True)


def usage_of(
    asked: LLMRequest | EmbeddingRequest,
    text: str,
    reasoning: str = "",
    tool_calls: Iterable[ToolCall] = (),
) -> Usage:
    """Return about what a request and its answer used, marked as estimated."""
    prompt = prompt_tokens(asked)
    answer = tokens_of(text) + tokens_of(reasoning) + _calls(tool_calls, _LIKELY)
    return Usage(prompt, answer, prompt + answer, estimated=True)


def _said_limit(fields: Mapping[str, object]) -> int | None:
    """Return the most tokens of an answer that provider-specific fields say, also nested ones."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            if (nested := _said_limit(value)) is not None:
                return nested
        elif (
            name in _LIMITS and isinstance(value, int) and not isinstance(value, bool) and value > 0
        ):
            return value
    return None


def _prompt(asked: LLMRequest | EmbeddingRequest, measure: _Measure) -> int:
    if not isinstance(asked, LLMRequest):
        marks = min(measure.request, 2)  # BERT's, around every text
        return tokens_of("".join(asked.texts), measure.scale) + marks * len(asked.texts)
    total = measure.request + sum(_message(message, measure) for message in asked.messages)
    if asked.tools:
        total += measure.tools + sum(_tool(tool, measure) for tool in asked.tools)
    if asked.schema is not None:
        total += measure.tools + _written(asked.schema, measure, measure.schema_share)
    if asked.suffix:
        total += tokens_of(asked.suffix, measure.scale)
    if asked.extra_body:
        total += _written(asked.extra_body, measure, measure.hidden)
    return total


def _message(message: Message, measure: _Measure) -> int:
    content = message.content
    total = measure.message
    if message.tool_calls:
        total += _calls(message.tool_calls, measure)
    if isinstance(content, tuple):
        total += sum(_part(part, measure) for part in content)
    else:
        total += tokens_of(content, measure.scale)
    if measure.hidden:
        state = message.provider_state
        total += tokens_of(message.reasoning, measure.scale) if message.reasoning else 0
        total += 0 if state is None else _written(state.items, measure, measure.hidden)
    return total


def _calls(calls: Iterable[ToolCall], measure: _Measure) -> int:
    return sum(
        measure.message + tokens_of(call.name + call.arguments, measure.scale) for call in calls
    )


def _tool(tool: Tool, measure: _Measure) -> int:
    return (
        measure.message
        + tokens_of(tool.name + tool.description, measure.scale)
        + _written(tool.parameters, measure, measure.schema_share)
    )


def _written(value: object, measure: _Measure, share: float) -> int:
    """Return the tokens of a value, which is about as long in Python as in JSON."""
    return int(tokens_of(repr(value), measure.scale) * share) if share else 0


def _part(part: Part, measure: _Measure) -> int:
    from ..types.content import Audio, Document, Text

    if isinstance(part, Text):
        return tokens_of(part.text, measure.scale)
    data = part.data or b""
    if isinstance(part, Document):
        if data and part.media_type.startswith("text/"):
            return tokens_of(LongText((data,)), measure.scale)
        return measure.document + int(len(data) * measure.document_bytes)
    if isinstance(part, Audio):
        return measure.audio + int(len(data) * measure.audio_bytes)
    return min(measure.image, _LOW_DETAIL) if part.detail == "low" else measure.image

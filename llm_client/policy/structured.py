"""How an answer that follows a JSON schema is asked for, read, and asked for again.

Owns the three ways (DESIGN.md, section 6.3): the dialect's own field (`native`), a call of a tool
that takes the schema as its arguments (`tool`), and words (`prompt`). Pure; which way a target wants
is data in its row of the catalog, and the order of attempts is the engine's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, TypeAlias

from ..exceptions import ContextLengthError, InvalidOutputError, LLMError, ValidationError
from ..types.long_text import LongText
from ..types.messages import Message, Tool
from ..types.request import LLMRequest
from ..types.response import LLMResponse, StreamChunk
from ..types.target import Target
from ..wire.json_schema import validate

__all__ = [
    "Asking",
    "Mode",
    "ToolAnswer",
    "asked_again",
    "first_mode",
    "invalid_output",
    "judge",
    "mode_after",
    "next_mode",
    "read_answer",
]

Mode: TypeAlias = Literal["native", "tool", "prompt"]

_MOST_PROBLEMS = 8
"""How many are told: a model that made many corrects them together, or not at all."""
_LONGEST_PROBLEM = 1000
"""Characters: the names of fields in it are the model's, and as long as it likes."""
_MOST_STARTS = 64
"""Places in a text where JSON may begin that are tried: each can cost a pass over the rest."""
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_REFUSALS: dict[Mode, re.Pattern[str]] = {
    # The fields of OpenAI Chat and Responses, Anthropic, Gemini, Ollama and Cohere, and llama.cpp,
    # which makes a grammar of the schema.
    "native": re.compile(
        r"response.?format|json.?schema|output.?(config|format)|text\.format|structured.?output"
        r"|response.?(json.?)?(schema|mime.?type)|\bgrammar\b|['\"`]format['\"`]",
        re.IGNORECASE,
    ),
    "tool": re.compile(r"\btool|function.?call|json.?schema|\bgrammar\b", re.IGNORECASE),
}
_NO_JSON = "the answer is no JSON"
_INSTRUCTION = (
    "{when} one JSON value and nothing else: no words around it, no code fence. "
    "It must follow this JSON schema:\n{schema}"
)


@dataclass(frozen=True, slots=True)
class Asking:
    """A request for structured output in the form in which one target is asked."""

    request: LLMRequest
    """As it is sent."""
    tool: str = ""
    """Name of the tool whose arguments are the answer; empty: the text is."""

    @classmethod
    def of(cls, request: LLMRequest, mode: Mode) -> Asking:
        """Return the form of a request that has a schema."""
        if mode == "native":
            return cls(request)
        plain = replace(request, schema=None, schema_type=None)
        if request.tools and request.tool_choice not in {None, "auto", "none"}:
            return cls(plain)  # the answer is to be a call of the user's own tools
        schema = request.schema or {}
        if mode == "prompt":
            return cls(replace(plain, messages=_instructed(request, schema)))
        own = () if request.tool_choice == "none" else request.tools
        tool = _answer_tool(schema, {tool.name for tool in own})
        choice = "required" if own else tool.name
        return cls(replace(plain, tools=(*own, tool), tool_choice=choice), tool.name)

    def reader(self) -> Callable[[Sequence[StreamChunk]], list[StreamChunk]] | None:
        """Return what makes the answer's text of the chunks of one attempt; `None`: they have it."""
        return ToolAnswer(self.tool).read if self.tool else None


def first_mode(request: LLMRequest, target: Target) -> Mode:
    """Return how a target is asked at first."""
    match target.provider.schema_for(target.model):
        case "native":
            return "native"
        case "tool" if _can_be_tool(request, target):
            return "tool"
    return "prompt"


def next_mode(error: LLMError, mode: Mode, request: LLMRequest, target: Target) -> Mode | None:
    """Return how to ask after a refusal of the way itself; `None` when it refused something else.

    Servers of unknown make are asked the native way, and some have never heard of it.
    """
    if mode == "prompt" or not isinstance(error, ValidationError):
        return None
    said = f"{error.message} {error.param} {error.body}"
    # What a dialect cannot say at all, its encoder refuses by the name of the field.
    refused = error.param == "schema" or _REFUSALS[mode].search(said)
    if isinstance(error, ContextLengthError) or not refused:
        return None
    return _weaker(mode, request, target)


def mode_after(problems: Sequence[str], mode: Mode, request: LLMRequest, target: Target) -> Mode:
    """Return how to ask again after an answer with problems.

    One that is no JSON at all is from a server that passes over the field for the schema, as
    llama.cpp does in Responses and Anthropic Messages (seen 2026-11).
    """
    if mode == "native" and problems[0].startswith(_NO_JSON):
        return _weaker(mode, request, target)
    return mode


def _weaker(mode: Mode, request: LLMRequest, target: Target) -> Mode:
    return "tool" if mode == "native" and _can_be_tool(request, target) else "prompt"


def _can_be_tool(request: LLMRequest, target: Target) -> bool:
    # Arguments are an object, and without force a model may answer in words as well.
    is_object = (request.schema or {}).get("type") == "object"
    return is_object and target.provider.quirks.required_tool_choice


def _answer_tool(schema: Mapping[str, Any], taken: set[str]) -> Tool:
    title = schema.get("title")
    name = title if isinstance(title, str) and _TOOL_NAME.fullmatch(title) else "answer"
    while name in taken:
        name = f"{name[:63]}_"
    return Tool(name, "Give the final answer by calling this, once.", schema)


def _instructed(request: LLMRequest, schema: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the messages with the schema in words, behind the system prompt if there is one."""
    when = "When you call no tool, answer with" if request.tools else "Answer with"
    text = _INSTRUCTION.format(when=when, schema=json.dumps(dict(schema), ensure_ascii=False))
    first, *rest = request.messages
    if first.role not in {"system", "developer"}:
        return (Message("system", text), *request.messages)
    if isinstance(first.content, str):
        return (replace(first, content=f"{first.content}\n\n{text}"), *rest)
    from ..types.content import Text

    before = (Text(first.content),) if isinstance(first.content, LongText) else first.content
    return (replace(first, content=(*before, Text(text))), *rest)


class ToolAnswer:
    """Turns the call of the answer tool into text, as it streams.

    Text beside it is held back: it is the answer only when the tool is not called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._first: int | None = None
        self._ours: set[int] = set()
        """Positions of its calls; a second one is a repetition."""
        self._others = False
        self._said = False
        self._held: list[StreamChunk] = []

    def read(self, chunks: Sequence[StreamChunk]) -> list[StreamChunk]:
        """Return chunks with the answer as their text."""
        read: list[StreamChunk] = []
        for chunk in chunks:
            if chunk.is_done or chunk.error is not None:
                self._end(chunk, read)
            if chunk.delta:
                self._held.append(StreamChunk(chunk.delta, provider=chunk.provider))
                chunk = replace(chunk, delta="")
            read.append(self._of_call(chunk))
        return read

    def _of_call(self, chunk: StreamChunk) -> StreamChunk:
        call = chunk.tool_call
        if call is not None and call.name == self._name:
            self._first = call.index if self._first is None else self._first
            self._ours.add(call.index)
        if call is not None and call.index in self._ours:
            text = call.arguments if call.index == self._first else ""
            self._said = self._said or bool(text)
            chunk = replace(chunk, tool_call=None, delta=text)
        elif call is not None:
            self._others = True
        if chunk.finish_reason == "tool_calls" and self._ours and not self._others:
            chunk = replace(chunk, finish_reason="stop")
        return chunk

    def _end(self, last: StreamChunk, read: list[StreamChunk]) -> None:
        if not self._ours:
            read += self._held
        elif not self._said and last.is_done:
            read.append(StreamChunk("{}", provider=last.provider))
        self._held.clear()


def judge(response: LLMResponse, request: LLMRequest) -> tuple[LLMResponse, list[str]]:
    """Return an answer with what it means, and what is wrong with it.

    An answer that calls the user's own tools, or in which the model declines, is not parsed: it is
    no attempt to follow the schema.
    """
    if response.tool_calls or response.finish_reason == "refusal" or request.schema is None:
        return response, []
    value, problems = read_answer(response.content, request.schema, request.schema_type)
    return replace(response, parsed=value), problems


def read_answer(
    text: str, schema: Mapping[str, Any], shape: type[Any] | None = None
) -> tuple[Any, list[str]]:
    """Return what a text says that should follow a schema, and what is wrong with it.

    A code fence or words around the JSON are overlooked.

    Args:
        text: the answer.
        schema: what it must follow.
        shape: what the value becomes; `None` leaves it JSON.
    """
    wrong: list[str] = []
    try:
        for value in _values(text):
            problems = validate(value, schema)
            if not problems:
                try:
                    return _built(value, shape), []
                except ValueError as error:
                    problems = [str(error)]
            wrong = wrong or problems
    except RecursionError:
        wrong = ["the answer is nested too deeply"]
    except ValueError as error:
        wrong = wrong or [f"{_NO_JSON}: {error}"]
    return None, wrong


def _built(value: Any, shape: type[Any] | None) -> Any:
    if shape is None:
        return value
    from ..types.building import build

    return build(shape, value)


def _values(text: str) -> Iterator[Any]:
    """Return the JSON that a text is, or else what JSON it holds, the most likely first.

    Raises:
        ValueError: there is none, or no more.
    """
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    text = text.strip()
    try:
        yield decoder.decode(text)
        return
    except ValueError as error:
        reason = error
    for block in _FENCED.findall(text):
        try:
            value = decoder.decode(block.strip())
        except ValueError:
            continue
        yield value
    start = 0
    for _ in range(_MOST_STARTS):
        found = re.compile(r"[\[{]").search(text, start)
        if found is None:
            break
        try:
            value, start = decoder.raw_decode(text, found.start())
        except ValueError:
            start = found.end()
            continue
        yield value
    raise reason


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def invalid_output(response: LLMResponse, problems: Sequence[str]) -> InvalidOutputError:
    """Return the error for an answer that does not follow its schema."""
    if response.finish_reason == "length":
        return InvalidOutputError(
            "The answer does not follow the JSON schema: it was cut off at the token limit.",
            hint="Allow a longer answer with `--max-tokens N`.",
            partial=response.content,
        )
    return InvalidOutputError(
        f"The answer does not follow the JSON schema: {'; '.join(_most(problems))}.",
        hint="Ask again, or ask a more capable model with `-m MODEL`.",
        partial=response.content,
    )


def asked_again(request: LLMRequest, response: LLMResponse, problems: Sequence[str]) -> LLMRequest:
    """Return a request with an answer that is wrong behind it, and what is wrong with it."""
    told = "\n".join(f"- {problem}" for problem in _most(problems))
    answer = response.message
    if not response.content.strip():
        answer = replace(answer, content="(nothing)")  # an empty turn is refused by some
    correction = Message(
        "user",
        f"That does not follow the JSON schema:\n{told}\n"
        "Answer again with the whole JSON value, corrected, and nothing else.",
    )
    return replace(request, messages=(*request.messages, answer, correction))


def _most(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _MOST_PROBLEMS
    told = [
        problem if len(problem) <= _LONGEST_PROBLEM else f"{problem[:_LONGEST_PROBLEM]}…"
        for problem in problems[:_MOST_PROBLEMS]
    ]
    return [*told, *([f"and {more} more"] if more > 0 else [])]

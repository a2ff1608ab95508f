"""An answer of a model that MLX runs, as OpenAI Chat puts it.

Owns the way from a checked request to the bytes of the answer: the prompt by the model's chat
template, the tokens by mlx-lm, and JSON, streamed or whole, in the form of `mlx_lm.server`
(`reasoning` beside `content`, a tool call in one piece; seen with mlx-lm 0.32). Runs in the thread
of `mlx_models`, which loads the model.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from llm_client.runtimes.mlx_line import END, Begin, Line
from llm_client.runtimes.mlx_request import ChatRequest, Refused
from llm_client.runtimes.mlx_text import (
    ANSWER,
    REASONING,
    TOOL,
    UNFINISHED_TOOL,
    TextParts,
    kind_at_start,
    marker_table,
    parsed_calls,
)

__all__ = ["LoadedModel", "send_answer"]

PREFILL_TOKENS: Final = 512
"""Tokens of a prompt that are worked on at once: between two portions a hang-up is noticed."""
_KEYS: Final = {ANSWER: "content", REASONING: "reasoning"}
_EFFORT_VARIABLES: Final = ("enable_thinking", "reasoning_effort", "thinking")
"""What chat templates call it."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory."""

    path: str
    """Its directory, without links."""
    model: Any
    tokenizer: Any
    """mlx-lm's wrapper around the tokenizer of transformers."""
    context_tokens: int | None
    """What the model was trained for; `None` when its configuration does not say."""


def send_answer(request: ChatRequest, loaded: LoadedModel, line: Line) -> None:
    """Generate the answer to a request and send it, up to its end.

    Raises:
        Refused: nothing was sent; the model cannot do what is asked.
        HungUp: nobody reads any more.
    """
    generation = _Generation(request, loaded, line)
    if request.stream:
        line.send(Begin(200, "text/event-stream"))
        for event in _events(request, generation):
            line.send(b"data: %b\n\n" % event)
    else:
        body = _whole(request, generation)
        line.send(Begin(200, "application/json"))
        line.send(body)
    line.send(END)


class _Generation:
    """One run of a model, as OpenAI's deltas."""

    def __init__(self, request: ChatRequest, loaded: LoadedModel, line: Line) -> None:
        tokenizer = loaded.tokenizer
        if request.tools and not tokenizer.has_tool_calling:
            raise Refused(
                f"The model {loaded.path!r} takes no tools: mlx-lm knows no form in which it calls "
                "them.",
                code="unsupported_value",
                param="tools",
            )
        prompt = _prompt(request, loaded)
        self.finish_reason = "stop"
        self.completion_tokens = 0
        self._request = request
        self._loaded = loaded
        self._line = line
        self._tokens: list[int] = tokenizer.encode(prompt, add_special_tokens=False)
        self._most = _most_tokens(request, loaded, len(self._tokens))
        self._parts = TextParts(
            marker_table(tokenizer, tools=bool(request.tools), stop=request.stop),
            kind=kind_at_start(tokenizer, prompt),
        )
        self._calls = 0

    def deltas(self) -> Iterator[dict[str, Any]]:
        """Run the model; count tokens and settle the finish reason on the way."""
        with closing(self._generated()) as generated:
            for piece in generated:
                self._line.look()
                self.completion_tokens = piece.generation_tokens
                yield from self._as_deltas(self._parts.feed(piece.text))
                if self._parts.stopped:
                    break
                self.finish_reason = piece.finish_reason or "stop"
        yield from self._as_deltas(self._parts.end())
        if self._parts.stopped:
            self.finish_reason = "stop"
        if self._calls and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"

    def usage(self) -> dict[str, int]:
        prompt_tokens = len(self._tokens)
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": prompt_tokens + self.completion_tokens,
        }

    def _generated(self) -> Any:
        import mlx.core as mx
        from mlx_lm import stream_generate
        from mlx_lm.sample_utils import make_logits_processors, make_sampler

        request = self._request
        if request.seed is not None:
            mx.random.seed(request.seed)
        return stream_generate(
            self._loaded.model,
            self._loaded.tokenizer,
            self._tokens,
            max_tokens=self._most,
            sampler=make_sampler(**request.sampler),
            logits_processors=make_logits_processors(**request.penalties),
            prefill_step_size=PREFILL_TOKENS,
            prompt_progress_callback=lambda done, total: self._line.look(),
        )

    def _as_deltas(self, parts: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        for kind, text in parts:
            if kind in {TOOL, UNFINISHED_TOOL}:
                yield self._called(text, finished=kind == TOOL)
            else:
                yield {_KEYS.get(kind, "content"): text}

    def _called(self, text: str, *, finished: bool) -> dict[str, Any]:
        tokenizer = self._loaded.tokenizer
        functions = parsed_calls(tokenizer, text, self._request.tools)
        if functions is None:
            # The model did write it; the reader can tell more from it than from nothing.
            end = tokenizer.tool_call_end if finished else ""
            return {"content": f"{tokenizer.tool_call_start}{text}{end}"}
        calls = [
            {
                "index": index,
                "id": f"call_{uuid.uuid4().hex[:24]}",
                "type": "function",
                "function": function,
            }
            for index, function in enumerate(functions, start=self._calls)
        ]
        self._calls += len(calls)
        return {"tool_calls": calls}


def _prompt(request: ChatRequest, loaded: LoadedModel) -> str:
    """Return the text that the model goes on from."""
    tokenizer = loaded.tokenizer
    if not tokenizer.has_chat_template:
        raise Refused(
            f"The model {loaded.path!r} has no chat template: it goes on with texts, but it was not "
            "made for chats.",
            code="no_chat_template",
        )
    variables = {**_thinking(request, loaded), **request.template}
    try:
        prompt: str = tokenizer.apply_chat_template(
            request.messages,
            tools=request.tools or None,
            add_generation_prompt=True,
            tokenize=False,
            **variables,
        )
    except Exception as error:  # templates are programs of the models' own
        raise Refused(
            f"The chat template of {loaded.path!r} cannot put these messages: {error}",
            code="chat_template",
            param="messages",
        ) from None
    return prompt


def _thinking(request: ChatRequest, loaded: LoadedModel) -> dict[str, Any]:
    """Return the template variables that say how much to think."""
    if request.effort is None:
        return {}
    template = loaded.tokenizer.chat_template
    if isinstance(template, str) and not any(name in template for name in _EFFORT_VARIABLES):
        raise Refused(
            f"The chat template of {loaded.path!r} knows no reasoning effort.",
            code="unsupported_value",
            param="reasoning_effort",
        )
    if request.effort == "none":
        return {"enable_thinking": False}
    return {"enable_thinking": True, "reasoning_effort": request.effort}


def _most_tokens(request: ChatRequest, loaded: LoadedModel, prompt_tokens: int) -> int:
    """Return how many tokens the answer may have at most; -1 is mlx-lm's word for no bound."""
    room = -1
    if loaded.context_tokens is not None:
        room = loaded.context_tokens - prompt_tokens
        if room <= 0:
            raise Refused(
                f"The request has {prompt_tokens} tokens and exceeds the available context size "
                f"({loaded.context_tokens} tokens).",
                code="context_length_exceeded",
                param="messages",
            )
    if request.max_tokens is None:
        return room
    return request.max_tokens if room < 0 else min(room, request.max_tokens)


def _events(request: ChatRequest, generation: _Generation) -> Iterator[bytes]:
    """Return the data of the events of a streamed answer."""
    frame = _frame(request, "chat.completion.chunk")
    role: dict[str, str] = {"role": "assistant"}
    for delta in generation.deltas():
        yield _encoded(frame, choices=[_choice(None, delta={**role, **delta})])
        role = {}
    yield _encoded(frame, choices=[_choice(generation.finish_reason, delta=role)])
    if request.usage_in_stream:
        yield _encoded(frame, choices=[], usage=generation.usage())
    yield b"[DONE]"


def _whole(request: ChatRequest, generation: _Generation) -> bytes:
    """Return the body of an answer that is not streamed."""
    texts = dict.fromkeys(_KEYS.values(), "")
    calls: list[dict[str, Any]] = []
    for delta in generation.deltas():
        calls += delta.pop("tool_calls", [])
        for key, text in delta.items():
            texts[key] += text
    message: dict[str, Any] = {"role": "assistant", "content": texts["content"] or None}
    if texts["reasoning"]:
        message["reasoning"] = texts["reasoning"]
    if calls:
        message["tool_calls"] = calls
    choice = _choice(generation.finish_reason, message=message)
    frame = _frame(request, "chat.completion")
    return _encoded(frame, choices=[choice], usage=generation.usage())


def _frame(request: ChatRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
    }


def _choice(finish_reason: str | None, **content: Any) -> dict[str, Any]:
    return {"index": 0, "finish_reason": finish_reason, **content}


def _encoded(frame: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({**frame, **fields}).encode()

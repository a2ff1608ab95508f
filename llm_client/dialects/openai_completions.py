"""OpenAI's legacy Completions: one text goes in, what follows it comes out (WIRE.md §3).

Owns the request `POST /completions` and the reading of its answer. Mostly of use with local servers
and to fill a gap in code (`suffix`). Refuses everything that is a conversation: system prompts,
several messages, tools, schemas, images. `logprobs`, `echo` and the like go through `extra_body`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, ValidationError
from ..types.http import Head, HttpRequest
from ..types.long_text import LongText
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from . import openai_models_list
from .errors import answer_error
from .http import json_request
from .openai_chat_stream import OpenAIChatDecoder
from .requests import cannot_say, make_body

if TYPE_CHECKING:
    from ..types.models import ModelPage

__all__ = ["OpenAICompletions", "OpenAICompletionsDecoder"]

_WHO = "Text completion"
_OURS = frozenset({"model", "prompt", "stream", "stream_options"})
"""What the configuration cannot change, because the reading of the answer depends on it."""


class OpenAICompletions:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        _refuse(request)
        fixed: dict[str, Any] = {"model": target.model, "prompt": _prompt(request)}
        if request.stream:
            fixed["stream"] = True
            if target.provider.quirks.stream_options:
                fixed["stream_options"] = {"include_usage": True}
        asked = {
            "suffix": request.suffix,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) or None,
            "seed": request.seed,
        }
        body = make_body(fixed, asked, request, target, _OURS)
        return json_request("POST", "/completions", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return OpenAICompletionsDecoder(target).whole(body)

    def decoder(self, target: Target) -> OpenAICompletionsDecoder:
        """Return a decoder for one streamed answer."""
        return OpenAICompletionsDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list."""
        return openai_models_list.encode_models(target, page)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists."""
        return openai_models_list.decode_models(body, target)


class OpenAICompletionsDecoder(OpenAIChatDecoder):
    """Decodes one answer, streamed or whole: Chat's frame, with a text in each choice."""

    __slots__ = ()

    def _take_choice(
        self, choice: dict[str, Any], delta: dict[str, Any] | None, chunks: list[StreamChunk]
    ) -> None:
        if reason := choice.get("finish_reason"):
            self._finish_reason = str(reason)
        self._say(chunks, choice.get("text") or "")

    def _take_details(self, payload: dict[str, Any]) -> None:
        super()._take_details(payload)
        if self.usage is not None and not self.usage.total_tokens:
            # LiteLLM streams a usage of zeros with every piece of text (seen 2026-11).
            self.usage = None


def _refuse(request: LLMRequest) -> None:
    for field, value in {
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "schema": request.schema,
        "reasoning_effort": request.reasoning_effort,
    }.items():
        if value not in (None, ()):
            raise cannot_say(_WHO, field, hint="Ask for a chat instead: `client.generate(…)`.")


def _prompt(request: LLMRequest) -> str | LongText:
    """Return the only text of a request."""
    message = request.messages[0]
    if len(request.messages) != 1 or message.role != "user":
        roles = ", ".join(message.role for message in request.messages)
        raise ValidationError(
            f"Text completion continues one text, not a conversation ({roles}).",
            hint="Give one prompt, without a system prompt, or ask for a chat.",
            param="messages",
        )
    if not isinstance(message.content, tuple):
        return message.content
    other = next((part.kind for part in message.content if part.kind != "text"), None)
    if other is not None:
        raise cannot_say(_WHO, "content", hint=f"It takes text only, no {other}.")
    from .content_parts import joined_text

    return joined_text(message, "")  # to be gone on with, so nothing may come between

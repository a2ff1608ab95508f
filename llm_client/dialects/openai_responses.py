"""OpenAI Responses: what OpenAI's newest models speak, some of them nothing else (WIRE.md §§0.1, 2).

Owns the request `POST /responses`; the reading of an answer stands in `openai_responses_stream.py`.
Nothing is kept at the provider (`store: false`), so reasoning comes encrypted and goes back with
the next request. Refuses what the dialect has no words for: stop sequences, a seed, a suffix, audio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, ValidationError
from ..types.http import Head, HttpRequest
from ..types.messages import Message, Tool
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from . import openai_models_list
from .call_ids import with_call_ids
from .errors import answer_error
from .events import UNREADABLE
from .http import json_request
from .openai_requests import is_strict, known_model, schema_name
from .openai_responses_stream import NAME, OpenAIResponsesDecoder, calls_of, text_of
from .requests import cannot_say, checked_tool_choice, make_body

if TYPE_CHECKING:
    from ..types.content import Document, Part, ProviderState
    from ..types.models import ModelPage

__all__ = ["OpenAIResponses", "OpenAIResponsesDecoder"]

_WHO = "OpenAI Responses"
_OURS = frozenset({"input", "model", "stream"})
"""What the configuration cannot change, because the reading of the answer depends on it."""
_CALL_IDS = ".{1,64}"
"""What OpenAI takes for `call_id`; a longer one is `string_above_max_length`."""
_CHAT_HINT = "OpenAI Chat can be told: `--dialect openai-chat`."


class OpenAIResponses:
    """The dialect. Stateless."""

    unasked_fields = ("store", "include", "reasoning.summary")

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        _refuse(request)
        model = known_model(request, target)
        omits = target.provider.quirks.omits
        fixed: dict[str, Any] = {"model": target.model, "input": []}
        if request.stream:
            fixed["stream"] = True
        if "store" not in omits:
            fixed["store"] = False
        if model.reasons and "include" not in omits:
            # Populated without being asked only since 2026; older deployments need the word.
            fixed["include"] = ["reasoning.encrypted_content"]
        instructions, messages = _instructions(
            with_call_ids(request.messages, _CALL_IDS, target, NAME)
        )
        asked = {
            "instructions": instructions,
            "max_output_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "reasoning": _reasoning(request, summary="reasoning.summary" not in omits),
            "text": None if request.schema is None else {"format": _format(request.schema)},
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _tool_choice(request, target),
        }
        body = make_body(fixed, asked, request, target, _OURS)
        if "input" not in request.extra_body:
            stored = body.get("store") is not False
            items: list[Mapping[str, Any]] = []
            for position, message in enumerate(messages):
                known = _known_items(message, target, stored) if model.takes_reasoning else None
                items += _items(message, position) if known is None else known
            body["input"] = items
        return json_request("POST", "/responses", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return OpenAIResponsesDecoder(target).whole(body)

    def decoder(self, target: Target) -> OpenAIResponsesDecoder:
        """Return a decoder for one streamed answer."""
        return OpenAIResponsesDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list."""
        return openai_models_list.encode_models(target, page)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists."""
        return openai_models_list.decode_models(body, target)


def _refuse(request: LLMRequest) -> None:
    if request.stop:
        raise cannot_say(_WHO, "stop", hint=_CHAT_HINT)
    if request.seed is not None:
        raise cannot_say(_WHO, "seed", hint=_CHAT_HINT)
    if request.suffix is not None:
        raise cannot_say(_WHO, "suffix", hint="Text completion can: `client.completion(…)`.")


def _instructions(messages: Sequence[Message]) -> tuple[object, Sequence[Message]]:
    """Return the leading system prompt, where it is text, and the messages behind it."""
    first = messages[0]
    if first.role == "system" and first.content and not isinstance(first.content, tuple):
        return first.content, messages[1:]
    return None, messages


def _known_items(
    message: Message, target: Target, stored: bool
) -> tuple[Mapping[str, Any], ...] | None:
    """Return the items of an answer as the provider wrote them, where it may have them back.

    Args:
        message: in the conversation.
        target: who is asked.
        stored: whether the provider keeps its answers, so that it knows them by their ids.
    """
    state = message.provider_state
    if (
        state is not None
        and message.role == "assistant"
        and state.fits(target.provider.name, NAME)
        and _says_the_same(state, message)
        and (stored or _is_self_contained(state.items))
    ):
        return state.items
    return None


def _items(message: Message, position: int) -> list[Mapping[str, Any]]:
    """Return the input items that a message at a position of the conversation is."""
    if message.role == "tool":
        if not message.tool_call_id:
            raise ValidationError(
                "A tool message does not say which call it is the result of.",
                hint="Set its tool_call_id to the id of the call.",
                param="tool_call_id",
            )
        content = _content(message)
        return [
            {"type": "function_call_output", "call_id": message.tool_call_id, "output": content}
        ]
    if message.role != "assistant":
        return [{"type": "message", "role": message.role, "content": _content(message)}]
    # Reasoning has no place without the id and the encryption that only the provider gives it.
    items: list[Mapping[str, Any]] = []
    if message.content or not message.tool_calls:
        items.append(_answer(message, position))
    for call in message.tool_calls:
        items.append(
            {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
            }
        )
    return items


def _says_the_same(state: ProviderState, message: Message) -> bool:
    """Return whether a message still says what its state does, and was not edited since."""
    try:
        return text_of(state.items) == message.text and calls_of(state.items) == message.tool_calls
    except UNREADABLE:
        return False  # it went through hands that changed its shape


def _is_self_contained(items: tuple[Mapping[str, Any], ...]) -> bool:
    """Return whether every reasoning item holds its reasoning, instead of only naming it.

    OpenAI answers 404 to the id of an item that it did not keep.
    """
    return all(
        item.get("encrypted_content") or item.get("content")
        for item in items
        if item.get("type") == "reasoning"
    )


def _content(message: Message) -> object:
    if not isinstance(message.content, tuple):
        return message.content
    return [_part(part) for part in message.content]


def _answer(message: Message, position: int) -> dict[str, Any]:
    """Return the text of an assistant's message in the form in which the provider would say it.

    llama.cpp, vLLM and OpenRouter take no shorter one (seen with llama.cpp 2026-11, vllm#41355).
    OpenAI demands of an id only that it begins with `msg_` (inspect_ai#1545).
    """
    text: object = message.content
    if isinstance(message.content, tuple):
        from .content_parts import joined_text

        for part in message.content:
            if part.kind != "text":
                hint = f"An assistant's message has no {part.kind}."
                raise cannot_say(_WHO, "content", hint=hint)
        text = joined_text(message)
    return {
        "type": "message",
        "id": f"msg_{position}",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def _part(part: Part) -> dict[str, Any]:
    from ..types.content import Document, Image, Text

    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        return {
            "type": "input_image",
            "image_url": part.data_uri,
            "detail": part.detail or "auto",
        }
    if isinstance(part, Document):
        if part.url is not None:
            return {"type": "input_file", "file_url": part.url}
        return {"type": "input_file", "filename": _file_name(part), "file_data": part.data_uri}
    raise cannot_say(
        _WHO, "content", hint=f"It takes no {part.kind}; some models of OpenAI Chat do."
    )


def _file_name(document: Document) -> str:
    """Return the name of a document, which OpenAI demands and reads the type from."""
    return document.name or f"document.{document.media_type.rpartition('/')[2] or 'pdf'}"


def _reasoning(request: LLMRequest, *, summary: bool) -> dict[str, str] | None:
    effort = request.reasoning_effort
    if effort is None:
        # Not even a summary: organisations that are not verified get 400 for the word.
        return None
    if effort == "none" or not summary:
        return {"effort": effort}
    return {"effort": effort, "summary": "auto"}


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "name": schema_name(schema),
        "schema": dict(schema),
        "strict": is_strict(schema),
    }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        # Always said: left out, Responses takes a schema for strict and changes its meaning.
        "strict": is_strict(tool.parameters),
    }


def _tool_choice(request: LLMRequest, target: Target) -> object:
    choice = checked_tool_choice(request)
    if choice is None or choice in {"auto", "none"}:
        return choice
    if not target.provider.quirks.required_tool_choice:
        raise cannot_say(target.provider.name, "tool_choice", choice, "It takes auto and none.")
    return choice if choice == "required" else {"type": "function", "name": choice}

"""Cohere's own API, version 2: `POST /chat`, and the model list of version 1.

Owns the requests and the model list; the reading of an answer stands in
`cohere_stream.py`. Source of the shapes: the `cohere` package 7.3 and docs.cohere.com, 2026-11.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, ValidationError
from ..providers.cohere_models import THINKING_BUDGETS, may_think
from ..types.http import Head, HttpRequest
from ..types.messages import Message
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from ..wire.jsontext import parse_json
from .cohere_stream import CohereDecoder
from .errors import answer_error, describe, not_an_answer
from .events import token_count
from .http import json_request
from .requests import cannot_say, checked_tool_choice, function_tool, make_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..types.content import Part
    from ..types.models import ModelInfo, ModelPage

__all__ = ["Cohere", "CohereDecoder"]

_OURS = frozenset({"messages", "model", "stream"})
"""What the configuration cannot change, because the reading of the answer depends on it."""
_TOOL_CHOICES = {"auto": None, "none": "NONE", "required": "REQUIRED"}
_PAGE_SIZE = 1000
"""The most that the model list takes."""
_FEATURES = {
    "json_schema": "schema",
    "reasoning": "reasoning",
    "strict_tools": "tools",
    "tools": "tools",
    "vision": "vision",
}
_ENDPOINTS = {"chat": "completion", "embed": "embedding", "generate": "completion"}


class Cohere:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        if request.suffix is not None:
            raise cannot_say("Cohere", "suffix")
        fixed = {
            "model": target.model,
            "messages": [_encode_message(message, target) for message in request.messages],
            "stream": request.stream,
        }
        asked = {
            "temperature": request.temperature,
            "p": request.top_p,
            "max_tokens": request.max_tokens,
            "stop_sequences": list(request.stop) or None,
            "seed": request.seed,
            "tools": [function_tool(tool) for tool in request.tools] or None,
            "tool_choice": _encode_tool_choice(request),
            "response_format": _encode_schema(request),
            "thinking": _encode_effort(request, target),
        }
        body = make_body(fixed, asked, request, target, _OURS)
        return json_request("POST", "/chat", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return CohereDecoder(target).whole(body)

    def decoder(self, target: Target) -> CohereDecoder:
        """Return a decoder for one streamed answer."""
        return CohereDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list, which is only there in version 1."""
        path = f"{target.provider.models_path or '/models'}?page_size={_PAGE_SIZE}"
        if page is not None:
            from urllib.parse import quote

            path += f"&page_token={quote(page, safe='', errors='replace')}"
        if target.base_url.endswith("/v2"):
            target = replace(target, base_url=f"{target.base_url[:-1]}1")
        return json_request("GET", path, target)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists.

        Raises:
            LLMServiceError: the answer is no model list.
        """
        from ..types.models import ModelPage

        try:
            payload = parse_json(body)
        except ValueError:
            raise not_an_answer(describe(body), target, body) from None
        rows = payload.get("models") if isinstance(payload, dict) else None
        if not isinstance(rows, list):
            raise not_an_answer("JSON that lists no models", target, body)
        models = [_model(row, target) for row in rows if isinstance(row, dict) and row.get("name")]
        next_page = payload.get("next_page_token")
        return ModelPage(models, str(next_page) if next_page else None)


def _encode_message(message: Message, target: Target) -> dict[str, Any]:
    """Return a message; names and cache hints are left out: Cohere has neither and needs neither."""
    match message.role:
        case "assistant":
            return _encode_answer(message, target)
        case "tool":
            if not message.tool_call_id:
                raise ValidationError(
                    "A tool message for Cohere needs the id of its call.", param="tool_call_id"
                )
            encoded = {"role": "tool", "tool_call_id": message.tool_call_id}
        case "system" | "developer":
            encoded = {"role": "system"}
        case "user":
            encoded = {"role": "user"}
    return {**encoded, "content": _encode_content(message)}


def _encode_content(message: Message) -> object:
    """Return the content: a text as it is, parts one by one."""
    if not isinstance(message.content, tuple):
        return message.content
    return [_encode_part(part, message.role) for part in message.content]


def _encode_part(part: Part, role: str) -> dict[str, Any]:
    from ..types.content import Image, Text

    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image) and role == "user":
        image = {"url": part.data_uri}
        if part.detail is not None:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    takes = "text and images" if role == "user" else "only text"
    raise ValidationError(
        f"Cohere takes no {part.kind} in a {role} message.",
        hint=f"It takes {takes} there.",
        param="content",
    )


def _encode_answer(message: Message, target: Target) -> dict[str, Any]:
    """Return an answer: as Cohere wrote it where that is known, else what we know of it."""
    state = message.provider_state
    if state is not None and state.fits(target.provider.name, "cohere"):
        item = state.items[0] if state.items else {}
        if _says_the_same(item, message):
            return dict(item)
    encoded: dict[str, Any] = {"role": "assistant"}
    if message.tool_calls:
        encoded["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
        if message.reasoning:
            encoded["tool_plan"] = message.reasoning
        if message.content:
            encoded["content"] = _encode_content(message)
    elif message.reasoning and may_think(target.model):
        thinking = {"type": "thinking", "thinking": message.reasoning}
        parts = [_encode_part(part, message.role) for part in message.parts]
        encoded["content"] = [thinking, *parts]
    else:
        encoded["content"] = _encode_content(message)
    return encoded


def _says_the_same(item: Mapping[str, Any], message: Message) -> bool:
    """Return whether an answer as Cohere wrote it has the text and the calls of a message."""
    try:
        parts = item.get("content") or ()
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        calls = [
            (call["id"], call["function"]["name"], call["function"]["arguments"] or "{}")
            for call in item.get("tool_calls") or ()
        ]
    except (AttributeError, KeyError, TypeError):
        return False
    ours = [(call.id, call.name, call.arguments) for call in message.tool_calls]
    return text == message.text and calls == ours


def _encode_tool_choice(request: LLMRequest) -> str | None:
    choice = checked_tool_choice(request)
    if choice is None:
        return None
    if choice not in _TOOL_CHOICES:
        hint = "Give only that tool, and `required`."
        raise cannot_say("Cohere", "tool_choice", choice, hint)
    return _TOOL_CHOICES[choice]


def _encode_schema(request: LLMRequest) -> dict[str, Any] | None:
    if request.schema is None:
        return None
    if request.tools:
        hint = "Leave out the tools: it follows a schema only without them."
        raise cannot_say("Cohere", "schema", hint=hint)
    return {"type": "json_object", "json_schema": dict(request.schema)}


def _encode_effort(request: LLMRequest, target: Target) -> dict[str, Any] | None:
    effort = request.reasoning_effort
    if effort is None:
        return None
    if not may_think(target.model):
        if effort == "none":
            return None
        raise cannot_say(f"{target.model!r}", "reasoning_effort", effort, "It does not think.")
    if effort == "none":
        return {"type": "disabled"}
    budget = THINKING_BUDGETS[effort]
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    from ..types.models import ModelInfo

    return ModelInfo(
        id=str(row["name"]),
        provider=target.provider.name,
        # Cohere writes it as a fraction; 0 is said of models that it does not apply to.
        context_length=token_count(row.get("context_length")) or None,
        description="deprecated" if row.get("is_deprecated") else None,
        capabilities=_capabilities(row),
    )


def _capabilities(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    endpoints, features = row.get("endpoints"), row.get("features")
    if not isinstance(endpoints, list):
        return None
    found = {_ENDPOINTS.get(str(name)) for name in endpoints}
    found |= {_FEATURES.get(str(name)) for name in (features if isinstance(features, list) else ())}
    return tuple(sorted(name for name in found if name is not None))

"""OpenAI Chat Completions: about a hundred providers and every local server speak it.

Owns the requests `POST /chat/completions` and `GET /models` and the reading of the model list; the
reading of an answer stands in `openai_chat_stream.py`. What differs between the providers that
speak it is data in `Quirks` (WIRE.md §§1, 7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, ValidationError
from ..types.http import Head, HttpRequest
from ..types.messages import Message, Tool
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from ..wire.jsontext import parse_json
from .errors import answer_error, describe, not_an_answer, stream_error
from .http import json_request
from .openai_chat_stream import OpenAIChatDecoder

if TYPE_CHECKING:
    from ..types.models import ModelInfo, ModelPage

__all__ = ["OpenAIChat", "OpenAIChatDecoder"]

_TOOL_CHOICES = frozenset({"auto", "none", "required"})
_OURS = frozenset({"messages", "model", "stream", "stream_options"})
"""What the configuration cannot change, because the reading of the answer depends on it."""
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What OpenAI takes as the name of a schema."""


class OpenAIChat:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        quirks = target.provider.quirks
        fixed: dict[str, Any] = {
            "model": target.model,
            "messages": [_encode_message(message) for message in request.messages],
        }
        if request.stream:
            fixed["stream"] = True
            if quirks.stream_options:
                fixed["stream_options"] = {"include_usage": True}
        asked = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            quirks.max_tokens_field: request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": [_encode_tool(tool) for tool in request.tools] or None,
            "tool_choice": _encode_tool_choice(request),
            "response_format": _encode_schema(request.schema),
        }
        body = fixed | {name: value for name, value in target.options.items() if name not in _OURS}
        body.update((name, value) for name, value in asked.items() if value is not None)
        body.update(request.extra_body)
        return json_request("POST", "/chat/completions", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return OpenAIChatDecoder(target).whole(body)

    def decoder(self, target: Target) -> OpenAIChatDecoder:
        """Return a decoder for one streamed answer."""
        return OpenAIChatDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list."""
        return json_request("GET", "/models", target)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists; an empty body lists none (mlx_lm.server).

        Raises:
            LLMError: the answer is no model list.
        """
        from ..types.models import ModelPage

        if not body.strip():
            return ModelPage([])
        try:
            payload = parse_json(body)
        except ValueError:
            raise not_an_answer(describe(body), target, body) from None
        if isinstance(payload, dict) and payload.get("error"):
            raise stream_error(payload, target)
        rows = payload.get("data") if isinstance(payload, dict) else payload
        if not isinstance(rows, list):
            raise not_an_answer("JSON that lists no models", target, body)
        listed = [row for row in rows if isinstance(row, dict) and row.get("id")]
        return ModelPage([_model(row, target) for row in listed])


def _encode_message(message: Message) -> dict[str, Any]:
    encoded: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name is not None:
        encoded["name"] = message.name
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        encoded["content"] = message.content or None
        encoded["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return encoded


def _encode_tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _encode_tool_choice(request: LLMRequest) -> object:
    choice = request.tool_choice
    if choice is None or choice in _TOOL_CHOICES:
        return choice
    if choice not in {tool.name for tool in request.tools}:
        raise ValidationError(
            f"tool_choice {choice!r} is neither a mode nor the name of a given tool.",
            hint="Use auto, none, required, or one of the tools' names.",
            param="tool_choice",
        )
    return {"type": "function", "function": {"name": choice}}


def _encode_schema(schema: Mapping[str, Any] | None) -> object:
    if schema is None:
        return None
    name = schema.get("title")
    return {
        "type": "json_schema",
        "json_schema": {
            "name": name if isinstance(name, str) and _SCHEMA_NAME.fullmatch(name) else "answer",
            "schema": dict(schema),
        },
    }


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    from ..types.models import ModelInfo

    meta = row.get("meta")
    windows = (
        row.get("max_model_len"),  # vLLM
        row.get("context_length"),  # OpenRouter, Together
        row.get("max_input_tokens"),  # LiteLLM
        meta.get("n_ctx") or meta.get("n_ctx_train") if isinstance(meta, dict) else None,
    )
    created, owner, description = row.get("created"), row.get("owned_by"), row.get("description")
    return ModelInfo(
        id=str(row["id"]),
        provider=target.provider.name,
        created=created if isinstance(created, int) else None,
        owned_by=owner if isinstance(owner, str) else None,
        context_length=next((value for value in windows if isinstance(value, int)), None),
        description=description if isinstance(description, str) else None,
    )

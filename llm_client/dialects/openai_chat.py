"""OpenAI Chat Completions: about a hundred providers and every local server speak it.

Owns the request `POST /chat/completions`; the reading of an answer stands in
`openai_chat_stream.py`, the model list in `openai_models_list.py`. What differs between the
providers that speak it is data in `Quirks` (WIRE.md §§1, 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import LLMError
from ..providers.openai_models import openai_model
from ..types.http import Head, HttpRequest
from ..types.messages import Message, ToolCall
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from .call_ids import with_call_ids
from .errors import answer_error
from .http import json_request
from .openai_chat_stream import OpenAIChatDecoder
from .requests import cannot_say, checked_tool_choice, function_tool, make_body

if TYPE_CHECKING:
    from ..types.models import ModelPage

__all__ = ["EFFORT_FORMS", "OpenAIChat", "OpenAIChatDecoder"]

_OURS = frozenset({"messages", "model", "stream", "stream_options"})
"""What the configuration cannot change, because the reading of the answer depends on it."""


class OpenAIChat:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        quirks = target.provider.quirks
        _check_model(request, target)
        if request.suffix is not None:
            raise cannot_say(
                "OpenAI Chat", "suffix", hint="Text completion can: `client.completion(…)`."
            )
        fixed: dict[str, Any] = {
            "model": target.model,
            "messages": [
                _encode_message(message, target)
                for message in with_call_ids(
                    request.messages, quirks.call_ids, target, "openai-chat"
                )
            ],
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
            quirks.seed_field: request.seed,
            "tools": [function_tool(tool) for tool in request.tools] or None,
            "tool_choice": _encode_tool_choice(request, target),
            "response_format": _encode_schema(request.schema),
            **_encode_effort(request, target),
        }
        body = make_body(fixed, asked, request, target, _OURS)
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
        """Return the request for the model list, or for its next part."""
        from .openai_models_list import encode_models

        return encode_models(target, page)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists."""
        from .openai_models_list import decode_models

        return decode_models(body, target)


def _check_model(request: LLMRequest, target: Target) -> None:
    """Refuse what the model is known to refuse; a plain request does not load the table."""
    fields = (request.reasoning_effort, request.temperature, request.top_p)
    if request.stop or any(field is not None for field in fields):
        from .openai_requests import known_model

        known_model(request, target)


def _encode_message(message: Message, target: Target) -> dict[str, Any]:
    quirks = target.provider.quirks
    role: str = message.role
    if role == "developer" and not openai_model(target.model).reasons:
        # Only OpenAI's reasoning models tell it from `system`; DeepSeek and others answer 400
        # (pi#1048, theia#15144).
        role = "system"
    encoded: dict[str, Any] = {"role": role, "content": _encode_content(message, target)}
    if message.name is not None and message.role != "tool" and quirks.names:
        encoded["name"] = message.name
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        encoded["content"] = encoded["content"] or None
        encoded["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    if message.role == "assistant":
        if message.reasoning:
            _echo_reasoning(encoded, message, target)
        if message.provider_state is not None:
            _add_native_fields(encoded, message, target)
    return encoded


def _echo_reasoning(encoded: dict[str, Any], message: Message, target: Target) -> None:
    field = target.provider.echo_reasoning_for(target.model)
    if field == "<think>":
        # As it came, before the decoder took it out of the text.
        encoded["content"] = f"<think>{message.reasoning}</think>{message.text}"
    elif field:
        encoded[field] = message.reasoning


def _encode_content(message: Message, target: Target) -> Any:
    quirks = target.provider.quirks
    if not (message.cache and quirks.cache_control) and not isinstance(message.content, tuple):
        return message.content
    from .content_parts import chat_parts

    return chat_parts(message, quirks)


def _encode_call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _add_native_fields(encoded: dict[str, Any], message: Message, target: Target) -> None:
    """Put what only the provider can read into its own message, unless it was changed since."""
    from .openai_chat_native import native_fields

    fields = native_fields(message, target)
    for name in ("content", "reasoning_details", "extra_content"):
        if name in fields:
            encoded[name] = fields[name]
    calls = encoded.get("tool_calls", ())
    for call, native in zip(calls, fields.get("tool_calls", ()), strict=False):
        if "extra_content" in native:
            call["extra_content"] = native["extra_content"]


def _encode_tool_choice(request: LLMRequest, target: Target) -> object:
    choice = checked_tool_choice(request)
    if choice in {None, "auto", "none"}:
        return choice
    if not target.provider.quirks.required_tool_choice:
        raise cannot_say(target.provider.name, "tool_choice", choice, "It takes auto and none.")
    return choice if choice == "required" else {"type": "function", "function": {"name": choice}}


def _encode_schema(schema: Mapping[str, Any] | None) -> object:
    if schema is None:
        return None
    from .openai_requests import is_strict, schema_name

    format: dict[str, Any] = {"name": schema_name(schema), "schema": dict(schema)}
    if is_strict(schema):
        format["strict"] = True
    return {"type": "json_schema", "json_schema": format}


_THINKING_BUDGETS = {"minimal": 1024, "low": 4096, "medium": 8192, "high": 16_384, "xhigh": 32_768}
"""Tokens; `max` names none, which is the most that the model can."""


def _enable_thinking(effort: str) -> dict[str, Any]:
    if effort == "none":
        return {"enable_thinking": False}
    budget = _THINKING_BUDGETS.get(effort)
    return {"enable_thinking": True} | ({} if budget is None else {"thinking_budget": budget})


def _thinking(effort: str) -> dict[str, Any]:
    return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}}


def _thinking_effort(effort: str) -> dict[str, Any]:
    return _thinking(effort) | ({} if effort == "none" else {"reasoning_effort": effort})


EFFORT_FORMS: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = MappingProxyType(
    {
        # OpenAI's own; most compatible providers.
        "reasoning_effort": lambda effort: {"reasoning_effort": effort},
        # OpenRouter's guide to reasoning tokens (2026): effort, `none` included.
        "openrouter": lambda effort: {"reasoning": {"effort": effort}},
        # Z.ai, Moonshot: on or off, every effort is on.
        "thinking": _thinking,
        # DeepSeek's guide to the thinking mode (2026): a switch, and beside it any effort.
        "thinking_effort": _thinking_effort,
        # Alibaba's Model Studio (dashscope): a switch and a budget of tokens.
        "enable_thinking": _enable_thinking,
    }
)
"""How an effort is said, by `Quirks.effort`."""


def _encode_effort(request: LLMRequest, target: Target) -> dict[str, Any]:
    effort = request.reasoning_effort
    if effort is None:
        return {}
    form = target.provider.effort_for(target.model)
    if not form:
        raise cannot_say(
            target.provider.name, "reasoning_effort", hint="Leave it out, or choose another model."
        )
    return EFFORT_FORMS[form](effort)

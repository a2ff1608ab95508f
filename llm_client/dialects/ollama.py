"""Ollama's own API: `POST /api/chat`, `GET /api/tags`.

Spoken natively and not through its OpenAI-compatible `/v1`, which has no `num_ctx`, truncates the
prompt silently and swallows errors in mid-stream (WIRE.md §§0.5, 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..exceptions import AuthenticationError, LLMError, ValidationError
from ..providers.ollama_models import thinking_levels
from ..types.http import Head, HttpRequest
from ..types.messages import Message, ToolCall
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from ..wire.jsontext import parse_json
from .errors import answer_error, not_an_answer
from .events import UNREADABLE
from .http import json_request
from .ollama_stream import OllamaDecoder
from .requests import call_arguments, cannot_say, checked_tool_choice, function_tool

if TYPE_CHECKING:
    from ..types.models import ModelInfo, ModelPage

__all__ = ["Ollama", "OllamaDecoder"]

_TOP_LEVEL = frozenset(
    {"format", "keep_alive", "logprobs", "shift", "think", "tools", "top_logprobs", "truncate"}
)
"""Fields of the request itself; every other provider-specific field belongs into `options`."""


class Ollama:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        if request.suffix is not None:
            raise cannot_say("Ollama", "suffix", hint="Its chat fills no gaps: leave it out.")
        body: dict[str, Any] = {
            "model": target.model,
            "messages": _encode_messages(request.messages),
            # Its default is true, also for a request that says nothing.
            "stream": request.stream,
            # Its default is to cut off the start of a prompt that is too long, silently.
            "truncate": False,
        }
        asked = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "num_predict": request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": _encode_tools(request),
            "think": _encode_effort(request, target),
            "format": dict(request.schema) if request.schema is not None else None,
        }
        options: dict[str, Any] = {}
        for fields in (target.options, asked, request.extra_body):
            for name, value in fields.items():
                if name == "options" and isinstance(value, Mapping):
                    options.update(value)
                elif value is not None:
                    (body if name in _TOP_LEVEL else options)[name] = value
        if options:
            body["options"] = options
        return json_request(
            "POST",
            "/api/chat",
            target,
            body,
            stream=request.stream,
            stream_type="application/x-ndjson",
        )

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole: a stream of one line."""
        return OllamaDecoder(target, keep_raw=True).whole(body)

    def decoder(self, target: Target) -> OllamaDecoder:
        """Return a decoder for one streamed answer."""
        return OllamaDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        if head.status == 403 and not body:
            return _refused_host(target)
        error = answer_error(head, body, target)
        if head.status == 401 and (url := _sign_in_url(body)):
            error.hint = f"Sign in at {url}, or put a key into OLLAMA_API_KEY."
        return error

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list."""
        return json_request("GET", "/api/tags", target)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists."""
        from ..types.models import ModelPage

        try:
            rows = parse_json(body)["models"]
            read = [_model(row, target) for row in rows if isinstance(row, dict)]
        except UNREADABLE:
            read, rows = [], [None]
        models = [model for model in read if model is not None]
        if rows and not models:
            raise not_an_answer("something that lists no models", target, body)
        return ModelPage(models)


def _refused_host(target: Target) -> AuthenticationError:
    name = target.provider.name
    return AuthenticationError(
        f"{name} refuses requests under the host name of {target.base_url} (403).",
        hint="Use `localhost` or an IP address as the host, or start the server with "
        "OLLAMA_HOST=0.0.0.0.",
        status=403,
        provider=name,
        model=target.model,
    )


def _sign_in_url(body: bytes) -> str | None:
    try:
        url = parse_json(body).get("signin_url")
    except UNREADABLE:
        return None
    return url if isinstance(url, str) and url else None


def _encode_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    # As the conversation goes: ids that were made up here come again in every answer.
    names: dict[str, str] = {}
    encoded = []
    for message in messages:
        names.update((call.id, call.name) for call in message.tool_calls)
        encoded.append(_encode_message(message, names))
    return encoded


def _encode_message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a message; `names` are those of the called tools by the ids of the calls."""
    role = "system" if message.role == "developer" else message.role
    encoded: dict[str, Any] = {"role": role, "content": message.content}
    if isinstance(message.content, tuple):
        from .content_parts import ollama_content

        encoded["content"], images = ollama_content(message)
        if images:
            encoded["images"] = images
    if message.reasoning:
        encoded["thinking"] = message.reasoning
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.role == "tool":
        # Many templates know results by their tools, and messages in OpenAI's shape have only ids.
        name = message.name or names.get(message.tool_call_id or "")
        if name:
            encoded["tool_name"] = name
    if message.tool_calls:
        encoded["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": _arguments(call)}}
            for call in message.tool_calls
        ]
    return encoded


def _arguments(call: ToolCall) -> dict[str, Any]:
    arguments = call_arguments(call)
    if arguments is None:
        raise ValidationError(
            f"The arguments {call.arguments[:80]!r} of a tool call are no JSON object, "
            "which Ollama needs.",
            hint="Repair them, or leave the call and its result out of the messages.",
            param="tool_calls",
        )
    return arguments


def _encode_tools(request: LLMRequest) -> list[dict[str, Any]] | None:
    """Return the tools; none when none may be called, because Ollama has no word for that."""
    choice = checked_tool_choice(request)
    if choice not in {None, "auto", "none"}:
        raise cannot_say("Ollama", "tool_choice", choice, "It takes auto and none.")
    if choice == "none":
        return None
    return [function_tool(tool) for tool in request.tools] or None


_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def _encode_effort(request: LLMRequest, target: Target) -> bool | str | None:
    """Return what `think` says: a switch, or the nearest of the levels that the model knows."""
    effort = request.reasoning_effort
    if effort is None:
        return None
    levels = thinking_levels(target.model)
    if not levels:
        return effort != "none"
    if effort == "none":
        hint = f"It always thinks: `{levels[0]}` is the least."
        raise cannot_say(target.model, "reasoning_effort", effort, hint)
    wanted = _EFFORTS.index(effort)
    return min(levels, key=lambda level: abs(_EFFORTS.index(level) - wanted))


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo | None:
    from ..types.models import ModelInfo
    from .model_rows import first_text, read_capabilities, window

    name, said = first_text(row, "name", "model"), row.get("capabilities")
    if name is None:
        return None
    details = row.get("details")
    if not isinstance(details, dict):
        details = {}
    described = (first_text(details, "parameter_size"), first_text(details, "quantization_level"))
    return ModelInfo(
        id=name,
        provider=target.provider.name,
        owned_by=first_text(details, "family"),
        context_length=window(details.get("context_length")),
        description=" ".join(filter(None, described)) or None,
        capabilities=read_capabilities(said) if isinstance(said, list) else None,
    )

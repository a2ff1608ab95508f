"""Anthropic Messages: Claude, and the servers and proxies that speak its format.

Owns the requests `POST /v1/messages` and `GET /v1/models` and the reading of the model list. The
blocks of a conversation are made in `anthropic_messages.py`, an answer is read in
`anthropic_stream.py`; what single models take is data (`providers/anthropic_models.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import LLMError, ValidationError
from ..providers.anthropic_models import AnthropicModel, anthropic_model
from ..types.http import Head, HttpRequest
from ..types.messages import Tool
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from .anthropic_messages import THINKING, Turn, content_of, encode_conversation
from .anthropic_stream import AnthropicDecoder
from .errors import answer_error
from .events import token_count
from .http import json_request
from .requests import cannot_say, checked_tool_choice, make_body

if TYPE_CHECKING:
    from ..types.models import ModelInfo, ModelPage

__all__ = ["Anthropic", "AnthropicDecoder"]

_VERSION = "2023-06-01"
"""What local servers and proxies speak too (WIRE.md §0.2)."""
_NO_SAMPLING_SINCE = "2026-10-21"
"""The version since which the key is a Bearer token, and sampling is refused for every model."""
_OURS = frozenset({"messages", "model", "stream"})
"""What the configuration cannot change, because the reading of the answer depends on it."""
_LEAST_BUDGET = 1024
_BUDGETS = {
    "minimal": _LEAST_BUDGET,
    "low": 2048,
    "medium": 8192,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 64_000,
}
"""Tokens of thinking for models that are told a number, not an effort. They are ours: the API knows
only bounds, at least 1024 and less than `max_tokens`."""
_LEAST_TOP_P = 0.95
"""While a model thinks (docs "Extended thinking")."""
_SPOKEN = frozenset({"redacted_thinking", "text", "thinking"})
_PAGE = 1000
"""Models of one part of the list: the most that the API gives."""
_ABILITIES = {
    "image_input": "vision",
    "pdf_input": "documents",
    "structured_outputs": "schema",
    "thinking": "reasoning",
}


class Anthropic:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire.

        Raises:
            ValidationError: a field cannot be said in this format, or this model refuses it.
        """
        for name in ("seed", "suffix"):
            if (value := getattr(request, name)) is not None:
                raise cannot_say("The Anthropic format", name, value)
        model = anthropic_model(target.model)
        limit, thinking = _thinking(request, target, model)
        _check_sampling(request, target, model, thinks=_is_on(thinking))
        system, turns = encode_conversation(request.messages, target, model)
        _check_end(turns, target, model)
        if thinking is not None and thinking["type"] == "enabled" and model.sampling != "any":
            _check_thought(turns, request, target)
        fixed: dict[str, Any] = {
            "model": target.model,
            "max_tokens": limit,
            "messages": [{"role": side, "content": content_of(blocks)} for side, blocks in turns],
        }
        asked = {
            "max_tokens": request.max_tokens,
            "system": system,
            "stream": request.stream or None,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop_sequences": list(request.stop) or None,
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _tool_choice(request, target, model, thinking),
            "thinking": thinking,
            "output_config": _output_config(request, model),
        }
        ours = _OURS if thinking is None else _OURS | {"thinking"}
        body = make_body(fixed, asked, request, target, ours)
        return _request("POST", "/messages", target, body, stream=request.stream)

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return AnthropicDecoder(target).whole(body)

    def decoder(self, target: Target) -> AnthropicDecoder:
        """Return a decoder for one streamed answer."""
        return AnthropicDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list, or for what comes behind the model `page`."""
        from urllib.parse import quote

        behind = f"&after_id={quote(page, safe='', errors='replace')}" if page else ""
        return _request("GET", f"/models?limit={_PAGE}{behind}", target)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists.

        Raises:
            LLMError: the answer is no model list.
        """
        from ..types.models import ModelPage
        from .model_rows import read_rows

        payload, rows = read_rows(body, "data", target)
        listed = [row for row in rows if isinstance(row, dict) and row.get("id")]
        last = payload.get("last_id") if payload.get("has_more") else None
        return ModelPage(
            [_model(row, target) for row in listed], last if isinstance(last, str) else None
        )


def _request(
    method: str,
    path: str,
    target: Target,
    body: Mapping[str, object] | None = None,
    *,
    stream: bool = False,
) -> HttpRequest:
    """Return a request of this dialect; an address that ends in the version is taken too."""
    prefix = "" if target.base_url.endswith("/v1") else "/v1"
    return json_request(
        method,
        prefix + path,
        target,
        body,
        stream=stream,
        key_header="x-api-key" if _sampling_is_known(target) else "authorization",
        headers=(("anthropic-version", _VERSION),),
    )


def _version(target: Target) -> str:
    names = {name.lower(): value for name, value in target.headers}
    return names.get("anthropic-version", _VERSION)


def _sampling_is_known(target: Target) -> bool:
    """Return whether the version is one that still knows sampling; clouds have names of their own."""
    version = _version(target)
    return version < _NO_SAMPLING_SINCE or not re.fullmatch(r"\d{4}-\d\d-\d\d", version)


def _thinking(
    request: LLMRequest, target: Target, model: AnthropicModel
) -> tuple[int, dict[str, Any] | None]:
    """Return the limit of the answer when none is asked for, and how it shall be thought."""
    effort = request.reasoning_effort
    if effort is None or (effort == "none" and not model.thinking):
        return model.max_tokens, None
    if not model.thinking:
        raise cannot_say(target.spec, "reasoning_effort", effort, "This model does not think.")
    if effort == "none":
        if not model.off:
            hint = "This model always thinks; `low` is the least."
            raise cannot_say(target.spec, "reasoning_effort", effort, hint)
        return model.max_tokens, {"type": model.off}
    if model.thinking == "adaptive":
        shown = {"display": "summarized"} if model.summarize else {}
        return model.max_tokens, {"type": "adaptive", **shown}
    return _budgeted(request, target, model, _BUDGETS[effort])


def _budgeted(
    request: LLMRequest, target: Target, model: AnthropicModel, budget: int
) -> tuple[int, dict[str, Any]]:
    configured = target.options.get("max_tokens")
    limit = request.max_tokens or (configured if isinstance(configured, int) else 0)
    if not limit:
        # The thinking counts as part of the answer, and shall not take the place of it.
        limit = max(model.max_tokens, _LEAST_BUDGET + 1)
        if model.sampling == "any":
            limit += budget
    if limit <= _LEAST_BUDGET:
        raise ValidationError(
            f"{target.spec} needs a max_tokens above {_LEAST_BUDGET} to think, not {limit}.",
            hint="Ask for more tokens, or leave reasoning_effort out.",
            param="max_tokens",
        )
    tokens = max(_LEAST_BUDGET, min(budget, limit * 3 // 4))
    return limit, {"type": "enabled", "budget_tokens": tokens}


def _is_on(thinking: Mapping[str, Any] | None) -> bool:
    return thinking is not None and thinking["type"] in {"adaptive", "enabled"}


def _check_sampling(
    request: LLMRequest, target: Target, model: AnthropicModel, *, thinks: bool
) -> None:
    asked = {
        name: value
        for name in ("temperature", "top_p")
        if (value := getattr(request, name)) is not None
    }
    if not asked:
        return
    name, value = next(iter(asked.items()))
    if not _sampling_is_known(target):
        who = f"Anthropic's API of version {_version(target)}"
        raise cannot_say(who, name, value, "Leave it out: that version has no sampling.")
    if model.sampling == "any":
        return
    if model.sampling == "either" and len(asked) == 2:
        hint = "This model takes a temperature or a top_p, not both."
        raise cannot_say(target.spec, "top_p", asked["top_p"], hint)
    for name, value in asked.items():
        if model.sampling == "default" and value != 1:
            raise cannot_say(target.spec, name, value, "This model takes none: leave it out.")
        if value > 1:
            raise cannot_say(target.spec, name, value, "Claude takes 0 to 1.")
        if thinks and value < (1 if name == "temperature" else _LEAST_TOP_P):
            raise cannot_say(target.spec, name, value, "Leave it out while the model thinks.")


def _check_end(turns: list[Turn], target: Target, model: AnthropicModel) -> None:
    """Refuse the beginning of an answer; a paused turn of the provider's tools is none."""
    if not turns:
        raise ValidationError(
            f"{target.spec} answers messages, and there is nothing but a system prompt.",
            hint="Ask in a user message.",
            param="messages",
        )
    side, blocks = turns[-1]
    begun = side == "assistant" and all(block["type"] in _SPOKEN for block in blocks)
    if begun and not model.prefill:
        hint = "End with a user message: this model does not go on with a begun answer."
        raise cannot_say(target.spec, "messages", "an assistant message at the end", hint)


def _check_thought(turns: list[Turn], request: LLMRequest, target: Target) -> None:
    """Refuse to think on in an answer that did not begin with thinking of its own.

    Models with a budget answer 400: an answer that goes on behind the results of tools, or that is
    begun, "must start with a thinking block" (opencode#3077). Such an answer is from another
    provider, or was begun without thinking.
    """
    side, blocks = turns[-1]
    if side == "user" and all(block["type"] == "tool_result" for block in blocks):
        side, blocks = turns[-2] if len(turns) > 1 else ("", [])
    if side == "assistant" and blocks[0]["type"] not in THINKING:
        hint = "Leave it out until the next user message: the answer began without its thinking."
        raise cannot_say(target.spec, "reasoning_effort", request.reasoning_effort, hint)


def _tool(tool: Tool) -> dict[str, Any]:
    encoded: dict[str, Any] = {"name": tool.name}
    if tool.description:
        encoded["description"] = tool.description
    return encoded | {"input_schema": {"type": "object", **tool.parameters}}


def _tool_choice(
    request: LLMRequest,
    target: Target,
    model: AnthropicModel,
    thinking: Mapping[str, Any] | None,
) -> dict[str, str] | None:
    choice = checked_tool_choice(request)
    if choice is None:
        return None
    if choice in {"auto", "none"}:
        # Without tools both mean nothing, and the API refuses them.
        return {"type": choice} if request.tools else None
    if not model.forced_tools:
        hint = "This model takes no forced call: use `auto` and ask for the call in words."
        raise cannot_say(target.spec, "tool_choice", choice, hint)
    if thinking is not None and thinking["type"] == "enabled":
        hint = "A call cannot be forced while this model thinks: leave reasoning_effort out."
        raise cannot_say(target.spec, "tool_choice", choice, hint)
    return {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}


def _output_config(request: LLMRequest, model: AnthropicModel) -> dict[str, Any] | None:
    config: dict[str, Any] = {}
    effort = request.reasoning_effort
    if effort not in {None, "none"} and model.thinking == "adaptive":
        # The nearest level, and of two the higher: who asks for much would rather have too much.
        known = "low" if effort == "minimal" else effort
        config["effort"] = known if known in model.efforts else model.efforts[-1]
    if request.schema is not None:
        from .anthropic_schema import closed_schema

        config["format"] = {"type": "json_schema", "schema": closed_schema(request.schema)}
    return config or None


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    from ..types.models import ModelInfo

    name, owner = row.get("display_name"), row.get("owned_by")
    retires = row.get("retires_at")
    return ModelInfo(
        id=str(row["id"]),
        provider=target.provider.name,
        created=_created(row.get("created_at", row.get("created"))),
        owned_by=owner if isinstance(owner, str) else None,
        context_length=token_count(row.get("max_input_tokens")) or None,
        description=name if isinstance(name, str) else None,
        max_output_tokens=token_count(row.get("max_tokens")) or None,
        capabilities=_capabilities(row.get("capabilities")),
        retires_at=retires if isinstance(retires, str) else None,
    )


def _created(value: object) -> int | None:
    if isinstance(value, str):
        from datetime import datetime

        try:
            # An unknown date is written as the epoch.
            return int(datetime.fromisoformat(value).timestamp()) or None
        except ValueError:
            return None
    return value if isinstance(value, int) else None


def _capabilities(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, dict):
        return None
    # Every Claude writes text and calls tools, so the list does not say it (docs "Models overview").
    able = {"completion", "tools"}
    for theirs, ours in _ABILITIES.items():
        if isinstance(entry := value.get(theirs), dict) and entry.get("supported") is True:
            able.add(ours)
    return tuple(sorted(able))

"""Google's Gemini API (`generateContent`), which the LiteLLM proxy speaks too.

Owns the requests `:generateContent`, `:streamGenerateContent` and `GET /models` and the reading of
the model list; the messages are put into its words in `gemini_contents.py`, the reading of an
answer stands in `gemini_stream.py`. What differs between models is data in
`providers/gemini_models.py` (WIRE.md §5; names of fields: google-genai 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..exceptions import LLMError
from ..providers.gemini_models import GeminiModel, find_gemini_model
from ..types.http import Head, HttpRequest
from ..types.messages import Tool
from ..types.request import LLMRequest
from ..types.response import StreamChunk
from ..types.target import Target
from .errors import answer_error
from .events import token_count
from .gemini_contents import encode_messages
from .gemini_stream import GeminiDecoder
from .http import json_request
from .requests import cannot_say, checked_tool_choice, make_body

if TYPE_CHECKING:
    from ..types.models import ModelInfo, ModelPage

__all__ = ["Gemini", "GeminiDecoder", "resource_path"]

_KEY_HEADER = "x-goog-api-key"
_OURS = frozenset({"contents"})
"""What the configuration cannot change: it would speak for the user."""
_PAGE_SIZE = 1000
"""Models in one part of the list: the most that Google gives."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
"""Every effort but `none`, rising."""
_BUDGETS = dict(zip(_EFFORTS, (512, 1024, 8192, 24_576, 32_768, 32_768), strict=True))
"""Tokens for an effort, within the model's bounds: Google's own figures for OpenAI's words (low,
medium, high), half of the lowest for `minimal` and the most there is above `high`."""


class Gemini:
    """The dialect. Stateless."""

    def encode(self, request: LLMRequest, target: Target) -> HttpRequest:
        """Return the request as it goes on the wire."""
        if request.suffix is not None:
            raise cannot_say(
                "Gemini", "suffix", hint="Fill gaps with a model that has text completion."
            )
        model = find_gemini_model(target.model)
        contents, system = encode_messages(request.messages, target, model)
        asked = {
            "systemInstruction": {"parts": system} if system else None,
            "generationConfig": _generation_config(request, model, target.model) or None,
            "tools": [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
            if request.tools
            else None,
            "toolConfig": _tool_config(request),
        }
        body = make_body({"contents": contents}, asked, request, target, _OURS)
        method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        path = f"/{resource_path(target.model)}:{method}"
        return json_request(
            "POST", path, target, body, stream=request.stream, key_header=_KEY_HEADER
        )

    def decode(self, body: bytes, target: Target) -> list[StreamChunk]:
        """Return the chunks of an answer that came whole."""
        return GeminiDecoder(target).whole(body)

    def decoder(self, target: Target) -> GeminiDecoder:
        """Return a decoder for one streamed answer."""
        return GeminiDecoder(target)

    def error(self, head: Head, body: bytes, target: Target) -> LLMError:
        """Return the error that an answer with an error status means."""
        return answer_error(head, body, target)

    def encode_models(self, target: Target, page: str | None = None) -> HttpRequest:
        """Return the request for the model list, or for its next part."""
        path = f"/models?pageSize={_PAGE_SIZE}"
        if page is not None:
            path += f"&pageToken={quote(page, safe='', errors='replace')}"
        return json_request("GET", path, target, key_header=_KEY_HEADER)

    def decode_models(self, body: bytes, target: Target) -> ModelPage:
        """Return the models that the answer lists.

        Raises:
            LLMError: the answer is no model list.
        """
        from ..types.models import ModelPage
        from .model_rows import read_rows

        payload, rows = read_rows(body, "models", target)
        listed = [row for row in rows if isinstance(row, dict) and row.get("name")]
        following = payload.get("nextPageToken")
        return ModelPage(
            [_model(row, target) for row in listed], str(following) if following else None
        )


def resource_path(model: str) -> str:
    """Return the path of a model: `models/x`, `tunedModels/x`, or a bare name."""
    for kind in ("models", "tunedModels"):
        if model.startswith(f"{kind}/"):
            return f"{kind}/{quote(model.removeprefix(f'{kind}/'), safe='', errors='replace')}"
    return f"models/{quote(model, safe='', errors='replace')}"


def _generation_config(request: LLMRequest, model: GeminiModel, name: str) -> dict[str, Any]:
    config = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "responseMimeType": None if request.schema is None else "application/json",
        "responseJsonSchema": None if request.schema is None else dict(request.schema),
        "thinkingConfig": _thinking(request, model, name),
    }
    return {field: value for field, value in config.items() if value is not None}


def _thinking(request: LLMRequest, model: GeminiModel, name: str) -> dict[str, Any] | None:
    """Return how much to think; what lies between two levels goes to the nearer, a tie up."""
    effort = request.reasoning_effort
    if effort is None:
        return None
    if effort == "none":
        return _no_thinking(model, name)
    if model.budget is not None:
        least, most = model.budget
        if request.max_tokens is not None:
            # The thinking counts as part of the answer, and shall not take the place of it.
            most = min(most, request.max_tokens * 3 // 4)
        budget = max(min(_BUDGETS[effort], most), least)
        return {"includeThoughts": True, "thinkingBudget": budget}
    if not model.levels:
        raise cannot_say(name, "reasoning_effort", effort, "It does not think: leave it out.")
    wanted = _EFFORTS.index(effort)
    level = min(
        reversed(model.levels), key=lambda level: abs(_EFFORTS.index(level.lower()) - wanted)
    )
    return {"includeThoughts": True, "thinkingLevel": level}


def _no_thinking(model: GeminiModel, name: str) -> dict[str, Any] | None:
    if model.can_stop_thinking:
        return {"thinkingBudget": 0}
    if model.budget is None and not model.levels:
        return None  # it never thinks
    least = model.levels[0].lower() if model.levels else "minimal"
    raise cannot_say(name, "reasoning_effort", "none", f"It always thinks: `{least}` is the least.")


def _declaration(tool: Tool) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    declared["parametersJsonSchema"] = dict(tool.parameters)
    return declared


def _tool_config(request: LLMRequest) -> dict[str, Any] | None:
    choice = checked_tool_choice(request)
    if choice is None:
        return None
    if choice in _MODES:
        return {"functionCallingConfig": {"mode": _MODES[choice]}}
    return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice]}}


def _model(row: Mapping[str, Any], target: Target) -> ModelInfo:
    from ..types.models import ModelInfo

    description = row.get("description") or row.get("displayName")
    return ModelInfo(
        id=str(row["name"]).removeprefix("models/"),
        provider=target.provider.name,
        context_length=token_count(row.get("inputTokenLimit")) or None,
        description=description if isinstance(description, str) else None,
        max_output_tokens=token_count(row.get("outputTokenLimit")) or None,
        capabilities=_capabilities(row),
    )


def _capabilities(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return what the row tells: Google does not say whether a model takes images or tools."""
    methods = row.get("supportedGenerationMethods")
    if not isinstance(methods, list):
        return None
    able = {
        "completion": "generateContent" in methods,
        "embedding": "embedContent" in methods,
        "reasoning": row.get("thinking") is True,
    }
    return tuple(name for name, is_able in able.items() if is_able)

"""The model list of OpenAI's dialects, `GET /models`: the same for Chat, Responses, Completions.

Owns the request, its pages and the shapes of the list; what a row tells stands in `model_rows.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..types.http import HttpRequest
from ..types.target import Target
from ..wire.jsontext import parse_json
from .errors import describe, not_an_answer, stream_error
from .http import json_request

if TYPE_CHECKING:
    from ..types.models import ModelPage

__all__ = ["decode_models", "encode_models"]

_QUERY = r"[!-~]{1,500}"
"""What may be put into an address as it is: no blanks, line ends or other controls."""


def encode_models(target: Target, page: str | None = None) -> HttpRequest:
    """Return the request for the model list, or for its next part."""
    path = target.provider.models_path or "/models"
    if path.startswith("../"):
        target = replace(target, base_url=target.base_url.rpartition("/")[0])
        path = path[2:]
    return json_request("GET", f"{path}?{page}" if page else path, target)


def decode_models(body: bytes, target: Target) -> ModelPage:
    """Return the models that the answer lists; an empty body lists none (mlx_lm.server).

    Raises:
        LLMError: the answer is no model list.
    """
    from ..types.models import ModelPage
    from .model_rows import read_model

    if not body.strip():
        return ModelPage([])
    try:
        payload = parse_json(body)
    except ValueError:
        raise not_an_answer(describe(body), target, body) from None
    if isinstance(payload, dict) and payload.get("error"):
        raise stream_error(payload, target)
    rows = payload
    if isinstance(payload, dict):
        # LM Studio's own API calls it `models`.
        rows = payload.get("data", payload.get("models"))
    if not isinstance(rows, list):
        raise not_an_answer("JSON that lists no models", target, body)
    models = [read_model(row, target.provider.name) for row in rows if isinstance(row, dict)]
    return ModelPage([model for model in models if model is not None], _next_page(payload))


def _next_page(payload: object) -> str | None:
    """Return the query of the next part (OpenRouter); of its address nothing else is followed."""
    match payload:
        case {"links": {"next": str(address)}}:
            query = address.partition("?")[2].partition("#")[0]
            return query if re.fullmatch(_QUERY, query) else None
    return None

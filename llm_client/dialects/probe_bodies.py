"""What local servers tell about themselves: their version, and what they have in memory.

Owns the forms of the answers that the `probes` of a catalog row name. Refuses to guess: an answer
of another form tells nothing. Sources: the recordings of Ollama, llama.cpp (2026-11); LM Studio's
documentation of its REST API, v1 and v0; text-generation-inference's of `/info`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..types.health import LoadedModel
from ..wire.jsontext import parse_json
from .events import text_or_none
from .model_rows import first_text, window

__all__ = ["FORMS", "Told", "read_probe"]


class Told(NamedTuple):
    """What one answer tells; what it does not is empty."""

    version: str | None = None
    loaded: tuple[LoadedModel, ...] = ()


def read_probe(form: str, body: bytes) -> Told:
    """Return what an answer tells.

    Args:
        form: one of `FORMS`.
        body: of an answer with status 200; whatever it is.
    """
    try:
        payload = parse_json(body)
    except ValueError:
        return Told()
    return FORMS[form](payload) if isinstance(payload, dict) else Told()


def _version(payload: dict[str, Any]) -> Told:
    """Read `{"version": "0.33.0"}`: Ollama, vLLM."""
    return Told(text_or_none(payload.get("version")))


def _ollama(payload: dict[str, Any]) -> Told:
    """Read Ollama's `/api/ps`, whose context is what was allocated."""
    rows = _rows(payload.get("models"))
    return Told(loaded=_loaded((row.get("name"), row.get("context_length")) for row in rows))


def _llamacpp(payload: dict[str, Any]) -> Told:
    """Read llama.cpp's `/props`; its context is that of one slot, which is what a request has."""
    settings = payload.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    name = first_text(payload, "model_alias", "model_path")
    # A router has no model of its own, and a server that sleeps has put its model away.
    is_there = window(context) and payload.get("is_sleeping") is not True
    loaded = _loaded([(name, context)]) if is_there else ()
    return Told(text_or_none(payload.get("build_info")), loaded)


def _lmstudio(payload: dict[str, Any]) -> Told:
    """Read LM Studio's `/api/v1/models`: a model may be loaded more than once."""
    return Told(
        loaded=_loaded(
            (instance.get("id") or row.get("key"), _inner(instance.get("config"), "context_length"))
            for row in _rows(payload.get("models"))
            for instance in _rows(row.get("loaded_instances"))
        )
    )


def _lmstudio_v0(payload: dict[str, Any]) -> Told:
    """Read its older `/api/v0/models`, where each model has a state."""
    return Told(
        loaded=_loaded(
            (row.get("id"), row.get("loaded_context_length"))
            for row in _rows(payload.get("data"))
            if row.get("state") == "loaded"
        )
    )


def _tgi(payload: dict[str, Any]) -> Told:
    """Read text-generation-inference's `/info`."""
    loaded = _loaded([(payload.get("model_id"), payload.get("max_total_tokens"))])
    return Told(text_or_none(payload.get("version")), loaded)


FORMS: dict[str, Callable[[dict[str, Any]], Told]] = {
    "llamacpp": _llamacpp,
    "lmstudio": _lmstudio,
    "lmstudio-v0": _lmstudio_v0,
    "ollama": _ollama,
    "tgi": _tgi,
    "version": _version,
}
"""Readers, by the names that rows give them."""


def _loaded(pairs: Any) -> tuple[LoadedModel, ...]:
    return tuple(
        LoadedModel(name, window(context))
        for name, context in pairs
        if isinstance(name, str) and name
    )


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _inner(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None

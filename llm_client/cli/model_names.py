"""What Tab offers behind `-m`: names in the model lists that are kept, without asking anybody.

Owns reading them quickly and saying nothing, whatever is wrong: a shell waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..policy.model_kinds import answers_in_text
from ..providers.names import Provider
from ..storage.model_cache import ModelCache
from ..storage.paths import cache_dir
from .environment import Environment

__all__ = ["known_names", "offered"]


def known_names(incomplete: str, provider: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return the names that a text is the beginning of, sorted.

    Args:
        incomplete: what was typed so far.
        provider: behind `-p`: then names are its own, without it in front.
        environ: says where lists are kept.
    """
    if provider is None and "/" in incomplete:
        only: str | None = incomplete.partition("/")[0]
    else:
        only = provider
    cache = ModelCache(cache_dir(environ) / "models", 0.0)
    names = {
        model.id if provider is not None else f"{model.provider}/{model.id}"
        for model in cache.stored_models(only)
        if model.id.isprintable()
        and answers_in_text(model)
        # Of another server the address is not known.
        and (provider is not None or model.provider != Provider.OPENAI_COMPATIBLE)
    }
    return sorted(name for name in names if name.startswith(incomplete))


def offered(incomplete: str, provider: str | None) -> list[str]:
    """Return `known_names` of this process's environment; nothing where that fails."""
    try:
        return known_names(incomplete, provider, Environment.current().environ)
    except Exception:
        return []

"""The work of `LLMConfig.load`: a profile as a value, with everything that holds for its calls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..policy.layers import layered
from ..policy.route import retry_settings, said_of_provider, split_model
from ..types.config import LLMConfig, ProviderSettings
from .config import load_settings

__all__ = ["load_config"]


def load_config(
    path: str | Path | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> LLMConfig:
    """Return what configuration file and environment say of a profile.

    Args:
        path: a file that must exist; `None` looks in the usual places.
        profile: its name or an alias; `None` is the default profile, if there is one.
        environ: where the usual places are looked up, and what stands over the file.

    Raises:
        ConfigurationError: the file or a variable is wrong, or there is no such profile.
    """
    settings = load_settings(Path(path) if path is not None else None, environ)
    layers = layered(LLMConfig(), profile, settings, environ)
    provider, _ = split_model(layers.config, settings)
    # Whose variables count is open where a provider has still to be found: `layered` sees to it.
    said = said_of_provider(provider, environ) if provider is not None else ProviderSettings()
    retry = retry_settings(layers.config, settings)
    return replace(
        layers.config,
        timeout=layers.profile.timeout if said.timeout is None else said.timeout,
        options={**layers.profile.options, **said.options},
        max_retries=retry.max_retries,
        retry_delay=retry.delay,
        retry_max_delay=retry.max_delay,
        retry_exponential_base=retry.exponential_base,
        cache_ttl=settings.models_ttl,
        budget=settings.budget,
        fallback_configs=layers.chain,
        prefer=layers.prefer,
        from_profile=layers.name,
        from_file=settings.source,
    )

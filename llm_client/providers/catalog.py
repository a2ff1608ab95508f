"""Who answers: one row per provider.

Owns facts (address, dialect, key variables, departures from the dialect), each with its source.
No logic beyond the look-up: what to do with a fact is decided on other floors.
Source unless noted: WIRE.md §7, 2026-11.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ..exceptions import ConfigurationError
from ..types.target import ProviderSpec, Quirks

__all__ = ["CATALOG", "LOCAL_SERVERS", "Provider", "find_provider"]

_LOCAL_FIRST_BYTE_SECONDS = 300.0
"""A local server may be loading a model of many gigabytes before it answers."""


class Provider(StrEnum):
    """The names of the catalog, for code that prefers a constant to a string."""

    ANTHROPIC = "anthropic"
    COHERE = "cohere"
    EMBEDDED = "embedded"
    GEMINI = "gemini"
    LLAMACPP = "llamacpp"
    LMSTUDIO = "lmstudio"
    MLX = "mlx"
    OLLAMA = "ollama"
    OPENAI = "openai"
    OPENAI_COMPATIBLE = "openai-compatible"
    VLLM = "vllm"


_ROWS = (
    ProviderSpec(
        name="openai",
        base_url="https://api.openai.com/v1",
        dialect="openai-chat",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        default_model="gpt-5-mini",
    ),
    ProviderSpec(
        name="anthropic",
        base_url="https://api.anthropic.com",
        dialect="anthropic",
        key_env=("ANTHROPIC_API_KEY",),
        base_url_env=("ANTHROPIC_BASE_URL",),
    ),
    ProviderSpec(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        dialect="gemini",
        key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ),
    ProviderSpec(
        name="cohere",
        base_url="https://api.cohere.com/v2",
        dialect="cohere",
        key_env=("CO_API_KEY", "COHERE_API_KEY"),
    ),
    ProviderSpec(
        name="ollama",
        base_url="http://localhost:11434",
        dialect="ollama",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_BASE_URL", "OLLAMA_HOST"),
        key_required=False,
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        start_command="ollama serve",
        fetch_model_command="ollama pull",
    ),
    ProviderSpec(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        dialect="openai-chat",
        key_env=("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
        base_url_env=("LMSTUDIO_BASE_URL",),
        key_required=False,
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        start_command="lms server start",
        quirks=Quirks(max_tokens_field="max_tokens"),
    ),
    ProviderSpec(
        name="llamacpp",
        # The default port is moving from 8080 to 9931 (WIRE.md §0.6).
        base_url="http://localhost:8080/v1",
        dialect="openai-chat",
        # Not LLAMA_API_KEY, which is also the key of Meta's cloud.
        key_env=("LLAMACPP_API_KEY",),
        base_url_env=("LLAMACPP_BASE_URL",),
        key_required=False,
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        start_command="llama-server -m model.gguf",
        alternative_base_urls=("http://localhost:9931/v1",),
        owned_by="llamacpp",
        quirks=Quirks(max_tokens_field="max_tokens"),
    ),
    ProviderSpec(
        name="mlx",
        base_url="http://localhost:8080/v1",
        dialect="openai-chat",
        base_url_env=("MLX_BASE_URL",),
        key_required=False,
        owned_by="",
        # mlx_lm.server's name for the model that it was started with.
        default_model="default_model",
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        start_command="mlx_lm.server --model MODEL",
        # Any exception while it generates is a 404.
        quirks=Quirks(max_tokens_field="max_tokens", not_found_is_model=False),
    ),
    ProviderSpec(
        name="vllm",
        base_url="http://localhost:8000/v1",
        dialect="openai-chat",
        key_env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        start_command="vllm serve MODEL",
        owned_by="vllm",
        quirks=Quirks(max_tokens_field="max_tokens"),
    ),
    ProviderSpec(
        name="openai-compatible",
        base_url="",
        dialect="openai-chat",
        key_env=("LLM_CLIENT_API_KEY",),
        key_required=False,
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        # Most servers that are compatible know only the older name.
        quirks=Quirks(max_tokens_field="max_tokens"),
    ),
    ProviderSpec(
        name="embedded",
        base_url="gguf://embedded/v1",
        dialect="openai-chat",
        model_env=("LLM_CLIENT_EMBEDDED_MODEL",),
        key_required=False,
        default_model="demo",
        first_byte=_LOCAL_FIRST_BYTE_SECONDS,
        # llama.cpp goes on with a whole answer whose reader is gone (seen 2026-10).
        quirks=Quirks(max_tokens_field="max_tokens", streams_always=True),
    ),
)

CATALOG: Final = MappingProxyType({row.name: row for row in _ROWS})
"""Every provider by its name."""

LOCAL_SERVERS: Final = ("ollama", "lmstudio", "llamacpp", "mlx", "vllm")
"""The servers to look for when nothing is configured, in order of preference."""


def find_provider(name: str) -> ProviderSpec:
    """Return the row of a provider.

    Raises:
        ConfigurationError: there is none of that name; the hint has the nearest.
    """
    row = CATALOG.get(name.lower())
    if row is not None:
        return row
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), CATALOG, n=1)
    known = ", ".join(sorted(CATALOG))
    raise ConfigurationError(
        f"There is no provider {name!r}.",
        hint=(f"Did you mean {near[0]!r}? " if near else "")
        + f"Known: {known}. Any other OpenAI-compatible server: `--base-url URL`.",
    )

"""What runs on this machine, as a server or in this process: one row each, no logic.

Sources: WIRE.md §7 (2026-11) unless a comment names another.
"""

from __future__ import annotations

from typing import Final

from ..types.target import Probe, ProviderSpec, Quirks

__all__ = ["LOCAL"]

_FIRST_BYTE_SECONDS: Final = 300.0
"""A local server may be loading a model of many gigabytes before it answers."""
_OLDER_NAME: Final = Quirks(max_tokens_field="max_tokens")
_SCHEMA_IN_WORDS: Final = Quirks(max_tokens_field="max_tokens", schema="prompt")
_THINKS_IN_TEXT: Final = Quirks(max_tokens_field="max_tokens", inline_think=True)
"""Unless it is started with a parser for the model's thinking."""
_OLLAMA: Final = (Probe("/api/version", "version"), Probe("/api/ps", "ollama"))

LOCAL: Final = (
    ProviderSpec(
        name="ollama",
        base_url="http://localhost:11434",
        dialect="ollama",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_BASE_URL", "OLLAMA_HOST"),
        timeout_env=("OLLAMA_TIMEOUT",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="ollama serve",
        fetch_model_command="ollama pull",
        default_tag="latest",
        probes=_OLLAMA,
    ),
    ProviderSpec(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        dialect="openai-chat",
        key_env=("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
        base_url_env=("LMSTUDIO_BASE_URL",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="lms server start",
        # lmstudio.ai/docs/developer/rest: the older one beside it.
        probes=(Probe("/api/v1/models", "lmstudio"), Probe("/api/v0/models", "lmstudio-v0")),
        quirks=_OLDER_NAME,
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
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="llama-server -m model.gguf",
        alternative_base_urls=("http://localhost:9931/v1",),
        owned_by="llamacpp",
        health_path="/health",
        probes=(Probe("/props", "llamacpp"),),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="mlx",
        base_url="http://localhost:8080/v1",
        dialect="openai-chat",
        base_url_env=("MLX_BASE_URL",),
        model_env=("MLX_MODEL_PATH",),
        key_required=False,
        owned_by="",
        # mlx_lm.server's name for the model that it was started with.
        default_model="default_model",
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="mlx_lm.server --model MODEL",
        # It fetches what it is asked for, and its list may be empty.
        lists_every_model=False,
        health_path="/health",
        in_process_base_url="mlx://local/v1",
        # Any exception while it generates is a 404; it has no grammar to hold a schema with, and no
        # embeddings (seen with mlx_lm.server 2026-11).
        quirks=Quirks(
            max_tokens_field="max_tokens",
            not_found_is_model=False,
            schema="prompt",
            embeddings=False,
        ),
    ),
    ProviderSpec(
        name="vllm",
        base_url="http://localhost:8000/v1",
        dialect="openai-chat",
        key_env=("VLLM_API_KEY",),
        base_url_env=("VLLM_BASE_URL",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="vllm serve MODEL",
        owned_by="vllm",
        lists_what_is_loaded=True,
        health_path="/health",
        probes=(Probe("/version", "version"),),
        quirks=_THINKS_IN_TEXT,
    ),
    ProviderSpec(
        name="sglang",
        base_url="http://localhost:30000/v1",  # docs.sglang.io
        dialect="openai-chat",
        key_env=("SGLANG_API_KEY",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="python -m sglang.launch_server --model-path MODEL",
        lists_what_is_loaded=True,
        health_path="/health",  # its documentation
        quirks=_THINKS_IN_TEXT,
    ),
    ProviderSpec(
        name="llama-cpp-python",
        base_url="http://localhost:8000/v1",
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="python -m llama_cpp.server --model model.gguf",
        lists_what_is_loaded=True,
        quirks=Quirks(max_tokens_field="max_tokens", inline_think=True, schema="prompt"),
    ),
    ProviderSpec(
        name="llamafile",
        base_url="http://localhost:8080/v1",
        dialect="openai-chat",
        key_env=("LLAMAFILE_API_KEY",),  # LiteLLM
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="./model.llamafile --server",
        health_path="/health",
        probes=(Probe("/props", "llamacpp"),),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="docker",
        # docs.docker.com, "docker desktop enable model-runner": 12434. 22088, which LiteLLM knows,
        # is older.
        base_url="http://localhost:12434/engines/v1",
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="docker desktop enable model-runner --tcp 12434",
        fetch_model_command="docker model pull",
        alternative_base_urls=("http://localhost:22088/engines/llama.cpp/v1",),
        default_tag="latest",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="tgi",
        base_url="http://localhost:3000/v1",  # its documentation, "Messages API"
        dialect="openai-chat",
        key_required=False,
        # Its name for the model that it was started with.
        default_model="tgi",
        lists_models=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="text-generation-launcher --model-id MODEL",
        health_path="/health",
        probes=(Probe("/info", "tgi"),),  # its API reference
        quirks=Quirks(max_tokens_field="max_tokens", inline_think=True, schema="prompt"),
    ),
    ProviderSpec(
        name="transformers",
        base_url="http://localhost:8000/v1",  # its documentation, "Serve CLI"
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="transformers serve",
        # It loads what it is asked for, and lists nothing (seen 2026-11).
        lists_every_model=False,
        health_path="/health",
        # No embeddings (seen with transformers serve 2026-11).
        quirks=Quirks(
            max_tokens_field="max_tokens", inline_think=True, schema="prompt", embeddings=False
        ),
    ),
    ProviderSpec(
        name="localai",
        base_url="http://localhost:8080/v1",  # localai.io, with the key
        dialect="openai-chat",
        key_env=("LOCALAI_API_KEY",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="local-ai run",
        health_path="/readyz",  # localai.io
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="jan",
        base_url="http://localhost:1337/v1",  # jan.ai, "Local API server"
        dialect="openai-chat",
        key_env=("JAN_API_KEY",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="gpt4all",
        base_url="http://localhost:4891/v1",  # docs.gpt4all.io, "API server"
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="koboldcpp",
        base_url="http://localhost:5001/v1",  # its wiki
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="koboldcpp --model model.gguf",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="text-generation-webui",
        base_url="http://localhost:5000/v1",  # its documentation, "OpenAI compatible API"
        dialect="openai-chat",
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="python server.py --api",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="lemonade",
        base_url="http://localhost:8000/api/v1",  # LiteLLM, with the key
        dialect="openai-chat",
        key_env=("LEMONADE_API_KEY",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="lemonade-server serve",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="litellm",
        base_url="http://localhost:4000/v1",  # docs.litellm.ai, with the variables
        dialect="openai-chat",
        key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
        base_url_env=("LITELLM_PROXY_API_BASE",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        start_command="litellm --model PROVIDER/MODEL",
        # Its `/health` asks every model for an answer, which bills (docs.litellm.ai).
        health_path="/health/liveliness",
        # A pattern such as `openai/*` may stand for many.
        lists_every_model=False,
        price_id="litellm",
        quirks=Quirks(max_tokens_field="max_tokens", cache_control=True),
    ),
    ProviderSpec(
        name="openai-compatible",
        base_url="",
        dialect="openai-chat",
        key_env=("LLM_CLIENT_API_KEY",),
        key_required=False,
        first_byte=_FIRST_BYTE_SECONDS,
        # Most servers that are compatible know only the older name.
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="embedded",
        base_url="gguf://embedded/v1",
        dialect="openai-chat",
        model_env=("LLM_CLIENT_EMBEDDED_MODEL",),
        key_required=False,
        default_model="demo",
        first_byte=_FIRST_BYTE_SECONDS,
        in_process_base_url="gguf://embedded/v1",
        # llama.cpp goes on with a whole answer whose reader is gone (seen 2026-10).
        # It is started for answers, and llama.cpp has embeddings only where it is told so before.
        quirks=Quirks(max_tokens_field="max_tokens", streams_always=True, embeddings=False),
    ),
)

"""Who serves models of its own: one row each, no logic.

Sources: WIRE.md §7 (2026-11) unless a comment names another: pydantic-ai (2026-08), LiteLLM
(1.106), any-llm (1.40), the vendor's documentation or package. Default models: what genai-prices
0.2.3 (2026-11) prices as current. Most that speak OpenAI Chat know the older name of its limit only
(WIRE.md §7), and where no source says that they take a JSON schema it is asked for in words.
"""

from __future__ import annotations

from typing import Final

from ..types.target import ModelRule, ProviderField, ProviderSpec, Quirks
from .openai_models import OPENAI_MODEL_RULES

__all__ = ["MAKERS"]

_OLDER_NAME: Final = Quirks(max_tokens_field="max_tokens")
_SCHEMA_IN_WORDS: Final = Quirks(max_tokens_field="max_tokens", schema="prompt")
_BEARER: Final = "authorization"
"""Also on an address for Anthropic's dialect, whose own vendor wants `x-api-key`."""

MAKERS: Final = (
    ProviderSpec(
        name="openai",
        base_url="https://api.openai.com/v1",
        dialect="openai-chat",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        default_model="gpt-5.6-luna",
        embed_model="text-embedding-3-small",
        model_rules=OPENAI_MODEL_RULES,
        key_probe="list",
        price_id="openai",
        quirks=Quirks(call_ids=".{1,40}"),  # vercel/ai#5171
    ),
    ProviderSpec(
        name="anthropic",
        base_url="https://api.anthropic.com",
        dialect="anthropic",
        key_env=("ANTHROPIC_API_KEY",),
        base_url_env=("ANTHROPIC_BASE_URL",),
        default_model="claude-sonnet-5-5",
        # WIRE.md §0.2: what proxies and local servers speak too.
        headers=(("anthropic-version", "{api_version}"),),
        fields=(ProviderField("api_version", default="2023-06-01", example="2023-06-01"),),
        key_probe="list",
        # A whole answer of more than ten minutes is cut by what lies between (Anthropic's SDK refuses
        # to ask for one), and the limit that is sent when none is asked for allows one.
        quirks=Quirks(streams_always=True),
        # Anthropic's documentation, "Structured outputs": these have no `output_config.format`.
        model_rules=(
            ModelRule("*claude-2*", schema="prompt"),
            ModelRule("*claude-instant*", schema="prompt"),
            ModelRule("*claude-3-*", schema="tool"),
            ModelRule("*claude-opus-4-0*", schema="tool"),
            ModelRule("*claude-opus-4-2*", schema="tool"),
            ModelRule("*claude-4-opus*", schema="tool"),
            ModelRule("*claude-sonnet-4-0*", schema="tool"),
            ModelRule("*claude-sonnet-4-2*", schema="tool"),
            ModelRule("*claude-4-sonnet*", schema="tool"),
        ),
        price_id="anthropic",
    ),
    ProviderSpec(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        dialect="gemini",
        key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        base_url_env=("GOOGLE_GEMINI_BASE_URL",),  # google-genai
        default_model="gemini-flash-latest",
        embed_model="gemini-embedding-001",
        dialect_base_urls=(
            # ai.google.dev, "OpenAI compatibility".
            ("openai-chat", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ),
        key_probe="list",
        price_id="google",
    ),
    ProviderSpec(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        dialect="openai-chat",
        key_env=("MISTRAL_API_KEY",),
        default_model="mistral-small-latest",
        embed_model="mistral-embed",
        key_probe="list",
        price_id="mistral",
        # 422 on stream_options.
        quirks=Quirks(
            max_tokens_field="max_tokens",
            stream_options=False,
            # mistralai 3.7: `random_seed`, `DocumentURLChunk`, `AudioChunk`, and a `UserMessage`
            # has no name; what it does not know it answers with 422.
            seed_field="random_seed",
            names=False,
            document="document_url",
            audio="text",
            call_ids="[A-Za-z0-9]{9}",  # langchain#24668
            embed_dimensions_field="output_dimension",  # mistralai
        ),
    ),
    ProviderSpec(
        name="deepseek",
        base_url="https://api.deepseek.com",
        dialect="openai-chat",
        key_env=("DEEPSEEK_API_KEY",),
        default_model="deepseek-v4-flash",
        key_header=_BEARER,
        dialect_base_urls=(
            ("anthropic", "https://api.deepseek.com/anthropic"),
            # api-docs.deepseek.com, "FIM completion".
            ("openai-completions", "https://api.deepseek.com/beta"),
        ),
        key_probe="list",
        price_id="deepseek",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="thinking_effort",  # its guide to the thinking mode
            echo_reasoning="reasoning_content",
            # While it thinks, which is the default since v4 (pydantic-ai).
            required_tool_choice=False,
            schema="prompt",  # JSON objects only (pydantic-ai)
            embeddings=False,  # any-llm
        ),
    ),
    ProviderSpec(
        name="xai",
        base_url="https://api.x.ai/v1",
        dialect="openai-chat",
        key_env=("XAI_API_KEY",),
        default_model="grok-4.7",
        key_probe="list",
        price_id="x-ai",
        quirks=Quirks(max_tokens_field="max_tokens", embeddings=False),  # any-llm
    ),
    ProviderSpec(
        name="cohere",
        base_url="https://api.cohere.com/v2",
        dialect="cohere",
        key_env=("CO_API_KEY", "COHERE_API_KEY"),
        base_url_env=("CO_API_URL",),  # cohere-python
        default_model="command-a-03-2025",
        embed_model="embed-v4.0",
        dialect_base_urls=(
            # docs.cohere.com, "OpenAI SDK compatibility".
            ("openai-chat", "https://api.cohere.ai/compatibility/v1"),
        ),
        key_probe="list",
        price_id="cohere",
    ),
    ProviderSpec(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        dialect="openai-chat",
        key_env=("PERPLEXITY_API_KEY",),
        base_url_env=("PERPLEXITY_BASE_URL",),  # any-llm
        default_model="sonar",
        lists_models=False,
        key_probe="refusal",
        price_id="perplexity",
        # Its reasoning models think in the text (docs.perplexity.ai).
        quirks=Quirks(max_tokens_field="max_tokens", inline_think=True),
    ),
    ProviderSpec(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        dialect="openai-chat",
        key_env=("MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY"),
        default_model="kimi-k2.6",
        key_header=_BEARER,
        # platform.moonshot.ai, "Claude Code".
        dialect_base_urls=(("anthropic", "https://api.moonshot.ai/anthropic"),),
        key_probe="list",
        price_id="moonshotai",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="thinking",  # platform.moonshot.ai, of K2.5 and K2.6
            echo_reasoning="reasoning_content",  # pydantic-ai
            required_tool_choice=False,
            schema="prompt",  # JSON objects only (pydantic-ai)
            embeddings=False,  # any-llm
        ),
    ),
    ProviderSpec(
        name="dashscope",
        base_url="https://{host}/compatible-mode/v1",
        dialect="openai-chat",
        key_env=("DASHSCOPE_API_KEY", "ALIBABA_API_KEY"),
        default_model="qwen-plus",
        key_header=_BEARER,
        fields=(
            # China's own is dashscope.aliyuncs.com; a key is of one of the two.
            ProviderField(
                "host",
                default="dashscope-intl.aliyuncs.com",
                example="dashscope.aliyuncs.com",
                leftover="/.*",
                pattern=r"[A-Za-z0-9.-]+",
            ),
        ),
        # help.aliyun.com, Model Studio, "Anthropic compatible".
        dialect_base_urls=(("anthropic", "https://{host}/apps/anthropic"),),
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="enable_thinking",
            # It refuses `file`, and the Omni models want a data URI (pydantic-ai).
            document="none",
            audio="object with uri",
            cache_control=True,  # LiteLLM
            required_tool_choice=False,  # pydantic-ai, of Qwen
            schema="prompt",
            embed_batch=10,  # help.aliyun.com, text-embedding-v4 and -v3
        ),
    ),
    ProviderSpec(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        dialect="openai-chat",
        key_env=("ZAI_API_KEY",),
        default_model="glm-5.3-flash",
        key_header=_BEARER,
        # docs.z.ai, "Claude Code".
        dialect_base_urls=(("anthropic", "https://api.z.ai/api/anthropic"),),
        price_id="zai",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="thinking",
            echo_reasoning="reasoning_content",  # pydantic-ai
            required_tool_choice=False,  # docs.z.ai: only `auto`
            schema="prompt",  # JSON objects only (pydantic-ai)
            embeddings=False,  # any-llm
        ),
    ),
    ProviderSpec(
        name="zhipuai",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        dialect="openai-chat",
        key_env=("ZHIPUAI_API_KEY", "ZHIPU_API_KEY"),  # zhipuai, pydantic-ai (2025)
        default_model="glm-4.7",
        price_id="zhipuai",
        # Of the same house as zai.
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="thinking",
            echo_reasoning="reasoning_content",
            required_tool_choice=False,
            schema="prompt",
        ),
    ),
    ProviderSpec(
        name="minimax",
        base_url="https://api.minimax.io/v1",
        dialect="openai-chat",
        key_env=("MINIMAX_API_KEY",),
        default_model="MiniMax-M3.1-Flash",
        key_header=_BEARER,
        dialect_base_urls=(("anthropic", "https://api.minimax.io/anthropic"),),  # LiteLLM
        lists_models=False,
        key_probe="refusal",
        price_id="minimax",
        quirks=Quirks(
            max_tokens_field="max_tokens",
            inline_think=True,
            # MiniMax-M2's model card: its thinking must stay in the conversation as it came.
            echo_reasoning="<think>",
            effort="",
            schema="prompt",
            embeddings=False,  # any-llm
        ),
    ),
    ProviderSpec(
        name="meta",
        base_url="https://api.meta.ai/v1",
        dialect="openai-chat",
        key_env=("META_API_KEY", "MODEL_API_KEY"),
        default_model="muse-spark-1.3",
        key_header=_BEARER,  # any-llm
        price_id="meta",
        # MODEL_API_KEY may be anybody's.
        chosen_by_key=False,
        quirks=Quirks(max_tokens_field="max_tokens", embeddings=False),  # any-llm
    ),
    ProviderSpec(
        name="llama",
        base_url="https://api.llama.com/compat/v1",
        dialect="openai-chat",
        key_env=("LLAMA_API_KEY",),
        # Also the variable of llama.cpp's server.
        chosen_by_key=False,
        quirks=Quirks(max_tokens_field="max_tokens", embeddings=False),  # any-llm
    ),
    ProviderSpec(
        name="volcengine",
        base_url="https://ark.cn-beijing.volces.com/api/v3",
        dialect="openai-chat",
        key_env=("ARK_API_KEY", "VOLCENGINE_API_KEY"),  # volcengine, LiteLLM
        lists_every_model=False,
        # A model there may be an endpoint of one's own.
        chosen_by_key=False,
        quirks=Quirks(max_tokens_field="max_tokens", effort="thinking", schema="prompt"),
    ),
    ProviderSpec(
        name="ai21",
        base_url="https://api.ai21.com/studio/v1",
        dialect="openai-chat",
        key_env=("AI21_API_KEY",),  # LiteLLM
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="inception",
        base_url="https://api.inceptionlabs.ai/v1",  # any-llm, LiteLLM
        dialect="openai-chat",
        key_env=("INCEPTION_API_KEY",),
        # No embeddings: any-llm.
        quirks=Quirks(max_tokens_field="max_tokens", schema="prompt", embeddings=False),
    ),
    ProviderSpec(
        name="reka",
        base_url="https://api.reka.ai/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("REKA_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="sarvam",
        base_url="https://api.sarvam.ai/v1",  # LiteLLM, with the header
        dialect="openai-chat",
        key_env=("SARVAM_API_KEY",),
        key_header="api-subscription-key",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="v0",
        base_url="https://api.v0.dev/v1",
        dialect="openai-chat",
        key_env=("V0_API_KEY",),  # LiteLLM
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="morph",
        base_url="https://api.morphllm.com/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("MORPH_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
)
"""In the order in which a key in the environment is found."""

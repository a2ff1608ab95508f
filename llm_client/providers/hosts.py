"""Who serves other people's models, or embeds: one row each, no logic.

Sources as in `makers.py`.
"""

from __future__ import annotations

from typing import Final

from ..types.target import ModelRule, ProviderSpec, Quirks

__all__ = ["HOSTS"]

_OLDER_NAME: Final = Quirks(max_tokens_field="max_tokens")
_SCHEMA_IN_WORDS: Final = Quirks(max_tokens_field="max_tokens", schema="prompt")
_ONLY_AUTO: Final = Quirks(
    max_tokens_field="max_tokens", required_tool_choice=False, schema="prompt"
)
_BEARER: Final = "authorization"
"""Also on an address for Anthropic's dialect, whose own vendor wants `x-api-key`."""

HOSTS: Final = (
    ProviderSpec(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        dialect="openai-chat",
        key_env=("OPENROUTER_API_KEY",),
        default_model="openrouter/auto",
        key_header=_BEARER,
        key_probe="GET /key",  # openrouter.ai/docs, "Get current API key"; the list is public
        price_id="openrouter",
        # `reasoning`, the older name of the limit and `cache_control`: pydantic-ai.
        quirks=Quirks(
            max_tokens_field="max_tokens",
            effort="openrouter",
            cache_control=True,
            document="file or address",  # openrouter.ai/docs, "PDF inputs"
        ),
    ),
    ProviderSpec(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        dialect="openai-chat",
        key_env=("GROQ_API_KEY",),
        base_url_env=("GROQ_BASE_URL",),  # groq-python
        default_model="openai/gpt-oss-120b",
        # console.groq.com, "Structured outputs": only these take a schema.
        model_rules=(
            ModelRule("openai/gpt-oss-*", schema="native"),
            ModelRule("meta-llama/llama-4-*", schema="native"),
            ModelRule("moonshotai/kimi-k2*", schema="native"),
        ),
        key_probe="list",
        price_id="groq",
        quirks=Quirks(schema="tool", embeddings=False),  # any-llm
    ),
    ProviderSpec(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        dialect="openai-chat",
        key_env=("CEREBRAS_API_KEY",),
        default_model="gpt-oss-120b",
        # inference-docs.cerebras.ai, "Reasoning", of GLM (pydantic-ai).
        model_rules=(ModelRule("zai-*", echo_reasoning="<think>"),),
        key_probe="list",
        price_id="cerebras",
        quirks=Quirks(embeddings=False),  # any-llm
    ),
    ProviderSpec(
        name="together",
        base_url="https://api.together.xyz/v1",
        dialect="openai-chat",
        key_env=("TOGETHER_API_KEY",),
        default_model="openai/gpt-oss-120b",
        key_probe="list",
        price_id="together",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        dialect="openai-chat",
        key_env=("FIREWORKS_API_KEY",),
        default_model="accounts/fireworks/models/gpt-oss-120b",
        # Only some of what it serves.
        lists_every_model=False,
        key_probe="list",
        price_id="fireworks",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        dialect="openai-chat",
        key_env=("DEEPINFRA_API_KEY",),
        key_probe="refusal",
        quirks=_ONLY_AUTO,  # LiteLLM
    ),
    ProviderSpec(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        dialect="openai-chat",
        key_env=("SAMBANOVA_API_KEY",),
        base_url_env=("SAMBANOVA_BASE_URL",),  # pydantic-ai
        key_probe="refusal",
        quirks=Quirks(max_tokens_field="max_tokens", inline_think=True),
    ),
    ProviderSpec(
        name="nebius",
        base_url="https://api.studio.nebius.com/v1",
        dialect="openai-chat",
        key_env=("NEBIUS_API_KEY",),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="vercel",
        base_url="https://ai-gateway.vercel.sh/v1",
        dialect="openai-chat",
        key_env=("VERCEL_AI_GATEWAY_API_KEY",),
        key_header=_BEARER,
        key_probe="refusal",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="crusoe",
        base_url="https://api.inference.crusoecloud.com/v1",
        dialect="openai-chat",
        key_env=("CRUSOE_API_KEY",),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="novita",
        base_url="https://api.novita.ai/v3/openai",
        dialect="openai-chat",
        key_env=("NOVITA_API_KEY",),
        default_model="openai/gpt-oss-120b",
        key_probe="refusal",
        price_id="novita",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="hyperbolic",
        base_url="https://api.hyperbolic.xyz/v1",
        dialect="openai-chat",
        key_env=("HYPERBOLIC_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="lambda",
        base_url="https://api.lambda.ai/v1",
        dialect="openai-chat",
        key_env=("LAMBDA_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="baseten",
        base_url="https://inference.baseten.co/v1",
        dialect="openai-chat",
        key_env=("BASETEN_API_KEY",),
        default_model="openai/gpt-oss-120b",
        price_id="baseten",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="featherless",
        base_url="https://api.featherless.ai/v1",
        dialect="openai-chat",
        key_env=("FEATHERLESS_API_KEY",),
        key_probe="refusal",
        quirks=_ONLY_AUTO,  # LiteLLM
    ),
    ProviderSpec(
        name="nscale",
        base_url="https://inference.api.nscale.com/v1",
        dialect="openai-chat",
        key_env=("NSCALE_API_KEY",),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="friendli",
        base_url="https://api.friendli.ai/serverless/v1",
        dialect="openai-chat",
        key_env=("FRIENDLI_TOKEN",),
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="modelscope",
        base_url="https://api-inference.modelscope.cn/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("MODELSCOPE_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="requesty",
        base_url="https://router.requesty.ai/v1",  # any-llm
        dialect="openai-chat",
        key_env=("REQUESTY_API_KEY",),
        key_probe="refusal",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="poe",
        base_url="https://api.poe.com/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("POE_API_KEY",),
        key_probe="refusal",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="venice",
        base_url="https://api.venice.ai/api/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("VENICE_AI_API_KEY", "VENICE_API_KEY"),
        key_probe="refusal",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="chutes",
        base_url="https://llm.chutes.ai/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("CHUTES_API_KEY",),
        key_probe="refusal",
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="gmi",
        base_url="https://api.gmi-serving.com/v1",  # any-llm, LiteLLM
        dialect="openai-chat",
        key_env=("GMI_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="parasail",
        base_url="https://api.parasail.io/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("PARASAIL_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="atlascloud",
        base_url="https://api.atlascloud.ai/v1",  # any-llm
        dialect="openai-chat",
        key_env=("ATLASCLOUD_API_KEY",),
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="ollama-cloud",
        base_url="https://ollama.com",
        dialect="ollama",
        key_env=("OLLAMA_API_KEY",),
        default_tag="latest",
        key_probe="refusal",
        # Which may as well be that of a server of one's own.
        chosen_by_key=False,
    ),
    ProviderSpec(
        name="voyage",
        base_url="https://api.voyageai.com/v1",
        dialect="openai-chat",
        key_env=("VOYAGE_API_KEY",),
        default_model="voyage-4",
        embed_model="voyage-4",
        lists_models=False,
        key_probe="POST /embeddings",
        price_id="voyageai",
        # It embeds and does not answer.
        chosen_by_key=False,
        # Its API reference: 1,000 texts and, by model, 120,000 tokens or more.
        quirks=Quirks(
            embed_batch=1000,
            embed_batch_bytes=120_000,
            embed_dimensions_field="output_dimension",
            embed_input_type_field="input_type",
            embed_input_types=(("query", "query"), ("document", "document")),
        ),
    ),
    ProviderSpec(
        name="jina",
        base_url="https://api.jina.ai/v1",
        dialect="openai-chat",
        key_env=("JINA_API_KEY",),  # LiteLLM
        default_model="jina-embeddings-v4",
        embed_model="jina-embeddings-v4",
        lists_models=False,
        key_probe="POST /embeddings",
        # It embeds and does not answer.
        chosen_by_key=False,
        # jina.ai, "Embeddings", as CAMEL and Qdrant tell it.
        quirks=Quirks(
            embed_base64_field="embedding_type",
            embed_input_type_field="task",
            embed_input_types=(
                ("query", "retrieval.query"),
                ("document", "retrieval.passage"),
                ("similarity", "text-matching"),
                ("classification", "classification"),
                ("clustering", "separation"),
            ),
        ),
    ),
)
"""In the order in which a key in the environment is found, behind the makers."""

"""Clouds and platforms that serve models among other things: one row each, no logic.

Sources as in `makers.py`. Most need more than a key (an endpoint, an account), or their key serves
other purposes too: those are not chosen because it is there.
"""

from __future__ import annotations

from typing import Final

from ..types.target import ModelRule, ProviderField, ProviderSpec, Quirks, Variant
from .openai_models import OPENAI_MODEL_RULES

__all__ = ["CLOUDS"]

_OLDER_NAME: Final = Quirks(max_tokens_field="max_tokens")
_SCHEMA_IN_WORDS: Final = Quirks(max_tokens_field="max_tokens", schema="prompt")
_BEARER: Final = "authorization"
"""Also on an address for Anthropic's dialect, whose own vendor wants `x-api-key`."""
_API_VERSION: Final = (("api-version", "{api_version}"),)
_HF: Final = "https://router.huggingface.co"

CLOUDS: Final = (
    ProviderSpec(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",
        dialect="openai-chat",
        key_env=("HF_TOKEN",),
        fields=(
            ProviderField(
                "sub", optional=True, example="together", leftover="/v1", pattern="[A-Za-z0-9-]+"
            ),
        ),
        # One sub-provider's models under its own names; without it the router chooses. Their paths
        # differ (huggingface_hub 2.4, inference/_providers).
        variants=(
            Variant("sub", f"{_HF}/cohere/compatibility/v1", value="cohere"),
            Variant("sub", f"{_HF}/deepinfra/v1/openai", value="deepinfra"),
            Variant("sub", f"{_HF}/fireworks-ai/inference/v1", value="fireworks-ai"),
            Variant("sub", f"{_HF}/groq/openai/v1", value="groq"),
            Variant("sub", f"{_HF}/novita/v3/openai", value="novita"),
            Variant("sub", f"{_HF}/zai-org/api/paas/v4", value="zai-org"),
            Variant("sub", f"{_HF}/{{sub}}/v1"),
        ),
        # With `:provider` behind a name it has many more.
        lists_every_model=False,
        key_probe="refusal",
        # The token is for downloads first.
        chosen_by_key=False,
        # No embeddings: any-llm.
        quirks=Quirks(max_tokens_field="max_tokens", inline_think=True, embeddings=False),
    ),
    ProviderSpec(
        name="github",
        base_url="https://models.github.ai/inference",
        dialect="openai-chat",
        key_env=("GITHUB_TOKEN", "GITHUB_API_KEY"),
        models_path="../catalog/models",  # any-llm
        key_probe="refusal",
        chosen_by_key=False,
        quirks=_OLDER_NAME,  # any-llm
    ),
    ProviderSpec(
        name="azure",
        base_url="{endpoint}/openai/v1",
        dialect="openai-chat",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        dialect_key_headers=(("anthropic", "x-api-key"),),  # anthropic 2.11, lib/foundry.py
        fields=(
            ProviderField(
                "endpoint",
                env=("AZURE_OPENAI_ENDPOINT",),
                example="https://NAME.openai.azure.com",
                is_address=True,
                leftover="/(?:openai|anthropic|models)(?:[/?].*)?",
            ),
            ProviderField(
                "api_version",
                env=("OPENAI_API_VERSION", "AZURE_OPENAI_API_VERSION"),
                optional=True,
                example="2024-10-21",
                # `preview`, `latest` and `v1` are of the form that needs none.
                pattern=r"\d{4}-\d\d-\d\d[\w.-]*",
            ),
            ProviderField("deployment", default="{model}", is_model=True, example="OUR-DEPLOYMENT"),
        ),
        # The form before v1 has a deployment and a version; Responses are not under the former
        # (openai-python 3.52, lib/azure.py).
        variants=(
            Variant("api_version", "{endpoint}/openai", _API_VERSION, ("openai-responses",)),
            Variant(
                "api_version",
                "{endpoint}/openai/deployments/{deployment}",
                _API_VERSION,
                ("openai-chat", "openai-completions"),
            ),
        ),
        # anthropic 2.11, lib/foundry.py
        dialect_base_urls=(("anthropic", "{endpoint}/anthropic"),),
        model_rules=OPENAI_MODEL_RULES,
        # What is asked for is a deployment, which has a name of its own.
        lists_every_model=False,
        key_probe="list",
        price_id="azure",
        chosen_by_key=False,
        quirks=Quirks(call_ids=".{1,40}"),  # as OpenAI
    ),
    ProviderSpec(
        name="databricks",
        base_url="{host}/serving-endpoints",
        dialect="openai-chat",
        key_env=("DATABRICKS_TOKEN",),
        key_header=_BEARER,
        fields=(
            ProviderField(
                "host",
                env=("DATABRICKS_HOST",),
                example="https://NAME.cloud.databricks.com",
                is_address=True,
                leftover=r"/serving-endpoints(?:[/?].*)?|/?\?o=.*",
            ),
        ),
        # docs.databricks.com, "Coding agents".
        dialect_base_urls=(("anthropic", "{host}/serving-endpoints/anthropic"),),
        default_model="databricks-gpt-oss-120b",
        lists_models=False,
        # docs.databricks.com, "List all serving endpoints"; shaped unlike a model list.
        key_probe="GET ../api/2.0/serving-endpoints",
        price_id="databricks",
        chosen_by_key=False,
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="snowflake",
        # docs.snowflake.com, "Cortex REST API": with Anthropic's dialect beside it.
        base_url="https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
        dialect="openai-chat",
        key_env=("SNOWFLAKE_TOKEN",),
        key_header=_BEARER,
        fields=(
            ProviderField(
                "account",
                env=("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_ACCOUNT_ID"),
                example="ORGANISATION-ACCOUNT",
                leftover=r"\.snowflakecomputing\.com(?:/.*)?",
                pattern="[A-Za-z0-9_.-]+",
            ),
        ),
        lists_models=False,
        key_probe="refusal",
        chosen_by_key=False,
        # Of other models a schema is silently ignored, of Claude `reasoning_effort`, which takes
        # `reasoning` as OpenRouter's (pydantic-ai).
        model_rules=(
            ModelRule("claude*", schema="native", effort="openrouter"),
            ModelRule("openai-*", schema="native"),
        ),
        quirks=Quirks(schema="prompt"),
    ),
    ProviderSpec(
        name="cloudflare",
        base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        dialect="openai-chat",
        # developers.cloudflare.com, "OpenAI compatible API endpoints"; LiteLLM.
        key_env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        fields=(
            ProviderField(
                "account",
                env=("CLOUDFLARE_ACCOUNT_ID",),
                example="0123456789abcdef",
                pattern="[A-Za-z0-9]+",
            ),
        ),
        default_model="@cf/openai/gpt-oss-120b",
        lists_models=False,
        # developers.cloudflare.com, "Model search".
        key_probe="GET ../models/search",
        price_id="cloudflare",
        chosen_by_key=False,
        quirks=_SCHEMA_IN_WORDS,
    ),
    ProviderSpec(
        name="heroku",
        base_url="https://us.inference.heroku.com/v1",
        dialect="openai-chat",
        key_env=("HEROKU_INFERENCE_KEY",),
        base_url_env=("HEROKU_INFERENCE_URL",),
        # Beside /v1 (recorded by pydantic-ai).
        models_path="../available-models",
        key_probe="refusal",
        quirks=Quirks(max_tokens_field="max_tokens", schema="tool"),
    ),
    ProviderSpec(
        name="ovhcloud",
        base_url="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        dialect="openai-chat",
        key_env=("OVHCLOUD_API_KEY",),
        default_model="gpt-oss-120b",
        key_probe="refusal",
        price_id="ovhcloud",
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="scaleway",
        base_url="https://api.scaleway.ai/v1",  # LiteLLM
        dialect="openai-chat",
        key_env=("SCW_SECRET_KEY",),
        # The key of the whole cloud.
        chosen_by_key=False,
        quirks=_OLDER_NAME,
    ),
    ProviderSpec(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        dialect="openai-chat",
        key_env=("NVIDIA_NIM_API_KEY", "NVIDIA_API_KEY"),  # LiteLLM, build.nvidia.com
        key_probe="refusal",
        # docs.nvidia.com, NeMo Retriever: most of its models must be told what a text is for.
        quirks=Quirks(
            max_tokens_field="max_tokens",
            schema="prompt",
            embed_input_type_field="input_type",
            embed_input_types=(("query", "query"), ("document", "passage")),
        ),
    ),
    ProviderSpec(
        name="wandb",
        base_url="https://api.inference.wandb.ai/v1",
        dialect="openai-chat",
        key_env=("WANDB_API_KEY",),
        # The key is for tracking experiments first.
        chosen_by_key=False,
        quirks=_OLDER_NAME,
    ),
)
"""In the order in which a key in the environment is found, behind the hosts."""

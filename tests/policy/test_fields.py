"""What addresses and headers are made of besides key and model, and models given by their path."""

from __future__ import annotations

from typing import Any

import pytest

from llm_client.dialects import find_dialect
from llm_client.exceptions import ConfigurationError
from llm_client.policy.blanks import Blanks
from llm_client.policy.route import resolve_target, with_dialect
from llm_client.types.config import LLMConfig, ProviderSettings, Settings
from llm_client.types.messages import Message
from llm_client.types.request import LLMRequest
from llm_client.types.target import ProviderField, ProviderSpec, Target

KEYS = {
    "ANTHROPIC_API_KEY": "k",
    "AZURE_OPENAI_API_KEY": "k",
    "CLOUDFLARE_API_TOKEN": "k",
    "DATABRICKS_TOKEN": "k",
    "HF_TOKEN": "k",
    "SNOWFLAKE_TOKEN": "k",
}
AZURE = {"endpoint": "https://ours.openai.azure.com"}


def target(spec: str, environ: dict[str, str] | None = None, **config: Any) -> Target:
    provider, _, model = spec.partition("/")
    given = LLMConfig(provider=provider, model=model, **config)
    return resolve_target(given, Settings(), KEYS | (environ or {}))


@pytest.mark.parametrize(
    "written",
    [
        "https://ours.openai.azure.com",
        "https://ours.openai.azure.com/",
        "https://ours.openai.azure.com/openai",
        "https://ours.openai.azure.com/openai/v1/",
        "https://ours.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        "https://ours.openai.azure.com/openai/v1/responses",
        "https://ours.openai.azure.com/models",
        "ours.openai.azure.com",
        " https://ours.openai.azure.com\n",
    ],
)
def test_azure_is_the_version_1_form_at_the_endpoint(written: str) -> None:
    there = target("azure/gpt-5", fields={"endpoint": written})

    assert there.base_url == "https://ours.openai.azure.com/openai/v1"
    assert there.query == ""


def test_azure_with_a_version_is_the_form_with_a_deployment() -> None:
    there = target("azure/gpt-5", fields=AZURE | {"api_version": "2024-10-21"})
    named = target(
        "azure/gpt-5", fields=AZURE | {"api_version": "2024-10-21", "deployment": "our one"}
    )

    assert there.base_url == "https://ours.openai.azure.com/openai/deployments/gpt-5"
    assert named.base_url == "https://ours.openai.azure.com/openai/deployments/our%20one"
    assert there.query == named.query == "api-version=2024-10-21"


def test_azure_with_a_version_has_responses_beside_the_deployments() -> None:
    there = target(
        "azure/gpt-5", fields=AZURE | {"api_version": "2025-04-01"}, dialect="openai-responses"
    )

    assert there.base_url == "https://ours.openai.azure.com/openai"
    assert there.query == "api-version=2025-04-01"


def test_azure_deployment_needs_a_model_or_its_own_name() -> None:
    fields = AZURE | {"api_version": "2024-10-21"}

    with pytest.raises(ConfigurationError, match="'azure' needs its 'deployment'") as caught:
        resolve_target(LLMConfig(provider="azure", fields=fields), Settings(), KEYS)
    assert "LLM_CLIENT_AZURE_DEPLOYMENT" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("written", "address", "query"),
    [
        ("/openai/deployments/d", "/openai/deployments/d", "api-version=2024-10-21"),
        ("", "/openai/deployments/m%2F1", "api-version=2024-10-21"),
        ("/", "/openai/deployments/m%2F1", "api-version=2024-10-21"),
        ("/openai/v1", "/openai/v1", ""),
        ("/openai/v1/chat/completions", "/openai/v1", ""),
    ],
)
def test_azure_by_a_whole_address_has_the_version_where_its_form_has_one(
    written: str, address: str, query: str
) -> None:
    fields = {"api_version": "2024-10-21"}
    there = target("azure/m/1", base_url=f"https://gate.test{written}", fields=fields)

    assert (there.base_url, there.query) == (f"https://gate.test{address}", query)


@pytest.mark.parametrize("version", ["preview", "latest", "v1", "2024-10-21&x=1", "24-10-21"])
def test_azure_version_that_is_no_date_is_refused(version: str) -> None:
    """They belong to the form that needs none, and would make an address that is not there."""
    with pytest.raises(ConfigurationError, match="'api_version' of 'azure' is wrong") as caught:
        target("azure/m", fields=AZURE | {"api_version": version})
    assert str(caught.value.hint).endswith(" Or leave it out.")


def test_azure_deployment_is_the_model_where_the_address_does_not_have_it() -> None:
    fields = AZURE | {"deployment": "ours"}

    assert target("azure/gpt-4o", fields=AZURE).model == "gpt-4o"
    assert target("azure/gpt-4o", fields=fields).model == "ours"
    assert target("azure/", fields=fields).model == "ours"
    assert target("azure/gpt-5.4", fields=fields).provider.dialect == "openai-responses"
    old = target("azure/gpt-4o", fields=fields | {"api_version": "2024-10-21"})
    assert (old.model, old.base_url.rpartition("/")[2]) == ("gpt-4o", "ours")


def test_azure_has_anthropics_models_beside_openais() -> None:
    there = target(
        "azure/claude", fields=AZURE | {"api_version": "2024-10-21"}, dialect="anthropic"
    )
    request = find_dialect("anthropic").encode(LLMRequest((Message("user", "hi"),)), there)

    assert request.url == "https://ours.openai.azure.com/anthropic/v1/messages"
    assert dict(request.headers)["x-api-key"] == "k"
    assert "api-key" not in dict(request.headers)


def test_key_header_of_the_file_is_that_of_every_dialect() -> None:
    own = ProviderSettings(key_header="X-Ours", fields=AZURE)
    settings = Settings(providers={"azure": own})
    config = LLMConfig(model="azure/claude", dialect="anthropic")
    request = find_dialect("anthropic").encode(
        LLMRequest((Message("user", "hi"),)), resolve_target(config, settings, KEYS)
    )

    assert {name for name, value in request.headers if value == "k"} == {"x-ours"}


def test_anthropic_version_is_a_header_with_a_default() -> None:
    assert target("anthropic/m").headers == (("anthropic-version", "2023-06-01"),)
    assert target("anthropic/m", fields={"api_version": "2026-10-21"}).headers == (
        ("anthropic-version", "2026-10-21"),
    )


def test_headers_of_the_file_come_behind_those_of_the_catalog() -> None:
    own = ProviderSettings(headers={"anthropic-version": "x", "X-Team": "ours"})
    settings = Settings(providers={"anthropic": own})

    there = resolve_target(LLMConfig(model="anthropic/m"), settings, KEYS)

    assert dict(there.headers) == {"anthropic-version": "x", "X-Team": "ours"}


@pytest.mark.parametrize(
    ("sub", "address"),
    [
        (None, "https://router.huggingface.co/v1"),
        ("together", "https://router.huggingface.co/together/v1"),
        ("together/", "https://router.huggingface.co/together/v1"),
        ("https://router.huggingface.co/v1", None),
        ("groq", "https://router.huggingface.co/groq/openai/v1"),
        ("fireworks-ai", "https://router.huggingface.co/fireworks-ai/inference/v1"),
        ("novita", "https://router.huggingface.co/novita/v3/openai"),
        ("evil.test/", None),
        ("../x", None),
    ],
)
def test_hugging_face_goes_to_the_sub_provider(sub: str | None, address: str | None) -> None:
    fields = {"sub": sub} if sub else {}
    if address is None:
        with pytest.raises(ConfigurationError, match="'sub' of 'huggingface' is wrong"):
            target("huggingface/a/b", fields=fields)
    else:
        assert target("huggingface/a/b", fields=fields).base_url == address


@pytest.mark.parametrize(
    "written",
    [
        "ours-1",
        "https://ours-1.snowflakecomputing.com",
        "ours-1.snowflakecomputing.com/",
        "https://ours-1.snowflakecomputing.com/api/v2/cortex/v1",
    ],
)
def test_snowflake_account_may_be_its_address(written: str) -> None:
    there = target("snowflake/m", {"SNOWFLAKE_ACCOUNT": written})

    assert there.base_url == "https://ours-1.snowflakecomputing.com/api/v2/cortex/v1"


@pytest.mark.parametrize("written", ["evil.test/x", "evil.test#", "evil.test?x", "a@evil.test"])
@pytest.mark.parametrize(
    ("spec", "variable"),
    [
        ("snowflake/m", "SNOWFLAKE_ACCOUNT"),
        ("cloudflare/m", "CLOUDFLARE_ACCOUNT_ID"),
    ],
)
def test_value_cannot_lead_to_another_host(spec: str, variable: str, written: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is wrong: .a?@?evil") as caught:
        target(spec, {variable: written})
    assert "export " in str(caught.value.hint)


@pytest.mark.parametrize("name", ["ours", "gateway"])
@pytest.mark.parametrize(
    ("spec", "field"), [("azure/m", "AZURE_OPENAI_ENDPOINT"), ("databricks/m", "DATABRICKS_HOST")]
)
def test_name_of_a_resource_is_no_address(spec: str, field: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"is wrong: '{name}'. It looks like 'https://"):
        target(spec, {field: name})


@pytest.mark.parametrize("value", [5, b"x", ["x"]])
def test_field_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="'endpoint' of 'azure' is a text, not"):
        target("azure/m", fields={"endpoint": value})


def test_password_in_an_endpoint_stays_out_of_every_address() -> None:
    there = target("azure/m", fields={"endpoint": "https://bob:secret@ours.test"})

    assert there.basic_auth is not None
    assert "secret" not in repr(there)
    assert "secret" not in with_dialect(there, "anthropic").base_url


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("https://ours.test", "https://ours.test/serving-endpoints"),
        ("ours.test", "https://ours.test/serving-endpoints"),
        ("https://ours.test/?o=12", "https://ours.test/serving-endpoints"),
        (
            "https://ours.test/serving-endpoints/m/invocations",
            "https://ours.test/serving-endpoints",
        ),
        ("http://127.0.0.1:9/serving-endpoints/", "http://127.0.0.1:9/serving-endpoints"),
    ],
)
def test_databricks_is_at_its_host(host: str, address: str) -> None:
    assert target("databricks/m", {"DATABRICKS_HOST": host}).base_url == address


@pytest.mark.parametrize("host", ["https://two words", "https://", "ftp://x", "https://x?a=1"])
def test_address_that_is_none_is_refused_in_a_field_too(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no address of a server|has a query"):
        target("databricks/m", {"DATABRICKS_HOST": host})


@pytest.mark.parametrize(
    "written", ["dashscope.aliyuncs.com", "https://dashscope.aliyuncs.com/compatible-mode/v1"]
)
def test_dashscope_is_at_the_host_of_the_key(written: str) -> None:
    there = target("dashscope/m", {"DASHSCOPE_API_KEY": "k"}, fields={"host": written})

    assert there.base_url == "https://dashscope.aliyuncs.com/compatible-mode/v1"


def test_missing_field_names_itself_its_variable_and_its_key_in_the_file() -> None:
    with pytest.raises(ConfigurationError) as caught:
        target("azure/m")

    assert str(caught.value).startswith("'azure' needs its 'endpoint', for example 'https://")
    assert caught.value.hint == (
        "Set AZURE_OPENAI_ENDPOINT: `export AZURE_OPENAI_ENDPOINT=https://NAME.openai.azure.com`, "
        'or write `endpoint = "https://NAME.openai.azure.com"` under `[providers.azure]` in the '
        "configuration."
    )


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_blank_field_is_no_field(value: str) -> None:
    with pytest.raises(ConfigurationError, match="'cloudflare' needs its 'account'"):
        target("cloudflare/m", {"CLOUDFLARE_ACCOUNT_ID": value})


def test_field_with_a_line_break_within_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'api_version' has characters"):
        target("anthropic/m", fields={"api_version": "x\r\nevil: 1"})


@pytest.mark.parametrize(
    ("spec", "field", "hint"),
    [
        ("azure/m", "endpont", "Did you mean 'endpoint'?"),
        ("azure/m", "zzz", "It has: endpoint, api_version, deployment."),
        ("llamacpp/m", "endpoint", "It has: none."),
    ],
)
def test_field_that_the_provider_does_not_have_is_refused(spec: str, field: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has no field {field!r}") as caught:
        target(spec, fields={field: "x"})
    assert caught.value.hint == hint


def test_address_may_name_the_model_itself() -> None:
    row = ProviderSpec("made-up", "https://host/{model}", "openai-chat")

    assert Blanks(row, "a/b", {}, {}, {}).address(row.base_url) == "https://host/a%2Fb"
    with pytest.raises(ConfigurationError, match="needs a model in its address"):
        Blanks(row, "", {}, {}, {}).address(row.base_url)


@pytest.mark.parametrize(("given", "headers"), [({}, ()), ({"org": "us"}, (("x-org", "us/m"),))])
def test_header_and_query_without_their_value_are_left_out(
    given: dict[str, str], headers: tuple[tuple[str, str], ...]
) -> None:
    row = ProviderSpec(
        "made-up",
        "https://host",
        "openai-chat",
        fields=(ProviderField("org", optional=True),),
        headers=(("x-org", "{org}/{model}"),),
        query=(("org", "{org}"), ("v", "1")),
    )
    blanks = Blanks(row, "m", given, {}, {})

    assert blanks.headers() == headers
    assert blanks.query(None) == ("org=us&v=1" if given else "v=1")


MLX = "mlx://local/v1"
SERVER = "http://localhost:8080/v1"


@pytest.mark.parametrize(
    ("model", "variable", "address", "expected"),
    [
        ("/models/x", None, MLX, "/models/x"),
        ("./x", None, MLX, "./x"),
        ("../x", None, MLX, "../x"),
        ("~/x", None, MLX, "~/x"),
        ("C:\\models\\x", None, MLX, "C:\\models\\x"),
        (None, "/models/y", MLX, "/models/y"),
        (None, "models/y", MLX, "models/y"),
        ("/models/x", "/models/y", MLX, "/models/x"),
        ("org/name", None, SERVER, "org/name"),
        ("org/name", "/models/y", SERVER, "org/name"),
        (None, None, SERVER, "default_model"),
    ],
)
def test_mlx_runs_here_when_the_model_is_a_path(
    model: str | None, variable: str | None, address: str, expected: str
) -> None:
    environ = {"MLX_MODEL_PATH": variable} if variable else {}

    there = resolve_target(LLMConfig(provider="mlx", model=model), Settings(), environ)

    assert (there.base_url, there.model) == (address, expected)


@pytest.mark.parametrize("how", ["code", "variable", "file"])
def test_mlx_with_an_address_is_the_server_there(how: str) -> None:
    address = "http://box.test/v1"
    config = LLMConfig(provider="mlx", model="/x", base_url=address if how == "code" else None)
    environ = {"MLX_BASE_URL": address} if how == "variable" else {}
    own = ProviderSettings(base_url=address if how == "file" else None)

    assert resolve_target(config, Settings(providers={"mlx": own}), environ).base_url == address


@pytest.mark.parametrize("how", ["variable", "file"])
def test_embedded_model_takes_no_address_from_anywhere(how: str) -> None:
    address = "http://box.test/v1"
    environ = {"LLM_CLIENT_EMBEDDED_BASE_URL": address} if how == "variable" else {}
    own = ProviderSettings(base_url=address if how == "file" else None)

    with pytest.raises(ConfigurationError, match="runs in this process"):
        resolve_target(
            LLMConfig(provider="embedded"), Settings(providers={"embedded": own}), environ
        )
